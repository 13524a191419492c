//! Few rows times a matrix whose columns lie together in pieces, as those of the windows of images do: registers read them there. A copy of
//! windows has each element as often as windows have it, and few rows would not pay for that.

use super::order::DEPTH;
use super::side::Side;
use super::simd::Simd;
use crate::kernels::axes::Odometer;

/// The most rows that are worth it: each group of a few fetches the windows again.
pub(super) const ROWS: usize = 16;
/// Shorter pieces are not worth a register.
const SHORTEST: usize = 2;
/// Pieces that are told at a time.
const PIECES: usize = 64;

/// Columns side by side in memory.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Piece {
    /// Where the first of them lies.
    offset: isize,
    /// Their number, which is not 0.
    len: usize,
}

/// A block of C, for a block of k.
pub(super) struct Pieces<'a, T> {
    pub(super) a: *const T,
    /// The row and the column stride of A.
    pub(super) a_strides: [isize; 2],
    pub(super) b: *const T,
    /// Where the rows of B lie: at most [`DEPTH`].
    pub(super) lines: &'a [isize],
    /// Where its columns lie.
    pub(super) pieces: &'a [Piece],
    /// One column of C after the other.
    pub(super) c: *mut T,
    /// The row stride of C.
    pub(super) c_stride: usize,
    /// At most [`ROWS`].
    pub(super) rows: usize,
    /// Whether this is the first block of k: later ones are added.
    pub(super) first: bool,
}

/// Whether the columns of this side are read in pieces.
pub(super) fn has_pieces(columns: &Side) -> bool {
    matches!(columns, Side::Axes(axes) if axes.last().is_some_and(|&(run, stride)| stride == 1 && run >= SHORTEST))
}

/// Calls `f` for the pieces of the columns `start..start + n`, some at a time, with the number of the columns before them.
pub(super) fn each(columns: &Side, start: usize, n: usize, mut f: impl FnMut(usize, &[Piece])) {
    let Side::Axes(axes) = columns else { return };
    let Some((&(run, _), outer)) = axes.split_last() else { return };
    let (mut line, mut within) = (Odometer::new(outer, start / run), start % run);
    let mut pieces = [Piece::default(); PIECES];
    let (mut done, mut count, mut told) = (0, 0, 0);
    while done < n {
        let len = (run - within).min(n - done);
        pieces[count] = Piece { offset: line.offset() + within as isize, len };
        (done, count, within) = (done + len, count + 1, 0);
        if count == PIECES || done == n {
            f(told, &pieces[..count]);
            (told, count) = (done, 0);
        }
        line.advance();
    }
}

/// Computes the block.
///
/// # Safety
/// The instruction set of `S` is available; A, B and C are readable and writable for the rows, lines and pieces.
#[inline(always)]
pub(super) unsafe fn along_pieces<S: Simd>(p: &Pieces<S::Elem>) {
    debug_assert!(p.lines.len() <= DEPTH);
    let mut row = 0;
    // SAFETY: promised by the caller; the rows lie within those of A and C.
    unsafe {
        while p.rows - row >= 4 {
            rows::<S, 4, 3>(p, row);
            row += 4;
        }
        match p.rows - row {
            0 => {}
            1 => rows::<S, 1, 4>(p, row),
            2 => rows::<S, 2, 4>(p, row),
            _ => rows::<S, 3, 4>(p, row),
        }
    }
}

/// `R` rows from `row`, `V` registers of columns at a time.
///
/// # Safety
/// As for [`along_pieces`].
#[inline(always)]
unsafe fn rows<S: Simd, const R: usize, const V: usize>(p: &Pieces<S::Elem>, row: usize) {
    let a = p.a.wrapping_offset(row as isize * p.a_strides[0]);
    let mut c = p.c.wrapping_add(row * p.c_stride);
    let mut pieces = p.pieces;
    while let Some((&Piece { offset, len }, rest)) = pieces.split_first() {
        // SAFETY: the columns lie within the pieces.
        unsafe {
            if len <= S::LANES {
                let like = 1 + rest.iter().take(V - 1).take_while(|piece| piece.len == len).count();
                let (now, later) = pieces.split_at(like);
                match like {
                    1 => narrow::<S, R, 1>(p, a, now, c),
                    2 => narrow::<S, R, 2>(p, a, now, c),
                    3 => narrow::<S, R, 3>(p, a, now, c),
                    _ => narrow::<S, R, 4>(p, a, now, c),
                }
                (c, pieces) = (c.wrapping_add(like * len), later);
                continue;
            }
            let b = p.b.wrapping_offset(offset);
            let (mut col, mut vectors) = (0, len.div_ceil(S::LANES));
            while vectors > 0 {
                // Evenly, so that none is left alone: at least two at a time.
                let now = vectors.div_ceil(vectors.div_ceil(V));
                let n = (now * S::LANES).min(len - col);
                match now {
                    2 => chains::<S, R, 2>(p, a, b.add(col), c.add(col), n),
                    3 => chains::<S, R, 3>(p, a, b.add(col), c.add(col), n),
                    _ => chains::<S, R, 4>(p, a, b.add(col), c.add(col), n),
                }
                (col, vectors) = (col + n, vectors - now);
            }
        }
        (c, pieces) = (c.wrapping_add(len), rest);
    }
}

/// `V` registers of `n` columns; the last one overlaps the one before.
///
/// # Safety
/// As for [`along_pieces`]; there are more columns than `V` − 1 registers have, and at least one register of them.
#[inline(always)]
unsafe fn chains<S: Simd, const R: usize, const V: usize>(
    p: &Pieces<S::Elem>,
    a: *const S::Elem,
    b: *const S::Elem,
    c: *mut S::Elem,
    n: usize,
) {
    let [a_row, a_col] = p.a_strides;
    // SAFETY: promised by the caller.
    unsafe {
        let mut sums = [[S::zero(); V]; R];
        let (mut a, last) = (a, n - S::LANES);
        for &line in p.lines {
            let b = b.wrapping_offset(line);
            let mut row = [S::zero(); V];
            for (v, y) in row.iter_mut().enumerate() {
                *y = S::load(b.add(if v + 1 == V { last } else { v * S::LANES }));
            }
            for (r, sum) in sums.iter_mut().enumerate() {
                let x = S::splat(*a.offset(r as isize * a_row));
                for (s, y) in sum.iter_mut().zip(row) {
                    *s = S::fma(x, y, *s);
                }
            }
            a = a.wrapping_offset(a_col);
        }
        let at = |r: usize, v: usize| c.add(r * p.c_stride + if v + 1 == V { last } else { v * S::LANES });
        if !p.first {
            // All before any is written: registers overlap.
            for (r, sum) in sums.iter_mut().enumerate() {
                for (v, s) in sum.iter_mut().enumerate() {
                    *s = S::add(S::load(at(r, v)), *s);
                }
            }
        }
        for (r, sum) in sums.into_iter().enumerate() {
            for (v, s) in sum.into_iter().enumerate() {
                S::store(at(r, v), s);
            }
        }
    }
}

/// `N` pieces of equal length, of at most a register.
///
/// # Safety
/// As for [`along_pieces`].
#[inline(always)]
unsafe fn narrow<S: Simd, const R: usize, const N: usize>(
    p: &Pieces<S::Elem>,
    a: *const S::Elem,
    pieces: &[Piece],
    c: *mut S::Elem,
) {
    let [a_row, a_col] = p.a_strides;
    let len = pieces.first().map_or(0, |piece| piece.len);
    let mut from = [p.b; N];
    for (from, piece) in from.iter_mut().zip(pieces) {
        *from = from.wrapping_offset(piece.offset);
    }
    // SAFETY: promised by the caller; the mask covers the columns that there are.
    unsafe {
        let mask = S::mask(len);
        let mut sums = [[S::zero(); N]; R];
        let mut a = a;
        for &line in p.lines {
            let mut row = [S::zero(); N];
            for (y, from) in row.iter_mut().zip(from) {
                *y = S::load_masked(from.wrapping_offset(line), mask);
            }
            for (r, sum) in sums.iter_mut().enumerate() {
                let x = S::splat(*a.offset(r as isize * a_row));
                for (s, y) in sum.iter_mut().zip(row) {
                    *s = S::fma(x, y, *s);
                }
            }
            a = a.wrapping_offset(a_col);
        }
        for (r, sum) in sums.into_iter().enumerate() {
            for (i, s) in sum.into_iter().enumerate() {
                let to = c.add(r * p.c_stride + i * len);
                let total = if p.first { s } else { S::add(S::load_masked(to, mask), s) };
                S::store_masked(to, total, mask);
            }
        }
    }
}
