//! `argmax` and `argmin`: where the largest or smallest element stands along an axis.
//!
//! * shape: without the axis, which must have elements
//! * dtypes: all numbers; the result is i64
//! * convention: the first of equal ones; a NaN counts as the extremum
//! * derivative: none: the result is an index

use crate::axes::inhabited;
use crate::batch::Batch;
use crate::class::Class;
use crate::cost::per_element;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::{Blocks, views, with_type};
use crate::meta::{Meta, operands};
use crate::ops::extremum::Side;
use crate::sample::{Entry, Sample};
use wengert_tensor::dtype::{DType, Element};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::threads::in_parts;
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// The place of the extremum along an axis.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ArgExtremum {
    /// Which one.
    pub side: Side,
    /// The axis.
    pub axis: usize,
}

impl Op for ArgExtremum {
    fn name(&self) -> &'static str {
        match self.side {
            Side::Max => "argmax",
            Side::Min => "argmin",
        }
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        inhabited(x, &[self.axis])?;
        match self.axis < x.shape.rank() {
            true => Ok(Meta::new(x.shape.without(&[self.axis]), DType::I64)),
            false => Err(Error::axis(format!("axis {} is out of range for {}", self.axis, x.shape))),
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
        x.same(ArgExtremum { side: self.side, axis: self.axis + 1 })
    }
}

impl Kernel for ArgExtremum {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [x] = views(inputs)?;
        let Blocks { size, inner } = Blocks::around(x.shape(), self.axis, 1);
        let dst = out.as_mut_slice::<i64>()?;
        dst.fill(0);
        if size * inner == 0 {
            return Ok(());
        }
        with_type!(x.dtype(), T => {
            let src = x.as_slice::<T>()?;
            in_parts(dst, inner, size * inner, |first, part| {
                for (block, places) in src.chunks_exact(size * inner).skip(first).zip(part.chunks_exact_mut(inner)) {
                    for (j, place) in places.iter_mut().enumerate() {
                        let mut best = 0;
                        let mut value: Option<<T as Element>::Stored> = None;
                        for (i, &candidate) in block.iter().skip(j).step_by(inner).enumerate() {
                            let better = match value {
                                None => true,
                                // NaN is not comparable, not even with itself: the first one wins and stays.
                                Some(value) if value.partial_cmp(&value).is_none() => false,
                                Some(value) => candidate.partial_cmp(&candidate).is_none() || match self.side {
                                    Side::Max => candidate > value,
                                    Side::Min => candidate < value,
                                },
                            };
                            if better {
                                (best, value) = (i, Some(candidate));
                            }
                        }
                        *place = best as i64;
                    }
                }
                Ok(())
            })
        })
    }

    fn flops(&self, inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        inputs.first().and_then(|x| per_element(x, 1))
    }
}

impl<'t> Var<'t> {
    /// Where the largest element stands along an axis: the first of equal ones.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[1.0f32, 3.0, 3.0], [4.0, 2.0, 0.0]]).apply(|x| x.argmax(-1))?;
    /// assert_eq!(y.to_vec::<i64>()?, [1, 0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn argmax(self, axis: isize) -> Var<'t> {
        match self.shape().axis(axis) {
            Ok(axis) => self.then(ArgExtremum { side: Side::Max, axis }),
            Err(error) => self.reject("argmax", error),
        }
    }

    /// Where the smallest element stands along an axis: the first of equal ones.
    #[track_caller]
    pub fn argmin(self, axis: isize) -> Var<'t> {
        match self.shape().axis(axis) {
            Ok(axis) => self.then(ArgExtremum { side: Side::Min, axis }),
            Err(error) => self.reject("argmin", error),
        }
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[1.0f64, 5.0, 5.0], [4.0, 5.0, f64::NAN]])];
    let ints = || [Tensor::from([[1i64, 5, 5], [4, 5, 1]])];
    vec![
        Entry::new(
            "argmax",
            "argmax.rs",
            vec![
                Sample::new("rows", x(), |_, x| x[0].argmax(-1)).gives([1., 2.]),
                Sample::new("columns", x(), |_, x| x[0].argmax(0)).gives([1., 0., 1.]),
                Sample::new("i64", ints(), |_, x| x[0].argmax(1)).gives([1., 1.]),
            ],
        ),
        Entry::new(
            "argmin",
            "argmax.rs",
            vec![
                Sample::new("rows", x(), |_, x| x[0].argmin(-1)).gives([0., 2.]),
                Sample::new("i64", ints(), |_, x| x[0].argmin(0)).gives([0., 0., 1.]),
            ],
        ),
    ]
}
