//! Other readings of the same elements, and the few operations that gather elements into new memory.

use crate::error::{Error, Result};
use crate::kernels::memory::copy_slice;
use crate::layout::{Layout, resolve};
use crate::shape::IntoShape;
use crate::tensor::{Tensor, framed};
use smallvec::SmallVec;
use std::borrow::Borrow;
use std::ops::RangeBounds;

/// Views: the storage is shared.
impl Tensor {
    /// The same elements in row-major order under another shape. Copies only where no strides can say it.
    ///
    /// # Errors
    /// When the number of elements differs.
    ///
    /// ```
    /// # use wengert_tensor::{dtype::DType, tensor::Tensor};
    /// let x = Tensor::arange(6, DType::I32)?;
    /// assert_eq!(x.reshape([2, 3])?.to_string(), "[[0, 1, 2],\n [3, 4, 5]]");
    /// let e = x.reshape([4]).unwrap_err();
    /// assert_eq!(e.message(), "[6] has 6 elements, [4] takes 4");
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn reshape(&self, shape: impl IntoShape) -> Result<Tensor> {
        let view = shape.into_shape().and_then(|shape| {
            if shape.len() != self.len() {
                let text = format!("{} has {} elements, {shape} takes {}", self.shape(), self.len(), shape.len());
                return Err(Error::shape(text));
            }
            match self.layout().reshape(&shape) {
                Some(layout) => Ok(self.with_layout(layout)),
                None => self.dense().map(|dense| dense.with_layout(Layout::contiguous(shape))),
            }
        });
        self.frame("reshape", view)
    }

    /// The axes in another order: axis `i` of the result is axis `axes[i]` of this.
    ///
    /// # Errors
    /// When `axes` is not a permutation of the axes.
    ///
    /// ```
    /// # use wengert_tensor::{dtype::DType, tensor::Tensor};
    /// let x = Tensor::zeros([2, 3, 4], DType::F32)?;
    /// assert_eq!(x.permute(&[2, 0, -2])?.shape().dims(), [4, 2, 3]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn permute(&self, axes: &[isize]) -> Result<Tensor> {
        let layout = self.shape().permutation(axes).and_then(|axes| self.layout().permute(&axes));
        self.frame("permute", layout.map(|layout| self.with_layout(layout)))
    }

    /// Two axes exchanged.
    ///
    /// # Errors
    /// When there is no such axis.
    ///
    /// ```
    /// # use wengert_tensor::{dtype::DType, tensor::Tensor};
    /// let x = Tensor::zeros([2, 3, 4], DType::F32)?;
    /// assert_eq!(x.transpose(0, -1)?.shape().dims(), [4, 3, 2]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Result<Tensor> {
        let layout = self.shape().axis(a).and_then(|a| {
            let b = self.shape().axis(b)?;
            let mut order: SmallVec<[usize; 4]> = (0..self.rank()).collect();
            order.swap(a, b);
            self.layout().permute(&order)
        });
        self.frame("transpose", layout.map(|layout| self.with_layout(layout)))
    }

    /// The matrix transposed; of a stack of matrices, each of them: the last two axes exchanged.
    ///
    /// # Errors
    /// When there are fewer than two axes.
    #[track_caller]
    pub fn t(&self) -> Result<Tensor> {
        match self.rank() {
            0 | 1 => self.frame("t", Err(Error::axis(format!("{} is not a matrix", self.shape())))),
            _ => self.transpose(-2, -1),
        }
    }

    /// A range of an axis.
    ///
    /// # Errors
    /// When there is no such axis, or the range leaves it or runs backwards.
    ///
    /// ```
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([[1, 2, 3], [4, 5, 6]]);
    /// assert_eq!(x.slice(-1, 1..)?.to_string(), "[[2, 3],\n [5, 6]]");
    /// assert_eq!(x.slice(0, 1..=1)?.to_string(), "[[4, 5, 6]]");
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn slice(&self, axis: isize, range: impl RangeBounds<usize>) -> Result<Tensor> {
        self.frame("slice", self.sliced(axis, range, 1))
    }

    /// Every `step`-th index of a range of an axis.
    ///
    /// # Errors
    /// When there is no such axis, the range leaves it or runs backwards, or the step is 0.
    ///
    /// ```
    /// # use wengert_tensor::{dtype::DType, tensor::Tensor};
    /// assert_eq!(Tensor::arange(10, DType::I32)?.slice_step(0, 1.., 3)?.to_string(), "[1, 4, 7]");
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn slice_step(&self, axis: isize, range: impl RangeBounds<usize>, step: usize) -> Result<Tensor> {
        self.frame("slice_step", self.sliced(axis, range, step))
    }

    fn sliced(&self, axis: isize, range: impl RangeBounds<usize>, step: usize) -> Result<Tensor> {
        let axis = self.shape().axis(axis)?;
        let range = resolve(range, self.shape()[axis]);
        Ok(self.with_layout(self.layout().slice(axis, range.start, range.end, step)?))
    }

    /// One index of an axis, which disappears.
    ///
    /// # Errors
    /// When there is no such axis or no such index.
    ///
    /// ```
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([[1, 2, 3], [4, 5, 6]]);
    /// assert_eq!(x.select(1, 2)?.to_string(), "[3, 6]");
    /// assert_eq!(x.select(1, 3).unwrap_err().message(), "index 3 is out of bounds for axis 1 of [2, 3]");
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn select(&self, axis: isize, index: usize) -> Result<Tensor> {
        let layout = self.shape().axis(axis).and_then(|axis| self.layout().select(axis, index));
        self.frame("select", layout.map(|layout| self.with_layout(layout)))
    }

    /// An axis in reverse.
    ///
    /// # Errors
    /// When there is no such axis.
    ///
    /// ```
    /// # use wengert_tensor::tensor::Tensor;
    /// assert_eq!(Tensor::from([[1, 2], [3, 4]]).flip(0)?.to_string(), "[[3, 4],\n [1, 2]]");
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn flip(&self, axis: isize) -> Result<Tensor> {
        let layout = self.shape().axis(axis).and_then(|axis| self.layout().flip(axis));
        self.frame("flip", layout.map(|layout| self.with_layout(layout)))
    }

    /// The elements repeated without a copy: new axes in front, and axes of size 1 stretched.
    ///
    /// # Errors
    /// When an axis of another size would have to stretch.
    ///
    /// ```
    /// # use wengert_tensor::tensor::Tensor;
    /// assert_eq!(Tensor::from([1, 2]).broadcast_to([3, 2])?.to_string(), "[[1, 2],\n [1, 2],\n [1, 2]]");
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl IntoShape) -> Result<Tensor> {
        let layout = shape.into_shape().and_then(|shape| self.layout().broadcast_to(&shape));
        self.frame("broadcast_to", layout.map(|layout| self.with_layout(layout)))
    }

    /// Without an axis of size 1.
    ///
    /// # Errors
    /// When there is no such axis, or its size is not 1.
    ///
    /// ```
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([[1, 2]]);
    /// assert_eq!(x.squeeze(0)?.shape().dims(), [2]);
    /// assert_eq!(x.squeeze(1).unwrap_err().message(), "axis 1 of [1, 2] has size 2, not 1");
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn squeeze(&self, axis: isize) -> Result<Tensor> {
        let layout = self.shape().axis(axis).and_then(|axis| match self.shape()[axis] {
            1 => self.layout().select(axis, 0),
            size => Err(Error::shape(format!("axis {axis} of {} has size {size}, not 1", self.shape()))),
        });
        self.frame("squeeze", layout.map(|layout| self.with_layout(layout)))
    }

    /// With a new axis of size 1 at position `axis` of the result; −1 puts it last.
    ///
    /// # Errors
    /// When the result has no such axis.
    ///
    /// ```
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([1, 2, 3]);
    /// assert_eq!(x.unsqueeze(0)?.shape().dims(), [1, 3]);
    /// assert_eq!(x.unsqueeze(-1)?.shape().dims(), [3, 1]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn unsqueeze(&self, axis: isize) -> Result<Tensor> {
        self.frame("unsqueeze", self.layout().unsqueeze(axis).map(|layout| self.with_layout(layout)))
    }
}

/// Copies: the result has memory of its own.
impl Tensor {
    /// Tensors one after another along an axis that they have.
    ///
    /// # Errors
    /// When there is none, element types or other sizes differ, there is no such axis, or memory cannot be had.
    ///
    /// ```
    /// # use wengert_tensor::tensor::Tensor;
    /// let (a, b) = (Tensor::from([[1, 2]]), Tensor::from([[3, 4], [5, 6]]));
    /// assert_eq!(Tensor::concat(&[&a, &b], 0)?.to_string(), "[[1, 2],\n [3, 4],\n [5, 6]]");
    /// let e = Tensor::concat(&[&a, &b], 1).unwrap_err();
    /// assert_eq!(e.message(), "[1, 2] and [2, 2] differ at axis 0");
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn concat(tensors: &[impl Borrow<Tensor>], axis: isize) -> Result<Tensor> {
        framed("concat", || {
            let parts: Vec<&Tensor> = tensors.iter().map(Borrow::borrow).collect();
            let first = joinable(&parts, Some(axis))?;
            join(first, &parts, first.shape().axis(axis)?)
        })
    }

    /// Tensors of one shape along a new axis, at position `axis` of the result.
    ///
    /// # Errors
    /// When there is none, shapes or element types differ, the result has no such axis, or memory cannot be had.
    ///
    /// ```
    /// # use wengert_tensor::tensor::Tensor;
    /// let (a, b) = (Tensor::from([1, 2]), Tensor::from([3, 4]));
    /// assert_eq!(Tensor::stack(&[&a, &b], 0)?.to_string(), "[[1, 2],\n [3, 4]]");
    /// assert_eq!(Tensor::stack(&[a, b], -1)?.to_string(), "[[1, 3],\n [2, 4]]");
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn stack(tensors: &[impl Borrow<Tensor>], axis: isize) -> Result<Tensor> {
        framed("stack", || {
            let parts: Vec<&Tensor> = tensors.iter().map(Borrow::borrow).collect();
            let shape = joinable(&parts, None)?.layout().unsqueeze(axis)?.shape().clone();
            let raised = parts.iter().map(|part| Ok(part.with_layout(part.layout().unsqueeze(axis)?)));
            let raised: Vec<Tensor> = raised.collect::<Result<_>>()?;
            let raised: Vec<&Tensor> = raised.iter().collect();
            join(raised[0], &raised, shape.axis(axis)?)
        })
    }

    /// The rows (indices of axis 0) that `rows` names, in that order; a row may come often.
    ///
    /// # Errors
    /// When there is no axis, a row does not exist, or memory cannot be had.
    ///
    /// ```
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([[1, 2], [3, 4], [5, 6]]);
    /// assert_eq!(x.gather_rows(&[2, 0, 2])?.to_string(), "[[5, 6],\n [1, 2],\n [5, 6]]");
    /// let e = x.gather_rows(&[0, 3]).unwrap_err();
    /// assert_eq!(e.message(), "row 3 is out of bounds for [3, 2], which has 3 rows");
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn gather_rows(&self, rows: &[usize]) -> Result<Tensor> {
        self.frame("gather_rows", self.gathered(rows))
    }

    fn gathered(&self, rows: &[usize]) -> Result<Tensor> {
        let have = match self.shape().first() {
            Some(&have) => have,
            None => return Err(Error::axis("a scalar has no rows")),
        };
        if let Some(row) = rows.iter().find(|&&row| row >= have) {
            let text = format!("row {row} is out of bounds for {}, which has {have} rows", self.shape());
            return Err(Error::index(text));
        }
        let shape = self.shape().with(0, rows.len())?;
        if shape.is_empty() {
            return Tensor::write(shape, |_: &mut [u8]| {}, self.dtype());
        }
        // The rows of a view may lie anywhere, as long as each is one piece; else all are copied once.
        let row = self.layout().select(0, 0)?;
        if !row.is_contiguous() {
            return self.dense()?.gathered(rows);
        }
        let size = self.dtype().size();
        let (bytes, step, piece) = (self.storage().bytes(), self.layout().strides()[0], row.len() * size);
        Tensor::write(
            shape,
            |out: &mut [u8]| {
                for (to, &index) in out.chunks_exact_mut(piece).zip(rows) {
                    let from = row.offset().wrapping_add_signed(index as isize * step) * size;
                    copy_slice(&bytes[from..from + piece], to);
                }
            },
            self.dtype(),
        )
    }
}

/// Checks that tensors can be joined, along an axis that may differ in size, and returns the first.
fn joinable<'a>(parts: &[&'a Tensor], along: Option<isize>) -> Result<&'a Tensor> {
    let Some(&first) = parts.first() else {
        return Err(Error::data("no tensors to join"));
    };
    let along = along.map(|axis| first.shape().axis(axis)).transpose()?;
    for part in parts {
        let (a, b) = (first.shape(), part.shape());
        if first.dtype() != part.dtype() {
            return Err(Error::dtype(format!("{} and {} do not join", first.dtype(), part.dtype()))
                .help(format!("convert first: .cast({})", first.dtype().path())));
        }
        if a.rank() != b.rank() {
            return Err(Error::shape(format!("{a} and {b} have {} axes and {}", a.rank(), b.rank())));
        }
        if let Some(axis) = (0..a.rank()).find(|&axis| Some(axis) != along && a[axis] != b[axis]) {
            return Err(Error::shape(format!("{a} and {b} differ at axis {axis}")));
        }
    }
    Ok(first)
}

/// Joins what [`joinable`] has checked. Before the axis lie rows; each takes one block of bytes from every part.
fn join(first: &Tensor, parts: &[&Tensor], axis: usize) -> Result<Tensor> {
    let size = parts.iter().try_fold(0usize, |sum, part| sum.checked_add(part.shape()[axis]));
    let shape = first.shape().with(axis, size.unwrap_or(usize::MAX))?;
    let rows: usize = if shape.is_empty() { 0 } else { shape[..axis].iter().product() };
    let dense = parts.iter().map(|part| part.dense()).collect::<Result<Vec<_>>>()?;
    let mut blocks: Vec<&[u8]> = dense.iter().map(|part| part.raw().unwrap_or_default()).collect();
    let sizes: Vec<usize> = blocks.iter().map(|bytes| bytes.len() / rows.max(1)).collect();
    let fill = |mut out: &mut [u8]| {
        for _ in 0..rows {
            for (block, &size) in blocks.iter_mut().zip(&sizes) {
                let (now, later) = block.split_at(size);
                let (to, rest) = std::mem::take(&mut out).split_at_mut(size);
                copy_slice(now, to);
                (*block, out) = (later, rest);
            }
        }
    };
    Tensor::write(shape, fill, first.dtype())
}

#[cfg(test)]
mod tests;
