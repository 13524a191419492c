//! A network as a law of motion: dy/dt = f(y), fitted to a path by differentiating through the solver.
//!
//! The path is that of a pendulum with friction. The solver is the classic Runge–Kutta method, one turn of a `scan` each step, planned once.
//! Chen et al. 2018. `cargo run --release --example neural_ode`

use wengert::nn::optim::schedule::cosine;
use wengert::prelude::*;

const STEP: f64 = 0.05;

/// One step of the method of Runge and Kutta, of fourth order.
fn runge_kutta<'t>(f: impl Fn(Var<'t>) -> Var<'t>, y: Var<'t>) -> Var<'t> {
    let a = f(y);
    let b = f(y + a * (STEP / 2.0));
    let c = f(y + b * (STEP / 2.0));
    let d = f(y + c * STEP);
    y + (a + 2.0 * b + 2.0 * c + d) * (STEP / 6.0)
}

/// The path from `start` [paths, 2]: [steps, paths, 2].
fn path<'t>(f: impl Fn(Var<'t>) -> Var<'t>, start: Var<'t>, steps: usize) -> Var<'t> {
    let turns = Loop::new().length(steps);
    let (_, all) = turns.call(start.tape(), start, (), |y, ()| {
        let next = runge_kutta(f, y);
        (next, next)
    });
    all
}

/// The law to be found: (angle, speed)′ = (speed, −3 sin angle − 0.2 speed).
fn pendulum(y: Var<'_>) -> Var<'_> {
    let [angle, speed] = [0, 1].map(|i| y.slice(1, i..i + 1));
    y.tape().concat(&[speed, -3.0 * angle.sin() - 0.2 * speed], 1)
}

fn main() -> Result<()> {
    const STEPS: usize = 300;
    let start = Tensor::from([[2.5f32, 0.0]]);
    let tape = Tape::new();
    let whole =
        tape.concat(&[tape.input(&start).unsqueeze(0), path(pendulum, tape.input(&start), STEPS)], 0).value()?;
    let whole = whole.reshape([STEPS + 1, 2])?;

    // Pieces of the path, each of twenty steps, from places all along it.
    let mut net = Sequential::input([2]).dense(64).tanh().dense(2).build(Seed(1))?;
    let mut optimizer = Adam::new(5e-3).schedule(cosine(4000));
    for step in 0..4000u64 {
        let tape = Tape::training(step);
        let all = tape.input(&whole);
        let first = tape.random().integers([32], 0, (STEPS - 20) as i64);
        let start = all.gather(0, first);
        let wanted = tape.stack(&(1..=20).map(|i| all.gather(0, first + i)).collect::<Vec<_>>(), 0);
        let loss = (path(|y| net.forward(y), start, 20) - wanted).square().mean();
        let loss = optimizer.step(&mut net, loss.backward())?;
        if step % 500 == 0 {
            println!("step {step:4}  mean square distance {loss:.1e}");
        }
    }

    let tape = Tape::new();
    let found = path(|y| net.forward(y), tape.input(&start), STEPS).reshape([STEPS, 2]);
    let off = (found - tape.input(&whole).slice(0, 1..)).abs().mean();
    let [found, off] = tape.eval([found, off])?;
    println!("the whole path of {STEPS} steps, solved from its start alone: mean distance {:.3}", off.item::<f32>()?);

    let points = |path: &Tensor| path.to_f64_vec().chunks_exact(2).map(|p| (p[0], p[1])).collect::<Vec<_>>();
    LineChart::new("a pendulum: angle and speed")
        .line("learned", points(&found))
        .dashes("true", points(&whole))
        .save_svg("target/neural_ode/path.svg")?;
    println!("drew target/neural_ode/path.svg");
    Ok(())
}
