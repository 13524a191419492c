//! What is built from rules: layers with rules of their own, gradients that are gathered, scaled and judged, averages, searches.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

extern crate wengert_nn as wengert;

mod support;

use support::{assert_close, reference};
use wengert_autograd::{Tape, Var, plan_clear, plan_reports, plan_stats};
use wengert_nn::layer::Layer;
use wengert_nn::layers::dense::Dense;
use wengert_nn::module::Module;
use wengert_nn::optim::adafactor::Adafactor;
use wengert_nn::optim::adam::{Adam, AdamRule};
use wengert_nn::optim::adamw::{AdamW, AdamWRule};
use wengert_nn::optim::asgd::Asgd;
use wengert_nn::optim::average::{Ema, Swa};
use wengert_nn::optim::clip::ClipAdaptive;
use wengert_nn::optim::decay::WeightDecay;
use wengert_nn::optim::ftrl::Ftrl;
use wengert_nn::optim::lbfgs::Lbfgs;
use wengert_nn::optim::lookahead::Lookahead;
use wengert_nn::optim::muon::Muon;
use wengert_nn::optim::noise::GradientNoise;
use wengert_nn::optim::optimizer::Optimizer;
use wengert_nn::optim::rmsprop::RmsProp;
use wengert_nn::optim::roll;
use wengert_nn::optim::rprop::Rprop;
use wengert_nn::optim::rule::Rule;
use wengert_nn::optim::sam::Sam;
use wengert_nn::optim::scale::LossScale;
use wengert_nn::optim::schedule_free::ScheduleFree;
use wengert_nn::optim::select::{ending, not, rank_at_least, rank_below};
use wengert_nn::optim::sgd::{Sgd, SgdRule};
use wengert_nn::optim::sophia::Sophia;
use wengert_nn::param::{Buffer, Param};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::random::{Key, Seed};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

#[derive(Module)]
struct Net {
    body: Dense,
    head: Dense,
    seen: Buffer,
}

impl Net {
    fn new() -> Net {
        let seen = Buffer::new(Tensor::from(0f32));
        Net { body: Dense::new(3, 4), head: Dense::new(4, 2), seen }.init(Seed(5)).unwrap()
    }
}

impl Layer for Net {
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.seen.update(self.seen.on(x.tape()) + x.sum());
        self.head.forward(self.body.forward(x).tanh())
    }
}

fn batch(step: u64) -> Tensor {
    Tensor::normal([6, 3], DType::F32, Key::new(step)).unwrap()
}

fn loss<'t>(net: &Net, _: &'t Tape, [x]: [Var<'t>; 1]) -> Var<'t> {
    (net.forward(x) - 0.5).square().mean()
}

fn step<R: Rule>(net: &mut Net, optimizer: &mut Optimizer<R>, x: &Tensor) -> Result<f64> {
    let tape = Tape::training(0);
    let gradients = optimizer.backward(loss(net, &tape, [tape.input(x)]));
    optimizer.step(net, gradients)
}

fn values(net: &impl Module) -> Vec<(String, Vec<f64>)> {
    net.parameters().into_iter().map(|(name, param)| (name, param.value().to_f64_vec())).collect()
}

fn assert_same(a: &impl Module, b: &impl Module, what: &str) {
    for ((name, a), (_, b)) in a.state().iter().zip(b.state()) {
        assert!(a.value().equals(b.value()), "{what}: {name}");
    }
}

fn fault<R: Rule>(optimizer: Optimizer<R>) -> String {
    let mut optimizer = optimizer;
    step(&mut Net::new(), &mut optimizer, &batch(0)).unwrap_err().to_string()
}

#[test]
fn a_layer_has_a_rule_of_its_own() -> Result<()> {
    let (mut both, mut adam, mut sgd) = (Net::new(), Net::new(), Net::new());
    let rule = SgdRule::default().momentum(0.9);
    let mut mixed = Adam::new(0.01).rule_of("head", rule).learning_rate_of("head", 0.1).clip_global_norm(0.5);
    let (mut left, mut right) = (Adam::new(0.01), Sgd::new(0.1).momentum(0.9));
    (left, right) = (left.clip_global_norm(0.5), right.clip_global_norm(0.5));
    for i in 0..4 {
        // Each of the others goes on from where both stand.
        for other in [&mut adam, &mut sgd] {
            other.load(&both);
        }
        step(&mut both, &mut mixed, &batch(i))?;
        step(&mut adam, &mut left, &batch(i))?;
        step(&mut sgd, &mut right, &batch(i))?;
        for ((name, both), ((_, adam), (_, sgd))) in values(&both).iter().zip(values(&adam).iter().zip(&values(&sgd))) {
            assert_eq!(both, if name.starts_with("head.") { sgd } else { adam }, "{name}");
        }
    }
    let names: Vec<String> = mixed.state(&both).into_iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"body.weight/adam.mean".to_string()), "{names:?}");
    assert!(names.contains(&"head.weight/sgd.velocity".to_string()), "{names:?}");
    assert!(!names.contains(&"head.weight/adam.mean".to_string()), "{names:?}");
    Ok(())
}

impl Net {
    /// Takes the weights of another.
    fn load(&mut self, other: &Net) {
        for (to, from) in [(&mut self.body, &other.body), (&mut self.head, &other.head)] {
            to.weight.set(from.weight.value().clone()).unwrap();
            if let (Some(to), Some(from)) = (&mut to.bias, &from.bias) {
                to.set(from.value().clone()).unwrap();
            }
        }
    }
}

#[test]
fn groups_must_fit() {
    let error = fault(Adam::new(0.1).rule_of("heat", SgdRule::default()));
    assert!(
        error.starts_with("rule_of: `Net` has no parameter `heat`") && error.contains("did you mean `head`?"),
        "{error}"
    );
    let error = fault(Adam::new(0.1).rule_of("head", SgdRule::default()).rule_of(rank_below(2), AdamWRule::default()));
    assert!(error.contains("`head.bias` is in two groups: `head` and a function"), "{error}");
    let error = fault(Adam::new(0.1).learning_rate_of(["head", "body"], 0.1).learning_rate_of("body.bias", 0.1));
    assert!(error.contains("`body.bias` is in two groups: `head`, `body` and `body.bias`"), "{error}");
    let error = fault(Adam::new(0.1).freeze("heat"));
    assert!(error.starts_with("freeze:") && error.contains("did you mean `head`?"), "{error}");
    let error = fault(Adam::new(0.1).after(WeightDecay::new(0.1).only(not("tail"))));
    assert!(error.starts_with("weight_decay:") && error.contains("`tail`"), "{error}");
    let error = fault(Adam::new(0.1).rule_of("head", SgdRule::default().nesterov()));
    assert!(error.contains("Nesterov's step needs a momentum"), "{error}");
}

#[test]
fn what_is_frozen_by_name_stays_and_is_not_differentiated() -> Result<()> {
    let (mut net, mut optimizer) = (Net::new(), AdamW::new(0.1).freeze("head").freeze(ending("bias")));
    let before = values(&net);
    step(&mut net, &mut optimizer, &batch(0))?;
    for ((name, old), (_, new)) in before.iter().zip(&values(&net)) {
        assert_eq!(old != new, name == "body.weight", "{name}");
    }
    let mut compiled = AdamW::new(0.1).freeze("head").freeze(ending("bias")).compile(loss);
    let mut other = Net::new();
    compiled.run(&mut other, [&batch(0)])?;
    assert_same(&net, &other, "compiled");
    Ok(())
}

/// Large state is written over by a second plan, once the first has judged loss and gradients: neither has products for what is frozen.
#[test]
fn no_gradient_by_what_is_frozen_is_computed_however_large_the_state() -> Result<()> {
    for (size, plans) in [(4, 1), (1200, 2)] {
        let products = |optimizer: Optimizer<AdamWRule>| -> Result<usize> {
            let mut optimizer = optimizer;
            let mut net = (Dense::new(size, size), Dense::new(size, size)).init(Seed(1))?;
            let tape = Tape::training(0);
            let loss = net.forward(tape.input(&Tensor::normal([3, size], DType::F32, 2)?)).square().mean();
            let (outcome, reports) = plan_reports(0, || optimizer.step(&mut net, loss.backward()));
            outcome?;
            assert_eq!(reports.len(), plans);
            let ops = reports.iter().flat_map(|report| report.steps.iter().flat_map(|step| &step.ops));
            Ok(ops.filter(|op| **op == "matmul").count())
        };
        // Two layers forward; the gradients by the second weight, by its input, and by the first weight.
        assert_eq!(products(AdamW::new(0.1))?, 5, "{size}");
        assert_eq!(products(AdamW::new(0.1).freeze("0"))?, 3, "{size}");
        assert_eq!(products(AdamW::new(0.1).freeze("0.weight"))?, 4, "{size}");
    }
    Ok(())
}

#[test]
fn decay_spares_what_it_is_told_to() -> Result<()> {
    let (mut plain, mut decayed) = (Net::new(), Net::new());
    step(&mut plain, &mut Adam::new(0.1), &batch(0))?;
    step(&mut decayed, &mut Adam::new(0.1).after(WeightDecay::new(0.5).only(rank_at_least(2))), &batch(0))?;
    for ((name, a), (_, b)) in values(&plain).iter().zip(&values(&decayed)) {
        assert_eq!(a == b, name.ends_with("bias"), "{name}");
    }
    Ok(())
}

/// k micro-batches and one step are a step on all of them.
#[test]
fn gathered_gradients_are_those_of_the_whole_batch() -> Result<()> {
    for case in roll() {
        // Second derivatives and noise are of the last part alone.
        if ["sophia", "noise"].contains(&case.file) {
            continue;
        }
        let (mut whole, mut parts, mut compiled) = (Net::new(), Net::new(), Net::new());
        let (mut one, mut many) = ((case.optimizer)(), (case.optimizer)().accumulate(3));
        let mut run = (case.optimizer)().accumulate(3).compile(loss);
        for i in 0..3u64 {
            let tape = Tape::training(0);
            let sum =
                (3 * i..3 * i + 3).map(|j| loss(&whole, &tape, [tape.input(&batch(j))])).reduce(|a, b| a + b).unwrap();
            let gradients = (sum / 3.0).backward();
            one.step(&mut whole, gradients)?;
            for j in 3 * i..3 * i + 3 {
                step(&mut parts, &mut many, &batch(j))?;
                run.run(&mut compiled, [&batch(j)])?;
                assert_same(&parts, &compiled, case.name);
            }
            assert_eq!((many.steps(), run.optimizer().steps()), (i + 1, i + 1));
        }
        for ((name, a), (_, b)) in values(&whole).iter().zip(&values(&parts)) {
            for (a, b) in a.iter().zip(b) {
                assert_close(*a, *b, 3e-4, &format!("{} {name}", case.name));
            }
        }
    }
    Ok(())
}

#[test]
fn gathering_needs_two_plans_and_goes_on_after_loading() -> Result<()> {
    let (mut net, mut adam) = (Net::new(), Adam::new(0.1).accumulate(4));
    plan_clear();
    let before = plan_stats().compiled;
    for i in 0..12 {
        step(&mut net, &mut adam, &batch(i))?;
    }
    assert_eq!(plan_stats().compiled - before, 2);
    for i in 12..14 {
        step(&mut net, &mut adam, &batch(i))?;
    }
    let mut resumed = Net::new();
    resumed.load(&net);
    let mut fresh = Adam::new(0.1).accumulate(4);
    fresh.load_state(&resumed, &adam.state(&net))?;
    for i in 14..19 {
        step(&mut net, &mut adam, &batch(i))?;
        step(&mut resumed, &mut fresh, &batch(i))?;
    }
    assert_eq!(values(&net), values(&resumed));
    assert_eq!((fresh.steps(), adam.steps()), (4, 4));
    // A parameter that the last part did not read is moved by what was gathered before.
    let mut pair = (Param::new(Tensor::from(1f32)), Param::new(Tensor::from(1f32)));
    let mut sgd = Sgd::new(0.5).accumulate(2);
    for both in [true, false] {
        let tape = Tape::new();
        let (a, b) = (pair.0.on(&tape), &pair.1);
        let loss = if both { a + b.on(&tape) } else { a };
        sgd.step(&mut pair, loss.backward())?;
    }
    assert_eq!(pair.0.value().to_f64_vec(), [0.5]);
    assert_eq!(pair.1.value().to_f64_vec(), [0.75]);
    assert!(fault(Adam::new(0.1).accumulate(0)).contains("0 gradients"));
    Ok(())
}

#[test]
fn a_step_that_is_not_finite_changes_nothing() -> Result<()> {
    for case in roll() {
        let make = || (case.optimizer)().skip_non_finite();
        let (mut net, mut plain, mut compiled) = (Net::new(), Net::new(), Net::new());
        let (mut guarded, mut free, mut run) = (make(), (case.optimizer)(), make().compile(loss));
        let bad = batch(9).cast(DType::F64)?;
        let bad = Tensor::new(bad.to_f64_vec().iter().map(|x| *x as f32 * f32::INFINITY).collect::<Vec<_>>(), [6, 3])?;
        for i in 0..6u64 {
            let x = if i % 3 == 1 { bad.clone() } else { batch(i) };
            let tape = Tape::training(0);
            let gradients = guarded.backward(loss(&net, &tape, [tape.input(&x)]));
            let given = guarded.step(&mut net, gradients)?;
            let ran = run.run_with_key(&mut compiled, 0u64, [&x])?;
            assert_eq!(given.is_finite(), i % 3 != 1);
            assert_eq!(given.to_bits(), ran.to_bits());
            if i % 3 != 1 {
                step(&mut plain, &mut free, &x)?;
            }
            assert_same(&net, &plain, case.name);
            assert_same(&net, &compiled, case.name);
        }
        assert_eq!((guarded.skipped(), guarded.steps(), run.optimizer().skipped()), (2, 4, 2));
        let (a, b) = (guarded.state(&net), free.state(&plain));
        for (name, value) in &b {
            let same = a.iter().any(|(other, held)| other == name && held.equals(value));
            assert!(same, "{}: {name}", case.name);
        }
    }
    Ok(())
}

#[test]
fn large_state_survives_a_step_that_is_not_finite() -> Result<()> {
    let n = 1_200_000;
    let (mut weight, mut other) =
        (Param::new(Tensor::zeros([n], DType::F32)?), Param::new(Tensor::zeros([n], DType::F32)?));
    let mut adam = Adam::new(0.1).skip_non_finite();
    let mut run =
        Adam::new(0.1).skip_non_finite().compile(|weight: &Param, tape, [x]| (weight.on(tape) - x).square().sum());
    for i in 0..5 {
        let x = if i == 2 { f32::NAN } else { i as f32 };
        let tape = Tape::training(0);
        let loss = (weight.on(&tape) - tape.input(&Tensor::from(x))).square().sum();
        adam.step(&mut weight, loss.backward())?;
        run.run(&mut other, [&Tensor::from(x)])?;
    }
    assert!(weight.value().equals(other.value()));
    assert!(weight.value().to_f64_vec().iter().all(|w| w.is_finite() && *w != 0.0));
    assert_eq!((adam.skipped(), run.optimizer().skipped()), (1, 1));
    Ok(())
}

#[test]
fn a_scale_follows_what_the_gradients_allow() -> Result<()> {
    let make = || Sgd::new(0.1).loss_scale(LossScale::dynamic().start(1024.0).growth(2.0, 3));
    let (mut net, mut plain, mut other, mut sgd, mut free) =
        (Net::new(), Net::new(), Net::new(), make(), Sgd::new(0.1));
    let mut run = make().compile(loss);
    plan_clear();
    let before = plan_stats().compiled;
    let mut scales = Vec::new();
    for i in 0..8u64 {
        let x = if i == 4 { Tensor::full([6, 3], f32::NAN)? } else { batch(i) };
        step(&mut net, &mut sgd, &x)?;
        scales.push(sgd.scale_now());
        run.run_with_key(&mut other, 0u64, [&x])?;
        assert_same(&net, &other, "compiled");
        assert_eq!(run.optimizer().scale_now(), sgd.scale_now());
        if i != 4 {
            step(&mut plain, &mut free, &x)?;
        }
        // Powers of two change no bit.
        assert_same(&net, &plain, "scaled");
    }
    assert_eq!(scales, [1024.0, 1024.0, 2048.0, 2048.0, 1024.0, 1024.0, 1024.0, 2048.0]);
    // One of the scaled steps, one of those without.
    assert!(plan_stats().compiled - before <= 3);
    let mut resumed = make();
    resumed.load_state(&net, &sgd.state(&net))?;
    assert_eq!((resumed.scale_now(), resumed.skipped()), (2048.0, 1));
    for (scale, word) in [
        (LossScale::fixed(0.0), "the scale is 0"),
        (LossScale::dynamic().growth(0.5, 10), "growth is 0.5"),
        (LossScale::dynamic().growth(2.0, 0), "every 0 steps"),
        (LossScale::dynamic().backoff(2.0), "backoff is 2"),
    ] {
        let error = fault(Sgd::new(0.1).loss_scale(scale));
        assert!(error.contains(word), "{error}");
    }
    Ok(())
}

#[test]
fn settings_change_between_steps_without_a_plan() -> Result<()> {
    let (mut net, mut adam) = (Net::new(), Adam::new(0.1).weight_decay(0.1));
    step(&mut net, &mut adam, &batch(0))?;
    let before = plan_stats().compiled;
    for i in 1..5 {
        *adam.rule_mut() = adam.rule().betas(0.9 - 0.1 * i as f64, 0.99).weight_decay(0.1 / i as f64);
        step(&mut net, &mut adam, &batch(i))?;
    }
    assert_eq!(plan_stats().compiled, before);
    // What another setting needs starts anew, and the rest stays.
    let mean =
        |adam: &Adam, net: &Net| adam.state(net).into_iter().find(|(name, _)| name == "head.bias/adam.mean").unwrap().1;
    let kept = mean(&adam, &net);
    *adam.rule_mut() = adam.rule().amsgrad().betas(0.0, 0.99);
    step(&mut net, &mut adam, &batch(7))?;
    assert!(!mean(&adam, &net).equals(&kept));
    assert!(adam.state(&net).iter().any(|(name, _)| name == "head.bias/adam.largest"));
    *adam.rule_mut() = adam.rule().betas(1.5, 0.99);
    let error = step(&mut net, &mut adam, &batch(8)).unwrap_err().to_string();
    assert!(error.contains("β₁ is 1.5"), "{error}");
    Ok(())
}

#[test]
fn a_file_of_another_rule_is_refused() -> Result<()> {
    let (mut net, mut adam) = (Net::new(), Adam::new(0.1));
    step(&mut net, &mut adam, &batch(0))?;
    let state = adam.state(&net);
    let error = Sgd::new(0.1).momentum(0.9).load_state(&net, &state).unwrap_err().to_string();
    assert!(error.contains("`body.weight/sgd.velocity` is missing"), "{error}");
    let error = Sgd::new(0.1).load_state(&net, &state).unwrap_err().to_string();
    assert!(error.contains("is no state of this optimizer and model"), "{error}");
    let error = Adam::new(0.1).accumulate(2).load_state(&net, &state).unwrap_err().to_string();
    assert!(error.contains("`gathered` is missing"), "{error}");
    Ok(())
}

#[test]
fn settings_without_meaning_name_their_range() {
    for (error, words) in [
        (fault(RmsProp::new(0.1).alpha(1.0)), "α is 1, and must lie in 0 ≤ α < 1"),
        (fault(Rprop::new(0.1).factors(1.0, 1.2)), "must lie in 0 < η₋ < 1"),
        (fault(Rprop::new(0.1).sizes(1.0, 0.1)), "at least the smallest"),
        (fault(Adafactor::new(0.1).memory_power(0.5)), "must be finite and not positive"),
        (fault(Asgd::new(0.1).lambda(f64::NAN)), "λ is NaN, and must be finite and not negative"),
        (fault(Ftrl::new(0.1).initial(0.0)), "the initial sum is 0, and must be finite and positive"),
        (fault(Muon::new(0.1)), "Muon moves matrices only"),
        (fault(Muon::new(0.1).iterations(0)), "must lie in 1..100"),
        (fault(ScheduleFree::new(0.1).betas(0.0, 0.9)), "must lie in 0 < β₁ < 1"),
        (fault(Sophia::new(0.1).interval(0)), "the interval is 0, and must be at least 1"),
        (fault(Sgd::new(0.1).momentum(0.5).dampening(2.0)), "must lie in 0 ≤ dampening ≤ 1"),
        (fault(Sgd::new(0.1).dampening(0.5)), "dampening needs a momentum"),
        (fault(Sgd::new(0.1).clip_norm(-1.0)), "the bound is -1, and must be positive"),
        (fault(Sgd::new(0.1).before(ClipAdaptive::new(0.1).epsilon(0.0))), "ε is 0"),
        (fault(Sgd::new(0.1).after(Ema::new(1.0))), "the memory is 1"),
        (fault(Sgd::new(0.1).after(Swa::new(0, 0))), "the interval is 0"),
        (fault(Sgd::new(0.1).after(Lookahead::new(5, 0.0))), "must lie in 0 < share ≤ 1"),
        (fault(Sgd::new(0.1).after(WeightDecay::new(-0.1))), "weight decay is -0.1"),
        (fault(Sgd::new(0.1).before(GradientNoise::new(f64::INFINITY))), "the variance is inf"),
        (fault(Adam::new(0.1).rule_of("head", AdamRule::default().epsilon(-1.0))), "ε is -1"),
    ] {
        assert!(error.contains(words), "{error}");
    }
    let vector = Muon::new(0.1).rule_of(|_: &str, shape: &Shape| shape.rank() > 2, AdamRule::default());
    assert!(fault(vector).contains("`body.bias` has the shape [4]"));
    let error = Sam::new(0.0).step(&mut Sgd::new(0.1), &mut Param::new(Tensor::from(1f32)), 0u64, |w, tape| w.on(tape));
    assert!(error.unwrap_err().to_string().contains("the radius is 0"));
    let mut point = Param::new(Tensor::from(1f32));
    for (mut lbfgs, words) in [
        (Lbfgs::new().history(0), "the history is 0"),
        (Lbfgs::new().learning_rate(-1.0), "the learning rate is -1"),
        (Lbfgs::new().iterations(0), "the number of iterations is 0"),
        (Lbfgs::new().tolerances(f64::NAN, 0.0), "the tolerance of the gradient is NaN"),
    ] {
        let error = lbfgs.minimize(&mut point, |w, tape| w.on(tape).square()).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn sam_steps_by_the_gradient_at_the_worst_place() -> Result<()> {
    // By hand: w + ρ g / ‖g‖, its gradient, a step of Adam from w.
    let (mut weight, mut adam) = (Param::new(Tensor::from([1.5f64, -2.0])), Adam::new(0.1));
    let (mut twin, mut other) = (Param::new(Tensor::from([1.5f64, -2.0])), Adam::new(0.1));
    for adaptive in [false, true] {
        let sam = if adaptive { Sam::new(0.3).adaptive() } else { Sam::new(0.3) };
        for _ in 0..5 {
            sam.step(&mut adam, &mut weight, 0u64, |w, tape| w.on(tape).powi(4).sum())?;
            let w = twin.value().to_f64_vec();
            let g: Vec<f64> = w.iter().map(|w| 4.0 * w.powi(3)).collect();
            let size = |i: usize| if adaptive { w[i].abs() } else { 1.0 };
            let norm = (0..2).map(|i| (size(i) * g[i]).powi(2)).sum::<f64>().sqrt();
            let far: Vec<f64> = (0..2).map(|i| 4.0 * (w[i] + 0.3 * size(i).powi(2) * g[i] / norm).powi(3)).collect();
            let tape = Tape::training(0);
            let loss = (twin.on(&tape) * Tensor::new(far, [2])?).sum();
            other.step(&mut twin, loss.backward())?;
            for (a, b) in weight.value().to_f64_vec().iter().zip(twin.value().to_f64_vec()) {
                assert_close(*a, b, 1e-12, "sam");
            }
        }
    }
    // After an error everything is as it was, at the place and not beside it.
    let before = weight.value().clone();
    let failed = Sam::new(0.3).step(&mut adam, &mut weight, 0u64, |w, tape| {
        let w = w.on(tape);
        (w.reshape([2, 1]).cross_entropy(tape.input(&Tensor::from([0i64, 7])))) + w.sum()
    });
    assert!(failed.is_err() && weight.value().equals(&before));
    let mut net = Net::new();
    plan_clear();
    let before = plan_stats().compiled;
    let mut sgd = Sgd::new(0.1);
    for i in 0..4 {
        let x = batch(i);
        Sam::new(0.05).step(&mut sgd, &mut net, i, |net, tape| loss(net, tape, [tape.input(&x)]))?;
    }
    assert_eq!(plan_stats().compiled - before, 2);
    Ok(())
}

#[test]
fn lbfgs_goes_the_way_of_the_reference() -> Result<()> {
    let reference = reference("lbfgs.txt");
    for (name, lbfgs) in [
        ("wolfe", Lbfgs::new().iterations(1)),
        ("wolfe_short", Lbfgs::new().iterations(2).history(2).learning_rate(0.5)),
        ("fixed", Lbfgs::new().iterations(3).without_search().learning_rate(0.05)),
    ] {
        let mut lbfgs = lbfgs.evaluations(40);
        let mut point = Param::new(Tensor::from([-1.2f64, 1.0]));
        for (_, row) in reference.iter().filter(|(row, _)| row == name) {
            lbfgs.minimize(&mut point, |point, tape| {
                let [x, y] = [0, 1].map(|i| point.on(tape).slice(0, i..i + 1));
                ((y - x.square()).square() * 100.0 + (x - 1.0).square()).sum()
            })?;
            for (ours, theirs) in point.value().to_f64_vec().iter().zip(&row[1..]) {
                assert_close(*ours, *theirs, 1e-7, &format!("{name}, call {}", row[0]));
            }
        }
        assert!(lbfgs.minimize(&mut point, |point, tape| point.on(tape).square().sum())?.loss.is_finite());
    }
    Ok(())
}

#[test]
fn lbfgs_trains_a_net_and_leaves_it_after_an_error() -> Result<()> {
    let (mut net, x) = (Net::new(), batch(0));
    net.body.bias.as_mut().unwrap().freeze();
    let frozen = net.body.bias.as_ref().unwrap().value().clone();
    let mut lbfgs = Lbfgs::new().iterations(200);
    let found = lbfgs.minimize(&mut net, |net, tape| loss(net, tape, [tape.input(&x)]))?;
    assert!(found.loss < 1e-6 && found.before > 0.01, "{found:?}");
    assert!(net.body.bias.as_ref().unwrap().value().equals(&frozen));
    assert_eq!(net.seen.value().to_f64_vec(), [0.0]);
    let before = values(&net);
    for bad in [f32::NAN, f32::INFINITY] {
        let error = lbfgs.minimize(&mut net, |net, tape| loss(net, tape, [tape.input(&x)]) * bad).unwrap_err();
        assert!(error.message().contains("at the start"), "{error}");
    }
    let error = lbfgs.minimize(&mut net, |_, tape| tape.input(&x).sum()).unwrap_err();
    assert!(error.message().contains("took part"), "{error}");
    assert_eq!(values(&net), before);
    Ok(())
}

/// The update of many parameters is fused: a few steps of the plan, not one for each op.
#[test]
fn the_update_of_a_model_is_few_steps() -> Result<()> {
    for case in roll() {
        if ["muon", "sophia"].contains(&case.file) {
            continue;
        }
        let mut weights: Vec<Param> = (0..10).map(|i| Param::new(Tensor::full([8 + i], 0.5f32).unwrap())).collect();
        let mut optimizer = (case.optimizer)();
        let tape = Tape::training(0);
        let loss = weights.iter().map(|w| w.on(&tape).square().sum()).reduce(|a, b| a + b).unwrap();
        plan_clear();
        let (outcome, reports) = plan_reports(0, || optimizer.step(&mut weights, loss.backward()));
        outcome?;
        let steps = reports.iter().map(|report| report.steps.len()).sum::<usize>();
        assert!(steps > 0 && steps <= 60, "{}: {steps} steps", case.name);
    }
    Ok(())
}

#[test]
fn an_average_is_saved_and_taken_up() -> Result<()> {
    let make = || AdamW::new(0.1).ema(0.9);
    let (mut net, mut adam) = (Net::new(), make());
    for i in 0..3 {
        step(&mut net, &mut adam, &batch(i))?;
    }
    let mut fresh = make();
    fresh.load_state(&net, &adam.state(&net))?;
    let (a, b) = (adam.averages(&net)?, fresh.averages(&net)?);
    assert!(a.iter().zip(&b).all(|((name, a), (other, b))| name == other && a.equals(b)));
    let trained = values(&net);
    let failed: Result<()> = adam.evaluate(&mut net, |net| {
        assert_ne!(values(net), trained);
        Err(wengert_tensor::error::Error::value("refused"))
    });
    assert!(failed.is_err());
    assert_eq!(values(&net), trained);
    // A model that was never trained is evaluated as it is.
    let mut new = Net::new();
    let weights = values(&new);
    adam.evaluate(&mut new, |new| {
        assert_eq!(values(new), weights);
        Ok(())
    })
}
