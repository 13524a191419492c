//! `sum`: over any axes.
//!
//! y = Σ x over the axes. The order of the additions is one tree, fixed by the shape alone.
//!
//! * shape: without the axes
//! * dtypes: all numbers; integers wrap; bf16 and f16 are summed in f32 and rounded once
//! * derivative: linear; the cotangent is repeated

use crate::axes::{IntoAxes, reduced};
use crate::batch::{Batch, shifted};
use crate::class::Class;
use crate::graph::{Derivative, Op, Var};
use crate::meta::{Meta, operands};
use crate::sample::{Accuracy, Entry, Sample};
use wengert_tensor::error::Result;
use wengert_tensor::kernels::scalar::ReduceFn;
use wengert_tensor::shape::Axes;
use wengert_tensor::tensor::Tensor;

/// The sum over axes, which are sorted.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Sum {
    /// Over these.
    pub axes: Axes,
}

impl Op for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        reduced(x, ReduceFn::Sum, &self.axes)
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Reduce { kind: ReduceFn::Sum, axes: &self.axes }
    }

    fn derivative(&self) -> Derivative {
        Derivative::Linear
    }

    fn transpose<'t>(&self, _i: usize, x: &[Var<'t>], ct: Var<'t>) -> Option<Var<'t>> {
        Some(ct.spread(&x[0].shape(), &self.axes))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(Sum { axes: shifted(&self.axes) })
    }
}

impl<'t> Var<'t> {
    /// Over axes that are known to be right.
    #[track_caller]
    pub(crate) fn sum_over(self, axes: Axes) -> Var<'t> {
        match axes.is_empty() {
            true => self,
            false => self.then(Sum { axes }),
        }
    }

    /// The sum of all elements; 0 where there are none.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]).apply(|x| x.sum())?;
    /// assert_eq!(y.item::<f32>()?, 10.0);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn sum(self) -> Var<'t> {
        self.sum_over(self.all_axes())
    }

    /// The sum over some axes: `x.sum_axes(0)`, `x.sum_axes([0, -1])`.
    #[track_caller]
    pub fn sum_axes(self, axes: impl IntoAxes) -> Var<'t> {
        match self.resolve("sum", axes) {
            Some(axes) => self.sum_over(axes),
            None => self.tape.poison(),
        }
    }

    /// As [`Var::sum_axes`], with the axes kept at size 1.
    #[track_caller]
    pub fn sum_keep(self, axes: impl IntoAxes) -> Var<'t> {
        match self.resolve("sum", axes) {
            Some(axes) => self.sum_over(axes.clone()).keeping(&self.shape(), &axes),
            None => self.tape.poison(),
        }
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[[1.0f64, 2.0, 3.0], [4.0, 5.0, 6.0]], [[7.0, 8.0, 9.0], [1.5, 2.5, 3.5]]])];
    vec![
        Entry::new(
            "sum",
            "sum.rs",
            vec![
                Sample::new("all", x(), |_, x| x[0].sum()).gives([52.5]).slopes([1.0; 12]),
                Sample::new("last", x(), |_, x| x[0].sum_axes(-1).square()),
                Sample::new("first", x(), |_, x| x[0].sum_axes(0).exp()),
                Sample::new("middle", x(), |_, x| x[0].sum_axes(1)).gives([5., 7., 9., 8.5, 10.5, 12.5]),
                Sample::new("two, kept", x(), |_, x| x[0].sum_keep([0, 2]) * x[0]),
                Sample::new("no axis", x(), |_, x| x[0].sum_axes([])),
                Sample::new("of nothing", x(), |_, x| x[0].slice(1, ..0).sum_axes(1)).gives([0.0; 6]).slopes([0.0; 12]),
                Sample::new("i64", [Tensor::from([1i64, 2, 3])], |_, x| x[0].sum()).gives([6.0]),
                Sample::new("long", [], |tape, _| tape.iota([1000], 0, wengert_tensor::dtype::DType::F32).sum())
                    .gives([499500.0]),
            ],
        )
        .accuracy(Accuracy::Sum),
    ]
}
