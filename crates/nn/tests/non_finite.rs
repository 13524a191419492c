//! A step of training tells which op spoilt it, by layer and line, and leaves the model as it was.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

extern crate wengert_nn as wengert;

use wengert_autograd::debug::{catch_non_finite, last_non_finite};
use wengert_autograd::{Tape, Var};
use wengert_nn::layer::Layer;
use wengert_nn::layers::dense::Dense;
use wengert_nn::module::Module;
use wengert_nn::optim::adam::Adam;
use wengert_tensor::error::{ErrorKind, Result};
use wengert_tensor::random::Seed;
use wengert_tensor::tensor::Tensor;

#[derive(Module)]
struct Net {
    body: Dense,
    head: Dense,
}

impl Layer for Net {
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = x.tape().scope("Net");
        // The logarithm of a negative number.
        self.head.forward((self.body.forward(x).square() - 10.0).log())
    }
}

fn net() -> Result<Net> {
    Net { body: Dense::new(2, 4), head: Dense::new(4, 1) }.init(Seed(1))
}

#[test]
fn a_step_names_the_op_and_changes_nothing() -> Result<()> {
    let (mut net, mut adam) = (net()?, Adam::new(1e-3));
    let before = net.body.weight.value().clone();
    let x = Tensor::from([[1f32, 2.0]]);
    let mut step = |net: &mut Net| {
        let tape = Tape::training(0u64);
        let loss = net.forward(tape.input(&x)).square().mean();
        adam.step(net, loss.backward())
    };
    let error = catch_non_finite(|| step(&mut net)).unwrap_err();
    assert_eq!((error.kind(), error.op_name(), error.path()), (ErrorKind::NonFinite, Some("log"), Some("Net")));
    assert!(error.location().unwrap().file().ends_with("non_finite.rs"), "{error}");
    assert!(error.to_string().contains("4 NaN among 4"), "{error}");
    assert!(net.body.weight.value().equals(&before));
    let found = last_non_finite().unwrap();
    assert!(found.inputs[0].1.to_f64_vec().iter().all(|x| *x < 0.0));
    // Off, the step is what it always was.
    assert!(step(&mut net)?.is_nan());
    assert!(net.body.weight.value().has_nan());
    Ok(())
}

#[test]
fn a_compiled_step_names_the_op_and_changes_nothing() -> Result<()> {
    let mut net = net()?;
    let mut step = Adam::new(1e-3).compile(|net: &Net, _, [x]| net.forward(x).square().mean());
    let large = Tensor::from([[100f32, 200.0]]);
    catch_non_finite(|| step.run(&mut net, [&large]))?;
    let before = net.body.weight.value().clone();
    let small = Tensor::from([[0.1f32, 0.2]]);
    let line = line!() + 1;
    let error = catch_non_finite(|| step.run(&mut net, [&small])).unwrap_err();
    assert_eq!((error.kind(), error.op_name(), error.path()), (ErrorKind::NonFinite, Some("log"), Some("Net")));
    assert!(error.to_string().contains("4 NaN among 4") && error.location().unwrap().line() != line, "{error}");
    assert!(net.body.weight.value().equals(&before));
    assert_eq!(step.optimizer().steps(), 1);
    assert!(last_non_finite().unwrap().inputs[0].1.to_f64_vec().iter().all(|x| *x < 0.0));
    // It goes on with what is finite.
    catch_non_finite(|| step.run(&mut net, [&large]))?;
    assert_eq!(step.optimizer().steps(), 2);
    Ok(())
}

#[test]
fn a_program_names_the_op() -> Result<()> {
    let x = Tensor::from([4f32, 1.0]);
    let mut root = wengert_autograd::Program::new([&x], |_, [x]| [x.log().sum()])?;
    catch_non_finite(|| root.run([&x]))?;
    let error = catch_non_finite(|| root.run([&Tensor::from([4f32, -1.0])])).unwrap_err();
    assert_eq!((error.kind(), error.op_name()), (ErrorKind::NonFinite, Some("log")));
    assert!(root.run([&Tensor::from([4f32, -1.0])])?[0].has_nan());
    Ok(())
}

#[test]
fn a_trainer_names_the_op_the_layer_and_the_samples() -> Result<()> {
    use wengert_nn::losses::mean_squared_error::MeanSquaredError;
    use wengert_nn::train::trainer::Trainer;
    let data = (Tensor::from([[100f32, 200.0], [300.0, 100.0], [0.1, 0.2]]), Tensor::from([[1f32], [1.0], [1.0]]));
    let mut net = net()?;
    let mut trainer = Trainer::new(Adam::new(1e-3), MeanSquaredError::new()).batch_size(1).epochs(1).verbose(false);
    trainer = trainer.shuffle(false);
    let error = catch_non_finite(|| trainer.fit(&mut net, &data)).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::NonFinite, Some("Net")), "{error}");
    let text = error.to_string();
    assert!(text.contains("log") && text.contains("3 of its epoch: samples 2"), "{text}");
    // The two steps before stay, this one is not made.
    assert!(!net.body.weight.value().has_nan());
    // Also where the validation finds it.
    let train = (data.0.slice(0, 0..2)?, data.1.slice(0, 0..2)?);
    let mut trainer = Trainer::new(Adam::new(1e-3), MeanSquaredError::new()).epochs(1).verbose(false);
    trainer = trainer.validation(&data);
    let error = catch_non_finite(|| trainer.fit(&mut net, &train)).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::NonFinite, Some("Net")), "{error}");
    Ok(())
}

#[cfg(feature = "files")]
#[test]
fn what_was_found_is_saved_and_computed_again() -> Result<()> {
    use wengert_nn::files::archive::Archive;
    let folder = std::env::temp_dir().join(format!("wengert-replay-{}", std::process::id()));
    let path = folder.join("found.safetensors");
    let tape = Tape::new();
    let y = {
        let _scope = tape.scope("Layer");
        tape.input(&Tensor::from([1f32, 0.0])).recip()
    };
    catch_non_finite(|| y.value()).unwrap_err();
    let found = last_non_finite().unwrap();
    wengert_nn::replay::save_non_finite(&path, &found)?;
    let file = Archive::open(&path)?;
    let input = file.tensor(file.names().find(|name| name.starts_with("0.")).unwrap())?;
    let again = Tape::new();
    assert!(again.input(&input).recip().value()?.equals(&file.tensor("output")?));
    let text = |name: &str| String::from_utf8(file.tensor(name).unwrap().to_vec::<u8>().unwrap()).unwrap();
    assert_eq!((text("text.name").as_str(), text("text.layer").as_str()), ("recip", "Layer"));
    assert!(text("text.at").contains("non_finite.rs"));
    std::fs::remove_dir_all(folder).ok();
    Ok(())
}
