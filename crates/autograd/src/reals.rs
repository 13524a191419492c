//! Element types of ops whose kernels exist for f32 and f64 alone.

use crate::meta::Meta;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};

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
