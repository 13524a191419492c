//! What an opaque kernel sees of its operands: contiguous, typed, bounded slices.

use crate::dtype::{DType, Element};
use crate::error::{Error, Result};
use crate::shape::Shape;
use std::fmt::Debug;

/// A contiguous operand of a [`Kernel`].
#[derive(Clone, Copy, Debug)]
pub struct TensorView<'a> {
    dtype: DType,
    shape: &'a Shape,
    bytes: &'a [u8],
}

impl<'a> TensorView<'a> {
    /// A view of `bytes`, which hold the elements of `shape` in row-major order.
    ///
    /// # Errors
    /// When the bytes are not exactly the elements of `shape`.
    pub fn new(dtype: DType, shape: &'a Shape, bytes: &'a [u8]) -> Result<Self> {
        check_bytes(dtype, shape, bytes.len())?;
        Ok(Self { dtype, shape, bytes })
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The shape.
    pub fn shape(&self) -> &'a Shape {
        self.shape
    }

    /// The raw bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The elements in row-major order.
    ///
    /// # Errors
    /// When `T` is not the element type.
    pub fn as_slice<T: Element>(&self) -> Result<&'a [T::Stored]> {
        check_dtype::<T>(self.dtype)?;
        bytemuck::try_cast_slice(self.bytes).map_err(|e| Error::state(format!("a misaligned view: {e}")))
    }
}

/// The contiguous output of a [`Kernel`]. Its contents are unspecified until the kernel has written them.
#[derive(Debug)]
pub struct TensorViewMut<'a> {
    dtype: DType,
    shape: &'a Shape,
    bytes: &'a mut [u8],
}

impl<'a> TensorViewMut<'a> {
    /// A view of `bytes`, which hold the elements of `shape` in row-major order.
    ///
    /// # Errors
    /// When the bytes are not exactly the elements of `shape`.
    pub fn new(dtype: DType, shape: &'a Shape, bytes: &'a mut [u8]) -> Result<Self> {
        check_bytes(dtype, shape, bytes.len())?;
        Ok(Self { dtype, shape, bytes })
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The shape.
    pub fn shape(&self) -> &'a Shape {
        self.shape
    }

    /// The raw bytes.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes
    }

    /// The elements in row-major order.
    ///
    /// # Errors
    /// When `T` is not the element type.
    pub fn as_mut_slice<T: Element>(&mut self) -> Result<&mut [T::Stored]> {
        check_dtype::<T>(self.dtype)?;
        bytemuck::try_cast_slice_mut(self.bytes).map_err(|e| Error::state(format!("a misaligned view: {e}")))
    }
}

/// A computation that the loop machine and the matrix product cannot express: `out = f(inputs)`.
///
/// Every operand is contiguous. The kernel writes every element of `out`, and nothing else.
pub trait Kernel: Debug + Send + Sync {
    /// Computes `out` from `inputs`.
    ///
    /// # Errors
    /// When a value is impossible (an index out of range); the caller adds the op, its layer and the user's line.
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()>;

    /// Operations on numbers by its formula, for operands and a result of these shapes; 0 where elements are only moved, and `None` where it
    /// does not say.
    fn flops(&self, inputs: &[&Shape], out: &Shape) -> Option<u64> {
        _ = (inputs, out);
        None
    }

    /// Whether each index along axis 0 of the result is computed from that index of every operand alone, in the same way: some rows
    /// of the operands then give these rows of the result.
    fn by_rows(&self) -> bool {
        false
    }
}

fn check_bytes(dtype: DType, shape: &Shape, bytes: usize) -> Result<()> {
    match shape.len() * dtype.size() == bytes {
        true => Ok(()),
        false => Err(Error::state(format!("a view of {bytes} bytes cannot hold {shape} {dtype}"))),
    }
}

fn check_dtype<T: Element>(dtype: DType) -> Result<()> {
    match T::DTYPE == dtype {
        true => Ok(()),
        false => Err(Error::dtype(format!("expected {}, found {dtype}", T::DTYPE))),
    }
}
