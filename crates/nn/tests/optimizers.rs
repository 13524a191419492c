//! Laws of all optimizers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

extern crate wengert_nn as wengert;

mod support;

use support::{assert_close, assert_on_roll, reference};
use wengert_autograd::{Tape, Var};
use wengert_nn::layer::Layer;
use wengert_nn::layers::dense::Dense;
use wengert_nn::module::Module;
use wengert_nn::optim::adam::Adam;
use wengert_nn::optim::optimizer::Optimizer;
use wengert_nn::optim::roll;
use wengert_nn::optim::rule::{Leaf, Rule};
use wengert_nn::optim::schedule::{Schedule, constant, warmup};
use wengert_nn::optim::sgd::Sgd;
use wengert_nn::optim::sophia::Sophia;
use wengert_nn::param::{Buffer, Param};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::random::Seed;
use wengert_tensor::tensor::Tensor;

#[derive(Module)]
struct Point {
    w: Param,
    b: Param,
}

impl Point {
    fn new() -> Point {
        Point { w: Param::new(Tensor::from([1.5f64, -2.0])), b: Param::new(Tensor::from(0.5f64)) }
    }

    fn objective<'t>(&self, tape: &'t Tape) -> Var<'t> {
        let (w, b) = (self.w.on(tape), self.b.on(tape));
        let [w0, w1] = [0, 1].map(|i| w.slice(0, i..i + 1).reshape(()));
        w0.square() + 3.0 * w1.square() + w0 * w1 + 0.1 * (b - 2.0).powi(4) + (w0 * b).sin()
    }

    fn numbers(&self) -> Vec<f64> {
        [self.w.value().to_f64_vec(), self.b.value().to_f64_vec()].concat()
    }
}

#[test]
fn every_file_is_on_the_roll() {
    let besides = [
        "case",
        "compiled",
        "group",
        "lbfgs",
        "memo",
        "optimizer",
        "rule",
        "sam",
        "scale",
        "schedule",
        "select",
        "settings",
        "state",
    ];
    assert_on_roll("optim", &besides, roll().iter().map(|case| case.file));
}

#[test]
fn trajectories_are_those_of_the_reference() -> Result<()> {
    let reference = reference("optimizers.txt");
    // Its steps are random where elements depend on each other: see below.
    for case in roll().into_iter().filter(|case| case.file != "sophia") {
        let rows: Vec<_> = reference.iter().filter(|(name, _)| name == case.name).collect();
        assert_eq!(rows.len(), 20, "{} has no reference", case.name);
        let (mut point, mut optimizer) = (Point::new(), (case.optimizer)());
        for (_, row) in rows {
            let tape = Tape::training(0);
            let loss = point.objective(&tape);
            optimizer.step(&mut point, loss.backward())?;
            for (ours, theirs) in point.numbers().iter().zip(&row[1..]) {
                assert_close(*ours, *theirs, 1e-12, &format!("{}, step {}", case.name, row[0]));
            }
        }
    }
    Ok(())
}

#[derive(Module)]
struct Matrix {
    m: Param,
    v: Param,
}

impl Matrix {
    fn new() -> Matrix {
        let m = Tensor::from([[0.5f64, -1.0], [2.0, 0.25], [-0.75, 1.5]]);
        Matrix { m: Param::new(m), v: Param::new(Tensor::from([0.1f64, -0.2])) }
    }

    fn objective<'t>(&self, tape: &'t Tape) -> Var<'t> {
        let x = tape.input(&Tensor::from([[0.5f64, -1.0, 2.0], [1.5, 0.25, -0.5]]));
        let y = (x.matmul(&self.m) + &self.v).tanh();
        (y - Tensor::from([[0.5f64, -0.25], [0.0, 0.75]])).square().sum() + self.m.on(tape).square().sum() * 0.1
    }

    fn numbers(&self) -> Vec<f64> {
        [self.m.value().to_f64_vec(), self.v.value().to_f64_vec()].concat()
    }
}

#[test]
fn trajectories_of_matrices_are_those_of_the_reference() -> Result<()> {
    let reference = reference("optimizers_matrix.txt");
    let mut tried = Vec::new();
    for case in roll() {
        let rows: Vec<_> = reference.iter().filter(|(name, _)| name == case.name).collect();
        let (mut model, mut optimizer) = (Matrix::new(), (case.optimizer)());
        for (_, row) in rows {
            tried.push(case.name);
            let tape = Tape::training(0);
            let loss = model.objective(&tape);
            optimizer.step(&mut model, loss.backward())?;
            for (ours, theirs) in model.numbers().iter().zip(&row[1..]) {
                // The rule that leaves biases out has another rank here.
                assert_close(*ours, *theirs, 1e-11, &format!("{}, step {}", case.name, row[0]));
            }
        }
    }
    assert_eq!(tried.len(), reference.len());
    Ok(())
}

/// In every dtype a matrix and a vector go the same way, as far as the dtype can tell, and stay of their dtype.
#[test]
fn matrices_of_all_floats_are_moved() -> Result<()> {
    for case in roll().into_iter().filter(|case| case.file != "sophia") {
        let run = |dtype: DType| -> Result<Vec<f64>> {
            let (mut model, mut optimizer) = (Matrix::new(), (case.optimizer)());
            for param in [&mut model.m, &mut model.v] {
                param.cast(dtype)?;
            }
            for _ in 0..4 {
                let tape = Tape::training(0);
                let [m, v] = [&model.m, &model.v].map(|param| param.on(&tape).cast(DType::F64));
                let loss = (m - 0.25).square().sum() + (v + m.sum_axes(0)).square().sum();
                optimizer.step(&mut model, loss.backward())?;
            }
            assert_eq!((model.m.dtype(), model.v.dtype()), (dtype, dtype));
            Ok(model.numbers())
        };
        let exact = run(DType::F64)?;
        for (dtype, tolerance) in [(DType::F32, 1e-3), (DType::BF16, 0.1)] {
            for (ours, theirs) in run(dtype)?.iter().zip(&exact) {
                assert_close(*ours, *theirs, tolerance, &format!("{} {dtype}", case.name));
            }
        }
    }
    Ok(())
}

#[test]
fn averages_are_those_of_the_reference() -> Result<()> {
    let reference = reference("optimizers_average.txt");
    let mut tried = 0;
    for case in roll() {
        let rows: Vec<_> = reference.iter().filter(|(name, _)| name == case.name).collect();
        let (mut point, mut optimizer) = (Point::new(), (case.optimizer)());
        for (_, row) in rows {
            tried += 1;
            let tape = Tape::training(0);
            let loss = point.objective(&tape);
            optimizer.step(&mut point, loss.backward())?;
            let before = point.numbers();
            let average = optimizer.evaluate(&mut point, |point| Ok(point.numbers()))?;
            assert_eq!(point.numbers(), before);
            for (ours, theirs) in average.iter().zip(&row[1..]) {
                assert_close(*ours, *theirs, 1e-12, &format!("{}, step {}", case.name, row[0]));
            }
        }
    }
    assert_eq!(tried, reference.len());
    Ok(())
}

/// Where no element depends on another, random signs find the diagonal of the Hessian itself.
#[test]
fn sophia_goes_by_the_curvature() -> Result<()> {
    let (first, second, gamma, rate, decay) = (0.8, 0.9, 0.05, 0.1, 0.1);
    let mut w = Param::new(Tensor::from([1.5f64, -2.0, 0.3]));
    let rule = Sophia::new(rate).betas(first, second).gamma(gamma).interval(3).weight_decay(decay);
    let mut sophia = rule.epsilon(1e-3);
    let (mut x, mut m, mut h) = ([1.5f64, -2.0, 0.3], [0.0; 3], [0.0; 3]);
    for step in 0..20 {
        let tape = Tape::training(step);
        let loss = (w.on(&tape).powi(4) * 0.25 - w.on(&tape).square() * 0.1).sum();
        sophia.step(&mut w, loss.backward())?;
        for i in 0..3 {
            let (gradient, curvature): (f64, f64) = (x[i].powi(3) - 0.2 * x[i], 3.0 * x[i] * x[i] - 0.2);
            m[i] = first * m[i] + (1.0 - first) * gradient;
            if step % 3 == 0 {
                h[i] = second * h[i] + (1.0 - second) * curvature;
            }
            let ratio: f64 = m[i] / (gamma * h[i]).max(1e-3);
            x[i] -= rate * (ratio.clamp(-1.0, 1.0) + decay * x[i]);
            assert_close(w.value().to_f64_vec()[i], x[i], 1e-12, &format!("step {step}"));
        }
    }
    Ok(())
}

/// Down the valley of Rosenbrock's function, whose steepest way is not the way to go.
#[test]
fn all_descend_rosenbrock() -> Result<()> {
    for case in roll() {
        let mut optimizer = (case.optimizer)();
        let rate = optimizer.learning_rate();
        // What steps by the size of the gradient is too fast for walls this steep.
        optimizer.set_learning_rate(rate * 0.05);
        let mut point = Param::new(Tensor::from([[-1.2f64, 1.0]]));
        let (mut first, mut last) = (None, 0.0);
        for step in 0..300 {
            let tape = Tape::training(step);
            let [x, y] = [0, 1].map(|i| point.on(&tape).slice(1, i..i + 1));
            let loss = ((y - x.square()).square() * 20.0 + (x - 1.0).square()).sum();
            last = optimizer.step(&mut point, loss.backward())?;
            first.get_or_insert(last);
        }
        assert!(last < first.unwrap() - 0.05, "{}: {last} after {first:?}", case.name);
    }
    Ok(())
}

#[test]
fn all_descend_a_parabola() -> Result<()> {
    for case in roll() {
        let mut optimizer = (case.optimizer)();
        let mut weight = Param::new(Tensor::from([0.5f32, -1.0]));
        let mut losses = Vec::new();
        for _ in 0..60 {
            let tape = Tape::training(0);
            let loss = weight.on(&tape).square().sum();
            losses.push(optimizer.step(&mut weight, loss.backward())?);
        }
        assert!(losses[59] < 0.1 * losses[0], "{}: {} after {}", case.name, losses[59], losses[0]);
    }
    Ok(())
}

#[test]
fn a_zero_gradient_moves_nothing() -> Result<()> {
    for case in roll().into_iter().filter(|case| !case.decays) {
        let (mut point, mut optimizer) = (Point::new(), (case.optimizer)());
        let before = point.numbers();
        for _ in 0..3 {
            let tape = Tape::training(0);
            let loss = point.objective(&tape) * 0.0;
            optimizer.step(&mut point, loss.backward())?;
        }
        assert_eq!(point.numbers(), before, "{}", case.name);
    }
    Ok(())
}

#[test]
fn state_that_was_saved_goes_on_with_the_same_bits() -> Result<()> {
    for case in roll() {
        let (mut point, mut optimizer) = (Point::new(), (case.optimizer)());
        for _ in 0..3 {
            let tape = Tape::training(0);
            let loss = point.objective(&tape);
            optimizer.step(&mut point, loss.backward())?;
        }
        let mut resumed = Point { w: point.w.clone(), b: point.b.clone() };
        let mut fresh = (case.optimizer)();
        fresh.load_state(&resumed, &optimizer.state(&point))?;
        for _ in 0..3 {
            let (tape, other) = (Tape::training(0), Tape::training(0));
            let (loss, same) = (point.objective(&tape), resumed.objective(&other));
            optimizer.step(&mut point, loss.backward())?;
            fresh.step(&mut resumed, same.backward())?;
        }
        assert_eq!(point.numbers(), resumed.numbers(), "{}", case.name);
        assert_eq!(fresh.steps(), 6);

        let mut state = optimizer.state(&point);
        state.push(("w/nonsense".to_string(), Tensor::from(0f32)));
        assert!(fresh.load_state(&resumed, &state).is_err());
    }
    Ok(())
}

/// Each step is that of f32 and one rounding; gradients whose squares f16 cannot hold are moderate ones there.
#[test]
fn parameters_of_16_bits_are_moved_in_f32() -> Result<()> {
    let gradients = [300.0f32, -1e-4, 6e-8, 0.0, 0.5, -2.0];
    for dtype in [DType::F16, DType::BF16] {
        let gradients = Tensor::from(gradients).cast(dtype)?;
        for case in roll() {
            let start = Tensor::from([1.5f32, -0.25, 0.0, 2.0, 1e-3, 7.0]).cast(dtype)?;
            let (mut narrow, mut wide) = (Param::new(start.clone()), Param::new(start.cast(DType::F32)?));
            let (mut ours, mut theirs) = ((case.optimizer)(), (case.optimizer)());
            for step in 1..=10 {
                let (tape, other) = (Tape::training(0), Tape::training(0));
                let loss = (narrow.on(&tape) * &gradients).sum();
                ours.step(&mut narrow, loss.backward())?;
                let loss = (wide.on(&other) * gradients.cast(DType::F32)?).sum();
                theirs.step(&mut wide, loss.backward())?;
                let rounded = wide.value().cast(dtype)?;
                wide.set(rounded.cast(DType::F32)?)?;
                assert!(narrow.value().equals(&rounded), "{dtype} {}, step {step}: {narrow:?}", case.name);
            }
            assert!(narrow.value().to_f64_vec().iter().all(|w| w.is_finite()), "{}", case.name);
            assert!(!narrow.value().equals(&start), "{}", case.name);
            let (ours, theirs) = (ours.state(&narrow), theirs.state(&wide));
            assert!(ours.iter().zip(&theirs).all(|((a, x), (b, y))| a == b && x.equals(y)), "{}", case.name);
            (case.optimizer)().load_state(&narrow, &ours)?;
        }
    }
    Ok(())
}

/// 300² is beyond f16, 1e30² beyond f32: the norm is taken in the widest dtype, in f32 at least.
#[test]
fn the_common_norm_of_gradients_does_not_overflow() -> Result<()> {
    let mut model = (
        Param::new(Tensor::from([0f32]).cast(DType::F16)?),
        Param::new(Tensor::from([0f32])),
        Param::new(Tensor::from([0f64])),
    );
    for scale in [1.0, 1e30] {
        let tape = Tape::training(0);
        let single = model.0.on(&tape).cast(DType::F32) * 300.0 + model.1.on(&tape) * 400.0;
        let loss = single.sum() + (model.2.on(&tape) * scale).sum().cast(DType::F32);
        Sgd::new(1.0).clip_global_norm(0.5).step(&mut model, loss.backward())?;
        let moved: Vec<f64> = model.parameters().iter().flat_map(|(_, param)| param.value().to_f64_vec()).collect();
        match scale {
            1.0 => {
                assert_close(moved[0], -0.3, 1e-3, "f16");
                assert_close(moved[1], -0.4, 1e-5, "f32");
            }
            _ => assert_close(moved[2], -0.5, 2e-3, "f64"),
        }
        assert!(moved.iter().all(|w| w.is_finite()), "{moved:?}");
    }
    Ok(())
}

/// Loading replaces: what was in memory leaves no trace, also where the file has nothing.
#[test]
fn a_weight_without_state_starts_anew() -> Result<()> {
    for case in roll() {
        let (mut point, mut used) = (Point::new(), (case.optimizer)());
        let run = |point: &mut Point, optimizer: &mut Optimizer| -> Result<Vec<f64>> {
            let tape = Tape::training(0);
            let loss = point.objective(&tape);
            optimizer.step(point, loss.backward())?;
            Ok(point.numbers())
        };
        for _ in 0..3 {
            run(&mut point, &mut used)?;
        }
        let mut state = used.state(&point);
        state.retain(|(name, _)| !name.starts_with("b/"));
        let mut twin = Point { w: point.w.clone(), b: point.b.clone() };
        let mut fresh = (case.optimizer)();
        used.load_state(&point, &state)?;
        fresh.load_state(&twin, &state)?;
        let kept = used.state(&point);
        assert!(kept.len() == state.len() && kept.iter().all(|(name, _)| !name.starts_with("b/")), "{}", case.name);
        for _ in 0..3 {
            assert_eq!(run(&mut point, &mut used)?, run(&mut twin, &mut fresh)?, "{}", case.name);
        }
    }
    Ok(())
}

#[derive(Module)]
struct Net {
    body: Dense,
    head: Dense,
    header: Dense,
}

fn net() -> Net {
    Net { body: Dense::new(2, 3), head: Dense::new(3, 1), header: Dense::new(3, 1) }.init(Seed(5)).unwrap()
}

impl Layer for Net {
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let h = self.body.forward(x).tanh();
        self.head.forward(h) + self.header.forward(h)
    }
}

fn values(net: &impl Module) -> Vec<(String, Vec<f64>)> {
    net.parameters().into_iter().map(|(name, param)| (name, param.value().to_f64_vec())).collect()
}

fn step<R: Rule>(net: &mut Net, optimizer: &mut Optimizer<R>) -> Result<f64> {
    let tape = Tape::training(0);
    let loss = net.forward(tape.input(&Tensor::from([[0.3f32, -0.7]]))).square().sum();
    optimizer.step(net, loss.backward())
}

#[test]
fn groups_have_a_learning_rate_of_their_own() -> Result<()> {
    let (mut a, mut b) = (net(), net());
    let before = values(&a);
    step(&mut a, &mut Sgd::new(0.1))?;
    step(&mut b, &mut Sgd::new(0.1).learning_rate_of("head", 0.0).learning_rate_of("body.bias", 0.2))?;
    for ((name, start), ((_, a), (_, b))) in before.iter().zip(values(&a).iter().zip(&values(&b))) {
        match &**name {
            "head.weight" | "head.bias" => assert_eq!(b, start, "{name}"),
            "body.bias" => {
                for i in 0..a.len() {
                    assert_close(b[i] - start[i], 2.0 * (a[i] - start[i]), 1e-6, name);
                }
            }
            _ => assert_eq!(a, b, "{name}"),
        }
    }
    Ok(())
}

#[test]
fn a_group_must_fit() {
    let fault = |optimizer: Sgd| {
        let mut optimizer = optimizer;
        let error = step(&mut net(), &mut optimizer).unwrap_err();
        assert!(error.location().unwrap().file().ends_with("optimizers.rs"), "{error}");
        assert_eq!(error.op_name(), Some("learning_rate_of"));
        (error.message().to_string(), error.help_text().unwrap().to_string())
    };
    let (message, help) = fault(Sgd::new(0.1).learning_rate_of("heads", 0.2));
    assert_eq!(message, "`Net` has no parameter `heads` and none below it");
    assert_eq!(
        help,
        "did you mean `head`? known are `body`, `body.weight`, `body.bias`, `head`, `head.weight`, `head.bias`, \
         `header`, `header.weight`, `header.bias`"
    );
    let (message, help) = fault(Sgd::new(0.1).learning_rate_of("head", 0.2).learning_rate_of("head.bias", 0.1));
    assert_eq!(message, "`head.bias` is in two groups: `head` and `head.bias`");
    assert_eq!(help, "give every parameter one learning rate");
}

#[test]
fn settings_without_meaning_are_errors() {
    assert!(step(&mut net(), &mut Adam::new(0.1).betas(1.0, 0.9)).is_err());
    assert!(step(&mut net(), &mut Adam::new(f64::NAN)).is_err());
    assert!(step(&mut net(), &mut Adam::new(0.1).weight_decay(f64::INFINITY)).is_err());
    assert!(step(&mut net(), &mut Sgd::new(0.1).weight_decay(f64::INFINITY)).is_err());
    assert!(step(&mut net(), &mut Sgd::new(0.1).nesterov()).is_err());
    assert!(step(&mut net(), &mut Sgd::new(0.1).clip_global_norm(0.0)).is_err());
    assert!(step(&mut net(), &mut Sgd::new(0.1).learning_rate_of("head", f64::INFINITY)).is_err());
}

#[test]
fn a_learning_rate_without_meaning_moves_nothing_at_any_step() -> Result<()> {
    // At the third step: of the rate, of the schedule, of both together, beyond f32, of a group.
    let scheduled = |factor: f64| move |step: u64| if step < 2 { 1.0 } else { factor };
    for (rate, factor, group) in [
        (f64::NAN, 1.0, None),
        (f64::INFINITY, 1.0, None),
        (-0.1, 1.0, None),
        (0.1, f64::NAN, None),
        (0.1, f64::NEG_INFINITY, None),
        (0.1, -1.0, None),
        (1e200, 1e200, None),
        (1e100, 1.0, None),
        (0.0, 1e42, Some(1e-3)),
    ] {
        for case in roll() {
            let (mut net, mut optimizer) = (net(), (case.optimizer)().schedule(scheduled(factor)));
            if let Some(group) = group {
                optimizer = optimizer.learning_rate_of("head.bias", group);
            }
            for _ in 0..2 {
                step(&mut net, &mut optimizer)?;
            }
            let (before, state) = (values(&net), optimizer.state(&net));
            optimizer.set_learning_rate(rate);
            let error = step(&mut net, &mut optimizer).unwrap_err().to_string();
            assert!(error.contains("the learning rate of `"), "{error}");
            assert_eq!(values(&net), before, "{}", case.name);
            let now = optimizer.state(&net);
            assert_eq!(now.len(), state.len());
            assert!(now.iter().zip(&state).all(|((a, x), (b, y))| a == b && x.equals(y)), "{}", case.name);
            assert_eq!(optimizer.steps(), 2);
        }
    }
    Ok(())
}

#[test]
fn a_failed_step_leaves_everything_as_it_was() -> Result<()> {
    let (mut net, mut optimizer) = (net(), Adam::new(0.1));
    step(&mut net, &mut optimizer)?;
    let (before, state) = (values(&net), optimizer.state(&net));

    let tape = Tape::training(0);
    let loss = net.forward(tape.input(&Tensor::from([[0.3f32, -0.7, 1.0]]))).sum();
    assert!(optimizer.step(&mut net, loss.backward()).is_err());

    // A fault that only the computation finds: label 7 of 3 classes.
    let tape = Tape::training(0);
    let logits = net.body.forward(tape.input(&Tensor::from([[0.3f32, -0.7]])));
    let loss = logits.cross_entropy(Tensor::from([7i64]));
    assert!(optimizer.step(&mut net, loss.backward()).is_err());

    // A rule that gives another shape.
    #[derive(Debug)]
    struct Wrong;
    impl Rule for Wrong {
        fn name(&self) -> &'static str {
            "wrong"
        }
        fn update(&self, leaves: &mut [Leaf<'_>]) {
            for leaf in leaves {
                leaf.update = leaf.update.unsqueeze(0);
            }
        }
    }
    assert!(step(&mut net, &mut Optimizer::of(Wrong, 0.1)).is_err());

    // A loss in which the model took no part.
    let tape = Tape::training(0);
    let other = Param::new(Tensor::from([1f32]));
    let error = optimizer.step(&mut net, other.on(&tape).sum().backward()).unwrap_err();
    assert!(error.message().contains("no trainable parameter of this `Net`"), "{error}");

    assert_eq!(values(&net), before);
    let now = optimizer.state(&net);
    assert_eq!(now.len(), state.len());
    assert!(now.iter().zip(&state).all(|((a, x), (b, y))| a == b && x.equals(y)));
    Ok(())
}

/// State of many megabytes is written over the old one; the numbers, and what a failed step leaves, are those of small state.
#[test]
fn large_state_stays_in_its_memory() -> Result<()> {
    let n = 1_200_000;
    let (start, target) = (Tensor::normal([n], DType::F32, 1)?, Tensor::normal([n], DType::F32, 2)?);
    let train = |parts: usize| -> Result<Vec<f32>> {
        // In parts, each of which is small enough to be computed beside the old one.
        let mut all = Vec::new();
        for part in 0..parts {
            let range = part * n / parts..(part + 1) * n / parts;
            let mut weight = Param::new(start.slice(0, range.clone())?);
            let goal = target.slice(0, range)?;
            let mut adam = Adam::new(0.1);
            for _ in 0..4 {
                let tape = Tape::training(0);
                let loss = (weight.on(&tape) - &goal).square().sum();
                adam.step(&mut weight, loss.backward())?;
            }
            all.extend(weight.value().to_vec::<f32>()?);
        }
        Ok(all)
    };
    assert_eq!(train(1)?, train(6)?);

    let (mut weight, mut adam) = (Param::new(start.clone()), Adam::new(0.1));
    let mut places = Vec::new();
    for _ in 0..3 {
        let tape = Tape::training(0);
        let loss = (weight.on(&tape) - &target).square().sum();
        adam.step(&mut weight, loss.backward())?;
        let state = adam.state(&weight);
        places.push(state.iter().filter(|(_, t)| t.len() == n).map(|(_, t)| t.storage().id()).collect::<Vec<_>>());
    }
    assert_eq!(places[1], places[2]);

    let (before, state) = (weight.value().clone(), adam.state(&weight));
    let refused = || Err(wengert_tensor::error::Error::value("refused"));
    for _ in 0..2 {
        let tape = Tape::training(0);
        let loss = (weight.on(&tape) * f64::NAN).sum();
        assert!(adam.step_with(&mut weight, loss.backward(), &[], |_| refused()).is_err());
        let tape = Tape::training(0);
        let loss = (weight.on(&tape) - &target).square().sum()
            + tape.input(&start).reshape([n, 1]).cross_entropy(Tensor::full([n], 1i64)?);
        assert!(adam.step(&mut weight, loss.backward()).is_err());
    }
    assert!(weight.value().equals(&before));
    assert!(adam.state(&weight).iter().zip(&state).all(|((a, x), (b, y))| a == b && x.equals(y)));
    Ok(())
}

#[test]
fn an_error_names_parameter_and_layer() {
    let (mut net, mut optimizer) = (net(), Adam::new(0.1));
    let tape = Tape::training(0);
    let x = tape.input(&Tensor::from([[0.3f32, -0.7]]));
    let line = line!() + 1;
    let loss = net.head.forward(x).sum();
    let error = optimizer.step(&mut net, loss.backward()).unwrap_err();
    assert_eq!(error.path(), Some("Net › head (Dense)"), "{error}");
    assert!(error.to_string().contains("parameter `head.weight`"), "{error}");
    assert_eq!(error.location().unwrap().line(), line);
    assert!(error.location().unwrap().file().ends_with("optimizers.rs"));
}

#[test]
fn frozen_weights_and_strangers_stay() -> Result<()> {
    let mut net = net();
    net.head.freeze();
    let before = values(&net);
    step(&mut net, &mut Adam::new(0.1))?;
    for ((name, old), (_, new)) in before.iter().zip(&values(&net)) {
        assert_eq!(old == new, name.starts_with("head."), "{name}");
    }
    net.head.unfreeze();
    step(&mut net, &mut Adam::new(0.1))?;
    assert!(values(&net).iter().zip(&before).all(|(new, old)| new != old));
    Ok(())
}

#[derive(Module)]
struct Counting {
    weight: Param,
    seen: Buffer,
}

#[test]
fn side_results_are_committed_with_the_weights() -> Result<()> {
    let mut model = Counting { weight: Param::new(Tensor::from(2f32)), seen: Buffer::new(Tensor::from(10f32)) };
    let mut sgd = Sgd::new(0.5);
    for _ in 0..3 {
        let tape = Tape::training(0u64);
        let seen = model.seen.on(&tape);
        model.seen.update(seen + 1.0);
        let loss = model.weight.on(&tape).square();
        sgd.step(&mut model, loss.backward())?;
    }
    assert_eq!(model.seen.value().item::<f32>()?, 13.0);
    assert_eq!(model.weight.value().item::<f32>()?, 0.0);
    Ok(())
}

#[test]
fn a_schedule_scales_every_rate() -> Result<()> {
    let mut weight = Param::new(Tensor::from(0f32));
    let mut sgd = Sgd::new(1.0).schedule(warmup(2).then(constant(0.25)));
    let mut moved = Vec::new();
    for _ in 0..4 {
        let tape = Tape::training(0);
        let before = weight.value().item::<f32>()?;
        let loss = weight.on(&tape);
        sgd.step(&mut weight, loss.backward())?;
        moved.push(before - weight.value().item::<f32>()?);
    }
    assert_eq!(moved, [0.5, 1.0, 0.25, 0.25]);
    Ok(())
}
