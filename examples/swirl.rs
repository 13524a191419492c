//! A diffusion model: a network learns to take noise away, and then makes points of a swirl out of nothing but noise.
//!
//! The data are drowned in noise over a hundred steps, x_t = √ᾱ x + √(1 − ᾱ) ε; the network says what ε was. Going back, it is taken away a
//! little at a time. Ho et al. 2020. `cargo run --release --example swirl`

use std::f64::consts::PI;
use wengert::nn::optim::schedule::cosine;
use wengert::prelude::*;

const STEPS: usize = 100;

/// How much of the data is left after each step: ᾱ.
fn left() -> [f64; STEPS] {
    let mut kept = 1.0;
    std::array::from_fn(|t| {
        kept *= 1.0 - (1e-4 + (0.06 - 1e-4) * t as f64 / (STEPS - 1) as f64);
        kept
    })
}

/// Points of a swirl, one and a half turns.
fn swirl(tape: &Tape, n: usize) -> Var<'_> {
    let radius = tape.uniform([n, 1], DType::F32).sqrt() * 0.9 + 0.1;
    let turn = radius * (3.0 * PI);
    tape.concat(&[turn.cos() * radius, turn.sin() * radius], 1) * 2.0 + tape.normal([n, 2], DType::F32) * 0.03
}

/// The noise in x, [n, 2], at step t, [n].
fn noise<'t>(net: &Sequential, x: Var<'t>, t: Var<'t>) -> Var<'t> {
    // Sines of several speeds tell near steps apart.
    let t = t.cast(DType::F32).unsqueeze(1) / STEPS as f64;
    let waves = [1.0, 2.0, 4.0, 8.0].map(|speed| (t * (speed * PI)).sin());
    net.forward(x.tape().concat(&[x, t, waves[0], waves[1], waves[2], waves[3]], 1))
}

fn main() -> Result<()> {
    let left = left();
    let table = Tensor::from(left.map(|share| share as f32));
    let mut net =
        Sequential::input([7]).dense(128).silu().dense(128).silu().dense(128).silu().dense(2).build(Seed(1))?;
    let steps = 6000;
    let mut optimizer = Adam::new(2e-3).schedule(cosine(steps));
    for step in 0..steps {
        let tape = Tape::training(step);
        let x = swirl(&tape, 256);
        let t = tape.random().integers([256], 0, STEPS as i64);
        let share = tape.input(&table).gather(0, t).unsqueeze(1);
        let added = tape.normal([256, 2], DType::F32);
        let guess = noise(&net, share.sqrt() * x + (1.0 - share).sqrt() * added, t);
        let loss = (guess - added).square().mean();
        let loss = optimizer.step(&mut net, loss.backward())?;
        if step % 1000 == 0 || step + 1 == steps {
            println!("step {step:4}  error {loss:.3}");
        }
    }

    // Backwards: from noise to points.
    let n = 500;
    let mut x = Tensor::normal([n, 2], DType::F32, Seed(9))?;
    for t in (0..STEPS).rev() {
        let tape = Tape::with_key(Seed(1000 + t as u64));
        let before = if t == 0 { 1.0 } else { left[t - 1] };
        let rate = 1.0 - left[t] / before;
        let guess = noise(&net, tape.input(&x), tape.full([n], t as f64, DType::F32));
        let mean = (tape.input(&x) - guess * (rate / (1.0 - left[t]).sqrt())) / (1.0 - rate).sqrt();
        let spread = (rate * (1.0 - before) / (1.0 - left[t])).sqrt();
        x = (mean + tape.normal([n, 2], DType::F32) * spread).value()?;
    }

    // How far is each new point from the nearest of many true ones?
    let tape = Tape::with_key(Seed(5));
    let (made, truth) = (tape.input(&x), swirl(&tape, 2000));
    let apart = (made.unsqueeze(1) - truth.unsqueeze(0)).square().sum_axes(-1).sqrt().min_axes(1);
    let [truth, near] = tape.eval([truth, apart.mean()])?;
    println!("{n} new points lie {:.3} from the swirl on average", near.item::<f32>()?);
    let points = |x: &Tensor| x.to_f64_vec().chunks_exact(2).map(|p| (p[0], p[1])).collect::<Vec<_>>();
    let chart = LineChart::new("points out of noise").points("data", points(&truth).into_iter().take(n));
    chart.points("made", points(&x)).save_svg("target/swirl/points.svg")?;
    println!("drew target/swirl/points.svg");
    Ok(())
}
