//! What does a step of a recurrence cost? A training step of an LSTM over 16 to 1024 steps of time: the body is recorded and planned once, however
//! long the sequence is, so the time is a line whose slope is what a step of time costs, forward and backward. Beside it the same cell, applied
//! step after step in the user's own loop, which records and plans every one of them.

use std::time::Instant;
use wengert::autograd::plan_clear;
use wengert::nn::layers::lstm::{Lstm, LstmCell};
use wengert::prelude::*;

const BATCH: usize = 32;
const UNITS: usize = 64;

fn scan<'t>(layer: &Lstm, x: Var<'t>) -> Var<'t> {
    layer.forward(x)
}

fn by_hand<'t>(cell: &LstmCell, x: Var<'t>) -> Var<'t> {
    let mut state = None;
    let outputs = (0..x.shape().dims()[1]).map(|t| {
        let (y, next) = cell.run(x.at(1, t), state.take());
        state = Some(next);
        y
    });
    let outputs: Vec<Var<'t>> = outputs.collect();
    x.tape().stack(&outputs, 1)
}

/// Milliseconds of the first step of training, with its plans, and of the best one later.
fn measured<M: Module>(model: &mut M, x: &Tensor, forward: for<'t> fn(&M, Var<'t>) -> Var<'t>) -> Result<[f64; 2]> {
    plan_clear();
    let mut optimizer = Sgd::new(1e-3);
    let mut step = || {
        let start = Instant::now();
        let tape = Tape::training(0);
        let loss = forward(model, tape.input(x)).square().mean();
        optimizer.step(model, loss.backward())?;
        Ok(start.elapsed().as_secs_f64() * 1e3)
    };
    let first = step()?;
    let (mut best, start) = (f64::INFINITY, Instant::now());
    while start.elapsed().as_secs_f64() < 0.5 {
        best = best.min(step()?);
    }
    Ok([first, best])
}

fn main() -> Result<()> {
    println!("{BATCH} sequences, {UNITS} units, milliseconds a training step");
    println!(
        "{:>6} {:>12} {:>9} {:>14} {:>14} {:>9}",
        "length", "scan, first", "later", "µs a step", "loop, first", "later"
    );
    for length in [16usize, 64, 256, 1024] {
        let x = Tape::with_key(1u64).normal([BATCH, length, UNITS], DType::F32).value()?;
        let [first, later] = measured(&mut Lstm::new(UNITS, UNITS).init(Seed(1))?, &x, scan)?;
        print!("{length:>6} {first:>12.2} {later:>9.2} {:>14.1}", later * 1e3 / length as f64);
        if length > 256 {
            println!();
            continue;
        }
        let [first, later] = measured(&mut LstmCell::new(UNITS, UNITS).init(Seed(1))?, &x, by_hand)?;
        println!(" {first:>14.2} {later:>9.2}");
    }
    Ok(())
}
