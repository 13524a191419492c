//! Where the elements of an array lie whose axes are extents and strides, outermost first.

use smallvec::SmallVec;

/// The offset of element `index`, in row-major order.
pub(super) fn place(axes: &[(usize, isize)], index: usize) -> isize {
    Odometer::new(axes, index).offset()
}

/// Goes from element to element in row-major order; the last one is followed by the first.
#[derive(Debug)]
pub(super) struct Odometer<'a> {
    axes: &'a [(usize, isize)],
    index: SmallVec<[usize; 6]>,
    offset: isize,
}

impl<'a> Odometer<'a> {
    /// At element `start`.
    pub(super) fn new(axes: &'a [(usize, isize)], start: usize) -> Odometer<'a> {
        let mut index = SmallVec::from_elem(0, axes.len());
        let (mut rest, mut offset) = (start, 0);
        for (index, &(extent, stride)) in index.iter_mut().zip(axes).rev() {
            (*index, rest) = (rest % extent, rest / extent);
            offset += *index as isize * stride;
        }
        Odometer { axes, index, offset }
    }

    /// The offset of the element.
    #[inline]
    pub(super) fn offset(&self) -> isize {
        self.offset
    }

    /// Goes on to the next element.
    #[inline]
    pub(super) fn advance(&mut self) {
        for (index, &(extent, stride)) in self.index.iter_mut().zip(self.axes).rev() {
            *index += 1;
            self.offset += stride;
            if *index < extent {
                return;
            }
            self.offset -= stride * extent as isize;
            *index = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_counted_from_anywhere() {
        let axes = [(3usize, 100isize), (2, -7), (4, 2)];
        let all: Vec<isize> = (0..24).map(|i| place(&axes, i)).collect();
        assert_eq!(all[..5], [0, 2, 4, 6, -7]);
        for start in 0..24 {
            let mut at = Odometer::new(&axes, start);
            for i in start..start + 24 {
                assert_eq!(at.offset(), all[i % 24]);
                at.advance();
            }
        }
        assert_eq!(place(&[], 0), 0);
    }
}
