//! Ten thousand damaged files of each format: an error that says what is wrong or what was saved, no panic, memory that
//! the file pays for, and a model that lost nothing.
#![cfg(feature = "files")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::alloc::System;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use wengert_nn::files::archive::{Archive, to_bytes};
use wengert_nn::files::checkpoint::{read_checkpoint, write_checkpoint};
use wengert_nn::files::store::Store;
use wengert_nn::files::torch::{TorchFile, read_torch};
use wengert_nn::files::weights::{Lenient, Strict, load};
use wengert_nn::module::Module;
use wengert_nn::sequential::Sequential;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, ErrorKind, Result};
use wengert_tensor::random::Seed;
use wengert_tensor::storage::{pool_clear, pool_limit};
use wengert_tensor::tensor::Tensor;

#[global_allocator]
static MEMORY: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const FILES: u64 = 10_000;

/// Tests of this file count memory, so they run one at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// What `read` gives, and a check that it took no more memory, all in all, than the file pays for.
fn within<T>(file: usize, read: impl FnOnce() -> T) -> T {
    bounded(4, file, read).0
}

/// What `read` gives, and the bytes that it allocated, which are at most `times` those of the file and a megabyte.
fn bounded<T>(times: usize, file: usize, read: impl FnOnce() -> T) -> (T, usize) {
    let region = Region::new(MEMORY);
    let result = read();
    let taken = region.change().bytes_allocated;
    assert!(taken <= times * file + (1 << 20), "{taken} bytes were allocated for a file of {file}");
    (result, taken)
}

/// Numbers by splitmix64 (Steele et al., OOPSLA 2014), always the same.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn range(&mut self, end: usize) -> std::ops::Range<usize> {
        let (a, b) = (self.below(end + 1), self.below(end + 1));
        a.min(b)..a.max(b)
    }
}

/// The file with damage of one kind or of several.
fn damaged(good: &[u8], seed: u64) -> Vec<u8> {
    let mut draw = Draw(seed);
    let mut bytes = good.to_vec();
    for _ in 0..1 + draw.below(3) {
        let length = bytes.len();
        match draw.below(8) {
            // Flipped bits.
            0 | 1 => {
                for _ in 0..1 + draw.below(8) {
                    let at = draw.below(length);
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << draw.below(8);
                    }
                }
            }
            // Cut off.
            2 => bytes.truncate(draw.below(length)),
            // A part copied over another, put in twice, or taken out.
            3 => {
                let from = draw.range(length);
                let to = draw.below(length - from.len() + 1);
                bytes.copy_within(from, to);
            }
            4 => {
                let part = bytes[draw.range(length)].to_vec();
                let at = draw.below(length + 1);
                drop(bytes.splice(at..at, part));
            }
            5 => drop(bytes.drain(draw.range(length))),
            // Grown sizes: digits become nines, words become huge.
            6 => {
                let part = draw.range(length);
                bytes[part].iter_mut().take(40).filter(|byte| byte.is_ascii_digit()).for_each(|byte| *byte = b'9');
            }
            _ => {
                let at = draw.below(length);
                let huge = [u64::MAX, 1 << 40, u64::from(u32::MAX), 1 << 31][draw.below(4)].to_le_bytes();
                let width = 1 << draw.below(4);
                bytes[at..].iter_mut().zip(huge.iter().take(width)).for_each(|(byte, huge)| *byte = *huge);
            }
        }
    }
    bytes
}

fn values() -> Vec<(String, Tensor)> {
    DType::ALL
        .into_iter()
        .map(|dtype| (format!("model.{dtype}"), Tensor::arange(2, dtype).unwrap()))
        .chain([("scalar".into(), Tensor::from(2.5f64)), ("empty".into(), Tensor::from(Vec::<f32>::new()))])
        .chain([("large".into(), Tensor::uniform([40, 5], DType::F32, Seed(3)).unwrap())])
        .collect()
}

fn same(a: &[(String, Tensor)], b: &[(String, Tensor)]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|((a, left), (b, right))| {
            a == b && left.dtype() == right.dtype() && left.shape() == right.shape() && left.equals(right)
        })
}

fn all(store: &dyn Store) -> Result<Vec<(String, Tensor)>> {
    store.names().into_iter().map(|name| Ok((name.to_string(), store.tensor(name)?))).collect()
}

fn typed(error: &Error) {
    assert!(matches!(error.kind(), ErrorKind::Format | ErrorKind::Io | ErrorKind::Data), "{error}");
    assert!(error.to_string().len() < 2000, "{error}");
}

fn alone() -> std::sync::MutexGuard<'static, ()> {
    let guard = ALONE.lock().unwrap_or_else(|poison| poison.into_inner());
    // Memory that is lent again would not be counted.
    pool_limit(0);
    pool_clear();
    guard
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("wengert-damaged-{name}-{}", std::process::id()))
}

fn reference(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(name)
}

#[test]
fn safetensors() {
    let _alone = alone();
    let good = to_bytes(&values()).unwrap();
    let (mut read, mut refused) = (0, 0);
    for seed in 0..FILES {
        let bytes = damaged(&good, seed);
        match within(bytes.len(), || Archive::from_bytes("m", bytes).and_then(|archive| all(&archive))) {
            // Without digests, other numbers are not seen; but what is read is what the header says.
            Ok(values) => read += usize::from(values.iter().all(|(_, value)| value.len() <= good.len())),
            Err(error) => {
                typed(&error);
                refused += 1;
            }
        }
    }
    assert!(read > 100 && refused > 5000, "{read} were read, {refused} refused");
}

#[test]
fn checkpoints() {
    let _alone = alone();
    let (path, saved) = (scratch("checkpoint"), values());
    write_checkpoint(&path, &saved).unwrap();
    let good = std::fs::read(&path).unwrap();
    let mut refused = 0;
    for seed in 0..FILES {
        let bytes = damaged(&good, seed);
        std::fs::write(&path, &bytes).unwrap();
        match within(bytes.len(), || read_checkpoint(&path)) {
            Ok(read) => assert!(same(&read, &saved), "file {seed} is not what was saved"),
            Err(error) => {
                typed(&error);
                refused += 1;
            }
        }
    }
    std::fs::remove_file(&path).unwrap();
    assert!(refused > 8000, "{refused} were refused");
}

#[test]
fn files_of_torch() {
    let _alone = alone();
    let path = scratch("torch");
    for (file, count) in [("torch_views4.pt", FILES / 2), ("torch_checkpoint.pt", FILES / 2)] {
        let (good, saved) = (std::fs::read(reference(file)).unwrap(), read_torch(reference(file)).unwrap());
        let mut refused = 0;
        for seed in 0..count {
            let bytes = damaged(&good, seed);
            std::fs::write(&path, &bytes).unwrap();
            match within(bytes.len(), || read_torch(&path)) {
                Ok(read) => assert!(same(&read, &saved), "file {seed} is not what was saved"),
                Err(error) => {
                    typed(&error);
                    refused += 1;
                }
            }
        }
        assert!(refused > count / 2, "{refused} were refused");
    }
    std::fs::remove_file(&path).unwrap();
}

/// The checksums of an archive stop almost all damage before the pickle; here they are right.
#[test]
fn pickles() {
    let _alone = alone();
    for file in ["torch_views2.pt", "torch_views4.pt", "torch_checkpoint.pt"] {
        let mut zip = zip::ZipArchive::new(std::fs::File::open(reference(file)).unwrap()).unwrap();
        let mut entries = Vec::new();
        for at in 0..zip.len() {
            let mut entry = zip.by_index(at).unwrap();
            let mut bytes = Vec::new();
            std::io::copy(&mut entry, &mut bytes).unwrap();
            entries.push((entry.name().unwrap().into_owned(), bytes));
        }
        let (mut read, mut refused) = (0, 0);
        for seed in 0..FILES / 3 {
            let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
            let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
            for (name, bytes) in &entries {
                zip.start_file(name.as_str(), stored).unwrap();
                let pickle = name.ends_with("data.pkl");
                zip.write_all(&if pickle { damaged(bytes, seed) } else { bytes.clone() }).unwrap();
            }
            let bytes = zip.finish().unwrap().into_inner();
            match within(bytes.len(), || TorchFile::from_bytes("m", bytes).and_then(|file| all(&file))) {
                Ok(values) => read += usize::from(values.len() < 1000),
                Err(error) => {
                    typed(&error);
                    refused += 1;
                }
            }
        }
        assert!(read > 10 && refused > 2000, "{read} were read, {refused} refused");
    }
}

#[test]
fn a_model_loses_nothing() {
    let _alone = alone();
    let net = |seed| Sequential::input([2]).dense(3).relu().dense(2).build(Seed(seed)).unwrap();
    let weights = |model: &Sequential| -> Vec<(String, Tensor)> {
        model.parameters().into_iter().map(|(name, param)| (name, param.value().clone())).collect()
    };
    let good = to_bytes(&weights(&net(1))).unwrap();
    let mut model = net(2);
    let mut before = weights(&model);
    for seed in 0..FILES {
        let Ok(archive) = Archive::from_bytes("m", damaged(&good, seed)) else { continue };
        match load(&mut model, &archive, if seed % 2 == 0 { Strict } else { Lenient }) {
            Ok(_) => before = weights(&model),
            Err(_) => assert!(same(&weights(&model), &before), "file {seed}"),
        }
    }
}

/// Large files that were made to cost more than they weigh.
#[test]
fn large_and_hostile() {
    let _alone = alone();
    let header = |text: String| [(text.len() as u64).to_le_bytes().to_vec(), text.into_bytes()].concat();
    let entry = r#"{"dtype":"U8","shape":[0],"data_offsets":[0,0]}"#;
    let many = |count: usize, one: &dyn Fn(usize) -> String| {
        header(format!("{{{}}}", (0..count).map(one).collect::<Vec<_>>().join(",")))
    };
    for (what, bytes) in [
        (
            "axes",
            header(format!(
                r#"{{"a":{{"dtype":"U8","shape":[{}],"data_offsets":[0,1]}}}}"#,
                vec!["1"; 1 << 20].join(",")
            )),
        ),
        ("unknown fields", header(format!(r#"{{"a":{{{}}}}}"#, vec![r#""x":[]"#; 1 << 18].join(",")))),
        ("depth", header(r#"{"a":"#.repeat(1 << 18))),
        ("lists", header(format!(r#"{{"a":{}}}"#, "[".repeat(1 << 20)))),
        ("one name", many(1 << 15, &|_| format!(r#""a":{entry}"#))),
        ("a long name", header(format!(r#"{{"{}":{entry}}}"#, "\\u0000".repeat(1 << 18)))),
        (
            "texts",
            header(format!(
                r#"{{"__metadata__":{{{}}}}}"#,
                (0..1 << 15).map(|at| format!(r#""{at}":"""#)).collect::<Vec<_>>().join(",")
            )),
        ),
        ("a header of 10 GB", [10_000_000_000u64.to_le_bytes().to_vec(), vec![b' '; 1 << 20]].concat()),
    ] {
        let size = bytes.len();
        let (result, taken) = bounded(16, size, || Archive::from_bytes("m", bytes).and_then(|archive| all(&archive)));
        println!("{what}: {taken} bytes for {size}");
        match result {
            Ok(read) => assert!(read.len() <= 1, "{what}"),
            Err(error) => typed(&error),
        }
    }
    let pickle = |bytes: Vec<u8>| {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        zip.start_file("x/data.pkl", stored).unwrap();
        zip.write_all(&bytes).unwrap();
        zip.finish().unwrap().into_inner()
    };
    for (what, bytes) in [
        ("dicts", vec![b'}'; 1 << 20]),
        ("an item of itself", [b"]q\x00".to_vec(), b"h\x00a".repeat(1 << 16), b".".to_vec()].concat()),
        (
            "a long key many times",
            [
                b"}X\x00\x00\x01\x00".to_vec(),
                vec![b'a'; 1 << 16],
                b"q\x01}".to_vec(),
                b"h\x01]s".repeat(1 << 16),
                b"s.".to_vec(),
            ]
            .concat(),
        ),
    ] {
        let bytes = pickle(bytes);
        let size = bytes.len();
        let (read, taken) = bounded(64, size, || TorchFile::from_bytes("m", bytes).map(drop));
        println!("{what}: {taken} bytes for {size}");
        let error = read.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format, "{what}: {error}");
    }
}
