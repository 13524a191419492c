//! Axes as they are written by the user, and what reductions over them share.

use crate::graph::Var;
use crate::meta::Meta;
use smallvec::SmallVec;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::scalar::ReduceFn;
use wengert_tensor::shape::{Axes, Shape};

/// What may be written where axes are wanted: one number, an array, a slice, a vector. Negative axes count from the end.
pub trait IntoAxes {
    /// The axes as written.
    fn into_axes(self) -> SmallVec<[isize; 4]>;
}

impl IntoAxes for isize {
    fn into_axes(self) -> SmallVec<[isize; 4]> {
        SmallVec::from_slice(&[self])
    }
}

impl<const N: usize> IntoAxes for [isize; N] {
    fn into_axes(self) -> SmallVec<[isize; 4]> {
        SmallVec::from_slice(&self)
    }
}

impl IntoAxes for &[isize] {
    fn into_axes(self) -> SmallVec<[isize; 4]> {
        SmallVec::from_slice(self)
    }
}

impl<const N: usize> IntoAxes for &[isize; N] {
    fn into_axes(self) -> SmallVec<[isize; 4]> {
        SmallVec::from_slice(self)
    }
}

impl IntoAxes for Vec<isize> {
    fn into_axes(self) -> SmallVec<[isize; 4]> {
        SmallVec::from_vec(self)
    }
}

/// Shape and dtype of a reduction: the operand's without `axes`.
pub(crate) fn reduced(x: &Meta, kind: ReduceFn, axes: &[usize]) -> Result<Meta> {
    if !kind.supports(x.dtype) {
        let error = Error::dtype(format!("is not defined for {}", x.dtype));
        return Err(error.help("convert first: .cast(DType::I64) counts, .cast(DType::F32) averages"));
    }
    match axes.iter().find(|&&axis| axis >= x.shape.rank()) {
        None => Ok(Meta::new(x.shape.without(axes), x.dtype)),
        Some(axis) => Err(Error::axis(format!("axis {axis} is out of range for {}", x.shape))),
    }
}

/// Checks that the axes have elements, for a reduction that has no meaning without.
pub(crate) fn inhabited(x: &Meta, axes: &[usize]) -> Result<()> {
    match axes.iter().find(|&&axis| x.shape.get(axis) == Some(&0)) {
        None => Ok(()),
        Some(axis) => Err(Error::value(format!("axis {axis} of {} has no elements", x.shape))
            .help("the result of an empty axis is not defined; leave the empty batch out")),
    }
}

impl<'t> Var<'t> {
    /// All axes.
    pub(crate) fn all_axes(self) -> Axes {
        (0..self.rank()).collect()
    }

    /// The axes that the user meant, sorted; on a mistake the error is on the tape, in the name of `op`.
    #[track_caller]
    pub(crate) fn resolve(self, op: &'static str, axes: impl IntoAxes) -> Option<Axes> {
        match self.shape().axes(&axes.into_axes()) {
            Ok(axes) => Some(axes),
            Err(error) => {
                self.reject(op, error);
                None
            }
        }
    }

    /// A reduced value with its axes back, of size 1: the keep-dim form.
    #[track_caller]
    pub(crate) fn keeping(self, whole: &Shape, axes: &[usize]) -> Var<'t> {
        self.reshape(whole.with_ones(axes))
    }

    /// A reduced value, repeated along the axes over which `whole` was reduced.
    #[track_caller]
    pub(crate) fn spread(self, whole: &Shape, axes: &[usize]) -> Var<'t> {
        self.keeping(whole, axes).broadcast_to(whole)
    }
}
