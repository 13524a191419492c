//! Which elements of a storage are read, in which order: the whole meaning of a view.

use crate::error::{Error, Result};
use crate::shape::{Axes, Shape, Strides};
use smallvec::SmallVec;
use std::ops::Range;

/// A shape, a stride per axis and an offset, all in elements: index `i` reads element `offset + Σ iₖ·strideₖ`.
///
/// Every index of a `Layout` is a valid `isize` that is not negative; [`bounds`](Layout::bounds) tells which storage is
/// large enough for it.
///
/// ```
/// use wengert_tensor::layout::Layout;
/// use wengert_tensor::shape::Shape;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let rows = Layout::contiguous(&Shape::new([2, 3])?);
/// let columns = rows.permute(&[1, 0])?;
/// assert_eq!(columns.strides(), [1, 3]);
/// assert!(!columns.is_contiguous());
/// assert_eq!(columns.slice(0, 1, 3, 1)?.offset(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    shape: Shape,
    strides: Strides,
    offset: usize,
}

impl Layout {
    /// The row-major layout of `shape` from element 0.
    pub fn contiguous(shape: impl Into<Shape>) -> Layout {
        let shape = shape.into();
        Layout { strides: shape.strides(), shape, offset: 0 }
    }

    /// A layout of given strides.
    ///
    /// # Errors
    /// When there is not one stride per axis, or an index would be negative or overflow.
    ///
    /// ```
    /// # use wengert_tensor::layout::Layout;
    /// # use wengert_tensor::shape::Shape;
    /// let windows = Layout::new(Shape::new([3, 2])?, &[1, 1], 0)?;
    /// assert_eq!(windows.indices().collect::<Vec<_>>(), [0, 1, 1, 2, 2, 3]);
    /// assert!(Layout::new(Shape::new([3])?, &[-1], 1).is_err());
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    pub fn new(shape: Shape, strides: &[isize], offset: usize) -> Result<Layout> {
        if strides.len() != shape.rank() {
            return Err(Error::shape(format!("{} strides for the {} axes of {shape}", strides.len(), shape.rank())));
        }
        let layout = Layout { shape, strides: SmallVec::from_slice(strides), offset };
        let (low, high) = layout.extent();
        match low >= 0 && high <= isize::MAX as i128 / 8 {
            true => Ok(layout),
            false => Err(Error::index(format!(
                "{} with strides {strides:?} from {offset} reads elements {low} to {high}",
                layout.shape
            ))),
        }
    }

    /// The shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The stride of each axis. That of an axis of size 1 has no meaning.
    pub fn strides(&self) -> &[isize] {
        &self.strides
    }

    /// The element that the first index reads.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.shape.rank()
    }

    /// The number of indices.
    pub fn len(&self) -> usize {
        self.shape.len()
    }

    /// Whether there is no index.
    pub fn is_empty(&self) -> bool {
        self.shape.is_empty()
    }

    /// Whether the elements lie next to each other in row-major order (from any offset). Strides of axes of size 1 do
    /// not matter, and nothing is contiguous.
    pub fn is_contiguous(&self) -> bool {
        let mut step = 1isize;
        for (&dim, &stride) in self.shape.iter().zip(&self.strides).rev() {
            if dim == 0 {
                return true;
            }
            if dim != 1 && stride != step {
                return self.is_empty();
            }
            step *= dim as isize;
        }
        true
    }

    /// The least and the greatest element that is read; `None` when there is no index.
    ///
    /// ```
    /// # use wengert_tensor::layout::Layout;
    /// # use wengert_tensor::shape::Shape;
    /// let l = Layout::contiguous(&Shape::new([2, 3])?);
    /// assert_eq!(l.flip(1)?.bounds(), Some((0, 5)));
    /// assert_eq!(l.slice(0, 1, 1, 1)?.bounds(), None);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    pub fn bounds(&self) -> Option<(usize, usize)> {
        if self.is_empty() {
            return None;
        }
        if self.is_contiguous() {
            return Some((self.offset, self.offset + self.shape.len() - 1));
        }
        let (low, high) = self.extent();
        Some((low as usize, high as usize))
    }

    /// Bounds without any check.
    fn extent(&self) -> (i128, i128) {
        let start = self.offset as i128;
        if self.is_empty() {
            return (start, start);
        }
        self.shape.iter().zip(&self.strides).fold((start, start), |(low, high), (&dim, &stride)| {
            // |stride| < 2⁶³ and dim < 2⁶⁰, so one term is below 2¹²³.
            let reach = (dim as i128 - 1) * stride as i128;
            (low.saturating_add(reach.min(0)), high.saturating_add(reach.max(0)))
        })
    }

    /// The axes in another order: axis `i` of the result is axis `axes[i]` of this.
    ///
    /// # Errors
    /// When `axes` is not a permutation of the axes.
    pub fn permute(&self, axes: &[usize]) -> Result<Layout> {
        let signed: SmallVec<[isize; 4]> = axes.iter().map(|&a| signed(a)).collect();
        let axes = self.shape.permutation(&signed)?;
        Ok(self.with_axes(axes.iter().map(|&a| (self.shape[a], self.strides[a])), self.offset))
    }

    /// A layout of `axes` (size, stride) whose sizes are a part of those of a checked shape.
    fn with_axes(&self, axes: impl Iterator<Item = (usize, isize)>, offset: usize) -> Layout {
        let (dims, strides): (SmallVec<[usize; 4]>, Strides) = axes.unzip();
        Layout { shape: Shape::part_of_checked(dims), strides, offset }
    }

    /// The same elements repeated: new axes in front, and axes of size 1 stretched with stride 0.
    ///
    /// # Errors
    /// When an axis of another size than 1 would have to be stretched.
    ///
    /// ```
    /// # use wengert_tensor::layout::Layout;
    /// # use wengert_tensor::shape::Shape;
    /// let column = Layout::contiguous(&Shape::new([3, 1])?);
    /// assert_eq!(column.broadcast_to(&Shape::new([2, 3, 4])?)?.strides(), [0, 1, 0]);
    /// let e = column.broadcast_to(&Shape::new([4, 4])?).unwrap_err();
    /// assert_eq!(
    ///     e.to_string(),
    ///     "[3, 1] does not broadcast to [4, 4]: 3 and 4 at axis -2\n  help   only axes of size 1 stretch, and new axes come in front"
    /// );
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    pub fn broadcast_to(&self, shape: &Shape) -> Result<Layout> {
        let help = "only axes of size 1 stretch, and new axes come in front";
        let Some(new) = shape.rank().checked_sub(self.rank()) else {
            return Err(Error::shape(format!(
                "{} does not broadcast to {shape}: {} axes and {}",
                self.shape,
                self.rank(),
                shape.rank()
            ))
            .help(help));
        };
        let mut strides: Strides = SmallVec::from_elem(0, shape.rank());
        for (axis, &want) in shape.iter().enumerate().skip(new) {
            let have = self.shape[axis - new];
            strides[axis] = match have {
                _ if have == want => self.strides[axis - new],
                1 => 0,
                _ => {
                    let axis = shape.rank() - axis;
                    let text =
                        format!("{} does not broadcast to {shape}: {have} and {want} at axis -{axis}", self.shape);
                    return Err(Error::shape(text).help(help));
                }
            };
        }
        Ok(Layout { shape: shape.clone(), strides, offset: self.offset })
    }

    /// Every `step`-th index of `axis` from `start`, below `end`.
    ///
    /// # Errors
    /// When there is no such axis, the range leaves it or runs backwards, or the step is 0.
    ///
    /// ```
    /// # use wengert_tensor::layout::Layout;
    /// # use wengert_tensor::shape::Shape;
    /// let l = Layout::contiguous(&Shape::new([10])?);
    /// assert_eq!(l.slice(0, 1, 10, 4)?.indices().collect::<Vec<_>>(), [1, 5, 9]);
    /// assert_eq!(l.slice(0, 4, 11, 1).unwrap_err().to_string(), "range 4..11 is out of bounds for axis 0 of [10]");
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    pub fn slice(&self, axis: usize, start: usize, end: usize, step: usize) -> Result<Layout> {
        self.shape.axis(signed(axis))?;
        if start > end {
            return Err(Error::index(format!("range {start}..{end} runs backwards")));
        }
        if end > self.shape[axis] {
            return Err(Error::index(format!(
                "range {start}..{end} is out of bounds for axis {axis} of {}",
                self.shape
            )));
        }
        if step == 0 {
            return Err(Error::value("a step of 0"));
        }
        let mut layout = self.clone();
        let size = (end - start).div_ceil(step);
        layout.shape = layout.shape.with(axis, size)?;
        // Where fewer than two indices are left, the stride has no meaning and the product could overflow.
        if size > 1 {
            layout.strides[axis] = layout.strides[axis].wrapping_mul(step as isize);
        }
        if size > 0 && !layout.is_empty() {
            layout.offset = self.offset.wrapping_add_signed(start as isize * self.strides[axis]);
        }
        Ok(layout)
    }

    /// The indices of `axis` in reverse.
    ///
    /// # Errors
    /// When there is no such axis.
    pub fn flip(&self, axis: usize) -> Result<Layout> {
        self.shape.axis(signed(axis))?;
        let mut layout = self.clone();
        if self.shape[axis] > 1 && !self.is_empty() {
            let last = (self.shape[axis] - 1) as isize;
            layout.offset = self.offset.wrapping_add_signed(last * self.strides[axis]);
            layout.strides[axis] = -self.strides[axis];
        }
        Ok(layout)
    }

    /// This layout without `axis`, at `index` of it.
    ///
    /// # Errors
    /// When there is no such axis or no such index.
    pub fn select(&self, axis: usize, index: usize) -> Result<Layout> {
        self.shape.axis(signed(axis))?;
        if index >= self.shape[axis] {
            return Err(Error::index(format!("index {index} is out of bounds for axis {axis} of {}", self.shape)));
        }
        let at = self.slice(axis, index, index + 1, 1)?;
        let rest = (0..self.rank()).filter(|&a| a != axis).map(|a| (self.shape[a], self.strides[a]));
        Ok(self.with_axes(rest, at.offset))
    }

    /// This layout with a new axis of size 1 at position `axis` of the result, counted from its end when negative.
    ///
    /// # Errors
    /// When the result has no such axis.
    ///
    /// ```
    /// # use wengert_tensor::layout::Layout;
    /// # use wengert_tensor::shape::Shape;
    /// let l = Layout::contiguous(Shape::new([2, 3])?);
    /// assert_eq!(l.unsqueeze(-1)?.shape().dims(), [2, 3, 1]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    pub fn unsqueeze(&self, axis: isize) -> Result<Layout> {
        let rank = self.rank() as isize;
        let at = if axis < 0 { axis.saturating_add(rank + 1) } else { axis };
        if !(0..=rank).contains(&at) {
            let text = format!("a new axis {axis} is out of range for {}: -{} to {rank}", self.shape, rank + 1);
            return Err(Error::axis(text));
        }
        let mut layout = self.clone();
        layout.shape = self.shape.insert(at as usize, 1)?;
        layout.strides.insert(at as usize, 1);
        Ok(layout)
    }

    /// The same elements in the same order under another shape; `None` when no strides can say it, so that a copy is
    /// needed, and when the number of elements differs.
    ///
    /// ```
    /// # use wengert_tensor::layout::Layout;
    /// # use wengert_tensor::shape::Shape;
    /// let l = Layout::contiguous(&Shape::new([4, 6])?).slice(1, 0, 3, 1)?;
    /// assert_eq!(l.reshape(&Shape::new([2, 2, 3])?).map(|l| l.strides().to_vec()), Some(vec![12, 6, 1]));
    /// assert_eq!(l.reshape(&Shape::new([12])?), None);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    pub fn reshape(&self, shape: &Shape) -> Option<Layout> {
        if self.shape.len() != shape.len() {
            return None;
        }
        let mut strides = shape.strides();
        if self.is_empty() || self.is_contiguous() {
            return Some(Layout { shape: shape.clone(), strides, offset: self.offset });
        }
        // Each run of old axes that is one progression must be filled exactly by new axes, from the last to the first.
        let mut runs = self.merged().into_iter().rev();
        let (mut left, mut step) = (1usize, 1isize);
        for (&dim, stride) in shape.iter().zip(&mut strides).rev() {
            if dim == 1 {
                continue;
            }
            if left == 1 {
                (left, step) = runs.next()?;
            }
            if left % dim != 0 {
                return None;
            }
            *stride = step;
            step = step.wrapping_mul(dim as isize);
            left /= dim;
        }
        Some(Layout { shape: shape.clone(), strides, offset: self.offset })
    }

    /// The fewest (size, stride) axes that visit the same elements in the same order; none for a single element.
    pub(crate) fn merged(&self) -> SmallVec<[(usize, isize); 4]> {
        let mut axes: SmallVec<[(usize, isize); 4]> = SmallVec::new();
        for (&dim, &stride) in self.shape.iter().zip(&self.strides) {
            match axes.last_mut() {
                _ if dim == 1 => {}
                Some((size, step)) if *step == stride.wrapping_mul(dim as isize) => {
                    (*size, *step) = (*size * dim, stride)
                }
                _ => axes.push((dim, stride)),
            }
        }
        axes
    }

    /// The elements that are read, in row-major order of the indices.
    pub fn indices(&self) -> impl Iterator<Item = usize> + '_ {
        let runs = self.runs();
        let (count, stride) = (runs.count, runs.stride);
        runs.flat_map(move |start| (0..count).map(move |i| start.wrapping_add_signed(i as isize * stride)))
    }

    /// The runs of evenly spaced elements, as long as they can be.
    pub(crate) fn runs(&self) -> Runs {
        let mut axes = self.merged();
        let (count, stride) = axes.pop().unwrap_or((1, 1));
        let left = if self.is_empty() { 0 } else { axes.iter().map(|&(size, _)| size).product() };
        Runs { count, stride, left, at: self.offset as isize, index: SmallVec::from_elem(0, axes.len()), axes }
    }
}

/// The starts of the runs of a layout: each has `count` elements, `stride` apart.
pub(crate) struct Runs {
    pub(crate) count: usize,
    pub(crate) stride: isize,
    left: usize,
    at: isize,
    index: Axes,
    axes: SmallVec<[(usize, isize); 4]>,
}

impl Iterator for Runs {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let start = self.at;
        for (index, &(size, stride)) in self.index.iter_mut().zip(&self.axes).rev() {
            *index += 1;
            if *index < size {
                self.at += stride;
                break;
            }
            self.at -= stride * (size as isize - 1);
            *index = 0;
        }
        Some(start as usize)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Runs {}

impl Clone for Layout {
    fn clone(&self) -> Layout {
        Layout { shape: self.shape.clone(), strides: SmallVec::from_slice(&self.strides), offset: self.offset }
    }
}

/// An axis that was counted from the front, for checks that count from both ends.
fn signed(axis: usize) -> isize {
    isize::try_from(axis).unwrap_or(isize::MAX)
}

/// The bounds of any range expression over `size` places, unchecked.
pub(crate) fn resolve(range: impl std::ops::RangeBounds<usize>, size: usize) -> Range<usize> {
    use std::ops::Bound;
    let start = match range.start_bound() {
        Bound::Included(&i) => i,
        Bound::Excluded(&i) => i.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(&i) => i.saturating_add(1),
        Bound::Excluded(&i) => i,
        Bound::Unbounded => size,
    };
    start..end
}

#[cfg(test)]
mod tests;
