//! Layers of one type in a model of one's own are told apart: in errors, before and while a plan runs, in reports and in pictures.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

extern crate wengert_nn as wengert;

use wengert_autograd::debug::{catch_non_finite, last_non_finite};
use wengert_autograd::{Profile, Tape, Var};
use wengert_nn::explain::note;
use wengert_nn::layer::Layer;
use wengert_nn::layers::dense::Dense;
use wengert_nn::layers::dropout::Dropout;
use wengert_nn::layers::embedding::Embedding;
use wengert_nn::module::Module;
use wengert_nn::optim::sgd::Sgd;
use wengert_nn::summary::Summarize;
use wengert_tensor::error::{ErrorKind, Result};
use wengert_tensor::random::Seed;
use wengert_tensor::tensor::Tensor;

/// It says nothing of itself on the tape.
#[derive(Module)]
struct Gated {
    value: Dense,
    gate: Dense,
}

impl Layer for Gated {
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.value.forward(x) * self.gate.forward(x).sigmoid()
    }
}

#[derive(Module)]
struct Net {
    body: Gated,
    drops: [Dropout; 2],
    head: Dense,
}

impl Layer for Net {
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        let h = self.body.forward(x).tanh();
        self.head.forward(self.drops[1].forward(self.drops[0].forward(h)))
    }
}

fn net(gate: usize, rate: f64) -> Result<Net> {
    let body = Gated { value: Dense::new(2, 3), gate: Dense::new(gate, 3) };
    Net { body, drops: [Dropout::new(0.5), Dropout::new(rate)], head: Dense::new(3, 1) }.init(Seed(1))
}

#[test]
fn an_error_names_the_layer_that_refused() -> Result<()> {
    let x = Tensor::from([[1f32, 2.0]]);
    let error = net(7, 0.5)?.predict(&x).unwrap_err();
    assert_eq!(error.path(), Some("Net › body (Gated) › gate (Dense)"), "{error}");
    // No parameter is among the operands.
    let mut net = net(2, 1.5)?;
    let tape = Tape::training(0u64);
    let loss = net.forward(tape.input(&x)).mean();
    let error = Sgd::new(0.1).step(&mut net, loss.backward()).unwrap_err();
    assert_eq!(error.path(), Some("Net › drops.1 (Dropout)"), "{error}");
    Ok(())
}

#[test]
fn an_error_while_a_plan_runs_names_the_layer() -> Result<()> {
    #[derive(Module)]
    struct Words {
        left: Embedding,
        right: Embedding,
    }
    impl Layer for Words {
        fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
            self.left.forward(x) + self.right.forward(x)
        }
    }
    let words = Words { left: Embedding::new(10, 2), right: Embedding::new(5, 2) };
    let error = words.predict(&Tensor::from([7i64])).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Index, Some("Words › right (Embedding)")), "{error}");
    Ok(())
}

#[test]
fn reports_pictures_and_tables_name_each() -> Result<()> {
    let mut net = net(2, 0.5)?;
    let x = Tensor::from([[1f32, 2.0]; 64]);
    let (step, profile) = Profile::measure(1, || {
        let tape = Tape::training(0u64);
        let loss = net.forward(tape.input(&x)).mean();
        Sgd::new(0.1).step(&mut net, loss.backward())
    });
    step?;
    let layers = profile.by_layer();
    for name in ["Net › body.value (Dense)", "Net › body.gate (Dense)", "Net › head (Dense)"] {
        assert!(layers.rows.iter().any(|row| row.name == name), "{layers}");
    }

    let tape = Tape::new();
    let y = net.forward(tape.input(&x));
    let plain = tape.recorded(y)?;
    assert_eq!(plain.layers[2].name, "Dense");
    note(&net, &tape);
    let names: Vec<String> = tape.recorded(y)?.layers.into_iter().map(|layer| layer.name).collect();
    let all = [
        "",
        "Net",
        "body.value (Dense)",
        "body.gate (Dense)",
        "drops.0 (Dropout)",
        "drops.1 (Dropout)",
        "head (Dense)",
    ];
    assert_eq!(names, all);

    let table = net.summary_of([2])?;
    let costs: Vec<_> = table.rows.iter().map(|row| (row.path.as_str(), row.flops)).collect();
    assert_eq!(costs, [("body.value", Some(15)), ("body.gate", Some(15)), ("head", Some(7))]);
    Ok(())
}

#[test]
fn a_compiled_step_is_profiled_by_layer() -> Result<()> {
    let (mut net, x) = (net(2, 0.5)?, Tensor::from([[1f32, 2.0]; 64]));
    let mut step = Sgd::new(0.1).compile(|net: &Net, _, [x]| net.forward(x).square().mean());
    step.run(&mut net, [&x])?;
    let before = net.head.weight.value().clone();
    let (loss, profile) = Profile::measure(2, || step.run(&mut net, [&x]));
    loss?;
    assert!(!net.head.weight.value().equals(&before), "the step is made all the same");
    let layers = profile.by_layer();
    assert!(layers.rows.iter().any(|row| row.name == "Net › body.gate (Dense)"), "{layers}");
    assert!(profile.time() > std::time::Duration::ZERO);

    let mut square = wengert_autograd::Program::new([&x], |_, [x]| [x.matmul(x.t())])?;
    let (y, profile) = Profile::measure(1, || square.run([&x]));
    y?;
    assert_eq!(profile.by_op().rows[0].flops, 2 * 64 * 64 * 2);
    Ok(())
}

#[test]
fn the_search_for_a_nan_names_the_layer() -> Result<()> {
    let mut net = net(2, 0.0)?;
    // Infinity times a gate that is shut.
    net.body.value.weight.set(Tensor::from([[f32::MAX; 2]; 3]))?;
    net.body.gate.bias.as_mut().unwrap().set(Tensor::from([-1e30f32; 3]))?;
    let error = catch_non_finite(|| net.predict(&Tensor::from([[2f32, 2.0]]))).unwrap_err();
    assert_eq!(error.path(), Some("Net › body (Gated) › value (Dense)"), "{error}");
    assert_eq!(last_non_finite().unwrap().layer, "Net › body.value (Dense)");
    Ok(())
}
