//! Laws of all constraints.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;

use support::{assert_on_roll, tensors};
use wengert_autograd::{Apply, Tape, Var};
use wengert_nn::constraints::constraint::{Constrain, Constraint};
use wengert_nn::constraints::max_norm::MaxNorm;
use wengert_nn::constraints::min_max_norm::MinMaxNorm;
use wengert_nn::constraints::non_negative::NonNegative;
use wengert_nn::constraints::roll;
use wengert_nn::constraints::unit_norm::UnitNorm;
use wengert_nn::layer::Layer;
use wengert_nn::layers::dense::Dense;
use wengert_nn::module::Module;
use wengert_nn::optim::adam::Adam;
use wengert_nn::optim::optimizer::Optimizer;
use wengert_nn::optim::rule::Rule;
use wengert_nn::optim::schedule::Schedule;
use wengert_nn::optim::sgd::Sgd;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::random::Seed;
use wengert_tensor::tensor::Tensor;

#[test]
fn every_file_is_on_the_roll() {
    assert_on_roll("constraints", &["case", "constraint", "norms"], roll().iter().map(|case| case.file));
}

/// (Keras divides by the norm and 1e-7 more, which the generator sets to 0.)
#[test]
fn values_are_those_of_the_reference() -> Result<()> {
    let reference = tensors("constraints");
    let mut unknown: BTreeSet<&str> = reference.keys().filter_map(|key| key.strip_suffix("/x")).collect();
    for case in roll() {
        let key = format!("{}/{}", case.file, case.name);
        unknown.remove(&*key);
        let given = |part: &str| reference.get(&format!("{key}/{part}")).unwrap_or_else(|| panic!("{key}/{part}"));
        let y = given("x").apply(|x| case.constraint.apply(x))?;
        assert!(y.max_abs_diff(given("y"))? < 1e-14, "{key}");
    }
    assert!(unknown.is_empty(), "on no roll: {unknown:?}");
    Ok(())
}

#[test]
fn what_is_allowed_stays_and_zeros_do() -> Result<()> {
    let reference = tensors("constraints");
    for case in roll() {
        let key = format!("{}/{}", case.file, case.name);
        let mut now = reference.get(&format!("{key}/x")).unwrap().clone();
        // A rate goes part of the way each time.
        for _ in 0..if case.name == "rate" { 200 } else { 1 } {
            now = now.apply(|x| case.constraint.apply(x))?;
        }
        let again = now.apply(|x| case.constraint.apply(x))?;
        assert!(again.max_abs_diff(&now)? < 1e-15, "{key}");
        for dtype in [DType::BF16, DType::F16, DType::F32, DType::F64] {
            let zeros = Tensor::zeros([4, 3], dtype)?;
            assert!(zeros.apply(|x| case.constraint.apply(x))?.equals(&zeros), "{key}");
        }
    }
    Ok(())
}

fn norms(weight: &Tensor) -> Vec<f64> {
    weight.apply(|w| w.cast(DType::F64).norm_axes(1)).unwrap().to_f64_vec()
}

fn loss<'t>(model: &Dense, tape: &'t Tape) -> Var<'t> {
    let x = tape.input(&Tensor::from([[1f32, -2.0, 0.5], [0.3, 0.7, -1.0]]).cast(model.weight.dtype()).unwrap());
    (model.forward(x) - 3.0).square().sum()
}

/// The model gets what the constraint allows, by every optimizer and learning rate.
#[test]
fn every_step_ends_within_the_constraint() -> Result<()> {
    fn train<R: Rule>(mut optimizer: Optimizer<R>, dtype: DType) -> Result<Dense> {
        let mut model = Dense::new(3, 2).with_dtype(dtype)?.init(Seed(2))?;
        for _ in 0..20 {
            let tape = Tape::new();
            let loss = loss(&model, &tape);
            optimizer.step(&mut model, loss.backward())?;
        }
        Ok(model)
    }
    for rate in [1e-3, 0.05, 10.0] {
        let bounded = train(Sgd::new(rate).after(Constrain::new("weight", MaxNorm::new(0.5))), DType::F32)?;
        assert!(norms(bounded.weight.value()).iter().all(|norm| *norm <= 0.5 * (1.0 + 1e-6)), "{rate}");
        let unit = train(Adam::new(rate).after(Constrain::new("weight", UnitNorm::new())), DType::F64)?;
        assert!(norms(unit.weight.value()).iter().all(|norm| (norm - 1.0).abs() < 1e-14), "{rate}");
        // Exactly: none is below zero by a rounding.
        let positive = train(Adam::new(rate).after(Constrain::new("", NonNegative)), DType::BF16)?;
        assert!(positive.weight.value().to_f64_vec().iter().all(|w| *w >= 0.0), "{rate}");
        assert!(positive.bias.as_ref().unwrap().value().to_f64_vec().iter().all(|b| *b >= 0.0), "{rate}");
    }
    // A learning rate of 0 moves nothing but what is not allowed.
    let still = train(Sgd::new(0.0).after(Constrain::new("weight", MinMaxNorm::new(2.0, 3.0))), DType::F32)?;
    assert!(norms(still.weight.value()).iter().all(|norm| (1.999..3.001).contains(norm)));
    Ok(())
}

#[test]
fn a_compiled_step_is_constrained_by_the_same_bits() -> Result<()> {
    #[derive(Clone)]
    struct Shrinking;
    impl Schedule for Shrinking {
        fn factor(&self, step: u64) -> f64 {
            1.0 / (step + 1) as f64
        }
    }
    let optimizer = || Adam::new(0.1).schedule(Shrinking).after(Constrain::new("weight", MaxNorm::new(0.7)));
    let (mut plain, mut compiled) = (Dense::new(3, 2).init(Seed(2))?, Dense::new(3, 2).init(Seed(2))?);
    let mut adam = optimizer();
    let mut step = optimizer().compile(|model: &Dense, tape: &_, []| loss(model, tape));
    for _ in 0..5 {
        let tape = Tape::training(0u64);
        let loss = loss(&plain, &tape);
        adam.step(&mut plain, loss.backward())?;
        step.run(&mut compiled, [])?;
        assert!(plain.weight.value().equals(compiled.weight.value()));
    }
    Ok(())
}

#[test]
fn what_has_no_meaning_is_refused() {
    let text = |rule: Constrain| {
        let mut model = Dense::new(3, 2);
        let tape = Tape::new();
        let loss = loss(&model, &tape);
        Sgd::new(0.1).after(rule).step(&mut model, loss.backward()).unwrap_err().to_string()
    };
    for (text, words) in [
        (text(Constrain::new("head.weight", NonNegative)), "has no parameter `head.weight` and none below it"),
        (text(Constrain::new("wieght", NonNegative)), "did you mean `weight`?"),
        (text(Constrain::new("weight", MaxNorm::new(-1.0))), "bound = -1 has no meaning"),
        (text(Constrain::new("weight", MaxNorm::new(f64::NAN))), "bound = NaN has no meaning"),
        (text(Constrain::new("weight", MinMaxNorm::new(2.0, 1.0))), "norms between 2 and 1 do not exist"),
        (text(Constrain::new("weight", MinMaxNorm::new(0.0, 1.0).rate(1.5))), "rate = 1.5 has no meaning"),
        (text(Constrain::new("bias", MaxNorm::new(1.0).axes([1]))), "axis 1"),
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    // By itself a constraint is a function; what it cannot be told of is on the tape.
    assert!(Tensor::from([1f32]).apply(|w| UnitNorm::new().axes([2]).apply(w)).is_err());
}
