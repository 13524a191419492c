//! What an op is told when it runs for a whole batch.

use crate::graph::{IntoOp, Tape, Var};
use crate::meta::Meta;
use crate::ops::broadcast::Broadcast;
use smallvec::SmallVec;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::{Axes, Shape};

/// The operands of an op that runs for a batch. A mapped operand has one axis more than the op expects, in front: the
/// examples. The others are the same for every example.
#[derive(Debug)]
pub struct Batch<'a, 't> {
    pub(crate) tape: &'t Tape,
    pub(crate) size: usize,
    pub(crate) operands: &'a [(Var<'t>, bool)],
    pub(crate) randomness: Randomness,
}

/// What random ops inside a batched closure draw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Randomness {
    /// Every example its own numbers.
    #[default]
    Different,
    /// All examples the same numbers.
    Same,
}

impl<'t> Batch<'_, 't> {
    /// How many examples there are.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The tape.
    pub fn tape(&self) -> &'t Tape {
        self.tape
    }

    /// What random ops draw.
    pub fn randomness(&self) -> Randomness {
        self.randomness
    }

    /// Operand i, and whether it is mapped.
    pub fn operand(&self, i: usize) -> Option<(Var<'t>, bool)> {
        self.operands.get(i).copied()
    }

    /// Operand i with the axis of the examples; one that is the same for all is repeated, without a copy.
    pub fn mapped(&self, i: usize) -> Option<Var<'t>> {
        let (var, mapped) = self.operand(i)?;
        match mapped {
            true => Some(var),
            false => self.repeated(var).ok(),
        }
    }

    /// All operands with the axis of the examples.
    pub fn all(&self) -> SmallVec<[Var<'t>; 3]> {
        (0..self.operands.len()).filter_map(|i| self.mapped(i)).collect()
    }

    /// The same op on all operands, each with the axis of the examples.
    pub fn same(&self, op: impl IntoOp) -> Option<Var<'t>> {
        Some(self.tape.record(op, &self.all()))
    }

    fn repeated(&self, var: Var<'t>) -> Result<Var<'t>> {
        let shape = var.shape().insert(0, self.size)?;
        Ok(self.tape.record(Broadcast { shape }, &[var]))
    }
}

/// Axes of one example as axes of the batch.
pub(crate) fn shifted(axes: &[usize]) -> Axes {
    axes.iter().map(|axis| axis + 1).collect()
}

/// The shape of a batch whose examples have this shape.
pub(crate) fn stacked(size: usize, shape: &Shape) -> Option<Shape> {
    shape.insert(0, size).ok()
}

/// That a batch has the shape and dtype that its examples promise.
pub(crate) fn check(batch: &Meta, size: usize, example: &Meta) -> Result<()> {
    match batch.dtype == example.dtype && Some(&batch.shape) == stacked(size, &example.shape).as_ref() {
        true => Ok(()),
        false => Err(Error::state(format!("its rule for batches gave {batch} for {size} examples of {example}"))),
    }
}
