//! Files that NumPy, Pillow and tokenizers have written, and what they say is in them.
#![cfg(feature = "files")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use wengert_nn::data::image::{ImageReader, read_image};
use wengert_nn::data::npy::{read_npy, read_npz};
use wengert_nn::data::text::bpe::Bpe;
use wengert_nn::data::text::read_text;
use wengert_tensor::dtype::DType;
use wengert_tensor::tensor::Tensor;

fn reference(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference")).join(name)
}

#[test]
fn arrays_of_numpy() {
    let arrays = read_npz(reference("data/arrays.npz")).unwrap();
    assert_eq!(arrays.len(), 22);
    for (name, array) in &arrays {
        let (shape, values): (&[usize], Vec<f64>) = match name.as_str() {
            "scalar" => (&[], vec![-2.5]),
            "empty" => (&[2, 0, 3], vec![]),
            "b1" => (&[3, 4], (0..12).map(|i| f64::from(u8::from(i > 5))).collect()),
            unsigned if unsigned.starts_with('u') => (&[3, 4], (0..12).map(f64::from).collect()),
            _ => (&[3, 4], (-3..9).map(f64::from).collect()),
        };
        assert_eq!(array.shape().dims(), shape, "{name}");
        assert_eq!(array.to_f64_vec(), values, "{name}");
        let dtype = match name.get(..2).unwrap() {
            "f2" => DType::F16,
            "f4" | "fo" | "em" => DType::F32,
            "f8" | "sc" => DType::F64,
            "i8" | "u4" | "u8" => DType::I64,
            "i1" | "i2" | "i4" | "u2" => DType::I32,
            "u1" => DType::U8,
            "b1" => DType::Bool,
            other => panic!("{other}"),
        };
        assert_eq!(array.dtype(), dtype, "{name}");
    }
    let numbers: Vec<f64> = (-3..9).map(f64::from).collect();
    for name in ["data/version2.npy", "data/version3.npy"] {
        assert_eq!(read_npy(reference(name)).unwrap().to_f64_vec(), numbers, "{name}");
    }
    let compressed = read_npz(reference("data/compressed.npz")).unwrap();
    assert_eq!((compressed[0].1.len(), compressed[1].1.to_f64_vec()), (10_000, numbers));
    for (name, expected) in [
        ("record", "records are not read"),
        ("object", "elements `|O` are not read"),
        ("complex", "elements `<c8` are not read"),
        ("text", "elements `<U2` are not read"),
    ] {
        let error = read_npy(reference(&format!("data/{name}.npy"))).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn pictures_of_pillow() {
    for (name, expected) in read_npz(reference("data/pictures.npz")).unwrap() {
        if name == "luma" {
            let gray = ImageReader::new().gray().read(reference("data/rgb.png")).unwrap();
            assert!(gray.select(0, 0).unwrap().equals(&expected));
            continue;
        }
        let image = read_image(reference(&format!("data/{name}"))).unwrap();
        assert_eq!(image.shape(), expected.shape(), "{name}");
        let wide = |image: &Tensor| image.cast(DType::I32).unwrap();
        let difference = wide(&image).max_abs_diff(&wide(&expected)).unwrap();
        // Decoders of JPEG may round in other places; those of PNG may not.
        let allowed = if name == "subsampled.jpg" || name == "progressive.jpg" {
            6.0
        } else if name.ends_with("jpg") {
            2.0
        } else {
            0.0
        };
        assert!(difference <= allowed, "{name}: {difference}");
    }
    // 16 bits lose the lower eight.
    let deep = ImageReader::new().gray().read(reference("data/deep.png")).unwrap().to_vec::<u8>().unwrap();
    assert!(deep.iter().enumerate().all(|(at, &value)| usize::from(value) == at % 23 * 11));
    let error = read_image(reference("data/cmyk.jpg")).unwrap_err().to_string();
    assert!(error.contains("4 components"), "{error}");
}

#[test]
fn tokens_of_tokenizers() {
    let text = read_text(reference("data_files.py")).unwrap();
    let tokens = read_npy(reference("data/tokens.npy")).unwrap().to_vec::<i64>().unwrap();
    let theirs = Bpe::load(reference("data/tokenizer.json")).unwrap();
    assert_eq!(theirs.encode(&text), tokens);
    assert_eq!(theirs.decode(&tokens).unwrap(), text);
    let ours = Bpe::train(&text, 400).unwrap();
    assert_eq!(ours.len(), theirs.len());
    for number in 0..400 {
        assert_eq!(ours.token(number), theirs.token(number), "{number}");
    }
    assert_eq!(ours.encode(&text), tokens);
}

#[test]
fn a_text_that_is_not_utf8_is_named_by_its_line() {
    let path = std::env::temp_dir().join(format!("wengert-data-files-{}.txt", std::process::id()));
    std::fs::write(&path, b"one\ntwo\xff").unwrap();
    let error = read_text(&path).unwrap_err().to_string();
    std::fs::remove_file(&path).unwrap();
    assert!(error.contains(".txt:2: byte 7 is not UTF-8 text"), "{error}");
}
