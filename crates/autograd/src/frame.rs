//! The frame around an error: it adds the op, the operands and where they came from, the user's line and the layer.

use crate::class::Class;
use crate::graph::{Derivative, Failure, Graph, Leaf, Node, NodeId, Op, Origin, Tape, Var};
use crate::naming::Called;
use std::collections::BTreeSet;
use std::panic::Location;
use std::sync::PoisonError;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, ErrorKind, Result};

impl Tape {
    /// The first error of this tape, if there is one.
    pub fn error(&self) -> Option<Error> {
        let failure = self.failure.borrow();
        let graph = self.graph.borrow();
        failure.as_ref().map(|f| with_operands(&graph, f.error.clone(), f.operands.iter().copied()))
    }

    /// Asks whether everything so far was recorded.
    ///
    /// # Errors
    /// The first error of this tape.
    pub fn check(&self) -> Result<()> {
        self.error().map_or(Ok(()), Err)
    }

    /// Writes an error on the tape, with the layer and the caller's line where these are not known. The first one stays.
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_tensor::error::Error;
    /// let tape = Tape::new();
    /// tape.fail(Error::value("a dropout rate of 1.5").help("a rate is at least 0 and below 1"));
    /// assert!(tape.check().is_err());
    /// ```
    #[track_caller]
    pub fn fail(&self, error: Error) {
        self.fail_with(error, Vec::new(), Location::caller());
    }

    /// As [`Tape::fail`], for a named operation and its operands; gives what stands for its result.
    #[track_caller]
    pub fn reject<'t>(&'t self, op: &'static str, operands: &[(&'static str, Var<'t>)], error: Error) -> Var<'t> {
        let operands = operands.iter().filter(|(_, var)| self.owns(*var)).map(|(label, var)| (*label, var.id));
        self.fail_with(error.op(op), operands.collect(), Location::caller());
        self.poison()
    }

    /// As [`Tape::reject`], for an op that refused to be recorded.
    pub(crate) fn reject_op<'t>(
        &'t self,
        op: &dyn Op,
        inputs: &[Var<'t>],
        error: Error,
        location: &'static Location<'static>,
    ) -> Var<'t> {
        let labels = inputs.iter().enumerate().map(|(i, var)| (label(op, i, inputs.len()), *var));
        let operands = labels.filter(|(_, var)| self.owns(*var)).map(|(label, var)| (label, var.id));
        self.fail_with(error.op(op.name()), operands.collect(), location);
        self.poison()
    }

    /// Retells the error of this tape, for a frame that knows more than the op that failed. Without one, nothing happens.
    pub fn amend(&self, retell: impl FnOnce(Error) -> Error) {
        // The tape is not borrowed while the caller speaks: it may ask the tape.
        let Some(error) = self.failure.borrow().as_ref().map(|failure| failure.error.clone()) else { return };
        let error = retell(error);
        if let Some(failure) = &mut *self.failure.borrow_mut() {
            failure.error = error;
        }
    }

    fn fail_with(&self, error: Error, operands: Vec<(&'static str, NodeId)>, location: &'static Location<'static>) {
        if self.failed.replace(true) {
            return;
        }
        let origin = self.origin_or(location);
        let error = framed(&self.graph.borrow(), error, origin);
        self.failure.replace(Some(Failure { error, operands }));
    }

    /// What went wrong while the value of `id` was computed, with all that is known about the node.
    pub(crate) fn frame(&self, id: NodeId, error: Error) -> Error {
        let graph = self.graph.borrow();
        let Some(node) = graph.nodes.get(id.index()) else { return error };
        // An error with a line is one of a closure's own ops, which is no part of what is made of the closure.
        let error = match error.location() {
            Some(_) => placed(&graph, error, node.origin()),
            None => framed(&graph, error.op(name(&graph, id, node)), node.origin()),
        };
        let operands = node.inputs.iter().enumerate();
        with_operands(&graph, error, operands.map(|(i, &input)| (label(&*node.op, i, node.inputs.len()), input)))
    }
}

/// An error with the line, the layer and the call of an origin.
pub(crate) fn framed(graph: &Graph, error: Error, origin: Origin) -> Error {
    let error = match graph.call(origin.call) {
        Some(called) => called.tell(error),
        None => error,
    };
    placed(graph, error, origin)
}

/// An error with the line and the layer of an origin.
fn placed(graph: &Graph, error: Error, origin: Origin) -> Error {
    let error = error.at(origin.location);
    match graph.scopes.path(origin.scope) {
        path if path.is_empty() => error,
        path => {
            *graph.blamed.lock().unwrap_or_else(PoisonError::into_inner) = Some((origin.scope, path.clone()));
            error.within(path)
        }
    }
}

/// An error about `node`, on which the value depends that somebody asked for.
pub(crate) fn asked(graph: &Graph, node: &Node, value: NodeId, error: Error) -> Error {
    with_operands(graph, framed(graph, error, node.origin()), [("asked", value)].into_iter())
}

/// Why there is no derivative of a value, which is no float: the op that made it of floats, at its line.
pub(crate) fn not_differentiable(graph: &Graph, of: NodeId) -> Error {
    let float = |id: &NodeId| graph.nodes.get(id.index()).is_some_and(|node| node.meta.dtype.is_float());
    let error = |message: String| Error::new(ErrorKind::NotDifferentiable, message);
    let mut open = BTreeSet::from([of]);
    // Operands stand before their users: the latest comes first.
    while let Some(id) = open.pop_last() {
        let Some(node) = graph.nodes.get(id.index()) else { continue };
        if node.inputs.iter().any(float) {
            let why = match node.op.derivative() {
                Derivative::None(why) | Derivative::Flat(why) => why,
                _ => "its result is no float",
            };
            let op = graph.call(node.call).map_or(name(graph, id, node), Called::name);
            return placed(graph, error(format!("`{op}` has no derivative: {why}")), node.origin());
        }
        open.extend(&node.inputs);
    }
    let dtype = graph.nodes.get(of.index()).map_or(DType::F32, |node| node.meta.dtype);
    error(format!("{dtype} has no derivative"))
}

fn with_operands(graph: &Graph, error: Error, operands: impl Iterator<Item = (&'static str, NodeId)>) -> Error {
    operands.fold(error, |error, (label, id)| match graph.nodes.get(id.index()) {
        Some(node) => error.operand(label, format!("{}   {}", node.meta, provenance(graph, id, node))),
        None => error,
    })
}

/// Where a value came from, in the user's words.
pub(crate) fn provenance(graph: &Graph, id: NodeId, node: &Node) -> String {
    if let Some((leaf, _)) = graph.parameters.iter().find(|&&(_, at)| at == id) {
        return match graph.names.get(leaf) {
            Some(name) => format!("parameter `{name}`"),
            None => format!("parameter #{}", leaf.0),
        };
    }
    match (node.op.class(), graph.value(id)) {
        (Class::Leaf, Some(Leaf::Scalar(value))) => format!("the number {value}"),
        (Class::Leaf, _) => "input".to_string(),
        _ => format!("from `{}`", name(graph, id, node)),
    }
}

/// What the user called it: the composition if it is the result of one, else the op.
pub(crate) fn name(graph: &Graph, id: NodeId, node: &Node) -> &'static str {
    graph.labels.iter().rev().find(|&&(at, _)| at == id).map_or(node.op.name(), |&(_, name)| name)
}

pub(crate) fn label(op: &dyn Op, i: usize, count: usize) -> &'static str {
    const MORE: [&str; 4] = ["first", "second", "third", "fourth"];
    const OTHERS: &str = "operand";
    match op.labels().get(i) {
        label if op.labels().len() > 1 && op.labels().last() == Some(&OTHERS) => label.unwrap_or(&OTHERS),
        Some(label) if count <= op.labels().len() && (count > 1 || op.labels().len() == 1) => label,
        _ if count == 1 => "operand",
        _ => MORE.get(i).unwrap_or(&"operand"),
    }
}
