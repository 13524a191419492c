//! A compiled step has the bits of the plain loop.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

extern crate wengert_nn as wengert;

use wengert_autograd::{Tape, Var, plan_clear, plan_stats};
use wengert_nn::layer::Layer;
use wengert_nn::layers::dense::Dense;
use wengert_nn::layers::dropout::Dropout;
use wengert_nn::module::{Module, each, each_mut};
use wengert_nn::optim::adam::Adam;
use wengert_nn::optim::optimizer::Optimizer;
use wengert_nn::optim::roll;
use wengert_nn::optim::rule::{Leaf, Rule};
use wengert_nn::optim::schedule::{Schedule, cosine, warmup};
use wengert_nn::optim::sgd::Sgd;
use wengert_nn::param::Buffer;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::random::{Key, Seed};
use wengert_tensor::tensor::Tensor;

/// Subtracts a running mean.
#[derive(Module)]
struct Centred {
    mean: Buffer,
}

impl Layer for Centred {
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let next = self.mean.on(x.tape()) * 0.9 + x.mean_axes([0]) * 0.1;
        self.mean.update(next);
        x - next + self.mean.on(x.tape()) * 0.01
    }
}

#[derive(Module)]
struct Net {
    body: Dense,
    norm: Centred,
    dropout: Dropout,
    head: Dense,
}

impl Layer for Net {
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let x = self.norm.forward(self.body.forward(x)).relu();
        self.head.forward(self.dropout.forward(x))
    }
}

fn net() -> Net {
    let net = Net {
        body: Dense::new(3, 8),
        norm: Centred { mean: Buffer::new(Tensor::zeros([8], DType::F32).unwrap()) },
        dropout: Dropout::new(0.3),
        head: Dense::new(8, 2),
    };
    net.init(Seed(5)).unwrap()
}

fn data(step: u64, batch: usize) -> (Tensor, Tensor) {
    let x = Tensor::normal([batch, 3], DType::F32, Key::new(step)).unwrap();
    (x, Tensor::new((0..batch as i64).map(|i| i % 2).collect::<Vec<_>>(), [batch]).unwrap())
}

fn loss<'t>(net: &Net, _: &'t Tape, [x, y]: [Var<'t>; 2]) -> Var<'t> {
    net.forward(x).cross_entropy(y)
}

fn plain<R: Rule>(net: &mut Net, optimizer: &mut Optimizer<R>, key: Key, (x, y): &(Tensor, Tensor)) -> Result<f64> {
    let tape = Tape::training(key);
    let loss = loss(net, &tape, [tape.input(x), tape.input(y)]);
    optimizer.step(net, loss.backward())
}

fn assert_same(a: &impl Module, b: &impl Module, what: &str) {
    for ((name, a), (_, b)) in a.state().iter().zip(b.state()) {
        assert!(a.value().equals(b.value()), "{what}: {name}");
    }
}

#[test]
fn all_optimizers_have_the_bits_of_the_plain_loop() -> Result<()> {
    for case in roll() {
        let make = || (case.optimizer)().learning_rate_of("head", 0.03).schedule(warmup(3).then(cosine(9)));
        let (mut a, mut b, mut optimizer) = (net(), net(), make());
        let mut step = make().compile(loss).seed(9);
        for i in 0..12u64 {
            // Every third batch is smaller.
            let batch = data(i, if i % 3 == 2 { 4 } else { 6 });
            let wanted = plain(&mut a, &mut optimizer, Key::new(9).fold(i), &batch)?;
            let given = step.run(&mut b, [&batch.0, &batch.1])?;
            assert_eq!(given.to_bits(), wanted.to_bits(), "{}, step {i}", case.name);
            assert_same(&a, &b, case.name);
        }
        let (a, b) = (optimizer.state(&a), step.optimizer().state(&b));
        assert_eq!(a.len(), b.len());
        assert!(a.iter().zip(&b).all(|((name, a), (other, b))| name == other && a.equals(b)), "{}", case.name);
    }
    Ok(())
}

#[test]
fn all_elements_of_sixteen_bits_and_sixty_four() -> Result<()> {
    for dtype in [DType::BF16, DType::F16, DType::F64] {
        let small = || -> Result<Dense> {
            let mut net = Dense::new(3, 2).init(Seed(5))?;
            let mut outcome = Ok(());
            each_mut(&mut net, &mut |_, param| outcome = param.cast(dtype));
            outcome.map(|()| net)
        };
        let x = data(0, 5).0.cast(dtype)?;
        let (mut a, mut b, mut adam) = (small()?, small()?, Adam::new(0.01).clip_global_norm(0.1));
        let mut step =
            Adam::new(0.01).clip_global_norm(0.1).compile(|net: &Dense, _, [x]| net.forward(x).square().mean());
        for _ in 0..5 {
            let tape = Tape::training(0);
            let wanted = {
                let loss = a.forward(tape.input(&x)).square().mean();
                adam.step(&mut a, loss.backward())?
            };
            assert_eq!(step.run(&mut b, [&x])?.to_bits(), wanted.to_bits());
            assert_same(&a, &b, "cast");
        }
    }
    Ok(())
}

#[test]
fn what_changes_between_steps_is_seen() -> Result<()> {
    let (mut a, mut b, mut adam) = (net(), net(), Adam::new(0.01));
    let mut step = Adam::new(0.01).compile(loss);
    for i in 0..24u64 {
        match i {
            4 => {
                adam.set_learning_rate(0.5);
                step.set_learning_rate(0.5);
            }
            8 => {
                // Weights from outside, one of them a view.
                for net in [&mut a, &mut b] {
                    net.head.weight.set(data(7, 8).0.slice(1, 0..2)?.t()?)?;
                }
            }
            12 => [&mut a, &mut b].into_iter().for_each(|net| each_mut(&mut net.body, &mut |_, param| param.freeze())),
            16 => {
                [&mut a, &mut b].into_iter().for_each(|net| each_mut(&mut net.body, &mut |_, param| param.unfreeze()))
            }
            20 => {
                let state = adam.state(&a);
                adam.load_state(&a, &state)?;
                let names: Vec<_> = step.optimizer().state(&b);
                step.optimizer_mut().load_state(&b, &names)?;
            }
            _ => {}
        }
        let batch = data(i, 6);
        let wanted = plain(&mut a, &mut adam, Key::new(0).fold(i), &batch)?;
        assert_eq!(step.run(&mut b, [&batch.0, &batch.1])?.to_bits(), wanted.to_bits(), "step {i}");
        assert_same(&a, &b, "changes");
    }
    Ok(())
}

#[test]
fn a_hundred_steps_compile_one_plan() -> Result<()> {
    let mut net = net();
    let mut step = Adam::new(0.01).schedule(warmup(50)).compile(loss);
    plan_clear();
    let before = plan_stats().compiled;
    for i in 0..100 {
        let batch = data(i, 6);
        step.run(&mut net, [&batch.0, &batch.1])?;
    }
    assert_eq!(plan_stats().compiled - before, 1);
    let small = data(0, 3);
    step.run(&mut net, [&small.0, &small.1])?;
    let batch = data(0, 6);
    step.run(&mut net, [&batch.0, &batch.1])?;
    step.run(&mut net, [&small.0, &small.1])?;
    assert_eq!(plan_stats().compiled - before, 2, "another shape has a plan of its own");
    Ok(())
}

#[test]
fn large_state_is_written_over_and_has_the_same_bits() -> Result<()> {
    let make = || Dense::new(1100, 1100).init(Seed(1));
    let (mut a, mut b, mut adam) = (make()?, make()?, Adam::new(0.01));
    let mut step = Adam::new(0.01).compile(|net: &Dense, _, [x]| net.forward(x).square().mean());
    let x = Tensor::normal([2, 1100], DType::F32, Key::new(3))?;
    for _ in 0..3 {
        let tape = Tape::training(0);
        let wanted = {
            let loss = a.forward(tape.input(&x)).square().mean();
            adam.step(&mut a, loss.backward())?
        };
        assert_eq!(step.run(&mut b, [&x])?.to_bits(), wanted.to_bits());
        assert_same(&a, &b, "large");
    }
    let saved = step.optimizer().state(&b);
    step.run(&mut b, [&x])?;
    // What was saved is a value, and stays.
    assert!(saved.iter().zip(adam.state(&a)).all(|((_, a), (_, b))| a.equals(&b)));
    Ok(())
}

/// Reads what changes in its own way.
#[derive(Debug)]
struct Shrink;

impl Rule for Shrink {
    fn name(&self) -> &'static str {
        "shrink"
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        for leaf in leaves {
            leaf.update = leaf.update * (1.0 / leaf.count() as f64);
        }
    }
}

#[test]
fn a_rule_that_asks_for_the_count_is_recorded_in_each_step() -> Result<()> {
    let make = || Sgd::new(0.1).before(Shrink);
    let (mut a, mut b, mut sgd, mut step) = (net(), net(), make(), make().compile(loss));
    for i in 0..5 {
        let batch = data(i, 6);
        let wanted = plain(&mut a, &mut sgd, Key::new(0).fold(i), &batch)?;
        assert_eq!(step.run(&mut b, [&batch.0, &batch.1])?.to_bits(), wanted.to_bits());
        assert_same(&a, &b, "shrink");
    }
    Ok(())
}

#[test]
fn two_models_in_turn() -> Result<()> {
    let (mut a, mut b) = ([net(), net()], [net(), net()]);
    let (mut adam, mut step) = (Adam::new(0.01), Adam::new(0.01).compile(loss));
    for i in 0..6u64 {
        let batch = data(i, 6);
        let at = i as usize % 2;
        let wanted = plain(&mut a[at], &mut adam, Key::new(0).fold(i), &batch)?;
        assert_eq!(step.run(&mut b[at], [&batch.0, &batch.1])?.to_bits(), wanted.to_bits());
        assert_same(&a[at], &b[at], "two");
    }
    Ok(())
}

#[test]
fn after_an_error_all_is_as_it_was() -> Result<()> {
    let (mut a, mut b) = (net(), net());
    let (mut adam, mut step) = (Adam::new(0.01), Adam::new(0.01).compile(loss));
    let batch = data(0, 6);
    let wrong = (data(0, 6).0, Tensor::from([0i64, 1, 0, 9, 0, 1]));
    for i in 0..4u64 {
        let told = plain(&mut a, &mut adam, Key::new(0).fold(i), &wrong).unwrap_err();
        let error = step.run(&mut b, [&wrong.0, &wrong.1]).unwrap_err();
        assert_eq!(error.message(), told.message());
        assert_eq!(error.path(), told.path());
        let shapes = step.run(&mut b, [&Tensor::ones([6, 4], DType::F32)?, &batch.1]).unwrap_err();
        assert!(shapes.to_string().contains("body"), "{shapes}");
        step.set_learning_rate(f64::NAN);
        let rate = step.run(&mut b, [&batch.0, &batch.1]).unwrap_err();
        assert!(rate.to_string().contains("learning rate of `body.weight` is NaN"), "{rate}");
        step.set_learning_rate(0.01);
        let wanted = plain(&mut a, &mut adam, Key::new(0).fold(i), &batch)?;
        assert_eq!(step.run(&mut b, [&batch.0, &batch.1])?.to_bits(), wanted.to_bits());
        assert_same(&a, &b, "errors");
    }
    Ok(())
}

#[test]
fn misuse_is_an_error_of_the_first_step() -> Result<()> {
    let batch = data(0, 6);
    let mut net = net();
    let mut asks = Adam::new(0.1).compile(|net: &Net, tape, [x, y]| {
        let loss = loss(net, tape, [x, y]);
        loss * loss.item::<f32>().unwrap_or(1.0)
    });
    let error = asks.run(&mut net, [&batch.0, &batch.1]).unwrap_err();
    assert!(error.to_string().contains("a value was asked for"), "{error}");
    let mut many = Adam::new(0.1).compile(|net: &Net, _, [x]| net.forward(x));
    assert!(many.run(&mut net, [&batch.0]).unwrap_err().to_string().contains("single number"));
    let mut none = Adam::new(0.1).compile(|_: &Net, _, [x]| x.square().mean());
    assert!(none.run(&mut net, [&batch.0]).unwrap_err().to_string().contains("took part"));
    let mut group = Adam::new(0.1).learning_rate_of("tail", 0.2).compile(loss);
    assert!(group.run(&mut net, [&batch.0, &batch.1]).unwrap_err().to_string().contains("`tail`"));
    let mut count = 0;
    each(&net, &mut |_, _| count += 1);
    assert!(count > 0);
    Ok(())
}

#[test]
fn a_step_may_move_to_another_thread() -> Result<()> {
    fn send<T: Send>(value: T) -> T {
        value
    }
    let (mut net, batch) = (net(), data(0, 6));
    let mut step = Adam::new(0.01).compile(loss);
    step.run(&mut net, [&batch.0, &batch.1])?;
    let mut step = send(step);
    let handle = std::thread::spawn(move || step.run(&mut net, [&batch.0, &batch.1]).is_ok());
    assert!(handle.join().unwrap());
    Ok(())
}
