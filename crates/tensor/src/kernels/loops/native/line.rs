//! A straight line of operations on vectors, each value assigned once: what a run of maps becomes before it is code.

use crate::kernels::loops::code::SlotId;
use crate::kernels::loops::native::assembler::{Float, Instruction, Predicate, Width};
use smallvec::SmallVec;

/// A value of a line, by the place of its operation.
pub(super) type Value = u16;

/// Which elements a load reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Floats of the line's type.
    Floats,
    /// Bytes 0 and 1, to lanes of no bits and all bits.
    Flags,
    /// i32, to the nearest float.
    Integers,
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Op {
    /// The elements at a slot. Here and in the stores the last number counts the vectors of a block.
    Load(SlotId, Kind, u8),
    /// The first float at a slot, in each lane.
    Uniform(SlotId),
    /// These bits in each lane.
    Constant(u64),
    /// An instruction of one operand.
    One(Instruction, Option<u8>, Value),
    /// An instruction of two operands.
    Two(Instruction, Option<u8>, Value, Value),
    /// `a · b + c` with one rounding, or `c − a · b`; of f32.
    Fused { negative: bool, a: Value, b: Value, c: Value },
    /// The mask of a comparison.
    Compare(Predicate, Value, Value),
    /// The mask of a comparison where another mask is set; of wide vectors only, as is the next.
    CompareUnder(Value, Predicate, Value, Value),
    /// An instruction of one operand or two where a mask is set, else zero.
    Keep(Value, Instruction, Value, Option<Value>),
    /// `yes` where the bits of the mask are set, else `no`.
    Blend { mask: Value, yes: Value, no: Value },
    /// Writes floats to a slot.
    Store(SlotId, Value, u8),
    /// Writes floats past the caches, where the slot is aligned for it.
    Stream(SlotId, Value, u8),
    /// Writes masks as bytes 0 and 1.
    StoreFlags(SlotId, Value, u8),
}

impl Op {
    /// The same for a vector of a block, whose values are found by `moved`.
    fn of(self, part: u8, moved: impl Fn(Value) -> Value) -> Self {
        match self {
            Op::Load(slot, kind, _) => Op::Load(slot, kind, part),
            Op::Uniform(_) | Op::Constant(_) => self,
            Op::One(i, byte, a) => Op::One(i, byte, moved(a)),
            Op::Two(i, byte, a, b) => Op::Two(i, byte, moved(a), moved(b)),
            Op::Fused { negative, a, b, c } => Op::Fused { negative, a: moved(a), b: moved(b), c: moved(c) },
            Op::Compare(p, a, b) => Op::Compare(p, moved(a), moved(b)),
            Op::CompareUnder(mask, p, a, b) => Op::CompareUnder(moved(mask), p, moved(a), moved(b)),
            Op::Keep(mask, i, a, b) => Op::Keep(moved(mask), i, moved(a), b.map(moved)),
            Op::Blend { mask, yes, no } => Op::Blend { mask: moved(mask), yes: moved(yes), no: moved(no) },
            Op::Store(slot, a, _) => Op::Store(slot, moved(a), part),
            Op::Stream(slot, a, _) => Op::Stream(slot, moved(a), part),
            Op::StoreFlags(slot, a, _) => Op::StoreFlags(slot, moved(a), part),
        }
    }

    /// The values that it reads.
    pub(super) fn operands(&self) -> SmallVec<[Value; 4]> {
        match *self {
            Op::Load(..) | Op::Uniform(_) | Op::Constant(_) => SmallVec::new(),
            Op::One(_, _, a) => SmallVec::from_slice(&[a]),
            Op::Store(_, a, _) | Op::Stream(_, a, _) | Op::StoreFlags(_, a, _) => SmallVec::from_slice(&[a]),
            Op::Two(_, _, a, b) | Op::Compare(_, a, b) => SmallVec::from_slice(&[a, b]),
            Op::CompareUnder(mask, _, a, b) => SmallVec::from_slice(&[mask, a, b]),
            Op::Keep(mask, _, a, b) => [mask, a].into_iter().chain(b).collect(),
            Op::Fused { a, b, c, .. } => SmallVec::from_slice(&[a, b, c]),
            Op::Blend { mask, yes, no } => SmallVec::from_slice(&[no, yes, mask]),
        }
    }

    /// Whether it is the same for all elements.
    pub(super) fn is_uniform(&self) -> bool {
        matches!(self, Op::Uniform(_) | Op::Constant(_))
    }
}

/// Operations in order.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) float: Float,
    pub(super) width: Width,
    pub(super) ops: Vec<Op>,
    /// How many vectors a round of the loop takes.
    pub(super) vectors: usize,
    /// Slots to fetch ahead of their use.
    pub(super) ahead: SmallVec<[SlotId; 8]>,
    /// Where the tile holds several rows and the line reads values of rows: how.
    pub(super) rows: Option<Rows>,
}

/// A line that goes along one row after another.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    /// Elements of a row: a vector or more.
    pub(super) cols: usize,
    /// The slots of values of rows, each with whether it is filled into a tile: then its element is the first of the row, else the one with
    /// the row's number.
    pub(super) values: SmallVec<[(SlotId, bool); 4]>,
}

impl Line {
    pub(super) fn new(float: Float, width: Width) -> Self {
        Self { float, width, ops: Vec::with_capacity(64), vectors: 1, ahead: SmallVec::new(), rows: None }
    }

    /// Lanes of a vector.
    pub(super) fn lanes(&self) -> usize {
        self.width.bytes() / self.float.size()
    }

    pub(super) fn push(&mut self, op: Op) -> Value {
        self.ops.push(op);
        (self.ops.len() - 1) as Value
    }

    /// As `push`, but found again if it is there already.
    pub(super) fn once(&mut self, op: Op) -> Value {
        match self.ops.iter().position(|o| *o == op) {
            Some(at) => at as Value,
            None => self.push(op),
        }
    }

    /// Whether it holds a function of many instructions.
    pub(super) fn is_long(&self) -> bool {
        self.ops.iter().any(|op| matches!(op, Op::Fused { .. }))
    }

    /// Elements of a round of the loop.
    pub(super) fn round(&self) -> usize {
        self.vectors * self.lanes()
    }

    /// Whether the last round of a row takes some elements again.
    pub(super) fn overlaps(&self) -> bool {
        self.rows.as_ref().is_some_and(|rows| !rows.cols.is_multiple_of(self.round()))
    }

    /// The line over blocks of two vectors, each step for both before the next, or else one vector after the other.
    ///
    /// Streams come last, both vectors together. Only whole lines of the cache pass it by well; and large buffers begin at equal
    /// offsets of a page, so that a load behind a store of the same round would look as if it read what is on its way to memory.
    pub(super) fn doubled(&self, abreast: bool) -> Self {
        let ops = Vec::with_capacity(2 * self.ops.len());
        let mut double = Self { ops, vectors: 2, ahead: self.ahead.clone(), rows: self.rows.clone(), ..*self };
        let mut places: Vec<[Value; 2]> = vec![[0; 2]; self.ops.len()];
        let mut write = |at: usize, part: u8| {
            let op = self.ops[at].of(part, |v| places[v as usize][part as usize]);
            places[at][part as usize] = match part == 1 && op.is_uniform() {
                true => places[at][0],
                false => double.push(op),
            };
        };
        let last = |op: &Op| matches!(op, Op::Stream(..) | Op::Store(..) | Op::StoreFlags(..));
        let (stores, others): (Vec<usize>, Vec<usize>) = (0..self.ops.len()).partition(|&at| last(&self.ops[at]));
        match abreast {
            true => others.iter().for_each(|&at| (0..2).for_each(|part| write(at, part))),
            false => (0..2).for_each(|part| others.iter().for_each(|&at| write(at, part))),
        }
        stores.iter().for_each(|&at| (0..2).for_each(|part| write(at, part)));
        double
    }

    /// The slots that it reads along the tile, each with the bytes of an element.
    pub(super) fn reads(&self) -> SmallVec<[(SlotId, u8); 8]> {
        let size = self.float.size() as u8;
        let read = |op: &Op| match *op {
            Op::Load(slot, Kind::Floats, _) => Some((slot, size)),
            Op::Load(slot, Kind::Flags, _) => Some((slot, 1)),
            Op::Load(slot, Kind::Integers, _) => Some((slot, 4)),
            _ => None,
        };
        let mut reads: SmallVec<[(SlotId, u8); 8]> = self.ops.iter().filter_map(read).collect();
        reads.sort_unstable();
        reads.dedup_by_key(|read| read.0);
        reads
    }

    /// The slots that it writes, each with the bytes of an element.
    pub(super) fn writes(&self) -> SmallVec<[(SlotId, u8); 8]> {
        let size = self.float.size() as u8;
        let written = |op: &Op| match *op {
            Op::Store(slot, ..) | Op::Stream(slot, ..) => Some((slot, size)),
            Op::StoreFlags(slot, ..) => Some((slot, 1)),
            _ => None,
        };
        self.ops.iter().filter_map(written).collect()
    }

    /// Each slot that is read by an operation behind one that writes to another, with that one.
    ///
    /// A load is carried out where its value is used, so it is the uses that count.
    pub(super) fn late(&self) -> SmallVec<[(SlotId, SlotId); 4]> {
        let mut late = SmallVec::new();
        for (at, op) in self.ops.iter().enumerate() {
            let (Op::Store(to, ..) | Op::Stream(to, ..) | Op::StoreFlags(to, ..)) = *op else { continue };
            for behind in &self.ops[at + 1..] {
                for v in behind.operands() {
                    if let Op::Load(from, ..) | Op::Uniform(from) = self.ops[v as usize] {
                        late.push((from, to));
                    }
                }
            }
        }
        late.sort_unstable();
        late.dedup();
        late
    }

    /// The slots that it streams to.
    pub(super) fn streams(&self) -> SmallVec<[SlotId; 4]> {
        let streamed = |op: &Op| if let Op::Stream(slot, ..) = *op { Some(slot) } else { None };
        self.ops.iter().filter_map(streamed).collect()
    }

    /// Its slots, in the order of use, some more than once.
    pub(super) fn slots_mut(&mut self) -> impl Iterator<Item = &mut SlotId> {
        self.ops.iter_mut().filter_map(|op| match op {
            Op::Load(slot, ..) | Op::Uniform(slot) => Some(slot),
            Op::Store(slot, ..) | Op::Stream(slot, ..) | Op::StoreFlags(slot, ..) => Some(slot),
            _ => None,
        })
    }
}
