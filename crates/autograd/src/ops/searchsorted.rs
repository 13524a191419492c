//! `searchsorted`: where values belong in a row that is sorted.
//!
//! y = the number of elements of the row that are < v, or ≤ v for the right side
//!
//! * shape: that of the values. The rows are the last axis of the first operand: one row for all values, or one for each
//!   index of the axes before the values' last, which must then be equal
//! * dtypes: all, both the same; the result is i64
//! * convention: NaN is above all numbers, as in a sort; what comes of a row that is not sorted is not defined
//! * derivative: none: the result is an index

use crate::batch::Batch;
use crate::class::Class;
use crate::cost::comparisons;
use crate::cost::per_element;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::{nan_largest, views, with_type};
use crate::meta::{Meta, operands};
use crate::operand::{Like, Operand};
use crate::sample::{Entry, Sample};
use std::cmp::Ordering;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::threads::in_parts;
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// The place in a sorted row.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct SearchSorted {
    /// Whether it is the one after equal elements, instead of the one before.
    pub right: bool,
}

impl Op for SearchSorted {
    fn name(&self) -> &'static str {
        "searchsorted"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["sorted", "values"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [sorted, values] = operands(inputs)?;
        if sorted.dtype != values.dtype {
            return Err(Error::dtype(format!("{} beside {}", sorted.dtype, values.dtype))
                .help("nothing is converted silently; convert one side first: .cast(DType::…)"));
        }
        let Some((_, rows)) = sorted.shape.split_last() else {
            return Err(Error::shape("a single number is no row to search in"));
        };
        match rows.is_empty() || values.shape.split_last().is_some_and(|(_, before)| before == rows) {
            true => Ok(values.with_dtype(DType::I64)),
            false => Err(Error::shape(format!("rows {} for values {}", sorted.shape, values.shape))
                .help("give one row for all values, or equal axes before the last")),
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
        let ((sorted, mapped), op) = (x.operand(0)?, SearchSorted { right: self.right });
        let (values, _) = x.operand(1)?;
        if !mapped && sorted.rank() == 1 {
            return Some(x.tape().record(op, &[sorted, values]));
        }
        let (sorted, values) = (x.mapped(0)?, x.mapped(1)?);
        // One row an example serves all values of the example.
        let shape = values.shape();
        let flat = match sorted.rank() {
            2 => values.reshape([x.size(), shape.len() / x.size().max(1)]),
            _ => values,
        };
        Some(x.tape().record(op, &[sorted, flat]).reshape(shape))
    }
}

impl Kernel for SearchSorted {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [sorted, values] = views(inputs)?;
        let width = sorted.shape().last().copied().unwrap_or_default();
        // One row serves all values; otherwise each serves those of its own last axis.
        let share = match sorted.shape().rank() {
            1 => values.shape().len(),
            _ => values.shape().last().copied().unwrap_or_default(),
        };
        let passed = |order: Ordering| order.is_lt() || self.right && order.is_eq();
        let dst = out.as_mut_slice::<i64>()?;
        with_type!(sorted.dtype(), T => {
            let (rows, wanted) = (sorted.as_slice::<T>()?, values.as_slice::<T>()?);
            // About the time of a search: each step of it waits for the one before.
            let ns = 5 * (width.checked_ilog2().unwrap_or(0) as usize + 1);
            in_parts(dst, 1, ns, |first, part| {
                for ((flat, to), &v) in (first..).zip(part).zip(wanted.iter().skip(first)) {
                    let start = flat / share.max(1) * width;
                    let row = rows.get(start..start + width).unwrap_or_default();
                    *to = row.partition_point(|&x| passed(nan_largest(x, v))) as i64;
                }
                Ok(())
            })
        })
    }

    fn flops(&self, inputs: &[&Shape], out: &Shape) -> Option<u64> {
        per_element(out, comparisons(inputs.first()?.last().copied().unwrap_or(0) + 1))
    }
}

impl<'t> Var<'t> {
    /// Where values belong in this sorted row: the first place at which they can be put, so before equal elements.
    ///
    /// With several rows (the last axis), each serves the values of its own: the other axes must then be equal.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let values = Tensor::from([3.0f32, 0.0, 9.0]);
    /// let row = Tensor::from([1.0f32, 3.0, 5.0]);
    /// assert_eq!(row.apply(|x| x.searchsorted(&values))?.to_vec::<i64>()?, [1, 0, 3]);
    /// assert_eq!(row.apply(|x| x.searchsorted_right(&values))?.to_vec::<i64>()?, [2, 0, 3]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias("bucketize", "digitize"))]
    #[track_caller]
    pub fn searchsorted(self, values: impl Operand<'t>) -> Var<'t> {
        let values = values.into_var(self.tape, Like::of(self).single());
        self.tape.record(SearchSorted { right: false }, &[self, values])
    }

    /// As [`Var::searchsorted`], but the last place at which they can be put, so after equal elements.
    #[track_caller]
    pub fn searchsorted_right(self, values: impl Operand<'t>) -> Var<'t> {
        let values = values.into_var(self.tape, Like::of(self).single());
        self.tape.record(SearchSorted { right: true }, &[self, values])
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let row = || Tensor::from([1.0f64, 3.0, 3.0, 5.0]);
    let values = || Tensor::from([[3.0f64, 0.0], [9.0, f64::NAN]]);
    let rows = || Tensor::from([[1.0f64, 3.0, f64::NAN], [-1.0, 0.0, 9.0]]);
    vec![Entry::new(
        "searchsorted",
        "searchsorted.rs",
        vec![
            Sample::new("left", [row(), values()], |_, x| x[0].searchsorted(x[1])).gives([1., 0., 4., 4.]),
            Sample::new("right", [row(), values()], |_, x| x[0].searchsorted_right(x[1])).gives([3., 0., 4., 4.]),
            Sample::new("a row each", [rows(), values()], |_, x| x[0].searchsorted(x[1])).gives([1., 0., 2., 3.]),
            Sample::new("a row each, right", [rows(), values()], |_, x| x[0].searchsorted_right(x[1]))
                .gives([2., 0., 3., 3.]),
            Sample::new("a number", [row()], |_, x| x[0].searchsorted(4.0)).gives([3.]),
            Sample::new("in nothing", [row(), values()], |_, x| x[0].slice(0, ..0).searchsorted(x[1])).gives([0.; 4]),
            Sample::new("of nothing", [row(), values()], |_, x| x[0].searchsorted(x[1].slice(0, ..0))).gives([]),
            Sample::new("i64", [Tensor::from([1i64, 2])], |_, x| x[0].searchsorted(x[0])).gives([0., 1.]),
        ],
    )]
}
