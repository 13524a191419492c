//! A product brought to the form that is cheapest to compute. No element of C changes its sum.

use smallvec::SmallVec;

use super::vector::ROWS as FEW;
use super::{MatMul, Side};

/// A batch of products with as few axes as can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Normal<'a> {
    pub(super) m: usize,
    pub(super) n: usize,
    pub(super) k: usize,
    /// The row and the column stride; without a meaning where there are sides.
    pub(super) a: [isize; 2],
    pub(super) b: [isize; 2],
    /// Where the rows and the columns lie, if no strides tell.
    pub(super) a_sides: Option<[&'a Side; 2]>,
    pub(super) b_sides: Option<[&'a Side; 2]>,
    /// Extent, stride in A, stride in B; outermost first, none of extent 1.
    pub(super) batch: SmallVec<[(usize, isize, isize); 2]>,
    /// A and B have changed places, because C is a column.
    pub(super) swapped: bool,
}

impl<'a> Normal<'a> {
    /// The normal form of a product that has elements.
    #[inline]
    pub(super) fn new(of: &'a MatMul) -> Normal<'a> {
        let strides = |sides: &'a [Side; 2]| match sides {
            &[Side::Stride(row), Side::Stride(column)] => ([row, column], None),
            [rows, columns] => ([0, 0], Some([rows, columns])),
        };
        let ((a, a_sides), (b, b_sides)) = (strides(&of.a), strides(&of.b));
        let batch = SmallVec::new();
        let mut p = Normal { m: of.m, n: of.n, k: of.k, a, b, a_sides, b_sides, batch, swapped: false };
        if of.batch.is_empty() {
            return if p.n == 1 && p.m > 1 { p.swap() } else { p };
        }
        p.batch.extend(of.batch.iter().copied().filter(|axis| axis.0 != 1));
        while p.fold() {}
        if p.n == 1 && p.m > 1 {
            p = p.swap();
            while p.fold() {}
        }
        p.merge();
        p
    }

    /// Takes the innermost batch axis into the rows (all share B) or into the columns (one row, all share A).
    fn fold(&mut self) -> bool {
        let Some(&(extent, a, b)) = self.batch.last() else { return false };
        if b == 0 && self.a_sides.is_none() && (self.m == 1 || a == self.m as isize * self.a[0]) {
            if self.m == 1 {
                self.a[0] = a;
            }
            self.m *= extent;
        } else if a == 0 && self.m == 1 && self.b_sides.is_none() && (self.n == 1 || b == self.n as isize * self.b[1]) {
            if self.n == 1 {
                self.b[1] = b;
            }
            self.n *= extent;
        } else {
            return false;
        }
        self.batch.pop();
        true
    }

    /// Cᵀ = Bᵀ·Aᵀ: a column of C lies in memory like a row.
    fn swap(self) -> Normal<'a> {
        let batch = self.batch.iter().map(|&(extent, a, b)| (extent, b, a)).collect();
        let ([a_row, a_col], [b_row, b_col]) = (self.a, self.b);
        let turned = |sides: Option<[&'a Side; 2]>| sides.map(|[rows, columns]| [columns, rows]);
        Normal {
            m: self.n,
            n: self.m,
            k: self.k,
            a: [b_col, b_row],
            b: [a_col, a_row],
            a_sides: turned(self.b_sides),
            b_sides: turned(self.a_sides),
            batch,
            swapped: !self.swapped,
        }
    }

    /// Makes one axis of neighbours that follow each other in both operands.
    fn merge(&mut self) {
        let mut i = 1;
        while i < self.batch.len() {
            let ((outer, oa, ob), (inner, ia, ib)) = (self.batch[i - 1], self.batch[i]);
            if oa == inner as isize * ia && ob == inner as isize * ib {
                self.batch[i - 1] = (outer * inner, ia, ib);
                self.batch.remove(i);
            } else {
                i += 1;
            }
        }
    }

    /// Multiply-adds of one product, or as many as take as long.
    pub(super) fn work(&self) -> usize {
        work(self.m, self.n, self.k)
    }

    /// The number of products.
    pub(super) fn count(&self) -> usize {
        self.batch.iter().map(|axis| axis.0).product()
    }

    /// Where product `index` starts in A and in B, in elements.
    pub(super) fn start(&self, mut index: usize) -> (isize, isize) {
        let (mut a, mut b) = (0, 0);
        for &(extent, sa, sb) in self.batch.iter().rev() {
            let i = (index % extent) as isize;
            index /= extent;
            a += i * sa;
            b += i * sb;
        }
        (a, b)
    }
}

/// Multiply-adds that take as long as this product. Few rows wait for the matrix that they meet, so they count as more.
pub(super) fn work(m: usize, n: usize, k: usize) -> usize {
    let (few, many) = (m.min(n), m.max(n));
    few.max(FEW.min(many)).saturating_mul(many).saturating_mul(k)
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;
    use crate::dtype::DType;

    fn product(m: usize, k: usize, n: usize) -> MatMul {
        let (a, b) = ([k as isize, 1].map(Side::from), [n as isize, 1].map(Side::from));
        MatMul { dtype: DType::F32, m, n, k, a, b, batch: smallvec![], turned: false, unit: None }
    }

    #[test]
    fn a_shared_right_operand_takes_the_batch_into_the_rows() {
        let mut p = product(4, 5, 6);
        p.batch = smallvec![(2, 60, 0), (1, 7, 7), (3, 20, 0)];
        let n = Normal::new(&p);
        assert_eq!((n.m, n.batch.len()), (24, 0));
        p.batch = smallvec![(3, 100, 0)];
        assert_eq!(Normal::new(&p).count(), 3, "rows that do not continue stay a batch");
    }

    #[test]
    fn vectors_are_laid_flat() {
        let mut p = product(7, 5, 1);
        let n = Normal::new(&p);
        assert_eq!((n.m, n.n, n.a, n.b, n.swapped), (1, 7, [1, 1], [1, 5], true));
        p.batch = smallvec![(4, 35, 0)];
        let n = Normal::new(&p);
        assert_eq!((n.m, n.n, n.b, n.batch.len()), (1, 28, [1, 5], 0));
        let mut p = product(1, 5, 6);
        p.batch = smallvec![(4, 5, 0)];
        let n = Normal::new(&p);
        assert_eq!((n.m, n.a, n.batch.len()), (4, [5, 1], 0));
    }

    #[test]
    fn batch_axes_merge() {
        let mut p = product(4, 5, 6);
        p.batch = smallvec![(2, 60, 90), (3, 20, 30)];
        let n = Normal::new(&p);
        assert_eq!(n.batch[..], [(6, 20, 30)]);
        assert_eq!(n.start(5), (100, 150));
    }
}
