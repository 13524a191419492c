//! `betainc`: the regularised incomplete beta function.
//!
//! y = ∫₀ˣ tᵃ⁻¹ (1 − t)ᵇ⁻¹ dt / B(a, b), the distribution function of the beta distribution. NaN outside of a, b > 0 and 0 ≤ x ≤ 1.
//!
//! * operands: a, b and x, f32 or f64
//! * shape, dtype: those of all three, after broadcasting
//! * derivative: by x the density, xᵃ⁻¹ (1 − x)ᵇ⁻¹ / B(a, b); by a and b it has no closed form, and to ask for it is an error

use crate::batch::Batch;
use crate::class::Class;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::views;
use crate::meta::{Meta, operands};
use crate::operand::{Like, Operand};
use crate::reals::{each, reals};
use crate::sample::{Accuracy, Entry, Sample};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::math::gamma::betainc;
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::tensor::Tensor;

/// The op; its operands are a, b and x.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Betainc;

impl<'t> Var<'t> {
    /// The regularised incomplete beta function I(x; a, b), where `self` is a, as `jax.lax.betainc`.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([0.0f64, 0.5, 1.0]));
    /// let y = tape.full([], 2.0, x.dtype()).betainc(3.0, x);
    /// let density = tape.grad(y.sum(), x);
    /// assert_eq!(y.value()?.to_vec::<f64>()?, [0.0, 0.6875, 1.0]);
    /// assert!((density.value()?.to_vec::<f64>()?[1] - 1.5).abs() < 1e-12);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "incomplete_beta")]
    #[track_caller]
    pub fn betainc(self, b: impl Operand<'t>, x: impl Operand<'t>) -> Var<'t> {
        let [b, x] = [b.into_var(self.tape, Like::of(self)), x.into_var(self.tape, Like::of(self))];
        match self.shape().broadcast(&b.shape()).and_then(|shape| shape.broadcast(&x.shape())) {
            Ok(shape) => self.tape.record(Betainc, &[self, b, x].map(|var| var.broadcast_to(&shape))),
            Err(_) => self.tape.record(Betainc, &[self, b, x]),
        }
    }
}

impl Op for Betainc {
    fn name(&self) -> &'static str {
        "betainc"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["a", "b", "x"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [a, b, x] = operands(inputs)?;
        reals(a)?;
        if let Some(other) = [b, x].into_iter().find(|other| other.dtype != a.dtype) {
            return Err(Error::dtype(format!("{} beside {}", a.dtype, other.dtype))
                .help("nothing is converted silently; convert one side first: .cast(DType::…)"));
        }
        a.shape.broadcast(&b.shape)?.broadcast(&x.shape)?;
        match a.shape == b.shape && b.shape == x.shape {
            true => Ok(a.clone()),
            false => Err(Error::shape(format!("{}, {} and {} are not broadcast", a.shape, b.shape, x.shape))),
        }
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Composite
    }

    fn pullback<'t>(&self, i: usize, x: &[Var<'t>], _y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        let [a, b, x] = *x.first_chunk()?;
        if i < 2 {
            let error = Error::value("has no derivative by its parameters a and b").help("stop it: .stop_gradient()");
            return Some(ct.tape.reject("betainc", &[("a", a), ("b", b)], error));
        }
        // 0 · ln 0 is 0 where a or b is 1.
        let powers = a.shifted(-1.0).mul_masked(x.log()) + b.shifted(-1.0).mul_masked((-x).log1p());
        let density = (powers + (a + b).lgamma() - a.lgamma() - b.lgamma()).exp();
        Some(ct.mul_masked(density))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(Betainc)
    }
}

impl Kernel for Betainc {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        each(views::<3>(inputs)?, out, |_, [a, b, x]| Ok(betainc(a, b, x)))
    }
}

pub(super) fn entries() -> Vec<Entry> {
    vec![
        Entry::new(
            "betainc",
            "betainc.rs",
            vec![
                Sample::new("by x", [Tensor::from([0.1f64, 0.35, 0.9])], |tape, x| {
                    tape.input(&Tensor::from([0.5f64, 2.0, 12.0])).betainc(3.0, x[0])
                })
                .gives([0.5545844446520294, 0.4370187499999999, 0.84164001871338]),
                Sample::new("ends", [Tensor::from([0.0f64, 1.0, -0.5, 1.5])], |tape, x| {
                    tape.full([], 2.0, x[0].dtype()).betainc(1.0, x[0])
                })
                .kinked()
                .gives([0.0, 1.0, f64::NAN, f64::NAN]),
                Sample::new("f32", [Tensor::from([[0.25f32], [0.75]])], |tape, x| {
                    tape.input(&Tensor::from([0.5f32, 2.0, 12.0])).betainc(3.0, x[0])
                })
                .kinked(),
            ],
        )
        .accuracy(Accuracy::Stated(
            "1e-13 of the value, and of a tail as much as its logarithm is exact; computed in f64",
        )),
    ]
}
