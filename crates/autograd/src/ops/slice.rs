//! `slice`: a range of one axis, with a step.
//!
//! y[…, i, …] = x[…, start + i · step, …]
//!
//! * shape: the axis has ⌈(end − start) / step⌉ elements
//! * dtypes: all
//! * derivative: linear; the cotangent is padded with zeros

use crate::batch::Batch;
use crate::class::{Class, View};
use crate::graph::{Derivative, Op, Var};
use crate::meta::{Meta, operands};
use crate::sample::{Entry, Sample};
use std::ops::{Bound, RangeBounds};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::layout::Layout;
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// A range of an axis.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Slice {
    /// The axis.
    pub axis: usize,
    /// The first index.
    pub start: usize,
    /// The index before which it ends.
    pub end: usize,
    /// The distance of two indices.
    pub step: usize,
}

impl Op for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        let &Slice { axis, start, end, step } = self;
        match x.shape.get(axis) {
            None => Err(Error::axis(format!("axis {axis} is out of range for {}", x.shape))),
            Some(_) if step == 0 => Err(Error::value("a step of 0").help("use .flip(axis) to go backwards")),
            Some(&size) if start <= end && end <= size => {
                Ok(x.with_shape(x.shape.with(axis, (end - start).div_ceil(step))?))
            }
            Some(size) => Err(Error::index(format!(
                "{start}..{end} leaves axis {axis} of {}, whose indices are 0..{size}",
                x.shape
            ))),
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
        let size = x[0].shape().get(self.axis).copied()?;
        let count = ct.shape().get(self.axis).copied()?;
        let (before, covered) = match count {
            0 => (0, 0),
            _ => (self.start, (count - 1) * self.step + 1),
        };
        Some(ct.pad_apart(self.axis, before, size - before - covered, self.step - 1, 0.0))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(Slice { axis: self.axis + 1, ..*self })
    }
}

impl View for Slice {
    fn view(&self, input: &Layout, _out: &Shape) -> Option<Layout> {
        input.slice(self.axis, self.start, self.end, self.step).ok()
    }
}

impl<'t> Var<'t> {
    /// A range of one axis: `x.slice(0, 1..4)`, `x.slice(-1, ..2)`.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[1i64, 2, 3], [4, 5, 6]]).apply(|x| x.slice(1, 1..))?;
    /// assert_eq!(y.to_vec::<i64>()?, [2, 3, 5, 6]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "narrow")]
    #[track_caller]
    pub fn slice(self, axis: isize, range: impl RangeBounds<usize>) -> Var<'t> {
        self.slice_step(axis, range, 1)
    }

    /// Every `step`-th element of a range of one axis.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([0i64, 1, 2, 3, 4]).apply(|x| x.slice_step(0, 1.., 2))?;
    /// assert_eq!(y.to_vec::<i64>()?, [1, 3]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn slice_step(self, axis: isize, range: impl RangeBounds<usize>, step: usize) -> Var<'t> {
        let shape = self.shape();
        let axis = match shape.axis(axis) {
            Ok(axis) => axis,
            Err(error) => return self.reject("slice", error),
        };
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&start) => start.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&end) => end.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => shape[axis],
        };
        match (start, end, step) == (0, shape[axis], 1) {
            true => self,
            false => self.then(Slice { axis, start, end, step }),
        }
    }

    /// What stands at one index of an axis, without the axis.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[1i64, 2, 3], [4, 5, 6]]).apply(|x| x.at(1, 0))?;
    /// assert_eq!(y.to_vec::<i64>()?, [1, 4]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn at(self, axis: isize, index: usize) -> Var<'t> {
        let _call = self.tape.call("at");
        self.slice(axis, index..index.saturating_add(1)).squeeze(axis)
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[1.0f64, 2.0, 3.0, 4.0, 5.0], [6.0, 7.0, 8.0, 9.0, 10.0]])];
    vec![Entry::new(
        "slice",
        "slice.rs",
        vec![
            Sample::new("range", x(), |_, x| x[0].slice(1, 1..3)).gives([2., 3., 7., 8.]),
            Sample::new("step", x(), |_, x| x[0].slice_step(-1, 1.., 2).square())
                .gives([4., 16., 49., 81.])
                .slopes([0., 4., 0., 8., 0., 0., 14., 0., 18., 0.]),
            Sample::new("step that does not divide", x(), |_, x| x[0].slice_step(1, ..5, 3) * x[0].slice(1, 1..3)),
            Sample::new("nothing", x(), |_, x| x[0].slice(0, 1..1)).gives([]).slopes([0.0; 10]),
            Sample::new("all parts", x(), |_, x| {
                let part = |range| x[0].slice(1, range);
                part(0..2).square().sum() + part(2..4).powi(3).sum() - part(4..5).sum()
            })
            .slopes([2., 4., 27., 48., -1., 12., 14., 192., 243., -1.]),
            Sample::new("neighbours and others", x(), |_, x| {
                let part = |range| x[0].slice(1, range);
                (part(3..4) * part(1..2)).sum() + part(2..3).square().sum() + x[0].slice(0, 1..).sum()
            })
            .slopes([0., 4., 6., 2., 0., 1., 10., 17., 8., 1.]),
            Sample::new("one index", x(), |_, x| x[0].at(0, 1)).gives([6., 7., 8., 9., 10.]),
        ],
    )]
}
