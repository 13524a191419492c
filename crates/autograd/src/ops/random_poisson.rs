//! `poisson`: random counts of events that happen at a rate.
//!
//! P(k; λ) = λᵏ e^(−λ) / k!. By products of uniform numbers where λ < 10 (Knuth), by transformed rejection elsewhere (Hörmann 1993).
//!
//! * operands: the key, a rank-0 i64; and the rates λ ≥ 0, f32 or f64
//! * shape: that of the rates; dtype: i64
//! * derivative: none: counts jump

use crate::batch::{Batch, Randomness};
use crate::class::Class;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::views;
use crate::meta::{Meta, operands};
use crate::ops::random::key;
use crate::reals::{EACH_NS, Reals, reals};
use crate::sample::{Accuracy, Entry, Sample};
use std::f64::consts::PI;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::threads::in_parts;
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::random::{Key, uniform_f64};
use wengert_tensor::tensor::Tensor;

/// Draws; the operands are the key and the rates.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct RandomPoisson {
    /// Which stream of the key.
    pub stream: u64,
    /// After so many elements the same numbers come again: those of one example.
    pub period: Option<usize>,
}

/// The largest rate whose counts are exact in f64.
const LARGEST: f64 = 1e15;

impl Op for RandomPoisson {
    fn name(&self) -> &'static str {
        "poisson"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["key", "rate"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [_key, rate] = operands(inputs)?;
        reals(rate)?;
        Ok(rate.with_dtype(DType::I64))
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::None("counts jump")
    }

    fn key(&self) -> Option<usize> {
        Some(0)
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        let (key, rate) = (x.operand(0)?.0, x.mapped(1)?);
        let period = match x.randomness() {
            Randomness::Different => self.period,
            Randomness::Same => Some(self.period.unwrap_or(rate.len() / x.size().max(1))),
        };
        Some(x.tape().record(RandomPoisson { stream: self.stream, period }, &[key, rate]))
    }
}

impl Kernel for RandomPoisson {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [bits, rate] = views(inputs)?;
        let key = key(bits, self.stream)?;
        let one = |i: usize, rate: f64| {
            if rate.is_nan() || !(0.0..=LARGEST).contains(&rate) {
                let error = Error::value(format!("a rate of {rate} at element {i}"));
                return Err(error.help("it is a number from 0 to 1e15"));
            }
            let i = self.period.map_or(i, |period| i % period.max(1));
            Ok(draw(key.fold(i as u64), rate))
        };
        let rates = Reals::of(rate)?;
        in_parts(out.as_mut_slice::<i64>()?, 1, EACH_NS, |first, part| {
            (first..).zip(part).try_for_each(|(i, to)| one(i, rates.at(i)).map(|y| *to = y))
        })
    }
}

/// One count for one key.
fn draw(key: Key, rate: f64) -> i64 {
    let mut at = 0;
    let mut uniform = || {
        at += 1;
        1.0 - uniform_f64(key, at)
    };
    if rate < 10.0 {
        let end = (-rate).exp();
        let mut product = uniform();
        let mut count = 0;
        while product > end {
            product *= uniform();
            count += 1;
        }
        return count;
    }
    let spread = 0.931 + 2.53 * rate.sqrt();
    let a = -0.059 + 0.02483 * spread;
    let scale = 1.1239 + 1.1328 / (spread - 3.4);
    let sure = 0.9277 - 3.6224 / (spread - 2.0);
    loop {
        let u = uniform() - 0.5;
        let v = uniform();
        let us = 0.5 - u.abs();
        let k = ((2.0 * a / us + spread) * u + rate + 0.43).floor();
        if us >= 0.07 && v <= sure {
            return k as i64;
        }
        if k < 0.0 || (us < 0.013 && v > us) {
            continue;
        }
        if (v * scale / (a / (us * us) + spread)).ln() <= k * rate.ln() - rate - log_factorial(k) {
            return k as i64;
        }
    }
}

/// ln k!, by Stirling's series.
fn log_factorial(k: f64) -> f64 {
    if k < 10.0 {
        return (2..=k as u64).map(|i| (i as f64).ln()).sum();
    }
    let inverse = 1.0 / k;
    let rest = inverse * (1.0 / 12.0 - inverse * inverse * (1.0 / 360.0 - inverse * inverse / 1260.0));
    k * k.ln() - k + 0.5 * (2.0 * PI * k).ln() + rest
}

pub(super) fn entries() -> Vec<Entry> {
    vec![
        Entry::new(
            "poisson",
            "random_poisson.rs",
            vec![
                Sample::new("f64", [Tensor::from([0.0f64, 0.3, 5.0, 9.9, 10.0, 80.0, 1e12])], |tape, x| {
                    tape.random().poisson(x[0].abs())
                }),
                Sample::new("f32", [Tensor::from([[0.5f32, 20.0]])], |tape, x| tape.random().poisson(x[0])),
            ],
        )
        .accuracy(Accuracy::Stated("a draw: a whole number of the distribution")),
    ]
}
