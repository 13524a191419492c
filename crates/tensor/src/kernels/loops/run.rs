//! Running a compiled loop.

use crate::dtype::{DType, Scalar, odd_f32};
use crate::kernels::level::Level;
use crate::kernels::loops::Loop;
use crate::kernels::loops::code::{Action, ColReduction, Phase, Place, RowReduction};
use crate::kernels::loops::gather::{fence, stream};
use crate::kernels::loops::turn::Panel;
use crate::kernels::memory::{Memory, PAGE, copy, prefetch};
use crate::kernels::threads;
use crate::program::loops::BLOCK;
use crate::random;
use std::cell::RefCell;

/// Rows of at most this many elements are reduced left to right; longer ones in lanes.
const SHORT_ROW: usize = 32;
/// Rows of a column that are summed one after another; longer columns are summed in blocks of these, so that no sum has
/// more terms than it must.
pub(super) const FOLD_ROWS: usize = 256;
/// A loop is shared between threads when it takes about this long on one.
const PARALLEL_NS: usize = 25_000;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Chunk([u8; 64]);

/// Registers and pointer tables of a worker thread, kept between runs.
#[derive(Default)]
struct Scratch {
    memory: Vec<Chunk>,
    pointers: Vec<*mut u8>,
    bases: Vec<*mut u8>,
    panels: Vec<Panel>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
}

/// Where a worker stands.
#[derive(Clone, Copy)]
pub(super) struct At {
    /// Elements in the tile, or rows for what is done by row.
    pub(super) n: usize,
    pub(super) rows: usize,
    pub(super) row: usize,
    pub(super) col: usize,
    pub(super) unit: usize,
    /// Whether `row` is the first of its unit.
    pub(super) first: bool,
    pub(super) by_row: bool,
}

pub(super) struct Worker<'a> {
    pub(super) code: &'a Loop,
    pub(super) memory: &'a Memory<'a>,
    scalars: &'a [Scalar],
    workspace: *mut u8,
    pub(super) scratch: *mut u8,
    pointers: &'a mut [*mut u8],
    bases: &'a mut [*mut u8],
    panels: &'a mut [Panel],
}

/// A workspace pointer that tasks share; each writes its own part.
#[derive(Clone, Copy)]
struct Shared(*mut u8);
// SAFETY: units write disjoint parts of the workspace.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    fn get(self) -> *mut u8 {
        self.0
    }
}

impl Loop {
    /// Whether it takes long enough to be shared between threads.
    pub fn is_shared(&self) -> bool {
        self.units > 1 && self.cost_ns >= PARALLEL_NS
    }

    /// The most rows of a tile.
    fn tile_rows(&self) -> usize {
        (self.tile / self.cols).clamp(1, self.rows)
    }

    /// Runs the loop.
    ///
    /// # Safety
    /// Every region of the loop lies within `memory`, its stores and workspace in writable buffers, disjoint from each other and from
    /// its loads, unless a store may replace a load and both are one; every slot is within `scalars`.
    pub(crate) unsafe fn run(&self, memory: &Memory<'_>, scalars: &[Scalar]) {
        let workspace = match self.workspace_bytes {
            0 => std::ptr::null_mut(),
            // SAFETY: the caller promises that the workspace is a region of the memory.
            _ => unsafe { memory.ptr(&self.workspace) },
        };
        let workspace = Shared(workspace);
        let tasks = match self.is_shared() {
            false => 1,
            true => match threads::threads() {
                1 => 1,
                threads => self.units.min(threads * 4),
            },
        };
        if tasks <= 1 {
            // SAFETY: passed on.
            unsafe { self.run_units(memory, scalars, workspace.get(), 0, self.units) };
        } else {
            threads::parallel(tasks, &|task| {
                let (from, to) = (task * self.units / tasks, (task + 1) * self.units / tasks);
                // SAFETY: passed on; tasks have disjoint units.
                unsafe { self.run_units(memory, scalars, workspace.get(), from, to) };
            });
        }
        if self.down {
            return;
        }
        for f in &self.finals {
            // SAFETY: the workspace holds `units` partial results of `len` elements, and the region takes the result.
            unsafe {
                let first = workspace.get().add(f.partial);
                for unit in 1..self.units {
                    let next = first.add(unit * f.len * f.size);
                    (f.combine)(first, first, next, first, f.len);
                }
                if let Some(round) = f.round {
                    round(first, first, first, first, f.len);
                }
                let to = memory.ptr(&f.region);
                match f.cast {
                    Some(cast) => cast(to, first, first, first, f.len),
                    None => std::ptr::copy_nonoverlapping(first, to, f.len * f.size),
                }
            }
        }
    }

    unsafe fn run_units(&self, memory: &Memory<'_>, scalars: &[Scalar], workspace: *mut u8, from: usize, to: usize) {
        let on = |scratch: &mut Scratch| {
            let Scratch { memory: chunks, pointers, bases, panels } = scratch;
            // Streams of large buffers begin at equal offsets of a page. Where one loop of machine code goes along all of them and the
            // registers, so must these: the processor compares the low bits of addresses only, and takes a load a little ahead of
            // a store on another page for a load of what was stored.
            let flat = |place: &Place| match place {
                // SAFETY: the caller promises that regions lie within the memory.
                Place::Flat(region, _) => Some(unsafe { memory.ptr(region) }),
                _ => None,
            };
            let stream = self.linked.as_ref().and_then(|_| self.slots.iter().find_map(flat));
            let need = (self.scratch + 2 * PAGE).div_ceil(64);
            if chunks.len() < need {
                chunks.resize(need, Chunk([0; 64]));
            }
            if pointers.len() < self.slots.len() {
                pointers.resize(self.slots.len(), std::ptr::null_mut());
                bases.resize(self.slots.len(), std::ptr::null_mut());
            }
            if panels.len() < usize::from(self.panels) {
                panels.resize_with(usize::from(self.panels), Panel::default);
            }
            panels.iter_mut().for_each(Panel::forget);
            let start: *mut u8 = chunks.as_mut_ptr().cast();
            let offset = stream.map_or(0, |stream| stream.addr().wrapping_sub(start.addr()) % PAGE / 64 * 64);
            let scratch = start.wrapping_add(offset);
            let mut worker = Worker { code: self, memory, scalars, workspace, scratch, pointers, bases, panels };
            // SAFETY: passed on.
            unsafe { worker.run(from, to) };
        };
        let kept = SCRATCH.try_with(|cell| cell.try_borrow_mut().map(|mut scratch| on(&mut scratch)).is_ok());
        if kept != Ok(true) {
            // A thread that is ending, or that is in a loop already.
            on(&mut Scratch::default());
        }
    }
}

impl Worker<'_> {
    unsafe fn run(&mut self, from: usize, to: usize) {
        let code = self.code;
        // SAFETY: every place lies in the scratch, the workspace or the memory, as the compiler of the loop and the caller promise.
        unsafe {
            for ((place, at), pointer) in code.slots.iter().zip(self.bases.iter_mut()).zip(self.pointers.iter_mut()) {
                let base = match place {
                    Place::Register(offset) => self.scratch.add(*offset as usize),
                    Place::RowBuffer(offset, _) => self.scratch.add(*offset),
                    Place::Flat(region, _) | Place::Col(region, _) | Place::Row(region, _) => self.memory.ptr(region),
                    Place::Partial(offset, _) => self.workspace.add(*offset),
                };
                (*at, *pointer) = (base, base);
            }
            let at = At { n: 1, rows: 1, row: 0, col: 0, unit: 0, first: false, by_row: true };
            for action in &code.setup {
                self.act(action, &at);
            }
            for unit in from..to {
                // Those of the first unit are there.
                for (i, place) in code.slots.iter().enumerate().filter(|_| unit > 0) {
                    if let Place::Partial(_, size) = place {
                        self.pointers[i] = self.bases[i].add(unit * size);
                    }
                }
                match (code.block_mode, code.down) {
                    (true, _) => self.block(unit),
                    (_, true) => self.columns(unit),
                    _ => self.rows(unit),
                }
            }
            if code.streams {
                fence();
            }
        }
    }

    /// A block of one long row: a single phase.
    unsafe fn block(&mut self, unit: usize) {
        let code = self.code;
        let end = ((unit + 1) * BLOCK).min(code.cols);
        for phase in &code.phases {
            let mut col = unit * BLOCK;
            while col < end {
                let n = code.tile.min(end - col);
                let at = At { n, rows: 1, row: 0, col, unit, first: true, by_row: false };
                // SAFETY: the tile lies within the row.
                unsafe { self.tile(phase, &at) };
                col += n;
            }
        }
    }

    unsafe fn rows(&mut self, unit: usize) {
        let code = self.code;
        let (start, end) = (unit * code.unit_rows, ((unit + 1) * code.unit_rows).min(code.rows));
        let whole = code.cols <= code.tile;
        let step = if whole { (code.tile / code.cols).max(1) } else { 1 };
        let mut row = start;
        while row < end {
            let rows = step.min(end - row);
            let by_row = At { n: rows, rows, row, col: 0, unit, first: row == start, by_row: true };
            // SAFETY: the rows lie within the group.
            unsafe {
                for &slot in &code.row_moves {
                    if let Place::Row(_, stride) = code.slots[slot as usize] {
                        self.pointers[slot as usize] = self.bases[slot as usize].offset(row as isize * stride);
                    }
                }
                for action in &code.prologue {
                    self.act(action, &by_row);
                }
                for phase in &code.phases {
                    if whole {
                        self.tile(phase, &At { n: rows * code.cols, by_row: false, ..by_row });
                    } else if !phase.body.is_empty() {
                        let mut col = 0;
                        while col < code.cols {
                            let n = code.tile.min(code.cols - col);
                            self.tile(phase, &At { n, col, by_row: false, ..by_row });
                            col += n;
                        }
                    }
                    for action in &phase.after {
                        self.act(action, &by_row);
                    }
                }
            }
            row += rows;
        }
    }

    #[inline]
    pub(super) unsafe fn tile(&mut self, phase: &Phase, at: &At) {
        let flat = at.row * self.code.cols + at.col;
        // SAFETY: the tile lies within the group.
        unsafe {
            for &slot in &phase.moves {
                let i = slot as usize;
                self.pointers[i] = match self.code.slots[i] {
                    Place::Flat(_, size) => self.bases[i].add(flat * size),
                    Place::Col(_, size) | Place::RowBuffer(_, size) => self.bases[i].add(at.col * size),
                    _ => self.bases[i],
                };
            }
            let reads = &self.code.reads;
            if reads.is_empty() {
                for action in &phase.body {
                    self.act(action, at);
                }
                return;
            }
            // While this tile is computed, the next one comes from memory, a part after each action.
            let bytes = at.n * 4;
            let part = (bytes / phase.body.len().max(1)).next_multiple_of(64);
            let mut done = 0;
            for action in &phase.body {
                self.act(action, at);
                let until = bytes.min(done + part);
                for &slot in reads {
                    let next = self.at(slot).add(bytes);
                    for line in (done..until).step_by(64) {
                        prefetch(next.add(line));
                    }
                }
                done = until;
            }
        }
    }

    #[inline(always)]
    unsafe fn at(&self, slot: u16) -> *mut u8 {
        // SAFETY: the compiler of the loop numbers the slots, and the table has one entry for each.
        unsafe { *self.pointers.get_unchecked(slot as usize) }
    }

    #[inline]
    unsafe fn act(&mut self, action: &Action, at: &At) {
        let cols = self.code.cols;
        // SAFETY: slots point at `n` elements of the widths that the compiler of the loop planned.
        unsafe {
            match action {
                Action::Native { line } => {
                    if let Some(linked) = &self.code.linked {
                        linked.run(*line, &self.code.slots, self.pointers, at.n);
                    }
                }
                Action::Call { f, dst, a, b, c, .. } => f(self.at(*dst), self.at(*a), self.at(*b), self.at(*c), at.n),
                Action::Copy { dst, src, size } => copy(self.at(*src), self.at(*dst), at.n * size),
                Action::Expand { dst, src, fill, size } => {
                    let n = cols.min(self.code.tile);
                    let (dst, src) = (self.at(*dst), self.at(*src));
                    for r in 0..at.rows {
                        let from = src.add(r * size);
                        fill(dst.add(r * cols * size), from, from, from, n);
                    }
                }
                Action::Accumulate { src, reduction } => {
                    if let Some(reduction) = self.code.row_reductions.get(*reduction as usize) {
                        self.accumulate(self.at(*src), reduction, at);
                    }
                }
                Action::Fold { src, column } => {
                    if let Some(column) = self.code.col_reductions.get(*column as usize) {
                        self.fold(self.at(*src), column, at);
                    }
                }
                Action::Splat { dst, src, fill } => {
                    let src = self.at(*src);
                    fill(self.at(*dst), src, src, src, self.code.tile);
                }
                Action::Slot { dst, slot } => {
                    let bytes = self.scalars.get(*slot as usize).map(|s| register_bytes(*s)).unwrap_or_default();
                    std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.at(*dst), 8);
                }
                Action::Constant { dst, bytes } => std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.at(*dst), 8),
                Action::Element { dst, region, size } => copy(self.memory.ptr(region), self.at(*dst), *size),
                Action::Stream { .. }
                | Action::Gather { .. }
                | Action::Repeat { .. }
                | Action::Count { .. }
                | Action::Iota { .. }
                | Action::Random { .. } => self.act_at_length(action, at),
            }
        }
    }

    /// Actions that take long enough for a call of their own. Their registers would be saved for each of the others, too.
    #[inline(never)]
    unsafe fn act_at_length(&mut self, action: &Action, at: &At) {
        let cols = self.code.cols;
        // SAFETY: as for `act`.
        unsafe {
            match action {
                Action::Stream { dst, src, size } => {
                    stream(self.at(*dst), self.at(*src), at.n * size, self.code.level != Level::Baseline);
                }
                Action::Gather { dst, region, walk, panel } => {
                    let start = if at.by_row { at.row } else { at.row * cols + at.col };
                    let (dst, base) = (self.at(*dst), self.memory.ptr(region));
                    match panel.and_then(|panel| self.panels.get_mut(usize::from(panel))) {
                        Some(panel) => walk.copy_through(panel, dst, base, start, at.n),
                        None => walk.copy(dst, base, start, at.n),
                    }
                }
                Action::Repeat { dst, region, size } => {
                    let (dst, row) = (self.at(*dst), cols * size);
                    std::ptr::copy_nonoverlapping(self.memory.ptr(region), dst, row);
                    repeat(dst, row, self.code.tile_rows() * row);
                }
                Action::Count { dst, dtype } => {
                    let (dst, row) = (self.at(*dst), cols * dtype.size());
                    iota(dst, 0, cols, cols, 1, *dtype);
                    repeat(dst, row, self.code.tile_rows() * row);
                }
                Action::Iota { dst, extent, inner, dtype } => {
                    iota(self.at(*dst), self.place(at), at.n, *extent, *inner, *dtype);
                }
                Action::Random { dst, key, stream, normal, wide } => {
                    let key = self.scalars.get(*key as usize).map_or(0, |s| s.bits());
                    let key = random::Key(key).fold(*stream);
                    fill_random(self.at(*dst), key, self.place(at) as u64, at.n, *normal, *wide);
                }
                // `act` does the others itself.
                _ => {}
            }
        }
    }

    /// The tile's part of a reduction along columns.
    unsafe fn fold(&mut self, src: *mut u8, column: &ColReduction, at: &At) {
        let (cols, size) = (self.code.cols, column.size);
        // SAFETY: `src` has the elements of the tile, and the workspace the sums of each unit.
        unsafe {
            if self.code.down {
                return self.fold_down(src, column, at);
            }
            let sum = self.workspace.add(column.partial + (at.unit * cols + at.col) * size);
            let n = if at.rows * cols == at.n { cols } else { at.n };
            let fold = |to: *mut u8, from: usize, rows: usize, first: bool| {
                let row = src.add(from * cols * size);
                match first {
                    true => {
                        std::ptr::copy_nonoverlapping(row, to, n * size);
                        (column.columns)(to, row.wrapping_add(cols * size), rows - 1, n, cols);
                    }
                    false => (column.columns)(to, row, rows, n, cols),
                }
            };
            if self.code.unit_rows <= FOLD_ROWS {
                return fold(sum, 0, at.rows, at.first);
            }
            // Long columns: rows into blocks, blocks into the unit.
            let block = self.workspace.add(column.blocks + (at.unit * cols + at.col) * size);
            let start = at.unit * self.code.unit_rows;
            let end = self.code.unit_rows.min(self.code.rows - start);
            let mut row = 0;
            while row < at.rows {
                let i = at.row + row - start;
                let rows = (FOLD_ROWS - i % FOLD_ROWS).min(at.rows - row);
                fold(block, row, rows, i.is_multiple_of(FOLD_ROWS));
                row += rows;
                if (i + rows).is_multiple_of(FOLD_ROWS) || i + rows == end {
                    match i < FOLD_ROWS {
                        true => std::ptr::copy_nonoverlapping(block, sum, n * size),
                        false => (column.columns)(sum, block, 1, n, n),
                    }
                }
            }
        }
    }

    /// The number of the first element of a tile, or of its first row, counted over all parts where the loop is a step of a chain.
    fn place(&self, at: &At) -> usize {
        let row = self.memory.part() * self.code.rows + at.row;
        if at.by_row { row } else { row * self.code.cols + at.col }
    }

    unsafe fn accumulate(&self, src: *const u8, reduction: &RowReduction, at: &At) {
        let RowReduction { accumulate, finish, rows, whole, combine, fill, identity, lanes, dst, .. } = reduction;
        let cols = self.code.cols;
        // SAFETY: the lanes lie in the scratch, `dst` has one element a row, and the tile has `n` elements.
        unsafe {
            let (lanes, dst) = (self.scratch.add(*lanes), self.at(*dst));
            let start =
                || fill(lanes, identity.as_ptr(), identity.as_ptr(), identity.as_ptr(), crate::kernels::scalar::LANES);
            if cols <= SHORT_ROW {
                rows(dst, src, at.rows, cols);
            } else if cols <= self.code.tile {
                whole(dst, src, identity.as_ptr(), at.rows, cols);
            } else {
                if at.col.is_multiple_of(BLOCK) {
                    start();
                }
                accumulate(lanes, src, src, src, at.n);
                let end = at.col + at.n;
                if end == cols || end.is_multiple_of(BLOCK) {
                    // In block mode the blocks are combined when all units are done.
                    if self.code.block_mode || end <= BLOCK {
                        finish(dst, lanes, lanes, lanes, 1);
                    } else {
                        let mut part = [0u64; 1];
                        let part = part.as_mut_ptr().cast::<u8>();
                        finish(part, lanes, lanes, lanes, 1);
                        combine(dst, dst, part, dst, 1);
                    }
                }
            }
        }
    }
}

/// A scalar as a register holds it: half floats as f32.
fn register_bytes(scalar: Scalar) -> [u8; 8] {
    match scalar.dtype() {
        DType::BF16 | DType::F16 => {
            let mut bytes = [0; 8];
            bytes[..4].copy_from_slice(&(scalar.to_f64() as f32).to_ne_bytes());
            bytes
        }
        _ => scalar.to_bytes(),
    }
}

/// Repeats the first `len` bytes until they are `all`.
///
/// # Safety
/// `at` has room for `all` bytes, and the first of them are there.
unsafe fn repeat(at: *mut u8, len: usize, all: usize) {
    let mut done = len;
    while done < all {
        let more = done.min(all - done);
        // SAFETY: promised by the caller; what is copied ends where the copy begins.
        unsafe { copy(at, at.add(done), more) };
        done += more;
    }
}

unsafe fn iota(dst: *mut u8, start: usize, n: usize, extent: usize, inner: usize, dtype: DType) {
    // SAFETY: the caller gives `n` elements of the dtype.
    unsafe {
        match dtype {
            // There are vectors of conversions from i32.
            DType::F32 if extent <= 1 << 24 => count(dst.cast(), start, n, extent, inner, |i| i as i32 as f32),
            DType::F32 => count(dst.cast(), start, n, extent, inner, |i| i as f32),
            DType::BF16 | DType::F16 => count(dst.cast(), start, n, extent, inner, |i| odd_f32(i as f64)),
            DType::F64 => count(dst.cast(), start, n, extent, inner, |i| i as f64),
            DType::I64 => count(dst.cast(), start, n, extent, inner, |i| i as i64),
            DType::I32 => count(dst.cast(), start, n, extent, inner, |i| i as i32),
            DType::U8 => count(dst, start, n, extent, inner, |i| i as u8),
            DType::Bool => count(dst, start, n, extent, inner, |i| u8::from(i != 0)),
        }
    }
}

/// Element i is `of((start + i) / inner % extent)`: runs of neighbours, or of equals, without a division for each.
///
/// # Safety
/// `dst` has room for `n` elements.
#[inline(always)]
unsafe fn count<T: Copy>(
    mut dst: *mut T,
    start: usize,
    n: usize,
    extent: usize,
    inner: usize,
    of: impl Fn(usize) -> T,
) {
    let (mut place, mut within) = (start / inner % extent, start % inner);
    let mut left = n;
    while left > 0 {
        let run = left.min(if inner == 1 { extent - place } else { inner - within });
        // SAFETY: the runs are `n` elements together.
        unsafe {
            match inner {
                1 => (0..run).for_each(|i| dst.add(i).write(of(place + i))),
                _ => std::slice::from_raw_parts_mut(dst, run).fill(of(place)),
            }
            dst = dst.add(run);
        }
        left -= run;
        place = if inner == 1 || place + 1 == extent { 0 } else { place + 1 };
        within = 0;
    }
}

unsafe fn fill_random(dst: *mut u8, key: random::Key, start: u64, n: usize, normal: bool, wide: bool) {
    // SAFETY: the caller gives `n` elements of f32, or of f64 when `wide`, in a register that is aligned for them.
    unsafe {
        match wide {
            false => {
                let out = std::slice::from_raw_parts_mut(dst.cast::<f32>(), n);
                if normal {
                    random::fill_normal_f32(key, start, out)
                } else {
                    random::fill_uniform_f32(key, start, out)
                }
            }
            true => {
                let out = std::slice::from_raw_parts_mut(dst.cast::<f64>(), n);
                if normal {
                    random::fill_normal_f64(key, start, out)
                } else {
                    random::fill_uniform_f64(key, start, out)
                }
            }
        }
    }
}
