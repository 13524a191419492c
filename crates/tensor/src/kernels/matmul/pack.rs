//! Copies of blocks of A and B in the order in which the register tiles read them.

use super::simd::Simd;
use super::tile::heights;
use crate::kernels::memory::prefetch;

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
    // A few k at a time, so that a cache line of A serves all strips that it touches.
    const STEP: usize = 8;
    let mut depth = 0;
    while depth < p.depth {
        let steps = STEP.min(p.depth - depth);
        let mut start = 0;
        for height in heights(p.width, S::ROWS) {
            // SAFETY: the strip lies within the block.
            unsafe {
                let from = p.from.offset(depth as isize * p.along).add(start);
                let to = p.to.add(start * p.depth + depth * height);
                strip::<S>(from, p.along, to, [height, p.width - start], [steps, p.depth - depth]);
            }
            start += height;
        }
        depth += steps;
    }
}

/// `steps` k of a strip of which `rest` are not yet packed; the block has as many rows `left` from its first one.
///
/// # Safety
/// As for [`pack_a`].
#[inline(always)]
unsafe fn strip<S: Simd>(
    mut from: *const S::Elem,
    along: isize,
    mut to: *mut S::Elem,
    [height, left]: [usize; 2],
    [steps, rest]: [usize; 2],
) {
    let whole = (height - 1) / S::LANES * S::LANES;
    let spare = whole + S::LANES <= left;
    // A store may run on into what comes later in the same strip. Behind that may lie what another thread has packed, or nothing.
    let roomy = (rest + 1).saturating_sub((whole + S::LANES).div_ceil(height));
    // SAFETY: promised by the caller; the last stores of the strip are exact.
    unsafe {
        let mask = S::mask(height - whole);
        for step in 0..steps {
            let mut at = 0;
            while at < whole {
                S::store(to.add(at), S::load(from.add(at)));
                at += S::LANES;
            }
            let rest = if spare { S::load(from.add(at)) } else { S::load_masked(from.add(at), mask) };
            if step < roomy {
                S::store(to.add(at), rest);
            } else {
                S::store_masked(to.add(at), rest, mask);
            }
            from = from.wrapping_offset(along);
            to = to.add(height);
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
