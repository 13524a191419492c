//! Which blocks of C make a unit of work, and what is copied for them. Shape, strides and the number of threads decide.

use super::block::{CopyA, Job, Operands, Part};
use super::kernels::{Compute, Kernels};
use super::normal::Normal;
use super::order::{DEPTH, blocks, depth};
use super::scratch::{Room, with_room};
use super::vector::ROWS as FEW;
use crate::kernels::memory::PAGE;
use crate::kernels::threads;
use std::cell::Cell;

/// Multiply-adds below which a product stays on the calling thread.
pub(super) const ALONE: usize = 150_000;
/// Multiply-adds that a unit of work should have: some microseconds.
const UNIT: usize = 1 << 17;
/// Units that a product should have for each thread, if they are not too small then.
const UNITS: usize = 8;
/// As many where each unit has to pick the elements of an operand together.
const SCATTERED_UNITS: usize = 2;
/// Bytes of A that a unit reads for one block of k, again for each panel: they stay in the L2 cache.
const A_BYTES: usize = 256 << 10;
/// An L2 cache of which it is safe to assume that it is there.
const L2_BYTES: usize = 512 << 10;
/// Columns of a unit.
const COLS: usize = 512;
/// A matrix of so many bytes is not in the cache as a whole when few rows meet it again,
const LARGE_BYTES: usize = 256 << 10;
/// and they meet as many panels at a time.
const FEW_COLS: usize = 4;
/// More bytes than this are not copied in advance.
const SHARED_BYTES: usize = 64 << 20;

/// A grid of parts of equal size, but for the last of each row and column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    m: usize,
    n: usize,
    rows: usize,
    cols: usize,
}

impl Grid {
    /// The cut of a product of elements of type `T` for register tiles of `tall` by `wide`.
    pub(super) fn new<T>(p: &Normal, tall: usize, wide: usize) -> Grid {
        let &Normal { m, n, k, .. } = p;
        let even = |extent: usize, most: usize, step: usize| {
            let parts = extent.div_ceil(most);
            extent.div_ceil(parts).next_multiple_of(step)
        };
        let most_rows = (A_BYTES / (depth(k) * size_of::<T>())).clamp(8 * tall, 512);
        let most_cols = if meets_much::<T>(p) { FEW_COLS * wide } else { COLS };
        let (mut rows, mut cols) = (even(m, most_rows, tall), even(n, most_cols, wide));
        let enough = match (threads::threads(), p.a_sides.is_some() || p.b_sides.is_some()) {
            (1, _) => 1,
            (threads, true) => SCATTERED_UNITS * threads,
            (threads, false) => UNITS * threads,
        };
        let units = |rows: usize, cols: usize| p.count() * m.div_ceil(rows) * n.div_ceil(cols);
        // Few rows wait for memory, so they count as more.
        let work = |rows: usize, cols: usize| (rows.min(m).max(8) * cols.min(n)).saturating_mul(k);
        // Loops over few rows want long lines of B.
        let least_cols = if m <= FEW { FEW_COLS * wide } else { wide };
        while units(rows, cols) < enough && cols > least_cols && work(rows, cols) > 2 * UNIT {
            cols = (cols / 2).next_multiple_of(wide);
        }
        while units(rows, cols) < enough && rows > 8 * tall && work(rows, cols) > 2 * UNIT {
            rows = (rows / 2).next_multiple_of(tall);
        }
        Grid { m, n, rows, cols }
    }

    /// The number of parts above each other.
    fn tall(&self) -> usize {
        self.m.div_ceil(self.rows)
    }

    /// The number of parts beside each other.
    fn wide(&self) -> usize {
        self.n.div_ceil(self.cols)
    }

    /// The number of parts.
    pub(super) fn parts(&self) -> usize {
        self.tall() * self.wide()
    }

    /// Part `i`, down the columns first.
    pub(super) fn part(&self, i: usize) -> Part {
        let (row, col) = (i % self.tall() * self.rows, i / self.tall() * self.cols);
        Part { row, col, rows: self.rows.min(self.m - row), cols: self.cols.min(self.n - col) }
    }
}

/// Pointers that threads share.
struct Pointers<T> {
    a: *const T,
    b: *const T,
    c: *mut T,
    packed_a: *mut T,
    packed_b: *mut T,
}
// SAFETY: A and B are only read; each part of C and each block of a copy is written by one unit of work.
unsafe impl<T: Sync> Sync for Pointers<T> {}

/// Computes all products.
///
/// # Safety
/// As for [`super::MatMul::run`], with elements of type `T`; the instruction set of the kernels is available.
pub(super) unsafe fn run<T: Compute>(p: &Normal, kernels: &'static Kernels<T>, a: *const T, b: *const T, c: *mut T) {
    if p.batch.is_empty() && p.work() < ALONE {
        // SAFETY: promised by the caller.
        return unsafe { small(p, kernels, a, b, c) };
    }
    let grid = Grid::new::<T>(p, kernels.rows, 2 * kernels.lanes);
    let copy_a = how_to_copy_a::<T>(p, grid.rows.min(p.m), grid.cols.min(p.n));
    let copy_b = whether_to_copy_b::<T>(p, kernels.rows);
    let job = Job::new(p, kernels, copy_a, copy_b);

    // Copies that several units would make are made once.
    let bytes = |elements: usize| p.count().saturating_mul(elements).saturating_mul(size_of::<T>());
    let (a_all, b_all) = (p.m.saturating_mul(p.k), p.n.next_multiple_of(job.wide()).saturating_mul(p.k));
    let share_a =
        copy_a == CopyA::Strips && job.few(p.m).is_none() && grid.wide() > 1 && bytes(a_all) <= SHARED_BYTES / 2;
    let share_b = copy_b && grid.tall() > 2 && bytes(b_all) <= SHARED_BYTES / 2;
    let a_bytes = if share_a { bytes(a_all).next_multiple_of(64) } else { 0 };
    let b_bytes = if share_b { bytes(b_all) } else { 0 };

    let at = |room: *mut u8| Pointers {
        a,
        b,
        c,
        packed_a: if share_a { room.cast() } else { std::ptr::null_mut() },
        packed_b: if share_b { room.wrapping_add(a_bytes).cast() } else { std::ptr::null_mut() },
    };
    // SAFETY: promised by the caller; the room holds the copies.
    unsafe {
        if a_bytes + b_bytes == 0 {
            return compute(&job, p, &grid, &at(std::ptr::null_mut()));
        }
        with_room(Room::Shared, a_bytes + b_bytes, |room| {
            let at = at(room);
            pack(&job, p, &grid, &at);
            compute(&job, p, &grid, &at);
        });
    }
}

/// Computes one small product here and now.
///
/// # Safety
/// As for [`run`].
unsafe fn small<T: Compute>(p: &Normal, kernels: &'static Kernels<T>, a: *const T, b: *const T, c: *mut T) {
    let part = Part { row: 0, col: 0, rows: p.m, cols: p.n };
    let job = Job::new(p, kernels, how_to_copy_a::<T>(p, p.m, p.n), whether_to_copy_b::<T>(p, kernels.rows));
    let at = Operands { a, b, c, packed_a: None, packed_b: None };
    // SAFETY: promised by the caller; the part is all of the product.
    unsafe { job.run(part, &at) }
}

/// Copies what units share.
///
/// # Safety
/// As for [`run`]; the copies that are not null are writable for all of their operand.
unsafe fn pack<T: Compute>(job: &Job<'_, T>, p: &Normal, grid: &Grid, at: &Pointers<T>) {
    let strips = if at.packed_a.is_null() { 0 } else { grid.tall() };
    let panels = if at.packed_b.is_null() { 0 } else { grid.wide() };
    let depths = blocks(p.k).count();
    threads::parallel(p.count() * depths * (strips + panels), &|unit| {
        let (rest, i) = (unit / (strips + panels), unit % (strips + panels));
        let (index, block) = (rest / depths, rest % depths);
        let Some((start, depth)) = blocks(p.k).nth(block) else { return };
        let (a, b) = p.start(index);
        // SAFETY: the block lies within its operand and its copy within the room, as the caller promises.
        unsafe {
            if i < strips {
                let part = grid.part(i);
                let to = at.packed_a.add(index * p.m * p.k + start * p.m + part.row * depth);
                job.rows(part, start, depth, at.a.offset(a), to);
            } else {
                let part = grid.part((i - strips) * grid.tall());
                let mut table = None;
                let along = job.along(start, depth, &mut table);
                let copy = at.packed_b.add(index * p.n.next_multiple_of(job.wide()) * p.k);
                for col in (part.col..part.col + part.cols).step_by(job.wide()) {
                    let to = copy.add(job.panel(start, depth, col));
                    job.pack_b([start, depth], along, col, at.b.offset(b), to);
                }
            }
        }
    });
}

/// Computes all parts of all products.
///
/// # Safety
/// As for [`run`]; the copies that are not null are complete.
unsafe fn compute<T: Compute>(job: &Job<'_, T>, p: &Normal, grid: &Grid, at: &Pointers<T>) {
    let (parts, units) = (grid.parts(), p.count() * grid.parts());
    let back = job.few(p.m).is_some() && meets_much::<T>(p) && backwards(at.b.addr());
    let threads = threads::threads();
    each(units, p.work() / parts, &|unit| {
        let unit = if back { from_the_end(unit, units, threads) } else { unit };
        let (index, part) = (unit / parts, grid.part(unit % parts));
        let (a, b) = p.start(index);
        let packed = |copy: *mut T, all: usize| (!copy.is_null()).then(|| copy.wrapping_add(index * all).cast_const());
        // SAFETY: the part lies within product `index`, whose operands lie within what the caller promises.
        unsafe {
            let operands = Operands {
                a: at.a.offset(a),
                b: at.b.offset(b),
                c: at.c.add(index * p.m * p.n),
                packed_a: packed(at.packed_a, p.m * p.k),
                packed_b: packed(at.packed_b, p.n.next_multiple_of(job.wide()) * p.k),
            };
            job.run(part, &operands);
        }
    });
}

/// Whether few rows meet a matrix that does not stay in the cache.
fn meets_much<T>(p: &Normal) -> bool {
    p.m <= FEW && p.batch.is_empty() && p.n.saturating_mul(p.k).saturating_mul(size_of::<T>()) >= LARGE_BYTES
}

thread_local! {
    /// Matrices that were read to their end, and not back again yet; the last few.
    static ENDS: [Cell<usize>; 16] = const { [const { Cell::new(0) }; 16] };
}

/// Whether a large matrix is read from its end this time: one that does not fit into the cache has that part there that was read last.
fn backwards(matrix: usize) -> bool {
    ENDS.with(|ends| {
        let end = &ends[(matrix as u64 >> 6).wrapping_mul(0x9e37_79b9_7f4a_7c15) as usize >> 60];
        let read = end.get() == matrix;
        end.set(if read { 0 } else { matrix });
        read
    })
}

/// Unit `unit` of those that `threads` draw, one from the front and the others from the back, where each begins with what it drew last.
pub(super) fn from_the_end(unit: usize, units: usize, threads: usize) -> usize {
    let front = units / threads.max(1);
    match unit < front {
        true => front - 1 - unit,
        false => units - 1 - (unit - front),
    }
}

/// Calls `f` for all units of `work` multiply-adds each, on several threads if that pays.
pub(super) fn each(units: usize, work: usize, f: &(dyn Fn(usize) + Sync)) {
    if units == 1 || work.saturating_mul(units) < ALONE {
        return (0..units).for_each(f);
    }
    // Small units go out by the handful.
    let handful = (UNIT / work.max(1)).clamp(1, units.div_ceil(UNITS * threads::threads()));
    threads::parallel(units.div_ceil(handful), &|i| {
        (i * handful..units.min((i + 1) * handful)).for_each(f);
    });
}

/// How a unit of so many rows and columns gets at A.
pub(super) fn how_to_copy_a<T>(p: &Normal, rows: usize, cols: usize) -> CopyA {
    // A copy pays when several panels read it.
    match p.a {
        _ if p.a_sides.is_some() => CopyA::Rows,
        [stride, 1] if cols < 128 || !collide(rows, stride.unsigned_abs() * size_of::<T>()) => CopyA::No,
        [_, 1] => CopyA::Rows,
        _ if p.n < 64 || p.m * p.k < 4096 => CopyA::No,
        [1, _] => CopyA::Strips,
        _ => CopyA::Rows,
    }
}

/// Whether so many rows, so many bytes apart, drive each other out of the caches: those a power of two apart have places in few of their sets.
fn collide(rows: usize, apart: usize) -> bool {
    let step = apart & apart.wrapping_neg();
    step >= PAGE || rows * step > L2_BYTES
}

pub(super) fn whether_to_copy_b<T>(p: &Normal, tall: usize) -> bool {
    // Panels of a small matrix stay in the cache where they lie.
    p.b_sides.is_some() || p.b[1] != 1 || (p.m > 3 * tall && p.k.min(DEPTH) * p.n * size_of::<T>() > 24 << 10)
}
