//! Does a steady training step allocate? Only for the nodes that it records: the count does not grow with width or batch, and running
//! a plan that is known takes every buffer from the pool.

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use wengert::prelude::*;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

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
        "{:>6} {:>6} {:>12} {:>10} {:>6} {:>20}",
        "width", "batch", "allocations", "bytes", "nodes", "allocations / node"
    );
    for (width, batch) in [(16, 8), (64, 32), (256, 128), (1024, 256)] {
        let (count, bytes, nodes) = step(width, batch)?;
        println!("{width:>6} {batch:>6} {count:>12} {bytes:>10} {nodes:>6} {:>20.2}", count as f64 / nodes as f64);
    }
    Ok(())
}
