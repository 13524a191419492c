//! `broadcast_to`: axes of size 1 repeated, and new axes in front.
//!
//! * shape: as given; aligned at the last axis, a size is equal or was 1 or missing
//! * dtypes: all
//! * derivative: linear; the cotangent is summed over what was repeated

use crate::batch::{Batch, stacked};
use crate::class::{Class, View};
use crate::graph::{Derivative, Op, Var};
use crate::meta::{Meta, operands};
use crate::sample::{Entry, Sample};
use crate::var::repeats_to;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::layout::Layout;
use wengert_tensor::shape::{Axes, IntoShape, Shape};
use wengert_tensor::tensor::Tensor;

/// Repeats to a shape.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Broadcast {
    /// The shape of the result.
    pub shape: Shape,
}

impl Op for Broadcast {
    fn name(&self) -> &'static str {
        "broadcast_to"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        match repeats_to(&x.shape, &self.shape) {
            true => Ok(x.with_shape(self.shape.clone())),
            false => Err(Error::shape(format!("{} does not broadcast to {}", x.shape, self.shape))
                .help("aligned at the last axis, each size must be equal, or 1, or missing")),
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

    fn transpose<'t>(&self, _i: usize, x: &[Var<'t>], ct: Var<'t>) -> Option<Var<'t>> {
        let from = x[0].shape();
        let new = self.shape.rank() - from.rank();
        let repeated = |axis: usize| axis < new || from.get(axis - new) != self.shape.get(axis);
        let axes: Axes = (0..self.shape.rank()).filter(|&axis| repeated(axis)).collect();
        Some(ct.sum_over(axes).reshape(from))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        let from = x.mapped(0)?;
        let shape = stacked(x.size(), &self.shape)?;
        // The axis of the examples stays in front of the axes that the example does not have.
        let mut dims: Axes = from.shape().iter().copied().collect();
        while dims.len() < shape.rank() {
            dims.insert(1, 1);
        }
        Some(from.reshape(dims).then(Broadcast { shape }))
    }
}

impl View for Broadcast {
    fn view(&self, input: &Layout, out: &Shape) -> Option<Layout> {
        input.broadcast_to(out).ok()
    }
}

impl<'t> Var<'t> {
    /// This value repeated to a larger shape, by NumPy's rule.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1i64, 2]).apply(|x| x.broadcast_to([2, 2]))?;
    /// assert_eq!(y.to_vec::<i64>()?, [1, 2, 1, 2]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias("expand", "expand_as"))]
    #[track_caller]
    pub fn broadcast_to(self, shape: impl IntoShape) -> Var<'t> {
        match shape.into_shape() {
            Ok(shape) if shape == self.shape() => self,
            Ok(shape) => self.then(Broadcast { shape }),
            Err(error) => self.reject("broadcast_to", error),
        }
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[1.0f64], [2.0]])];
    vec![Entry::new(
        "broadcast_to",
        "broadcast.rs",
        vec![
            Sample::new("inner", x(), |_, x| x[0].broadcast_to([2, 3]))
                .gives([1., 1., 1., 2., 2., 2.])
                .slopes([3., 3.]),
            Sample::new("both and new", x(), |_, x| x[0].broadcast_to([2, 2, 2]).square()),
            Sample::new("scalar", [Tensor::from(3.0f64)], |_, x| x[0].broadcast_to([2, 2]).exp()),
            Sample::new("to nothing", x(), |_, x| x[0].broadcast_to([2, 0])).slopes([0.0, 0.0]),
            Sample::new("mask", [Tensor::from([true, false])], |_, x| x[0].broadcast_to([2, 2]))
                .gives([1., 0., 1., 0.]),
        ],
    )]
}
