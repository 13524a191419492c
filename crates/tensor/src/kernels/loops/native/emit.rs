//! From a line to machine code: a loop whose values live in vector registers.
//!
//! Leaves are read where they are needed, by the instruction itself if nobody else needs them. What is the same for all elements is
//! spread over a vector before the loop, and keeps a register if one is left.

use crate::kernels::loops::code::SlotId;
use crate::kernels::loops::native::allocate::{MASKS, TAIL, Uses, uses};
use crate::kernels::loops::native::assembler::{
    Address, Assembler, Float, General, Instruction, Operand, Under, VECTORS, Vector, Width,
};
use crate::kernels::loops::native::line::{Line, Op, Rows, Value};
use crate::kernels::memory::CACHE_LINE;
use smallvec::SmallVec;

/// The arguments: the table of pointers, the element that the loop is at, the one where it ends, and the mask of what is left there, or how
/// many rows there are.
const TABLE: General = General::Rdi;
const INDEX: General = General::Rsi;
const END: General = General::Rdx;
const LEFT: General = General::Rcx;
/// For pointers that have no register.
const SCRATCH: General = General::R11;
pub(super) const STACK: General = General::Rsp;
/// Registers for pointers; the function must restore those behind the first [`FREE_BASES`].
const BASES: [General; 11] = {
    use General::*;
    [Rax, Rcx, R8, R9, R10, Rbx, Rbp, R12, R13, R14, R15]
};
const FREE_BASES: usize = 5;
/// Where the line goes along rows, the last two are the number of the row, and of rows.
const ROW_BASES: usize = BASES.len() - 2;
const ROW: General = BASES[ROW_BASES];
const ROW_COUNT: General = BASES[ROW_BASES + 1];
/// How far ahead of its use memory is fetched.
const AHEAD: i32 = 512;

/// The code of a line: functions over the elements from one place to another.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) bytes: Vec<u8>,
    /// Where the function over single vectors starts: for what is left behind the blocks.
    pub(super) single: usize,
    /// The same for a part of a vector, if masks can leave out the other lanes.
    pub(super) tail: Option<usize>,
    /// The function over blocks.
    pub(super) block: usize,
    /// The same with streams written past the caches; they must be aligned to 64 bytes.
    pub(super) streaming: Option<usize>,
    /// Elements of a block.
    pub(super) elements: usize,
    /// Whether it takes elements again at the ends of rows.
    pub(super) overlaps: bool,
}

/// Which of the functions over a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Elements from one place to another.
    Whole,
    /// Elements from one place to another, in blocks; rows where there are some.
    Blocks,
    /// The same, and streams pass the caches.
    Streaming,
    /// Lanes behind the end are left out.
    Tail,
}

/// Writes the code of a line.
pub(super) fn assemble(line: &Line) -> Option<Code> {
    let registers = line.width.registers();
    let (mut bytes, peak) = Emitter::new(line, Form::Whole, &[]).emit()?;
    let add = |bytes: &mut Vec<u8>, line: &Line, form: Form, uniform: &[Value]| {
        let start = bytes.len();
        bytes.extend(Emitter::new(line, form, uniform).emit()?.0);
        Some(start)
    };
    let tail = match line.width {
        Width::Ymm => None,
        Width::Zmm => Some(add(&mut bytes, line, Form::Tail, &[])?),
    };
    let streams = !line.streams().is_empty();
    // Few elements of a row are taken twice.
    let by_two = line.rows.as_ref().is_none_or(|rows| {
        let block = 2 * line.lanes();
        rows.cols.is_multiple_of(block) || rows.cols >= 4 * block
    });
    let (blocks, wanted) = match (2 * peak <= registers, streams) {
        _ if !by_two => (line.clone(), peak),
        (abreast, true) => {
            let blocks = line.doubled(abreast);
            let (_, wanted) = Emitter::new(&blocks, Form::Whole, &[]).emit()?;
            (blocks, wanted)
        }
        (true, false) => (line.doubled(true), 2 * peak),
        (false, false) => (line.clone(), peak),
    };
    // What is the same for all elements keeps the registers that nobody else wants.
    let uses = uses(&blocks);
    let mut uniform: SmallVec<[Value; 16]> =
        (0..blocks.ops.len() as Value).filter(|&v| blocks.ops[v as usize].is_uniform()).collect();
    uniform.sort_by_key(|&v| std::cmp::Reverse(uses[v as usize].len()));
    uniform.truncate(registers.saturating_sub(wanted).min(registers - 4));
    let block = add(&mut bytes, &blocks, Form::Blocks, &uniform)?;
    let streaming = match streams && !blocks.overlaps() {
        true => Some(add(&mut bytes, &blocks, Form::Streaming, &uniform)?),
        false => None,
    };
    Some(Code { bytes, single: 0, tail, block, streaming, elements: blocks.round(), overlaps: blocks.overlaps() })
}

/// Whether the registers hold the values of two vectors side by side.
pub(super) fn fits_twice(line: &Line) -> bool {
    let peak = Emitter::new(line, Form::Whole, &[]).emit().map(|(_, peak)| peak);
    peak.is_some_and(|peak| 2 * peak <= line.width.registers())
}

/// A line on its way to code.
pub(super) struct Emitter<'a> {
    pub(super) line: &'a Line,
    form: Form,
    pub(super) asm: Assembler,
    /// Vectors behind the code, by the bits of their lanes.
    pub(super) pool: Vec<u64>,
    pub(super) uses: Vec<Uses>,
    /// The register of each value.
    pub(super) place: Vec<Option<Vector>>,
    /// Where values wait on the stack.
    pub(super) stacked: Vec<Option<i32>>,
    pub(super) holds: [Option<Value>; VECTORS],
    /// The values in the registers of masks.
    pub(super) masks: [Option<Value>; MASKS.len()],
    pub(super) hoisted: &'a [Value],
    /// Values that the operation at hand reads: they keep their registers.
    pub(super) pinned: SmallVec<[Value; 4]>,
    bases: SmallVec<[(SlotId, General); 11]>,
    pub(super) frame: i32,
    /// The most registers that were in use at once.
    pub(super) peak: usize,
    /// The operation at hand.
    pub(super) at: Value,
    /// No register was left. This does not happen; if it did, the line would be no code.
    pub(super) lost: bool,
    /// The rows that the code goes along.
    rows: Option<&'a Rows>,
}

impl<'a> Emitter<'a> {
    fn new(line: &'a Line, form: Form, hoisted: &'a [Value]) -> Self {
        let count = line.ops.len();
        let mut slots: SmallVec<[SlotId; 16]> = SmallVec::new();
        for op in &line.ops {
            if let Op::Load(slot, ..) | Op::Store(slot, ..) | Op::Stream(slot, ..) | Op::StoreFlags(slot, ..) = *op
                && !slots.contains(&slot)
            {
                slots.push(slot);
            }
        }
        let rows = line.rows.as_ref().filter(|_| matches!(form, Form::Blocks | Form::Streaming));
        let bases = if rows.is_some() { ROW_BASES } else { BASES.len() };
        Self {
            line,
            form,
            rows,
            asm: Assembler::new(line.width),
            pool: Vec::new(),
            uses: uses(line),
            place: vec![None; count],
            stacked: vec![None; count],
            holds: [None; VECTORS],
            masks: [None; MASKS.len()],
            hoisted,
            pinned: SmallVec::new(),
            bases: slots.into_iter().zip(BASES).take(bases).collect(),
            frame: 0,
            peak: 0,
            at: 0,
            lost: false,
        }
    }

    /// The code, and how many registers it wants.
    fn emit(mut self) -> Option<(Vec<u8>, usize)> {
        let mut kept: SmallVec<[General; 6]> = self.bases.iter().skip(FREE_BASES).map(|b| b.1).collect();
        if self.rows.is_some() {
            kept.extend([ROW, ROW_COUNT]);
        }
        kept.iter().for_each(|&r| self.asm.push(r));
        let opened = self.asm.add(STACK, 0);
        if self.is_tail() {
            self.asm.move_mask(TAIL, LEFT);
        }
        let round = self.line.round() as i32;
        let overlaps = self.rows.is_some() && self.line.overlaps();
        if self.rows.is_some() {
            self.asm.copy(ROW_COUNT, LEFT);
            self.asm.clear(ROW);
        }
        if overlaps {
            // Behind the last place where a whole round begins.
            self.asm.add(END, 1 - round);
        }
        self.spread(false);
        for &(slot, base) in &self.bases {
            self.asm.load(base, Address::at(TABLE, 8 * i32::from(slot)));
        }
        let next_row = self.asm.here();
        match self.rows {
            Some(_) => self.spread(true),
            None => self.asm.align_code(),
        }
        let top = self.asm.here();
        for &slot in &self.line.ahead {
            let next = self.element(slot, self.line.float.size(), 0);
            for offset in (0..round * self.line.float.size() as i32).step_by(CACHE_LINE) {
                self.asm.prefetch(Address { offset: AHEAD + offset, ..next });
            }
        }
        for at in 0..self.line.ops.len() {
            self.at = at as Value;
            self.operation(self.line.ops[at]);
        }
        self.asm.add(INDEX, round);
        self.asm.loop_while_below(INDEX, END, top);
        if overlaps {
            // What is left of the row, and some before it: the line writes nothing that it reads.
            self.asm.copy(SCRATCH, END);
            self.asm.add(SCRATCH, round - 1);
            let done = self.asm.jump_unless_below(INDEX, SCRATCH);
            self.asm.copy(INDEX, END);
            self.asm.add(INDEX, -1);
            self.asm.jump_back(top);
            self.asm.land(done);
        }
        if let Some(rows) = self.rows {
            self.asm.add(END, rows.cols as i32);
            self.asm.add(ROW, 1);
            self.asm.loop_while_below(ROW, ROW_COUNT, next_row);
        }
        self.asm.patch(opened, -self.frame);
        self.asm.add(STACK, self.frame);
        kept.iter().rev().for_each(|&r| self.asm.pop(r));
        self.asm.leave();
        (!self.lost).then(|| (self.asm.finish(&self.pool, self.line.float), self.peak))
    }

    /// Before the loop: spreads what is the same for all elements; or, before that over a row, what is the same for all of the row.
    fn spread(&mut self, by_row: bool) {
        for v in 0..self.line.ops.len() as Value {
            let op = self.line.ops[v as usize];
            let filled = match (op, self.rows) {
                (Op::Uniform(slot), Some(rows)) => {
                    rows.values.iter().find(|value| value.0 == slot).map(|value| value.1)
                }
                _ => None,
            };
            if filled.is_some() != by_row {
                continue;
            }
            let kept = self.hoisted.iter().position(|&h| h == v);
            let to = Vector(kept.unwrap_or(self.line.width.registers() - 1) as u8);
            match op {
                Op::Uniform(slot) => {
                    self.asm.load(SCRATCH, Address::at(TABLE, 8 * i32::from(slot)));
                    let scale = self.line.float.size().trailing_zeros() as u8;
                    let index = filled.map(|filled| (if filled { INDEX } else { ROW }, scale));
                    let from = Operand::Memory(Address { base: SCRATCH, index, offset: 0 });
                    self.asm.vector(Instruction::BROADCAST.of(self.line.float), to, None, from, None);
                    if kept.is_none() {
                        let at = self.stack();
                        self.stacked[v as usize] = Some(at);
                        self.asm.vector(Instruction::STORE, to, None, Operand::Memory(Address::at(STACK, at)), None);
                    }
                }
                Op::Constant(bits) if kept.is_some() => {
                    let from = self.constant(bits);
                    self.asm.vector(Instruction::LOAD, to, None, from, None);
                }
                _ => continue,
            }
            if kept.is_some() {
                self.place[v as usize] = Some(to);
                self.holds[to.0 as usize] = Some(v);
            }
        }
    }

    pub(super) fn is_tail(&self) -> bool {
        self.form == Form::Tail
    }

    fn operation(&mut self, op: Op) {
        self.pinned = op.operands();
        match op {
            // Leaves are read when they are needed.
            Op::Load(..) | Op::Uniform(_) | Op::Constant(_) => {}
            Op::One(i, byte, a) => {
                let last = self.last(a);
                let to = self.result();
                self.asm.vector(i, to, None, last, byte);
            }
            Op::Two(i, byte, a, b) => {
                let first = self.register(a);
                let last = self.last(b);
                let to = self.result();
                self.asm.vector(i, to, Some(first), last, byte);
            }
            Op::Fused { negative, a, b, c } => self.fused(negative, a, b, c),
            Op::Compare(p, a, b) => {
                let i = Instruction::COMPARE.of(self.line.float);
                let first = self.register(a);
                let last = self.last(b);
                match self.line.width {
                    Width::Ymm => {
                        let to = self.result();
                        self.asm.vector(i, to, Some(first), last, Some(p as u8));
                    }
                    Width::Zmm => {
                        let to = self.result_mask();
                        self.asm.write_mask(i, Under::All, to, Some(first), last, Some(p as u8));
                    }
                }
            }
            Op::CompareUnder(mask, p, a, b) => {
                let under = Under::Merge(self.mask(mask));
                let first = self.register(a);
                let last = self.last(b);
                let to = self.result_mask();
                self.asm.write_mask(
                    Instruction::COMPARE.of(self.line.float),
                    under,
                    to,
                    Some(first),
                    last,
                    Some(p as u8),
                );
            }
            Op::Keep(mask, i, a, b) => {
                let under = Under::Zero(self.mask(mask));
                let (first, last) = match b {
                    Some(b) => (Some(self.register(a)), self.last(b)),
                    None => (None, self.last(a)),
                };
                let to = self.result();
                self.asm.masked(i, under, to, first, last);
            }
            Op::Blend { mask, yes, no } if self.line.width == Width::Zmm => {
                let (under, no) = (Under::Merge(self.mask(mask)), self.register(no));
                let last = self.last(yes);
                let to = self.result();
                self.asm.masked(Instruction::BLEND_MASK.of(self.line.float), under, to, Some(no), last);
            }
            Op::Blend { mask, yes, no } => {
                let (mask, no) = (self.register(mask), self.register(no));
                let last = self.last(yes);
                let to = self.result();
                self.asm.vector(Instruction::BLEND.of(self.line.float), to, Some(no), last, Some(mask.0 << 4));
            }
            Op::Store(slot, a, part) | Op::Stream(slot, a, part) => {
                let from = self.register(a);
                let to = Operand::Memory(self.element(slot, self.line.float.size(), part));
                match (op, self.form) {
                    (_, Form::Tail) => {
                        let store = Instruction::STORE.of(self.line.float);
                        self.asm.masked(store, Under::Merge(TAIL), from, None, to);
                    }
                    (Op::Stream(..), Form::Streaming) => self.asm.vector(Instruction::STREAM, from, None, to, None),
                    _ => self.asm.vector(Instruction::STORE, from, None, to, None),
                }
                self.release();
            }
            Op::StoreFlags(slot, a, part) if self.line.width == Width::Zmm => self.store_mask(slot, a, part),
            Op::StoreFlags(slot, a, part) => self.store_flags(slot, a, part),
        }
    }

    /// The instructions write over one of their operands: one that nobody reads again, or else a copy.
    fn fused(&mut self, negative: bool, a: Value, b: Value, c: Value) {
        let [given_a, given_b, given_c] = [a, b, c].map(|v| self.gives_way(v));
        let [held_a, held_b, held_c] = [a, b, c].map(|v| self.place[v as usize].is_some());
        let over_sum = given_c || !(given_a || given_b) && (!held_c || held_a && held_b);
        // Factors may change places.
        let (over, first, last) = match over_sum {
            true if !held_a && held_b => (c, b, a),
            true => (c, a, b),
            false if given_a || !given_b && !held_a => (a, b, c),
            false => (b, a, c),
        };
        let first = self.register(first);
        let to = match (self.gives_way(over), self.place[over as usize]) {
            (true, Some(r)) => r,
            (_, from) => {
                let to = self.free();
                self.place[self.at as usize] = Some(to);
                self.holds[to.0 as usize] = Some(self.at);
                self.pinned.push(self.at);
                match from {
                    Some(r) => self.asm.vector(Instruction::LOAD, to, None, Operand::Register(r), None),
                    None => self.read(over, to),
                }
                to
            }
        };
        let last = self.last(last);
        let i = match (over_sum, negative) {
            (true, false) => Instruction::SUM,
            (true, true) => Instruction::SUM_NEGATIVE,
            (false, false) => Instruction::FACTOR,
            (false, true) => Instruction::FACTOR_NEGATIVE,
        };
        self.asm.vector(i, to, Some(first), last, None);
        self.release();
        self.hold(to);
    }

    fn store_flags(&mut self, slot: SlotId, a: Value, part: u8) {
        let from = self.register(a);
        let low = self.free();
        self.asm.vector(Instruction::UPPER, from, None, Operand::Register(low), Some(1));
        self.asm.vector(Instruction::PACK_32, low, Some(from), Operand::Register(low), None);
        self.asm.vector(Instruction::PACK_16, low, Some(low), Operand::Register(low), None);
        let store = match self.line.float {
            Float::F32 => Instruction::STORE_8,
            Float::F64 => {
                // Lanes of eight bytes have become two bytes each.
                self.asm.vector(Instruction::PACK_16, low, Some(low), Operand::Register(low), None);
                Instruction::STORE_4
            }
        };
        self.asm.vector(Instruction::ABS_BYTES, low, None, Operand::Register(low), None);
        let to = self.element(slot, 1, part);
        self.asm.vector(store, low, None, Operand::Memory(to), None);
        self.release();
    }

    fn store_mask(&mut self, slot: SlotId, a: Value, part: u8) {
        let mask = self.mask(a);
        let bytes = self.free();
        self.asm.vector(Instruction::BYTES_FROM_MASK, bytes, None, Operand::Mask(mask), None);
        self.asm.vector(Instruction::ABS_BYTES, bytes, None, Operand::Register(bytes), None);
        let to = Operand::Memory(self.element(slot, 1, part));
        match (self.is_tail(), self.line.float) {
            (true, _) => self.asm.masked(Instruction::STORE_BYTES, Under::Merge(TAIL), bytes, None, to),
            (false, Float::F32) => self.asm.vector(Instruction::STORE_BYTES, bytes, None, to, None),
            (false, Float::F64) => self.asm.vector(Instruction::STORE_8, bytes, None, to, None),
        }
        self.release();
    }

    /// The elements at the index, or a vector behind.
    pub(super) fn element(&mut self, slot: SlotId, size: usize, part: u8) -> Address {
        let base = match self.bases.iter().find(|b| b.0 == slot) {
            Some(&(_, base)) => base,
            None => {
                self.asm.load(SCRATCH, Address::at(TABLE, 8 * i32::from(slot)));
                SCRATCH
            }
        };
        let offset = i32::from(part) * (size * self.line.lanes()) as i32;
        Address { base, index: Some((INDEX, size.trailing_zeros() as u8)), offset }
    }
}
