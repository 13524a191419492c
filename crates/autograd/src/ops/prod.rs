//! `prod`: the product over any axes.
//!
//! y = Π x over the axes
//!
//! * shape: without the axes
//! * dtypes: all numbers; integers wrap; bf16 and f16 are multiplied in f32 and rounded once
//! * derivative: the product of all the others, by products alone. So it is exact where elements are zero, to any order.

use crate::axes::{IntoAxes, reduced};
use crate::batch::{Batch, shifted};
use crate::class::Class;
use crate::graph::{Derivative, Op, Var};
use crate::meta::{Meta, operands};
use crate::sample::{Accuracy, Entry, Sample};
use smallvec::SmallVec;
use wengert_tensor::error::Result;
use wengert_tensor::kernels::scalar::ReduceFn;
use wengert_tensor::shape::Axes;
use wengert_tensor::tensor::Tensor;

/// The product over axes, which are sorted.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Prod {
    /// Over these.
    pub axes: Axes,
}

impl Op for Prod {
    fn name(&self) -> &'static str {
        "prod"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        reduced(x, ReduceFn::Prod, &self.axes)
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Reduce { kind: ReduceFn::Prod, axes: &self.axes }
    }

    fn derivative(&self) -> Derivative {
        Derivative::Composite
    }

    fn pullback<'t>(&self, _i: usize, x: &[Var<'t>], _y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        let shape = x[0].shape();
        // The reduced axes go last and become one.
        let kept = (0..shape.rank()).filter(|axis| !self.axes.contains(axis));
        let order: SmallVec<[isize; 4]> = kept.chain(self.axes.iter().copied()).map(|axis| axis as isize).collect();
        let moved = x[0].permute(&order);
        let rows = moved.flatten_from((shape.rank() - self.axes.len()) as isize);
        let others = others(rows).reshape(moved.shape());
        let mut back: SmallVec<[isize; 4]> = (0..order.len() as isize).collect();
        back.sort_unstable_by_key(|&i| order.get(i as usize).copied());
        Some(ct.spread(&shape, &self.axes).mul_masked(others.permute(&back)))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(Prod { axes: shifted(&self.axes) })
    }
}

/// For every element, the product of all others along the last axis: up a tree of halves, and down again.
fn others(x: Var<'_>) -> Var<'_> {
    let size = x.shape().last().copied().unwrap_or_default();
    let mut level = x;
    let mut halves = Vec::new();
    let mut width = size;
    while width > 1 {
        let half = width.div_ceil(2);
        let even = level.pad(-1, 0, half * 2 - width, 1.0);
        let (a, b) = (even.slice(-1, ..half), even.slice(-1, half..));
        halves.push((a, b, width));
        level = a * b;
        width = half;
    }
    let mut rest = level.filled(1.0);
    for (a, b, width) in halves.into_iter().rev() {
        rest = x.tape.concat(&[rest * b, rest * a], -1).slice(-1, ..width);
    }
    rest
}

impl<'t> Var<'t> {
    /// The product of all elements; 1 where there are none.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([2.0f32, 0.0, 4.0]));
    /// let [dx] = tape.grad(x.prod(), [x]);
    /// assert_eq!(dx.value()?.to_vec::<f32>()?, [0.0, 8.0, 0.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "product")]
    #[track_caller]
    pub fn prod(self) -> Var<'t> {
        self.prod_over(self.all_axes())
    }

    /// The product over some axes.
    #[track_caller]
    pub fn prod_axes(self, axes: impl IntoAxes) -> Var<'t> {
        match self.resolve("prod", axes) {
            Some(axes) => self.prod_over(axes),
            None => self.tape.poison(),
        }
    }

    /// As [`Var::prod_axes`], with the axes kept at size 1.
    #[track_caller]
    pub fn prod_keep(self, axes: impl IntoAxes) -> Var<'t> {
        match self.resolve("prod", axes) {
            Some(axes) => self.prod_over(axes.clone()).keeping(&self.shape(), &axes),
            None => self.tape.poison(),
        }
    }

    #[track_caller]
    fn prod_over(self, axes: Axes) -> Var<'t> {
        match axes.is_empty() {
            true => self,
            false => self.then(Prod { axes }),
        }
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[[1.0f64, -2.0, 3.0], [0.5, 1.5, 2.0]]])];
    let row = |row: [f64; 5]| [Tensor::from(row)];
    vec![
        Entry::new(
            "prod",
            "prod.rs",
            vec![
                Sample::new("all", x(), |_, x| x[0].prod()).gives([-9.0]),
                Sample::new("last, kept", x(), |_, x| x[0].prod_keep(-1).square()),
                Sample::new("outer two", x(), |_, x| x[0].prod_axes([0, 1]).exp()),
                Sample::new("one zero", row([1., 2., 0., 3., 4.]), |_, x| x[0].prod()).slopes([0., 0., 24., 0., 0.]),
                Sample::new("two zeros", row([1., 0., 0., 3., 4.]), |_, x| x[0].prod()).slopes([0.; 5]),
                Sample::new("two zeros, squared", row([1., 0., 0., 3., 4.]), |_, x| x[0].prod().exp()),
                Sample::new("of nothing", x(), |_, x| x[0].slice(0, ..0).prod()).gives([1.0]).slopes([0.0; 6]),
                Sample::new("i64", [Tensor::from([1i64, 2, 3])], |_, x| x[0].prod()).gives([6.0]),
            ],
        )
        .accuracy(Accuracy::Product),
    ]
}
