//! Copies of blocks of matrices whose sides no stride tells: elements from wherever they lie, into lines one behind the other.

use super::order::DEPTH;
use super::simd::Simd;
use crate::kernels::memory::prefetch;

/// The most lines, and the most elements of a line, of a block.
pub(super) const MOST: usize = DEPTH;
/// Lines that are copied side by side.
const GROUP: usize = 8;

/// A block to be copied: `to[line · pitch + place] = from[lines[line] + places[place]]`.
pub(super) struct Scattered<'a, T> {
    pub(super) from: *const T,
    /// At most [`MOST`].
    pub(super) lines: &'a [isize],
    /// At most [`MOST`].
    pub(super) places: &'a [isize],
    pub(super) to: *mut T,
    /// From line to line; what is left of it behind the last place is set to zero: less than a register.
    pub(super) pitch: usize,
    /// Places that are copied next: they may come to the caches meanwhile.
    pub(super) ahead: &'a [isize],
}

impl<T> Scattered<'_, T> {
    /// Fetches what is copied next of the line that begins at `from`, but for a neighbour of the line before, which has fetched the same.
    #[inline(always)]
    fn fetch(&self, before: isize, line: isize, from: *const T) {
        if let [first, .., last] = self.ahead
            && before.wrapping_add(1) != line
        {
            prefetch(from.wrapping_offset(*first).cast());
            prefetch(from.wrapping_offset(*last).cast());
        }
    }
}

/// How many of the offsets follow on the one before.
pub(super) fn neighbours(offsets: &[isize]) -> usize {
    offsets.windows(2).filter(|pair| pair[1] == pair[0] + 1).count()
}

/// Copies the block.
///
/// # Safety
/// The instruction set of `S` is available, all elements are readable, and `to` is writable for the pitch times the lines.
#[inline(always)]
pub(super) unsafe fn gather<S: Simd>(p: &Scattered<S::Elem>) {
    let (places, lines) = (p.places.len(), p.lines.len());
    // SAFETY: promised by the caller.
    unsafe {
        if 2 * neighbours(p.places) >= places || places == 1 {
            along_lines::<S>(p);
        } else if places >= S::SIDE && 2 * neighbours(p.lines) >= lines {
            across_lines::<S>(p);
        } else {
            elements(p, 0..lines, 0..places);
            clear::<S>(p);
        }
    }
}

/// Neighbours within a line are copied together.
///
/// # Safety
/// As for [`gather`].
#[inline(always)]
unsafe fn along_lines<S: Simd>(p: &Scattered<S::Elem>) {
    // The registers of a line: where each begins, where the last one ends, and once more if zeros follow.
    let mut starts = [0u16; MOST + 2];
    let (mut count, mut at) = (1, 0);
    while let Some(&offset) = p.places.get(at) {
        let follow = |n: &usize| p.places.get(at + n) == Some(&(offset + *n as isize));
        at += 1 + (1..S::LANES).take_while(follow).count();
        starts[count] = at as u16;
        count += 1;
    }
    if p.pitch > at {
        starts[count] = at as u16;
        count += 1;
    }
    // SAFETY: promised by the caller.
    unsafe {
        match count - 1 {
            // A register would run past the next line, too.
            _ if p.pitch < S::LANES => pieces::<S>(p, &starts[..count]),
            1 => few_pieces::<S, 1>(p, &starts[..count]),
            2 => few_pieces::<S, 2>(p, &starts[..count]),
            3 => few_pieces::<S, 3>(p, &starts[..count]),
            4 => few_pieces::<S, 4>(p, &starts[..count]),
            _ => pieces::<S>(p, &starts[..count]),
        }
    }
}

/// Lines of `N` pieces, line after line.
///
/// # Safety
/// As for [`gather`]; the pieces are those of a line, which has room for a register.
#[inline(always)]
unsafe fn few_pieces<S: Simd, const N: usize>(p: &Scattered<S::Elem>, starts: &[u16]) {
    let Some((last, lines)) = p.lines.split_last() else { return };
    // SAFETY: the instruction set is available.
    let (mut at, mut offset, mut mask) = ([0; N], [0; N], [unsafe { S::mask(0) }; N]);
    for (i, piece) in starts.windows(2).enumerate().take(N) {
        at[i] = usize::from(piece[0]);
        offset[i] = p.places.get(at[i]).copied().unwrap_or(0);
        // SAFETY: the instruction set is available.
        mask[i] = unsafe { S::mask(usize::from(piece[1] - piece[0])) };
    }
    let (mut to, mut before) = (p.to, isize::MIN);
    for &line in lines {
        let from = p.from.wrapping_offset(line);
        p.fetch(before, line, from);
        before = line;
        // SAFETY: the elements are readable. A store may run past its piece and its line, into the next ones, which are written later.
        unsafe {
            for i in 0..N {
                S::store(to.add(at[i]), S::load_masked(from.wrapping_offset(offset[i]), mask[i]));
            }
            to = to.add(p.pitch);
        }
    }
    // SAFETY: the last line lies behind the others.
    unsafe { pieces::<S>(&Scattered { lines: std::slice::from_ref(last), to, ..*p }, starts) }
}

/// Lines of any pieces, some lines at a time.
///
/// # Safety
/// As for [`gather`]; the pieces are those of a line.
#[inline(always)]
unsafe fn pieces<S: Simd>(p: &Scattered<S::Elem>, starts: &[u16]) {
    for (group, lines) in p.lines.chunks(GROUP).enumerate() {
        let mut from = [p.from; GROUP];
        for (from, &line) in from.iter_mut().zip(lines) {
            *from = from.wrapping_offset(line);
        }
        let mut before = isize::MIN;
        for (from, &line) in from.iter().zip(lines) {
            p.fetch(before, line, *from);
            before = line;
        }
        let to = p.to.wrapping_add(group * GROUP * p.pitch);
        for piece in starts.windows(2) {
            let (at, n) = (usize::from(piece[0]), usize::from(piece[1] - piece[0]));
            let offset = p.places.get(at).copied().unwrap_or(0);
            // SAFETY: the elements are readable. A store may run past its piece, into the next one, which is written later, but not
            // past its line.
            unsafe {
                if n == S::LANES {
                    for (l, from) in from[..lines.len()].iter().enumerate() {
                        S::store(to.add(l * p.pitch + at), S::load(from.wrapping_offset(offset)));
                    }
                    continue;
                }
                let (mask, left) = (S::mask(n), p.pitch - at);
                let whole = left >= S::LANES;
                for (l, from) in from[..lines.len()].iter().enumerate() {
                    let (to, x) = (to.add(l * p.pitch + at), S::load_masked(from.wrapping_offset(offset), mask));
                    if whole { S::store(to, x) } else { S::store_masked(to, x, S::mask(left)) }
                }
            }
        }
    }
}

/// Elements of neighbouring lines are neighbours: squares of them are turned in registers, where the places are evenly apart.
///
/// # Safety
/// As for [`gather`]; there are places for a square.
#[inline(always)]
unsafe fn across_lines<S: Simd>(p: &Scattered<S::Elem>) {
    let places = p.places.len();
    // SAFETY: all squares and elements lie within the block.
    unsafe {
        clear::<S>(p);
        let mut start = 0;
        while let Some(&first) = p.lines.get(start) {
            let follow = |n: &usize| p.lines.get(start + n) == Some(&(first + *n as isize));
            let run = 1 + (1..p.lines.len()).take_while(follow).count();
            for column in (0..places).step_by(S::SIDE) {
                // The last ones overlap those before.
                let c = column.min(places - S::SIDE);
                let square = &p.places[c..c + S::SIDE];
                let apart = square[1].wrapping_sub(square[0]);
                let even = square.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == apart);
                if !even || run < S::SIDE {
                    elements(p, start..start + run, c..c + S::SIDE);
                    continue;
                }
                for row in (0..run).step_by(S::SIDE) {
                    let l = start + row.min(run - S::SIDE);
                    let from = p.from.wrapping_offset(p.lines[l]).wrapping_offset(square[0]);
                    S::transpose(from, apart, p.to.add(l * p.pitch + c), p.pitch);
                }
            }
            start += run;
        }
    }
}

/// One by one.
///
/// # Safety
/// As for [`gather`]; the ranges lie within the block.
#[inline(always)]
unsafe fn elements<T: Copy>(p: &Scattered<T>, lines: std::ops::Range<usize>, places: std::ops::Range<usize>) {
    for l in lines {
        let (from, to) = (p.from.wrapping_offset(p.lines[l]), p.to.wrapping_add(l * p.pitch));
        for (at, &offset) in places.clone().zip(&p.places[places.clone()]) {
            // SAFETY: the element lies within the block.
            unsafe { *to.add(at) = *from.wrapping_offset(offset) };
        }
    }
}

/// Zero behind the last place of every line.
///
/// # Safety
/// As for [`gather`].
#[inline(always)]
unsafe fn clear<S: Simd>(p: &Scattered<S::Elem>) {
    let places = p.places.len();
    if places == p.pitch {
        return;
    }
    for l in 0..p.lines.len() {
        // SAFETY: fewer than a register, within the line.
        unsafe { S::store_masked(p.to.add(l * p.pitch + places), S::zero(), S::mask(p.pitch - places)) };
    }
}
