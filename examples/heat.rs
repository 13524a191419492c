//! A network that knows physics: it solves the heat equation uₜ = α uₓₓ with no data, from derivatives inside the loss.
//!
//! A rod of length 1 starts as sin πx + ½ sin 3πx and is kept cold at both ends. The loss is the residual of the equation at points of the
//! rod; its gradient is a third derivative of the network. Raissi et al. 2019.
//! `cargo run --release --example heat`

use std::f64::consts::PI;
use wengert::nn::optim::schedule::cosine;
use wengert::prelude::*;

const ALPHA: f64 = 0.1;

/// The temperature, with start and ends built in: u = start(x) + t x (1 − x) N(x, t).
fn temperature<'t>(net: &Sequential, x: Var<'t>, t: Var<'t>) -> Var<'t> {
    let correction = net.forward(x.tape().concat(&[x * 2.0 - 1.0, t * 2.0 - 1.0], 1));
    (x * PI).sin() + (x * (3.0 * PI)).sin() * 0.5 + t * x * (1.0 - x) * correction
}

/// What the equation says must be zero: uₜ − α uₓₓ at every point.
fn residual<'t>(net: &Sequential, x: Var<'t>, t: Var<'t>) -> Var<'t> {
    let tape = x.tape();
    let [ux, ut] = tape.grad(temperature(net, x, t).sum(), [x, t]);
    let [uxx] = tape.grad(ux.sum(), [x]);
    ut - uxx * ALPHA
}

/// The solution on paper: every wave fades by itself.
fn exact<'t>(x: Var<'t>, t: Var<'t>) -> Var<'t> {
    let wave = |n: f64| (x * (n * PI)).sin() * (t * (-ALPHA * (n * PI).powi(2))).exp();
    wave(1.0) + 0.5 * wave(3.0)
}

fn main() -> Result<()> {
    let mut net = Sequential::input([2]).dense(32).tanh().dense(32).tanh().dense(32).tanh().dense(1).build(Seed(1))?;
    let steps = 15_000;
    let mut optimizer = Adam::new(5e-3).schedule(cosine(steps));
    let mut losses = Vec::new();
    for step in 0..steps {
        // Other points in every step, so that the equation holds everywhere.
        let tape = Tape::training(step);
        let [x, t] = [0, 1].map(|_| tape.uniform([256, 1], DType::F32));
        let loss = residual(&net, x, t).square().mean();
        let loss = optimizer.step(&mut net, loss.backward())?;
        losses.push((step as f64, loss));
        if step % 3000 == 0 || step + 1 == steps {
            println!("step {step:5}  residual² {loss:.2e}");
        }
    }

    let n = 101;
    let tape = Tape::new();
    let x = tape.input(&Tensor::from_fn([n * n, 1], |i| (i % n) as f32 / (n - 1) as f32)?);
    let t = tape.input(&Tensor::from_fn([n * n, 1], |i| (i / n) as f32 / (n - 1) as f32)?);
    let (u, truth) = (temperature(&net, x, t), exact(x, t));
    let [u, worst, mean] =
        tape.eval([u.reshape([n, n]), (u - truth).abs().max(), (u - truth).square().mean().sqrt()])?;
    println!("error: root mean square {:.1e}, largest {:.1e}", mean.item::<f32>()?, worst.item::<f32>()?);

    HeatMap::new("temperature of the rod (right: along it, up: time)", &u, 0.0..1.0, 0.0..1.0)?
        .contours(12)
        .save_svg("target/heat/temperature.svg")?;
    LineChart::new("residual²").log_y().line("loss", losses).save_svg("target/heat/loss.svg")?;
    println!("drew target/heat/temperature.svg and loss.svg");
    Ok(())
}
