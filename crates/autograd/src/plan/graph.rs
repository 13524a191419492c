//! The part of a tape that is asked for, as a list of nodes in order: what the passes of the planner work on.

use crate::class::{Class, IndexFn};
use crate::graph::OpRef;
use crate::hash::{Mixer, Table};
use crate::meta::Meta;
use smallvec::SmallVec;
use wengert_tensor::layout::Layout;

/// What a node of the graph is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// A tensor bound at run time, by its ordinal on the tape. Its layout starts at element 0 of what is bound.
    Tensor(u32, Layout),
    /// A scalar bound at run time, by its ordinal on the tape; it fills the node's shape.
    Scalar(u32),
    /// An op.
    Op(OpRef),
    /// The same value at every place of the shape.
    Fill(wengert_tensor::dtype::Scalar),
}

/// One node. Operands come before their users.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) inputs: SmallVec<[u32; 3]>,
    pub(crate) meta: Meta,
    /// Structural hash of the tape's node that this one computes, to find it again when a kernel fails.
    pub(crate) origin: u128,
}

impl Node {
    /// How the node may be run.
    pub(crate) fn class(&self) -> Class<'_> {
        match &self.kind {
            Kind::Op(op) => op.class(),
            Kind::Fill(value) => Class::Index(IndexFn::Fill(*value)),
            Kind::Tensor(..) | Kind::Scalar(_) => Class::Leaf,
        }
    }
}

/// A graph and what is wanted of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) outputs: Vec<u32>,
}

/// Builds a graph in which equal nodes are one.
#[derive(Default)]
pub(crate) struct Builder {
    pub(crate) graph: Graph,
    known: Table<u128, u32>,
}

impl Builder {
    /// Adds a node, or finds the equal one.
    pub(crate) fn add(&mut self, node: Node) -> u32 {
        let mut mixer = Mixer::new(7);
        match &node.kind {
            Kind::Tensor(ordinal, _) => mixer.word(u64::from(*ordinal) << 2),
            Kind::Scalar(ordinal) => mixer.word(u64::from(*ordinal) << 2 | 1),
            Kind::Fill(value) => {
                mixer.word(2);
                mixer.word(value.bits());
            }
            Kind::Op(op) => {
                mixer.word(3);
                op.feed(&mut mixer);
            }
        }
        mixer.word(node.meta.dtype as u64);
        for &d in node.meta.shape.iter() {
            mixer.word(d as u64);
        }
        for &i in &node.inputs {
            mixer.word(u64::from(i));
        }
        let graph = &mut self.graph;
        *self.known.entry(mixer.wide_finish()).or_insert_with(|| {
            graph.nodes.push(node);
            graph.nodes.len() as u32 - 1
        })
    }
}
