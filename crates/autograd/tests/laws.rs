//! The laws that every op obeys, as loops over the roll. A new op is tested by being in the roll.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod roll;

use roll::{bits, close, every_case, record, roll, text, weighed};
use std::collections::BTreeSet;
use wengert_autograd::sample::Sample;
use wengert_autograd::{Tape, Var, compose, ops, plan_clear, reference, without_fusion};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::kernels::scalar::ScalarFn;
use wengert_tensor::kernels::threads::with_threads;
use wengert_tensor::random::{Key, normal_f64};
use wengert_tensor::tensor::Tensor;

/// The files of optional features, and whether these are on.
const OPTIONAL: &[(bool, &[&str])] = &[
    (cfg!(feature = "fft"), &["fft.rs", "fourier.rs"]),
    (
        cfg!(feature = "linalg"),
        &[
            "cholesky.rs",
            "cofactor.rs",
            "det.rs",
            "determinant.rs",
            "eigh.rs",
            "lu.rs",
            "matrix.rs",
            "matrix_exp.rs",
            "pinv.rs",
            "qr.rs",
            "solve.rs",
            "svd.rs",
            "triangular_solve.rs",
        ],
    ),
];

#[test]
fn the_roll_is_complete() {
    for (folder, roll) in [("ops", ops::roll()), ("compose", compose::roll())] {
        let files: BTreeSet<String> = std::fs::read_dir(format!("{}/src/{folder}", env!("CARGO_MANIFEST_DIR")))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !["mod.rs", "elementwise.rs"].contains(&name.as_str()))
            .filter(|name| !OPTIONAL.iter().any(|(built, files)| !built && files.contains(&name.as_str())))
            .collect();
        let rolled: BTreeSet<String> = roll.iter().map(|entry| entry.file.to_string()).collect();
        assert_eq!(files, rolled, "files in {folder}/ and files of the roll");
    }

    let names: Vec<&str> = roll().map(|entry| entry.op).collect();
    for function in ScalarFn::ALL {
        assert!(names.contains(&function.name()), "`{}` has no row", function.name());
    }
    let unique: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(unique.len(), names.len(), "an op is in the roll twice");
    for entry in roll() {
        assert!(!entry.samples.is_empty(), "`{}` has no case", entry.op);
    }
}

#[test]
fn the_result_has_the_shape_and_dtype_that_the_rule_said() {
    every_case(|_, sample| {
        let tape = Tape::with_key(1);
        let (_, y) = record(&tape, sample, &sample.inputs);
        let meta = y.meta();
        let value = y.value().map_err(text)?;
        match (value.shape(), value.dtype()) == (&meta.shape, meta.dtype) {
            true => Ok(()),
            false => Err(format!("{meta} said, {} {} given", value.shape(), value.dtype())),
        }
    });
}

#[test]
fn known_results() {
    every_case(|_, sample| {
        let tape = Tape::with_key(1);
        let (x, y) = record(&tape, sample, &sample.inputs);
        if let Some(expected) = &sample.expected {
            let value = y.value().map_err(text)?.to_f64_vec();
            let same = value.len() == expected.len() && value.iter().zip(expected).all(|(a, b)| close(*a, *b, 1e-12));
            if !same {
                return Err(format!("gives {value:?}, not {expected:?}"));
            }
        }
        if let Some(expected) = &sample.gradient {
            let dx = tape.grad(y.cast(DType::F64).sum(), x[0]).value().map_err(text)?.to_f64_vec();
            let same = dx.len() == expected.len() && dx.iter().zip(expected).all(|(a, b)| close(*a, *b, 1e-12));
            if !same {
                return Err(format!("has the gradient {dx:?}, not {expected:?}"));
            }
        }
        Ok(())
    });
}

/// The executor and the evaluator that goes op by op agree, in values and gradients.
#[test]
fn the_plan_gives_what_op_by_op_gives() {
    every_case(|_, sample| {
        let tape = Tape::with_key(1);
        let (x, y) = record(&tape, sample, &sample.inputs);
        let mut outputs = vec![y];
        if y.dtype().is_float() {
            let floats: Vec<Var<'_>> = x.into_iter().filter(|x| x.dtype().is_float()).collect();
            outputs.extend(tape.grad(y.cast(DType::F64).sum(), floats));
        }
        let oracle = reference::evaluate(&outputs).map_err(text)?;
        let planned = tape.eval(&outputs).map_err(text)?;
        // What was rounded to few bits on the way cannot agree to more.
        let listing = tape.to_string();
        let steps = [("bf16", 2e-2), (" f16", 2e-3), ("f32", 5e-7)];
        let tolerance = steps.iter().find(|(name, _)| listing.contains(name)).map_or(1e-14, |(_, step)| *step);
        for (i, (oracle, planned)) in oracle.iter().zip(&planned).enumerate() {
            let (a, b) = (oracle.to_f64_vec(), planned.to_f64_vec());
            let tolerance = if oracle.dtype().is_float() { tolerance } else { 0.0 };
            if a.len() != b.len() || !a.iter().zip(&b).all(|(a, b)| close(*a, *b, tolerance)) {
                return Err(format!("output {i}: the plan gives\n{planned}\nand op by op\n{oracle}"));
            }
        }
        Ok(())
    });
}

/// What is differentiated: the case itself, or the slope of the case in a direction.
fn slope<'t>(tape: &'t Tape, sample: &Sample, inputs: &[Tensor], order: u32) -> (Vec<Var<'t>>, Var<'t>) {
    let (x, y) = record(tape, sample, inputs);
    let mut value = weighed(tape, y);
    let floats: Vec<Var<'t>> = x.iter().copied().filter(|x| x.dtype().is_float()).collect();
    for _ in 1..order {
        let parts = tape.grad(value, &floats);
        value = parts.into_iter().map(|part| weighed(tape, part)).reduce(|a, b| a + b).unwrap();
    }
    (floats, value)
}

/// Central differences in one random direction, to order 3, in f64.
#[test]
fn derivatives_agree_with_differences() {
    every_case(|_, sample| {
        let smooth = sample.inputs.iter().all(|input| !input.dtype().is_float() || input.dtype() == DType::F64);
        let any = sample.inputs.iter().any(|input| input.dtype() == DType::F64);
        if !smooth || !any || sample.smooth == 0 {
            return Ok(());
        }
        // Indices and truth values jump; nothing flows through them.
        let tape = Tape::with_key(1);
        if !record(&tape, sample, &sample.inputs).1.dtype().is_float() {
            return Ok(());
        }
        for order in 1..=sample.smooth {
            let direction = |i: usize, input: &Tensor| {
                Tensor::from_fn(input.shape(), |j| normal_f64(Key::new(7 + i as u64), j as u64)).unwrap()
            };
            let moved = |by: f64| -> Result<f64, String> {
                let inputs: Vec<Tensor> = sample
                    .inputs
                    .iter()
                    .enumerate()
                    .map(|(i, input)| {
                        if !input.dtype().is_float() {
                            return input.clone();
                        }
                        let (x, d) = (input.to_f64_vec(), direction(i, input).to_f64_vec());
                        let moved: Vec<f64> = x.iter().zip(&d).map(|(x, d)| x + by * d).collect();
                        Tensor::new(moved, input.shape()).unwrap()
                    })
                    .collect();
                let tape = Tape::with_key(1);
                let (_, value) = slope(&tape, sample, &inputs, order);
                value.item::<f64>().map_err(text)
            };
            let step = 1e-4;
            let wide = (moved(2.0 * step)? - moved(-2.0 * step)?) / (4.0 * step);
            let narrow = (moved(step)? - moved(-step)?) / (2.0 * step);
            let difference = (4.0 * narrow - wide) / 3.0;

            let tape = Tape::with_key(1);
            let (x, value) = slope(&tape, sample, &sample.inputs, order);
            let mut rule = 0.0;
            let floats = sample.inputs.iter().enumerate().filter(|(_, input)| input.dtype().is_float());
            for ((i, input), dx) in floats.zip(tape.grad(value, &x)) {
                let dx = dx.value().map_err(text)?.to_f64_vec();
                rule += dx.iter().zip(direction(i, input).to_f64_vec()).map(|(a, b)| a * b).sum::<f64>();
            }
            if !close(rule, difference, 1e-6) {
                return Err(format!("order {order}: the rule says {rule}, the difference {difference}"));
            }
        }
        Ok(())
    });
}

/// Again, fused and unfused, alone and together, on any number of threads: the same bits.
#[test]
fn bits_do_not_depend_on_how_they_are_computed() {
    every_case(|_, sample| {
        let compute = |alone: bool| -> Result<Vec<Tensor>, String> {
            let tape = Tape::with_key(1);
            let (x, y) = record(&tape, sample, &sample.inputs);
            let mut wanted = vec![y];
            if y.dtype().is_float() {
                let floats: Vec<Var<'_>> = x.into_iter().filter(|x| x.dtype().is_float()).collect();
                wanted.extend(tape.grad(y.cast(DType::F64).sum(), floats));
            }
            match alone {
                true => wanted.iter().map(|var| var.value().map_err(text)).collect(),
                false => tape.eval(wanted).map_err(text),
            }
        };
        plan_clear();
        let cold = bits(&compute(false)?);
        let check = |how: &str, values: Vec<Tensor>| match bits(&values) == cold {
            true => Ok(()),
            false => Err(format!("other bits {how}")),
        };
        check("by a warm plan", compute(false)?)?;
        check("one value at a time", compute(true)?)?;
        check("unfused", without_fusion(|| compute(false))?)?;
        for threads in [1, 2, 3, 7, 16] {
            check(&format!("on {threads} threads"), with_threads(threads, || compute(false))?)?;
        }
        Ok(())
    });
}

#[test]
fn a_zero_cotangent_gives_zeros() {
    every_case(|_, sample| {
        let tape = Tape::with_key(1);
        let (x, y) = record(&tape, sample, &sample.inputs);
        if !y.dtype().is_float() {
            return Ok(());
        }
        let floats: Vec<Var<'_>> = x.into_iter().filter(|x| x.dtype().is_float()).collect();
        for dx in tape.grad_with(y, y.zeros_like(), &floats) {
            let dx = dx.value().map_err(text)?.to_f64_vec();
            if dx.iter().any(|&x| x != 0.0) {
                return Err(format!("{dx:?}"));
            }
        }
        Ok(())
    });
}

/// A function whose value or slope is infinite or NaN, in a branch that is not chosen, sends back zeros.
#[test]
fn a_masked_branch_sends_back_zeros() {
    let bad = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -1.0, 1.0, 1e300];
    for entry in ops::roll().into_iter().filter(|entry| entry.file == "unary.rs" || entry.file == "binary.rs") {
        let Some(sample) = entry.samples.iter().find(|sample| sample.name == "f64") else { continue };
        for first in bad {
            for second in bad {
                let tape = Tape::new();
                let x: Vec<Var<'_>> =
                    [first, second].iter().take(sample.inputs.len()).map(|x| tape.input(&Tensor::from([*x]))).collect();
                let y = (sample.run)(&tape, &x);
                if !y.dtype().is_float() {
                    continue;
                }
                let masked = y.select(false, 0.0).sum();
                for dx in tape.grad(masked, &x) {
                    assert_eq!(dx.item::<f64>().unwrap(), 0.0, "{} at {first}, {second}", entry.op);
                }
            }
        }
    }
}

#[test]
fn recording_twice_gives_the_same_graph() {
    every_case(|_, sample| {
        let hashes = || {
            let tape = Tape::with_key(1);
            let (x, y) = record(&tape, sample, &sample.inputs);
            let floats: Vec<Var<'_>> = x.into_iter().filter(|x| x.dtype().is_float()).collect();
            if y.dtype().is_float() {
                tape.grad_with(y, y.ones_like(), &floats);
            }
            tape.structure()
        };
        match hashes() == hashes() {
            true => Ok(()),
            false => Err("the structural hashes differ".to_string()),
        }
    });
}
