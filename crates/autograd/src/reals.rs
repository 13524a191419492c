//! Element types of ops whose kernels exist for f32 and f64 alone.

use crate::meta::Meta;
use smallvec::SmallVec;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::threads::in_parts;
use wengert_tensor::program::view::{TensorView, TensorViewMut};

/// Evaluates `$body` with `$T` bound to f32 or f64.
#[cfg(any(feature = "fft", feature = "linalg"))]
macro_rules! with_real {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            wengert_tensor::dtype::DType::F32 => {
                type $T = f32;
                $body
            }
            wengert_tensor::dtype::DType::F64 => {
                type $T = f64;
                $body
            }
            other => return Err($crate::reals::unfit(other)),
        }
    };
}
#[cfg(any(feature = "fft", feature = "linalg"))]
pub(crate) use with_real;

/// That there is no such kernel for an element type.
pub(crate) fn unfit(dtype: DType) -> Error {
    Error::dtype(format!("computes in f32 and f64, not {dtype}")).help("convert first: .cast(DType::F32)")
}

/// Checks the element type.
pub(crate) fn reals(x: &Meta) -> Result<()> {
    match x.dtype {
        DType::F32 | DType::F64 => Ok(()),
        other => Err(unfit(other)),
    }
}

/// The elements of an operand of f32 or f64.
#[derive(Clone, Copy)]
pub(crate) enum Reals<'a> {
    Single(&'a [f32]),
    Double(&'a [f64]),
}

impl<'a> Reals<'a> {
    pub(crate) fn of(view: TensorView<'a>) -> Result<Reals<'a>> {
        match view.dtype() {
            DType::F32 => Ok(Reals::Single(view.as_slice::<f32>()?)),
            DType::F64 => Ok(Reals::Double(view.as_slice::<f64>()?)),
            other => Err(unfit(other)),
        }
    }

    /// Element i in f64; NaN where there is none.
    pub(crate) fn at(self, i: usize) -> f64 {
        match self {
            Reals::Single(x) => x.get(i).copied().map_or(f64::NAN, f64::from),
            Reals::Double(x) => x.get(i).copied().unwrap_or(f64::NAN),
        }
    }
}

/// About the time that an element takes: the functions are iterations.
pub(crate) const EACH_NS: usize = 100;

/// Fills a result of f32 or f64 by the elements of operands of its shape, in f64. `f` also gets the number of the element.
pub(crate) fn each<const N: usize>(
    operands: [TensorView<'_>; N],
    out: &mut TensorViewMut<'_>,
    f: impl Fn(usize, [f64; N]) -> Result<f64> + Sync,
) -> Result<()> {
    let operands = operands.into_iter().map(Reals::of).collect::<Result<SmallVec<[Reals<'_>; 3]>>>()?;
    let value = |i: usize| f(i, std::array::from_fn(|k| operands.get(k).map_or(f64::NAN, |x| x.at(i))));
    match out.dtype() {
        DType::F32 => in_parts(out.as_mut_slice::<f32>()?, 1, EACH_NS, |first, part| {
            (first..).zip(part).try_for_each(|(i, to)| value(i).map(|y| *to = y as f32))
        }),
        _ => in_parts(out.as_mut_slice::<f64>()?, 1, EACH_NS, |first, part| {
            (first..).zip(part).try_for_each(|(i, to)| value(i).map(|y| *to = y))
        }),
    }
}
