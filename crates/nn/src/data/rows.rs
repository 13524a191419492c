//! Batches that can be joined, and taken apart into their samples.

use super::dataset::out_of_range;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

/// A batch whose samples lie along one axis: a tensor, a list, or a tuple of such.
///
/// [`Concat`](super::concat::Concat) and [`Cached`](super::cached::Cached) make batches of parts of other batches.
///
/// ```
/// use wengert_nn::data::rows::Rows;
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let (a, b) = ((Tensor::from([1.0f32, 2.0]), vec!["one", "two"]), (Tensor::from([3.0f32]), vec!["three"]));
/// let (x, names) = Rows::join(vec![a, b])?.rows(&[2, 0])?;
/// assert_eq!(x.to_vec::<f32>()?, [3.0, 1.0]);
/// assert_eq!(names, ["three", "one"]);
/// # Ok(()) }
/// ```
pub trait Rows: Sized {
    /// The samples of all parts, in their order.
    ///
    /// # Errors
    /// No part, or parts of different shapes or dtypes.
    fn join(parts: Vec<Self>) -> Result<Self>;

    /// The samples of these indices, in this order.
    ///
    /// # Errors
    /// An index beyond the samples.
    fn rows(&self, indices: &[usize]) -> Result<Self>;
}

impl Rows for Tensor {
    fn join(mut parts: Vec<Self>) -> Result<Self> {
        match (parts.len(), parts.pop()) {
            (1, Some(one)) => Ok(one),
            (_, last) => {
                parts.extend(last);
                Tensor::concat(&parts, 0)
            }
        }
    }

    fn rows(&self, indices: &[usize]) -> Result<Self> {
        self.gather_rows(indices)
    }
}

impl<T: Clone> Rows for Vec<T> {
    fn join(parts: Vec<Self>) -> Result<Self> {
        match parts.is_empty() {
            true => Err(Error::data("no batches to join")),
            false => Ok(parts.into_iter().flatten().collect()),
        }
    }

    fn rows(&self, indices: &[usize]) -> Result<Self> {
        let row = |&index: &usize| self.get(index).cloned().ok_or_else(|| out_of_range(index, self.len()));
        indices.iter().map(row).collect()
    }
}

macro_rules! tuples {
    ($(($($part:ident $at:tt),+)),+) => {$(
        impl<$($part: Rows),+> Rows for ($($part,)+) {
            fn join(parts: Vec<Self>) -> Result<Self> {
                let mut lists = ($(Vec::<$part>::with_capacity(parts.len()),)+);
                for part in parts {
                    $(lists.$at.push(part.$at);)+
                }
                Ok(($($part::join(lists.$at)?,)+))
            }

            fn rows(&self, indices: &[usize]) -> Result<Self> {
                Ok(($(self.$at.rows(indices)?,)+))
            }
        }
    )+};
}
tuples!((A 0, B 1), (A 0, B 1, C 2), (A 0, B 1, C 2, D 3));
