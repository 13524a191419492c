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
use wengert_tensor::dtype::DType;
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

/// Whether the number `x` is nearer to the extremum than `y`.
fn beyond<T: PartialOrd>(side: Side, x: T, y: T) -> bool {
    match side {
        Side::Max => x > y,
        Side::Min => x < y,
    }
}

/// Whether `x` comes before `y`. NaN is not comparable, not even with itself: the first one wins and stays.
fn better<T: PartialOrd + Copy>(side: Side, x: T, y: T) -> bool {
    beyond(side, x, y) || (is_odd(x) && !is_odd(y))
}

/// Whether it is NaN.
#[allow(clippy::eq_op)]
fn is_odd<T: PartialEq + Copy>(x: T) -> bool {
    x != x
}

/// Elements that are compared side by side.
const LANES: usize = 16;

/// Where the best element of a row stands: its value first, which many lanes find together, then the place.
fn first_of<T: PartialOrd + Copy>(side: Side, row: &[T]) -> usize {
    let Some(&first) = row.first() else { return 0 };
    let (chunks, rest) = row.as_chunks::<LANES>();
    let (mut lanes, mut odd) = ([first; LANES], false);
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = if beyond(side, x, *lane) { x } else { *lane };
            odd |= is_odd(x);
        }
    }
    if odd || rest.iter().any(|&x| is_odd(x)) {
        return row.iter().position(|&x| is_odd(x)).unwrap_or(0);
    }
    let best = lanes.iter().chain(rest).fold(first, |best, &x| if beyond(side, x, best) { x } else { best });
    row.iter().position(|&x| x == best).unwrap_or(0)
}

/// The same for each column of a block, whose rows are as long as `places`; `best` is room for one of them.
fn first_of_columns<T: PartialOrd + Copy>(side: Side, block: &[T], places: &mut [i64], best: &mut Vec<T>) {
    let mut rows = block.chunks_exact(places.len());
    best.clear();
    best.extend(rows.next().into_iter().flatten());
    for (i, row) in rows.enumerate() {
        for ((place, best), &x) in places.iter_mut().zip(best.iter_mut()).zip(row) {
            if better(side, x, *best) {
                (*place, *best) = (i as i64 + 1, x);
            }
        }
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
            let side = self.side;
            in_parts(dst, inner, size * inner, |first, part| {
                let mut best = Vec::new();
                for (block, places) in src.chunks_exact(size * inner).skip(first).zip(part.chunks_exact_mut(inner)) {
                    match places {
                        [place] => *place = first_of(side, block) as i64,
                        _ => first_of_columns(side, block, places, &mut best),
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
