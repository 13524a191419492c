//! What the opaque kernels share: element types, blocks around an axis, and indices that are checked.

use std::cmp::Ordering;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::program::view::TensorView;
use wengert_tensor::shape::Shape;

/// Evaluates `$body` with `$T` bound to the Rust type of `$dtype`.
macro_rules! with_type {
    ($dtype:expr, $T:ident => $body:expr) => {{
        use wengert_tensor::dtype::{DType, bf16, f16};
        match $dtype {
            DType::F32 => {
                type $T = f32;
                $body
            }
            DType::F64 => {
                type $T = f64;
                $body
            }
            DType::BF16 => {
                type $T = bf16;
                $body
            }
            DType::F16 => {
                type $T = f16;
                $body
            }
            DType::I64 => {
                type $T = i64;
                $body
            }
            DType::I32 => {
                type $T = i32;
                $body
            }
            DType::U8 => {
                type $T = u8;
                $body
            }
            DType::Bool => {
                type $T = bool;
                $body
            }
        }
    }};
}
pub(crate) use with_type;

/// The operands of a kernel that takes exactly `N`.
pub(crate) fn views<'a, const N: usize>(inputs: &[TensorView<'a>]) -> Result<[TensorView<'a>; N]> {
    inputs.try_into().map_err(|_| Error::state(format!("a kernel of {N} operands got {}", inputs.len())))
}

/// About the nanoseconds that it takes to copy so many elements from one place to another.
pub(crate) fn copy_ns<T>(elements: usize) -> usize {
    4 + elements.saturating_mul(size_of::<T>()) / 8
}

/// About the nanoseconds that a decomposition of a matrix takes.
#[cfg(feature = "linalg")]
pub(crate) fn matrix_ns(rows: usize, columns: usize) -> usize {
    500 + rows.saturating_mul(columns).saturating_mul(rows.min(columns))
}

/// A shape as rows of `size × inner` elements around an axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocks {
    pub(crate) size: usize,
    pub(crate) inner: usize,
}

impl Blocks {
    /// Around the axes from `axis`, `width` of them taken as one.
    pub(crate) fn around(shape: &Shape, axis: usize, width: usize) -> Blocks {
        Blocks { size: shape.iter().skip(axis).take(width).product(), inner: shape.iter().skip(axis + width).product() }
    }
}

/// An index that must lie in `0..size`. `what` it is, and which element of `shape` it is, stand in the error.
#[inline]
pub(crate) fn checked(what: &str, index: i64, size: usize, flat: usize, shape: &Shape) -> Result<usize> {
    match usize::try_from(index) {
        Ok(i) if i < size => Ok(i),
        _ => Err(out_of_range(what, index, size, flat, shape)),
    }
}

#[cold]
fn out_of_range(what: &str, index: i64, size: usize, flat: usize, shape: &Shape) -> Error {
    Error::index(format!("{what} {index}{} is outside 0..{size}", place(flat, shape)))
}

/// Where an element is, for errors: nothing in a single one, ` at 3`, ` at [1, 3]`.
pub(crate) fn place(flat: usize, shape: &Shape) -> String {
    let mut place = Vec::new();
    let mut rest = flat;
    for &dim in shape.iter().rev() {
        place.push(rest % dim.max(1));
        rest /= dim.max(1);
    }
    place.reverse();
    match place.as_slice() {
        [] => String::new(),
        [i] => format!(" at {i}"),
        _ => format!(" at {place:?}"),
    }
}

/// The order of two elements. NaN is equal to NaN, and larger than all numbers.
#[inline]
pub(crate) fn nan_largest<T: PartialOrd + Copy>(a: T, b: T) -> Ordering {
    let nan = |x: T| x.partial_cmp(&x).is_none();
    a.partial_cmp(&b).unwrap_or_else(|| nan(a).cmp(&nan(b)))
}
