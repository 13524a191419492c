//! One row times a matrix. Every element of B is used once, so B is read where it lies.

use super::order::blocks;
use super::simd::{Simd, Square};

/// One row of C.
pub(super) struct Row<T> {
    pub(super) a: *const T,
    /// The stride of A along k.
    pub(super) a_stride: isize,
    pub(super) b: *const T,
    /// The stride of B that is not 1.
    pub(super) b_stride: isize,
    pub(super) c: *mut T,
    pub(super) n: usize,
    pub(super) k: usize,
}

/// The columns of B are adjacent: registers lie along C.
///
/// # Safety
/// The instruction set of `S` is available; A, B and C are readable and writable for the extents and strides.
#[inline(always)]
pub(super) unsafe fn along_columns<S: Simd>(p: &Row<S::Elem>) {
    let mut j = 0;
    // SAFETY: all columns lie within the row.
    unsafe {
        while p.n - j >= 8 * S::LANES {
            chains::<S, 8>(p, j, 8 * S::LANES);
            j += 8 * S::LANES;
        }
        if p.n - j >= 4 * S::LANES {
            chains::<S, 4>(p, j, 4 * S::LANES);
            j += 4 * S::LANES;
        }
        if p.n - j >= 2 * S::LANES {
            chains::<S, 2>(p, j, 2 * S::LANES);
            j += 2 * S::LANES;
        }
        while j < p.n {
            chains::<S, 1>(p, j, S::LANES.min(p.n - j));
            j += S::LANES;
        }
    }
}

/// `V` registers of columns; a single one may be partial.
///
/// # Safety
/// As for [`along_columns`], for `cols` columns from `j`.
#[inline(always)]
unsafe fn chains<S: Simd, const V: usize>(p: &Row<S::Elem>, j: usize, cols: usize) {
    let partial = V == 1 && cols < S::LANES;
    // SAFETY: promised by the caller; the mask covers the columns that there are.
    unsafe {
        let mask = S::mask(cols);
        let mut total = [S::zero(); V];
        for (start, depth) in blocks(p.k) {
            let mut sums = [S::zero(); V];
            let mut a = p.a.wrapping_offset(start as isize * p.a_stride);
            let mut b = p.b.wrapping_offset(start as isize * p.b_stride).wrapping_add(j);
            for _ in 0..depth {
                let x = S::splat(*a);
                for (v, s) in sums.iter_mut().enumerate() {
                    let from = b.add(v * S::LANES);
                    let y = if partial { S::load_masked(from, mask) } else { S::load(from) };
                    *s = S::fma(x, y, *s);
                }
                a = a.wrapping_offset(p.a_stride);
                b = b.wrapping_offset(p.b_stride);
            }
            join::<S, V>(&mut total, sums, start == 0);
        }
        for (v, t) in total.into_iter().enumerate() {
            let to = p.c.add(j + v * S::LANES);
            if partial { S::store_masked(to, t, mask) } else { S::store(to, t) }
        }
    }
}

/// The k of a column are adjacent: squares of B are turned in registers, and registers lie along C again.
///
/// # Safety
/// As for [`along_columns`].
#[inline(always)]
pub(super) unsafe fn across_columns<S: Square>(p: &Row<S::Elem>) {
    let mut j = 0;
    // SAFETY: all columns lie within the row. The last squares overlap those before; the sums are the same.
    unsafe {
        while p.n - j >= 4 * S::LANES {
            turned::<S, 4>(p, j);
            j += 4 * S::LANES;
        }
        while j < p.n && p.n >= S::LANES {
            turned::<S, 1>(p, j.min(p.n - S::LANES));
            j += S::LANES;
        }
        while j < p.n {
            single::<S>(p, j);
            j += 1;
        }
    }
}

/// `V` registers of columns.
///
/// # Safety
/// As for [`across_columns`], for `V` registers of columns from `j`.
#[inline(always)]
unsafe fn turned<S: Square, const V: usize>(p: &Row<S::Elem>, j: usize) {
    // SAFETY: promised by the caller.
    unsafe {
        let mut total = [S::zero(); V];
        for (start, depth) in blocks(p.k) {
            let mut sums = [S::zero(); V];
            let whole = depth - depth % S::SIDE;
            let b = p.b.offset(j as isize * p.b_stride).add(start);
            let a = p.a.offset(start as isize * p.a_stride);
            for k in (0..whole).step_by(S::SIDE) {
                for (v, s) in sums.iter_mut().enumerate() {
                    let square = b.offset((v * S::LANES) as isize * p.b_stride).add(k);
                    for (i, y) in S::columns(square, p.b_stride).into_iter().enumerate() {
                        let x = S::splat(*a.offset((k + i) as isize * p.a_stride));
                        *s = S::fma(x, y, *s);
                    }
                }
            }
            for k in whole..depth {
                let x = S::splat(*a.offset(k as isize * p.a_stride));
                for (v, s) in sums.iter_mut().enumerate() {
                    let column = b.offset((v * S::LANES) as isize * p.b_stride).add(k);
                    *s = S::fma(x, S::gather(column, p.b_stride), *s);
                }
            }
            join::<S, V>(&mut total, sums, start == 0);
        }
        for (v, t) in total.into_iter().enumerate() {
            S::store(p.c.add(j + v * S::LANES), t);
        }
    }
}

/// One column, for a matrix that is narrower than a register.
///
/// # Safety
/// As for [`across_columns`], for column `j`.
#[inline(always)]
unsafe fn single<S: Simd>(p: &Row<S::Elem>, j: usize) {
    // SAFETY: promised by the caller.
    unsafe {
        let mut total = [S::zero()];
        for (start, depth) in blocks(p.k) {
            let mut sum = S::zero();
            for k in start..start + depth {
                let x = S::splat(*p.a.offset(k as isize * p.a_stride));
                let y = S::splat(*p.b.offset(j as isize * p.b_stride).add(k));
                sum = S::fma(x, y, sum);
            }
            join::<S, 1>(&mut total, [sum], start == 0);
        }
        S::store_masked(p.c.add(j), total[0], S::mask(1));
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
