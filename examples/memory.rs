//! A network that remembers: an LSTM keeps two numbers in mind while it looks at many others, and says their sum.
//!
//! Every step shows a number from 0 to 1 and a mark; two steps are marked, one in each half. Who always answers 1 is off by 1/6 in mean
//! square, and a plain recurrent network of the same size learns hardly more. Hochreiter & Schmidhuber 1997.
//! `cargo run --release --example memory` (with `-- --short` shorter sequences)

use wengert::prelude::*;

/// Sequences [n, length, 2] and the sums of their marked numbers, [n, 1].
fn sums<'t>(tape: &'t Tape, n: usize, length: usize) -> (Var<'t>, Var<'t>) {
    let numbers = tape.uniform([n, length], DType::F32);
    let half = (length / 2) as i64;
    let [early, late] = [0, half].map(|from| tape.random().integers([n], from, from + half).one_hot(length));
    let marks = early + late;
    (tape.stack(&[numbers, marks], -1), (numbers * marks).sum_axes(-1).unsqueeze(-1))
}

/// Trains, and returns the error of each step, and of sequences that were not seen.
fn learn(name: &str, mut model: Sequential, length: usize, steps: u64) -> Result<(Vec<(f64, f64)>, f64)> {
    let mut optimizer = Adam::new(1e-2).schedule(cosine(steps)).clip_global_norm(1.0);
    let mut losses = Vec::new();
    for step in 0..steps {
        let tape = Tape::training(step);
        let (x, y) = sums(&tape, 64, length);
        let loss = (model.forward(x) - y).square().mean();
        let loss = optimizer.step(&mut model, loss.backward())?;
        losses.push((step as f64, loss));
        if step % (steps / 6) == 0 {
            println!("{name} step {step:4}  error {loss:.4}");
        }
    }
    let tape = Tape::with_key(Seed(99));
    let (x, y) = sums(&tape, 1000, length);
    Ok((losses, f64::from((model.forward(x) - y).square().mean().item::<f32>()?)))
}

fn main() -> Result<()> {
    let short = std::env::args().any(|argument| argument == "--short");
    let (length, steps) = if short { (20, 800) } else { (60, 2500) };
    let start = || Sequential::input([length, 2]);
    let lstm = start().layer(Lstm::new(2, 32).last_only()).dense(1).build(Seed(1))?;
    let plain = start().layer(Rnn::new(2, 64).last_only()).dense(1).build(Seed(1))?;
    println!("{} and {} weights", lstm.parameter_count(), plain.parameter_count());

    let (lstm, lstm_error) = learn("LSTM ", lstm, length, steps)?;
    let (plain, plain_error) = learn("plain", plain, length, steps)?;
    println!("error after {length} steps: LSTM {lstm_error:.4}, plain {plain_error:.4}, always 1: {:.4}", 1.0 / 6.0);

    LineChart::new(format!("the sum of two of {length} numbers"))
        .x_label("step")
        .y_label("mean square error")
        .log_y()
        .line("LSTM", lstm)
        .line("plain recurrence", plain)
        .line("always 1", [(0.0, 1.0 / 6.0), (steps as f64, 1.0 / 6.0)])
        .save_svg("target/memory/error.svg")?;
    println!("drew target/memory/error.svg");
    Ok(())
}
