//! Which blocks of C make a unit of work. Shape and strides alone decide.

use super::block::{CopyA, Job, Part};
use super::kernels::{Compute, Kernels};
use super::normal::Normal;
use crate::kernels::level::Level;
use crate::kernels::threads;

/// Multiply-adds below which a product stays on the calling thread.
const ALONE: usize = 150_000;
/// Multiply-adds that a unit of work should have.
const UNIT: usize = 1 << 19;
/// Units that a product should have, if they are not too small then.
const UNITS: usize = 16;
/// Rows of a unit: they and a block of k stay in the L2 cache.
const ROWS: usize = 256;
/// Columns of a unit.
const COLS: usize = 512;

/// A grid of parts of equal size, but for the last of each row and column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    m: usize,
    n: usize,
    rows: usize,
    cols: usize,
}

impl Grid {
    /// The cut of `count` products of `m` by `n` elements, for register tiles of `tall` by `wide`.
    pub(super) fn new(m: usize, n: usize, k: usize, count: usize, tall: usize, wide: usize) -> Grid {
        let even = |extent: usize, most: usize, step: usize| {
            let parts = extent.div_ceil(most);
            extent.div_ceil(parts).next_multiple_of(step)
        };
        let (mut rows, mut cols) = (even(m, ROWS, tall), even(n, COLS, wide));
        let units = |rows: usize, cols: usize| count * m.div_ceil(rows) * n.div_ceil(cols);
        let work = |rows: usize, cols: usize| rows.min(m) * cols.min(n) * k;
        while units(rows, cols) < UNITS && cols > 2 * wide && work(rows, cols) > 2 * UNIT {
            cols = (cols / 2).next_multiple_of(wide);
        }
        while units(rows, cols) < UNITS && rows > 8 * tall && work(rows, cols) > 2 * UNIT {
            rows = (rows / 2).next_multiple_of(tall);
        }
        Grid { m, n, rows, cols }
    }

    /// The number of parts.
    pub(super) fn parts(&self) -> usize {
        self.m.div_ceil(self.rows) * self.n.div_ceil(self.cols)
    }

    /// Part `i`, down the columns first.
    pub(super) fn part(&self, i: usize) -> Part {
        let tall = self.m.div_ceil(self.rows);
        let (row, col) = (i % tall * self.rows, i / tall * self.cols);
        Part { row, col, rows: self.rows.min(self.m - row), cols: self.cols.min(self.n - col) }
    }
}

/// Where the operands lie, to be shared by threads.
struct Operands<T> {
    a: *const T,
    b: *const T,
    c: *mut T,
}
// SAFETY: A and B are only read, and each part of C is written by one unit of work.
unsafe impl<T: Sync> Sync for Operands<T> {}

/// Computes all products.
///
/// # Safety
/// As for [`super::MatMul::run_on`], with elements of type `T`.
pub(super) unsafe fn run<T: Compute>(p: &Normal, level: Level, a: *const T, b: *const T, c: *mut T) {
    let kernels = T::kernels(level);
    let count = p.count();
    let grid = Grid::new(p.m, p.n, p.k, count, kernels.rows, 2 * kernels.lanes);
    let job = Job {
        kernels,
        n: p.n,
        k: p.k,
        a: p.a,
        b: p.b,
        copy_a: how_to_copy_a(p, &grid),
        copy_b: whether_to_copy_b(p, kernels),
    };
    let operands = Operands { a, b, c };
    let parts = grid.parts();
    each(count * parts, p.m * p.n * p.k, parts, &|unit| {
        let operands = &operands;
        let (index, part) = (unit / parts, grid.part(unit % parts));
        let (a, b) = p.start(index);
        // SAFETY: the part lies within product `index`, whose operands lie within what the caller promises.
        unsafe {
            let c = operands.c.add(index * p.m * p.n);
            job.run(part, operands.a.offset(a), operands.b.offset(b), c);
        }
    });
}

/// Calls `f` for all units, on several threads if the work is worth it.
pub(super) fn each(units: usize, product: usize, parts: usize, f: &(dyn Fn(usize) + Sync)) {
    let work = product / parts;
    if units == 1 || work.saturating_mul(units) < ALONE {
        return (0..units).for_each(f);
    }
    // Small units go out by the handful.
    let handful = (UNIT / work.max(1)).clamp(1, units.div_ceil(UNITS).max(1));
    threads::parallel(units.div_ceil(handful), &|i| {
        (i * handful..units.min((i + 1) * handful)).for_each(f);
    });
}

fn how_to_copy_a(p: &Normal, grid: &Grid) -> CopyA {
    let panels = grid.cols.min(p.n);
    match p.a {
        [_, 1] if panels < 128 => CopyA::No,
        [_, 1] => CopyA::Rows,
        [1, _] if panels < 64 => CopyA::No,
        [1, _] => CopyA::Strips,
        _ if panels < 64 => CopyA::No,
        _ => CopyA::Rows,
    }
}

fn whether_to_copy_b<T>(p: &Normal, kernels: &Kernels<T>) -> bool {
    // Panels of a small matrix stay in the cache where they lie.
    p.b[1] != 1 || (p.m > 3 * kernels.rows && p.k.min(256) * p.n * size_of::<T>() > 24 << 10)
}
