//! Steps that run for one part of their values after another, so that what lies between them takes the room of one part.
//!
//! A product and the loop behind it, run one after the other, write and read a value that may be larger than any cache. Where all of them can
//! do a part of their work from a part of each other's results (one example, one head, some rows), a chain does: the parts in between
//! stay in the cache, and no memory holds the whole.

use crate::kernels::matmul::Which;
use crate::program::region::{ARENA, Region};
use crate::program::{Buffers, Step};
use smallvec::SmallVec;

/// Where an operand of a chain lies, for each part.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slices {
    /// The whole operand.
    pub region: Region,
    /// Where the first part begins, in bytes from the start of the region.
    pub offset: usize,
    /// The parts, as axes from the outermost: extent, and bytes from one to the next.
    pub axes: SmallVec<[(usize, isize); 4]>,
}

impl Slices {
    /// Where a part begins, in bytes from the start of the region.
    pub fn start(&self, part: usize) -> isize {
        let (mut part, mut start) = (part, self.offset as isize);
        for &(extent, stride) in self.axes.iter().rev() {
            let at = part % extent.max(1);
            part /= extent.max(1);
            start = start.saturating_add(stride.saturating_mul(at as isize));
        }
        start
    }

    /// Whether there are so many parts, all within the region, if each has `len` bytes.
    pub(super) fn fit(&self, parts: usize, len: usize) -> bool {
        let (mut low, mut high) = (self.offset as i128, self.offset as i128 + len as i128);
        for &(extent, stride) in &self.axes {
            let reach = (extent.max(1) - 1) as i128 * stride as i128;
            low += reach.min(0);
            high += reach.max(0);
        }
        let count = self.axes.iter().try_fold(1usize, |all, axis| all.checked_mul(axis.0));
        count == Some(parts) && low >= 0 && high <= self.region.len as i128
    }
}

/// Whether an operand whose parts lie along these axes is one and the same for so many parts that run in order.
pub fn is_fixed(axes: &[(usize, isize)], in_order: usize) -> bool {
    let mut left = in_order;
    axes.iter().rev().all(|&(extent, stride)| {
        let still = left == 1 || (stride == 0 && (left.is_multiple_of(extent) || extent.is_multiple_of(left)));
        left = left.div_ceil(extent.max(1));
        still
    })
}

/// Steps over the parts of their operands.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Loops, products and calls over the buffers of one part. The arena holds what lies between them.
    pub steps: Vec<Step>,
    /// The sizes of these.
    pub buffers: Buffers,
    /// The inputs and outputs of each part.
    pub operands: Vec<Slices>,
    /// The number of parts.
    pub parts: usize,
    /// So many parts after one another run in order, each behind the one before: later ones add to what earlier ones wrote.
    pub in_order: usize,
    /// Room for the arenas of some parts that run at the same time.
    pub room: Region,
}

impl Chain {
    /// Bytes of the arena of one part, so that each begins at a cache line.
    pub fn pitch(&self) -> usize {
        Chain::pitch_of(self.buffers.arena)
    }

    /// As [`Chain::pitch`], of an arena of so many bytes.
    pub fn pitch_of(arena: usize) -> usize {
        arena.next_multiple_of(64).max(64)
    }

    /// How many parts may run at the same time.
    pub(crate) fn rooms(&self) -> usize {
        self.room.len / self.pitch()
    }

    /// A rough estimate of the time of all parts on one thread.
    pub fn cost_ns(&self) -> u64 {
        self.steps.iter().map(Step::cost_ns).sum::<u64>().saturating_mul(self.parts as u64)
    }

    /// Whether it takes long enough to be shared between threads.
    pub fn is_shared(&self) -> bool {
        const SHARED_NS: u64 = 25_000;
        self.parts > self.in_order && self.cost_ns() >= SHARED_NS
    }

    /// Whether a part finds a copy of an operand as an earlier one has left it: in the room, apart from what any other step writes, and the
    /// operand is the same for all parts that run in order.
    fn stays(&self, at: usize, operand: &Region, copy: &Region) -> bool {
        let input = (operand.buffer as usize).checked_sub(1).and_then(|input| self.inputs().get(input));
        let apart = self.steps.iter().enumerate().all(|(i, step)| {
            let other = match step {
                Step::MatMul { copy: Some((_, other)), .. } => i != at && other.overlaps(copy),
                _ => false,
            };
            !other && step.writes().iter().all(|region| !region.overlaps(copy))
        });
        copy.buffer == ARENA && apart && input.is_some_and(|input| is_fixed(&input.axes, self.in_order))
    }

    /// What parts read.
    pub fn inputs(&self) -> &[Slices] {
        self.operands.get(..self.buffers.inputs.len()).unwrap_or_default()
    }

    /// What parts write.
    pub fn outputs(&self) -> &[Slices] {
        self.operands.get(self.buffers.inputs.len()..).unwrap_or_default()
    }

    /// Whether the parts are what they must be, apart from what a [`Program`](crate::program::Program) checks of any step.
    pub(super) fn is_sound(&self) -> bool {
        let lengths = self.buffers.inputs.iter().chain(&self.buffers.outputs);
        let within = self.operands.iter().zip(lengths.clone()).all(|(operand, &len)| operand.fit(self.parts, len));
        // Results of different parts lie behind each other; those that run in order may share theirs.
        let runs = self.parts / self.in_order.max(1);
        let follow = self.outputs().iter().zip(&self.buffers.outputs).all(|(output, &len)| {
            output.offset == 0
                && match output.axes[..] {
                    [(parts, bytes)] => parts == self.parts && bytes == len as isize,
                    [(outer, bytes), (inner, 0)] => (outer, inner) == (runs, self.in_order) && bytes == len as isize,
                    _ => false,
                }
        });
        let plain = self.steps.iter().enumerate().all(|(at, step)| match step {
            Step::Loop(code) => code.workspace_bytes() == 0,
            Step::MatMul { a, b, copy, .. } => {
                copy.is_none_or(|(of, copy)| self.stays(at, if of == Which::A { &a.0 } else { &b.0 }, &copy))
            }
            Step::Call { .. } => true,
            Step::Chain(_) => false,
        });
        lengths.count() == self.operands.len()
            && self.in_order > 0
            && self.parts.is_multiple_of(self.in_order)
            && self.room.buffer == ARENA
            && self.room.offset.is_multiple_of(64)
            && self.rooms() > 0
            && within
            && follow
            && plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operand_is_fixed_while_its_parts_do_not_move() {
        // Two heads of three strips.
        let (keys, queries, weights) = ([(2, 64), (3, 0)], [(2, 96), (3, 32)], [(6, 0)]);
        for (in_order, fixed) in
            [(1, [true; 3]), (3, [true, false, true]), (6, [false, false, true]), (2, [false, false, true])]
        {
            let found = [is_fixed(&keys, in_order), is_fixed(&queries, in_order), is_fixed(&weights, in_order)];
            assert_eq!(found, fixed, "{in_order} in order");
        }
    }
}
