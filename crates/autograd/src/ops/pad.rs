//! `pad`: a number before, after and between the elements of one axis.
//!
//! y[…, before + i · (gap + 1), …] = x[…, i, …], and `value` elsewhere
//!
//! * shape: the axis has before + n + (n − 1) · gap + after elements (before + after where n = 0)
//! * dtypes: all
//! * derivative: linear up to a constant; the cotangent is sliced

use crate::batch::Batch;
use crate::class::Class;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::{Blocks, copy_ns, views, with_type};
use crate::meta::{Meta, operands};
use crate::operand::number;
use crate::sample::{Entry, Sample};
use wengert_tensor::dtype::{Element, Scalar};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::threads::in_parts;
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// Surrounds an axis.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Pad {
    /// The axis.
    pub axis: usize,
    /// How many before the first element.
    pub before: usize,
    /// How many after the last.
    pub after: usize,
    /// How many between two neighbours.
    pub gap: usize,
    /// The number.
    pub value: Scalar,
}

impl Pad {
    fn size(&self, elements: usize) -> Option<usize> {
        let between = elements.saturating_sub(1).checked_mul(self.gap)?;
        self.before.checked_add(self.after)?.checked_add(elements)?.checked_add(between)
    }
}

impl Op for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        if x.dtype != self.value.dtype() {
            return Err(Error::dtype(format!("{} padded with {}", x.dtype, self.value.dtype())));
        }
        let Some(&size) = x.shape.get(self.axis) else {
            return Err(Error::axis(format!("axis {} is out of range for {}", self.axis, x.shape)));
        };
        let size = self.size(size).ok_or_else(|| Error::shape("the padded size overflows"))?;
        Ok(x.with_shape(x.shape.with(self.axis, size)?))
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Linear
    }

    fn transpose<'t>(&self, _i: usize, x: &[Var<'t>], ct: Var<'t>) -> Option<Var<'t>> {
        let count = x[0].shape().get(self.axis).copied()?;
        let step = self.gap.saturating_add(1);
        let covered = count.saturating_sub(1) * step + usize::from(count > 0);
        Some(ct.slice_step(self.axis as isize, self.before..self.before + covered, step))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(Pad { axis: self.axis + 1, ..*self })
    }
}

impl Kernel for Pad {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [x] = views(inputs)?;
        let (from, to) = (Blocks::around(x.shape(), self.axis, 1), Blocks::around(out.shape(), self.axis, 1));
        with_type!(x.dtype(), T => {
            let value = self.value.get::<T>().unwrap_or_default().to_stored();
            let (src, dst) = (x.as_slice::<T>()?, out.as_mut_slice::<T>()?);
            if from.size * from.inner == 0 {
                dst.fill(value);
                return Ok(());
            }
            let (start, stride) = (self.before * to.inner, self.gap.saturating_add(1).saturating_mul(to.inner));
            let (row, block) = (from.size * from.inner, to.size * to.inner);
            in_parts(dst, block, copy_ns::<T>(block), |first, part| {
                for (row, block) in src.chunks_exact(row).skip(first).zip(part.chunks_exact_mut(block)) {
                    let (before, place) = block.split_at_mut(start.min(block.len()));
                    before.fill(value);
                    // Without gaps the elements of a row lie together.
                    match self.gap {
                        0 => copy_and_fill(place, row, value),
                        _ => {
                            let parts = row.chunks_exact(from.inner);
                            let last = (from.size - 1) * stride;
                            let (between, end) = place.split_at_mut(last.min(place.len()));
                            let places = between.chunks_mut(stride).chain(std::iter::once(end));
                            places.zip(parts).for_each(|(place, part)| copy_and_fill(place, part, value));
                        }
                    }
                }
                Ok(())
            })
        })
    }

    fn flops(&self, _inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        Some(0)
    }
}

/// Copies `src` to the start of `dst`, which is at least as long, and fills the rest.
fn copy_and_fill<T: Copy>(dst: &mut [T], src: &[T], value: T) {
    let (start, rest) = dst.split_at_mut(src.len().min(dst.len()));
    start.copy_from_slice(src.get(..start.len()).unwrap_or_default());
    rest.fill(value);
}

impl<'t> Var<'t> {
    /// `before` and `after` times `value` around one axis.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1.0f32, 2.0]).apply(|x| x.pad(0, 1, 2, 0.5))?;
    /// assert_eq!(y.to_vec::<f32>()?, [0.5, 1.0, 2.0, 0.5, 0.5]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn pad(self, axis: isize, before: usize, after: usize, value: f64) -> Var<'t> {
        match self.shape().axis(axis) {
            Ok(axis) => match number(value, self.dtype()) {
                Some(_) => self.padded(axis, before, after, value),
                None => {
                    let error = Error::dtype(format!("{value} is no {}", self.dtype()));
                    self.reject("pad", error.help("convert first: .cast(DType::F32)"))
                }
            },
            Err(error) => self.reject("pad", error),
        }
    }

    /// As [`Var::pad`], with the number of the dtype that is nearest to `value`: −∞ is the least one.
    #[track_caller]
    pub(crate) fn padded(self, axis: usize, before: usize, after: usize, value: f64) -> Var<'t> {
        match before == 0 && after == 0 {
            true => self,
            false => self.pad_apart(axis, before, after, 0, value),
        }
    }

    /// As [`Var::pad`], with `gap` times `value` between neighbours.
    #[track_caller]
    pub(crate) fn pad_apart(self, axis: usize, before: usize, after: usize, gap: usize, value: f64) -> Var<'t> {
        self.then(Pad { axis, before, after, gap, value: Scalar::new(self.dtype(), value) })
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[1.0f64, 2.0], [3.0, 4.0]])];
    vec![Entry::new(
        "pad",
        "pad.rs",
        vec![
            Sample::new("last axis", x(), |_, x| x[0].pad(1, 1, 1, 9.0)).gives([9., 1., 2., 9., 9., 3., 4., 9.]),
            Sample::new("first axis", x(), |_, x| x[0].pad(0, 1, 0, 0.0).square()).slopes([2., 4., 6., 8.]),
            Sample::new("gaps", x(), |_, x| x[0].pad_apart(0, 1, 0, 1, 0.0))
                .gives([0., 0., 1., 2., 0., 0., 3., 4.])
                .slopes([1.0; 4]),
            Sample::new("of nothing", [Tensor::from(Vec::<f64>::new())], |_, x| x[0].pad(0, 1, 1, 2.0)).gives([2., 2.]),
            Sample::new("mask", [Tensor::from([true])], |_, x| x[0].pad(0, 0, 1, 0.0)).gives([1., 0.]),
        ],
    )]
}
