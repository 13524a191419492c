//! What the ops on matrices share: which operands they take, and how they name a matrix that they cannot take.

use crate::meta::Meta;
use smallvec::SmallVec;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::Shape;

/// Evaluates `$body` with `$T` bound to f32 or f64.
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
            other => return Err($crate::matrices::unfit(other)),
        }
    };
}
pub(crate) use with_real;

/// That there is no such factorization or transform for an element type.
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

/// The sizes of matrices of f32 or f64.
#[cfg(feature = "linalg")]
pub(crate) fn matrix(x: &Meta) -> Result<(usize, usize)> {
    reals(x)?;
    match x.shape.split_last_chunk() {
        Some((_, &[rows, columns])) => Ok((rows, columns)),
        None => Err(Error::shape(format!("{} is no matrix", x.shape)).help("unsqueeze makes it one")),
    }
}

/// The size of square matrices of f32 or f64.
#[cfg(feature = "linalg")]
pub(crate) fn square(x: &Meta) -> Result<usize> {
    match matrix(x)? {
        (rows, columns) if rows == columns => Ok(rows),
        (rows, columns) => Err(Error::shape(format!("takes square matrices, not {rows} × {columns}"))),
    }
}

/// The shape with other sizes in the place of its last two.
#[cfg(feature = "linalg")]
pub(crate) fn resized(shape: &Shape, rows: usize, columns: usize) -> Result<Shape> {
    let before = shape.iter().take(shape.rank().saturating_sub(2)).copied();
    Shape::new(before.chain([rows, columns]).collect::<SmallVec<[usize; 4]>>())
}

/// The two operands of a system of equations: the size of its matrices, and the number of right sides.
#[cfg(feature = "linalg")]
pub(crate) fn system(a: &Meta, b: &Meta) -> Result<(usize, usize)> {
    if a.dtype != b.dtype {
        return Err(Error::dtype(format!("{} beside {}", a.dtype, b.dtype))
            .help("nothing is converted silently; convert one side first: .cast(DType::…)"));
    }
    let n = square(a)?;
    let (rows, columns) = matrix(b)?;
    let batch = |meta: &Meta| meta.shape.iter().rev().skip(2).rev().copied().collect::<SmallVec<[usize; 4]>>();
    match (rows == n, batch(a) == batch(b)) {
        (true, true) => Ok((n, columns)),
        (false, _) => Err(Error::shape(format!("a system of {n} equations, and a right side of {rows} rows"))),
        _ => Err(Error::shape(format!("batch axes differ: {} and {}", a.shape, b.shape))),
    }
}

/// Matrix number `at` of a batch of this shape, as it is called in an error.
#[cfg(feature = "linalg")]
pub(crate) fn called(at: usize, shape: &Shape) -> String {
    let (mut place, mut rest) = (Vec::new(), at);
    for &dim in shape.iter().rev().skip(2) {
        place.push(rest % dim.max(1));
        rest /= dim.max(1);
    }
    place.reverse();
    match place.as_slice() {
        [] => "the matrix".to_string(),
        place => format!("the matrix at {place:?}"),
    }
}

/// Refuses NaN and infinity, on which no iteration can end.
#[cfg(feature = "linalg")]
pub(crate) fn finite<T: Copy + Into<f64>>(elements: &[T], at: usize, shape: &Shape) -> Result<()> {
    match elements.iter().all(|&x| x.into().is_finite()) {
        true => Ok(()),
        false => Err(Error::value(format!("{} has an element that is NaN or infinite", called(at, shape)))
            .help("find where it comes from; this op needs finite numbers")),
    }
}

/// Values of a case: they vary, and square matrices of them are far from singular.
#[cfg(feature = "linalg")]
pub(crate) fn example(dims: &[usize], seed: f64) -> wengert_tensor::tensor::Tensor {
    use wengert_tensor::tensor::Tensor;
    let [rows, columns] = dims.last_chunk().copied().unwrap_or([1, 1]);
    let value = move |i: usize| {
        let (row, column) = (i / columns % rows, i % columns);
        (i as f64 * 1.7 + seed).sin() * 0.6 + if row == column { 2.0 + 0.5 * row as f64 } else { 0.0 }
    };
    Tensor::from_fn(dims, value).unwrap_or_else(|_| Tensor::from(0.0f64))
}
