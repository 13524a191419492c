//! The four types that define one another: an [`Op`] is a rule, a node applies it, a [`Tape`] is the list of nodes,
//! and a [`Var`] is one of them. They stand in one file so that every other import runs one way.

use crate::batch::Batch;
use crate::class::{Class, IndexFn};
use crate::hash::{Mixer, Table};
use crate::meta::Meta;
use crate::scope::Scopes;
use crate::stretch::Stretch;
use smallvec::SmallVec;
use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt::{self, Debug};
use std::hash::Hash;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::sync::{Arc, Mutex};
use wengert_tensor::dtype::Scalar;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Key;
use wengert_tensor::tensor::Tensor;

/// All that the framework must know of an operation. A user's op implements the same trait as the built-in ones.
///
/// An op is a small value: what it does, with its parameters, without its operands. It derives `PartialEq`, `Eq` and
/// `Hash`; two ops that are equal must compute the same.
///
/// ```
/// use wengert_autograd::{Apply, Class, Derivative, Meta, Op, Var, meta};
/// use wengert_tensor::{error::Result, kernels::scalar::ScalarFn, tensor::Tensor};
///
/// /// y = x², as if the library had none.
/// #[derive(Debug, PartialEq, Eq, Hash)]
/// struct Squared;
///
/// impl Op for Squared {
///     fn name(&self) -> &'static str {
///         "squared"
///     }
///     fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
///         let [x] = meta::operands(inputs)?;
///         Ok(x.clone())
///     }
///     fn class(&self) -> Class<'_> {
///         Class::Map(ScalarFn::Square)
///     }
///     fn derivative(&self) -> Derivative {
///         Derivative::Composite
///     }
///     fn pullback<'t>(&self, _i: usize, x: &[Var<'t>], _y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
///         Some(ct * x[0] * 2.0)
///     }
/// }
///
/// let y = Tensor::from([3.0f32]).apply(|x| x.tape().record(Squared, &[x]))?;
/// assert_eq!(y.item::<f32>()?, 9.0);
/// # Ok::<(), wengert_tensor::error::Error>(())
/// ```
pub trait Op: DynOp + Debug + Send + Sync + 'static {
    /// The name, as it stands in errors and reports.
    fn name(&self) -> &'static str;

    /// What the operands are called in errors. With `operand` as the last of several, that is what all others are called.
    fn labels(&self) -> &'static [&'static str] {
        &["left", "right"]
    }

    /// The rule of shapes and element types. The error says what is wrong with the operands and does not name the op.
    ///
    /// # Errors
    /// When the op has no meaning for these operands.
    fn infer(&self, inputs: &[&Meta]) -> Result<Meta>;

    /// How the planner may run it.
    fn class(&self) -> Class<'_>;

    /// Which of the rules below it has.
    fn derivative(&self) -> Derivative;

    /// [`Derivative::Elementwise`]: ∂y/∂xᵢ, of y's shape.
    fn partial<'t>(&self, i: usize, x: &[Var<'t>], y: Var<'t>) -> Partial<'t> {
        let _ = (i, x, y);
        Partial::Zero
    }

    /// [`Derivative::Linear`]: the transpose for operand i, applied to the cotangent of the output. `None` is zero.
    fn transpose<'t>(&self, i: usize, x: &[Var<'t>], ct: Var<'t>) -> Option<Var<'t>> {
        let _ = (i, x, ct);
        None
    }

    /// [`Derivative::Composite`]: the cotangent of operand i, from the cotangent of the output. `None` is zero.
    fn pullback<'t>(&self, i: usize, x: &[Var<'t>], y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        let _ = (i, x, y, ct);
        None
    }

    /// As [`Op::pullback`], for all wanted operands at once, where they share work. `None` has the engine ask for one after another.
    fn pullbacks<'t>(&self, wanted: &[bool], x: &[Var<'t>], y: Var<'t>, ct: Var<'t>) -> Option<Vec<Option<Var<'t>>>> {
        let _ = (wanted, x, y, ct);
        None
    }

    /// Which operand is the key of its random numbers, if it draws any.
    fn key(&self) -> Option<usize> {
        match self.class() {
            Class::Index(IndexFn::Uniform { .. } | IndexFn::Normal { .. }) => Some(0),
            _ => None,
        }
    }

    /// Whether all that the op is shows in its equality, and its derivative follows from it and its operands. A tape that records what the one
    /// before it did then keeps the op of that one, and its gradient, and costs a comparison instead of a node. An op that holds more, such as
    /// a closure, or whose rules read anything else or note something on the tape, says no, and what follows it is recorded in full.
    fn reusable(&self) -> bool {
        false
    }

    /// The op for a batch of examples: see [`Batch`]. The result has the axis of the examples in front, and for each the bits that
    /// the op gives for it alone. `None` has it recorded for one example after another; functions of elements need no rule.
    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        let _ = x;
        None
    }
}

/// What kind of derivative rule an op has. A rule answers for one operand; the engine selects, sums and skips zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Derivative {
    /// Every element of the output depends on the elements at its own place only: [`Op::partial`].
    Elementwise,
    /// Linear in each operand by itself: [`Op::transpose`].
    Linear,
    /// The cotangents are a subgraph of their own: [`Op::pullback`].
    Composite,
    /// It is zero wherever it exists, and why: nothing flows through the op.
    Flat(&'static str),
    /// It has none, and why: to ask for it is an error.
    None(&'static str),
}

/// ∂y/∂x at every element. The engine multiplies, and lets a zero win on either side.
#[derive(Clone, Copy, Debug)]
pub enum Partial<'t> {
    /// 0.
    Zero,
    /// 1.
    One,
    /// -1.
    MinusOne,
    /// 1 where the mask is true, else 0.
    Where(Var<'t>),
    /// 0 where the mask is true, else 1.
    Unless(Var<'t>),
    /// A factor. Where it or the cotangent is 0 so is their product, though the other be infinite or NaN.
    Times(Var<'t>),
}

/// Equality and hash of an op behind a pointer; every `Op` that derives `PartialEq` and `Hash` has it.
pub trait DynOp {
    /// Whether `other` is the same op with the same parameters.
    fn same(&self, other: &dyn Op) -> bool;
    /// Takes the op and its parameters into a structural hash.
    fn feed(&self, mixer: &mut Mixer);
    /// The op as its own type.
    fn as_any(&self) -> &dyn Any;
}

impl<T: Op + PartialEq + Hash> DynOp for T {
    fn same(&self, other: &dyn Op) -> bool {
        other.as_any().downcast_ref::<T>() == Some(self)
    }

    fn feed(&self, mixer: &mut Mixer) {
        TypeId::of::<T>().hash(mixer);
        self.hash(mixer);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A shared op. One without parameters is a constant of the program and costs no allocation.
#[derive(Clone)]
pub enum OpRef {
    /// A constant.
    Static(&'static dyn Op),
    /// An op with parameters.
    Shared(Arc<dyn Op>),
}

/// What is recorded: an op, or one that is shared already.
pub trait IntoOp {
    /// Whether it is `other`.
    fn is(&self, other: &OpRef) -> bool;
    /// The op, to be kept.
    fn into_op(self) -> OpRef;
}

impl<T: Op> IntoOp for T {
    #[inline]
    fn is(&self, other: &OpRef) -> bool {
        self.same(&**other)
    }

    fn into_op(self) -> OpRef {
        OpRef::from(self)
    }
}

impl IntoOp for OpRef {
    #[inline]
    fn is(&self, other: &OpRef) -> bool {
        self == other
    }

    fn into_op(self) -> OpRef {
        self
    }
}

impl<T: Op> From<T> for OpRef {
    fn from(op: T) -> OpRef {
        OpRef::Shared(Arc::new(op))
    }
}

impl Deref for OpRef {
    type Target = dyn Op;

    fn deref(&self) -> &dyn Op {
        match self {
            OpRef::Static(op) => *op,
            OpRef::Shared(op) => &**op,
        }
    }
}

impl PartialEq for OpRef {
    fn eq(&self, other: &OpRef) -> bool {
        self.same(&**other)
    }
}

impl Debug for OpRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// A node by its place on the tape. Operands stand before their users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// What an op on a failed tape gives.
    pub(crate) const POISON: NodeId = NodeId(u32::MAX);

    /// Its place among the nodes of its tape.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The identity of something that outlives a tape: a parameter of a model. Its gradient is found by this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafId(pub u64);

/// A value that a plan is given, by its ordinal among the leaves of the tape.
#[derive(Clone, Debug)]
pub(crate) enum Leaf {
    /// A tensor.
    Tensor(Tensor),
    /// A number that fills its node's shape.
    Scalar(Scalar),
    /// A tensor whose memory was given away and holds a result now.
    Spent,
    /// A tensor that comes with every run of what was compiled from the tape; it lies row by row.
    Argument,
}

impl Leaf {
    /// Why a leaf of memory that was given away has no value.
    pub(crate) fn spent() -> Error {
        Error::state("this input was donated, and the evaluation that read it has written over it")
            .help("a donated input serves one evaluation: ask for all that depends on it together, or do not donate it")
    }
}

/// An op applied to nodes.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) op: OpRef,
    pub(crate) inputs: SmallVec<[NodeId; 3]>,
    pub(crate) meta: Meta,
    /// Of the op, the output's shape and dtype, and the hashes of the inputs; of a leaf, its ordinal and form.
    pub(crate) hash: u128,
    pub(crate) location: &'static Location<'static>,
    /// Number in the table of scopes.
    pub(crate) scope: u32,
    /// Of which call it is a part: see [`Graph::called`].
    pub(crate) call: u32,
    /// Ordinal of its value among the leaves, once it has one; [`Node::NO_LEAF`] before.
    pub(crate) leaf: u32,
    /// Nodes from here on read the leaf instead of this node. Zero for a leaf from the start.
    pub(crate) leaf_since: NodeId,
}

impl Node {
    pub(crate) const NO_LEAF: u32 = u32::MAX;

    /// Whether it is a value from the start, and not an op that was computed.
    pub(crate) fn is_leaf(&self) -> bool {
        self.leaf != Node::NO_LEAF && self.leaf_since == NodeId(0)
    }

    /// Where it was recorded.
    pub(crate) fn origin(&self) -> Origin {
        Origin { location: self.location, scope: self.scope, call: self.call }
    }
}

/// The nodes of a tape; behind them lie those of the tape before it, as guesses at the next ones: a loop records the same again and again.
///
/// A guess is worth something only while all nodes before it were guessed right: then its shape and its hash are those of the new node, if
/// the op and the operands are the same.
#[derive(Debug)]
pub(crate) struct Nodes {
    all: Vec<Node>,
    len: usize,
    /// So many, counted from the front, may be guesses for the next tape.
    sound: usize,
    /// Nodes that were computed on this tape.
    kept: Vec<NodeId>,
    /// What may be taken over whole, in order. Every one ends before the guesses do.
    stretches: Vec<Stretch>,
}

impl Default for Nodes {
    fn default() -> Nodes {
        Nodes { all: Vec::new(), len: 0, sound: usize::MAX, kept: Vec::new(), stretches: Vec::new() }
    }
}

impl Deref for Nodes {
    type Target = [Node];

    #[inline]
    fn deref(&self) -> &[Node] {
        &self.all[..self.len]
    }
}

impl DerefMut for Nodes {
    #[inline]
    fn deref_mut(&mut self) -> &mut [Node] {
        &mut self.all[..self.len]
    }
}

impl Nodes {
    /// What the next node may be.
    #[inline]
    pub(crate) fn guess(&mut self) -> Option<&mut Node> {
        self.all.get_mut(self.len)
    }

    /// The guess was right, and is the next node.
    #[inline]
    pub(crate) fn confirm(&mut self, origin: Origin, leaf: u32) -> NodeId {
        let id = NodeId(self.len as u32);
        if let Some(node) = self.all.get_mut(self.len) {
            let moved = node.origin() != origin;
            (node.location, node.scope, node.call) = (origin.location, origin.scope, origin.call);
            (node.leaf, node.leaf_since) = (leaf, NodeId(0));
            if moved {
                self.forget(self.len);
            }
            self.len += 1;
        }
        id
    }

    /// The nodes up to `end` were guessed right, and stand where they stood.
    pub(crate) fn take_over(&mut self, end: usize) {
        self.len = end.min(self.all.len());
    }

    /// The node has a value on this tape.
    pub(crate) fn keep(&mut self, id: NodeId, leaf: u32) {
        let since = NodeId(self.len as u32);
        if let Some(node) = self.get_mut(id.index()) {
            (node.leaf, node.leaf_since) = (leaf, since);
            self.kept.push(id);
        }
    }

    /// Forgets the guesses, and gives the list for one more node.
    pub(crate) fn list(&mut self) -> &mut Vec<Node> {
        self.cut(self.len);
        &mut self.all
    }

    /// Forgets all nodes from there on.
    fn cut(&mut self, len: usize) {
        if len < self.all.len() {
            self.all.truncate(len);
            self.forget(len);
        }
    }

    /// Forgets the stretches that reach further than this.
    fn forget(&mut self, len: usize) {
        while self.stretches.last().is_some_and(|last| last.end() > len) {
            self.stretches.pop();
        }
    }

    /// Whether a stretch begins here.
    pub(crate) fn has_stretch(&self) -> bool {
        self.stretch().is_some()
    }

    /// The stretch that begins here.
    pub(crate) fn stretch(&self) -> Option<&Stretch> {
        let at = self.stretches.binary_search_by_key(&self.len, Stretch::start).ok()?;
        self.stretches.get(at)
    }

    /// Keeps a stretch that ends here, in place of what it overlaps.
    pub(crate) fn keep_stretch(&mut self, stretch: Stretch) {
        let (start, end) = (stretch.start(), stretch.end());
        self.stretches.retain(|other| other.end() <= start || other.start() >= end);
        let at = self.stretches.partition_point(|other| other.start() < start);
        self.stretches.insert(at, stretch);
    }

    /// Whether all nodes so far may be guesses for the next tape.
    pub(crate) fn is_sound(&self) -> bool {
        self.len <= self.sound
    }

    /// Adds a node that was not guessed.
    pub(crate) fn push(&mut self, node: Node) {
        self.list().push(node);
        self.len += 1;
    }

    /// Nodes from here on depend on more than those before them, so they are no guesses, neither here nor later.
    pub(crate) fn doubt(&mut self) {
        self.cut(self.len);
        self.sound = self.sound.min(self.len);
    }

    /// An empty list, with guesses.
    pub(crate) fn restart(&mut self) {
        for id in self.kept.drain(..) {
            if let Some(node) = self.all.get_mut(id.index()) {
                (node.leaf, node.leaf_since) = (Node::NO_LEAF, NodeId(0));
            }
        }
        self.cut(self.sound);
        (self.len, self.sound) = (0, usize::MAX);
    }

    pub(crate) fn capacity(&self) -> usize {
        self.all.capacity()
    }
}

/// Where a consumer's operand comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A leaf of the plan, by ordinal.
    Leaf(u32),
    /// The node itself.
    Node(NodeId),
}

/// The nodes of a tape and all that belongs to them. Its vectors are recycled from tape to tape.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Nodes,
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) leaf_hashes: Vec<u128>,
    /// Leaves whose memory the next evaluation that reads them may write to.
    pub(crate) donated: Vec<u32>,
    /// In the order of their first use.
    pub(crate) parameters: Vec<(LeafId, NodeId)>,
    pub(crate) parameter_places: Table<LeafId, usize>,
    /// The leaves of values that are kept with a model and not trained.
    pub(crate) buffers: Vec<(LeafId, NodeId)>,
    pub(crate) names: HashMap<LeafId, String>,
    /// What a composition is called by its user, where that is not the name of its last op.
    pub(crate) labels: Vec<(NodeId, &'static str)>,
    /// What was called, of which nodes are parts.
    pub(crate) calls: Vec<&'static str>,
    pub(crate) updates: Vec<(LeafId, NodeId)>,
    /// Terms of the loss that no loss has taken up yet.
    pub(crate) added_losses: Vec<NodeId>,
    pub(crate) scopes: Scopes,
    /// The scope of the error that was told last, and its path as it was told.
    pub(crate) blamed: Mutex<Option<(u32, String)>>,
    /// The last few constants: rules ask for the same ones again and again.
    pub(crate) constants: [Option<(Scalar, NodeId)>; 4],
    /// Scratch of the gradient engine: which nodes depend on what is differentiated for, and their cotangents.
    pub(crate) depends: Vec<bool>,
    pub(crate) cotangents: Vec<NodeId>,
}

impl Graph {
    /// The node, unless the id is that of a failed tape.
    pub(crate) fn node(&self, id: NodeId) -> Result<&Node> {
        self.nodes.get(id.index()).ok_or_else(|| Error::state("a value that was never recorded"))
    }

    /// Where `consumer` reads its operand `input` from: a value that was computed before the consumer was recorded is a
    /// leaf to it, one that was computed later is not, so that the consumer's hash stays true.
    pub(crate) fn source(&self, consumer: NodeId, input: NodeId) -> Source {
        match self.nodes.get(input.index()) {
            Some(node) if node.leaf != Node::NO_LEAF && node.leaf_since <= consumer => Source::Leaf(node.leaf),
            _ => Source::Node(input),
        }
    }

    /// The hash by which a node recorded now refers to `input`.
    pub(crate) fn operand_hash(&self, input: &Node) -> u128 {
        match self.leaf_hashes.get(input.leaf as usize) {
            Some(hash) => *hash,
            None => input.hash,
        }
    }

    /// The value of a node that has one.
    pub(crate) fn value(&self, id: NodeId) -> Option<&Leaf> {
        self.nodes.get(id.index()).and_then(|node| self.leaves.get(node.leaf as usize))
    }
}

/// The list of everything that was written: Wengert's list.
///
/// Recording an op adds a node and computes nothing. Values are computed when they are asked for, by a plan that is
/// found again by the structure of the graph. The first error stays on the tape; whatever is recorded after it is inert,
/// and asking for a value returns it.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_tensor::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.input(&Tensor::from([1.0f32, 2.0, 3.0]));
/// let y = (x * x).sum();
/// let [dx] = tape.grad(y, [x]);
/// assert_eq!(y.item::<f32>()?, 14.0);
/// assert_eq!(dx.value()?.to_vec::<f32>()?, [2.0, 4.0, 6.0]);
/// # Ok::<(), wengert_tensor::error::Error>(())
/// ```
pub struct Tape {
    pub(crate) graph: RefCell<Graph>,
    pub(crate) failed: Cell<bool>,
    pub(crate) failure: RefCell<Option<Failure>>,
    pub(crate) scope: Cell<u32>,
    /// Set while a composition is recorded, whose nodes belong to the line that called it; and while a derivative is, whose nodes belong
    /// to the line and the layer of the node they derive.
    pub(crate) origin: Cell<Option<Origin>>,
    pub(crate) training: bool,
    pub(crate) key: Option<Key>,
    pub(crate) key_node: Cell<Option<NodeId>>,
    pub(crate) streams: Cell<u64>,
    /// What stands in for parameters, the latest last.
    pub(crate) substitutes: RefCell<Vec<(LeafId, NodeId)>>,
    /// Whether somebody asked for a value.
    pub(crate) asked: Cell<bool>,
}

/// The first error of a tape, with the operands whose names may still become known.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) operands: Vec<(&'static str, NodeId)>,
}

/// A line of the user's program and a layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) location: &'static Location<'static>,
    pub(crate) scope: u32,
    /// What was called there, if that is no op by itself: see [`Graph::called`].
    pub(crate) call: u32,
}

// A line that stands in the program twice may be two: that costs time alone.
impl PartialEq for Origin {
    #[inline]
    fn eq(&self, other: &Origin) -> bool {
        std::ptr::eq(self.location, other.location) && self.scope == other.scope && self.call == other.call
    }
}

/// A value on a tape: an array that is really a node in a graph. Two words, freely copied; its element type and shape
/// are known at once, its elements when they are asked for.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_tensor::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.input(&Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]));
/// let y = (x.t().matmul(x) + 1.0).relu();
/// assert_eq!(y.shape(), tape.input(&Tensor::from([[0.0f32; 2]; 2])).shape());
/// assert_eq!(y.value()?.to_vec::<f32>()?, [11.0, 15.0, 15.0, 21.0]);
/// # Ok::<(), wengert_tensor::error::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Var<'t> {
    pub(crate) tape: &'t Tape,
    pub(crate) id: NodeId,
}
