//! How fast is state saved and taken up again? 200 MB in 100 tensors: as a safetensors file, and as a checkpoint, which has a digest for each
//! tensor and is read back before it takes the place of an old one. Beside them the same bytes through `std::fs`.
//!
//! As fast as the disk takes it, and from memory at 6 and 3 GB/s. On two cores of a shared machine, with optimisation level 2: the disk takes 0.95
//! GB/s from `std::fs` when it is synced, 0.95 of a safetensors file, and 0.7 to 0.8 of a checkpoint, which is hashed, written, read again and hashed
//! again. From the page cache `std::fs` reads 1.8 GB/s into new memory, and 5.9 into memory that is there; a safetensors file is read at 5.8 GB/s,
//! into the buffers of the pool, and a checkpoint, with its digests, at 2.7.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::io::Write;
use wengert::nn::files::archive::{Archive, write_tensors};
use wengert::prelude::*;

const TENSORS: usize = 100;
const EACH: usize = 500_000;

fn state() -> Result<Vec<(String, Tensor)>> {
    (0..TENSORS).map(|i| Ok((format!("layer.{i}.weight"), Tensor::normal([EACH], DType::F32, i as u64)?))).collect()
}

fn files(c: &mut Criterion) {
    let folder = std::env::temp_dir().join(format!("wengert-bench-files-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap_or_else(|error| unreachable!("{error}"));
    let state = state().unwrap_or_else(|error| unreachable!("{error}"));
    let (plain, checkpoint) = (folder.join("plain.safetensors"), folder.join("checkpoint.safetensors"));
    let raw = folder.join("raw");
    let bytes = vec![1u8; 4 * TENSORS * EACH];

    let mut group = c.benchmark_group("200 MB");
    group.throughput(Throughput::Bytes(bytes.len() as u64)).sample_size(10);
    group.bench_function("std: write and sync", |b| {
        b.iter(|| {
            let mut file = std::fs::File::create(&raw)?;
            file.write_all(&bytes)?;
            file.sync_all()
        });
    });
    group.bench_function("std: read", |b| b.iter(|| std::fs::read(&raw).map(|bytes| bytes.len())));
    group.bench_function("safetensors: write", |b| b.iter(|| write_tensors(&plain, &state)));
    group.bench_function("safetensors: read", |b| {
        b.iter(|| -> Result<usize> {
            let file = Archive::open(&plain)?;
            let names: Vec<String> = file.names().map(str::to_string).collect();
            names.iter().map(|name| Ok(file.tensor(name)?.len())).sum()
        });
    });
    group.bench_function("checkpoint: write", |b| b.iter(|| write_checkpoint(&checkpoint, &state)));
    group.bench_function("checkpoint: read", |b| b.iter(|| read_checkpoint(&checkpoint).map(|state| state.len())));
    group.finish();
    std::fs::remove_dir_all(&folder).ok();
}

criterion_group!(benches, files);
criterion_main!(benches);
