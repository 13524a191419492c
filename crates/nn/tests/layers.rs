//! Laws of all layers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::{assert_close, assert_on_roll};
use wengert_autograd::Tape;
use wengert_nn::layers::case::Case;
use wengert_nn::layers::roll;
use wengert_nn::module::{Module, each, each_mut};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::random::{Key, normal_f64};
use wengert_tensor::tensor::Tensor;

fn sample(case: &Case, dtype: DType) -> Result<Tensor> {
    Tensor::from_fn(case.input.clone(), |i| normal_f64(Key::new(11), i as u64))?.cast(dtype)
}

#[test]
fn every_file_is_on_the_roll() {
    assert_on_roll("layers", &["case"], roll().iter().map(|case| case.file));
}

#[test]
fn shapes_are_as_promised() -> Result<()> {
    for case in roll() {
        for tape in [Tape::new(), Tape::training(5u64)] {
            let y = case.layer.forward(tape.input(&sample(&case, DType::F32)?));
            assert_eq!(y.shape().dims(), case.output, "{}", case.layer.type_name());
            assert!(!y.value()?.has_nan(), "{}", case.layer.type_name());
        }
    }
    Ok(())
}

#[test]
fn names_are_stable_and_both_walks_agree() {
    for mut case in roll() {
        let (mut read, mut written) = (Vec::new(), Vec::new());
        each(&*case.layer, &mut |path, param| read.push((path.name(), param.id())));
        each_mut(&mut *case.layer, &mut |path, param| written.push((path.name(), param.id())));
        assert_eq!(read, written);
        assert_eq!(read.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), case.names);
    }
}

#[test]
fn a_tree_that_is_written_and_read_predicts_the_same() -> Result<()> {
    for mut case in roll() {
        let x = sample(&case, DType::F32)?;
        let before = case.layer.predict(&x)?;
        let values: Vec<Tensor> = case.layer.state().into_iter().map(|(_, param)| param.value().clone()).collect();
        each_mut(&mut *case.layer, &mut |_, param| {
            let ones = Tensor::ones(param.shape(), param.dtype()).unwrap();
            param.set(ones).unwrap();
        });
        let mut values = values.into_iter();
        each_mut(&mut *case.layer, &mut |_, param| param.set(values.next().unwrap()).unwrap());
        assert!(case.layer.predict(&x)?.equals(&before), "{}", case.layer.type_name());
    }
    Ok(())
}

/// d loss along one random direction of all weights, by the gradients and by central differences.
#[test]
fn gradients_reach_every_parameter_and_are_right() -> Result<()> {
    for mut case in roll() {
        let name = case.layer.type_name();
        each_mut(&mut *case.layer, &mut |_, param| {
            let drawn = Tensor::from_fn(param.shape(), |i| 0.5 + 0.3 * normal_f64(Key::new(3), i as u64)).unwrap();
            param.cast(DType::F64).unwrap();
            param.set(drawn).unwrap();
        });
        let x = sample(&case, DType::F64)?;
        let mix = Tensor::from_fn(case.output.clone(), |i| normal_f64(Key::new(17), i as u64))?;

        let tape = Tape::training(9u64);
        let input = tape.input(&x);
        let loss = (case.layer.forward(input) * &mix).sum();
        let gradients = loss.backward();
        let [dx] = tape.grad(loss, [input]);
        let mut along = dx.value()?.to_f64_vec().iter().enumerate().map(|(i, g)| g * direction(i)).sum::<f64>();
        for (name, param) in case.layer.parameters() {
            let gradient = gradients.get(param.id()).expect(&name).value()?.to_f64_vec();
            assert!(gradient.iter().any(|g| *g != 0.0), "{name} is not reached");
            along += gradient.iter().enumerate().map(|(i, g)| g * direction(i)).sum::<f64>();
        }

        let start: Vec<Tensor> = case.layer.parameters().into_iter().map(|(_, param)| param.value().clone()).collect();
        let mut at = |step: f64| -> Result<f64> {
            let moved = |tensor: &Tensor| {
                let values = tensor.to_f64_vec();
                Tensor::from_fn(tensor.shape(), |i| values[i] + step * direction(i))
            };
            let mut values = start.iter();
            each_mut(&mut *case.layer, &mut |_, param| {
                if param.is_trainable() {
                    param.set(moved(values.next().unwrap()).unwrap()).unwrap();
                }
            });
            let tape = Tape::training(9u64);
            (case.layer.forward(tape.input(&moved(&x)?)) * &mix).sum().item::<f64>()
        };
        let differences = (at(1e-5)? - at(-1e-5)?) / 2e-5;
        assert_close(along, differences, 1e-7, name);
    }
    Ok(())
}

fn direction(i: usize) -> f64 {
    normal_f64(Key::new(23), i as u64)
}
