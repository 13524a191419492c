//! A density from samples: a normalizing flow bends a bell curve into two moons, and back.
//!
//! Each layer moves half of the coordinates by a network of the other half, so it can be inverted and its volume is known:
//! log p(x) = log N(f(x)) + log |det f′(x)|. Dinh et al. 2016. `cargo run --release --example flow`

use std::f64::consts::PI;
use wengert::nn::optim::schedule::cosine;
use wengert::prelude::*;

/// (a, b) ↦ (a, b · exp(s(a)) + t(a)); every second layer with the coordinates exchanged.
#[derive(Module)]
struct Coupling {
    net: Sequential,
    #[module(skip)]
    swapped: bool,
}

impl Coupling {
    fn new(swapped: bool) -> Result<Coupling> {
        let net = Sequential::input([1]).dense(48).relu().dense(48).relu().dense(2).build(Seed(0))?;
        Ok(Coupling { net, swapped })
    }

    fn halves<'t>(&self, x: Var<'t>) -> [Var<'t>; 4] {
        let [a, b] = if self.swapped { [1, 0] } else { [0, 1] }.map(|i| x.slice(1, i..i + 1));
        let st = self.net.forward(a);
        [a, b, st.slice(1, 0..1).tanh() * 2.0, st.slice(1, 1..2)]
    }

    fn join<'t>(&self, a: Var<'t>, b: Var<'t>) -> Var<'t> {
        let parts = if self.swapped { [b, a] } else { [a, b] };
        a.tape().concat(&parts, 1)
    }

    /// The image of x, and the logarithm of how much it is stretched.
    fn forward<'t>(&self, x: Var<'t>) -> (Var<'t>, Var<'t>) {
        let [a, b, s, t] = self.halves(x);
        (self.join(a, b * s.exp() + t), s.flatten())
    }

    fn inverse<'t>(&self, y: Var<'t>) -> Var<'t> {
        let [a, b, s, t] = self.halves(y);
        self.join(a, (b - t) * (-s).exp())
    }
}

/// log p(x) of every example.
fn log_density<'t>(flow: &[Coupling], mut x: Var<'t>) -> Var<'t> {
    let mut stretched = x.slice(1, 0..1).flatten() * 0.0;
    for layer in flow {
        let (y, s) = layer.forward(x);
        (x, stretched) = (y, stretched + s);
    }
    -x.square().sum_axes(-1) * 0.5 - (2.0 * PI).ln() + stretched
}

/// Two half circles, with noise.
fn moons(tape: &Tape, n: usize) -> Var<'_> {
    let turn = tape.uniform([n, 1], DType::F32) * PI;
    let side = tape.random().bernoulli(tape.full([n, 1], 0.5, DType::F32)).cast(DType::F32);
    let (x, y) = (turn.cos() + side - 0.5, (1.0 - side * 2.0) * turn.sin() + side * 0.5 - 0.25);
    tape.concat(&[x, y], 1) + tape.normal([n, 2], DType::F32) * 0.08
}

fn main() -> Result<()> {
    let steps = 2000;
    let mut flow = (0..6).map(|i| Coupling::new(i % 2 == 1)).collect::<Result<Vec<_>>>()?.init(Seed(1))?;
    let mut optimizer = Adam::new(2e-3).schedule(cosine(steps));
    for step in 0..steps {
        let tape = Tape::training(step);
        let loss = -log_density(&flow, moons(&tape, 256)).mean();
        let loss = optimizer.step(&mut flow, loss.backward())?;
        if step % 400 == 0 || step + 1 == steps {
            println!("step {step:4}  −log p per sample {loss:.3}");
        }
    }

    // A density has the integral 1, here as a sum over a grid.
    let (n, low, high) = (121, -3.0, 3.0);
    let cell = (high - low) / (n - 1) as f64;
    let at = |i: usize| (low + cell * i as f64) as f32;
    let tape = Tape::with_key(Seed(5));
    let grid = tape.input(&Tensor::from_fn([n * n, 2], |i| at(if i % 2 == 0 { i / 2 % n } else { i / 2 / n }))?);
    let density = log_density(&flow, grid).exp().reshape([n, n]);
    // Samples: from the bell curve, backwards.
    let mut samples = tape.normal([300, 2], DType::F32);
    for layer in flow.iter().rev() {
        samples = layer.inverse(samples);
    }
    let [density, samples, integral] = tape.eval([density, samples, density.sum() * cell * cell])?;
    println!("the density has the integral {:.3}", integral.item::<f32>()?);

    let points = samples.to_f64_vec().chunks_exact(2).map(|p| (p[0], p[1])).collect::<Vec<_>>();
    HeatMap::new("the density of two moons", &density, low..high, low..high)?
        .points("samples of the flow", points)
        .save_svg("target/flow/density.svg")?;
    println!("drew target/flow/density.svg");
    Ok(())
}
