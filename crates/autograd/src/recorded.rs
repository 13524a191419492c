//! What stands on a tape, as data: for summaries, pictures and other tools.

use crate::class::{Class, IndexFn};
use crate::graph::{Graph, Leaf, LeafId, NodeId, Tape};
use crate::meta::Meta;
use crate::plan::extract::read;
use crate::tape::foreign;
use crate::vars::Vars;
use std::panic::Location;
use wengert_tensor::error::Result;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordedKind {
    /// The leaf of a parameter.
    Parameter(LeafId),
    /// The leaf of a value that is kept with a model.
    Buffer(LeafId),
    /// Another tensor that was given.
    Input,
    /// A number that fills its shape.
    Number,
    /// Elements of an operand, read in another order or through another window: nothing is computed.
    View,
    /// Something that is computed.
    Op,
}

/// A node of a tape.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Recorded {
    /// What it is.
    pub kind: RecordedKind,
    /// The name of the op; of a leaf what it is: the name of a parameter, as far as the tape knows it, a number, `input`.
    pub name: String,
    /// The nodes that it is made of, by their places in the list. Operands that only carry a derivative are not among them.
    pub inputs: Vec<usize>,
    /// Its shape and dtype.
    pub meta: Meta,
    /// The layer in which it was recorded, by its place in [`Recording::layers`]; 0 is the user's own code.
    pub layer: usize,
    /// Whether it is part of a derivative; it stands in the layer and at the line of what it derives.
    pub derived: bool,
    /// Operations by the formula of the op: see [`Class::flops`].
    pub flops: Option<u64>,
    /// The user's line.
    pub location: &'static Location<'static>,
    pub(crate) hash: u128,
}

/// A layer that was entered while something was recorded. The same layer entered again is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedLayer {
    /// Its name and type: `head (Dense)`; empty for the user's own code.
    pub name: String,
    /// The layer around it; it stands before.
    pub parent: usize,
}

/// Nodes of a tape, operands first, and the layers that they are in.
///
/// ```
/// use wengert_autograd::{RecordedKind, Tape};
/// use wengert_tensor::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.input(&Tensor::from([[1.0f32, 2.0]]));
/// let y = {
///     let _net = tape.scope("Net");
///     x.matmul(x.t()).exp()
/// };
/// let all = tape.recorded(y)?;
/// assert_eq!(all.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["input", "permute", "matmul", "exp"]);
/// assert_eq!(all.nodes[1].kind, RecordedKind::View);
/// assert_eq!((all.nodes[2].flops, all.path(all.nodes[2].layer)), (Some(4), "Net".to_string()));
/// # Ok::<(), wengert_tensor::error::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// The nodes.
    pub nodes: Vec<Recorded>,
    /// The layers; the first is the user's own code.
    pub layers: Vec<RecordedLayer>,
}

impl Recording {
    /// The way to a layer: `Net › head (Dense)`.
    pub fn path(&self, layer: usize) -> String {
        let mut names = Vec::new();
        let mut at = layer;
        while let Some(layer) = self.layers.get(at).filter(|_| at > 0) {
            names.push(layer.name.as_str());
            at = layer.parent;
        }
        names.reverse();
        names.join(" › ")
    }
}

impl Tape {
    /// All nodes that these values are made of, operands first, whether they were computed or not.
    ///
    /// # Errors
    /// The first error of the tape.
    pub fn recorded<'t>(&'t self, vars: impl Vars<'t>) -> Result<Recording> {
        self.check()?;
        let vars = vars.list();
        if !vars.iter().all(|var| self.owns(*var)) {
            return Err(foreign());
        }
        let graph = self.graph.borrow();
        let mut wanted = vec![false; graph.nodes.len()];
        let mut open: Vec<NodeId> = vars.iter().map(|var| var.id).collect();
        while let Some(id) = open.pop() {
            if let Some(wanted) = wanted.get_mut(id.index()).filter(|wanted| !**wanted) {
                *wanted = true;
                let node = graph.node(id)?;
                open.extend(node.inputs.iter().take(read(node)));
            }
        }
        Ok(listed(&graph, &wanted))
    }

    /// All nodes of the tape.
    ///
    /// # Errors
    /// The first error of the tape.
    pub fn recording(&self) -> Result<Recording> {
        self.check()?;
        let graph = self.graph.borrow();
        Ok(listed(&graph, &vec![true; graph.nodes.len()]))
    }
}

fn listed(graph: &Graph, wanted: &[bool]) -> Recording {
    let mut places = vec![usize::MAX; graph.nodes.len()];
    let mut nodes = Vec::new();
    for (i, node) in graph.nodes.iter().enumerate().filter(|(i, _)| wanted.get(*i) == Some(&true)) {
        let id = NodeId(i as u32);
        if let Some(place) = places.get_mut(i) {
            *place = nodes.len();
        }
        let kind = match node.op.class() {
            _ if node.is_leaf() => match graph.value(id) {
                Some(Leaf::Scalar(_)) => RecordedKind::Number,
                _ => leaf(graph, id),
            },
            Class::Index(IndexFn::Fill(_)) => RecordedKind::Number,
            Class::View(_) => RecordedKind::View,
            _ => RecordedKind::Op,
        };
        let name = match (kind, node.op.class(), graph.value(id)) {
            (RecordedKind::Number, Class::Index(IndexFn::Fill(value)), _) => value.to_string(),
            (RecordedKind::Number, _, Some(Leaf::Scalar(value))) => value.to_string(),
            (RecordedKind::View | RecordedKind::Op, ..) => node.op.name().to_string(),
            (RecordedKind::Parameter(leaf), ..) => match graph.names.get(&leaf) {
                Some(name) => name.clone(),
                None => format!("parameter #{}", leaf.0),
            },
            (RecordedKind::Buffer(_), ..) => "buffer".to_string(),
            _ => "input".to_string(),
        };
        let inputs = node.inputs.iter().take(read(node)).filter_map(|input| places.get(input.index()).copied());
        let metas: Vec<&Meta> =
            node.inputs.iter().filter_map(|input| graph.nodes.get(input.index())).map(|node| &node.meta).collect();
        nodes.push(Recorded {
            kind,
            name,
            inputs: inputs.filter(|place| *place != usize::MAX).collect(),
            meta: node.meta.clone(),
            layer: node.scope as usize,
            derived: Graph::is_derived(node),
            flops: node.op.class().flops(&metas, &node.meta),
            location: node.location,
            hash: node.hash,
        });
    }
    let layers = std::iter::once((String::new(), 0)).chain(graph.scopes.all());
    let layers = layers.map(|(name, parent)| RecordedLayer { name, parent }).collect();
    Recording { nodes, layers }
}

fn leaf(graph: &Graph, id: NodeId) -> RecordedKind {
    let find = |list: &[(LeafId, NodeId)]| list.iter().find(|(_, at)| *at == id).map(|(leaf, _)| *leaf);
    match (find(&graph.parameters), find(&graph.buffers)) {
        (Some(leaf), _) => RecordedKind::Parameter(leaf),
        (_, Some(leaf)) => RecordedKind::Buffer(leaf),
        _ => RecordedKind::Input,
    }
}
