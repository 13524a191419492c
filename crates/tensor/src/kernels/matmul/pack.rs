//! Copies of blocks of A and B in the order in which the register tiles read them.

use super::simd::Simd;
use super::tile::heights;
use crate::kernels::memory::{CACHE_LINE, prefetch};

/// A block of a matrix, to be copied.
pub(super) struct Block<T> {
    pub(super) from: *const T,
    /// The stride along the rows of A or the columns of B.
    pub(super) side: isize,
    /// The stride along k.
    pub(super) along: isize,
    /// Rows of A or columns of B.
    pub(super) width: usize,
    pub(super) depth: usize,
    pub(super) to: *mut T,
    /// From an element to the one that is packed in its place next; 0 where that is not known.
    pub(super) next: isize,
}

/// Packs a panel of B: k after k a row of whole registers, zero beyond the columns.
///
/// # Safety
/// The instruction set of `S` is available, the block is readable, `to` is writable for whole registers of the
/// width, times the depth.
#[inline(always)]
pub(super) unsafe fn pack_b<S: Simd>(p: &Block<S::Elem>) {
    let pitch = p.width.next_multiple_of(S::LANES);
    // SAFETY: all that is read lies in the block, all that is written in `depth` rows of `pitch`.
    unsafe {
        if p.side == 1 || p.width == 1 {
            return match pitch / S::LANES {
                1 => rows::<S, 1>(p),
                2 => rows::<S, 2>(p),
                _ => gather(p, pitch),
            };
        }
        if pitch != p.width {
            for k in 0..p.depth {
                S::store(p.to.add(k * pitch + pitch - S::LANES), S::zero());
            }
        }
        if p.along == 1 && p.width >= S::SIDE && p.depth >= S::SIDE {
            squares::<S>(p, pitch);
        } else {
            gather(p, pitch);
        }
    }
}

/// Adjacent columns: `V` registers a row.
///
/// # Safety
/// As for [`pack_b`].
#[inline(always)]
unsafe fn rows<S: Simd, const V: usize>(p: &Block<S::Elem>) {
    let (mut from, mut to) = (p.from, p.to);
    let last = p.width - (V - 1) * S::LANES;
    // SAFETY: promised by the caller; only the last register of a row may be partial.
    unsafe {
        let mask = S::mask(last);
        for _ in 0..p.depth {
            // A row of the next panel is a line of the cache of its own, too far from the one above for the processor to foresee.
            prefetch(from.wrapping_offset(p.next).cast());
            for v in 0..V {
                let at = v * S::LANES;
                let full = v + 1 < V || last == S::LANES;
                let x = if full { S::load(from.add(at)) } else { S::load_masked(from.add(at), mask) };
                S::store(to.add(at), x);
            }
            from = from.wrapping_offset(p.along);
            to = to.wrapping_add(V * S::LANES);
        }
    }
}

/// Adjacent k: squares, turned in registers. The last ones overlap those before.
///
/// # Safety
/// As for [`pack_b`]; width and depth have room for a square.
#[inline(always)]
unsafe fn squares<S: Simd>(p: &Block<S::Elem>, pitch: usize) {
    let mut column = 0;
    while column < p.width {
        let c = column.min(p.width - S::SIDE);
        let mut depth = 0;
        while depth < p.depth {
            let k = depth.min(p.depth - S::SIDE);
            // SAFETY: the square lies within the block.
            unsafe {
                let from = p.from.offset(c as isize * p.side).add(k);
                for r in 0..S::SIDE {
                    prefetch(from.wrapping_offset(r as isize * p.side + p.next).cast());
                }
                S::transpose(from, p.side, p.to.add(k * pitch + c), pitch);
            }
            depth += S::SIDE;
        }
        column += S::SIDE;
    }
}

/// Any strides, an element at a time.
///
/// # Safety
/// As for [`pack_b`].
#[inline(always)]
unsafe fn gather<T: Copy>(p: &Block<T>, pitch: usize) {
    for k in 0..p.depth {
        for c in 0..p.width {
            // SAFETY: the element lies within the block.
            unsafe { *p.to.add(k * pitch + c) = *p.from.offset(k as isize * p.along + c as isize * p.side) };
        }
    }
}

/// Packs a block of A whose rows are adjacent (`side` is 1) into strips of the height of a register tile.
///
/// # Safety
/// The instruction set of `S` is available, the block is readable, `to` is writable for width times depth.
#[inline(always)]
pub(super) unsafe fn pack_a<S: Simd>(p: &Block<S::Elem>) {
    // SAFETY: promised by the caller.
    unsafe {
        match S::ROWS <= S::LANES {
            true => strips::<S, 1>(p),
            false => strips::<S, 2>(p),
        }
    }
}

/// A few k at a time, so that a line of the cache of A serves all strips that it touches.
const STEP: usize = 8;

/// `V` registers hold the rows of a strip.
///
/// # Safety
/// As for [`pack_a`].
#[inline(always)]
unsafe fn strips<S: Simd, const V: usize>(p: &Block<S::Elem>) {
    let line = CACHE_LINE / size_of::<S::Elem>();
    for depth in (0..p.depth).step_by(STEP) {
        let steps = STEP.min(p.depth - depth);
        let from = p.from.wrapping_offset(depth as isize * p.along);
        let (mut start, mut fetched) = (0, 0);
        for height in heights(p.width, S::ROWS) {
            // The next k, a line of each as the strips reach it: all at once would wait for each other.
            while fetched < start + height {
                let next = from.wrapping_offset(STEP as isize * p.along).wrapping_add(fetched);
                (0..STEP).for_each(|k| prefetch(next.wrapping_offset(k as isize * p.along).cast()));
                fetched += line;
            }
            // Whole registers are read and written where there is room for them: the rows behind a strip are those of the next one, and
            // what a store runs on into comes later in the same strip. Behind that may lie what another thread has packed, or nothing.
            let room = p.width - start >= V * S::LANES && (p.depth - depth - steps + 1) * height >= V * S::LANES;
            // SAFETY: the strip lies within the block.
            unsafe {
                let (from, to) = (from.add(start), p.to.add(start * p.depth + depth * height));
                match room {
                    true => strip::<S, V, false>(from, p.along, to, height, steps),
                    false => strip::<S, V, true>(from, p.along, to, height, steps),
                }
            }
            start += height;
        }
    }
}

/// `steps` k of a strip, to the element if `EXACT`.
///
/// # Safety
/// As for [`pack_a`]; if not `EXACT`, whole registers are readable and writable.
#[inline(always)]
unsafe fn strip<S: Simd, const V: usize, const EXACT: bool>(
    mut from: *const S::Elem,
    along: isize,
    mut to: *mut S::Elem,
    height: usize,
    steps: usize,
) {
    // SAFETY: promised by the caller; the masks cover what there is of the strip.
    unsafe {
        for _ in 0..steps {
            for v in 0..V {
                let at = v * S::LANES;
                if EXACT {
                    let mask = S::mask(height.saturating_sub(at));
                    S::store_masked(to.add(at), S::load_masked(from.add(at), mask), mask);
                } else {
                    S::store(to.add(at), S::load(from.add(at)));
                }
            }
            from = from.wrapping_offset(along);
            to = to.wrapping_add(height);
        }
    }
}

/// Packs a block of A row after row, for any strides.
///
/// # Safety
/// The block is readable and `to` is writable for width times depth.
#[inline(always)]
pub(super) unsafe fn copy_a<T: Copy>(p: &Block<T>) {
    for r in 0..p.width {
        // SAFETY: the row lies within the block.
        unsafe {
            let (from, to) = (p.from.offset(r as isize * p.side), p.to.add(r * p.depth));
            if p.along == 1 {
                from.copy_to_nonoverlapping(to, p.depth);
            } else {
                for k in 0..p.depth {
                    *to.add(k) = *from.offset(k as isize * p.along);
                }
            }
        }
    }
}
