//! Learning to learn: MAML finds weights from which one step of gradient descent fits a new sine wave.
//!
//! The loss of a task is taken after its own step, so its gradient goes through a gradient. All tasks of a batch run at once by `vmap`.
//! Finn et al. 2017. `cargo run --release --example maml`

use std::f64::consts::PI;
use wengert::prelude::*;

const RATE: f64 = 0.01;

/// The weights that every task starts from: 1 → 40 → 40 → 1.
#[derive(Module)]
struct Start {
    weights: [Param; 3],
    biases: [Param; 3],
}

impl Start {
    fn new() -> Start {
        let sizes = [[1, 40], [40, 40], [40, 1]];
        Start {
            weights: sizes.map(|size| Param::draw(size, Init::GlorotUniform)),
            biases: sizes.map(|[_, n]| Param::draw([n], Init::Zeros)),
        }
    }

    fn on<'t>(&self, tape: &'t Tape) -> [Var<'t>; 6] {
        let [a, b, c] = &self.weights;
        let [d, e, f] = &self.biases;
        [a, b, c, d, e, f].map(|param| param.on(tape))
    }
}

/// The network as a function of its weights.
fn predict<'t>([w1, w2, w3, b1, b2, b3]: [Var<'t>; 6], x: Var<'t>) -> Var<'t> {
    let h = (x.matmul(w1) + b1).relu();
    (h.matmul(w2) + b2).relu().matmul(w3) + b3
}

/// The weights after some steps of gradient descent on a few points of one wave.
fn adapt<'t>(mut w: [Var<'t>; 6], x: Var<'t>, y: Var<'t>, steps: usize) -> [Var<'t>; 6] {
    for _ in 0..steps {
        let loss = (predict(w, x) - y).square().mean();
        let dw = x.tape().grad(loss, w);
        w = std::array::from_fn(|i| w[i] - RATE * dw[i]);
    }
    w
}

/// Waves a·sin(x + φ) with 0.1 ≤ a ≤ 5, each at `points` places: x and y, [tasks, points, 1].
fn waves<'t>(tape: &'t Tape, tasks: usize, points: usize) -> (Var<'t>, Var<'t>) {
    let [height, phase] = [0, 1].map(|_| tape.uniform([tasks, 1, 1], DType::F32));
    let x = tape.uniform([tasks, points, 1], DType::F32) * 10.0 - 5.0;
    (x, (height * 4.9 + 0.1) * (x + phase * PI).sin())
}

fn main() -> Result<()> {
    let steps = 5000;
    let mut start = Start::new().init(Seed(1))?;
    let mut optimizer = Adam::new(1e-3);
    for step in 0..steps {
        let tape = Tape::training(step);
        let w = start.on(&tape);
        let (x, y) = waves(&tape, 25, 20);
        let losses = tape.vmap((x, y), |(x, y)| {
            // Ten points to adapt to, ten others to be judged by.
            let adapted = adapt(w, x.slice(0, ..10), y.slice(0, ..10), 1);
            (predict(adapted, x.slice(0, 10..)) - y.slice(0, 10..)).square().mean()
        });
        let loss = optimizer.step(&mut start, losses.mean().backward())?;
        if step % (steps / 10) == 0 {
            println!("step {step:5}  error after one step of adaptation {loss:.3}");
        }
    }

    // A hundred new waves: what do steps on ten points help, from the learned weights and from fresh ones?
    let fresh = Start::new().init(Seed(2))?;
    for (name, start) in [("learned", &start), ("fresh", &fresh)] {
        let errors = [0, 1, 5].map(|steps| -> Result<f32> {
            let tape = Tape::with_key(Seed(99));
            let w = start.on(&tape);
            let (x, y) = waves(&tape, 100, 110);
            let errors = tape.vmap((x, y), |(x, y)| {
                let adapted = adapt(w, x.slice(0, ..10), y.slice(0, ..10), steps);
                (predict(adapted, x.slice(0, 10..)) - y.slice(0, 10..)).square().mean()
            });
            errors.mean().item::<f32>()
        });
        let [none, one, five] = errors;
        println!("{name:8} weights: error {:.2} → {:.2} after one step → {:.2} after five", none?, one?, five?);
    }

    let grid = Tensor::from_fn([200, 1], |i| i as f32 / 20.0 - 5.0)?;
    let few = Tensor::from([[-4f32], [-3.0], [-2.2], [-1.5], [-0.3], [0.4], [1.0], [2.1], [3.2], [4.4]]);
    let tape = Tape::new();
    let (x, few) = (tape.input(&grid), tape.input(&few));
    let mut chart = LineChart::new("one new wave, ten points");
    let points = |x: Var<'_>, y: Var<'_>| -> Result<Vec<(f64, f64)>> {
        Ok(x.value()?.to_f64_vec().into_iter().zip(y.value()?.to_f64_vec()).collect())
    };
    chart = chart.dashes("truth", points(x, (x + 1.0).sin() * 3.0)?);
    for steps in [0, 1, 5] {
        let adapted = adapt(start.on(&tape), few, (few + 1.0).sin() * 3.0, steps);
        chart = chart.line(format!("after {steps} steps"), points(x, predict(adapted, x))?);
    }
    chart.points("given", points(few, (few + 1.0).sin() * 3.0)?).save_svg("target/maml/wave.svg")?;
    println!("drew target/maml/wave.svg");
    Ok(())
}
