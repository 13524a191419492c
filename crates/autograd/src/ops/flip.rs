//! `flip`: an axis backwards.
//!
//! y[…, i, …] = x[…, n − 1 − i, …]
//!
//! * shape: unchanged
//! * dtypes: all
//! * derivative: linear; the cotangent is flipped

use crate::batch::Batch;
use crate::class::{Class, View};
use crate::graph::{Derivative, Op, Var};
use crate::meta::{Meta, operands};
use crate::sample::{Entry, Sample};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::layout::Layout;
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// An axis backwards.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Flip {
    /// The axis.
    pub axis: usize,
}

impl Op for Flip {
    fn name(&self) -> &'static str {
        "flip"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        match self.axis < x.shape.rank() {
            true => Ok(x.clone()),
            false => Err(Error::axis(format!("axis {} is out of range for {}", self.axis, x.shape))),
        }
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::View(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Linear
    }

    fn transpose<'t>(&self, _i: usize, _x: &[Var<'t>], ct: Var<'t>) -> Option<Var<'t>> {
        Some(ct.then(Flip { axis: self.axis }))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(Flip { axis: self.axis + 1 })
    }
}

impl View for Flip {
    fn view(&self, input: &Layout, _out: &Shape) -> Option<Layout> {
        input.flip(self.axis).ok()
    }
}

impl<'t> Var<'t> {
    /// An axis backwards.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[1i64, 2, 3], [4, 5, 6]]).apply(|x| x.flip(-1))?;
    /// assert_eq!(y.to_vec::<i64>()?, [3, 2, 1, 6, 5, 4]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "rev")]
    #[track_caller]
    pub fn flip(self, axis: isize) -> Var<'t> {
        match self.shape().axis(axis) {
            Ok(axis) => self.then(Flip { axis }),
            Err(error) => self.reject("flip", error),
        }
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[1.0f64, 2.0, 3.0], [4.0, 5.0, 6.0]])];
    vec![Entry::new(
        "flip",
        "flip.rs",
        vec![
            Sample::new("last", x(), |_, x| x[0].flip(-1)).gives([3., 2., 1., 6., 5., 4.]),
            Sample::new("first", x(), |_, x| x[0].flip(0) * x[0].square()),
            Sample::new("with a step", x(), |_, x| x[0].flip(1).slice_step(1, .., 2)).gives([3., 1., 6., 4.]),
        ],
    )]
}
