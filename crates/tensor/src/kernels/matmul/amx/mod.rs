//! Products of f32 on the matrix unit of the processor (AMX), which multiplies and adds tiles of bf16.
//!
//! An f32 is the sum of three bf16, to the last bit: x = x₀ + x₁ + x₂, each the nearest to what is left. Six of the nine products of
//! parts are summed; the other three are below 2⁻²³·|x·y| together. The unit runs about sixteen times as many multiply-adds as the vectors
//! do, so with six of them in the place of one its peak is nearly three times theirs; splitting the operands, and their way from memory, leave
//! 1.1 to 1.8 times their rate on large products (`benches/README.md`). Fewer terms are summed one after another, so it is no less exact.
//! (Henry, Tang and Heinecke 2019: Leveraging the bfloat16 artificial intelligence datatype for higher-precision computations.)
//!
//! **The order of summation**, which depends on k alone: for 32 k after another, and for the parts (of A and of B) 0·2, 0·1, 1·1, 1·0, 2·0
//! and 0·0 after another, the first 16 k are summed from zero and the other 16, and their sum is added to that of a block of 512 k; C is the
//! first block, and each later one is added to it. A product that the planner has
//! [turned](super::MatMul::turned) takes the parts the other way round, so that it has the bits of the one that was asked for.
//!
//! The unit takes what is below 2⁻¹²⁶ for zero, and the parts of what is infinite are not. So a row of A, or a column of B, whose largest
//! element is not within 2⁻⁹⁰ … 2⁶², and an element of C whose row and column are small together, are left to the vectors.
//!
//! * `tile`: the instructions of the unit
//! * `split`: copies of panels, in parts
//! * `windows`: windows that overlap, read without a copy

mod split;
mod tile;
mod windows;

use super::block::{Job, Operands, Part};
use super::cut::{how_to_copy_a, whether_to_copy_b};
use super::gather::{Scattered, neighbours};
use super::kernels::{Compute, Kernels};
use super::normal::Normal;
use super::pack::Block;
use super::scratch::{Room, with_room};
use super::{Kept, MatMul, Side, Which};
use crate::kernels::level::Level;
use crate::kernels::threads;
use split::{Panel, adjacent_depth, adjacent_sides};
use std::mem::MaybeUninit;
use tile::{Panels, Place, Unit, multiply};
use windows::Windows;

/// Rows of A, or columns of B, in a panel: two tiles.
const SIDE: usize = 32;
/// Elements along k in a chunk: those of a tile.
const STEP: usize = 32;
/// Bytes of a tile.
const TILE: usize = 1024;
/// Bytes of one part of a chunk of a panel.
const PART: usize = 2 * TILE;
/// Bytes of a chunk of a panel: three parts.
const CHUNK: usize = 3 * PART;
/// So many k are summed from zero, and then added to C: no sum has more terms than it must. They are copied before they are multiplied.
const DEPTH: usize = 512;
/// The longest run of k of a panel without adjacent elements that is brought together at a time. A multiple of [`STEP`], so it changes no sum.
const RUN: usize = 128;
/// Bytes of the copy of the rows of a unit of work, for a run of [`DEPTH`]: they stay in the L2 cache.
const ROWS_BYTES: usize = 1 << 20;
/// Operands of which several units need the same part are copied once for all if the copy has at most so many bytes.
const SHARED_BYTES: usize = 8 << 20;
/// What one thread has copied is far from another one: that pays if each thread has so many units that read it.
const SHARED_UNITS: usize = 4;
/// Multiply-adds that a unit of work has at least.
const UNIT: usize = 1 << 20;

/// Magnitudes as bits: the least and the greatest that a row or a column has as its largest, and the least sum of both exponents.
const LEAST: u32 = (127 - 90) << 23;
const MOST: u32 = (127 + 62) << 23;
const TOGETHER: u32 = 2 * 127 - 90;

/// Whether a product is computed here: of f32, and large enough on both sides that its copies pay. It depends on the shape alone.
pub(super) fn takes(p: &MatMul) -> bool {
    let (m, n, k) = (p.m, p.n, p.k);
    if m < 16 || n < 16 || k < 16 {
        return false;
    }
    // In hundredths of a nanosecond, roughly, as found on one machine: multiply-adds, elements to be copied, and those of C.
    let (tall, wide, deep) = (m.next_multiple_of(16), n.next_multiple_of(16), k.next_multiple_of(STEP));
    let (copied, stored) = (m.saturating_add(n), tall.saturating_mul(wide));
    let here = (stored / 2).saturating_add(copied.saturating_mul(24)).saturating_mul(deep);
    let here = here.saturating_add(stored.saturating_mul(8));
    let there = m.saturating_mul(n).saturating_add(copied.saturating_mul(10)).saturating_mul(k);
    here < there && p.flops() > 1 << 20
}

/// Whether the second operand of a product that is not turned is read without a copy of its windows.
#[cfg(test)]
pub(super) fn reads_windows(p: &MatMul) -> bool {
    Windows::new(&Normal::new(p)).is_some()
}

/// One operand, as rows or columns of panels.
#[derive(Clone, Copy)]
struct Source<'a> {
    at: *const f32,
    /// From one row of A, or column of B, to the next.
    side: isize,
    /// From one k to the next.
    along: isize,
    /// Where they lie, if no strides tell.
    sides: Option<[&'a Side; 2]>,
    /// Whether it is B.
    columns: bool,
    len: usize,
}

/// The copy of an operand that all units read.
struct Shared {
    chunks: *mut u8,
    largest: *mut u32,
    panels: usize,
    depth: usize,
}

impl Shared {
    fn panel(&self, index: usize, panel: usize, chunk: usize) -> *mut u8 {
        self.chunks.wrapping_add(((index * self.panels + panel) * self.depth + chunk) * CHUNK)
    }

    fn largest(&self, index: usize, panel: usize) -> *mut u32 {
        self.largest.wrapping_add((index * self.panels + panel) * SIDE)
    }
}

/// Pointers that units share.
struct Pointers<'a> {
    a: Source<'a>,
    b: Source<'a>,
    c: *mut f32,
    shared: [Option<Shared>; 2],
}
// SAFETY: A and B are only read; each part of C and each panel of a copy is written by one unit.
unsafe impl Sync for Pointers<'_> {}

/// How C is cut into units.
#[derive(Clone, Copy)]
struct Grid {
    rows: usize,
    cols: usize,
    tall: usize,
    wide: usize,
}

impl Grid {
    fn new(p: &Normal, threads: usize) -> Grid {
        let deep = p.k.next_multiple_of(STEP).min(DEPTH);
        let most = (ROWS_BYTES / (deep * CHUNK / (SIDE * STEP))).max(SIDE);
        let (mut tall, mut wide) = (p.m.div_ceil(most), 1);
        // As many for every thread, each with as little of both operands as can be.
        let units = |tall: usize, wide: usize| p.count() * tall * wide;
        let uneven = |units: usize| units < SHARED_UNITS * threads && !units.is_multiple_of(threads);
        while uneven(units(tall, wide)) && p.work() / (tall * wide) > 2 * UNIT {
            *(if p.n / wide >= p.m / tall { &mut wide } else { &mut tall }) += 1;
        }
        let [rows, cols] = [p.m.div_ceil(tall), p.n.div_ceil(wide)].map(|extent| extent.next_multiple_of(SIDE));
        Grid { rows, cols, tall: p.m.div_ceil(rows), wide: p.n.div_ceil(cols) }
    }

    fn part(&self, p: &Normal, i: usize) -> Part {
        let (row, col) = (i % self.tall * self.rows, i / self.tall * self.cols);
        Part { row, col, rows: self.rows.min(p.m - row), cols: self.cols.min(p.n - col) }
    }
}

/// Bytes of a copy of an operand of one product, with so many rows or columns.
pub(super) fn copy_bytes(side: usize, k: usize) -> usize {
    let panels = side.div_ceil(SIDE);
    panels * (k.div_ceil(STEP) * CHUNK + SIDE * size_of::<u32>())
}

/// Computes all products. `kept` is room for a copy of an operand, which is no batch, and whether it is there already.
///
/// # Safety
/// As for [`MatMul::run`]; the level is [`Level::Amx`], and `p` is not swapped. The room has [`copy_bytes`] and is nobody else's.
pub(super) unsafe fn run(p: &Normal, turned: bool, kept: Option<Kept>, [a, b]: [*const f32; 2], c: *mut f32) {
    let threads = threads::threads();
    let grid = Grid::new(p, threads);
    let depth = p.k.div_ceil(STEP);
    let a = Source { at: a, side: p.a[0], along: p.a[1], sides: p.a_sides, columns: false, len: p.m };
    let b = Source {
        at: b,
        side: p.b[1],
        along: p.b[0],
        sides: p.b_sides.map(|[rows, columns]| [columns, rows]),
        columns: true,
        len: p.n,
    };
    let distinct = |stride: fn(&(usize, isize, isize)) -> isize| p.batch.iter().any(|axis| stride(axis) != 0);
    let (a_count, b_count) =
        (if distinct(|axis| axis.1) { p.count() } else { 1 }, if distinct(|axis| axis.2) { p.count() } else { 1 });
    let room = |len: usize, count: usize, users: usize| {
        let panels = len.div_ceil(SIDE);
        let chunks = count.saturating_mul(panels).saturating_mul(depth).saturating_mul(CHUNK);
        let largest = count.saturating_mul(panels) * SIDE * size_of::<u32>();
        let worth = users > 1 && (threads == 1 || users >= SHARED_UNITS * threads);
        (worth && chunks <= SHARED_BYTES).then_some((panels, chunks, largest))
    };
    let keeps = |operand: Which| kept.is_some_and(|kept| kept.of == operand);
    let windows = Windows::new(p).filter(|windows| !keeps(Which::B) && !turned && windows.shares(p, a_count));
    let a_users = if windows.is_some() { usize::MAX } else { grid.wide * p.count() / a_count };
    let b_users = if windows.is_some() { 0 } else { grid.tall * p.count() / b_count };
    let a_room = if keeps(Which::A) { None } else { room(p.m, a_count, a_users) };
    let b_room = if keeps(Which::B) { None } else { room(p.n, b_count, b_users) };
    let bytes = [a_room, b_room].iter().flatten().map(|room| room.1 + room.2).sum();
    let start = |at: &mut *mut u8, room: Option<(usize, usize, usize)>| {
        let (panels, chunks, largest) = room?;
        let shared = Shared { chunks: *at, largest: at.wrapping_add(chunks).cast(), panels, depth };
        *at = at.wrapping_add(chunks + largest);
        Some(shared)
    };
    with_room(Room::Shared, bytes, |mut at| {
        let mut shared = [start(&mut at, a_room), start(&mut at, b_room)];
        let mut counts = [a_count, b_count];
        if let Some(Kept { of, at: chunks, known }) = kept {
            let panels = [p.m, p.n][of as usize].div_ceil(SIDE);
            let largest = chunks.wrapping_add(panels * depth * CHUNK).cast();
            shared[of as usize] = Some(Shared { chunks, largest, panels, depth });
            counts[of as usize] *= usize::from(!known);
        }
        let all = Pointers { a, b, c, shared };
        // SAFETY: promised by the caller; the room holds the copies.
        unsafe {
            copy(p, &all, counts);
            match windows {
                Some(windows) => windows.compute(p, &all),
                None => compute(p, turned, &grid, &all, [a_count, b_count]),
            }
        }
    });
}

/// Copies what units share, panel by panel.
///
/// # Safety
/// As for [`run`]; the copies are writable.
unsafe fn copy(p: &Normal, all: &Pointers<'_>, [a_count, b_count]: [usize; 2]) {
    let [a, b] = all.shared.each_ref().map(|shared| shared.as_ref().map_or(0, |shared| shared.panels));
    let work = (a * a_count + b * b_count) * SIDE * p.k;
    let one = |unit: usize| {
        let all = &all;
        let (index, panel, source, shared) = match unit.checked_sub(a * a_count) {
            None => (unit / a, unit % a, all.a, &all.shared[0]),
            Some(unit) => (unit / b, unit % b, all.b, &all.shared[1]),
        };
        let Some(shared) = shared else { return };
        let start = p.start(index);
        let source = Source { at: source.at.wrapping_offset(if source.columns { start.1 } else { start.0 }), ..source };
        let largest = shared.largest(index, panel);
        let width = SIDE.min(source.len - panel * SIDE);
        // SAFETY: the panel lies within the operand, and its copy within the room.
        unsafe {
            largest.write_bytes(0, SIDE);
            for from in (0..p.k).step_by(DEPTH) {
                let to = shared.panel(index, panel, from / STEP);
                split(&source, [panel * SIDE, width], [from, DEPTH.min(p.k - from)], to, largest);
            }
        }
    };
    let units = a * a_count + b * b_count;
    match work < UNIT / 8 {
        true => (0..units).for_each(one),
        false => threads::parallel(units, &one),
    }
}

/// Copies a panel in parts, for a run of k.
///
/// # Safety
/// The panel lies within the operand; `to` is writable for its chunks, and `largest` for a panel.
unsafe fn split(s: &Source<'_>, [first, width]: [usize; 2], [k, depth]: [usize; 2], to: *mut u8, largest: *mut u32) {
    // SAFETY: promised by the caller.
    unsafe {
        if s.sides.is_none() && (s.side == 1 || s.along == 1) {
            let from = s.at.wrapping_offset(first as isize * s.side).wrapping_offset(k as isize * s.along);
            let stride = if s.side == 1 { s.along } else { s.side };
            let panel = Panel { from, stride, width, depth, to, largest };
            return match (s.side == 1, s.columns) {
                (true, true) => adjacent_sides::<false>(&panel),
                (true, false) => adjacent_sides::<true>(&panel),
                (false, true) => adjacent_depth::<true>(&panel),
                (false, false) => adjacent_depth::<false>(&panel),
            };
        }
        for start in (0..depth).step_by(RUN) {
            let to = to.wrapping_add(start / STEP * CHUNK);
            split_apart(s, [first, width], [k + start, RUN.min(depth - start)], to, largest);
        }
    }
}

/// As [`split`], where no elements are adjacent: they are brought together first.
///
/// # Safety
/// As for [`split`].
unsafe fn split_apart(
    s: &Source<'_>,
    [first, width]: [usize; 2],
    [k, depth]: [usize; 2],
    to: *mut u8,
    largest: *mut u32,
) {
    // SAFETY: promised by the caller.
    unsafe {
        let mut together = MaybeUninit::<Together>::uninit();
        let to_together: *mut f32 = together.as_mut_ptr().cast();
        let kernels = f32::kernels(Level::Amx);
        let pitch = match s.sides {
            None => {
                let from = s.at.wrapping_offset(first as isize * s.side).wrapping_offset(k as isize * s.along);
                (kernels.pack_b)(&Block { from, side: s.side, along: s.along, width, depth, to: to_together, next: 0 });
                width.next_multiple_of(kernels.lanes)
            }
            Some([sides, along]) => {
                let (mut lines, mut places) = ([0; RUN], [0; SIDE]);
                let (lines, places) = (&mut lines[..depth], &mut places[..width]);
                along.offsets(k, lines);
                sides.offsets(first, places);
                if neighbours(lines) * width > neighbours(places) * depth {
                    let pitch = depth.next_multiple_of(kernels.lanes);
                    let to_lines =
                        Scattered { from: s.at, lines: places, places: lines, to: to_together, pitch, ahead: &[] };
                    (kernels.gather)(&to_lines);
                    let panel = Panel { from: to_together, stride: pitch as isize, width, depth, to, largest };
                    return match s.columns {
                        true => adjacent_depth::<true>(&panel),
                        false => adjacent_depth::<false>(&panel),
                    };
                }
                let pitch = width.next_multiple_of(kernels.lanes);
                (kernels.gather)(&Scattered { from: s.at, lines, places, to: to_together, pitch, ahead: &[] });
                pitch
            }
        };
        let panel = Panel { from: to_together, stride: pitch as isize, width, depth, to, largest };
        match s.columns {
            true => adjacent_sides::<false>(&panel),
            false => adjacent_sides::<true>(&panel),
        }
    }
}

#[repr(C, align(64))]
struct Together([f32; RUN * SIDE]);

/// Computes all parts of all products.
///
/// # Safety
/// As for [`run`]; what units share is copied.
unsafe fn compute(p: &Normal, turned: bool, grid: &Grid, all: &Pointers<'_>, [a_count, b_count]: [usize; 2]) {
    let parts = grid.tall * grid.wide;
    let deep = DEPTH.min(p.k.next_multiple_of(STEP)) / STEP;
    let one = |unit: usize| {
        let all = &all;
        let (index, part) = (unit / parts, grid.part(p, unit % parts));
        let (a, b) = p.start(index);
        let a = Source { at: all.a.at.wrapping_offset(a), ..all.a };
        let b = Source { at: all.b.at.wrapping_offset(b), ..all.b };
        let c = all.c.wrapping_add(index * p.m * p.n);
        let panels = [part.rows.div_ceil(SIDE), part.cols.div_ceil(SIDE)];
        let chunks = [
            if all.shared[0].is_none() { panels[0] * deep } else { 0 },
            if all.shared[1].is_none() { deep } else { 0 },
        ];
        let largest = (panels[0] + panels[1]) * SIDE * size_of::<u32>();
        with_room(Room::Unit, (chunks[0] + chunks[1]) * CHUNK + largest, |room| {
            let own = [room, room.wrapping_add(chunks[0] * CHUNK)];
            let own_largest: *mut u32 = own[1].wrapping_add(chunks[1] * CHUNK).cast();
            let own_largest = [own_largest, own_largest.wrapping_add(panels[0] * SIDE)];
            // Where an operand is copied once for the whole batch, it is the first.
            let shared_index = [if a_count == 1 { 0 } else { index }, if b_count == 1 { 0 } else { index }];
            let largest = [0, 1].map(|o| match &all.shared[o] {
                Some(shared) => shared.largest(shared_index[o], [part.row, part.col][o] / SIDE).cast_const(),
                None => own_largest[o].cast_const(),
            });
            // SAFETY: the part lies within product `index`, the room holds its copies, and the unit is configured.
            unsafe {
                own_largest[0].write_bytes(0, (panels[0] + panels[1]) * SIDE);
                let unit = Unit::begin();
                for k in (0..p.k).step_by(DEPTH) {
                    let depth = DEPTH.min(p.k - k);
                    let a_panel = |panel: usize| match &all.shared[0] {
                        Some(shared) => shared.panel(shared_index[0], part.row / SIDE + panel, k / STEP),
                        None => own[0].wrapping_add(panel * deep * CHUNK),
                    };
                    if all.shared[0].is_none() {
                        for panel in 0..panels[0] {
                            let side = [part.row + panel * SIDE, SIDE.min(part.rows - panel * SIDE)];
                            split(&a, side, [k, depth], a_panel(panel), own_largest[0].add(panel * SIDE));
                        }
                    }
                    for panel in 0..panels[1] {
                        let col = part.col + panel * SIDE;
                        let cols = SIDE.min(part.cols - panel * SIDE);
                        let b_panel = match &all.shared[1] {
                            Some(shared) => shared.panel(shared_index[1], col / SIDE, k / STEP),
                            None => {
                                split(&b, [col, cols], [k, depth], own[1], own_largest[1].add(panel * SIDE));
                                own[1]
                            }
                        };
                        for rows in 0..panels[0] {
                            let row = part.row + rows * SIDE;
                            let panels = Panels {
                                a: a_panel(rows),
                                b: b_panel,
                                chunks: depth.div_ceil(STEP),
                                turned,
                                first: k == 0,
                            };
                            let height = SIDE.min(part.rows - rows * SIDE);
                            let place = Place { c: c.add(row * p.n + col), stride: p.n, rows: height, cols };
                            multiply(&unit, &panels, &place);
                        }
                    }
                }
                drop(unit);
                let rows = std::slice::from_raw_parts(largest[0], part.rows);
                let cols = std::slice::from_raw_parts(largest[1], part.cols);
                if !is_plain(rows, cols) {
                    mend(p, part, [rows, cols], a.at, b.at, c);
                }
            }
        });
    };
    let units = p.count() * parts;
    let work = p.work() / parts;
    // Small units go out by the handful.
    let handful = (UNIT / work.max(1)).clamp(1, units.div_ceil(SHARED_UNITS * threads::threads()));
    threads::parallel(units.div_ceil(handful), &|i| (i * handful..units.min((i + 1) * handful)).for_each(one));
}

/// Whether a row or column with this largest magnitude is for the matrix unit.
fn is_ordinary(largest: u32) -> bool {
    largest == 0 || (LEAST..=MOST).contains(&largest)
}

/// Whether an element of such a row and column is.
fn are_ordinary(row: u32, col: u32) -> bool {
    is_ordinary(row) && is_ordinary(col) && (row == 0 || col == 0 || (row >> 23) + (col >> 23) >= TOGETHER)
}

/// Whether all elements of a part are.
fn is_plain(rows: &[u32], cols: &[u32]) -> bool {
    let least = |list: &[u32]| list.iter().copied().filter(|&x| x != 0).min().unwrap_or(0);
    rows.iter().chain(cols).all(|&x| is_ordinary(x)) && are_ordinary(least(rows), least(cols))
}

/// Computes the elements of a part that are not for the matrix unit by the vectors.
///
/// # Safety
/// As for [`run`]; `a`, `b` and `c` are those of one product.
#[cold]
unsafe fn mend(p: &Normal, part: Part, [rows, cols]: [&[u32]; 2], a: *const f32, b: *const f32, c: *mut f32) {
    let kernels: &'static Kernels<f32> = f32::kernels(Level::Amx);
    let job =
        Job::new(p, kernels, how_to_copy_a::<f32>(p, part.rows, part.cols), whether_to_copy_b::<f32>(p, kernels.rows));
    // SAFETY: promised by the caller.
    unsafe {
        let row = |r: usize| c.add((part.row + r) * p.n + part.col);
        let here: Vec<f32> = (0..part.rows).flat_map(|r| (0..part.cols).map(move |j| *row(r).add(j))).collect();
        job.run(part, &Operands { a, b, c, packed_a: None, packed_b: None });
        for (r, (&largest, line)) in rows.iter().zip(here.chunks(part.cols)).enumerate() {
            for (j, (&other, &x)) in cols.iter().zip(line).enumerate() {
                if are_ordinary(largest, other) {
                    *row(r).add(j) = x;
                }
            }
        }
    }
}
