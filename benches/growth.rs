//! Do the costs grow as the work does? A training step over batch and width; and does the cost of an op stay the same, however many there are? Graphs of 10 to 100,000 ops are recorded, differentiated, compiled, run and
//! dropped; the exponents are the slopes of time over size in logarithms, where 1 is linear.
//!
//! Recording and differentiating are linear: exponents of 0.99 and 0.95 for a chain of scalar ops (from 109 + 269 ns an op at 1,000 ops to
//! 104 + 216 at 100,000, on two slow virtual processors), 1.06 and 1.11 for layers. Compiling and running grow by 1.14 to 1.21: what a
//! plan of 100,000 ops touches leaves the caches.

use std::time::Instant;
use wengert::autograd::plan_clear;
use wengert::prelude::*;

/// A number through ops of several kinds.
fn chain<'t>(x: Var<'t>, ops: usize) -> Var<'t> {
    (0..ops).fold(x, |y, i| match i % 4 {
        0 => y.tanh(),
        1 => y * x,
        2 => y + 0.1,
        _ => y.exp(),
    })
}

/// A deep network of small layers: products, biases, activations.
fn layers<'t>(x: Var<'t>, ops: usize) -> Var<'t> {
    let tape = x.tape();
    let weights = tape.full([8, 8], 0.1, DType::F32);
    (0..ops / 3).fold(x, |y, _| (y.matmul(weights) + 0.1).tanh()).sum()
}

/// A deep network of equal blocks: a norm, two products and an activation, around which the input goes.
fn blocks<'t>(x: Var<'t>, ops: usize) -> Var<'t> {
    let weights = x.tape().full([64, 64], 0.1, DType::F32);
    let block = |x: Var<'t>, _| {
        let centred = x - x.mean_keep(-1);
        let normed = centred * (centred.square().mean_keep(-1) + 1e-5).rsqrt();
        x + normed.matmul(weights).relu().matmul(weights)
    };
    (0..(ops / 11).max(1)).fold(x, block).sum()
}

type Model = for<'t> fn(Var<'t>, usize) -> Var<'t>;

/// Seconds of each phase, best of several.
fn phases(input: &Tensor, model: Model, ops: usize) -> Result<[f64; 5]> {
    let mut best = [f64::INFINITY; 5];
    let rounds = (200_000 / ops).clamp(2, 200);
    for round in 0..rounds {
        // A plan is compiled in the first half of the rounds, and found in the second.
        let cold = round < rounds.div_ceil(2);
        if cold {
            plan_clear();
        }
        let mut times = [f64::INFINITY; 5];
        let mut since = Instant::now();
        let mut lap = |to: &mut f64| {
            *to = since.elapsed().as_secs_f64();
            since = Instant::now();
        };
        let tape = Tape::new();
        let x = tape.input(input);
        let y = model(x, ops);
        lap(&mut times[0]);
        let slope = tape.grad(y, x);
        lap(&mut times[1]);
        tape.eval([y, slope])?;
        lap(&mut times[if cold { 2 } else { 3 }]);
        drop(tape);
        lap(&mut times[4]);
        best.iter_mut().zip(times).for_each(|(best, time)| *best = best.min(time));
    }
    Ok(best)
}

/// Seconds of a training step of a network of dense layers, best of several.
fn step(width: usize, batch: usize) -> Result<f64> {
    let mut model = Sequential::input([width]).dense(width).relu().dense(width).relu().dense(10).build(Seed(1))?;
    let tape = Tape::with_key(2u64);
    let x = tape.normal([batch, width], DType::F32).value()?;
    let y = Tensor::new((0..batch as i64).map(|i| i % 10).collect::<Vec<_>>(), [batch])?;
    let mut optimizer = Sgd::new(1e-3);
    let mut best = f64::INFINITY;
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < 0.4 {
        let now = Instant::now();
        let tape = Tape::training(0);
        let loss = model.forward(tape.input(&x)).cross_entropy(&y);
        optimizer.step(&mut model, loss.backward())?;
        best = best.min(now.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// Prints the time of a step as one of its sizes grows, in all and for each unit of work, and the exponents of one size to the next.
fn table(name: &str, unit: &str, rows: &[(usize, f64, f64)]) {
    println!("{name}\n{:>9} {:>12} {:>20} {:>9}", "size", "µs a step", unit, "exponent");
    let mut before: Option<(f64, f64)> = None;
    for &(size, work, seconds) in rows {
        let exponent = before.map_or(f64::NAN, |(less, least)| (seconds / least).ln() / (work / less).ln());
        println!("{size:>9} {:>12.1} {:>20.3} {exponent:>9.2}", seconds * 1e6, seconds * 1e9 / work);
        before = Some((work, seconds));
    }
    println!();
}

fn main() -> Result<()> {
    let batches = [1usize, 8, 64, 512, 4096, 32_768].map(|n| Ok((n, n as f64, step(64, n)?)));
    table(
        "batches of examples, layers of 64 units",
        "ns an example",
        &batches.into_iter().collect::<Result<Vec<_>>>()?,
    );
    // Nearly all of the work is in the products with the weights of two layers.
    let widths = [16usize, 64, 256, 1024, 2048].map(|n| Ok((n, 2.0 * (n * n) as f64, step(n, 64)?)));
    table("widths of layers, batches of 64", "ns a weight", &widths.into_iter().collect::<Result<Vec<_>>>()?);
    ops()
}

/// The cost of an op, as there are more of them.
fn ops() -> Result<()> {
    const SIZES: [usize; 6] = [10, 100, 1_000, 10_000, 30_000, 100_000];
    let models: [(&str, Tensor, Model); 3] = [
        ("a chain of scalar ops", Tensor::from([0.5f32]).reshape([])?, chain),
        ("layers of 8 units, one example", Tensor::full([1, 8], 0.5f32)?, layers),
        ("blocks of a norm and two layers of 64 units, 4 examples", Tensor::full([4, 64], 0.5f32)?, blocks),
    ];
    for (name, input, model) in models {
        println!("{name}, nanoseconds an op");
        println!(
            "{:>9} {:>9} {:>14} {:>12} {:>10} {:>7}",
            "ops", "record", "differentiate", "compile, run", "find, run", "drop"
        );
        let mut rows = Vec::new();
        for ops in SIZES {
            let times = phases(&input, model, ops)?;
            let each = times.map(|time| time * 1e9 / ops as f64);
            println!(
                "{ops:>9} {:>9.0} {:>14.0} {:>12.0} {:>10.0} {:>7.0}",
                each[0], each[1], each[2], each[3], each[4]
            );
            rows.push((ops as f64, times));
        }
        // From 1,000 on, where what is done once no longer counts.
        let [from, to] = [rows[2], rows[rows.len() - 1]];
        let exponent = |i: usize| (to.1[i] / from.1[i]).ln() / (to.0 / from.0).ln();
        println!(
            "{:>9} {:>9.2} {:>14.2} {:>12.2} {:>10.2} {:>7.2}\n",
            "exponent",
            exponent(0),
            exponent(1),
            exponent(2),
            exponent(3),
            exponent(4)
        );
    }
    Ok(())
}
