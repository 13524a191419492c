//! What several tests share.
#![allow(dead_code, reason = "each test uses its part")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use wengert_tensor::tensor::Tensor;

/// The rows of a reference file: name and numbers.
pub(crate) fn reference(file: &str) -> Vec<(String, Vec<f64>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| {
            let mut words = line.split_whitespace();
            (words.next().unwrap().to_string(), words.map(|word| word.parse().unwrap()).collect())
        })
        .collect()
}

/// The tensors of all reference files whose names start with `family`.
pub(crate) fn tensors(family: &str) -> BTreeMap<String, Tensor> {
    let mut all = BTreeMap::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().to_string();
        if !name.starts_with(family) || !name.ends_with(".safetensors") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        for (name, view) in SafeTensors::deserialize(&bytes).unwrap().tensors() {
            let numbers = view.data().chunks_exact(8).map(|bytes| bytes.try_into().unwrap());
            let tensor = match view.dtype() {
                Dtype::I64 => Tensor::new(numbers.map(i64::from_le_bytes).collect::<Vec<_>>(), view.shape()),
                Dtype::F64 => Tensor::new(numbers.map(f64::from_le_bytes).collect::<Vec<_>>(), view.shape()),
                dtype => panic!("{name} is {dtype:?}"),
            };
            assert!(all.insert(name.clone(), tensor.unwrap()).is_none(), "{name} twice");
        }
    }
    all
}

/// Every file of a directory of things must be on its roll.
pub(crate) fn assert_on_roll<'a>(directory: &str, besides: &[&str], roll: impl Iterator<Item = &'a str>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(directory);
    let files: BTreeSet<String> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().trim_end_matches(".rs").to_string())
        .filter(|file| file != "mod" && !besides.contains(&&**file))
        .collect();
    let roll: BTreeSet<String> = roll.map(str::to_string).collect();
    assert_eq!(files, roll, "the files of `{directory}` and the cases on its roll differ");
}

/// Equal up to a few roundings.
#[track_caller]
pub(crate) fn assert_close(ours: f64, theirs: f64, tolerance: f64, what: &str) {
    let scale = theirs.abs().max(1.0);
    assert!((ours - theirs).abs() <= tolerance * scale, "{what}: {ours} is not {theirs}");
}
