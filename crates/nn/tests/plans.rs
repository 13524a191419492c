//! The second step compiles nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use wengert_autograd::{Tape, plan_clear, plan_stats};
use wengert_nn::layer::Layer;
use wengert_nn::layers::dense::Dense;
use wengert_nn::module::Module;
use wengert_nn::optim::roll;
use wengert_nn::optim::schedule::{Schedule, cosine, warmup};
use wengert_nn::param::Param;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::random::Seed;
use wengert_tensor::tensor::Tensor;

#[test]
fn ten_steps_compile_one_plan() -> Result<()> {
    for case in roll() {
        let mut net = (Dense::new(3, 8), Dense::new(8, 1)).init(Seed(3))?;
        let mut optimizer = (case.optimizer)().schedule(warmup(3).then(cosine(5)));
        let x = Tensor::from([[1f32, 2.0, 3.0], [0.5, -1.0, 0.0]]);
        plan_clear();
        let before = plan_stats().compiled;
        for step in 0..10 {
            let tape = Tape::training(step);
            let loss = net.forward(tape.input(&x)).tanh().square().mean();
            optimizer.step(&mut net, loss.backward())?;
        }
        // Sophia has another graph in the steps that look at the curvature.
        let phases = if case.file == "sophia" { 2 } else { 1 };
        assert_eq!(plan_stats().compiled - before, phases, "{}", case.name);
        assert_eq!(optimizer.steps(), 10);
    }
    Ok(())
}

/// Large state is written over: the loss is judged by one plan, the step taken by another.
#[test]
fn ten_steps_of_large_state_compile_two_plans() -> Result<()> {
    for case in
        roll().into_iter().filter(|case| ["adam", "adafactor", "schedule_free", "sgd_lookahead"].contains(&case.name))
    {
        let mut weight = Param::new(Tensor::zeros([1500, 1500], DType::F32)?);
        let mut optimizer = (case.optimizer)();
        plan_clear();
        let before = plan_stats().compiled;
        for step in 0..4 {
            let tape = Tape::training(step);
            let loss = (weight.on(&tape) - 1.0).square().mean();
            optimizer.step(&mut weight, loss.backward())?;
        }
        // The state of Adafactor is small.
        let plans = if case.file == "adafactor" { 1 } else { 2 };
        assert_eq!(plan_stats().compiled - before, plans, "{}", case.name);
    }
    Ok(())
}
