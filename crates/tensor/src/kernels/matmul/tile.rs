//! The register tile: the one place where numbers are multiplied.

use super::simd::Simd;
use crate::kernels::memory::{CACHE_LINE, prefetch};

/// A column panel of B times the rows of a block of A, for one block of k.
pub(super) struct Panel<T> {
    /// Element \[0, 0\] of the block of A.
    pub(super) a: *const T,
    /// The row and the column stride of A.
    pub(super) a_strides: [isize; 2],
    /// A lies in strips: the rows of one register tile side by side, k after k.
    pub(super) a_strips: bool,
    /// Element \[0, 0\] of the panel; its columns are adjacent and whole registers of them are readable.
    pub(super) b: *const T,
    /// The row stride of B.
    pub(super) b_stride: isize,
    pub(super) c: *mut T,
    /// The row stride of C.
    pub(super) c_stride: usize,
    pub(super) rows: usize,
    /// At most two registers.
    pub(super) cols: usize,
    pub(super) depth: usize,
    /// The first block of k sets C, later ones add to it.
    pub(super) first: bool,
    /// A was not read yet, and lies where it always did.
    pub(super) fresh: bool,
}

/// The heights of the register tiles that cover `rows` rows: as even as can be, higher ones first.
pub(super) fn heights(rows: usize, most: usize) -> impl Iterator<Item = usize> {
    let tiles = rows.div_ceil(most).max(1);
    let (height, higher) = (rows / tiles, rows % tiles);
    (0..tiles).map(move |t| height + usize::from(t < higher))
}

/// Computes the panel.
///
/// # Safety
/// The instruction set of `S` is available; A, B and C are readable and writable for the extents and strides.
#[inline(always)]
pub(super) unsafe fn panel<S: Tiles>(p: &Panel<S::Elem>) {
    let mut start = 0;
    for height in heights(p.rows, S::ROWS) {
        // SAFETY: the tile lies within the panel.
        unsafe {
            let (a, a_strides) = if p.a_strips {
                (p.a.add(start * p.depth), [1, height as isize])
            } else {
                (p.a.offset(start as isize * p.a_strides[0]), p.a_strides)
            };
            let next = a.wrapping_offset(height as isize * a_strides[0]);
            let next = (p.fresh && a_strides[1] == 1 && start + height < p.rows).then_some(next);
            let c = p.c.add(start * p.c_stride);
            S::tile(height, p, a, a_strides, next, c);
        }
        start += height;
    }
}

/// A choice of register tile by height.
pub(super) trait Tiles: Simd {
    /// `next`: where the rows of the next tile begin, if they are to be fetched meanwhile.
    ///
    /// # Safety
    /// As for [`panel`], for `height` rows from `a` and `c`.
    unsafe fn tile(
        height: usize,
        p: &Panel<Self::Elem>,
        a: *const Self::Elem,
        a_strides: [isize; 2],
        next: Option<*const Self::Elem>,
        c: *mut Self::Elem,
    );
}

macro_rules! tiles {
    ($S:ty: $($height:literal)*) => {
        impl Tiles for $S {
            #[inline(always)]
            unsafe fn tile(
                height: usize,
                p: &Panel<Self::Elem>,
                a: *const Self::Elem,
                a_strides: [isize; 2],
                next: Option<*const Self::Elem>,
                c: *mut Self::Elem,
            ) {
                // SAFETY: promised by the caller.
                unsafe {
                    match height {
                        $($height => width::<Self, $height>(p, a, a_strides, next, c),)*
                        _ => {}
                    }
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
tiles!(crate::kernels::matmul::x86::F32x8: 1 2 3 4 5 6);
#[cfg(target_arch = "x86_64")]
tiles!(crate::kernels::matmul::x86::F64x4: 1 2 3 4 5 6);
#[cfg(target_arch = "x86_64")]
tiles!(crate::kernels::matmul::x86::F32x16: 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
#[cfg(target_arch = "x86_64")]
tiles!(crate::kernels::matmul::x86::F64x8: 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
tiles!(crate::kernels::matmul::portable::F32x4: 1 2 3 4);
tiles!(crate::kernels::matmul::portable::F64x2: 1 2 3 4);
#[cfg(test)]
tiles!(crate::kernels::matmul::portable::WideF32: 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
#[cfg(test)]
tiles!(crate::kernels::matmul::portable::WideF64: 1 2 3 4 5 6 7 8 9 10 11 12 13 14);

/// # Safety
/// As for [`Tiles::tile`].
#[inline(always)]
unsafe fn width<S: Simd, const R: usize>(
    p: &Panel<S::Elem>,
    a: *const S::Elem,
    a_strides: [isize; 2],
    next: Option<*const S::Elem>,
    c: *mut S::Elem,
) {
    // SAFETY: promised by the caller.
    unsafe {
        if p.cols == 2 * S::LANES {
            tile::<S, R, 2, false>(p, a, a_strides, next, c);
        } else if p.cols > S::LANES {
            tile::<S, R, 2, true>(p, a, a_strides, next, c);
        } else {
            tile::<S, R, 1, true>(p, a, a_strides, next, c);
        }
    }
}

/// `R` rows by `V` registers: a chain of multiply-adds in ascending k for every element.
///
/// # Safety
/// As for [`Tiles::tile`], with `R` rows and at most `V` registers of columns.
#[inline(always)]
unsafe fn tile<S: Simd, const R: usize, const V: usize, const MASKED: bool>(
    p: &Panel<S::Elem>,
    mut a: *const S::Elem,
    [a_row, a_col]: [isize; 2],
    mut next: Option<*const S::Elem>,
    c: *mut S::Elem,
) {
    // SAFETY: `R` rows and `p.cols` columns are readable; masked lanes are not touched.
    unsafe {
        let mask = S::mask(p.cols - (V - 1) * S::LANES);
        let masked = |v: usize| MASKED && v == V - 1;
        let mut sums = [[S::zero(); V]; R];
        let mut b = p.b;
        let mut left = p.depth;
        while left > 0 {
            // As many k as lie in a line of the cache.
            let steps = left.min(CACHE_LINE / size_of::<S::Elem>());
            left -= steps;
            if let Some(next) = &mut next {
                (0..R).for_each(|r| prefetch(next.wrapping_offset(r as isize * a_row).cast()));
                *next = next.wrapping_add(steps);
            }
            for _ in 0..steps {
                let mut row = [S::zero(); V];
                for (v, x) in row.iter_mut().enumerate() {
                    *x = S::load(b.add(v * S::LANES));
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
        }
        for (r, sum) in sums.into_iter().enumerate() {
            for (v, s) in sum.into_iter().enumerate() {
                let to = c.add(r * p.c_stride + v * S::LANES);
                if masked(v) {
                    let s = if p.first { s } else { S::add(S::load_masked(to, mask), s) };
                    S::store_masked(to, s, mask);
                } else {
                    let s = if p.first { s } else { S::add(S::load(to), s) };
                    S::store(to, s);
                }
            }
        }
    }
}
