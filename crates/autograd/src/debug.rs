//! Where a NaN or an infinity comes from.
//!
//! Off by default. Once it is [on](non_finite), whoever asks for values that are not finite gets an error of the kind
//! [`NonFinite`](wengert_tensor::error::ErrorKind::NonFinite) instead: it names the first op that made such a number of finite operands,
//! forward or in a gradient, with its layer, the user's line and what its operands were. What is not finite and never gets into what was
//! asked for (a branch that is masked away, a mask of −∞) is no fault.
//!
//! It is PyTorch's `detect_anomaly` and JAX's `debug_nans`, with infinities, and for the forward pass, too. While it is on, a step costs about
//! twice; only when something was found is every op looked at.

use crate::exec::{self, folded};
use crate::frame::{framed, label, name, provenance};
use crate::graph::{Graph, Leaf, NodeId, OpRef, Source, Tape, Var};
use crate::hash::Table;
use crate::meta::Meta;
use crate::ops::sum::Sum;
use crate::plan::extract::{needed, read};
use crate::plan::graph::{Graph as Wanted, Kind, Node};
use crate::table::Elementwise;
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use wengert_tensor::error::{Error, ErrorKind, Result};
use wengert_tensor::kernels::scalar::ScalarFn;
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<NonFinite>> = const { RefCell::new(None) };
}

/// Switches the search on or off for this thread, and gives how it was.
///
/// ```
/// use wengert_autograd::{Tape, debug};
/// use wengert_tensor::{error::ErrorKind, tensor::Tensor};
///
/// debug::non_finite(true);
/// let tape = Tape::new();
/// let x = tape.input(&Tensor::from([4.0f32, -1.0]));
/// let error = (x.log() * 2.0).sum().value().unwrap_err();
/// assert_eq!((error.kind(), error.op_name()), (ErrorKind::NonFinite, Some("log")));
/// debug::non_finite(false);
/// ```
#[doc(alias("detect_anomaly", "set_detect_anomaly", "debug_nans", "check_numerics"))]
pub fn non_finite(on: bool) -> bool {
    ON.replace(on)
}

/// Calls a closure with the search on, and leaves it as it was after.
///
/// ```
/// use wengert_autograd::{Tape, debug};
/// use wengert_tensor::tensor::Tensor;
/// let found = debug::catch_non_finite(|| {
///     let tape = Tape::new();
///     let x = tape.input(&Tensor::from([1e30f32]));
///     let [dx] = tape.grad((x * x * 1e-30).sum(), [x]);
///     tape.eval([dx])
/// });
/// assert!(found.is_ok(), "1e30² is not finite, and the gradient never reads it");
/// ```
pub fn catch_non_finite<R>(f: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            ON.set(self.0);
        }
    }
    let _restore = Restore(ON.replace(true));
    f()
}

/// What was found last on this thread; it keeps the operands until the next is found or [forgotten](forget_non_finite).
pub fn last_non_finite() -> Option<NonFinite> {
    LAST.with_borrow(Option::clone)
}

/// Lets go of what was found last, with its operands.
pub fn forget_non_finite() {
    LAST.set(None);
}

/// An op that made a NaN or an infinity of finite operands; or an input that held one.
///
/// ```
/// use wengert_autograd::{Tape, debug};
/// use wengert_tensor::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.input(&Tensor::from([1.0f32, 0.0]));
/// debug::catch_non_finite(|| (1.0 / x).sum().value()).unwrap_err();
/// let found = debug::last_non_finite().unwrap();
/// assert_eq!((found.name.as_str(), found.inputs.len()), ("div", 2));
/// assert!(found.replay()?.equals(&Tensor::from([1.0f32, f32::INFINITY])));
/// # Ok::<(), wengert_tensor::error::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NonFinite {
    /// The op, or a leaf.
    pub op: OpRef,
    /// What the user called it: `log`, `softmax`, or where an input came from.
    pub name: String,
    /// The layer that it is in: `Net › head (Dense)`; empty for the user's own code.
    pub layer: String,
    /// The line that recorded it, or the line whose derivative it is.
    pub location: &'static Location<'static>,
    /// Whether it is part of a derivative.
    pub derived: bool,
    /// The operands that its value is made of, with their labels. None for an input.
    pub inputs: Vec<(String, Tensor)>,
    /// What it gave.
    pub output: Tensor,
}

impl NonFinite {
    /// Applies the op to its operands again. An input is given as it is.
    ///
    /// # Errors
    /// What went wrong while it was computed.
    pub fn replay(&self) -> Result<Tensor> {
        if self.inputs.is_empty() {
            return Ok(self.output.clone());
        }
        let tape = Tape::new();
        let inputs: Vec<Var<'_>> = self.inputs.iter().map(|(_, value)| tape.input(value)).collect();
        let was = non_finite(false);
        let value = tape.record(self.op.clone(), &inputs).value();
        non_finite(was);
        value
    }
}

/// How the elements of a tensor are spread. Least, greatest and mean are those of the finite ones.
///
/// ```
/// use wengert_autograd::debug::Statistics;
/// use wengert_tensor::tensor::Tensor;
/// let of = Statistics::of(&Tensor::from([1.0f32, 3.0, f32::NAN]));
/// assert_eq!((of.min, of.max, of.mean, of.nan, of.infinite), (1.0, 3.0, 2.0, 1, 0));
/// assert_eq!(of.to_string(), "min 1, max 3, mean 2; 1 NaN among 3");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Statistics {
    /// The number of elements.
    pub len: usize,
    /// The least finite element; NaN without one.
    pub min: f64,
    /// The greatest finite element; NaN without one.
    pub max: f64,
    /// The mean of the finite elements; NaN without one.
    pub mean: f64,
    /// The standard deviation of the finite elements (divided by their number); NaN without one.
    pub std: f64,
    /// How many are NaN.
    pub nan: usize,
    /// How many are infinite.
    pub infinite: usize,
}

impl Statistics {
    /// Of all elements, computed in f64.
    pub fn of(tensor: &Tensor) -> Statistics {
        let values = tensor.to_f64_vec();
        let nan = values.iter().filter(|x| x.is_nan()).count();
        let infinite = values.iter().filter(|x| x.is_infinite()).count();
        let finite = || values.iter().copied().filter(|x| x.is_finite());
        let count = (values.len() - nan - infinite) as f64;
        // Divided first: a sum of large numbers may be infinite.
        let mean = if count > 0.0 { finite().map(|x| x / count).sum() } else { f64::NAN };
        let std = if count > 0.0 { finite().map(|x| (x - mean).powi(2) / count).sum::<f64>().sqrt() } else { f64::NAN };
        let (min, max) = (finite().fold(f64::NAN, f64::min), finite().fold(f64::NAN, f64::max));
        Statistics { len: values.len(), min, max, mean, std, nan, infinite }
    }

    /// Whether every element is finite.
    pub fn is_finite(&self) -> bool {
        self.nan + self.infinite == 0
    }

    /// `3 NaN and 1 infinite among 128`.
    fn faults(&self) -> String {
        let kinds = [(self.nan, "NaN"), (self.infinite, "infinite")];
        let kinds: Vec<String> = kinds.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        format!("{} among {}", kinds.join(" and "), self.len)
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.min.is_nan() {
            true => f.write_str("no finite element")?,
            false => write!(f, "min {}, max {}, mean {}", four(self.min), four(self.max), four(self.mean))?,
        }
        if self.is_finite() { Ok(()) } else { write!(f, "; {}", self.faults()) }
    }
}

/// A number of four digits.
fn four(x: f64) -> String {
    match x.abs() {
        0.0 => "0".to_string(),
        size if (1e-3..1e6).contains(&size) => {
            let digits = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
            let text = format!("{x:.digits$}");
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
                false => text,
            }
        }
        _ => format!("{x:.3e}"),
    }
}

/// Whether the search is on.
#[inline]
pub(crate) fn is_on() -> bool {
    ON.get()
}

/// Looks whether what is about to be evaluated is finite, if somebody wants to know.
///
/// # Errors
/// `NonFinite`, where it is not.
#[inline]
pub(crate) fn watch(tape: &Tape, outputs: &[NodeId]) -> Result<()> {
    if is_on() { search(tape, outputs) } else { Ok(()) }
}

#[cold]
fn search(tape: &Tape, outputs: &[NodeId]) -> Result<()> {
    // What cannot be computed is told in its own words when the values are.
    let Some(faulty) = non_finite_of(tape, outputs)?.filter(|faulty| !faulty.is_empty()) else { return Ok(()) };
    let all = needed(&tape.graph.borrow(), outputs)?;
    let Some(bad) = non_finite_of(tape, &all)? else { return Ok(()) };
    let Some(found) = first(&tape.graph.borrow(), &bad, &faulty)? else { return Ok(()) };
    let (found, error) = match found {
        Found::Op(id) => told(tape, id)?,
        Found::Leaf(id) => leaf(tape, id)?,
    };
    LAST.set(Some(found));
    Err(error.help("the operands are kept: debug::last_non_finite()"))
}

/// Those of the nodes whose values are not finite, in order; `None` when they cannot be computed.
fn non_finite_of(tape: &Tape, nodes: &[NodeId]) -> Result<Option<Vec<NodeId>>> {
    let graph = tape.graph.borrow();
    let mut floats = Vec::with_capacity(nodes.len());
    for &id in nodes {
        if graph.node(id)?.meta.dtype.is_float() {
            floats.push(id);
        }
    }
    drop(graph);
    let Ok(sums) = folded(tape, &floats, sums) else { return Ok(None) };
    let finite = |sum: &Tensor| sum.to_f64_vec().first() == Some(&0.0);
    Ok(Some(floats.into_iter().zip(&sums).filter(|(_, sum)| !finite(sum)).map(|(id, _)| id).collect()))
}

/// x − x is 0 where x is finite and NaN where it is not, and so is the sum of them all.
fn sums(graph: &mut Wanted) {
    for at in std::mem::take(&mut graph.outputs) {
        let Some(of) = graph.nodes.get(at as usize) else { continue };
        let (meta, origin) = (of.meta.clone(), of.origin);
        let mut add = |kind, inputs, meta| {
            graph.nodes.push(Node { kind, inputs, meta, origin });
            graph.nodes.len() as u32 - 1
        };
        let none = OpRef::Static(&Elementwise(ScalarFn::Sub));
        let mut zeros = add(Kind::Op(none), SmallVec::from_slice(&[at, at]), meta.clone());
        if meta.shape.rank() > 0 {
            let sum = OpRef::from(Sum { axes: (0..meta.shape.rank()).collect() });
            let single = Meta::new(Shape::scalar(), meta.dtype);
            zeros = add(Kind::Op(sum), SmallVec::from_slice(&[zeros]), single);
        }
        graph.outputs.push(zeros);
    }
}

enum Found {
    Op(NodeId),
    Leaf(NodeId),
}

/// The first node that is not finite though its operands are, of those from which something that is not finite gets into the outputs; else
/// the first such leaf.
fn first(graph: &Graph, bad: &[NodeId], outputs: &[NodeId]) -> Result<Option<Found>> {
    let mut seen: Table<NodeId, ()> = Table::default();
    let mut open = outputs.to_vec();
    let (mut op, mut leaf): (Option<NodeId>, Option<NodeId>) = (None, None);
    let earlier = |known: &mut Option<NodeId>, id: NodeId| *known = Some(known.map_or(id, |known| known.min(id)));
    while let Some(id) = open.pop() {
        if seen.insert(id, ()).is_some() {
            continue;
        }
        let node = graph.node(id)?;
        if node.is_leaf() {
            earlier(&mut leaf, id);
            continue;
        }
        let mut from_outside = false;
        for &input in node.inputs.iter().take(read(node)) {
            let spoilt = match graph.source(id, input) {
                Source::Node(input) => bad.binary_search(&input).is_ok(),
                Source::Leaf(ordinal) => graph.leaves.get(ordinal as usize).is_some_and(|leaf| !is_finite(leaf)),
            };
            if !spoilt {
                continue;
            }
            from_outside = true;
            match graph.source(id, input) {
                Source::Node(input) => open.push(input),
                Source::Leaf(_) => earlier(&mut leaf, input),
            }
        }
        if !from_outside {
            earlier(&mut op, id);
        }
    }
    Ok(op.map(Found::Op).or(leaf.map(Found::Leaf)))
}

fn is_finite(leaf: &Leaf) -> bool {
    match leaf {
        Leaf::Tensor(tensor) => !tensor.dtype().is_float() || Statistics::of(tensor).is_finite(),
        Leaf::Scalar(value) => !value.dtype().is_float() || value.to_f64().is_finite(),
        Leaf::Spent | Leaf::Argument => true,
    }
}

/// What is to be said of an op.
fn told(tape: &Tape, id: NodeId) -> Result<(NonFinite, Error)> {
    let graph = tape.graph.borrow();
    let node = graph.node(id)?;
    let (op, origin, derived) = (node.op.clone(), node.origin(), Graph::is_derived(node));
    let count = node.inputs.len();
    let read: Vec<(String, NodeId)> = (node.inputs.iter().take(read(node)).enumerate())
        .map(|(i, &input)| (label(&*op, i, count).to_string(), input))
        .collect();
    let (name, layer) = (name(&graph, id, node).to_string(), graph.scopes.path(origin.scope));
    drop(graph);
    let output = value(tape, id)?;
    let mut inputs = Vec::with_capacity(read.len());
    for (label, input) in read {
        inputs.push((label, value(tape, input)?));
    }
    let of = if derived { "as part of a gradient it gave" } else { "gave" };
    let what = format!("{of} {}, and its operands are finite", Statistics::of(&output).faults());
    let error = tape.frame(id, Error::new(ErrorKind::NonFinite, what));
    let error = inputs
        .iter()
        .filter(|(_, value)| value.dtype().is_float())
        .fold(error, |error, (label, value)| error.operand(format!("{label}:"), Statistics::of(value).to_string()));
    Ok((NonFinite { op, name, layer, location: origin.location, derived, inputs, output }, error))
}

/// What is to be said of an input.
fn leaf(tape: &Tape, id: NodeId) -> Result<(NonFinite, Error)> {
    let output = value(tape, id)?;
    let graph = tape.graph.borrow();
    let node = graph.node(id)?;
    let (op, origin, name) = (node.op.clone(), node.origin(), provenance(&graph, id, node));
    let of = Statistics::of(&output);
    let error = Error::new(ErrorKind::NonFinite, format!("{name} holds {}", of.faults()));
    let error = framed(&graph, error, origin).operand("value", of.to_string());
    let layer = graph.scopes.path(origin.scope);
    Ok((NonFinite { op, name, layer, location: origin.location, derived: false, inputs: Vec::new(), output }, error))
}

/// The value of a node, which is not kept on the tape. Donated inputs stay as they are.
fn value(tape: &Tape, id: NodeId) -> Result<Tensor> {
    let known = tape.graph.borrow().value(id).cloned();
    match known {
        Some(Leaf::Tensor(tensor)) => return Ok(tensor),
        Some(Leaf::Scalar(value)) => return Tensor::full(&tape.meta(id).shape, value),
        Some(Leaf::Spent) => return Err(Leaf::spent()),
        Some(Leaf::Argument) | None => {}
    }
    let donated = std::mem::take(&mut tape.graph.borrow_mut().donated);
    let values = exec::evaluate(tape, &[id]);
    tape.graph.borrow_mut().donated = donated;
    values?.pop().ok_or_else(|| Error::state("a plan without this output"))
}
