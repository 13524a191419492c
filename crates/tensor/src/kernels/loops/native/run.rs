//! Running the code of a line over a tile.

use crate::kernels::loops::code::{Place, SlotId};
use crate::kernels::loops::native::emit::Code;
use crate::kernels::loops::native::line::Line;
use crate::kernels::loops::native::pages::Pages;
use crate::kernels::memory::copy;
use smallvec::SmallVec;

/// The code of a line: a loop over the elements from one place to another, whole blocks and at least one. The last argument is the
/// mask of the elements of a part of a vector, or the number of rows where the code goes along rows, to the end of the first.
#[cfg(target_arch = "x86_64")]
type Entry = unsafe extern "sysv64" fn(table: *const *mut u8, from: usize, to: usize, left: usize);
#[cfg(not(target_arch = "x86_64"))]
type Entry = unsafe extern "C" fn(table: *const *mut u8, from: usize, to: usize, left: usize);

/// Elements on their way: a vector of them, from one slot or for one.
#[derive(Clone, Copy)]
#[repr(C, align(32))]
struct Stage([u8; 32]);

/// Where the code of a line is, and what it needs.
#[derive(Clone, Debug)]
pub(in super::super) struct Run {
    /// Offsets in the pages: over single vectors, a part of one, over blocks, and over blocks with streams past the caches.
    single: usize,
    tail: Option<usize>,
    block: usize,
    streaming: Option<usize>,
    lanes: usize,
    /// Elements of a block.
    elements: usize,
    reads: SmallVec<[(SlotId, u8); 8]>,
    writes: SmallVec<[(SlotId, u8); 8]>,
    streams: SmallVec<[SlotId; 4]>,
    /// Elements of a row, where the code over blocks goes along rows.
    cols: Option<usize>,
    /// Whether it takes elements again at the ends of rows.
    overlaps: bool,
    /// Whether all of its slots are registers, which have room for whole vectors.
    inner: bool,
    /// Slots that are read behind the write of another: the two must not be one memory.
    late: SmallVec<[(SlotId, SlotId); 4]>,
}

impl Run {
    /// The run of a line whose code starts at `start`; what is behind the slots of the loop is a register.
    pub(super) fn new(line: &Line, code: &Code, start: usize, slots: &[Place]) -> Self {
        let (reads, writes) = (line.reads(), line.writes());
        let outer = |slot: SlotId| slots.get(slot as usize).is_some_and(|p| !matches!(p, Place::Register(_)));
        Self {
            inner: !reads.iter().chain(&writes).any(|end| outer(end.0)),
            single: start + code.single,
            tail: code.tail.map(|at| start + at),
            block: start + code.block,
            streaming: code.streaming.map(|at| start + at),
            lanes: line.lanes(),
            elements: code.elements,
            cols: line.rows.as_ref().map(|rows| rows.cols),
            overlaps: code.overlaps,
            reads,
            writes,
            streams: line.streams(),
            late: line.late(),
        }
    }

    /// The slots that it reads along the tile.
    pub(in super::super) fn reads(&self) -> impl Iterator<Item = SlotId> {
        self.reads.iter().map(|slot| slot.0)
    }

    /// The slots that it writes along the tile.
    pub(in super::super) fn writes(&self) -> impl Iterator<Item = SlotId> {
        self.writes.iter().map(|slot| slot.0)
    }

    /// Whether it reads an element of `read` for the last time before it writes that of `write`.
    pub(in super::super) fn reads_before(&self, read: SlotId, write: SlotId) -> bool {
        !self.overlaps && !self.late.contains(&(read, write))
    }

    /// Whether no result lies where an operand does.
    fn is_apart(&self, table: &[*mut u8]) -> bool {
        let at = |slot: &(SlotId, u8)| table.get(slot.0 as usize);
        self.writes.iter().all(|write| self.reads.iter().all(|read| at(read) != at(write)))
    }

    /// The slots that it reads and writes along the tile.
    pub(super) fn slots(&self) -> impl Iterator<Item = SlotId> {
        self.reads.iter().chain(&self.writes).map(|slot| slot.0)
    }

    /// Runs over `n` elements, at least one; whole rows where the line goes along rows.
    ///
    /// # Safety
    /// `pages` hold the code at `start`, the machine has its instructions, and the pointers of the line's slots are valid for `n` elements;
    /// registers among them for whole vectors.
    pub(super) unsafe fn run(&self, pages: &Pages, start: usize, slots: &[Place], table: &mut [*mut u8], n: usize) {
        if self.cols.is_none() && self.inner && n <= self.lanes {
            // SAFETY: promised by the caller; what is behind the elements of a register is nobody's.
            return unsafe { code(pages, start + self.single)(table.as_ptr(), 0, self.lanes, 0) };
        }
        let aligned = || self.streams.iter().all(|&s| (table[s as usize] as usize).is_multiple_of(64));
        let entry = match self.streaming {
            Some(streaming) if aligned() => streaming,
            _ => self.block,
        };
        if let Some(cols) = self.cols {
            // SAFETY: promised by the caller, who runs it over whole rows.
            return unsafe { code(pages, start + entry)(table.as_ptr(), 0, cols, n / cols) };
        }
        // Both are powers of two.
        let (blocks, vectors) = (n & !(self.elements - 1), n & !(self.lanes - 1));
        // SAFETY: promised by the caller.
        unsafe {
            if blocks > 0 {
                code(pages, start + entry)(table.as_ptr(), 0, blocks, 0);
            }
            if vectors > blocks {
                code(pages, start + self.single)(table.as_ptr(), blocks, vectors, 0);
            }
            match self.tail {
                _ if n == vectors => {}
                Some(tail) => code(pages, start + tail)(table.as_ptr(), vectors, n, (1 << (n - vectors)) - 1),
                // The last vector takes some elements again.
                None if n >= self.lanes && self.is_apart(table) => {
                    code(pages, start + self.single)(table.as_ptr(), n - self.lanes, n, 0);
                }
                None => self.last(code(pages, start + self.single), slots, table, vectors, n - vectors),
            }
        }
    }

    /// The elements behind the last whole vector. What lies in memory passes through stages of one vector.
    ///
    /// # Safety
    /// As for `run`; the `rest` elements from `done` on are left.
    #[cold]
    unsafe fn last(&self, code: Entry, slots: &[Place], table: &mut [*mut u8], done: usize, rest: usize) {
        let used = || self.reads.iter().map(|&r| (r, true)).chain(self.writes.iter().map(|&w| (w, false)));
        let count = self.reads.len() + self.writes.len();
        let mut stages: SmallVec<[Stage; 16]> = SmallVec::from_elem(Stage([0; 32]), count);
        let mut before: SmallVec<[*mut u8; 16]> = SmallVec::new();
        // SAFETY: the elements lie within what the caller promises; a stage has room for a vector, and a register ends with one.
        unsafe {
            for (((slot, size), read), stage) in used().zip(&mut stages) {
                let (at, size) = (slot as usize, size as usize);
                let pointer = table[at].add(done * size);
                before.push(table[at]);
                table[at] = match slots[at] {
                    Place::Register(_) => pointer,
                    _ => {
                        if read {
                            copy(pointer, stage.0.as_mut_ptr(), rest * size);
                        }
                        stage.0.as_mut_ptr()
                    }
                };
            }
            code(table.as_ptr(), 0, self.lanes, 0);
            for ((((slot, size), read), stage), pointer) in used().zip(&stages).zip(before) {
                let (at, size) = (slot as usize, size as usize);
                if !read && !matches!(slots[at], Place::Register(_)) {
                    copy(stage.0.as_ptr(), pointer.add(done * size), rest * size);
                }
                table[at] = pointer;
            }
        }
    }
}

/// # Safety
/// The pages hold the code of a line at `offset`.
unsafe fn code(pages: &Pages, offset: usize) -> Entry {
    // SAFETY: promised by the caller; a function pointer has the size of an address.
    unsafe { std::mem::transmute::<*const u8, Entry>(pages.at(offset)) }
}
