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
use crate::kernel::{Blocks, views, with_type};
use crate::meta::{Meta, operands};
use crate::sample::{Entry, Sample};
use wengert_tensor::dtype::{DType, Element};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::threads::in_parts;
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// About the time that an element takes.
const SORT_NS: usize = 10;

/// Keys that are collected at least before the least of them are chosen.
const ROOM: usize = 64;

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
        let extents = [size, inner, kept];
        with_type!(x.dtype(), T => {
            let src = x.as_slice::<T>()?;
            let value = |v: &<T as Element>::Stored| T::from_stored(*v);
            // Where there is room for an index beside its order, an element is sorted as one number.
            match T::DTYPE.size() < 8 && size <= u32::MAX as usize {
                true => {
                    let flip = if self.descending { u32::MAX } else { 0 };
                    let key = |i: usize, v: &_| u64::from(short_order(value(v)) ^ flip) << 32 | i as u64;
                    sort(src, dst, extents, key, |key| i64::from(key as u32))
                }
                false => {
                    let flip = if self.descending { u64::MAX } else { 0 };
                    sort(src, dst, extents, |i, v| (order(value(v)) ^ flip, i), |key| key.1 as i64)
                }
            }
        })
    }

    fn flops(&self, inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        let x = inputs.first()?;
        per_element(x, comparisons(Blocks::around(x, self.axis, 1).size))
    }
}

/// A whole number for each element, in the order of these: all NaN are the last one, and both zeros one.
fn order<T: Element>(x: T) -> u64 {
    const SIGN: u64 = 1 << 63;
    if !T::DTYPE.is_float() {
        return x.to_i64() as u64 ^ SIGN;
    }
    let x = x.to_f64() + 0.0;
    let bits = x.to_bits();
    // All bits of a negative number, and the sign of others. There is no branch, for signs are hard to predict.
    let turned = bits ^ ((bits as i64 >> 63) as u64 | SIGN);
    if x.is_nan() { u64::MAX } else { turned }
}

/// As [`order`], for elements of at most 32 bits.
fn short_order<T: Element>(x: T) -> u32 {
    const SIGN: u32 = 1 << 31;
    if !T::DTYPE.is_float() {
        return x.to_i64() as u32 ^ SIGN;
    }
    let x = x.to_f64() as f32 + 0.0;
    let bits = x.to_bits();
    let turned = bits ^ ((bits as i32 >> 31) as u32 | SIGN);
    if x.is_nan() { u32::MAX } else { turned }
}

/// Writes the indices of the first `kept` elements of every lane of `size`, in the order of their keys, of which no two are equal.
fn sort<S: Sync, K: Copy + Ord>(
    src: &[S],
    dst: &mut [i64],
    [size, inner, kept]: [usize; 3],
    key: impl Fn(usize, &S) -> K + Sync,
    index: impl Fn(K) -> i64 + Sync,
) -> Result<()> {
    in_parts(dst, kept * inner, size * inner * SORT_NS, |first, part| {
        let mut lane = Vec::with_capacity(size);
        let blocks = src.chunks_exact(size * inner).skip(first);
        for (block, places) in blocks.zip(part.chunks_exact_mut(kept * inner)) {
            for j in 0..inner {
                keep_least(block.iter().skip(j).step_by(inner).enumerate().map(|(i, v)| key(i, v)), kept, &mut lane);
                lane.sort_unstable();
                for (place, &key) in places.iter_mut().skip(j).step_by(inner).zip(&lane) {
                    *place = index(key);
                }
            }
        }
        Ok(())
    })
}

/// Collects the least `kept` keys, which are at least one. Most of many are dismissed by one comparison with the last of those that
/// were the least so far.
fn keep_least<K: Copy + Ord>(keys: impl Iterator<Item = K>, kept: usize, lane: &mut Vec<K>) {
    lane.clear();
    let room = kept.saturating_mul(2).max(ROOM);
    let mut last = None;
    let least = |lane: &mut Vec<K>| {
        let (_, worst, _) = lane.select_nth_unstable(kept - 1);
        let worst = *worst;
        lane.truncate(kept);
        worst
    };
    for key in keys {
        if last.is_none_or(|last| key < last) {
            lane.push(key);
            if lane.len() == room {
                last = Some(least(lane));
            }
        }
    }
    if kept < lane.len() {
        least(lane);
    }
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
