//! A step like the one before is not recorded to its end, and has the bits of one that is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

extern crate wengert_nn as wengert;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wengert_autograd::{Tape, debug, plan_clear, plan_reports, plan_stats, without_fusion};
use wengert_nn::layer::Layer;
use wengert_nn::layers::batch_norm::BatchNorm;
use wengert_nn::layers::dense::Dense;
use wengert_nn::layers::dropout::Dropout;
use wengert_nn::module::{Module, each_mut};
use wengert_nn::optim::adam::Adam;
use wengert_nn::optim::optimizer::Optimizer;
use wengert_nn::optim::roll;
use wengert_nn::optim::rule::{Leaf, Rule};
use wengert_nn::optim::scale::LossScale;
use wengert_nn::optim::schedule::warmup;
use wengert_nn::optim::sgd::Sgd;
use wengert_nn::optim::sophia::Sophia;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::{Key, Seed};
use wengert_tensor::tensor::Tensor;

/// Changes nothing, and does not say that it never will: with it every step is recorded.
#[derive(Debug)]
struct Moody;

impl Rule for Moody {
    fn name(&self) -> &'static str {
        "moody"
    }
    fn update(&self, _: &mut [Leaf<'_>]) {}
}

#[derive(Module)]
struct Net {
    body: Dense,
    norm: BatchNorm,
    dropout: Dropout,
    head: Dense,
}

fn net() -> Net {
    let net =
        Net { body: Dense::new(3, 8), norm: BatchNorm::new(8), dropout: Dropout::new(0.3), head: Dense::new(8, 2) };
    net.init(Seed(5)).unwrap()
}

fn data(step: u64, batch: usize) -> (Tensor, Tensor) {
    let x = Tensor::normal([batch, 3], DType::F32, Key::new(step)).unwrap();
    (x, Tensor::new((0..batch as i64).map(|i| i % 2).collect::<Vec<_>>(), [batch]).unwrap())
}

/// A step, and how many nodes its end has left on the tape.
fn step<R: Rule>(
    net: &mut Net,
    optimizer: &mut Optimizer<R>,
    key: u64,
    (x, y): &(Tensor, Tensor),
) -> Result<(f64, usize)> {
    let tape = Tape::training(key);
    let hidden = net.norm.forward(net.body.forward(tape.input(x))).relu();
    let loss = net.head.forward(net.dropout.forward(hidden)).cross_entropy(y);
    let gradients = optimizer.backward(loss);
    let before = tape.len();
    let value = optimizer.step(net, gradients)?;
    assert_eq!(loss.item::<f32>()?.to_bits(), (value as f32).to_bits(), "the tape has the value, too");
    Ok((value, tape.len() - before))
}

fn assert_same(a: &impl Module, b: &impl Module, what: &str) {
    for ((name, a), (_, b)) in a.state().iter().zip(b.state()) {
        assert!(a.value().equals(b.value()), "{what}: {name}");
    }
}

#[test]
fn all_optimizers_repeat_their_steps_to_the_bit() -> Result<()> {
    let mut recorded = Vec::new();
    for case in roll() {
        let make = || (case.optimizer)().learning_rate_of("head", 0.03).schedule(warmup(3));
        let (mut a, mut b, mut repeats, mut records) = (net(), net(), make(), make().before(Moody));
        for i in 0..8u64 {
            let batch = data(i, 6);
            let (wanted, nodes) = step(&mut b, &mut records, i, &batch)?;
            assert!(nodes > 0, "{}", case.name);
            let (given, nodes) = step(&mut a, &mut repeats, i, &batch)?;
            assert_eq!(given.to_bits(), wanted.to_bits(), "{}, step {i}", case.name);
            assert_same(&a, &b, case.name);
            if (nodes == 0) != (i > 0) {
                recorded.push(case.file);
            }
        }
        let (a, b) = (repeats.state(&a), records.state(&b));
        assert!(a.iter().zip(&b).all(|((_, a), (_, b))| a.equals(b)), "{}", case.name);
    }
    recorded.dedup();
    // These draw random numbers.
    assert_eq!(recorded, ["noise", "sophia"]);
    Ok(())
}

#[test]
fn what_changes_between_steps_is_seen() -> Result<()> {
    let make = || Adam::new(0.01).skip_non_finite();
    let (mut a, mut b, mut repeats, mut records) = (net(), net(), make(), make().before(Moody));
    let mut repeated = 0;
    for i in 0..40u64 {
        let mut batch = data(i, 6);
        match i {
            3 => [&mut repeats, &mut records].into_iter().for_each(|adam| adam.set_learning_rate(0.5)),
            6 => {
                for net in [&mut a, &mut b] {
                    net.head.weight.set(data(7, 8).0.slice(1, 0..2)?.t()?)?;
                }
            }
            9 => [&mut a, &mut b].into_iter().for_each(|net| each_mut(&mut net.body, &mut |_, param| param.freeze())),
            12 => {
                [&mut a, &mut b].into_iter().for_each(|net| each_mut(&mut net.body, &mut |_, param| param.unfreeze()))
            }
            15 => {
                for (net, adam) in [(&a, &mut repeats), (&b, &mut records)] {
                    let state = adam.state(net);
                    adam.load_state(net, &state)?;
                }
            }
            18 => [&mut repeats, &mut records]
                .into_iter()
                .for_each(|adam| *adam.rule_mut() = adam.rule().betas(0.5, 0.9).epsilon(1e-3)),
            21 => [&mut repeats, &mut records].into_iter().for_each(|adam| *adam.rule_mut() = adam.rule().amsgrad()),
            24 => batch.0 = Tensor::full([6, 3], f32::NAN)?,
            27 => plan_clear(),
            30 => batch = data(i, 4),
            33 => (repeats, records) = (repeats.skip_non_finite(), records.skip_non_finite()),
            36 => [&mut repeats, &mut records].into_iter().for_each(|adam| adam.set_rate_scale(0.1)),
            _ => {}
        }
        let (wanted, _) = step(&mut b, &mut records, i, &batch)?;
        let (given, nodes) = step(&mut a, &mut repeats, i, &batch)?;
        assert_eq!(given.to_bits(), wanted.to_bits(), "step {i}");
        assert_same(&a, &b, "changes");
        repeated += u32::from(nodes == 0);
    }
    assert!(repeated > 25, "only {repeated} of 40");
    assert_eq!((repeats.skipped(), records.skipped()), (1, 1));
    Ok(())
}

#[test]
fn scaled_losses_and_two_models_and_one_optimizer() -> Result<()> {
    let make = || Adam::new(0.01).loss_scale(LossScale::dynamic().growth(2.0, 2)).schedule(warmup(5));
    let (mut nets, mut others) = ([net(), net()], [net(), net()]);
    let (mut repeats, mut records) = (make(), make().before(Moody));
    for i in 0..12u64 {
        // Twice the one, twice the other.
        let which = (i as usize / 2) % 2;
        let batch = data(i, 6);
        let (wanted, _) = step(&mut others[which], &mut records, i, &batch)?;
        let (given, nodes) = step(&mut nets[which], &mut repeats, i, &batch)?;
        assert_eq!(given.to_bits(), wanted.to_bits(), "step {i}");
        assert_eq!(nodes == 0, i % 2 == 1, "step {i}");
        assert_same(&nets[which], &others[which], "two models");
    }
    Ok(())
}

#[test]
fn what_the_user_does_between_loss_and_step_counts() -> Result<()> {
    let (mut net, x) = (Dense::new(2, 1).init(Seed(1))?, Tensor::from([[1f32, 2.0]]));
    let mut other = Dense::new(2, 1).init(Seed(1))?;
    let (mut repeats, mut records) = (Sgd::new(0.1).momentum(0.5), Sgd::new(0.1).momentum(0.5).before(Moody));
    for i in 0..16 {
        let one = |net: &mut Dense,
                   step: &mut dyn FnMut(&mut Dense, wengert_autograd::Gradients<'_>) -> Result<f64>| {
            let tape = Tape::training(0);
            let loss = net.forward(tape.input(&x)).square().mean();
            if i == 2 {
                loss.value()?;
            }
            let mut gradients = loss.backward();
            match i {
                4 => net.bias.as_mut().unwrap().set(Tensor::from([0.25f32]))?,
                6 => gradients = gradients.map(|gradient| gradient * 2.0),
                8 => gradients = gradients.only(|id| id == net.weight.id()),
                10 => _ = gradients.iter().next().unwrap().1.value()?,
                _ => {}
            }
            match i {
                12 => without_fusion(|| step(net, gradients)),
                14 => debug::catch_non_finite(|| step(net, gradients)),
                15 => plan_reports(0, || step(net, gradients)).0,
                _ => step(net, gradients),
            }
        };
        let wanted = one(&mut other, &mut |net, gradients| records.step(net, gradients))?;
        let given = one(&mut net, &mut |net, gradients| repeats.step(net, gradients))?;
        assert_eq!(given.to_bits(), wanted.to_bits(), "step {i}");
        assert_same(&net, &other, &format!("step {i}"));
    }
    Ok(())
}

#[test]
fn a_refused_or_failed_step_changes_nothing_and_is_told_as_ever() -> Result<()> {
    let (mut net, mut adam) = (net(), Adam::new(0.1));
    let mut errors = Vec::new();
    for i in 0..6u64 {
        let mut batch = data(i, 6);
        let before: Vec<Tensor> = net.state().iter().map(|(_, param)| param.value().clone()).collect();
        if i == 0 || i == 3 {
            batch.1 = Tensor::from([0i64, 1, 0, 1, 0, 7]);
            let error = step(&mut net, &mut adam, i, &batch).unwrap_err();
            errors.push(error.to_string());
        } else if i == 4 {
            let tape = Tape::training(i);
            let loss = net.head.forward(net.norm.forward(net.body.forward(tape.input(&batch.0)))).square().mean();
            let gradients = loss.backward();
            let refuse = |_| Err(Error::value("no"));
            assert!(adam.step_with(&mut net, gradients, &[loss * 2.0], refuse).is_err());
        } else {
            step(&mut net, &mut adam, i, &batch)?;
            continue;
        }
        let after = net.state();
        assert!(before.iter().zip(&after).all(|(before, (_, after))| before.equals(after.value())), "step {i}");
        assert_eq!(adam.steps(), i.saturating_sub(1) - u64::from(i == 4));
    }
    assert_eq!(errors[0], errors[1]);
    Ok(())
}

#[test]
fn other_values_come_with_a_repeated_step() -> Result<()> {
    let (mut net, mut adam) = (Dense::new(2, 1).init(Seed(1))?, Adam::new(0.1));
    for i in 0..4 {
        let x = Tensor::from([[1f32, i as f32]]);
        let tape = Tape::training(0);
        let y = net.forward(tape.input(&x));
        let (loss, wanted) = (y.square().mean(), Tape::new());
        let wanted = net.forward(wanted.input(&x)).value()?;
        let (_, also) = adam.step_with(&mut net, loss.backward(), &[y], |_| Ok(()))?;
        assert!(also[0].equals(&wanted) && y.value()?.equals(&wanted), "step {i}");
        // What somebody holds is not written to.
        assert!(loss.value()?.item::<f32>()? == loss.item::<f32>()?);
    }
    Ok(())
}

/// A rule that reads what no plan knows of is asked in every step.
#[test]
fn a_rule_of_ones_own_is_asked_every_time() -> Result<()> {
    #[derive(Debug)]
    struct Louder(Arc<AtomicU64>);
    impl Rule for Louder {
        fn name(&self) -> &'static str {
            "louder"
        }
        fn update(&self, leaves: &mut [Leaf<'_>]) {
            let factor = self.0.fetch_add(1, Ordering::Relaxed) as f64;
            leaves.iter_mut().for_each(|leaf| leaf.update = leaf.update * factor);
        }
    }
    let asked = Arc::new(AtomicU64::new(0));
    let (mut weight, mut sgd) =
        (wengert_nn::param::Param::new(Tensor::from(0f32)), Sgd::new(1.0).before(Louder(Arc::clone(&asked))));
    for _ in 0..4 {
        let tape = Tape::training(0);
        let loss = weight.on(&tape) * 1.0;
        sgd.step(&mut weight, loss.backward())?;
    }
    assert_eq!((asked.load(Ordering::Relaxed), weight.value().item::<f32>()?), (4, -6.0));
    Ok(())
}

/// Two steps, the fast way and the other, on one loss each.
fn assert_as_recorded<R: Rule>(
    make: impl Fn() -> Optimizer<R>,
    steps: u64,
    step: impl Fn(u64, &mut wengert_nn::param::Param, &mut Optimizer<R>) -> Result<f64>,
) -> Result<()> {
    let fresh = || wengert_nn::param::Param::new(Tensor::from([0.5f32, 1.5, -1.0]));
    let (mut a, mut b, mut repeats, mut records) = (fresh(), fresh(), make(), make().before(Moody));
    for i in 0..steps {
        let (wanted, given) = (step(i, &mut b, &mut records)?, step(i, &mut a, &mut repeats)?);
        assert_eq!(given.to_bits(), wanted.to_bits(), "step {i}");
        assert!(a.value().equals(b.value()), "step {i}: {} for {}", a.value(), b.value());
    }
    Ok(())
}

/// The directions of the curvature are drawn anew in every step.
#[test]
fn random_numbers_are_those_of_the_step() -> Result<()> {
    for skipped in [false, true] {
        let make = || Sophia::new(0.02).interval(if skipped { 2 } else { 1 }).skip_non_finite();
        assert_as_recorded(make, 8, |i, weight, sophia| {
            let tape = Tape::training(i);
            let x = weight.on(&tape);
            let scale = if skipped && i % 3 == 2 { f64::NAN } else { 1.0 };
            let loss = (x * x.exp().sum()).square().sum() * scale;
            sophia.step(weight, loss.backward())
        })?;
    }
    Ok(())
}

/// What a rule makes of a loss by another derivative.
#[derive(Debug)]
struct Curved(bool);

impl Rule for Curved {
    fn name(&self) -> &'static str {
        "curved"
    }
    fn reusable(&self) -> bool {
        true
    }
    fn update(&self, leaves: &mut [Leaf<'_>]) {
        for leaf in leaves {
            let tape = leaf.update.tape();
            let more = match self.0 {
                true => tape.grad(leaf.gradient().sum(), leaf.leaf()),
                false => tape.grad(leaf.loss() * leaf.loss(), leaf.leaf()),
            };
            leaf.update = leaf.update * 0.01 + more * 0.001;
        }
    }
}

#[test]
fn derivatives_that_a_rule_takes_are_those_of_the_step() -> Result<()> {
    // Other values were asked for, so that others are leaves.
    assert_as_recorded(
        || Sgd::new(0.1).before(Curved(true)),
        6,
        |i, weight, sgd| {
            let tape = Tape::training(0);
            let first = weight.on(&tape).tanh();
            let second = (first * 2.0).sin();
            let gradients = (first * second).square().sum().backward();
            if i % 2 == 0 {
                first.value()?
            } else {
                second.value()?
            };
            sgd.step(weight, gradients)
        },
    )?;
    // Closures that hold other numbers.
    assert_as_recorded(
        || Sgd::new(0.1).before(Curved(false)),
        4,
        |i, weight, sgd| {
            let (tape, c) = (Tape::training(0), 1.0 + i as f64);
            let loss = weight.on(&tape).custom_vjp(|x| x.square().sum(), move |x, _, ct| ct * x * c);
            sgd.step(weight, loss.backward())
        },
    )
}

#[derive(Module)]
struct Shadowed {
    weight: wengert_nn::param::Param,
    shadow: wengert_nn::param::Param,
}

#[test]
fn a_frozen_weight_that_is_updated_is_itself() -> Result<()> {
    let fresh = || {
        let param = || wengert_nn::param::Param::new(Tensor::from([0.5f32, 1.0]));
        let mut net = Shadowed { weight: param(), shadow: param() };
        net.shadow.freeze();
        net
    };
    let (mut a, mut b) = (fresh(), fresh());
    let make = || Sgd::new(0.1).skip_non_finite();
    let (mut repeats, mut records, other) = (make(), make().before(Moody), Tensor::from([777f32, 888.0]));
    for i in 0..6 {
        let x = Tensor::from([if i == 3 { f32::NAN } else { 1.0 }, 1.0]);
        for (net, sgd) in [(&mut a, &mut repeats), (&mut b, &mut records)] {
            let tape = Tape::training(0);
            let x = tape.input(&x);
            match i % 2 {
                0 => _ = (net.shadow.on(&tape), tape.input(&other)),
                _ => _ = (tape.input(&other), net.shadow.on(&tape)),
            }
            let weight = net.weight.on(&tape);
            tape.update(net.shadow.id(), weight * 0.5);
            sgd.step(net, (weight * x).square().sum().backward())?;
        }
        assert_same(&a, &b, &format!("step {i}"));
    }
    Ok(())
}

/// Turns the parameters round.
#[derive(Debug)]
struct Backwards;

impl Rule for Backwards {
    fn name(&self) -> &'static str {
        "backwards"
    }
    fn reusable(&self) -> bool {
        true
    }
    fn update(&self, leaves: &mut [Leaf<'_>]) {
        leaves.reverse();
    }
}

#[test]
fn rates_stay_with_their_parameters() -> Result<()> {
    let param = || wengert_nn::param::Param::new(Tensor::from([1f32]));
    let (mut net, mut sgd) = (
        Shadowed { weight: param(), shadow: param() },
        Sgd::new(0.125).before(Backwards).learning_rate_of("shadow", 0.25),
    );
    for i in 1..4 {
        let tape = Tape::training(0);
        let gradients = (net.weight.on(&tape) + net.shadow.on(&tape)).sum().backward();
        sgd.step(&mut net, gradients)?;
        let rates = [net.weight.value().item::<f32>()?, net.shadow.value().item::<f32>()?];
        assert_eq!(rates, [1.0 - 0.125 * i as f32, 1.0 - 0.25 * i as f32]);
    }
    Ok(())
}

/// A batch of another size now and then costs no plan that was there.
#[test]
fn plans_of_other_steps_are_kept() -> Result<()> {
    let (mut net, mut adam) = (net(), Adam::new(0.01));
    let before = plan_stats().compiled;
    for i in 0..12 {
        step(&mut net, &mut adam, i, &data(i, if i % 2 == 0 { 8 } else { 5 }))?;
    }
    assert_eq!(plan_stats().compiled - before, 2);
    Ok(())
}

/// A module that shows one of its parts twice.
struct Twice(BatchNorm, Dense);

impl Module for Twice {
    fn type_name(&self) -> &'static str {
        "Twice"
    }
    fn visit<'a>(&'a self, at: &mut wengert_nn::module::Visit<'a, '_>) {
        at.field("norm", &self.0);
        at.field("again", &self.0);
        at.field("dense", &self.1);
    }
    fn visit_mut(&mut self, at: &mut wengert_nn::module::VisitMut<'_>) {
        at.field("norm", &mut self.0);
        at.field("again", &mut self.0);
        at.field("dense", &mut self.1);
    }
}

#[test]
fn what_a_module_shows_twice_moves_once() -> Result<()> {
    let (x, _) = data(3, 6);
    let mut net = Twice(BatchNorm::new(3), Dense::new(3, 1).init(Seed(1))?);
    each_mut(&mut net.0, &mut |_, param| param.freeze());
    let mut sgd = Sgd::new(0.1);
    for i in 1..4i64 {
        let tape = Tape::training(0);
        let loss = net.1.forward(net.0.forward(tape.input(&x))).square().mean();
        sgd.step(&mut net, loss.backward())?;
        let counted =
            net.0.state().into_iter().find(|(name, _)| name.contains("num_batches")).unwrap().1.value().clone();
        assert_eq!(counted.item::<i64>()?, i);
    }
    Ok(())
}

#[test]
fn optimizers_go_between_threads() {
    fn free<T: Send + Sync>() {}
    free::<Optimizer<wengert_nn::optim::adam::AdamRule>>();
}
