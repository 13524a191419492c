//! Reads of a matrix across its rows: what lies side by side in memory is needed in lines that are far apart.
//!
//! Element after element, each would bring a line of the cache of which the others are gone when they are needed. So as many rows as a few
//! lines of the cache have elements are turned together, into a panel that the thread keeps, and read from there.

use crate::kernels::axes::place;
use crate::kernels::memory::{CACHE_LINE, copy, prefetch_near};
use crate::program::loops::Dims;

/// Columns that are turned together.
const PART: usize = 512;
/// Fewer columns stay in the cache from row to row.
const COLS: usize = 128;
/// Fewer rows have little in common.
const ROWS: usize = 4;
/// A panel that stays in the second-level cache: it may have several lines of each column, which lie together in memory.
const NEAR: usize = 320 << 10;
/// No panel is larger.
const MOST: usize = 4 << 20;
/// Columns ahead that are fetched from memory.
const AHEAD: usize = 24;

/// A matrix whose columns lie side by side in memory, and its rows in lines: of its elements, those of a column are adjacent.
#[derive(Debug)]
pub(super) struct Turn {
    size: usize,
    /// Axes in front of the rows.
    outer: Dims,
    rows: usize,
    cols: usize,
    /// From column to column.
    stride: isize,
    /// Rows that are turned together.
    height: usize,
    /// From row to row of the panel, which are not a power of two apart: these would share a few places of the cache.
    pitch: usize,
    /// Whether the processor has AVX2.
    wide: bool,
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; CACHE_LINE]);

/// Rows that are turned, one behind the other.
#[derive(Default)]
pub(super) struct Panel {
    memory: Vec<Line>,
    /// For each part of the columns: which rows it has, counted from 1.
    marks: Vec<usize>,
}

impl Panel {
    /// What it holds may have changed.
    pub(super) fn forget(&mut self) {
        self.marks.clear();
    }
}

impl Turn {
    /// The turning of a walk along these axes over elements of `size` bytes, if it pays.
    pub(super) fn new(dims: &[(usize, isize)], size: usize, wide: bool) -> Option<Turn> {
        let &[ref outer @ .., (rows, 1), (cols, stride)] = dims else { return None };
        let line = CACHE_LINE / size;
        let lines = (cols * size).div_ceil(CACHE_LINE) | 1;
        let bytes = |height: usize| height * lines * CACHE_LINE;
        let height = [4 * line, 2 * line].into_iter().find(|&height| bytes(height) <= NEAR).unwrap_or(line);
        let pays = rows >= ROWS && cols >= COLS && stride.unsigned_abs() >= line && bytes(height) <= MOST;
        let outer = outer.iter().copied().collect();
        pays.then_some(Turn { size, outer, rows, cols, stride, height, pitch: lines * CACHE_LINE / size, wide })
    }

    /// As [`Walk::copy`](super::gather::Walk::copy), through the panel.
    ///
    /// # Safety
    /// As for [`Walk::copy`](super::gather::Walk::copy); the panel is of this turning and this memory alone, or forgotten.
    pub(super) unsafe fn copy(&self, panel: &mut Panel, dst: *mut u8, base: *const u8, start: usize, n: usize) {
        let parts = self.cols.div_ceil(PART);
        if panel.marks.len() != parts {
            let lines = self.height * self.pitch * self.size / CACHE_LINE;
            if panel.memory.len() < lines {
                panel.memory.resize(lines, Line([0; CACHE_LINE]));
            }
            panel.marks.resize(parts, 0);
        }
        // SAFETY: promised by the caller, for each width.
        unsafe {
            match self.size {
                1 => self.elements::<u8>(panel, dst, base, start, n),
                2 => self.elements::<u16>(panel, dst, base, start, n),
                4 => self.elements::<u32>(panel, dst, base, start, n),
                _ => self.elements::<u64>(panel, dst, base, start, n),
            }
        }
    }

    /// # Safety
    /// As for [`Turn::copy`]; the panel has room for the rows, and a mark for each part.
    unsafe fn elements<T: Copy>(&self, panel: &mut Panel, dst: *mut u8, base: *const u8, start: usize, n: usize) {
        let (mut dst, base) = (dst.cast::<T>(), base.cast::<T>());
        let to: *mut T = panel.memory.as_mut_ptr().cast();
        let (mut row, mut col, mut left) = (start / self.cols, start % self.cols, n);
        while left > 0 {
            let run = left.min(self.cols - col);
            let (matrix, line) = (row / self.rows, row % self.rows);
            let (group, within) = (line / self.height, line % self.height);
            let key = 1 + matrix * self.rows.div_ceil(self.height) + group;
            let height = self.height.min(self.rows - group * self.height);
            for part in col / PART..(col + run).div_ceil(PART) {
                if std::mem::replace(&mut panel.marks[part], key) != key {
                    let first = part * PART;
                    let from = base.wrapping_offset(place(&self.outer, matrix) + (group * self.height) as isize);
                    // SAFETY: the elements lie within the walk, and their places within the panel.
                    unsafe { self.turn(from, to, first..self.cols.min(first + PART), height) }
                }
            }
            // SAFETY: the columns are there, and dst has room for what is left.
            unsafe {
                copy(to.add(within * self.pitch + col).cast(), dst.cast(), run * size_of::<T>());
                dst = dst.add(run);
            }
            (row, col, left) = (row + 1, 0, left - run);
        }
    }

    /// Turns some columns of `height` adjacent elements each.
    ///
    /// # Safety
    /// The elements are readable, and the panel writable for rows of these columns.
    unsafe fn turn<T: Copy>(&self, from: *const T, to: *mut T, cols: std::ops::Range<usize>, height: usize) {
        /// Columns side by side.
        const SIDE: usize = 8;
        let column = |col: usize| from.wrapping_offset(col as isize * self.stride);
        let mut col = cols.start;
        // SAFETY: promised by the caller.
        unsafe {
            while col + SIDE <= cols.end {
                for line in (0..height * size_of::<T>()).step_by(CACHE_LINE) {
                    let ahead = |c| column(col + c + AHEAD).cast::<u8>().wrapping_add(line);
                    (0..SIDE).for_each(|c| prefetch_near(ahead(c)));
                }
                let columns: [*const T; SIDE] = std::array::from_fn(|c| column(col + c));
                let mut first = 0;
                #[cfg(target_arch = "x86_64")]
                while self.wide && size_of::<T>() == 4 && first + SIDE <= height {
                    let to = to.add(first * self.pitch + col);
                    square(columns.map(|column| column.add(first).cast()), to.cast(), self.pitch);
                    first += SIDE;
                }
                for row in first..height {
                    let to = to.add(row * self.pitch + col);
                    for (c, column) in columns.iter().enumerate() {
                        to.add(c).write(column.add(row).read_unaligned());
                    }
                }
                col += SIDE;
            }
            for col in col..cols.end {
                (0..height).for_each(|row| to.add(row * self.pitch + col).write(column(col).add(row).read_unaligned()));
            }
        }
    }
}

/// Turns a square of words: eight columns of eight, into rows that lie `pitch` words apart.
///
/// # Safety
/// The processor has AVX2, the columns are readable, and the rows writable.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn square(columns: [*const f32; 8], to: *mut f32, pitch: usize) {
    use std::arch::x86_64::*;
    // SAFETY: promised by the caller.
    let x = columns.map(|column| unsafe { _mm256_loadu_ps(column) });
    // Pairs of columns, then fours, in each half; then the halves.
    let pairs = [0, 2, 4, 6].map(|i| [_mm256_unpacklo_ps(x[i], x[i + 1]), _mm256_unpackhi_ps(x[i], x[i + 1])]);
    let fours = [[0, 1], [2, 3]].map(|[a, b]| {
        let part = |i: usize| {
            [_mm256_shuffle_ps::<0x44>(pairs[a][i], pairs[b][i]), _mm256_shuffle_ps::<0xEE>(pairs[a][i], pairs[b][i])]
        };
        let [[r0, r1], [r2, r3]] = [part(0), part(1)];
        [r0, r1, r2, r3]
    });
    let [first, second] = fours;
    for (row, (a, b)) in first.into_iter().zip(second).enumerate() {
        let low = _mm256_permute2f128_ps::<0x20>(a, b);
        let high = _mm256_permute2f128_ps::<0x31>(a, b);
        // SAFETY: promised by the caller.
        unsafe {
            _mm256_storeu_ps(to.add(row * pitch), low);
            _mm256_storeu_ps(to.add((row + 4) * pitch), high);
        }
    }
}
