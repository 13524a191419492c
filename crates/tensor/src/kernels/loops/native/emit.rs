//! From a line to machine code: a loop whose values live in vector registers.
//!
//! Leaves are read where they are needed, by the instruction itself if nobody else needs them. What is the same for all elements is
//! spread over a vector before the loop, and keeps a register if one is left.

use crate::kernels::loops::code::SlotId;
use crate::kernels::loops::native::allocate::{Uses, uses};
use crate::kernels::loops::native::assembler::{
    Address, Assembler, Float, General, Instruction, Operand, VECTORS, Vector,
};
use crate::kernels::loops::native::line::{Line, Op, Value};
use smallvec::SmallVec;

/// The arguments: the table of pointers, the element that the loop is at, and the one where it ends.
const TABLE: General = General::Rdi;
const INDEX: General = General::Rsi;
const END: General = General::Rdx;
/// For pointers that have no register.
const SCRATCH: General = General::R11;
pub(super) const STACK: General = General::Rsp;
/// Registers for pointers; the function must restore those behind the first [`FREE_BASES`].
const BASES: [General; 11] = {
    use General::*;
    [Rax, Rcx, R8, R9, R10, Rbx, Rbp, R12, R13, R14, R15]
};
const FREE_BASES: usize = 5;
/// How far ahead of its use memory is fetched.
const AHEAD: i32 = 512;

/// The code of a line: functions over the elements from one place to another.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) bytes: Vec<u8>,
    /// Where the function over single vectors starts: for what is left behind the blocks.
    pub(super) single: usize,
    /// The function over blocks.
    pub(super) block: usize,
    /// The same with streams written past the caches; they must be aligned to 64 bytes.
    pub(super) streaming: Option<usize>,
    /// Elements of a block.
    pub(super) elements: usize,
}

/// Writes the code of a line.
pub(super) fn assemble(line: &Line) -> Option<Code> {
    let (mut bytes, peak) = Emitter::new(line, false, &[]).emit()?;
    let streams = !line.streams().is_empty();
    let (blocks, wanted) = match (2 * peak <= VECTORS, streams) {
        (abreast, true) => {
            let blocks = line.doubled(abreast);
            let (_, wanted) = Emitter::new(&blocks, false, &[]).emit()?;
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
    uniform.truncate(VECTORS.saturating_sub(wanted).min(VECTORS - 4));
    let block = bytes.len();
    bytes.extend(Emitter::new(&blocks, false, &uniform).emit()?.0);
    let mut streaming = None;
    if streams {
        streaming = Some(bytes.len());
        bytes.extend(Emitter::new(&blocks, true, &uniform).emit()?.0);
    }
    let elements = blocks.vectors * blocks.float.lanes();
    Some(Code { bytes, single: 0, block, streaming, elements })
}

/// A line on its way to code.
pub(super) struct Emitter<'a> {
    pub(super) line: &'a Line,
    stream: bool,
    pub(super) asm: Assembler,
    pub(super) pool: Vec<[u8; 32]>,
    pub(super) uses: Vec<Uses>,
    /// The register of each value.
    pub(super) place: Vec<Option<Vector>>,
    /// Where values wait on the stack.
    pub(super) stacked: Vec<Option<i32>>,
    pub(super) holds: [Option<Value>; VECTORS],
    pub(super) hoisted: &'a [Value],
    /// Values that the operation at hand reads: they keep their registers.
    pub(super) pinned: SmallVec<[Value; 3]>,
    bases: SmallVec<[(SlotId, General); 11]>,
    pub(super) frame: i32,
    /// The most registers that were in use at once.
    pub(super) peak: usize,
    /// The operation at hand.
    pub(super) at: Value,
    /// No register was left. This does not happen; if it did, the line would be no code.
    pub(super) lost: bool,
}

impl<'a> Emitter<'a> {
    fn new(line: &'a Line, stream: bool, hoisted: &'a [Value]) -> Self {
        let count = line.ops.len();
        let mut slots: SmallVec<[SlotId; 16]> = SmallVec::new();
        for op in &line.ops {
            if let Op::Load(slot, ..) | Op::Store(slot, ..) | Op::Stream(slot, ..) | Op::StoreFlags(slot, ..) = *op
                && !slots.contains(&slot)
            {
                slots.push(slot);
            }
        }
        Self {
            line,
            stream,
            asm: Assembler::default(),
            pool: Vec::new(),
            uses: uses(line),
            place: vec![None; count],
            stacked: vec![None; count],
            holds: [None; VECTORS],
            hoisted,
            pinned: SmallVec::new(),
            bases: slots.into_iter().zip(BASES).collect(),
            frame: 0,
            peak: 0,
            at: 0,
            lost: false,
        }
    }

    /// The code, and how many registers it wants.
    fn emit(mut self) -> Option<(Vec<u8>, usize)> {
        let kept: SmallVec<[General; 6]> = self.bases.iter().skip(FREE_BASES).map(|b| b.1).collect();
        kept.iter().for_each(|&r| self.asm.push(r));
        let opened = self.asm.add(STACK, 0);
        self.spread();
        for &(slot, base) in &self.bases {
            self.asm.load(base, Address::at(TABLE, 8 * i32::from(slot)));
        }
        self.asm.align_code();
        let top = self.asm.here();
        for &slot in &self.line.ahead {
            let next = self.element(slot, self.line.float.size(), 0);
            self.asm.prefetch(Address { offset: AHEAD, ..next });
        }
        for at in 0..self.line.ops.len() {
            self.at = at as Value;
            self.operation(self.line.ops[at]);
        }
        self.asm.add(INDEX, (self.line.vectors * self.line.float.lanes()) as i32);
        self.asm.loop_while_below(INDEX, END, top);
        self.asm.patch(opened, -self.frame);
        self.asm.add(STACK, self.frame);
        kept.iter().rev().for_each(|&r| self.asm.pop(r));
        self.asm.leave();
        (!self.lost).then(|| (self.asm.finish(&self.pool), self.peak))
    }

    /// Before the loop: spreads what is the same for all elements.
    fn spread(&mut self) {
        for v in 0..self.line.ops.len() as Value {
            let op = self.line.ops[v as usize];
            let kept = self.hoisted.iter().position(|&h| h == v);
            let to = Vector(kept.unwrap_or(VECTORS - 1) as u8);
            match op {
                Op::Uniform(slot) => {
                    self.asm.load(SCRATCH, Address::at(TABLE, 8 * i32::from(slot)));
                    let from = Operand::Memory(Address::at(SCRATCH, 0));
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
            Op::Blend { mask, yes, no } => {
                let (mask, no) = (self.register(mask), self.register(no));
                let last = self.last(yes);
                let to = self.result();
                self.asm.vector(Instruction::BLEND.of(self.line.float), to, Some(no), last, Some(mask.0 << 4));
            }
            Op::Store(slot, a, part) | Op::Stream(slot, a, part) => {
                let i = match op {
                    Op::Stream(..) if self.stream => Instruction::STREAM,
                    _ => Instruction::STORE,
                };
                let from = self.register(a);
                let to = self.element(slot, self.line.float.size(), part);
                self.asm.vector(i, from, None, Operand::Memory(to), None);
                self.release();
            }
            Op::StoreFlags(slot, a, part) => self.store_flags(slot, a, part),
        }
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

    /// The elements at the index, or a vector behind.
    pub(super) fn element(&mut self, slot: SlotId, size: usize, part: u8) -> Address {
        let base = match self.bases.iter().find(|b| b.0 == slot) {
            Some(&(_, base)) => base,
            None => {
                self.asm.load(SCRATCH, Address::at(TABLE, 8 * i32::from(slot)));
                SCRATCH
            }
        };
        let offset = i32::from(part) * (size * self.line.float.lanes()) as i32;
        Address { base, index: Some((INDEX, size.trailing_zeros() as u8)), offset }
    }
}
