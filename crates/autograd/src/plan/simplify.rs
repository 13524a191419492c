//! Fold, deduplicate, simplify. Every rewrite keeps every bit, for every value of its operands.

use crate::class::{Class, IndexFn};
use crate::plan::graph::{Builder, Graph, Kind, Node};
use wengert_tensor::kernels::scalar::ScalarFn;

/// What a node is replaced by.
enum Rewrite {
    /// One of the nodes before it.
    Same(u32),
    /// Another kind of node.
    Become(Kind),
}

/// The graph with equal nodes merged and rewrites applied. Shapes and dtypes stay.
pub(crate) fn simplify(graph: Graph) -> Graph {
    let mut builder = Builder::default();
    let mut map = Vec::with_capacity(graph.nodes.len());
    builder.graph.nodes.reserve(graph.nodes.len());
    for mut node in graph.nodes {
        for input in &mut node.inputs {
            *input = map[*input as usize];
        }
        let new = match rewrite(&node, &builder.graph.nodes) {
            Some(Rewrite::Same(other)) => other,
            Some(Rewrite::Become(kind)) => {
                node.inputs.clear();
                node.kind = kind;
                builder.add(node)
            }
            None => builder.add(node),
        };
        map.push(new);
    }
    builder.graph.outputs = graph.outputs.iter().map(|&o| map[o as usize]).collect();
    sweep(builder.graph)
}

/// The rewrites: each line is an equation.
fn rewrite(node: &Node, nodes: &[Node]) -> Option<Rewrite> {
    use Rewrite::{Become, Same};
    use ScalarFn::{Div, Mul, Neg, Sub};
    let get = |i: usize| node.inputs.get(i).and_then(|&id| nodes.get(id as usize));
    let filled = |i: usize| match get(i)?.class() {
        Class::Index(IndexFn::Fill(value)) => Some(value),
        _ => None,
    };
    let is = |i: usize, x: f64| filled(i).is_some_and(|v| v.to_f64() == x && v.to_f64().is_sign_positive());
    let same_meta = |i: usize| get(i).is_some_and(|n| n.meta == node.meta);
    match node.class() {
        Class::Index(IndexFn::Fill(value)) if !matches!(node.kind, Kind::Fill(_)) => Some(Become(Kind::Fill(value))),
        // view(fill) = fill
        Class::View(_) if filled(0).is_some() => filled(0).map(|v| Become(Kind::Fill(v))),
        // view(scalar) = scalar
        Class::View(_) => match &get(0)?.kind {
            Kind::Scalar(ordinal) => Some(Become(Kind::Scalar(*ordinal))),
            _ => None,
        },
        // x · 1 = x,  x / 1 = x,  1 · x = x,  x − 0 = x
        Class::Map(Mul | Div) if is(1, 1.0) && same_meta(0) => Some(Same(node.inputs[0])),
        Class::Map(Mul) if is(0, 1.0) && same_meta(1) => Some(Same(node.inputs[1])),
        Class::Map(Sub) if is(1, 0.0) && same_meta(0) => Some(Same(node.inputs[0])),
        // −(−x) = x
        Class::Map(Neg) => match (get(0)?.class(), get(0)?.inputs.first()) {
            (Class::Map(Neg), Some(&x)) => Some(Same(x)),
            _ => None,
        },
        // cast to the same dtype = x
        Class::Cast(_) if same_meta(0) => Some(Same(node.inputs[0])),
        _ => None,
    }
}

/// Drops what no output needs.
fn sweep(graph: Graph) -> Graph {
    let mut live = vec![false; graph.nodes.len()];
    for &o in &graph.outputs {
        live[o as usize] = true;
    }
    for id in (0..graph.nodes.len()).rev() {
        if live[id] {
            for &i in &graph.nodes[id].inputs {
                live[i as usize] = true;
            }
        }
    }
    let mut map = vec![u32::MAX; graph.nodes.len()];
    let mut nodes = Vec::with_capacity(graph.nodes.len());
    for (id, mut node) in graph.nodes.into_iter().enumerate() {
        if live[id] {
            for input in &mut node.inputs {
                *input = map[*input as usize];
            }
            map[id] = nodes.len() as u32;
            nodes.push(node);
        }
    }
    let outputs = graph.outputs.iter().map(|&o| map[o as usize]).collect();
    Graph { nodes, outputs }
}
