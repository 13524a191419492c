use super::*;
use crate::scratch::Scratch;

fn file(version: u8, text: &str, data: &[u8]) -> Vec<u8> {
    let length = match version {
        1 => (text.len() as u16).to_le_bytes().to_vec(),
        _ => (text.len() as u32).to_le_bytes().to_vec(),
    };
    [MAGIC, &[version, 0], &length, text.as_bytes(), data].concat()
}

fn parse(text: &str, data: &[u8]) -> Result<Tensor> {
    NpyReader::new().parse("a.npy", &file(1, text, data))
}

#[test]
fn every_dtype_and_shape_comes_back() {
    let scratch = Scratch::new("npy");
    let path = scratch.file("a.npy");
    for dtype in DType::ALL.into_iter().filter(|dtype| *dtype != DType::BF16) {
        for shape in [&[][..], &[0], &[7], &[2, 3], &[2, 0, 3], &[1; 20]] {
            let count: usize = shape.iter().product();
            let values = Tensor::from_fn([count], |i| i as f64 - 2.5).unwrap().cast(dtype).unwrap();
            let tensor = values.reshape(shape).unwrap();
            write_npy(&path, &tensor).unwrap();
            assert!(read_npy(&path).unwrap().equals(&tensor), "{dtype} {shape:?}");
            assert_eq!((npy_bytes(&tensor).unwrap().len() - count * dtype.size()) % 64, 0);
        }
    }
    assert!(write_npy(&path, &Tensor::zeros([1], DType::BF16).unwrap()).is_err());
    let turned = Tensor::from([[1i64, 2], [3, 4]]).t().unwrap();
    write_npy(&path, &turned).unwrap();
    assert!(read_npy(&path).unwrap().equals(&turned));
}

#[test]
fn headers_of_every_version_and_spelling() {
    let data = [1, 0, 2, 0];
    for text in [
        "{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }     \n",
        "{\"shape\":(2L,),\"descr\":\"<i2\",\"fortran_order\":True}",
        " {'fortran_order' : False , 'shape' : ( 2 , ) , 'descr' : '<i2' } ",
    ] {
        for version in [1, 2, 3] {
            let tensor = NpyReader::new().parse("a.npy", &file(version, text, &data)).unwrap();
            assert_eq!(tensor.to_vec::<i32>().unwrap(), [1, 2], "{text}");
        }
    }
    let column = parse("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3)}", &[1, 2, 3, 4, 5, 6]).unwrap();
    assert_eq!(column.to_vec::<u8>().unwrap(), [1, 3, 5, 2, 4, 6]);
    assert!(column.is_contiguous());
}

#[test]
fn numbers_of_every_width_and_order() {
    let read = |descr: &str, data: &[u8]| {
        let count = data.len() / descr[2..].parse::<usize>().unwrap();
        parse(&format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({count},)}}"), data)
    };
    assert_eq!(read("|i1", &[255, 2]).unwrap().to_vec::<i32>().unwrap(), [-1, 2]);
    assert_eq!(read(">i2", &[255, 254, 1, 0]).unwrap().to_vec::<i32>().unwrap(), [-2, 256]);
    assert_eq!(read("<u2", &[255, 255]).unwrap().to_vec::<i32>().unwrap(), [65535]);
    assert_eq!(read(">u4", &[255, 255, 255, 255]).unwrap().to_vec::<i64>().unwrap(), [4294967295]);
    assert_eq!(read("<u8", &[1, 0, 0, 0, 0, 0, 0, 0]).unwrap().to_vec::<i64>().unwrap(), [1]);
    assert!(read("<u8", &[255; 8]).unwrap_err().to_string().contains("beyond the largest i64"));
    assert_eq!(read(">f8", &(-1.5f64).to_be_bytes()).unwrap().to_vec::<f64>().unwrap(), [-1.5]);
    assert_eq!(read(">f2", &[0x3c, 0]).unwrap().to_f64_vec(), [1.0]);
    assert_eq!(read("|b1", &[1, 0]).unwrap().to_vec::<bool>().unwrap(), [true, false]);
    assert!(read("|b1", &[2]).is_err());
    for descr in ["<c8", "|O8", "<U4", "|S4", "<f16", "<M8", "|f4", "é4"] {
        let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (1,)}}");
        assert!(parse(&text, &[0; 16]).is_err(), "{descr}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let good = |shape: &str| format!("{{'descr': '<i4', 'fortran_order': False, 'shape': {shape}}}");
    let cases: [(&str, &[u8], &str); 16] = [
        (&good("(1,)"), &[0; 3], "3 bytes of elements, and [1] of `<i4` take 4"),
        (&good("(1,)"), &[0; 8], "several arrays"),
        (&good("(18446744073709551615, 2)"), &[], "more than there can be"),
        (&good("(99999999999999999999,)"), &[], "too large to be counted"),
        (&good("(0, 9223372036854775807, 9223372036854775807)"), &[], "more than there can be"),
        (&good("(1)"), &[0; 4], "a number, not a tuple"),
        (&good("(1 2)"), &[0; 8], "where a comma belongs"),
        (&good("(-1,)"), &[], "where a size belongs"),
        (&good(&format!("({})", "1,".repeat(10_000))), &[0; 4], "more than 64 axes"),
        ("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (1,)}", &[0; 4], "records are not read"),
        ("{'descr': '<i4', 'shape': (1,)}", &[0; 4], "no `fortran_order`"),
        ("{'descr': '<i4', 'descr': '<i4', 'fortran_order': False, 'shape': (1,)}", &[0; 4], "`descr` twice"),
        ("{'descr': '<i4', 'fortran_order': 0, 'shape': (1,)}", &[0; 4], "where a value belongs"),
        ("{'descr': '<i4', 'x': False}", &[0; 4], "a key `x`"),
        ("{'descr': '<i4', 'fortran_order': False, 'shape': (1,)} 1", &[0; 4], "goes on after its end"),
        ("__import__('os')", &[0; 4], "where `{` belongs"),
    ];
    for (text, data, expected) in cases {
        let error = parse(text, data).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}\nfor {text}");
    }
    let whole = file(2, &good("(1,)"), &[0; 4]);
    for end in 0..whole.len() {
        assert!(NpyReader::new().parse("a.npy", &whole[..end]).is_err(), "{end}");
    }
    assert_eq!(read_npy("no/such.npy").unwrap_err().kind(), wengert_tensor::error::ErrorKind::Io);
}

#[test]
fn archives_come_back_and_hostile_ones_do_not() {
    let scratch = Scratch::new("npz");
    let arrays = vec![
        ("b".to_string(), Tensor::from([1.0f32, 2.0])),
        ("a".to_string(), Tensor::zeros([1000], DType::I64).unwrap()),
    ];
    for (name, write) in [("plain.npz", true), ("packed.npz", false)] {
        let path = scratch.file(name);
        if write { write_npz(&path, &arrays) } else { write_npz_compressed(&path, &arrays) }.unwrap();
        let back = read_npz(&path).unwrap();
        assert!(back.len() == 2 && back[0].0 == "b" && back[1].0 == "a");
        assert!(back.iter().zip(&arrays).all(|(back, array)| back.1.equals(&array.1)));
        let small = NpyReader::new().max_bytes(2000).read_archive(&path).unwrap_err().to_string();
        assert!(small.contains("the limit is 2000"), "{small}");
    }
    assert!(std::fs::metadata(scratch.file("packed.npz")).unwrap().len() < 1000);
    let twice = [arrays[0].clone(), arrays[0].clone()];
    assert!(write_npz(scratch.file("twice.npz"), &twice).is_err());
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .start_file("readme.txt", SimpleFileOptions::default().compression_method(CompressionMethod::Stored))
        .unwrap();
    let other = writer.finish().unwrap().into_inner();
    assert!(
        NpyReader::new().parse_archive("x.npz", &other).unwrap_err().to_string().contains("`readme.txt` is no array")
    );
}

/// Two members over one stretch of the file would unpack to more than is there.
#[test]
fn members_that_overlap_are_refused() {
    let arrays = ["a", "b"].map(|name| (name.to_string(), Tensor::from([1f32; 100])));
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let good = npz_bytes(&arrays, method).unwrap();
        let read = |bytes: &[u8]| NpyReader::new().parse_archive("m", bytes);
        assert_eq!(read(&good).unwrap().len(), 2);
        let heads = |mark: &[u8]| -> Vec<usize> {
            good.windows(4).enumerate().filter(|(_, four)| *four == mark).map(|(at, _)| at).collect()
        };
        let (local, central) = (heads(b"PK\x03\x04"), heads(b"PK\x01\x02"));
        assert_eq!((local.len(), central.len()), (2, 2));
        // At the same place, and half way into the other.
        for at in [local[0], local[0] + (local[1] - local[0]) / 2] {
            let mut bytes = good.clone();
            bytes[central[1] + 42..central[1] + 46].copy_from_slice(&(at as u32).to_le_bytes());
            let error = read(&bytes).unwrap_err();
            assert_eq!(error.kind(), wengert_tensor::error::ErrorKind::Format);
            assert!(error.to_string().contains("overlap") || at != local[0], "{error}");
        }
    }
}
