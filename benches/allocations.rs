//! Does a steady training step allocate? Once, 8 bytes: the count does not grow with width or batch, and running a plan that is known takes
//! every buffer from the pool. Where the state is so large that it is given away, the update is recorded in every step, with 20 allocations
//! for lists. A step that is recorded once does not allocate at all, or then 4 times.

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use wengert::prelude::*;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations of the hundredth step that is recorded once.
fn compiled(width: usize, batch: usize) -> Result<usize> {
    let mut model = Sequential::input([width]).dense(width).relu().dense(width).relu().dense(10).build(Seed(0))?;
    let mut step = Adam::new(1e-3).compile(|model: &Sequential, _, [x, y]| model.forward(x).cross_entropy(y));
    let x = Tape::with_key(1u64).normal([batch, width], DType::F32).value()?;
    let y = Tensor::new((0..batch as i64).map(|i| i % 10).collect::<Vec<_>>(), [batch])?;
    let mut last = 0;
    for _ in 0..100 {
        let region = Region::new(ALLOCATOR);
        step.run(&mut model, [&x, &y])?;
        last = region.change().allocations;
    }
    Ok(last)
}

/// Allocations and bytes of the hundredth step, and nodes on its tape.
fn step(width: usize, batch: usize) -> Result<(usize, usize, usize)> {
    let mut model = Sequential::input([width]).dense(width).relu().dense(width).relu().dense(10).build(Seed(0))?;
    let mut optimizer = Adam::new(1e-3);
    let x = Tape::with_key(1u64).normal([batch, width], DType::F32).value()?;
    let y = Tensor::new((0..batch as i64).map(|i| i % 10).collect::<Vec<_>>(), [batch])?;
    let mut last = (0, 0, 0);
    for _ in 0..100 {
        let region = Region::new(ALLOCATOR);
        let tape = Tape::training(0);
        let loss = model.forward(tape.input(&x)).cross_entropy(&y);
        optimizer.step(&mut model, loss.backward())?;
        let change = region.change();
        last = (change.allocations, change.bytes_allocated, tape.len());
    }
    Ok(last)
}

fn main() -> Result<()> {
    println!("a training step of width-width-width-10 with Adam, once it is steady");
    println!(
        "{:>6} {:>6} {:>12} {:>10} {:>6} {:>20} {:>14}",
        "width", "batch", "allocations", "bytes", "nodes", "allocations / node", "recorded once"
    );
    for (width, batch) in [(16, 8), (64, 32), (256, 128), (1024, 256)] {
        let (count, bytes, nodes) = step(width, batch)?;
        let (share, once) = (count as f64 / nodes as f64, compiled(width, batch)?);
        println!("{width:>6} {batch:>6} {count:>12} {bytes:>10} {nodes:>6} {share:>20.2} {once:>14}");
    }
    Ok(())
}
