//! What can be asked of a `Var` without computing, and the broadcasting that its methods insert.

use crate::graph::{IntoOp, NodeId, OpRef, Tape, Var};
use crate::meta::Meta;
use crate::operand::{Like, Operand};
use std::fmt;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Error;
use wengert_tensor::shape::Shape;

impl<'t> Var<'t> {
    /// The tape it was recorded on.
    pub fn tape(self) -> &'t Tape {
        self.tape
    }

    /// Its place on the tape.
    pub fn id(self) -> NodeId {
        self.id
    }

    /// The sizes of its axes; `[]` on a failed tape.
    pub fn shape(self) -> Shape {
        self.tape.meta(self.id).shape
    }

    /// Its element type; f32 on a failed tape.
    pub fn dtype(self) -> DType {
        self.tape.graph.borrow().nodes.get(self.id.index()).map_or(DType::F32, |node| node.meta.dtype)
    }

    /// Shape and element type.
    pub fn meta(self) -> Meta {
        self.tape.meta(self.id)
    }

    /// The number of axes.
    pub fn rank(self) -> usize {
        self.tape.graph.borrow().nodes.get(self.id.index()).map_or(0, |node| node.meta.shape.rank())
    }

    /// The number of elements.
    pub fn len(self) -> usize {
        self.tape.graph.borrow().nodes.get(self.id.index()).map_or(1, |node| node.meta.shape.len())
    }

    /// Whether it has no elements.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The size of an axis, which counts from the end when it is negative. An axis that is not there fails the tape; the
    /// answer is then 0.
    #[track_caller]
    pub fn dim(self, axis: isize) -> usize {
        let shape = self.shape();
        match shape.axis(axis) {
            Ok(axis) => shape[axis],
            Err(error) => {
                self.reject("dim", error);
                0
            }
        }
    }

    /// Fails the tape in the name of an operation on this value.
    #[track_caller]
    pub(crate) fn reject(self, op: &'static str, error: Error) -> Var<'t> {
        self.tape.reject(op, &[("operand", self)], error)
    }

    /// Says what the user calls a result that was composed from this value.
    pub(crate) fn named(self, name: &'static str, result: Var<'t>) -> Var<'t> {
        match result.id == self.id {
            true => self,
            false => self.tape.label(result, name, self.id.index().saturating_add(1)),
        }
    }

    /// Records an op on this value alone.
    #[track_caller]
    pub(crate) fn then(self, op: impl IntoOp) -> Var<'t> {
        self.tape.record(op, &[self])
    }

    /// Records an elementwise op on this value and another, after broadcasting both to their common shape.
    #[track_caller]
    pub(crate) fn with(self, op: OpRef, other: impl Operand<'t>) -> Var<'t> {
        let other = other.into_var(self.tape, Like::of(self));
        // Values of two dtypes are left as they are, so that the error shows them as the user wrote them.
        let common = if like_in(self, other, |a, b| a.dtype != b.dtype || a.shape == b.shape) {
            None
        } else {
            broadcast(self, other)
        };
        let (a, b) = common.unwrap_or((self, other));
        self.tape.record(op, &[a, b])
    }
}

/// Whether the shapes and element types of two values are alike in what is asked; true on a failed tape.
fn like_in(a: Var<'_>, b: Var<'_>, alike: impl Fn(&Meta, &Meta) -> bool) -> bool {
    let graph = a.tape.graph.borrow();
    match (graph.nodes.get(a.id.index()), graph.nodes.get(b.id.index())) {
        (Some(a), Some(b)) => alike(&a.meta, &b.meta),
        _ => true,
    }
}

/// Both values in their common shape; `None` when that is not needed, or when there is none and the op will say so.
#[track_caller]
pub(crate) fn broadcast<'t>(a: Var<'t>, b: Var<'t>) -> Option<(Var<'t>, Var<'t>)> {
    if !a.tape.owns(b) || like_in(a, b, |a, b| a.shape == b.shape) {
        return None;
    }
    let (left, right) = (a.shape(), b.shape());
    match (repeats_to(&right, &left), repeats_to(&left, &right)) {
        (true, _) => Some((a, b.broadcast_to(left))),
        (_, true) => Some((a.broadcast_to(right), b)),
        _ => {
            let shape = left.broadcast(&right).ok()?;
            Some((a.broadcast_to(&shape), b.broadcast_to(shape)))
        }
    }
}

/// Whether `from` becomes `to` by repetition alone: aligned at the last axis, each size is equal, or 1, or missing.
pub(crate) fn repeats_to(from: &Shape, to: &Shape) -> bool {
    from.rank() <= to.rank() && from.iter().rev().zip(to.iter().rev()).all(|(from, to)| from == to || *from == 1)
}

impl fmt::Debug for Var<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tape.graph.borrow().nodes.get(self.id.index()) {
            Some(node) => write!(f, "%{} {} {}", self.id.0, node.op.name(), node.meta),
            None => f.write_str("% failed"),
        }
    }
}
