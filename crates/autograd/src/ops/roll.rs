//! `roll`: an axis turned around, so that what leaves it behind comes back in front.
//!
//! y[…, (i + shift) mod n, …] = x[…, i, …]
//!
//! * shape: unchanged
//! * dtypes: all
//! * derivative: linear; the cotangent is turned back

use crate::batch::Batch;
use crate::class::Class;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::{Blocks, copy_ns, views, with_type};
use crate::meta::{Meta, operands};
use crate::sample::{Entry, Sample};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::memory::copy_slice;
use wengert_tensor::kernels::threads::in_parts;
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// Turns an axis.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Roll {
    /// The axis.
    pub axis: usize,
    /// How far each element moves; fewer places than there are.
    pub shift: usize,
}

impl Op for Roll {
    fn name(&self) -> &'static str {
        "roll"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        match x.shape.get(self.axis) {
            None => Err(Error::axis(format!("axis {} is out of range for {}", self.axis, x.shape))),
            Some(&size) if self.shift < size => Ok(x.clone()),
            Some(size) => Err(Error::value(format!("axis {} of {size} turned by {}", self.axis, self.shift))),
        }
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
        let size = x.first()?.shape().get(self.axis).copied()?;
        Some(ct.then(Roll { axis: self.axis, shift: (size - self.shift) % size }))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(Roll { axis: self.axis + 1, shift: self.shift })
    }
}

impl Kernel for Roll {
    fn by_rows(&self) -> bool {
        self.axis > 0
    }

    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [x] = views(inputs)?;
        let Blocks { size, inner } = Blocks::around(x.shape(), self.axis, 1);
        let (block, front) = (size * inner, self.shift * inner);
        with_type!(x.dtype(), T => {
            let (src, dst) = (x.as_slice::<T>()?, out.as_mut_slice::<T>()?);
            if dst.is_empty() {
                return Ok(());
            }
            in_parts(dst, block, copy_ns::<T>(block), |first, part| {
                for (from, to) in src.chunks_exact(block).skip(first).zip(part.chunks_exact_mut(block)) {
                    let ((stays, returns), (start, rest)) = (from.split_at(block - front), to.split_at_mut(front));
                    copy_slice(returns, start);
                    copy_slice(stays, rest);
                }
                Ok(())
            })
        })
    }

    fn flops(&self, _inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        Some(0)
    }
}

impl<'t> Var<'t> {
    /// The elements of an axis `shift` places later; what leaves at the end comes back at the start.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1i64, 2, 3, 4]).apply(|x| x.roll(1, 0))?;
    /// assert_eq!(y.to_vec::<i64>()?, [4, 1, 2, 3]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn roll(self, shift: isize, axis: isize) -> Var<'t> {
        let shape = self.shape();
        let axis = match shape.axis(axis) {
            Ok(axis) => axis,
            Err(error) => return self.reject("roll", error),
        };
        match shift.checked_rem_euclid(shape[axis] as isize) {
            None | Some(0) => self,
            Some(shift) => self.then(Roll { axis, shift: shift.unsigned_abs() }),
        }
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[1.0f64, 2.0, 3.0], [4.0, 5.0, 6.0]])];
    vec![Entry::new(
        "roll",
        "roll.rs",
        vec![
            Sample::new("rows", x(), |_, x| x[0].roll(1, -1)).gives([3., 1., 2., 6., 4., 5.]),
            Sample::new("back", x(), |_, x| x[0].roll(-1, 1) * x[0]).slopes([5., 4., 3., 11., 10., 9.]),
            Sample::new("around", x(), |_, x| x[0].roll(7, 0).square()).gives([16., 25., 36., 1., 4., 9.]),
            Sample::new("whole turns", x(), |_, x| x[0].roll(-6, 1)).gives([1., 2., 3., 4., 5., 6.]),
            Sample::new("nothing", x(), |_, x| x[0].slice(1, ..0).roll(1, 1)).gives([]),
            Sample::new("mask", [Tensor::from([true, false])], |_, x| x[0].roll(1, 0)).gives([0., 1.]),
        ],
    )]
}
