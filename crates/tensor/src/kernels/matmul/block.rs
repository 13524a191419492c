//! One unit of work: a block of C, whole in k, so that it is finished when the unit ends.

use super::gather::{MOST, Scattered};
use super::kernels::{Compute, FewRows, Kernels};
use super::normal::Normal;
use super::order::{blocks, depth};
use super::pack::{Block, copy_a};
use super::pieces::{self, Pieces, has_pieces};
use super::scratch::{Room, with_room};
use super::side::Side;
use super::tile::Panel;
use super::vector::{Few, ROWS};

/// One product, and how its units read their operands.
pub(super) struct Job<'a, T: 'static> {
    pub(super) kernels: &'static Kernels<T>,
    pub(super) m: usize,
    pub(super) n: usize,
    pub(super) k: usize,
    /// The row and the column stride; without a meaning where there are sides.
    a: [isize; 2],
    b: [isize; 2],
    /// Where the rows and the columns lie, if no strides tell. Such an operand is copied.
    a_sides: Option<[&'a Side; 2]>,
    b_sides: Option<[&'a Side; 2]>,
    pub(super) copy_a: CopyA,
    pub(super) copy_b: bool,
}

/// Rows of A whose places are told at a time.
const LINES: usize = 32;

/// Whether and how a unit copies its rows of A.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CopyA {
    /// Read where they lie.
    No,
    /// Row after row.
    Rows,
    /// In strips of the height of a register tile; for adjacent rows.
    Strips,
}

/// A block of C.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) row: usize,
    pub(super) col: usize,
    pub(super) rows: usize,
    pub(super) cols: usize,
}

/// Where one product lies.
pub(super) struct Operands<T> {
    pub(super) a: *const T,
    pub(super) b: *const T,
    pub(super) c: *mut T,
    /// Strips of all of A and panels of all of B, where they were copied once for all units.
    pub(super) packed_a: Option<*const T>,
    pub(super) packed_b: Option<*const T>,
}

impl<'a, T: Compute> Job<'a, T> {
    pub(super) fn new(p: &Normal<'a>, kernels: &'static Kernels<T>, copy_a: CopyA, copy_b: bool) -> Job<'a, T> {
        let &Normal { m, n, k, a, b, a_sides, b_sides, .. } = p;
        Job { kernels, m, n, k, a, b, a_sides, b_sides, copy_a, copy_b }
    }

    /// Columns of a panel.
    pub(super) fn wide(&self) -> usize {
        2 * self.kernels.lanes
    }

    /// Computes a part of C.
    ///
    /// # Safety
    /// The operands are one product, as for [`super::MatMul::run`]; the part lies within it and begins at a panel.
    pub(super) unsafe fn run(&self, part: Part, at: &Operands<T>) {
        // SAFETY: promised by the caller; the kernels are ones for this machine.
        unsafe {
            if let Some((kernel, b_stride)) = self.few(part.rows) {
                let Part { row, col, rows, cols: n } = part;
                return kernel(&Few {
                    a: at.a.offset(row as isize * self.a[0]),
                    a_strides: self.a,
                    b: at.b.offset(col as isize * self.b[1]),
                    b_stride,
                    c: at.c.add(row * self.n + col),
                    c_stride: self.n,
                    rows,
                    n,
                    k: self.k,
                });
            }
            if let Some(columns) = self.pieces(part.rows) {
                return self.run_pieces(part, columns, at);
            }
            let (a_room, b_room) = self.room(part, at);
            if a_room + b_room == 0 {
                return self.panels(part, at, std::ptr::null_mut());
            }
            let bytes = (a_room + b_room) * size_of::<T>();
            with_room(Room::Unit, bytes, |room| self.panels(part, at, room.cast()));
        }
    }

    /// The loop for parts of so few rows that both operands are read where they lie, and the other stride of B, if it can be.
    pub(super) fn few(&self, rows: usize) -> Option<(FewRows<T>, isize)> {
        match self.b {
            _ if rows > ROWS || self.a_sides.is_some() || self.b_sides.is_some() => None,
            [stride, 1] => Some((self.kernels.along_columns, stride)),
            [1, stride] => Some((self.kernels.across_columns, stride)),
            _ => None,
        }
    }

    /// Where the columns of B lie, if parts of so few rows read them there in pieces.
    fn pieces(&self, rows: usize) -> Option<&'a Side> {
        let columns = self.b_sides.map(|[_, columns]| columns)?;
        (rows <= pieces::ROWS && self.a_sides.is_none() && has_pieces(columns)).then_some(columns)
    }

    /// Block of k after block of k, pieces after pieces.
    ///
    /// # Safety
    /// As for [`Job::run`].
    unsafe fn run_pieces(&self, part: Part, columns: &Side, at: &Operands<T>) {
        for (start, depth) in blocks(self.k) {
            let mut table = None;
            let lines = self.along(start, depth, &mut table);
            let from = part.row as isize * self.a[0] + start as isize * self.a[1];
            pieces::each(columns, part.col, part.cols, |before, pieces| {
                // SAFETY: promised by the caller; the kernel is one for this machine, and the pieces lie within the part.
                unsafe {
                    (self.kernels.along_pieces)(&Pieces {
                        a: at.a.offset(from),
                        a_strides: self.a,
                        b: at.b,
                        lines,
                        pieces,
                        c: at.c.add(part.row * self.n + part.col + before),
                        c_stride: self.n,
                        rows: part.rows,
                        first: start == 0,
                    });
                }
            });
        }
    }

    /// Elements of room for the copies of A and of a panel of B.
    fn room(&self, part: Part, at: &Operands<T>) -> (usize, usize) {
        let depth = depth(self.k).min(self.k);
        let a = self.copy_a != CopyA::No && at.packed_a.is_none();
        let b = (self.copy_b || !part.cols.is_multiple_of(self.kernels.lanes)) && at.packed_b.is_none();
        let a = if a { (part.rows * depth).next_multiple_of(16) } else { 0 };
        (a, if b { self.wide() * depth } else { 0 })
    }

    /// Block of k after block of k, panel after panel.
    ///
    /// # Safety
    /// As for [`Job::run`]; `room` is writable for what [`Job::room`] says.
    unsafe fn panels(&self, part: Part, at: &Operands<T>, room: *mut T) {
        let b_room = room.wrapping_add(self.room(part, at).0);
        // SAFETY: all parts lie within the operands, as the caller promises, and the copies within the room; the
        // kernels are ones for this machine.
        unsafe {
            for (start, depth) in blocks(self.k) {
                let mut table = None;
                let along = self.along(start, depth, &mut table);
                let (a, a_strides) = match at.packed_a {
                    Some(packed) => (packed.add(start * self.m + part.row * depth), [0; 2]),
                    None => self.rows(part, start, depth, at.a, room),
                };
                for col in (0..part.cols).step_by(self.wide()) {
                    let cols = self.wide().min(part.cols - col);
                    let whole = cols.is_multiple_of(self.kernels.lanes);
                    let pitch = cols.next_multiple_of(self.kernels.lanes) as isize;
                    let (b, b_stride) = match at.packed_b {
                        Some(packed) => (packed.add(self.panel(start, depth, part.col + col)), pitch),
                        None if self.copy_b || !whole => {
                            self.pack_b([start, depth], along, part.col + col, at.b, b_room);
                            (b_room.cast_const(), pitch)
                        }
                        None => {
                            let offset = start as isize * self.b[0] + (part.col + col) as isize * self.b[1];
                            (at.b.offset(offset), self.b[0])
                        }
                    };
                    (self.kernels.panel)(&Panel {
                        a,
                        a_strides,
                        a_strips: self.copy_a == CopyA::Strips,
                        b,
                        b_stride,
                        c: at.c.add(part.row * self.n + part.col + col),
                        c_stride: self.n,
                        rows: part.rows,
                        cols,
                        depth,
                        first: start == 0,
                        fresh: self.copy_a == CopyA::No && col == 0,
                    });
                }
            }
        }
    }

    /// The rows of A for one block of k, copied if so decided, and their strides.
    ///
    /// # Safety
    /// As for [`Job::run`]; `to` is writable for the rows if they are copied.
    pub(super) unsafe fn rows(
        &self,
        part: Part,
        start: usize,
        depth: usize,
        a: *const T,
        to: *mut T,
    ) -> (*const T, [isize; 2]) {
        if let Some([rows, columns]) = self.a_sides {
            let (mut lines, mut places) = ([0; LINES], [0; MOST]);
            columns.offsets(start, &mut places[..depth]);
            for first in (0..part.rows).step_by(LINES) {
                let lines = &mut lines[..LINES.min(part.rows - first)];
                rows.offsets(part.row + first, lines);
                let to = to.wrapping_add(first * depth);
                // SAFETY: promised by the caller; the kernel is one for this machine.
                unsafe {
                    (self.kernels.gather)(&Scattered {
                        from: a,
                        lines,
                        places: &places[..depth],
                        to,
                        pitch: depth,
                        ahead: &[],
                    })
                };
            }
            return (to, [depth as isize, 1]);
        }
        let [side, along] = self.a;
        // SAFETY: promised by the caller.
        unsafe {
            let from = a.offset(part.row as isize * side + start as isize * along);
            let block = Block { from, side, along, width: part.rows, depth, to, next: 0 };
            match self.copy_a {
                CopyA::No => return (from, self.a),
                CopyA::Rows => copy_a(&block),
                CopyA::Strips => (self.kernels.pack_a)(&block),
            }
        }
        (to, [depth as isize, 1])
    }

    /// Where the rows of B lie for one block of k, if no stride tells.
    pub(super) fn along<'t>(&self, start: usize, depth: usize, table: &'t mut Option<[isize; MOST]>) -> &'t [isize] {
        let Some([rows, _]) = self.b_sides else { return &[] };
        let along = &mut table.insert([0; MOST])[..depth];
        rows.offsets(start, along);
        along
    }

    /// Copies the panel of B that begins at column `col`, for a block of k; `lines` tells where its rows lie, if no stride does.
    ///
    /// # Safety
    /// As for [`Job::run`]; `to` is writable for a panel.
    pub(super) unsafe fn pack_b(
        &self,
        [start, depth]: [usize; 2],
        lines: &[isize],
        col: usize,
        b: *const T,
        to: *mut T,
    ) {
        let [along, side] = self.b;
        let width = self.wide().min(self.n - col);
        if let Some([_, columns]) = self.b_sides {
            let mut places = [0; MOST];
            let next = self.wide().min(self.n - col - width);
            columns.offsets(col, &mut places[..width + next]);
            let (places, ahead) = places[..width + next].split_at(width);
            let pitch = width.next_multiple_of(self.kernels.lanes);
            // SAFETY: promised by the caller; the kernel is one for this machine.
            return unsafe { (self.kernels.gather)(&Scattered { from: b, lines, places, to, pitch, ahead }) };
        }
        // SAFETY: promised by the caller; the kernel is one for this machine.
        unsafe {
            let from = b.offset(start as isize * along + col as isize * side);
            let next = if col + width < self.n { width as isize * side } else { 0 };
            (self.kernels.pack_b)(&Block { from, side, along, width, depth, to, next });
        }
    }

    /// Where a panel begins in a copy of all of B: block of k after block of k, panel after panel.
    pub(super) fn panel(&self, start: usize, depth: usize, col: usize) -> usize {
        start * self.n.next_multiple_of(self.wide()) + col * depth
    }
}
