//! What may change between the steps of an optimizer: settings, rules, models, what is gathered, what is saved.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

extern crate wengert_nn as wengert;

use wengert_autograd::Tape;
use wengert_nn::layers::batch_norm::BatchNorm;
use wengert_nn::module::Module;
use wengert_nn::optim::adabelief::AdaBelief;
use wengert_nn::optim::adam::Adam;
use wengert_nn::optim::lbfgs::Lbfgs;
use wengert_nn::optim::optimizer::Optimizer;
use wengert_nn::optim::rule::{Leaf, Rule};
use wengert_nn::optim::scale::LossScale;
use wengert_nn::optim::schedule::constant::constant;
use wengert_nn::optim::sgd::Sgd;
use wengert_nn::optim::sophia::Sophia;
use wengert_nn::param::Param;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

fn weight() -> Param {
    Param::new(Tensor::from(1f32))
}

/// A step by the gradient 2 w.
fn step<R: Rule>(param: &mut Param, optimizer: &mut Optimizer<R>) -> Result<f64> {
    let tape = Tape::training(0);
    let gradients = optimizer.backward(param.on(&tape).square().sum());
    optimizer.step(param, gradients)
}

fn state<R: Rule>(param: &Param, optimizer: &Optimizer<R>) -> Vec<String> {
    optimizer.state(param).into_iter().map(|(name, _)| name).filter(|name| name.contains('.')).collect()
}

#[test]
fn changed_settings_reach_every_model() -> Result<()> {
    let (mut a, mut b, mut adam) = (weight(), weight(), Adam::new(0.1));
    step(&mut a, &mut adam)?;
    step(&mut b, &mut adam)?;
    *adam.rule_mut() = adam.rule().amsgrad();
    for param in [&mut a, &mut b] {
        step(param, &mut adam)?;
        let names = state(param, &adam);
        assert!(names.iter().any(|name| name.ends_with("adam.largest")), "{names:?}");
    }
    assert_eq!(a.value().to_f64_vec(), b.value().to_f64_vec());
    Ok(())
}

#[test]
fn another_rule_starts_with_state_of_its_own() -> Result<()> {
    // Both call their state by the same names, and mean other things.
    let (mut a, mut adam) = (weight(), Adam::new(0.1).boxed());
    step(&mut a, &mut adam)?;
    let mut b = Param::new(a.value().clone());
    *adam.rule_mut() = Box::new(*AdaBelief::new(0.1).rule());
    step(&mut a, &mut adam)?;
    let found = adam.state(&a);
    let mut belief = AdaBelief::new(0.1);
    step(&mut b, &mut belief)?;
    for (name, value) in belief.state(&b).iter().filter(|(name, _)| name.contains('.')) {
        let (_, kept) = found.iter().find(|(other, _)| other == name).unwrap();
        assert_eq!(kept.to_f64_vec(), value.to_f64_vec(), "{name}");
    }
    Ok(())
}

/// Multiplies by the factor of the loss.
#[derive(Debug)]
struct ByScale;

impl Rule for ByScale {
    fn name(&self) -> &'static str {
        "by_scale"
    }
    fn update(&self, leaves: &mut [Leaf<'_>]) {
        for leaf in leaves {
            leaf.update = leaf.update * leaf.number(|now| now.loss_scale);
        }
    }
}

#[test]
fn a_rule_sees_the_scale_of_the_loss() -> Result<()> {
    let make = || Optimizer::of(ByScale, 0.25).loss_scale(LossScale::fixed(4.0));
    let (mut plain, mut compiled) = (weight(), weight());
    step(&mut plain, &mut make())?;
    let x = Tensor::from(0f32);
    make().compile(|w: &Param, tape, [x]| w.on(tape).square().sum() + x).run(&mut compiled, [&x])?;
    assert_eq!((plain.value().to_f64_vec(), compiled.value().to_f64_vec()), (vec![-1.0], vec![-1.0]));
    Ok(())
}

#[test]
fn settings_of_a_running_optimizer_are_looked_at() -> Result<()> {
    let (mut a, mut sgd) = (weight(), Sgd::new(0.1));
    step(&mut a, &mut sgd)?;
    let mut faulty = sgd.schedule(constant(f64::NAN));
    let error = step(&mut a, &mut faulty).unwrap_err().to_string();
    assert!(error.contains("constant"), "{error}");
    assert!(step(&mut a, &mut faulty).is_err(), "it stays refused");
    let (mut b, mut sgd) = (weight(), Sgd::new(0.1));
    step(&mut b, &mut sgd)?;
    let error = step(&mut b, &mut sgd.loss_scale(LossScale::fixed(-1.0))).unwrap_err().to_string();
    assert!(error.contains("loss_scale"), "{error}");
    Ok(())
}

#[test]
fn what_was_gathered_goes_with_the_state() -> Result<()> {
    let (mut a, mut sgd) = (weight(), Sgd::new(0.5).accumulate(2));
    step(&mut a, &mut sgd)?;
    // A builder makes the optimizer anew: the next gradient is the first of two.
    let mut sgd = sgd.momentum(0.9);
    step(&mut a, &mut sgd)?;
    assert_eq!((a.value().to_f64_vec(), sgd.steps()), (vec![1.0], 0));
    let mut state = sgd.state(&a);
    for (name, value) in &mut state {
        if name == "gathered" {
            *value = Tensor::from(2i64);
        }
    }
    let error = sgd.load_state(&a, &state).unwrap_err().to_string();
    assert!(error.contains("`gathered` is 2"), "{error}");
    Ok(())
}

/// A recording is for what waits when it is made: gradients of other losses may be gathered in between.
#[test]
fn a_recorded_step_takes_up_what_others_gathered() -> Result<()> {
    let mut pair = (weight(), weight());
    let x = Tensor::from(1f32);
    let mut run = Sgd::new(0.5).accumulate(2).compile(|pair: &(Param, Param), tape, [x]| pair.0.on(tape) * x);
    // Two steps by the first alone: nothing of the second waits.
    run.run(&mut pair, [&x])?;
    run.run(&mut pair, [&x])?;
    assert_eq!(pair.1.value().to_f64_vec(), [1.0]);
    let mut sgd = run.into_optimizer();
    let tape = Tape::new();
    let loss = pair.0.on(&tape) + pair.1.on(&tape);
    sgd.step(&mut pair, loss.backward())?;
    let mut run = sgd.compile(|pair: &(Param, Param), tape, [x]| pair.0.on(tape) * x);
    run.run(&mut pair, [&x])?;
    assert_eq!(pair.1.value().to_f64_vec(), [0.75]);
    for _ in 0..4 {
        run.run(&mut pair, [&x])?;
    }
    assert_eq!(pair.1.value().to_f64_vec(), [0.75]);
    Ok(())
}

#[test]
fn sophia_takes_weights_of_several_dtypes() -> Result<()> {
    let mut pair = (weight(), Param::new(Tensor::from(1f64)));
    let mut sophia = Sophia::new(0.1);
    let tape = Tape::training(0);
    let loss = pair.0.on(&tape).cast(DType::F64).square() + pair.1.on(&tape).square();
    sophia.step(&mut pair, loss.backward())?;
    assert_eq!(pair.0.value().to_f64_vec()[0] as f32, pair.1.value().to_f64_vec()[0] as f32);
    Ok(())
}

#[test]
fn a_search_needs_an_evaluation() {
    let mut a = weight();
    let outcome = Lbfgs::new().evaluations(0).minimize(&mut a, |a, tape| a.on(tape).square());
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("the number of evaluations is 0"), "{error}");
}

/// Running statistics that 16 bits would bring to a standstill stay f32.
#[test]
fn running_statistics_stay_wide() -> Result<()> {
    let norm = BatchNorm::new(2).with_dtype(DType::BF16)?;
    let dtypes: Vec<(String, DType)> = norm.state().into_iter().map(|(name, p)| (name, p.dtype())).collect();
    let of = |name: &str| dtypes.iter().find(|(other, _)| other == name).unwrap().1;
    assert_eq!((of("weight"), of("running_mean"), of("running_var")), (DType::BF16, DType::F32, DType::F32));
    assert_eq!(norm.with_dtype(DType::F64)?.state().iter().filter(|(_, p)| p.dtype() == DType::F64).count(), 4);
    Ok(())
}
