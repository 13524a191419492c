//! Laws of all layers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;

use support::{assert_close, assert_on_roll, tensors};
use wengert_autograd::{Tape, Var};
use wengert_nn::layers::case::Case;
use wengert_nn::layers::roll;
use wengert_nn::module::{Module, each, each_mut};
use wengert_nn::param::Role;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::random::{Key, normal_f64};
use wengert_tensor::tensor::Tensor;

fn sample(case: &Case, dtype: DType) -> Result<Tensor> {
    match case.below {
        Some(bound) => Tensor::from_fn(case.input.clone(), |i| (i * i + 3 * i) as i64 % bound as i64),
        None => Tensor::from_fn(case.input.clone(), |i| normal_f64(Key::new(11), i as u64))?.cast(dtype),
    }
}

#[test]
fn every_file_is_on_the_roll() {
    let besides = ["attended", "case", "mask", "norm", "parametrization", "running", "stacked", "surround"];
    assert_on_roll("layers", &besides, roll().iter().map(|case| case.file));
}

#[test]
fn shapes_are_as_promised() -> Result<()> {
    for case in roll() {
        for tape in [Tape::new(), Tape::training(5u64)] {
            let y = case.layer.forward(tape.input(&sample(&case, DType::F32)?));
            assert_eq!(y.shape().dims(), case.output, "{}", case.key());
            assert!(!y.value()?.has_nan(), "{}", case.key());
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
        assert_eq!(read.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), case.names, "{}", case.key());
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
        assert!(case.layer.predict(&x)?.equals(&before), "{}", case.key());
    }
    Ok(())
}

/// d loss along one random direction of all weights, by the gradients and by central differences.
#[test]
fn gradients_reach_every_parameter_and_are_right() -> Result<()> {
    for mut case in roll() {
        let name = &case.key();
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
        let mut along = 0.0;
        if case.below.is_none() {
            let [dx] = tape.grad(loss, [input]);
            along += dx.value()?.to_f64_vec().iter().enumerate().map(|(i, g)| g * direction(i)).sum::<f64>();
        }
        for (part, param) in case.layer.parameters() {
            let gradient = gradients.get(param.id()).unwrap_or_else(|| panic!("{name}: {part}")).value()?.to_f64_vec();
            assert!(gradient.iter().any(|g| *g != 0.0), "{name}: {part} is not reached");
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
            let x = if case.below.is_none() { moved(&x)? } else { x.clone() };
            (case.layer.forward(tape.input(&x)) * &mix).sum().item::<f64>()
        };
        let differences = (at(1e-5)? - at(-1e-5)?) / 2e-5;
        assert_close(along, differences, 1e-7, name);
    }
    Ok(())
}

/// Weights and inputs of 64, 32 and 16 bits: the output is of the same dtype in training and out of it, and close to that of f64. (While
/// training, each dtype draws numbers of its own.)
#[test]
fn every_float_dtype_is_taken() -> Result<()> {
    let mut wrong = Vec::new();
    for index in 0..roll().len() {
        let mut exact: Option<Tensor> = None;
        let mut buffers: Vec<Tensor> = Vec::new();
        for (dtype, tolerance) in [(DType::F64, 0.0), (DType::F32, 1e-4), (DType::BF16, 0.2), (DType::F16, 0.05)] {
            let mut case = roll().swap_remove(index);
            let key = format!("{} in {dtype}", case.key());
            let mut place = 0;
            each_mut(&mut *case.layer, &mut |path, param| {
                if !param.dtype().is_float() {
                    return;
                }
                param.cast(dtype).unwrap();
                let value = match param.role() {
                    Role::Weight => {
                        let seed = path.name().bytes().map(u64::from).sum();
                        Tensor::from_fn(param.shape(), |i| 0.2 + 0.3 * normal_f64(Key::new(seed), i as u64)).unwrap()
                    }
                    // What a buffer starts from may be drawn: the same for all dtypes.
                    Role::Buffer => {
                        place += 1;
                        if buffers.len() < place {
                            buffers.push(param.value().clone());
                        }
                        buffers[place - 1].clone()
                    }
                };
                param.set(value.cast(param.dtype()).unwrap()).unwrap();
            });
            let x = sample(&case, DType::F64)?;
            let x = if case.below.is_none() { x.cast(dtype)? } else { x };
            let run = |tape: Tape| case.layer.forward(tape.input(&x)).value();
            let (y, trained) = match (run(Tape::new()), run(Tape::training(5u64))) {
                (Ok(y), Ok(trained)) => (y, trained),
                (Err(error), _) | (_, Err(error)) => {
                    wrong.push(format!("{key}: {error}"));
                    continue;
                }
            };
            let exact = exact.get_or_insert_with(|| y.clone());
            // A layer that makes categories, or takes them, has a dtype of its own for what goes out.
            let chosen = case.file == "discretization" || case.below.is_some() && case.names.is_empty();
            if exact.dtype() == DType::F64 && !chosen && [&y, &trained].iter().any(|y| y.dtype() != dtype) {
                wrong.push(format!("{key}: the output is {}, {}", y.dtype(), trained.dtype()));
            }
            let scale = exact.to_f64_vec().iter().fold(1.0, |scale: f64, value| scale.max(value.abs()));
            let far = y.to_f64_vec().iter().zip(exact.to_f64_vec()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            if far > tolerance * scale || y.has_nan() || trained.has_nan() {
                wrong.push(format!("{key}: off by {far} of {scale}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// The same weights by the same names give the same outputs, gradients and running values as in the library that the case was taken from.
#[test]
fn values_and_gradients_are_those_of_the_reference() -> Result<()> {
    let reference = tensors("layers");
    let mut missing = Vec::new();
    let mut unknown: BTreeSet<&str> = reference.keys().filter_map(|key| key.strip_suffix("/y")).collect();
    for mut case in roll() {
        let key = case.key();
        let given = |part: &str| reference.get(&format!("{key}/{part}"));
        unknown.remove(&*key);
        let (Some(x), Some(y)) = (given("x"), given("y")) else {
            if case.alone.is_none() {
                missing.push(key);
            }
            continue;
        };
        assert!(case.alone.is_none(), "{key} has a reference");
        assert_eq!((x.shape().dims(), y.shape().dims()), (&*case.input, &*case.output), "{key}");
        each_mut(&mut *case.layer, &mut |path, param| {
            let value = given(&format!("parameter.{path}")).unwrap_or_else(|| panic!("{key} lacks {path}"));
            if param.dtype().is_float() {
                param.cast(DType::F64).unwrap();
            }
            param.set(value.clone()).unwrap();
        });
        let tape = if given("training").is_some() { Tape::training(1u64) } else { Tape::new() };
        let input = tape.input(x);
        let output = case.layer.forward(input);
        let loss = (output * given("mix").unwrap()).sum();
        let gradients = loss.backward();
        agree(&key, "y", output, y)?;
        if case.below.is_none() {
            agree(&key, "dx", tape.grad(loss, [input])[0], given("dx").unwrap())?;
        }
        for (name, param) in case.layer.parameters() {
            let ours = gradients.get(param.id()).unwrap_or_else(|| panic!("{key}: no gradient of {name}"));
            agree(&key, &name, ours, given(&format!("gradient.{name}")).unwrap())?;
        }
        for (name, buffer) in case.layer.state() {
            if let (Some(ours), Some(theirs)) = (tape.updated(buffer.id()), given(&format!("after.{name}"))) {
                agree(&key, &name, ours, theirs)?;
            }
        }
    }
    assert!(missing.is_empty(), "without numbers of another library, and without a reason: {missing:?}");
    assert!(unknown.is_empty(), "on no roll: {unknown:?}");
    Ok(())
}

fn agree(case: &str, part: &str, ours: Var<'_>, theirs: &Tensor) -> Result<()> {
    let ours = ours.value().map_err(|error| error.within(case.to_string()))?;
    assert_eq!(ours.shape(), theirs.shape(), "{case}, {part}");
    let scale = theirs.to_f64_vec().iter().fold(1.0, |scale: f64, value| scale.max(value.abs()));
    for (ours, theirs) in ours.to_f64_vec().iter().zip(theirs.to_f64_vec()) {
        assert!((ours - theirs).abs() <= 2e-12 * scale, "{case}, {part}: {ours} is not {theirs}");
    }
    Ok(())
}

fn direction(i: usize) -> f64 {
    normal_f64(Key::new(23), i as u64)
}
