//! `argcummax` and `argcummin`: where the largest or smallest element so far stands, along an axis.
//!
//! yᵢ = the first j ≤ i at which xⱼ is the extremum of x₀ … xᵢ
//!
//! * shape: unchanged
//! * dtypes: all; the result is i64
//! * convention: the first of equal ones; a NaN counts as the extremum, and stays it
//! * derivative: none: the result is an index. What is picked by it has one: `x.cummax(axis)`

use crate::batch::Batch;
use crate::class::Class;
use crate::cost::per_element;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::{Blocks, views, with_type};
use crate::lanes::scan;
use crate::meta::{Meta, operands};
use crate::ops::extremum::Side;
use crate::sample::{Entry, Sample};
use wengert_tensor::dtype::{DType, Element};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// The place of the extremum so far.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ArgCumulative {
    /// Which one.
    pub side: Side,
    /// The axis.
    pub axis: usize,
}

impl Op for ArgCumulative {
    fn name(&self) -> &'static str {
        match self.side {
            Side::Max => "argcummax",
            Side::Min => "argcummin",
        }
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        match self.axis < x.shape.rank() {
            true => Ok(x.with_dtype(DType::I64)),
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
        x.same(ArgCumulative { axis: self.axis + 1, ..*self })
    }
}

impl Kernel for ArgCumulative {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [x] = views(inputs)?;
        let around = Blocks::around(x.shape(), self.axis, 1);
        let dst = out.as_mut_slice::<i64>()?;
        with_type!(x.dtype(), T => {
            type Stored = <T as Element>::Stored;
            let nan = |x: Stored| x.partial_cmp(&x).is_none();
            // The best so far with its place, and how many were seen.
            let start: (Option<Stored>, i64, i64) = (None, 0, 0);
            scan(x.as_slice::<T>()?, dst, around, false, start, |(best, place, seen), x, _| {
                let better = best.is_none_or(|best| !nan(best) && (nan(x) || match self.side {
                    Side::Max => x > best,
                    Side::Min => x < best,
                }));
                if better {
                    (*best, *place) = (Some(x), *seen);
                }
                *seen += 1;
                *place
            });
        });
        Ok(())
    }

    fn flops(&self, _inputs: &[&Shape], out: &Shape) -> Option<u64> {
        per_element(out, 1)
    }
}

impl<'t> Var<'t> {
    /// Where the largest element so far stands, along an axis: the first of equal ones.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1.0f32, 3.0, 3.0, 4.0]).apply(|x| x.argcummax(0))?;
    /// assert_eq!(y.to_vec::<i64>()?, [0, 1, 1, 3]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn argcummax(self, axis: isize) -> Var<'t> {
        self.place_so_far("argcummax", Side::Max, axis)
    }

    /// Where the smallest element so far stands, along an axis: the first of equal ones.
    #[track_caller]
    pub fn argcummin(self, axis: isize) -> Var<'t> {
        self.place_so_far("argcummin", Side::Min, axis)
    }

    #[track_caller]
    fn place_so_far(self, op: &'static str, side: Side, axis: isize) -> Var<'t> {
        match self.shape().axis(axis) {
            Ok(axis) => self.then(ArgCumulative { side, axis }),
            Err(error) => self.reject(op, error),
        }
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[1.0f64, 3.0, 3.0, 2.0], [4.0, f64::NAN, 5.0, f64::NAN]])];
    let ints = || [Tensor::from([[1i64, 5, 5], [4, 5, 1]])];
    vec![
        Entry::new(
            "argcummax",
            "arg_cumulative.rs",
            vec![
                Sample::new("rows", x(), |_, x| x[0].argcummax(-1)).gives([0., 1., 1., 1., 0., 1., 1., 1.]),
                Sample::new("columns", x(), |_, x| x[0].argcummax(0)).gives([0., 0., 0., 0., 1., 1., 1., 1.]),
                Sample::new("i64", ints(), |_, x| x[0].argcummax(1)).gives([0., 1., 1., 0., 1., 1.]),
                Sample::new("nothing", x(), |_, x| x[0].slice(1, ..0).argcummax(1)).gives([]),
            ],
        ),
        Entry::new(
            "argcummin",
            "arg_cumulative.rs",
            vec![
                Sample::new("rows", x(), |_, x| x[0].argcummin(-1)).gives([0., 0., 0., 0., 0., 1., 1., 1.]),
                Sample::new("i64", ints(), |_, x| x[0].argcummin(0)).gives([0., 0., 0., 0., 0., 1.]),
            ],
        ),
    ]
}
