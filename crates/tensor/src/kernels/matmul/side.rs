//! Where the elements along one side of a matrix lie.

use crate::kernels::axes::place;
use smallvec::SmallVec;

/// Where the rows, or the columns, of a matrix lie. A matrix may be a view of an array with more axes than two, of which some are its
/// rows and the others its columns: the windows of images, of which each is a column, are one.
///
/// ```
/// # use wengert_tensor::kernels::matmul::Side;
/// // Rows of 5 elements, 8 apart, of which the first 4 are taken, are no stride; all 8 of them are one.
/// assert!(matches!(Side::new([(5, 8), (4, 1)]), Side::Axes(_)));
/// assert_eq!(Side::new([(5, 8), (8, 1)]), Side::Stride(1));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// At multiples of a stride.
    Stride(isize),
    /// Like the elements of an array with these axes: extent and stride, outermost first. The extents multiply to the length.
    Axes(SmallVec<[(usize, isize); 4]>),
}

impl From<isize> for Side {
    fn from(stride: isize) -> Side {
        Side::Stride(stride)
    }
}

impl Side {
    /// The side with these axes, extent and stride, outermost first: as few as can be.
    pub fn new(axes: impl IntoIterator<Item = (usize, isize)>) -> Side {
        let mut merged: SmallVec<[(usize, isize); 4]> = SmallVec::new();
        let mut alone = 0;
        for (extent, stride) in axes {
            match merged.last_mut() {
                _ if extent == 1 => alone = stride,
                Some((outer, step))
                    if isize::try_from(extent).ok().and_then(|n| stride.checked_mul(n)) == Some(*step) =>
                {
                    (*outer, *step) = (outer.saturating_mul(extent), stride);
                }
                _ => merged.push((extent, stride)),
            }
        }
        match merged.as_slice() {
            [] => Side::Stride(alone),
            [(_, stride)] => Side::Stride(*stride),
            _ => Side::Axes(merged),
        }
    }

    /// The stride, if one tells it all.
    pub fn stride(&self) -> Option<isize> {
        match self {
            Side::Stride(stride) => Some(*stride),
            Side::Axes(_) => None,
        }
    }

    /// Whether it can be the side of a matrix with so many rows or columns.
    pub(super) fn fits(&self, length: usize) -> bool {
        match self {
            Side::Stride(_) => true,
            Side::Axes(axes) => {
                let product = axes.iter().try_fold(1usize, |product, axis| product.checked_mul(axis.0));
                product == Some(length) && !axes.is_empty()
            }
        }
    }

    /// The axes of a side of this length.
    pub(super) fn axes(&self, length: usize) -> SmallVec<[(usize, isize); 4]> {
        match self {
            Side::Stride(stride) => SmallVec::from_slice(&[(length, *stride)]),
            Side::Axes(axes) => axes.clone(),
        }
    }

    /// The offsets of the elements from `start` on. The side has as many.
    pub(super) fn offsets(&self, start: usize, to: &mut [isize]) {
        match self {
            Side::Stride(stride) => {
                for (i, offset) in to.iter_mut().enumerate() {
                    *offset = (start + i) as isize * stride;
                }
            }
            Side::Axes(axes) => {
                let Some((&(extent, stride), outer)) = axes.split_last() else { return };
                // A run along the innermost axis after the other; the others count like the digits of a number.
                let (mut run, mut at, mut rest) = (start / extent, start % extent, to);
                while !rest.is_empty() {
                    let (now, later) = rest.split_at_mut(rest.len().min(extent - at));
                    let mut offset = at as isize * stride + place(outer, run);
                    for slot in now {
                        *slot = offset;
                        offset += stride;
                    }
                    (run, at, rest) = (run + 1, 0, later);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_those_of_the_axes() {
        let axes = [(3usize, 100isize), (2, -7), (4, 2)];
        let side = Side::Axes(SmallVec::from_slice(&axes));
        let all: Vec<isize> = (0..24).map(|i| place(&axes, i)).collect();
        for start in 0..24 {
            for n in 0..=24 - start {
                let mut offsets = vec![0; n];
                side.offsets(start, &mut offsets);
                assert_eq!(offsets, all[start..start + n]);
            }
        }
        assert!(side.fits(24) && !side.fits(23) && !Side::Axes(SmallVec::new()).fits(1));
    }

    #[test]
    fn as_few_axes_as_can_be() {
        assert_eq!(Side::new([(1, 9)]), Side::Stride(9));
        assert_eq!(Side::new([(2, 12), (1, 5), (3, 4), (4, 1)]), Side::Stride(1));
        assert_eq!(Side::new([(2, 13), (3, 4), (4, 1)]), Side::Axes(SmallVec::from_slice(&[(2, 13), (12, 1)])));
        assert_eq!(Side::new([(5, 0), (3, 0)]), Side::Stride(0));
    }
}
