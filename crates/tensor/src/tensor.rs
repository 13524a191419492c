//! The tensor: an array value of any rank.

use crate::dtype::{DType, Element, Scalar, dispatch};
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::random::{self, Key};
use crate::shape::{IntoShape, Shape};
use crate::storage::Storage;
use bytemuck::Pod;
use std::panic::Location;

/// An n-dimensional array: shared bytes, an element type and a layout.
///
/// A tensor is a value: nothing changes it. Cloning copies a pointer and the layout, never the elements, and views
/// (`reshape`, `permute`, `slice` …) share them too. `Display` and `Debug` print it as NumPy does.
///
/// ```
/// use wengert_tensor::dtype::DType;
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let x = Tensor::from([[1.0f32, 2.5], [3.0, 4.0]]);
/// assert_eq!((x.dtype(), x.shape().dims()), (DType::F32, &[2, 2][..]));
/// assert_eq!(x.to_string(), "[[1.0, 2.5],\n [3.0, 4.0]]");
/// assert_eq!(x.select(0, 1)?.to_vec::<f32>()?, [3.0, 4.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Tensor {
    storage: Storage,
    dtype: DType,
    layout: Layout,
}

/// How tensors are made.
impl Tensor {
    /// A tensor of `values` in row-major order.
    ///
    /// # Errors
    /// When `shape` does not take exactly these values, or memory cannot be had.
    ///
    /// ```
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::new([1i64, 2, 3, 4, 5, 6], [2, 3])?;
    /// assert_eq!(x.to_string(), "[[1, 2, 3],\n [4, 5, 6]]");
    /// let e = Tensor::new(vec![1.0f32; 6], [2, 4]).unwrap_err();
    /// assert_eq!(e.message(), "6 values do not fill [2, 4], which takes 8");
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn new<T: Element>(values: impl AsRef<[T]>, shape: impl IntoShape) -> Result<Tensor> {
        let values = values.as_ref();
        framed("Tensor::new", || {
            let shape = shape.into_shape()?;
            match values.len() == shape.len() {
                true => Tensor::from_slice(values, shape),
                false => Err(Error::shape(format!(
                    "{} values do not fill {shape}, which takes {}",
                    values.len(),
                    shape.len()
                ))),
            }
        })
    }

    /// The values, whose number is that of `shape`.
    pub(crate) fn from_slice<T: Element>(values: &[T], shape: Shape) -> Result<Tensor> {
        Tensor::write(
            shape,
            |out: &mut [T::Stored]| {
                for (to, &value) in out.iter_mut().zip(values) {
                    *to = value.to_stored();
                }
            },
            T::DTYPE,
        )
    }

    /// A contiguous tensor whose bytes `fill` writes, as whichever type it likes.
    pub(crate) fn write<S: Pod>(shape: Shape, fill: impl FnOnce(&mut [S]), dtype: DType) -> Result<Tensor> {
        let storage = Storage::filled(shape.len() * dtype.size(), fill)?;
        Ok(Tensor { storage, dtype, layout: Layout::contiguous(shape) })
    }

    /// A tensor of zeros (`false` for bool).
    ///
    /// # Errors
    /// When the size of `shape` overflows, or memory cannot be had.
    ///
    /// ```
    /// # use wengert_tensor::{dtype::DType, tensor::Tensor};
    /// assert_eq!(Tensor::zeros([2, 2], DType::I32)?.to_vec::<i32>()?, [0; 4]);
    /// assert!(Tensor::zeros([usize::MAX, 2], DType::I32).is_err());
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn zeros(shape: impl IntoShape, dtype: DType) -> Result<Tensor> {
        framed("Tensor::zeros", || {
            let shape = shape.into_shape()?;
            let storage = Storage::zeroed(shape.len() * dtype.size())?;
            Ok(Tensor { storage, dtype, layout: Layout::contiguous(shape) })
        })
    }

    /// A tensor of ones (`true` for bool).
    ///
    /// # Errors
    /// When the size of `shape` overflows, or memory cannot be had.
    #[track_caller]
    pub fn ones(shape: impl IntoShape, dtype: DType) -> Result<Tensor> {
        framed("Tensor::ones", || Tensor::repeated(shape.into_shape()?, Scalar::from_i64(dtype, 1)))
    }

    /// A tensor of one repeated value, of the value's element type.
    ///
    /// # Errors
    /// When the size of `shape` overflows, or memory cannot be had.
    ///
    /// ```
    /// # use wengert_tensor::{dtype::{DType, Scalar}, tensor::Tensor};
    /// assert_eq!(Tensor::full([3], 2.5f32)?.to_string(), "[2.5, 2.5, 2.5]");
    /// assert_eq!(Tensor::full([3], Scalar::new(DType::I32, 7.0))?.to_string(), "[7, 7, 7]");
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn full(shape: impl IntoShape, value: impl Into<Scalar>) -> Result<Tensor> {
        framed("Tensor::full", || Tensor::repeated(shape.into_shape()?, value.into()))
    }

    fn repeated(shape: Shape, value: Scalar) -> Result<Tensor> {
        dispatch!(value.dtype(), T => {
            let value = value.get::<T>().unwrap_or_default().to_stored();
            Tensor::write(shape, |out: &mut [<T as Element>::Stored]| out.fill(value), T::DTYPE)
        })
    }

    /// The numbers `0, 1, …, n − 1`; a float that cannot say one of them has the nearest.
    ///
    /// # Errors
    /// When `n − 1` is beyond the numbers of `dtype` (of f16, from 65520 on), or memory cannot be had.
    ///
    /// ```
    /// # use wengert_tensor::{dtype::DType, tensor::Tensor};
    /// assert_eq!(Tensor::arange(4, DType::F32)?.to_string(), "[0.0, 1.0, 2.0, 3.0]");
    /// assert_eq!(Tensor::arange(300, DType::U8).unwrap_err().message(), "u8 cannot hold 299");
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn arange(n: usize, dtype: DType) -> Result<Tensor> {
        framed("Tensor::arange", || {
            let shape = Shape::new(n)?;
            let last = n.saturating_sub(1) as i64;
            let fits = dispatch!(dtype, T => match dtype.is_float() {
                true => T::from_i64(last).to_f64().is_finite(),
                false => T::from_i64(last).to_i64() == last,
            });
            if !fits {
                return Err(Error::value(format!("{dtype} cannot hold {last}")));
            }
            dispatch!(dtype, T => Tensor::generate(shape, |i| T::from_i64(i as i64)))
        })
    }

    /// `n` numbers from `start` to `end`, both included, evenly spaced.
    ///
    /// # Errors
    /// When memory cannot be had.
    ///
    /// ```
    /// # use wengert_tensor::{dtype::DType, tensor::Tensor};
    /// assert_eq!(Tensor::linspace(-1.0, 1.0, 5, DType::F32)?.to_string(), "[-1.0, -0.5,  0.0,  0.5,  1.0]");
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn linspace(start: f64, end: f64, n: usize, dtype: DType) -> Result<Tensor> {
        framed("Tensor::linspace", || {
            let steps = n.saturating_sub(1).max(1) as f64;
            let at = |i: usize| match i + 1 == n && n > 1 {
                true => end,
                false => start + (end - start) * (i as f64 / steps),
            };
            dispatch!(dtype, T => Tensor::generate(Shape::new(n)?, |i| <T as Element>::from_f64(at(i))))
        })
    }

    /// A tensor whose element at flat index `i` (row-major) is `f(i)`.
    ///
    /// # Errors
    /// When the size of `shape` overflows, or memory cannot be had.
    ///
    /// ```
    /// # use wengert_tensor::tensor::Tensor;
    /// assert_eq!(Tensor::from_fn([2, 2], |i| (i * i) as f64)?.to_string(), "[[0.0, 1.0],\n [4.0, 9.0]]");
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn from_fn<T: Element>(shape: impl IntoShape, f: impl FnMut(usize) -> T) -> Result<Tensor> {
        framed("Tensor::from_fn", || Tensor::generate(shape.into_shape()?, f))
    }

    fn generate<T: Element>(shape: Shape, mut f: impl FnMut(usize) -> T) -> Result<Tensor> {
        Tensor::write(
            shape,
            |out: &mut [T::Stored]| {
                for (i, to) in out.iter_mut().enumerate() {
                    *to = f(i).to_stored();
                }
            },
            T::DTYPE,
        )
    }

    /// Uniform random numbers in `[0, 1)`: the stream of `key` ([`random::uniform_f32`], for f64 [`random::uniform_f64`]).
    ///
    /// # Errors
    /// When `dtype` is no float, the size of `shape` overflows, or memory cannot be had.
    ///
    /// ```
    /// # use wengert_tensor::{dtype::DType, random::Key, tensor::Tensor};
    /// let x = Tensor::uniform([2, 3], DType::F32, Key::new(1))?;
    /// assert!(x.to_vec::<f32>()?.iter().all(|x| (0.0..1.0).contains(x)));
    /// assert!(x.equals(&Tensor::uniform([2, 3], DType::F32, Key::new(1))?));
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn uniform(shape: impl IntoShape, dtype: DType, key: impl Into<Key>) -> Result<Tensor> {
        let fill = (random::fill_uniform_f32 as FillF32, random::fill_uniform_f64 as FillF64);
        framed("Tensor::uniform", || Tensor::random(shape.into_shape()?, dtype, key.into(), fill))
    }

    /// Normal random numbers of mean 0 and deviation 1: the stream of `key` ([`random::normal_f32`], for f64
    /// [`random::normal_f64`]).
    ///
    /// # Errors
    /// When `dtype` is no float, the size of `shape` overflows, or memory cannot be had.
    #[track_caller]
    pub fn normal(shape: impl IntoShape, dtype: DType, key: impl Into<Key>) -> Result<Tensor> {
        let fill = (random::fill_normal_f32 as FillF32, random::fill_normal_f64 as FillF64);
        framed("Tensor::normal", || Tensor::random(shape.into_shape()?, dtype, key.into(), fill))
    }

    fn random(shape: Shape, dtype: DType, key: Key, fill: (FillF32, FillF64)) -> Result<Tensor> {
        match dtype {
            DType::F32 => Tensor::write(shape, |out| fill.0(key, 0, out), dtype),
            DType::F64 => Tensor::write(shape, |out| fill.1(key, 0, out), dtype),
            DType::BF16 | DType::F16 => Tensor::random(shape, DType::F32, key, fill)?.converted(dtype),
            _ => Err(Error::dtype(format!("random numbers are floats, not {dtype}"))),
        }
    }

    /// A tensor over memory that exists already.
    ///
    /// Of bool, every byte must be 0 or 1.
    ///
    /// # Errors
    /// When the layout reads beyond the storage.
    ///
    /// ```
    /// # use wengert_tensor::{dtype::DType, layout::Layout, shape::Shape, storage::Storage, tensor::Tensor};
    /// let layout = Layout::contiguous(Shape::new([4])?);
    /// let x = Tensor::from_parts(Storage::zeroed(16)?, DType::F32, layout.clone())?;
    /// assert_eq!(x.to_vec::<f32>()?, [0.0; 4]);
    /// assert!(Tensor::from_parts(Storage::zeroed(15)?, DType::F32, layout).is_err());
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    pub fn from_parts(storage: Storage, dtype: DType, layout: Layout) -> Result<Tensor> {
        let holds = storage.len() / dtype.size();
        match layout.bounds() {
            Some((_, last)) if last >= holds => Err(Error::index(format!(
                "the layout reads element {last} of a storage of {holds} elements of {dtype}"
            ))),
            _ => Ok(Tensor { storage, dtype, layout }),
        }
    }

    /// The same storage and element type under a layout that reads a part of what this one reads.
    pub(crate) fn with_layout(&self, layout: Layout) -> Tensor {
        Tensor { storage: self.storage.clone(), dtype: self.dtype, layout }
    }
}

type FillF32 = fn(Key, u64, &mut [f32]);
type FillF64 = fn(Key, u64, &mut [f64]);

/// What a tensor is.
impl Tensor {
    /// The sizes of the axes.
    #[inline]
    pub fn shape(&self) -> &Shape {
        self.layout.shape()
    }

    /// The element type.
    #[inline]
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.layout.rank()
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.layout.len()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.layout.is_empty()
    }

    /// The size of an axis, which counts from the end when it is negative.
    ///
    /// # Errors
    /// When there is no such axis.
    #[track_caller]
    pub fn dim(&self, axis: isize) -> Result<usize> {
        self.frame("dim", self.shape().axis(axis).map(|axis| self.shape()[axis]))
    }

    /// Which elements of the storage are read, in which order.
    #[inline]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The shared bytes.
    #[inline]
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The parts, for whoever wants to reuse the memory.
    pub fn into_parts(self) -> (Storage, DType, Layout) {
        (self.storage, self.dtype, self.layout)
    }

    /// The bytes of the elements, to be written, if these lie row by row and nobody else owns the memory.
    ///
    /// ```
    /// # use wengert_tensor::tensor::Tensor;
    /// let mut x = Tensor::from([1u8, 2]);
    /// x.bytes_mut().map(|bytes| bytes[0] = 5);
    /// assert_eq!(x.to_vec::<u8>()?, [5, 2]);
    /// let other = x.clone();
    /// assert!(x.bytes_mut().is_none());
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    pub fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        let (start, size) = (self.layout.offset(), self.dtype.size());
        let range = start * size..(start + self.layout.shape().len()) * size;
        if !self.layout.is_contiguous() {
            return None;
        }
        self.storage.get_mut()?.bytes_mut().get_mut(range)
    }

    /// Whether the elements lie next to each other in row-major order.
    pub fn is_contiguous(&self) -> bool {
        self.layout.is_contiguous()
    }

    /// Adds what this tensor knows to an error: the operation, itself as the operand, and the caller's line.
    #[track_caller]
    pub(crate) fn frame<T>(&self, op: &'static str, result: Result<T>) -> Result<T> {
        let at = Location::caller();
        result.map_err(|e| e.op(op).operand("tensor", format!("{} {}", self.shape(), self.dtype)).at(at))
    }
}

/// Runs a constructor and adds its name and the caller's line to its error.
#[track_caller]
pub(crate) fn framed<T>(op: &'static str, make: impl FnOnce() -> Result<T>) -> Result<T> {
    let at = Location::caller();
    make().map_err(|e| e.op(op).at(at))
}

/// How tensors are compared.
impl Tensor {
    /// Whether element types, shapes and all bits are equal: a NaN equals itself, and 0.0 differs from −0.0.
    ///
    /// ```
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([[1.0f32, f32::NAN]]);
    /// assert!(x.equals(&x.t()?.contiguous()?.t()?));
    /// assert!(!Tensor::from(0.0).equals(&Tensor::from(-0.0)));
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    pub fn equals(&self, other: &Tensor) -> bool {
        if self.dtype != other.dtype || self.shape() != other.shape() {
            return false;
        }
        match (self.raw(), other.raw()) {
            (Some(a), Some(b)) => a == b,
            _ => match self.dtype.size() {
                1 => self.same_bits::<u8>(other),
                2 => self.same_bits::<u16>(other),
                4 => self.same_bits::<u32>(other),
                _ => self.same_bits::<u64>(other),
            },
        }
    }

    fn same_bits<S: Pod + PartialEq>(&self, other: &Tensor) -> bool {
        let (a, b) = (self.storage.as_slice::<S>(), other.storage.as_slice::<S>());
        let mut there = other.layout.indices();
        // One side by internal iteration; two stepped together would check every run at every element.
        self.layout.indices().all(|i| there.next().is_some_and(|j| a[i] == b[j]))
    }

    /// The greatest `|a − b|` over all elements, in f64; 0 where there are none. Equal infinities and two NaNs do not
    /// differ; a NaN against a number does, and gives NaN. Element types may differ: two of integers or bool are
    /// subtracted exactly, others as the nearest f64.
    ///
    /// # Errors
    /// When the shapes differ.
    ///
    /// ```
    /// # use wengert_tensor::tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0]).max_abs_diff(&Tensor::from([1.5f32, 2.25]))?, 0.5);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn max_abs_diff(&self, other: &Tensor) -> Result<f64> {
        if self.shape() != other.shape() {
            let e = Error::shape(format!("{} and {} are different shapes", self.shape(), other.shape()));
            return self.frame("max_abs_diff", Err(e));
        }
        if !self.dtype.is_float() && !other.dtype.is_float() {
            let (a, b) = (self.to_i64_vec(), other.to_i64_vec());
            return Ok(a.iter().zip(&b).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0) as f64);
        }
        let (mut a, mut b) = (self.to_f64_vec().into_iter(), other.to_f64_vec().into_iter());
        Ok(std::iter::from_fn(|| Some((a.next()?, b.next()?))).fold(0.0, |most: f64, (a, b)| {
            let diff = if a == b || (a.is_nan() && b.is_nan()) { 0.0 } else { (a - b).abs() };
            if most.is_nan() || diff <= most { most } else { diff }
        }))
    }

    /// Whether an element is NaN. Never for integers and bool.
    ///
    /// ```
    /// # use wengert_tensor::tensor::Tensor;
    /// assert!(Tensor::from([1.0, f64::NAN]).has_nan());
    /// ```
    pub fn has_nan(&self) -> bool {
        self.dtype.is_float()
            && dispatch!(self.dtype, T => {
                let data = self.storage.as_slice::<<T as Element>::Stored>();
                let nan = |x| T::from_stored(x).to_f64().is_nan();
                match self.span() {
                    // A whole chunk without leaving early, so that the loop vectorises.
                    Some(span) => data[span].chunks(1024).any(|chunk| chunk.iter().fold(false, |any, &x| any | nan(x))),
                    None => self.layout.indices().any(|i| nan(data[i])),
                }
            })
    }
}

#[cfg(test)]
mod tests;
