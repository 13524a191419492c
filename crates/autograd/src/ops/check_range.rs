//! `check_range`: numbers, checked to be in range when the plan runs.
//!
//! y = x, or an error where some xᵢ is not in low..=high; NaN passes
//!
//! * shape: unchanged
//! * dtypes: f32, f64
//! * derivative: ∂y/∂x = 1

use crate::batch::Batch;
use crate::class::Class;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::{place, views};
use crate::meta::{Meta, operands};
use crate::reals::{each, reals};
use crate::sample::{Entry, Sample};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

pub(crate) const NAME: &str = "check_range";

/// The identity on numbers in range.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct CheckRange {
    /// The bits of the smallest and of the largest number.
    range: [u64; 2],
    /// What the numbers are, for the error.
    what: &'static str,
}

impl Op for CheckRange {
    fn name(&self) -> &'static str {
        NAME
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        reals(x)?;
        let [low, high] = self.range.map(f64::from_bits);
        if low.is_nan() || high.is_nan() || low > high {
            return Err(Error::value(format!("no number is in {low}..={high}")));
        }
        Ok(x.clone())
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Linear
    }

    fn transpose<'t>(&self, _i: usize, _x: &[Var<'t>], ct: Var<'t>) -> Option<Var<'t>> {
        Some(ct)
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(CheckRange { ..*self })
    }
}

impl Kernel for CheckRange {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [x] = views(inputs)?;
        let [low, high] = self.range.map(f64::from_bits);
        each([x], out, |flat, [value]| match value < low || value > high {
            false => Ok(value),
            true => {
                let (what, at) = (self.what, place(flat, x.shape()));
                Err(Error::value(format!("{what} {value}{at} is outside {low}..={high}")))
            }
        })
    }

    fn flops(&self, _inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        Some(0)
    }
}

impl<'t> Var<'t> {
    /// These numbers, f32 or f64, checked to be in `low..=high` when they are computed; NaN passes. `what` they are stands in the error.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let e = Tensor::from([0.5f32, 1.5]).apply(|x| x.check_range(0.0, 1.0, "probability")).unwrap_err();
    /// assert_eq!(e.message(), "probability 1.5 at 1 is outside 0..=1");
    /// ```
    #[track_caller]
    pub fn check_range(self, low: f64, high: f64, what: &'static str) -> Var<'t> {
        self.then(CheckRange { range: [low.to_bits(), high.to_bits()], what })
    }
}

pub(super) fn entries() -> Vec<Entry> {
    vec![Entry::new(
        "check_range",
        "check_range.rs",
        vec![
            Sample::new("in range", [Tensor::from([[0f64, 1.0], [0.5, -0.0]])], |_, x| {
                x[0].check_range(-1.0, 2.0, "share")
            })
            .gives([0., 1., 0.5, -0.0]),
            Sample::new("one bound", [Tensor::from([1f32, 1e30])], |_, x| {
                x[0].check_range(0.5, f64::INFINITY, "size").square().sqrt()
            }),
        ],
    )]
}
