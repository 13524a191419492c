//! One unit of work: a block of C, whole in k, so that it is finished when the unit ends.


use super::kernels::{Compute, Kernels};
use super::order::{blocks, depth};
use super::pack::{Block, copy_a};
use super::scratch::{Room, with_room};
use super::tile::Panel;
use super::vector::{Few, ROWS};

/// One product, and how its units read their operands.
pub(super) struct Job<T: 'static> {
    pub(super) kernels: &'static Kernels<T>,
    pub(super) n: usize,
    pub(super) k: usize,
    /// The row and the column stride.
    pub(super) a: [isize; 2],
    pub(super) b: [isize; 2],
    pub(super) copy_a: CopyA,
    pub(super) copy_b: bool,
}

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

impl<T: Compute> Job<T> {
    /// Computes a part of C.
    ///
    /// # Safety
    /// `a`, `b` and `c` point at element \[0, 0\] of one product; the part lies within it; otherwise as for
    /// [`super::MatMul::run`].
    pub(super) unsafe fn run(&self, part: Part, a: *const T, b: *const T, c: *mut T) {
        // SAFETY: promised by the caller.
        unsafe {
            if part.rows <= ROWS && self.few(part, a, b, c) {
                return;
            }
            let (a_room, b_room) = self.room(part);
            if a_room + b_room == 0 {
                return self.panels(part, a, b, c, std::ptr::null_mut());
            }
            let bytes = (a_room + b_room) * size_of::<T>();
            with_room(Room::Unit, bytes, |room| self.panels(part, a, b, c, room.cast()));
        }
    }

    /// Few rows: true if B can be read where it lies.
    ///
    /// # Safety
    /// As for [`Job::run`].
    unsafe fn few(&self, part: Part, a: *const T, b: *const T, c: *mut T) -> bool {
        let (kernel, b_stride) = match self.b {
            [stride, 1] => (self.kernels.along_columns, stride),
            [1, stride] => (self.kernels.across_columns, stride),
            _ => return false,
        };
        // SAFETY: promised by the caller; the kernel is one for this machine.
        unsafe {
            kernel(&Few {
                a: a.offset(part.row as isize * self.a[0]),
                a_strides: self.a,
                b: b.offset(part.col as isize * self.b[1]),
                b_stride,
                c: c.add(part.row * self.n + part.col),
                c_stride: self.n,
                rows: part.rows,
                n: part.cols,
                k: self.k,
            });
        }
        true
    }

    /// Elements of room for the copies of A and of a panel of B.
    fn room(&self, part: Part) -> (usize, usize) {
        let depth = depth(self.k).min(self.k);
        let a = if self.copy_a == CopyA::No { 0 } else { (part.rows * depth).next_multiple_of(16) };
        let whole = part.cols % self.kernels.lanes == 0;
        let b = if self.copy_b || !whole { 2 * self.kernels.lanes * depth } else { 0 };
        (a, b)
    }

    /// Block of k after block of k, panel after panel.
    ///
    /// # Safety
    /// As for [`Job::run`]; `room` is writable for what [`Job::room`] says.
    unsafe fn panels(&self, part: Part, a: *const T, b: *const T, c: *mut T, room: *mut T) {
        let wide = 2 * self.kernels.lanes;
        let b_room = room.wrapping_add(self.room(part).0);
        // SAFETY: all parts lie within the operands, as the caller promises, and the copies within the room; the
        // kernels are ones for this machine.
        unsafe {
            for (start, depth) in blocks(self.k) {
                let (a, a_strides) = self.rows(part, start, depth, a, room);
                for col in (0..part.cols).step_by(wide) {
                    let cols = wide.min(part.cols - col);
                    let from = b.offset(start as isize * self.b[0] + (part.col + col) as isize * self.b[1]);
                    let (b, b_stride) = if self.copy_b || cols % self.kernels.lanes != 0 {
                        let [along, side] = self.b;
                        (self.kernels.pack_b)(&Block { from, side, along, width: cols, depth, to: b_room });
                        (b_room.cast_const(), cols.next_multiple_of(self.kernels.lanes) as isize)
                    } else {
                        (from, self.b[0])
                    };
                    (self.kernels.panel)(&Panel {
                        a,
                        a_strides,
                        a_strips: self.copy_a == CopyA::Strips,
                        b,
                        b_stride,
                        c: c.add(part.row * self.n + part.col + col),
                        c_stride: self.n,
                        rows: part.rows,
                        cols,
                        depth,
                        first: start == 0,
                    });
                }
            }
        }
    }

    /// The rows of A for one block of k, copied if so decided, and their strides.
    ///
    /// # Safety
    /// As for [`Job::panels`].
    unsafe fn rows(
        &self,
        part: Part,
        start: usize,
        depth: usize,
        a: *const T,
        to: *mut T,
    ) -> (*const T, [isize; 2]) {
        let [side, along] = self.a;
        // SAFETY: promised by the caller.
        unsafe {
            let from = a.offset(part.row as isize * side + start as isize * along);
            let block = Block { from, side, along, width: part.rows, depth, to };
            match self.copy_a {
                CopyA::No => return (from, self.a),
                CopyA::Rows => copy_a(&block),
                CopyA::Strips => (self.kernels.pack_a)(&block),
            }
        }
        (to, [depth as isize, 1])
    }
}
