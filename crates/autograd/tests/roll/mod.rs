//! The roll of ops and compositions as the laws walk over it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use wengert_autograd::sample::{Entry, Sample};
use wengert_autograd::{Tape, Var, compose, ops};
use wengert_tensor::dtype::DType;
use wengert_tensor::random::{Key, normal_f64};
use wengert_tensor::tensor::Tensor;

/// The ops, and what is composed of them.
pub(crate) fn roll() -> impl Iterator<Item = Entry> {
    ops::roll().into_iter().chain(compose::roll())
}

/// Runs a law on every case of the roll, and tells all that break it.
pub(crate) fn every_case(law: impl Fn(&str, &Sample) -> Result<(), String>) {
    let mut broken = Vec::new();
    for entry in roll() {
        for sample in &entry.samples {
            match catch_unwind(AssertUnwindSafe(|| law(entry.op, sample))) {
                Ok(Ok(())) => {}
                Ok(Err(why)) => broken.push(format!("{} ({}): {why}", entry.op, sample.name)),
                Err(_) => broken.push(format!("{} ({}): panicked", entry.op, sample.name)),
            }
        }
    }
    assert!(broken.is_empty(), "{} cases break the law:\n{}", broken.len(), broken.join("\n"));
}

pub(crate) fn text<E: ToString>(error: E) -> String {
    error.to_string()
}

/// The bits of all numbers in turn, where all NaNs are one.
pub(crate) fn bits(values: &[Tensor]) -> Vec<u64> {
    let numbers = values.iter().flat_map(Tensor::to_f64_vec);
    numbers.map(|x| if x.is_nan() { f64::NAN.to_bits() } else { x.to_bits() }).collect()
}

pub(crate) fn record<'t>(tape: &'t Tape, sample: &Sample, inputs: &[Tensor]) -> (Vec<Var<'t>>, Var<'t>) {
    let x: Vec<Var<'t>> = inputs.iter().map(|input| tape.input(input)).collect();
    let y = (sample.run)(tape, &x);
    (x, y)
}

pub(crate) fn close(a: f64, b: f64, tolerance: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * a.abs().max(b.abs()).max(1.0)
}

/// Σ weights · y with fixed weights, so that no part of the result can cancel another.
pub(crate) fn weighed<'t>(tape: &'t Tape, y: Var<'t>) -> Var<'t> {
    let weights = Tensor::from_fn(y.shape(), |i| 0.5 + normal_f64(Key::new(3), i as u64)).unwrap();
    (y.cast(DType::F64) * tape.input(&weights)).sum()
}
