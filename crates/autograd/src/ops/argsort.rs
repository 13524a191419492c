//! `argsort`: the indices that put an axis in order.
//!
//! x[…, y[…, 0, …], …] ≤ x[…, y[…, 1, …], …] ≤ …
//!
//! * shape: unchanged; with `keep`, the axis has that size
//! * dtypes: all; the result is i64
//! * convention: equal elements keep their order, also when it descends; NaN counts as the largest, as for `max` and `argmax`
//! * derivative: none: the result is an index. What is picked by it has one: `x.sort(axis)`

use crate::batch::Batch;
use crate::class::Class;
use crate::cost::comparisons;
use crate::cost::per_element;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::{Blocks, nan_largest, views, with_type};
use crate::meta::{Meta, operands};
use crate::sample::{Entry, Sample};
use std::cmp::Ordering;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// The order of an axis.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Argsort {
    /// The axis.
    pub axis: usize,
    /// Whether the largest comes first.
    pub descending: bool,
    /// How many of the first are wanted, if not all.
    pub keep: Option<usize>,
}

impl Op for Argsort {
    fn name(&self) -> &'static str {
        "argsort"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        match (x.shape.get(self.axis), self.keep) {
            (None, _) => Err(Error::axis(format!("axis {} is out of range for {}", self.axis, x.shape))),
            (Some(_), None) => Ok(x.with_dtype(DType::I64)),
            (Some(&size), Some(keep)) if keep <= size => Ok(Meta::new(x.shape.with(self.axis, keep)?, DType::I64)),
            (Some(size), Some(keep)) => {
                Err(Error::value(format!("the first {keep} of axis {} of {}, which has {size}", self.axis, x.shape)))
            }
        }
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::None("its result is an index")
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(Argsort { axis: self.axis + 1, ..*self })
    }
}

impl Kernel for Argsort {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [x] = views(inputs)?;
        let Blocks { size, inner } = Blocks::around(x.shape(), self.axis, 1);
        let kept = Blocks::around(out.shape(), self.axis, 1).size;
        let dst = out.as_mut_slice::<i64>()?;
        if dst.is_empty() {
            return Ok(());
        }
        with_type!(x.dtype(), T => {
            let src = x.as_slice::<T>()?;
            let mut lane = Vec::with_capacity(size);
            for (block, places) in src.chunks_exact(size * inner).zip(dst.chunks_exact_mut(kept * inner)) {
                for j in 0..inner {
                    lane.clear();
                    lane.extend(block.iter().skip(j).step_by(inner).copied().enumerate());
                    first(&mut lane, kept, self.descending);
                    for (place, &(i, _)) in places.iter_mut().skip(j).step_by(inner).zip(&lane) {
                        *place = i as i64;
                    }
                }
            }
        });
        Ok(())
    }

    fn flops(&self, inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        let x = inputs.first()?;
        per_element(x, comparisons(Blocks::around(x, self.axis, 1).size))
    }
}

/// Leaves the first `kept` elements in order. Equal ones are told apart by their index, so any sort is stable.
fn first<T: Copy + PartialOrd>(lane: &mut Vec<(usize, T)>, kept: usize, descending: bool) {
    let order = |a: &(usize, T), b: &(usize, T)| -> Ordering {
        let order = nan_largest(a.1, b.1);
        (if descending { order.reverse() } else { order }).then(a.0.cmp(&b.0))
    };
    if kept < lane.len() {
        lane.select_nth_unstable_by(kept, order);
        lane.truncate(kept);
    }
    lane.sort_unstable_by(order);
}

impl<'t> Var<'t> {
    /// The indices that put an axis in order. Equal elements keep their order; NaN counts as the largest.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([3.0f32, 1.0, f32::NAN, 3.0]);
    /// assert_eq!(x.apply(|x| x.argsort(0, false))?.to_vec::<i64>()?, [1, 0, 3, 2]);
    /// assert_eq!(x.apply(|x| x.argsort(0, true))?.to_vec::<i64>()?, [2, 0, 3, 1]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn argsort(self, axis: isize, descending: bool) -> Var<'t> {
        match self.shape().axis(axis) {
            Ok(axis) => self.then(Argsort { axis, descending, keep: None }),
            Err(error) => self.reject("argsort", error),
        }
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[3.0f64, f64::NAN, -1.0, 3.0], [f64::INFINITY, -0.0, 0.0, f64::NEG_INFINITY]])];
    vec![Entry::new(
        "argsort",
        "argsort.rs",
        vec![
            Sample::new("rows", x(), |_, x| x[0].argsort(-1, false)).gives([2., 0., 3., 1., 3., 1., 2., 0.]),
            Sample::new("rows, descending", x(), |_, x| x[0].argsort(1, true)).gives([1., 0., 3., 2., 0., 1., 2., 3.]),
            Sample::new("columns", x(), |_, x| x[0].argsort(0, false)).gives([0., 1., 0., 1., 1., 0., 1., 0.]),
            Sample::new("the first two", x(), |_, x| x[0].then(Argsort { axis: 1, descending: true, keep: Some(2) }))
                .gives([1., 0., 0., 1.]),
            Sample::new("none of them", x(), |_, x| x[0].then(Argsort { axis: 1, descending: true, keep: Some(0) }))
                .gives([]),
            Sample::new("nothing", x(), |_, x| x[0].slice(1, ..0).argsort(1, false)).gives([]),
            Sample::new("size 1", x(), |_, x| x[0].slice(1, ..1).argsort(1, true)).gives([0., 0.]),
            Sample::new("i64", [Tensor::from([2i64, 1, 2, i64::MIN])], |_, x| x[0].argsort(0, true))
                .gives([0., 2., 1., 3.]),
            Sample::new("bool", [Tensor::from([true, false, true])], |_, x| x[0].argsort(0, false)).gives([1., 0., 2.]),
            Sample::new("bf16", [Tensor::from([2.0f32, 1.0])], |_, x| x[0].cast(DType::BF16).argsort(0, false))
                .gives([1., 0.]),
        ],
    )]
}
