//! Does fusing pay? Yes: one pass over memory against one pass an op, on the shapes below 3–10 times.

use criterion::{Criterion, criterion_group, criterion_main};
use wengert::prelude::*;

fn softmax_gradient(x: &Tensor) -> Result<Tensor> {
    let tape = Tape::new();
    let x = tape.input(x);
    let [dx] = tape.grad(x.softmax(-1).square().sum(), [x]);
    dx.value()
}

fn gelu_gradient(x: &Tensor) -> Result<Tensor> {
    let tape = Tape::new();
    let x = tape.input(x);
    let [dx] = tape.grad(x.gelu().sum(), [x]);
    dx.value()
}

fn fusion(c: &mut Criterion) {
    let Ok(x) = Tape::with_key(1u64).normal([512, 1024], DType::F32).value() else { return };
    for (name, f) in [("softmax", softmax_gradient as fn(&Tensor) -> Result<Tensor>), ("gelu", gelu_gradient)] {
        let mut group = c.benchmark_group(format!("{name} and its gradient, 512 × 1024"));
        group.bench_function("fused", |b| b.iter(|| f(&x)));
        group.bench_function("op by op", |b| b.iter(|| wengert::autograd::without_fusion(|| f(&x))));
        group.finish();
    }
}

criterion_group!(benches, fusion);
criterion_main!(benches);
