//! Few rows times a matrix. Every element of B serves few multiply-adds, so B is read where it lies.

use super::order::blocks;
use super::simd::{Simd, Square};
use crate::kernels::memory::PAGE;

/// The most rows that these loops take.
pub(super) const ROWS: usize = 4;
/// The L1 cache has so many lines for places that are a page apart, at least.
const WAYS: usize = 8;

/// Few rows of C.
pub(super) struct Few<T> {
    pub(super) a: *const T,
    /// The row and the column stride of A.
    pub(super) a_strides: [isize; 2],
    pub(super) b: *const T,
    /// The stride of B that is not 1.
    pub(super) b_stride: isize,
    pub(super) c: *mut T,
    /// The row stride of C.
    pub(super) c_stride: usize,
    /// At most [`ROWS`].
    pub(super) rows: usize,
    pub(super) n: usize,
    pub(super) k: usize,
}

/// The columns of B are adjacent: registers lie along C.
///
/// # Safety
/// The instruction set of `S` is available; A, B and C are readable and writable for the extents and strides.
#[inline(always)]
pub(super) unsafe fn along_columns<S: Simd>(p: &Few<S::Elem>) {
    // SAFETY: promised by the caller.
    unsafe {
        match p.rows {
            1 => along::<S, 1, 8>(p),
            2 => along::<S, 2, 4>(p),
            3 => along::<S, 3, 4>(p),
            _ => along::<S, 4, 3>(p),
        }
    }
}

/// `R` rows, `V` registers of columns at a time.
///
/// # Safety
/// As for [`along_columns`].
#[inline(always)]
unsafe fn along<S: Simd, const R: usize, const V: usize>(p: &Few<S::Elem>) {
    let mut j = 0;
    // SAFETY: all columns lie within the rows.
    unsafe {
        while p.n - j >= V * S::LANES {
            chains::<S, R, V>(p, j, V * S::LANES);
            j += V * S::LANES;
        }
        if p.n - j >= 2 * S::LANES {
            chains::<S, R, 2>(p, j, 2 * S::LANES);
            j += 2 * S::LANES;
        }
        while j < p.n {
            chains::<S, R, 1>(p, j, S::LANES.min(p.n - j));
            j += S::LANES;
        }
    }
}

/// `V` registers of columns; a single one may be partial.
///
/// # Safety
/// As for [`along_columns`], for `cols` columns from `j`.
#[inline(always)]
unsafe fn chains<S: Simd, const R: usize, const V: usize>(p: &Few<S::Elem>, j: usize, cols: usize) {
    let partial = V == 1 && cols < S::LANES;
    let [a_row, a_col] = p.a_strides;
    // SAFETY: promised by the caller; the mask covers the columns that there are.
    unsafe {
        let mask = S::mask(cols);
        let mut totals = [[S::zero(); V]; R];
        for (start, depth) in blocks(p.k) {
            let mut sums = [[S::zero(); V]; R];
            let mut a = p.a.wrapping_offset(start as isize * a_col);
            let mut b = p.b.wrapping_offset(start as isize * p.b_stride).wrapping_add(j);
            for _ in 0..depth {
                let mut row = [S::zero(); V];
                for (v, y) in row.iter_mut().enumerate() {
                    let from = b.add(v * S::LANES);
                    *y = if partial { S::load_masked(from, mask) } else { S::load(from) };
                }
                for (r, sum) in sums.iter_mut().enumerate() {
                    let x = S::splat(*a.offset(r as isize * a_row));
                    for (s, y) in sum.iter_mut().zip(row) {
                        *s = S::fma(x, y, *s);
                    }
                }
                a = a.wrapping_offset(a_col);
                b = b.wrapping_offset(p.b_stride);
            }
            for (total, sum) in totals.iter_mut().zip(sums) {
                join::<S, V>(total, sum, start == 0);
            }
        }
        for (r, total) in totals.into_iter().enumerate() {
            for (v, t) in total.into_iter().enumerate() {
                let to = p.c.add(r * p.c_stride + j + v * S::LANES);
                if partial { S::store_masked(to, t, mask) } else { S::store(to, t) }
            }
        }
    }
}

/// The k of a column are adjacent: squares of B are turned in registers, and registers lie along C again. `N` are vectors for fewer columns
/// than `S` has lanes.
///
/// # Safety
/// As for [`along_columns`].
#[inline(always)]
pub(super) unsafe fn across_columns<S: Square, N: Square<Elem = S::Elem>>(p: &Few<S::Elem>) {
    let narrow = p.n < S::LANES || !p.fits(S::LANES);
    // SAFETY: promised by the caller.
    unsafe {
        match p.rows {
            _ if narrow && N::LANES < S::LANES => across_columns::<N, N>(p),
            1 => across::<S, 1>(p),
            2 => across::<S, 2>(p),
            3 => across::<S, 3>(p),
            _ => across::<S, 4>(p),
        }
    }
}

impl<T> Few<T> {
    /// Whether so many columns of B, side by side, leave each other their lines of the L1 cache: columns that are a power of two apart have
    /// places in few of its sets.
    fn fits(&self, columns: usize) -> bool {
        let apart = self.b_stride.unsigned_abs().saturating_mul(size_of::<T>());
        let sets = (PAGE >> apart.trailing_zeros().min(PAGE.trailing_zeros())).max(1);
        columns <= sets * WAYS
    }
}

/// `R` rows.
///
/// # Safety
/// As for [`across_columns`].
#[inline(always)]
unsafe fn across<S: Square, const R: usize>(p: &Few<S::Elem>) {
    let mut j = 0;
    // SAFETY: all columns lie within the rows.
    unsafe {
        if p.fits(2 * S::LANES) {
            while p.n - j >= 2 * S::LANES {
                turned::<S, R, 2>(p, j);
                j += 2 * S::LANES;
            }
        }
        while p.n - j >= S::LANES {
            paired::<S, R>(p, j);
            j += S::LANES;
        }
        if j < p.n && p.n >= S::LANES {
            // The last register overlaps the one before; the sums are the same.
            paired::<S, R>(p, p.n - S::LANES);
            j = p.n;
        }
        while j < p.n {
            for r in 0..R {
                single::<S>(p, r, j);
            }
            j += 1;
        }
    }
}

/// `R` rows by `V` registers of columns. More columns at a time would be more streams than the cache can follow.
///
/// # Safety
/// As for [`across_columns`], for the registers of columns from `j`.
#[inline(always)]
unsafe fn turned<S: Square, const R: usize, const V: usize>(p: &Few<S::Elem>, j: usize) {
    // SAFETY: promised by the caller.
    unsafe {
        let mut totals = [[S::zero(); V]; R];
        for (start, depth) in blocks(p.k) {
            let mut sums = [[S::zero(); V]; R];
            let mut at = At::new(p, start, j);
            steps::<S, R, V>(p, &mut at, depth, &mut sums);
            for (total, sum) in totals.iter_mut().zip(sums) {
                join::<S, V>(total, sum, start == 0);
            }
        }
        store::<S, R, V>(p, j, totals);
    }
}

/// `R` rows by one register of columns, two blocks of k side by side: as many chains as with two registers, from half the columns.
///
/// # Safety
/// As for [`turned`].
#[inline(always)]
unsafe fn paired<S: Square, const R: usize>(p: &Few<S::Elem>, j: usize) {
    // SAFETY: promised by the caller.
    unsafe {
        let mut totals = [[S::zero()]; R];
        let mut blocks = blocks(p.k);
        while let Some((start, depth)) = blocks.next() {
            let [mut left, mut right] = [[[S::zero()]; R]; 2];
            let mut first = At::new(p, start, j);
            let Some((second, less)) = blocks.next() else {
                steps::<S, R, 1>(p, &mut first, depth, &mut left);
                for (total, sum) in totals.iter_mut().zip(left) {
                    join::<S, 1>(total, sum, start == 0);
                }
                break;
            };
            let mut second = At::new(p, second, j);
            let both = less - less % S::COLUMNS;
            for _ in (0..both).step_by(S::COLUMNS) {
                step::<S, R, 1>(p, &mut first, &mut left);
                step::<S, R, 1>(p, &mut second, &mut right);
            }
            steps::<S, R, 1>(p, &mut first, depth - both, &mut left);
            steps::<S, R, 1>(p, &mut second, less - both, &mut right);
            for ((total, left), right) in totals.iter_mut().zip(left).zip(right) {
                join::<S, 1>(total, left, start == 0);
                join::<S, 1>(total, right, false);
            }
        }
        store::<S, R, 1>(p, j, totals);
    }
}

/// Where in A and B a chain is.
struct At<T> {
    a: *const T,
    b: *const T,
}

impl<T> At<T> {
    #[inline(always)]
    fn new(p: &Few<T>, k: usize, j: usize) -> At<T> {
        let a = p.a.wrapping_offset(k as isize * p.a_strides[1]);
        At { a, b: p.b.wrapping_offset(j as isize * p.b_stride).wrapping_add(k) }
    }
}

/// The multiply-adds of a run of k.
///
/// # Safety
/// As for [`turned`], for the k of the run.
#[inline(always)]
unsafe fn steps<S: Square, const R: usize, const V: usize>(
    p: &Few<S::Elem>,
    at: &mut At<S::Elem>,
    depth: usize,
    sums: &mut [[S::Vector; V]; R],
) {
    let [a_row, a_col] = p.a_strides;
    // SAFETY: promised by the caller.
    unsafe {
        for _ in 0..depth / S::COLUMNS {
            step::<S, R, V>(p, at, sums);
        }
        for _ in 0..depth % S::COLUMNS {
            for v in 0..V {
                let y = S::gather(at.b.offset((v * S::LANES) as isize * p.b_stride), p.b_stride);
                for (r, sum) in sums.iter_mut().enumerate() {
                    sum[v] = S::fma(S::splat(*at.a.offset(r as isize * a_row)), y, sum[v]);
                }
            }
            at.a = at.a.wrapping_offset(a_col);
            at.b = at.b.wrapping_add(1);
        }
    }
}

/// The multiply-adds of one square for each register of columns.
///
/// # Safety
/// As for [`turned`], for the k of a square.
#[inline(always)]
unsafe fn step<S: Square, const R: usize, const V: usize>(
    p: &Few<S::Elem>,
    at: &mut At<S::Elem>,
    sums: &mut [[S::Vector; V]; R],
) {
    let [a_row, a_col] = p.a_strides;
    // SAFETY: promised by the caller.
    unsafe {
        let mut squares = [[S::zero(); 8]; V];
        for (v, square) in squares.iter_mut().enumerate() {
            S::columns(at.b.offset((v * S::LANES) as isize * p.b_stride), p.b_stride, square);
        }
        for i in 0..S::COLUMNS {
            for (r, sum) in sums.iter_mut().enumerate() {
                let x = S::splat(*at.a.offset(r as isize * a_row));
                for (s, square) in sum.iter_mut().zip(&squares) {
                    *s = S::fma(x, square[i], *s);
                }
            }
            at.a = at.a.wrapping_offset(a_col);
        }
        at.b = at.b.wrapping_add(S::COLUMNS);
    }
}

/// Writes registers of C.
///
/// # Safety
/// As for [`turned`].
#[inline(always)]
unsafe fn store<S: Simd, const R: usize, const V: usize>(p: &Few<S::Elem>, j: usize, totals: [[S::Vector; V]; R]) {
    for (r, total) in totals.into_iter().enumerate() {
        for (v, t) in total.into_iter().enumerate() {
            // SAFETY: promised by the caller.
            unsafe { S::store(p.c.add(r * p.c_stride + j + v * S::LANES), t) }
        }
    }
}

/// One element, for a matrix that is narrower than a register.
///
/// # Safety
/// As for [`across_columns`], for row `r` and column `j`.
#[inline(always)]
unsafe fn single<S: Simd>(p: &Few<S::Elem>, r: usize, j: usize) {
    // SAFETY: promised by the caller.
    unsafe {
        let mut total = [S::zero()];
        let a = p.a.offset(r as isize * p.a_strides[0]);
        for (start, depth) in blocks(p.k) {
            let mut sum = S::zero();
            for k in start..start + depth {
                let x = S::splat(*a.offset(k as isize * p.a_strides[1]));
                let y = S::splat(*p.b.offset(j as isize * p.b_stride).add(k));
                sum = S::fma(x, y, sum);
            }
            join::<S, 1>(&mut total, [sum], start == 0);
        }
        S::store_masked(p.c.add(r * p.c_stride + j), total[0], S::mask(1));
    }
}

/// The first block is the total, later ones are added to it.
///
/// # Safety
/// The instruction set of `S` is available.
#[inline(always)]
unsafe fn join<S: Simd, const V: usize>(total: &mut [S::Vector; V], sums: [S::Vector; V], first: bool) {
    for (t, s) in total.iter_mut().zip(sums) {
        // SAFETY: promised by the caller.
        *t = if first { s } else { unsafe { S::add(*t, s) } };
    }
}
