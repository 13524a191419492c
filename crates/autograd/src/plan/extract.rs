//! The nodes that an answer needs, in order, with what is bound at run time as leaves.

use crate::class::Class;
use crate::frame::{asked, framed};
use crate::graph::{Graph as Recorded, Leaf, Node as RecordedNode, NodeId, Source};
use crate::hash::Table;
use crate::meta::Meta;
use crate::plan::graph::{Graph, Kind, Node};
use smallvec::SmallVec;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::layout::Layout;
use wengert_tensor::tensor::Tensor;

/// The layout of a bound tensor, from the first element that it reads.
fn bound_layout(tensor: &Tensor) -> Result<Layout> {
    let layout = tensor.layout();
    let low = layout.bounds().map_or(layout.offset(), |(low, _)| low);
    Layout::new(layout.shape().clone(), layout.strides(), layout.offset() - low)
}

/// The bytes of a bound tensor, from the first element that it reads to the last.
pub(crate) fn bound_bytes(tensor: &Tensor) -> &[u8] {
    let size = tensor.dtype().size();
    match tensor.layout().bounds() {
        Some((low, high)) => tensor.storage().bytes().get(low * size..(high + 1) * size).unwrap_or(&[]),
        None => &[],
    }
}

/// The nodes that `outputs` need, operands first.
///
/// # Errors
/// When a node is not on the tape.
pub(crate) fn needed(recorded: &Recorded, outputs: &[NodeId]) -> Result<Vec<NodeId>> {
    // Operands have lower numbers than their users, so one list, sorted, is an order.
    let mut needed: Vec<NodeId> = Vec::new();
    let mut seen: Vec<bool> = vec![false; recorded.nodes.len()];
    let mut stack: Vec<NodeId> = outputs.to_vec();
    while let Some(id) = stack.pop() {
        match seen.get_mut(id.index()) {
            Some(seen) if !*seen => *seen = true,
            Some(_) => continue,
            None => return Err(Error::state("a value that was never recorded")),
        }
        needed.push(id);
        let node = recorded.node(id)?;
        for &input in node.inputs.iter().take(read(node)) {
            if let Source::Node(input) = recorded.source(id, input) {
                stack.push(input);
            }
        }
    }
    needed.sort_unstable();
    Ok(needed)
}

/// The part of a tape that `outputs` need. An output that has a value is not computed again.
///
/// # Errors
/// When a node is not on the tape.
pub(crate) fn extract(recorded: &Recorded, outputs: &[NodeId]) -> Result<Graph> {
    let needed = needed(recorded, outputs)?;
    let mut graph = Graph { nodes: Vec::with_capacity(needed.len() + 16), outputs: Vec::with_capacity(outputs.len()) };
    let mut place: Vec<u32> = vec![u32::MAX; recorded.nodes.len()];
    let mut leaves: Table<u32, u32> = Table::default();
    for &id in &needed {
        let node = recorded.node(id)?;
        let at = if node.inputs.is_empty()
            && node.leaf_since == NodeId(0)
            && recorded.leaves.get(node.leaf as usize).is_some()
        {
            leaf(recorded, &mut graph, &mut leaves, node.leaf, &node.meta, node.hash)?
        } else {
            if matches!(node.op.class(), Class::Leaf) {
                let error = Error::state("inside of vmap, a loop, a branch or a checkpoint there is no value yet")
                    .help("return it from the closure, and ask for its value outside");
                return Err(match outputs {
                    [one] => asked(recorded, node, *one, error),
                    _ => framed(recorded, error, node.origin()),
                });
            }
            let mut inputs: SmallVec<[u32; 3]> = SmallVec::with_capacity(node.inputs.len());
            for &input in node.inputs.iter().take(read(node)) {
                inputs.push(match recorded.source(id, input) {
                    Source::Node(input) => place.get(input.index()).copied().unwrap_or(u32::MAX),
                    Source::Leaf(ordinal) => {
                        let of = recorded.node(input)?;
                        leaf(recorded, &mut graph, &mut leaves, ordinal, &of.meta, of.hash)?
                    }
                });
            }
            graph.nodes.push(Node {
                kind: Kind::Op(node.op.clone()),
                inputs,
                meta: node.meta.clone(),
                origin: node.hash,
            });
            graph.nodes.len() as u32 - 1
        };
        if let Some(slot) = place.get_mut(id.index()) {
            *slot = at;
        }
    }
    graph.outputs = outputs.iter().map(|o| place.get(o.index()).copied().unwrap_or(u32::MAX)).collect();
    Ok(graph)
}

/// How many operands the value of a node is made of: a view looks at the first; others carry derivatives.
pub(crate) fn read(node: &RecordedNode) -> usize {
    match node.op.class() {
        Class::View(_) => 1,
        _ => usize::MAX,
    }
}

fn leaf(
    recorded: &Recorded,
    graph: &mut Graph,
    known: &mut Table<u32, u32>,
    ordinal: u32,
    meta: &Meta,
    origin: u128,
) -> Result<u32> {
    if let Some(&at) = known.get(&ordinal) {
        return Ok(at);
    }
    let kind = match recorded.leaves.get(ordinal as usize) {
        Some(Leaf::Tensor(tensor)) => Kind::Tensor(ordinal, bound_layout(tensor)?),
        Some(Leaf::Argument) => Kind::Tensor(ordinal, Layout::contiguous(meta.shape.clone())),
        Some(Leaf::Scalar(_)) => Kind::Scalar(ordinal),
        Some(Leaf::Spent) => return Err(Leaf::spent()),
        None => return Err(Error::state("a leaf without a value")),
    };
    graph.nodes.push(Node { kind, inputs: SmallVec::new(), meta: meta.clone(), origin });
    let at = graph.nodes.len() as u32 - 1;
    known.insert(ordinal, at);
    Ok(at)
}
