//! What does the tape cost? Recording an op, finding a plan and running a tiny one, and compiling a new one.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use wengert::prelude::*;

fn chain<'t>(tape: &'t Tape, ops: usize) -> Var<'t> {
    let x = tape.scalar(0.5, DType::F32);
    (0..ops).fold(x, |y, _| y.tanh())
}

fn recording(c: &mut Criterion) {
    let mut group = c.benchmark_group("a chain of 1000 scalar ops");
    group.bench_function("record", |b| {
        b.iter(|| {
            let tape = Tape::new();
            chain(&tape, 1000);
            tape.len()
        });
    });
    group.bench_function("record and differentiate", |b| {
        b.iter(|| {
            let tape = Tape::new();
            let x = tape.scalar(0.5, DType::F32);
            let y = (0..1000).fold(x, |y, _| y.tanh());
            let [_] = tape.grad(y, [x]);
            tape.len()
        });
    });
    group.bench_function("record, find the plan, run", |b| {
        b.iter(|| {
            let tape = Tape::new();
            chain(&tape, 1000).item::<f32>()
        });
    });
    group.bench_function("record, compile, run", |b| {
        b.iter_batched(
            wengert::autograd::plan_clear,
            |()| {
                let tape = Tape::new();
                chain(&tape, 1000).item::<f32>()
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, recording);
criterion_main!(benches);
