//! Between tensors and the numbers of Rust: elements in, elements out, and from one element type to another.

use crate::dtype::{DType, Element, Scalar, dispatch};
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::shape::{IntoShape, Shape};
use crate::tensor::{Tensor, framed};
use bytemuck::Pod;
use smallvec::SmallVec;
use std::ops::Range;

mod sealed {
    pub trait Sealed {}
}

/// What lies densely in memory and thus converts into a tensor: a number, and arrays of arrays of numbers of any rank.
///
/// ```
/// use wengert_tensor::tensor::Tensor;
/// assert_eq!(Tensor::from(1.5f32).rank(), 0);
/// assert_eq!(Tensor::from([[1, 2], [3, 4], [5, 6]]).shape().dims(), [3, 2]);
/// assert_eq!(Tensor::from(vec![[true, false]; 4]).shape().dims(), [4, 2]);
/// assert_eq!(Tensor::from([[[[0u8; 5]; 4]; 3]; 2].as_slice()).shape().dims(), [2, 3, 4, 5]);
/// ```
pub trait Nested: Sized + sealed::Sealed {
    /// The numbers at the bottom.
    type Element: Element;

    #[doc(hidden)]
    fn push_dims(dims: &mut SmallVec<[usize; 4]>);

    #[doc(hidden)]
    fn elements(these: &[Self]) -> &[Self::Element];
}

impl<T: Element> sealed::Sealed for T {}

impl<T: Element> Nested for T {
    type Element = T;

    fn push_dims(_: &mut SmallVec<[usize; 4]>) {}

    fn elements(these: &[T]) -> &[T] {
        these
    }
}

impl<D: Nested, const N: usize> sealed::Sealed for [D; N] {}

impl<D: Nested, const N: usize> Nested for [D; N] {
    type Element = D::Element;

    fn push_dims(dims: &mut SmallVec<[usize; 4]>) {
        dims.push(N);
        D::push_dims(dims);
    }

    fn elements(these: &[Self]) -> &[D::Element] {
        // Of arrays of nothing there may be more than can be counted.
        if size_of::<Self>() == 0 { &[] } else { D::elements(these.as_flattened()) }
    }
}

/// As with `Vec`, only the lack of memory can stop it.
fn dense<D: Nested>(dims: &[usize], values: &[D]) -> Tensor {
    let mut dims = SmallVec::from_slice(dims);
    D::push_dims(&mut dims);
    // Sizes overflow only where arrays of nothing are nested, which hold no element.
    let shape = dims.into_shape().unwrap_or_else(|_| Shape::part_of_checked(SmallVec::from_elem(0, 1)));
    let values = D::elements(values);
    match Tensor::from_slice(values, shape) {
        Ok(tensor) => tensor,
        Err(_) => std::alloc::handle_alloc_error(std::alloc::Layout::for_value(values)),
    }
}

impl<D: Nested> From<D> for Tensor {
    fn from(value: D) -> Tensor {
        dense(&[], std::slice::from_ref(&value))
    }
}

impl<D: Nested> From<&[D]> for Tensor {
    fn from(values: &[D]) -> Tensor {
        dense(&[values.len()], values)
    }
}

impl<D: Nested, const N: usize> From<&[D; N]> for Tensor {
    fn from(values: &[D; N]) -> Tensor {
        Tensor::from(values.as_slice())
    }
}

impl<D: Nested> From<Vec<D>> for Tensor {
    fn from(values: Vec<D>) -> Tensor {
        Tensor::from(values.as_slice())
    }
}

impl<D: Nested> From<&Vec<D>> for Tensor {
    fn from(values: &Vec<D>) -> Tensor {
        Tensor::from(values.as_slice())
    }
}

impl From<Scalar> for Tensor {
    fn from(value: Scalar) -> Tensor {
        dispatch!(value.dtype(), T => Tensor::from(value.get::<T>().unwrap_or_default()))
    }
}

impl From<&Tensor> for Tensor {
    fn from(tensor: &Tensor) -> Tensor {
        tensor.clone()
    }
}

/// How elements are read.
impl Tensor {
    /// The element of a tensor that has exactly one.
    ///
    /// # Errors
    /// When there is not one element, or it is not a `T`.
    ///
    /// ```
    /// # use wengert_tensor::tensor::Tensor;
    /// assert_eq!(Tensor::from([[2.5f32]]).item::<f32>()?, 2.5);
    /// let e = Tensor::from([1.0, 2.0]).item::<f64>().unwrap_err();
    /// assert_eq!(e.message(), "[2] has 2 elements, not one");
    /// let e = Tensor::from(1.0).item::<f32>().unwrap_err();
    /// assert_eq!(e.message(), "these are f64, not f32");
    /// assert_eq!(e.help_text(), Some("convert first: .cast(DType::F32)"));
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn item<T: Element>(&self) -> Result<T> {
        let one = match self.layout().bounds() {
            Some((first, _)) if self.len() == 1 => Ok(first),
            _ => Err(Error::shape(format!("{} has {} elements, not one", self.shape(), self.len()))),
        };
        let item = one.and_then(|i| {
            self.dtype().expect::<T>()?;
            Ok(T::from_stored(self.storage().as_slice::<T::Stored>()[i]))
        });
        self.frame("item", item)
    }

    /// The elements in row-major order.
    ///
    /// # Errors
    /// When they are not `T`s, or memory cannot be had.
    ///
    /// ```
    /// # use wengert_tensor::tensor::Tensor;
    /// assert_eq!(Tensor::from([[1, 2], [3, 4]]).t()?.to_vec::<i32>()?, [1, 3, 2, 4]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        self.frame("to_vec", self.dtype().expect::<T>().and_then(|()| self.collect(T::from_stored)))
    }

    /// The elements in row-major order as they lie in memory, without a copy; bool as bytes of 0 and 1.
    ///
    /// # Errors
    /// When they are not `T`s, or do not lie next to each other.
    ///
    /// ```
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.select(0, 1)?.as_slice::<f32>()?, [3.0, 4.0]);
    /// assert!(x.t()?.as_slice::<f32>().is_err());
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn as_slice<T: Element>(&self) -> Result<&[T::Stored]> {
        let slice = self.dtype().expect::<T>().and_then(|()| match self.span() {
            Some(span) => Ok(&self.storage().as_slice::<T::Stored>()[span]),
            None => Err(Error::state(format!(
                "the elements do not lie in row-major order: strides {:?}",
                self.layout().strides()
            ))
            .help("copy them first: .contiguous()")),
        });
        self.frame("as_slice", slice)
    }

    /// The elements in row-major order, each as the nearest f64. As with any `Vec`, only the lack of memory can stop it.
    ///
    /// ```
    /// # use wengert_tensor::tensor::Tensor;
    /// assert_eq!(Tensor::from([true, false]).to_f64_vec(), [1.0, 0.0]);
    /// ```
    pub fn to_f64_vec(&self) -> Vec<f64> {
        dispatch!(self.dtype(), T => {
            let mut out = vec![0.0; self.len()];
            self.copy_to(&mut out, |x| T::from_stored(x).to_f64());
            out
        })
    }

    /// The integer parts of the elements in row-major order.
    pub(crate) fn to_i64_vec(&self) -> Vec<i64> {
        dispatch!(self.dtype(), T => {
            let mut out = vec![0; self.len()];
            self.copy_to(&mut out, |x| T::from_stored(x).to_i64());
            out
        })
    }

    /// The elements as another element type; the same storage where it is the same type.
    ///
    /// A float truncates toward zero and saturates at the ends of an integer, NaN becomes 0; integers wrap into smaller
    /// integers; what is not zero is `true`; whatever becomes a float is rounded once, to nearest, ties
    /// to even.
    ///
    /// # Errors
    /// When memory cannot be had.
    ///
    /// ```
    /// # use wengert_tensor::{dtype::DType, tensor::Tensor};
    /// let x = Tensor::from([-1.5, 2.9, 1e20, f64::NAN]);
    /// assert_eq!(x.cast(DType::I32)?.to_vec::<i32>()?, [-1, 2, i32::MAX, 0]);
    /// assert_eq!(x.cast(DType::U8)?.to_vec::<u8>()?, [0, 2, 255, 0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn cast(&self, dtype: DType) -> Result<Tensor> {
        if dtype == self.dtype() {
            return Ok(self.clone());
        }
        self.frame("cast", self.converted(dtype))
    }

    /// A contiguous copy as another element type.
    pub(crate) fn converted(&self, dtype: DType) -> Result<Tensor> {
        dispatch!(self.dtype(), S => dispatch!(dtype, D => {
            let convert = |x| S::from_stored(x).convert::<D>().to_stored();
            Tensor::write(self.shape().clone(), |out| self.copy_to(out, convert), dtype)
        }))
    }

    /// The same elements, lying next to each other in row-major order: itself where they do already, else a copy.
    ///
    /// # Errors
    /// When memory cannot be had.
    #[track_caller]
    pub fn contiguous(&self) -> Result<Tensor> {
        self.frame("contiguous", self.dense())
    }

    /// [`contiguous`](Tensor::contiguous) for those who frame their own errors.
    pub(crate) fn dense(&self) -> Result<Tensor> {
        match self.dtype().size() {
            _ if self.is_contiguous() => Ok(self.clone()),
            1 => self.copied::<u8>(),
            2 => self.copied::<u16>(),
            4 => self.copied::<u32>(),
            _ => self.copied::<u64>(),
        }
    }

    fn copied<S: Pod>(&self) -> Result<Tensor> {
        Tensor::write(self.shape().clone(), |out: &mut [S]| self.copy_to(out, |x: S| x), self.dtype())
    }

    /// The elements of the storage, where they lie next to each other.
    pub(crate) fn span(&self) -> Option<Range<usize>> {
        match self.layout().bounds() {
            None => Some(0..0),
            Some((first, last)) => self.is_contiguous().then_some(first..last + 1),
        }
    }

    /// The raw bytes of the elements, where they lie next to each other.
    pub(crate) fn raw(&self) -> Option<&[u8]> {
        let size = self.dtype().size();
        self.span().map(|span| &self.storage().bytes()[span.start * size..span.end * size])
    }

    fn collect<S: Pod, T: Element>(&self, convert: impl Fn(S) -> T + Copy) -> Result<Vec<T>> {
        let mut out = reserved(self.len())?;
        match self.span() {
            Some(span) => out.extend(self.storage().as_slice::<S>()[span].iter().map(|&x| convert(x))),
            None => {
                out.resize(self.len(), T::default());
                self.copy_to(&mut out, convert);
            }
        }
        Ok(out)
    }

    /// Writes `convert` of each element in row-major order.
    #[inline]
    pub(crate) fn copy_to<S: Pod, T: Copy>(&self, out: &mut [T], convert: impl Fn(S) -> T + Copy) {
        copy(self.storage().as_slice::<S>(), self.layout(), out, convert);
    }
}

/// An empty vector with room for `len`.
fn reserved<T>(len: usize) -> Result<Vec<T>> {
    let mut out = Vec::new();
    match out.try_reserve_exact(len) {
        Ok(()) => Ok(out),
        Err(e) => Err(Error::memory(format!("{len} elements could not be allocated")).caused_by(e)),
    }
}

/// Writes `convert` of each element of `data` that `layout` reads. All of them lie within `data`.
#[inline]
fn copy<S: Pod, T: Copy>(data: &[S], layout: &Layout, out: &mut [T], convert: impl Fn(S) -> T + Copy) {
    let runs = layout.runs();
    let (count, stride) = (runs.count, runs.stride);
    for (start, out) in runs.zip(out.chunks_exact_mut(count.max(1))) {
        let fill = |(to, from): (&mut T, &S)| *to = convert(*from);
        match stride {
            _ if count == 1 => out.fill(convert(data[start])),
            0 => out.fill(convert(data[start])),
            1 => out.iter_mut().zip(&data[start..start + count]).for_each(fill),
            2.. => out.iter_mut().zip(data[start..].iter().step_by(stride as usize)).for_each(fill),
            _ => out.iter_mut().zip(data[..=start].iter().rev().step_by(stride.unsigned_abs())).for_each(fill),
        }
    }
}

/// How elements come from and go to files.
impl Tensor {
    /// A tensor of the bytes of a file: row-major, little endian.
    ///
    /// # Errors
    /// When there are not exactly the bytes of `shape`, a byte of bool is neither 0 nor 1, or memory cannot be had.
    ///
    /// ```
    /// # use wengert_tensor::{dtype::DType, tensor::Tensor};
    /// let x = Tensor::from_le_bytes(&[1, 0, 0, 0, 0, 1, 0, 0], [2], DType::I32)?;
    /// assert_eq!(x.to_vec::<i32>()?, [1, 256]);
    /// assert_eq!(x.to_le_bytes()?, [1, 0, 0, 0, 0, 1, 0, 0]);
    /// assert!(Tensor::from_le_bytes(&[2], [1], DType::Bool).is_err());
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn from_le_bytes(bytes: &[u8], shape: impl IntoShape, dtype: DType) -> Result<Tensor> {
        framed("Tensor::from_le_bytes", || {
            let shape = shape.into_shape()?;
            let want = shape.len() * dtype.size();
            if bytes.len() != want {
                let text = format!("{} bytes do not fill {shape} {dtype}, which takes {want}", bytes.len());
                return Err(Error::shape(text));
            }
            if dtype == DType::Bool
                && let Some((i, byte)) = bytes.iter().enumerate().find(|&(_, &b)| b > 1)
            {
                return Err(Error::data(format!("byte {i} of a bool is {byte}, neither 0 nor 1")));
            }
            Tensor::write(shape, |out: &mut [u8]| reordered(bytes, out, dtype.size()), dtype)
        })
    }

    /// The bytes for a file: row-major, little endian.
    ///
    /// # Errors
    /// When memory cannot be had.
    #[track_caller]
    pub fn to_le_bytes(&self) -> Result<Vec<u8>> {
        let bytes = self.dense().and_then(|dense| {
            let bytes = dense.raw().unwrap_or_default();
            let mut out = reserved(bytes.len())?;
            out.resize(bytes.len(), 0);
            reordered(bytes, &mut out, dense.dtype().size());
            Ok(out)
        });
        self.frame("to_le_bytes", bytes)
    }
}

/// Copies elements between the byte order of files and that of this machine.
fn reordered(from: &[u8], to: &mut [u8], size: usize) {
    to.copy_from_slice(from);
    if cfg!(target_endian = "big") {
        to.chunks_exact_mut(size).for_each(<[u8]>::reverse);
    }
}
