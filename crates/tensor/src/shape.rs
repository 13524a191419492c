//! The sizes of a tensor's axes, checked once so that no later product can overflow.

use crate::error::{Error, Result};
use smallvec::SmallVec;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

/// Axis numbers.
pub type Axes = SmallVec<[usize; 4]>;

/// Steps between neighbours along each axis, in elements.
pub type Strides = SmallVec<[isize; 4]>;

/// The sizes of the axes. Rank 0 is a single element; an axis of size 0 makes the whole empty.
///
/// Every `Shape` was checked: the product of its nonzero sizes, times 8 bytes, fits `isize`. So element counts, strides
/// and byte counts never overflow, for any element type. It derefs to its sizes; note that [`len`](Shape::len) counts
/// elements, while [`rank`](Shape::rank) counts axes.
///
/// ```
/// use wengert_tensor::shape::Shape;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let s = Shape::new([2, 3])?;
/// assert_eq!((s.rank(), s.len(), s[1]), (2, 6, 3));
/// assert_eq!(s.to_string(), "[2, 3]");
/// assert!(Shape::new([usize::MAX, 2]).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Eq, Default, PartialOrd, Ord)]
pub struct Shape(SmallVec<[usize; 4]>);

impl Shape {
    /// A checked shape.
    ///
    /// # Errors
    /// When the elements could not be addressed.
    pub fn new(dims: impl IntoShape) -> Result<Shape> {
        dims.into_shape()
    }

    /// The shape `[]`: one element.
    #[inline]
    pub fn scalar() -> Shape {
        Shape(SmallVec::new())
    }

    fn checked(dims: SmallVec<[usize; 4]>) -> Result<Shape> {
        let most = isize::MAX as usize / 8;
        let count = dims.iter().filter(|&&d| d != 0).try_fold(1usize, |n, &d| n.checked_mul(d).filter(|&n| n <= most));
        match count {
            Some(_) => Ok(Shape(dims)),
            None => Err(Error::shape(format!("the size of {dims:?} overflows"))
                .help("the product of the sizes is more than memory can address")),
        }
    }

    /// A shape whose sizes are a part of those of a checked shape, so that it needs no check.
    pub(crate) fn part_of_checked(dims: SmallVec<[usize; 4]>) -> Shape {
        Shape(dims)
    }

    /// The number of axes.
    #[inline]
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The number of elements: the product of the sizes.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.iter().product()
    }

    /// Whether there is no element.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.contains(&0)
    }

    /// The sizes.
    #[inline]
    pub fn dims(&self) -> &[usize] {
        &self.0
    }

    /// The row-major strides, in elements.
    ///
    /// ```
    /// # use wengert_tensor::shape::Shape;
    /// assert_eq!(Shape::new([2, 3, 4])?.strides().as_slice(), [12, 4, 1]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    pub fn strides(&self) -> Strides {
        let mut strides = SmallVec::from_elem(1, self.rank());
        let mut step = 1isize;
        for (stride, &dim) in strides.iter_mut().zip(self.iter()).rev() {
            *stride = step;
            step *= dim.max(1) as isize;
        }
        strides
    }

    /// The axis meant by `axis`, which counts from the end when it is negative.
    ///
    /// # Errors
    /// When there is no such axis.
    ///
    /// ```
    /// # use wengert_tensor::shape::Shape;
    /// let s = Shape::new([2, 3, 4])?;
    /// assert_eq!(s.axis(-1)?, 2);
    /// assert_eq!(s.axis(3).unwrap_err().to_string(), "axis 3 is out of range for [2, 3, 4]: -3 to 2");
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    pub fn axis(&self, axis: isize) -> Result<usize> {
        let rank = self.rank() as isize;
        match axis {
            _ if rank == 0 => Err(Error::axis(format!("axis {axis} is out of range: a scalar has no axes"))),
            a if (0..rank).contains(&a) => Ok(a as usize),
            a if (-rank..0).contains(&a) => Ok((a + rank) as usize),
            _ => Err(Error::axis(format!("axis {axis} is out of range for {self}: -{rank} to {}", rank - 1))),
        }
    }

    /// The axes meant by `axes`, sorted.
    ///
    /// # Errors
    /// When there is no such axis, or one is named twice.
    ///
    /// ```
    /// # use wengert_tensor::shape::Shape;
    /// let s = Shape::new([2, 3, 4])?;
    /// assert_eq!(s.axes(&[-1, 0])?.as_slice(), [0, 2]);
    /// assert_eq!(s.axes(&[1, -2]).unwrap_err().to_string(), "axis 1 of [2, 3, 4] is named twice in [1, -2]");
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    pub fn axes(&self, axes: &[isize]) -> Result<Axes> {
        let mut found: Axes = axes.iter().map(|&a| self.axis(a)).collect::<Result<_>>()?;
        found.sort_unstable();
        match found.windows(2).find(|pair| pair[0] == pair[1]) {
            None => Ok(found),
            Some(pair) => Err(Error::axis(format!("axis {} of {self} is named twice in {axes:?}", pair[0]))),
        }
    }

    /// Checks that `axes` holds every axis once, and returns it without negative numbers.
    ///
    /// # Errors
    /// When an axis is missing, named twice, or does not exist.
    pub fn permutation(&self, axes: &[isize]) -> Result<Axes> {
        let sorted = self.axes(axes)?;
        if sorted.len() != self.rank() {
            return Err(Error::axis(format!("{axes:?} names {} of the {} axes of {self}", axes.len(), self.rank())));
        }
        axes.iter().map(|&a| self.axis(a)).collect()
    }

    /// The common shape of two operands by NumPy's rule: aligned at the last axis, sizes are equal or one of them is 1.
    ///
    /// # Errors
    /// When two sizes differ and none is 1.
    ///
    /// ```
    /// # use wengert_tensor::shape::Shape;
    /// let a = Shape::new([5, 1, 3])?;
    /// assert_eq!(a.broadcast(&Shape::new([4, 1])?)?.dims(), [5, 4, 3]);
    /// let e = a.broadcast(&Shape::new([2, 3, 3])?).unwrap_err();
    /// assert_eq!(
    ///     e.to_string(),
    ///     "[5, 1, 3] and [2, 3, 3] do not broadcast: 5 and 2 at axis -3\n  help   sizes must be equal, or one of them 1"
    /// );
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    pub fn broadcast(&self, other: &Shape) -> Result<Shape> {
        let rank = self.rank().max(other.rank());
        let mut dims = SmallVec::from_elem(1, rank);
        for (from_end, dim) in dims.iter_mut().rev().enumerate() {
            *dim = match (self.back(from_end), other.back(from_end)) {
                (a, b) if a == b => a,
                (1, b) => b,
                (a, 1) => a,
                (a, b) => {
                    let axis = from_end + 1;
                    return Err(Error::shape(format!(
                        "{self} and {other} do not broadcast: {a} and {b} at axis -{axis}"
                    ))
                    .help("sizes must be equal, or one of them 1"));
                }
            };
        }
        Shape::checked(dims)
    }

    /// The size of the axis that is `i` places from the end; 1 beyond the first.
    fn back(&self, i: usize) -> usize {
        self.iter().rev().nth(i).copied().unwrap_or(1)
    }

    /// This shape without `axes`. Unknown axes are ignored.
    ///
    /// ```
    /// # use wengert_tensor::shape::Shape;
    /// assert_eq!(Shape::new([2, 3, 4])?.without(&[0, 2]).dims(), [3]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    pub fn without(&self, axes: &[usize]) -> Shape {
        // A product of fewer of the nonzero sizes: still checked.
        Shape(self.iter().enumerate().filter(|(i, _)| !axes.contains(i)).map(|(_, &d)| d).collect())
    }

    /// This shape with `axes` shrunk to size 1. Unknown axes are ignored.
    ///
    /// ```
    /// # use wengert_tensor::shape::Shape;
    /// assert_eq!(Shape::new([2, 3, 4])?.with_ones(&[1]).dims(), [2, 1, 4]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    pub fn with_ones(&self, axes: &[usize]) -> Shape {
        Shape(self.iter().enumerate().map(|(i, &d)| if axes.contains(&i) { 1 } else { d }).collect())
    }

    /// This shape with one axis of another size.
    ///
    /// # Errors
    /// When there is no such axis, or the size overflows.
    ///
    /// ```
    /// # use wengert_tensor::shape::Shape;
    /// assert_eq!(Shape::new([2, 3])?.with(0, 7)?.dims(), [7, 3]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    pub fn with(&self, axis: usize, size: usize) -> Result<Shape> {
        let mut dims = self.0.clone();
        match dims.get_mut(axis) {
            Some(dim) => *dim = size,
            None => return Err(Error::axis(format!("axis {axis} is out of range for {self}"))),
        }
        Shape::checked(dims)
    }

    /// This shape with a new axis of `size` before position `at`, which may be the rank.
    ///
    /// # Errors
    /// When `at` is beyond the rank, or the size overflows.
    ///
    /// ```
    /// # use wengert_tensor::shape::Shape;
    /// assert_eq!(Shape::new([2, 3])?.insert(1, 5)?.dims(), [2, 5, 3]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    pub fn insert(&self, at: usize, size: usize) -> Result<Shape> {
        if at > self.rank() {
            return Err(Error::axis(format!("axis {at} is out of range for {self}")));
        }
        let mut dims = self.0.clone();
        dims.insert(at, size);
        Shape::checked(dims)
    }
}

// A tape clones, compares and hashes the shape of all that is recorded, and most have few axes: what stands here is a few instructions,
// where `SmallVec` would call out for a copy, a comparison or a hash of bytes.
impl Clone for Shape {
    #[inline]
    fn clone(&self) -> Shape {
        let few = |dims, len| Shape(SmallVec::from_buf_and_len(dims, len));
        match *self.dims() {
            [] => Shape::scalar(),
            [a] => few([a, 0, 0, 0], 1),
            [a, b] => few([a, b, 0, 0], 2),
            [a, b, c] => few([a, b, c, 0], 3),
            [a, b, c, d] => few([a, b, c, d], 4),
            ref more => Shape(SmallVec::from_slice(more)),
        }
    }
}

impl PartialEq for Shape {
    #[inline]
    fn eq(&self, other: &Shape) -> bool {
        self.rank() == other.rank() && self.iter().zip(other.iter()).all(|(a, b)| a == b)
    }
}

impl Hash for Shape {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.rank());
        self.iter().for_each(|&dim| state.write_usize(dim));
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Shape {
        shape.clone()
    }
}

impl Deref for Shape {
    type Target = [usize];

    #[inline]
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl PartialEq<[usize]> for Shape {
    fn eq(&self, other: &[usize]) -> bool {
        self.dims() == other
    }
}

impl<const N: usize> PartialEq<[usize; N]> for Shape {
    fn eq(&self, other: &[usize; N]) -> bool {
        self.dims() == other
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.dims())
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.dims())
    }
}

/// What can be written where a shape is wanted: arrays, slices, vectors, a single size, `()`, shapes.
///
/// ```
/// use wengert_tensor::shape::{IntoShape, Shape};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// assert_eq!(Shape::new(())?, Shape::scalar());
/// assert_eq!(Shape::new(5)?, [5]);
/// assert_eq!(Shape::new(vec![2, 3])?, [2, 3]);
/// assert_eq!(Shape::new(&[2, 3][..])?, [2, 3]);
/// # Ok(())
/// # }
/// ```
pub trait IntoShape {
    /// The checked shape.
    ///
    /// # Errors
    /// When the elements could not be addressed.
    fn into_shape(self) -> Result<Shape>;
}

impl IntoShape for Shape {
    fn into_shape(self) -> Result<Shape> {
        Ok(self)
    }
}

impl IntoShape for &Shape {
    fn into_shape(self) -> Result<Shape> {
        Ok(self.clone())
    }
}

impl IntoShape for &[usize] {
    fn into_shape(self) -> Result<Shape> {
        Shape::checked(SmallVec::from_slice(self))
    }
}

impl<const N: usize> IntoShape for [usize; N] {
    fn into_shape(self) -> Result<Shape> {
        self.as_slice().into_shape()
    }
}

impl<const N: usize> IntoShape for &[usize; N] {
    fn into_shape(self) -> Result<Shape> {
        self.as_slice().into_shape()
    }
}

impl IntoShape for Vec<usize> {
    fn into_shape(self) -> Result<Shape> {
        self.as_slice().into_shape()
    }
}

impl IntoShape for &Vec<usize> {
    fn into_shape(self) -> Result<Shape> {
        self.as_slice().into_shape()
    }
}

impl IntoShape for SmallVec<[usize; 4]> {
    fn into_shape(self) -> Result<Shape> {
        Shape::checked(self)
    }
}

impl IntoShape for usize {
    fn into_shape(self) -> Result<Shape> {
        [self].into_shape()
    }
}

impl IntoShape for () {
    fn into_shape(self) -> Result<Shape> {
        Ok(Shape::scalar())
    }
}

#[cfg(test)]
mod tests;
