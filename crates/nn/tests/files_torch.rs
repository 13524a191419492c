//! Files that PyTorch wrote: `reference/torch_files.py` made them and says what they hold.
#![cfg(feature = "files")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;
use std::path::PathBuf;

use wengert::files::archive::Archive;
use wengert::files::store::Store;
use wengert::files::torch::{TorchFile, read_torch};
use wengert::files::weights::{Strict, Weights};
use wengert::module::Module;
use wengert::sequential::Sequential;
use wengert_nn as wengert;
use wengert_tensor::error::{ErrorKind, Result};
use wengert_tensor::random::Seed;

fn reference(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(name)
}

#[test]
fn what_torch_saved_is_read() -> Result<()> {
    let expected = Archive::open(reference("torch_files.safetensors"))?;
    for file in ["state", "checkpoint", "views2", "views4"] {
        let read = read_torch(reference(&format!("torch_{file}.pt")))?;
        let front = format!("{file}/");
        let names = expected.names().filter(|name| name.starts_with(&front)).count();
        assert_eq!((read.len(), names > 0), (names, true), "{file}");
        for (name, value) in read {
            let right = expected.tensor(&format!("{front}{name}"))?;
            assert_eq!((value.shape(), value.dtype()), (right.shape(), right.dtype()), "{file}: {name}");
            assert!(value.equals(&right), "{file}: {name}");
            // A view of a part of a storage does not keep the rest alive.
            assert_eq!(value.storage().len(), value.len() * value.dtype().size(), "{file}: {name}");
        }
    }
    Ok(())
}

#[test]
fn a_model_loads_a_state_dict_and_a_part_of_a_checkpoint() -> Result<()> {
    let expected = Archive::open(reference("torch_files.safetensors"))?;
    let net = || Sequential::input([3]).dense(4).batch_norm().relu().dense(2).build(Seed(1));
    for (file, how, front) in
        [("state", Strict.into(), "state/"), ("checkpoint", Strict.below("model"), "checkpoint/model.")]
    {
        let mut model = net()?;
        let report = model.load_weights(reference(&format!("torch_{file}.pt")), how)?;
        assert_eq!(report.matched.len(), 9, "{report}");
        for (name, param) in model.state() {
            assert!(param.value().equals(&expected.tensor(&format!("{front}{name}"))?), "{name}");
        }
    }
    let error = net()?.load_weights(reference("torch_checkpoint.pt"), Strict).unwrap_err().to_string();
    assert!(error.contains("Strict.below(\"model\")"), "{error}");
    Ok(())
}

#[test]
fn what_is_no_tensor_is_refused_by_its_name() {
    for (file, part) in [
        ("old", "before PyTorch 1.6"),
        ("module", "`torch.nn.modules.container.Sequential`"),
        ("complex", "`torch.ComplexFloatStorage`"),
        ("expanded", "a tensor of shape [1000] in a storage of 1 elements"),
    ] {
        let error = read_torch(reference(&format!("torch_{file}.pt"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format);
        assert!(error.to_string().contains(part), "{error}");
        assert!(error.help_text().is_some() && error.location().is_some_and(|at| at.file() == file!()), "{error}");
    }
    assert_eq!(read_torch(reference("none.pt")).unwrap_err().kind(), ErrorKind::Io);
    assert!(read_torch(reference("")).is_err());
}

/// A file of torch.save with this pickle and these storages.
fn saved(pickle: &[u8], storages: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut entry = |name: &str, bytes: &[u8]| {
        zip.start_file(name, stored).unwrap();
        zip.write_all(bytes).unwrap();
    };
    entry("x/data.pkl", pickle);
    storages.iter().for_each(|(key, bytes)| entry(&format!("x/data/{key}"), bytes));
    zip.finish().unwrap().into_inner()
}

/// The pickle of `{"w": tensor}`.
fn tensor(kind: &str, key: &str, elements: u32, offset: u32, sizes: &[u32], strides: &[u32]) -> Vec<u8> {
    let int = |out: &mut Vec<u8>, value: u32| {
        // LONG1 of five bytes, so that it is never negative.
        out.extend([0x8a, 5]);
        out.extend(u64::from(value).to_le_bytes().get(..5).unwrap());
    };
    let text = |out: &mut Vec<u8>, text: &str| {
        out.push(b'X');
        out.extend((text.len() as u32).to_le_bytes());
        out.extend(text.bytes());
    };
    let mut out = b"\x80\x02}".to_vec();
    text(&mut out, "w");
    out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    text(&mut out, "storage");
    out.extend(format!("ctorch\n{kind}\n").bytes());
    text(&mut out, key);
    text(&mut out, "cpu");
    int(&mut out, elements);
    out.extend(b"tQ");
    int(&mut out, offset);
    for list in [sizes, strides] {
        out.push(b'(');
        list.iter().for_each(|&value| int(&mut out, value));
        out.push(b't');
    }
    out.extend(b"\x89ccollections\nOrderedDict\n)RtRs.");
    out
}

#[test]
fn hostile_pickles_are_refused() {
    let data = [0u8; 16];
    let good = saved(&tensor("FloatStorage", "0", 4, 0, &[4], &[1]), &[("0", &data)]);
    let read = |bytes: Vec<u8>| TorchFile::from_bytes("m", bytes).and_then(|file| file.tensor("w"));
    assert!(read(good).is_ok());
    for (pickle, part) in [
        (tensor("FloatStorage", "0", 1 << 30, 0, &[4], &[1]), "16 bytes, which are not 1073741824 elements"),
        (tensor("FloatStorage", "0", 3, 0, &[3], &[1]), "16 bytes, which are not 3 elements"),
        (tensor("FloatStorage", "0", 4, 1, &[4], &[1]), "in a storage of 4 elements"),
        (tensor("FloatStorage", "0", 4, 0, &[2, 2], &[u32::MAX, 1]), "in a storage of 4 elements"),
        (tensor("FloatStorage", "0", 4, 0, &[u32::MAX, u32::MAX, u32::MAX], &[0, 0, 0]), "m:"),
        (tensor("FloatStorage", "0", 4, 0, &[1 << 20, 1 << 20], &[0, 0]), "in a storage of 4 elements"),
        (tensor("FloatStorage", "0", 4, 0, &[4], &[]), "strides"),
        (tensor("FloatStorage", "0", 4, 0, &[1; 10_000], &[0; 10_000]), "10000 axes"),
        (tensor("FloatStorage", "../../0", 4, 0, &[4], &[1]), "`x/data/../../0`"),
        (tensor("Tensor", "0", 4, 0, &[4], &[1]), "`torch.Tensor`"),
        (b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00echo\x85R.".to_vec(), "`os.system`"),
        (b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.".to_vec(), "`builtins.eval`"),
        (b"\x80\x02c__builtin__\ngetattr\n.".to_vec(), "`__builtin__.getattr`"),
        (b"\x80\x02}}b.".to_vec(), "m"),
        (b"\x80\x02ccollections\nOrderedDict\nK\x01\x85R.".to_vec(), "other arguments"),
        (b"\x80\x02ccollections\nOrderedDict\n\x81.".to_vec(), "opcode 0x81"),
        (b"\x80\x02(((((.".to_vec(), "empty stack"),
        (b"\x80\x02".to_vec(), "cut off"),
        (b"".to_vec(), "cut off"),
        (b"h\x07.".to_vec(), "never kept"),
        (b"\x8b\xff\xff\xff\x7f.".to_vec(), "whole number"),
        (b"X\xff\xff\xff\x7fabc.".to_vec(), "cut off"),
        (b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc.".to_vec(), "cut off"),
        (b"}N]s.".to_vec(), "a key that is neither text"),
        (b"}(K\x01u.".to_vec(), "key without a value"),
    ] {
        let error = read(saved(&pickle, &[("0", &data)])).map(drop).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Format | ErrorKind::Value), "{error}");
        assert!(error.to_string().contains(part), "{error}\nexpected {part}");
        assert!(error.to_string().len() < 500);
    }
    let mut bools = data;
    bools[3] = 2;
    let error = read(saved(&tensor("BoolStorage", "0", 16, 0, &[16], &[1]), &[("0", &bools)])).unwrap_err();
    assert!(error.to_string().contains("neither 0 nor 1"), "{error}");
}

#[test]
fn values_that_lie_in_one_another_end() {
    let read = |pickle: &[u8]| TorchFile::from_bytes("m", saved(pickle, &[])).map(|file| file.names().len());
    // A list within itself, and a dict.
    assert!(read(b"]q\x00h\x00a.").unwrap_err().to_string().contains("nested"));
    assert!(read(b"}q\x00X\x01\x00\x00\x00ah\x00s.").unwrap_err().to_string().contains("nested"));
    // Two references to two references to …: 2 to the power of 60 lists.
    let mut pickle = b"]".to_vec();
    for at in 0..60 {
        pickle.extend([b'q', at, b']', b'(', b'h', at, b'h', at, b'e']);
    }
    pickle.push(b'.');
    assert!(read(&pickle).unwrap_err().to_string().contains("nested"));
    // Deep, but within what a pickle can say.
    let deep = [b"(".repeat(100_000), b"t".repeat(100_000), b".".to_vec()].concat();
    assert!(read(&deep).unwrap_err().to_string().contains("nested"));
    assert_eq!(read(b"].").unwrap(), 0);
}

/// The archive with its second entry where the first one is, so many bytes further on.
fn overlapping(mut zip: Vec<u8>, shift: u32) -> Vec<u8> {
    let central = |zip: &[u8], n: usize| {
        zip.windows(4).enumerate().filter(|(_, four)| *four == b"PK\x01\x02").nth(n).map(|(at, _)| at).unwrap()
    };
    let second = central(&zip, 1);
    zip[second + 42..second + 46].copy_from_slice(&shift.to_le_bytes());
    zip
}

#[test]
fn hostile_archives_are_refused() {
    let read = |bytes: Vec<u8>| TorchFile::from_bytes("m", bytes).map(drop).unwrap_err();
    let good = saved(b"}.", &[]);
    assert!(TorchFile::from_bytes("m", good.clone()).is_ok());
    assert!(read(b"PK\x03\x04".to_vec()).to_string().contains("no zip archive"));
    let zipped = |names: &[&str]| {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        for name in names {
            zip.start_file(*name, stored).unwrap();
            zip.write_all(b"}.").unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    assert!(read(zipped(&["a.npy"])).to_string().contains("without `data.pkl`"));
    assert!(read(zipped(&["x/data.pkl", "y/data.pkl"])).to_string().contains("several"));
    assert!(read(zipped(&["x/data.pkl", "x/constants.pkl"])).to_string().contains("TorchScript"));
    assert!(read(zipped(&["x/data.pkl", "x/byteorder"])).to_string().contains("byte order"));
    // The pickle stands right below the folder of the first entry, as PyTorch has it, and nowhere else.
    for wrong in ["x/mydata.pkl", "data.pkl", "x/a/data.pkl", "../../x/data.pkl"] {
        let told = read(zipped(&[wrong])).to_string();
        assert!(told.contains("without `data.pkl` in its own folder"), "{wrong}: {told}");
    }
    assert!(read(zipped(&["y/version", "x/data.pkl"])).to_string().contains("in its own folder"));
    let beside = zipped(&["x/version", "x/data.pkl", "x/extra/data.pkl", "x/mydata.pkl"]);
    assert!(TorchFile::from_bytes("m", beside).is_ok());
    // Two entries over one stretch of the file, and one that begins within another.
    for shift in [0, 40] {
        let error = read(overlapping(zipped(&["x/data.pkl", "x/data/0"]), shift));
        assert_eq!(error.kind(), ErrorKind::Format);
        assert!(error.to_string().contains("overlap") || shift > 0, "{shift}: {error}");
    }
    // One that says it is compressed to nothing: the method and the size of the entry in both headers.
    let mut bomb = good.clone();
    let at = |from: usize| bomb.windows(4).skip(from).position(|four| four == b"PK\x01\x02").unwrap() + from;
    let central = at(0);
    bomb[8] = 8;
    bomb[central + 10] = 8;
    bomb[central + 24..central + 28].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(read(bomb).kind(), ErrorKind::Format);
    // A size beyond the file.
    let mut long = good;
    for field in [18, 22, central + 20, central + 24] {
        long[field..field + 4].copy_from_slice(&0x7fff_ffffu32.to_le_bytes());
    }
    assert_eq!(read(long).kind(), ErrorKind::Format);
}
