//! Recording: leaves, ops, scopes, names.

use crate::class::Class;
use crate::graph::{Graph, IntoOp, Leaf, LeafId, Node, NodeId, Op, OpRef, Origin, Tape, Var};
use crate::hash::Mixer;
use crate::meta::{Meta, hash_meta};
use crate::operand::number;
use crate::ops::leaf::{Full, Input};
use smallvec::SmallVec;
use std::cell::{Cell, RefCell, RefMut};
use std::fmt;
use std::hash::Hash;
use std::panic::Location;
use std::sync::PoisonError;
use wengert_tensor::dtype::{DType, Scalar};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::huge::huge_pages;
use wengert_tensor::kernels::scalar::ScalarFn;
use wengert_tensor::random::Key;
use wengert_tensor::shape::{IntoShape, Shape};
use wengert_tensor::tensor::Tensor;

/// So many graphs of dropped tapes wait for the next one.
const SPARE_GRAPHS: usize = 4;
/// A graph with room for more nodes than this waits only if its last tape filled one part of the room in [`SPARE_ROOM`].
const SPARE_NODES: usize = 1 << 17;
const SPARE_ROOM: usize = 8;

/// Kinds of structural hashes.
const HASH_NODE: u64 = 1;
const HASH_TENSOR: u64 = 2;
const HASH_SCALAR: u64 = 3;

thread_local! {
    static SPARE: RefCell<Vec<Graph>> = const { RefCell::new(Vec::new()) };
}

/// What is wrong with a term of the loss that was added in a closure that runs many times, and was not taken up there.
pub(crate) const LEFT_OVER: &str =
    "a term of the loss was added in a closure that runs many times, and stays behind in it";
/// How to mend it.
pub(crate) const TAKE_UP: &str = "give it back and add it outside, or take it up inside: loss.with_added_losses()";

impl Tape {
    /// An empty tape, for evaluation: dropout does nothing, and there is no randomness.
    pub fn new() -> Tape {
        Tape::start(false, None)
    }

    /// An empty tape for training: dropout drops, and every random op draws from `key`.
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// assert!(Tape::training(7).is_training());
    /// ```
    pub fn training(key: impl Into<Key>) -> Tape {
        Tape::start(true, Some(key.into()))
    }

    /// An empty tape for evaluation with randomness: [`Tape::new`] whose random ops draw from `key`.
    pub fn with_key(key: impl Into<Key>) -> Tape {
        Tape::start(false, Some(key.into()))
    }

    fn start(training: bool, key: Option<Key>) -> Tape {
        let graph = SPARE.try_with(|spare| spare.borrow_mut().pop()).ok().flatten().unwrap_or_default();
        Tape {
            graph: RefCell::new(graph),
            failed: Cell::new(false),
            failure: RefCell::new(None),
            scope: Cell::new(0),
            origin: Cell::new(None),
            training,
            key,
            key_node: Cell::new(None),
            streams: Cell::new(0),
            substitutes: RefCell::new(Vec::new()),
            asked: Cell::new(false),
        }
    }

    /// Whether layers that behave differently while they learn should do so.
    pub fn is_training(&self) -> bool {
        self.training
    }

    /// The number of nodes.
    pub fn len(&self) -> usize {
        self.graph.borrow().nodes.len()
    }

    /// The structural hashes of all nodes: equal where the same was recorded, whatever the values are.
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_tensor::tensor::Tensor;
    /// let structure = |x: f32, rate: f64| {
    ///     let tape = Tape::new();
    ///     _ = tape.input(&Tensor::from([x])).exp() * rate;
    ///     tape.structure()
    /// };
    /// assert_eq!(structure(1.0, 0.5), structure(2.0, 0.25));
    /// ```
    pub fn structure(&self) -> Vec<u128> {
        self.graph.borrow().nodes.iter().map(|node| node.hash).collect()
    }

    /// Whether nothing was recorded yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A leaf: the value of a tensor.
    #[track_caller]
    pub fn input(&self, tensor: &Tensor) -> Var<'_> {
        let value = Leaf::Tensor(tensor.clone());
        self.leaf(OpRef::Static(&Input), tensor.shape(), tensor.dtype(), value, Location::caller())
    }

    /// Gives the memory of an input away: the next evaluation that reads `input` may write one of its results there, which saves the
    /// memory of that result and the way to it. `tensor` is the caller's own handle of the value.
    ///
    /// After that evaluation the input has no value, and what depends on it and was not computed is an error. An evaluation that fails
    /// leaves it as it was. Memory that has other owners is never written: then all is computed as if nothing had been donated.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let mut mean = Tensor::from([1.0f32, 2.0]);
    /// for _ in 0..3 {
    ///     let tape = Tape::new();
    ///     let m = tape.input(&mean);
    ///     tape.donate(m, mean);
    ///     mean = (m * 0.5).value()?;
    ///     assert!((m + 1.0).value().is_err());
    /// }
    /// assert_eq!(mean.to_vec::<f32>()?, [0.125, 0.25]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    ///
    /// `input` must be the leaf of that tensor.
    #[track_caller]
    pub fn donate<'t>(&'t self, input: Var<'t>, tensor: Tensor) {
        if self.failed.get() {
            return;
        }
        let leaf = match self.graph.borrow().nodes.get(input.id.index()) {
            Some(node) if self.owns(input) && node.inputs.is_empty() => Some(node.leaf),
            _ => None,
        };
        let mut graph = self.graph.borrow_mut();
        match leaf.and_then(|at| Some((at, graph.leaves.get(at as usize)?))) {
            Some((at, Leaf::Tensor(held))) if same_tensor(held, &tensor) => {
                if !graph.donated.contains(&at) {
                    graph.donated.push(at);
                }
            }
            _ => {
                drop(graph);
                let error = Error::value("this is not the input of that tensor")
                    .help("let m = tape.input(&mean); tape.donate(m, mean)");
                self.reject("donate", &[("input", input)], error);
            }
        }
    }

    /// The leaf of a parameter. Asked for again with the same value, it is the same node; its gradient is found by `id`.
    ///
    /// A parameter that changed its value while the tape was recorded gets a new node, and later gradients are of that.
    #[track_caller]
    pub fn parameter(&self, id: LeafId, tensor: &Tensor) -> Var<'_> {
        if let Some(value) = self.stand_in(id, tensor) {
            return value;
        }
        let location = Location::caller();
        let (known, place) = {
            let graph = self.graph.borrow();
            let place = graph.parameter_places.get(&id).copied();
            let node = place.and_then(|p| graph.parameters.get(p)).map(|&(_, node)| node);
            (node.filter(|&n| matches!(graph.value(n), Some(Leaf::Tensor(t)) if same_tensor(t, tensor))), place)
        };
        if let Some(node) = known {
            return if self.failed.get() { self.poison() } else { Var { tape: self, id: node } };
        }
        if let Some(error) = place.and_then(|place| self.other_meta(place, &tensor_meta(tensor))) {
            return self.reject(
                "parameter",
                &[],
                error.help("an identity belongs to one parameter, which keeps its shape and dtype"),
            );
        }
        let value = Leaf::Tensor(tensor.clone());
        let var = self.leaf(OpRef::Static(&Input), tensor.shape(), tensor.dtype(), value, location);
        if var.id != NodeId::POISON {
            let mut graph = self.graph.borrow_mut();
            let Graph { parameters, parameter_places, .. } = &mut *graph;
            match place.and_then(|p| parameters.get_mut(p)) {
                Some(entry) => entry.1 = var.id,
                None => {
                    parameter_places.insert(id, parameters.len());
                    parameters.push((id, var.id));
                }
            }
        }
        var
    }

    /// The leaf of a value that is kept with a model and not trained: an input that is found again by `id`, and has no gradient.
    #[track_caller]
    pub fn buffer(&self, id: LeafId, tensor: &Tensor) -> Var<'_> {
        let var = self.input(tensor);
        if var.id != NodeId::POISON {
            self.graph.borrow_mut().buffers.push((id, var.id));
        }
        var
    }

    /// What is wrong with a value of this shape and dtype for the parameter at a place.
    fn other_meta(&self, place: usize, meta: &Meta) -> Option<Error> {
        let graph = self.graph.borrow();
        let &(id, node) = graph.parameters.get(place)?;
        let known = &graph.nodes.get(node.index())?.meta;
        (known != meta).then(|| Error::shape(format!("parameter #{} is {known}, and not {meta}", id.0)))
    }

    /// A number as a slot: its value is no part of a plan's key, so a learning rate may change at every step.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::dtype::DType;
    /// let tape = Tape::new();
    /// assert_eq!(tape.scalar(0.5, DType::F32).item::<f32>()?, 0.5);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn scalar(&self, value: f64, dtype: DType) -> Var<'_> {
        self.number_slot("scalar", Shape::scalar(), value, dtype)
    }

    /// A slot with a number that its dtype can say: floats round, integers are exact.
    #[track_caller]
    fn number_slot(&self, op: &'static str, shape: Shape, value: f64, dtype: DType) -> Var<'_> {
        match number(value, dtype) {
            Some(scalar) => self.slot(shape, scalar),
            None => {
                let error = Error::dtype(format!("{value} is no {dtype}"));
                self.reject(op, &[], error.help("choose a dtype that has it, as DType::F32"))
            }
        }
    }

    /// A number as a slot that fills a shape; one node.
    #[doc(alias("ones", "zeros"))]
    #[track_caller]
    pub fn full(&self, shape: impl IntoShape, value: f64, dtype: DType) -> Var<'_> {
        match shape.into_shape() {
            Ok(shape) => self.number_slot("full", shape, value, dtype),
            Err(error) => self.reject("full", &[], error),
        }
    }

    /// A slot with an exact value.
    #[track_caller]
    pub fn slot(&self, shape: Shape, value: Scalar) -> Var<'_> {
        self.leaf(OpRef::Static(&Full), &shape, value.dtype(), Leaf::Scalar(value), Location::caller())
    }

    /// A slot that fills the shape of `beside`.
    #[track_caller]
    pub(crate) fn slot_beside(&self, beside: Var<'_>, value: Scalar) -> Var<'_> {
        let location = Location::caller();
        if self.owns(beside) && !self.failed.get() {
            // The shape of a guess need not be copied.
            let mut graph = self.graph.borrow_mut();
            let of = |node: &Node| leaf_hash(graph.leaves.len(), &node.meta.shape, value.dtype(), &Leaf::Scalar(value));
            let hash = graph.nodes.get(beside.id.index()).map(of);
            if graph.nodes.guess().is_some_and(|guess| Some(guess.hash) == hash && guess.is_leaf()) {
                let leaf = add_leaf(&mut graph, hash.unwrap_or_default(), Leaf::Scalar(value));
                return Var { tape: self, id: graph.nodes.confirm(self.origin_or(location), leaf) };
            }
        }
        self.leaf(OpRef::Static(&Full), &beside.shape(), value.dtype(), Leaf::Scalar(value), location)
    }

    /// Applies an op to values of this tape.
    ///
    /// Nothing is computed. What the op refuses becomes the tape's error, with the operands, the layer and this line.
    #[track_caller]
    pub fn record<'t>(&'t self, op: impl IntoOp, inputs: &[Var<'t>]) -> Var<'t> {
        let location = Location::caller();
        if self.failed.get() {
            return self.poison();
        }
        if let Some(id) = self.guessed(&op, inputs, location) {
            return Var { tape: self, id };
        }
        self.record_new(op.into_op(), inputs, location)
    }

    /// The next node, if the tape before this one had the same.
    #[inline]
    fn guessed(&self, op: &impl IntoOp, inputs: &[Var<'_>], location: &'static Location<'static>) -> Option<NodeId> {
        let nodes = &mut self.graph.borrow_mut().nodes;
        let guess = nodes.guess()?;
        let same = guess.inputs.len() == inputs.len()
            && guess.inputs.iter().zip(inputs).all(|(id, var)| *id == var.id && self.owns(*var))
            && !guess.is_leaf()
            && op.is(&guess.op);
        same.then(|| nodes.confirm(self.origin_or(location), Node::NO_LEAF))
    }

    /// An op that the tape before this one did not record here.
    fn record_new<'t>(&'t self, op: OpRef, inputs: &[Var<'t>], location: &'static Location<'static>) -> Var<'t> {
        match self.try_record(op, inputs, location) {
            Ok(id) => Var { tape: self, id },
            Err((op, error)) => self.reject_op(&*op, inputs, error, location),
        }
    }

    fn try_record(
        &self,
        op: OpRef,
        inputs: &[Var<'_>],
        location: &'static Location<'static>,
    ) -> Result<NodeId, (OpRef, Error)> {
        let mut graph = self.graph.borrow_mut();
        let mut metas: SmallVec<[&Meta; 4]> = SmallVec::new();
        let mut hash = Mixer::new(HASH_NODE);
        for input in inputs {
            match graph.nodes.get(input.id.index()) {
                Some(node) if std::ptr::eq(input.tape, self) => {
                    metas.push(&node.meta);
                    hash.wide(graph.operand_hash(node));
                }
                _ => return Err((op, foreign())),
            }
        }
        let meta = match op.infer(&metas) {
            Ok(meta) => meta,
            Err(error) => return Err((op, error)),
        };
        if let OpRef::Shared(shared) = &op
            && let Err(error) = keeps_class(&**shared, &metas, &meta)
        {
            return Err((op, error));
        }
        drop(metas);
        if matches!(op, OpRef::Shared(_)) && !op.reusable() {
            graph.nodes.doubt();
        }
        // Only this copy is lent to the op: the other ones stay in registers.
        let mut lent = hash;
        op.feed(&mut lent);
        let mut hash = lent;
        meta.hash(&mut hash);
        let id = match room(&mut graph) {
            Ok(id) => id,
            Err(error) => return Err((op, error)),
        };
        let Origin { location, scope, call } = self.origin_or(location);
        graph.nodes.push(Node {
            op,
            inputs: operand_ids(inputs),
            meta,
            hash: hash.wide_finish(),
            location,
            scope,
            call,
            leaf: Node::NO_LEAF,
            leaf_since: NodeId(0),
        });
        Ok(id)
    }

    fn leaf(
        &self,
        op: OpRef,
        shape: &Shape,
        dtype: DType,
        value: Leaf,
        location: &'static Location<'static>,
    ) -> Var<'_> {
        if self.failed.get() {
            return self.poison();
        }
        let mut graph = self.graph.borrow_mut();
        let hash = leaf_hash(graph.leaves.len(), shape, dtype, &value);
        if graph.nodes.guess().is_some_and(|guess| guess.hash == hash && guess.is_leaf()) {
            let leaf = add_leaf(&mut graph, hash, value);
            return Var { tape: self, id: graph.nodes.confirm(self.origin_or(location), leaf) };
        }
        let meta = Meta::new(shape.clone(), dtype);
        let id = match room(&mut graph) {
            Ok(id) => id,
            Err(error) => {
                drop(graph);
                return self.reject_op(&*op, &[], error, location);
            }
        };
        let leaf = add_leaf(&mut graph, hash, value);
        let Origin { location, scope, call } = self.origin_or(location);
        graph.nodes.push(Node {
            op,
            inputs: SmallVec::new(),
            meta,
            hash,
            location,
            scope,
            call,
            leaf,
            leaf_since: NodeId(0),
        });
        Var { tape: self, id }
    }

    /// Keeps the computed value of a node: whatever is recorded from now on reads it as a leaf.
    pub(crate) fn keep(&self, id: NodeId, value: Tensor) {
        let mut graph = self.graph.borrow_mut();
        if graph.nodes.get(id.index()).is_none_or(|node| node.leaf != Node::NO_LEAF) {
            return;
        }
        graph.nodes.doubt();
        let value = Leaf::Tensor(value);
        let hash = match (graph.nodes.get(id.index()), &value) {
            (Some(node), value) => leaf_hash(graph.leaves.len(), &node.meta.shape, node.meta.dtype, value),
            _ => return,
        };
        let leaf = add_leaf(&mut graph, hash, value);
        graph.nodes.keep(id, leaf);
    }

    /// Where something belongs that was called at this line.
    pub(crate) fn origin_or(&self, location: &'static Location<'static>) -> Origin {
        self.origin.get().unwrap_or(Origin { location, scope: self.scope.get(), call: 0 })
    }

    /// The value of an op on a failed tape.
    pub(crate) fn poison(&self) -> Var<'_> {
        Var { tape: self, id: NodeId::POISON }
    }

    /// Notes that `new` is to become the value of `target` when the step commits: a running mean, for example.
    ///
    /// A second update of the same target replaces the first; it should start from [`Tape::updated`]. The new value of a parameter of this
    /// tape has its shape and dtype; others are checked by who commits the step.
    #[track_caller]
    pub fn update<'t>(&'t self, target: LeafId, new: Var<'t>) {
        if self.failed.get() {
            return;
        }
        if !self.owns(new) {
            self.reject("update", &[], foreign());
            return;
        }
        let place = self.graph.borrow().parameter_places.get(&target).copied();
        if let Some(error) = place.and_then(|place| self.other_meta(place, &new.meta())) {
            self.reject("update", &[("new", new)], error.help("an update keeps the shape and dtype"));
            return;
        }
        let mut graph = self.graph.borrow_mut();
        match graph.updates.iter_mut().find(|(id, _)| *id == target) {
            Some(entry) => entry.1 = new.id,
            None => graph.updates.push((target, new.id)),
        }
    }

    /// The pending update of `target`, if there is one.
    pub fn updated(&self, target: LeafId) -> Option<Var<'_>> {
        let graph = self.graph.borrow();
        graph.updates.iter().find(|(id, _)| *id == target).map(|&(_, id)| Var { tape: self, id })
    }

    /// All pending updates, in the order in which their targets were first updated.
    pub fn updates(&self) -> Vec<(LeafId, Var<'_>)> {
        self.graph.borrow().updates.iter().map(|&(target, id)| (target, Var { tape: self, id })).collect()
    }

    /// The pending updates as they stand: whether something was updated since is a comparison.
    pub(crate) fn pending(&self) -> Vec<(LeafId, NodeId)> {
        self.graph.borrow().updates.clone()
    }

    /// Adds a term to the loss of this tape, a single number: the price of an activity, the balance of experts. It counts when a loss takes
    /// it up, by [`Var::with_added_losses`].
    #[track_caller]
    pub fn add_loss<'t>(&'t self, term: Var<'t>) {
        if self.failed.get() {
            return;
        }
        if !self.owns(term) {
            self.reject("add_loss", &[], foreign());
            return;
        }
        let meta = term.meta();
        if meta.shape.len() != 1 || !meta.dtype.is_float() {
            let error = Error::shape(format!("a term of a loss is a single float, not {meta}"));
            self.reject("add_loss", &[("term", term)], error.help("take .sum() or .mean() of it"));
            return;
        }
        self.graph.borrow_mut().added_losses.push(term.id);
    }

    /// The terms that [`Tape::add_loss`] added and no loss has taken up yet.
    pub fn added_losses(&self) -> Vec<Var<'_>> {
        self.graph.borrow().added_losses.iter().map(|&id| Var { tape: self, id }).collect()
    }

    /// A term of the loss that was recorded from a node on, and that no loss has taken up yet.
    pub(crate) fn left_over(&self, start: usize) -> Option<Var<'_>> {
        let graph = self.graph.borrow();
        let term = graph.added_losses.iter().find(|id| id.index() >= start);
        term.map(|&id| Var { tape: self, id })
    }

    /// The parameters that were used, in the order of their first use.
    pub fn parameters(&self) -> Vec<(LeafId, Var<'_>)> {
        self.graph.borrow().parameters.iter().map(|&(leaf, id)| (leaf, Var { tape: self, id })).collect()
    }

    /// The leaves of buffers, in the order in which they were read.
    pub fn buffers(&self) -> Vec<(LeafId, Var<'_>)> {
        self.graph.borrow().buffers.iter().map(|&(leaf, id)| (leaf, Var { tape: self, id })).collect()
    }

    /// The slot of the key from which random ops draw, once there is one.
    pub fn key_slot(&self) -> Option<Var<'_>> {
        self.key_node.get().filter(|id| *id != NodeId::POISON).map(|id| Var { tape: self, id })
    }

    /// Whether `var` was recorded here.
    pub(crate) fn owns(&self, var: Var<'_>) -> bool {
        std::ptr::eq(var.tape, self)
    }

    /// Shape and element type, something harmless on a failed tape.
    pub(crate) fn meta(&self, id: NodeId) -> Meta {
        match self.graph.borrow().nodes.get(id.index()) {
            Some(node) => node.meta.clone(),
            None => Meta::new(Shape::scalar(), DType::F32),
        }
    }

    pub(crate) fn graph_mut(&self) -> RefMut<'_, Graph> {
        self.graph.borrow_mut()
    }
}

impl Default for Tape {
    fn default() -> Tape {
        Tape::new()
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        let mut graph = std::mem::take(self.graph.get_mut());
        if graph.nodes.capacity() > SPARE_NODES.max(SPARE_ROOM * graph.nodes.len()) {
            return;
        }
        graph.nodes.restart();
        graph.leaves.clear();
        graph.leaf_hashes.clear();
        graph.donated.clear();
        graph.parameters.clear();
        graph.parameter_places.clear();
        graph.buffers.clear();
        graph.names.clear();
        graph.labels.clear();
        graph.calls.clear();
        graph.updates.clear();
        graph.added_losses.clear();
        graph.scopes.clear();
        *graph.blamed.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        graph.constants = [None; 4];
        // A thread that ends has no spare list any more; the graph is then simply freed.
        _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < SPARE_GRAPHS {
                spare.push(graph);
            }
        });
    }
}

/// One line a node: its number, its op and operands, its shape and dtype.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_tensor::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.input(&Tensor::from([1.0f32, 2.0]));
/// _ = (x * 2.0).sum();
/// assert_eq!(
///     tape.to_string(),
///     "%0 = input: [2] f32\n%1 = full: [2] f32\n%2 = mul %0 %1: [2] f32\n%3 = sum %2: [] f32\n"
/// );
/// ```
impl fmt::Display for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, node) in self.graph.borrow().nodes.iter().enumerate() {
            write!(f, "%{i} = {}", node.op.name())?;
            for input in &node.inputs {
                write!(f, " %{}", input.0)?;
            }
            writeln!(f, ": {}", node.meta)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tape").field("nodes", &self.len()).field("training", &self.training).finish_non_exhaustive()
    }
}

/// The error about a value of another tape.
pub(crate) fn foreign() -> Error {
    Error::state("an operand belongs to another tape").help("a value moves between tapes as a tensor: .value()?")
}

/// That what the rule of shapes says is what the planner will do: an op that breaks its contract is found when it is recorded.
fn keeps_class(op: &dyn Op, inputs: &[&Meta], out: &Meta) -> Result<()> {
    match op.class() {
        Class::Map(f) => {
            let (first, last) = match inputs {
                [first, ..] if f.arity() == inputs.len() => (*first, inputs.last().copied().unwrap_or(first)),
                _ => {
                    let error = format!(
                        "its class is the function {}, of {} operands, not {}",
                        f.name(),
                        f.arity(),
                        inputs.len()
                    );
                    return Err(Error::state(error).help("infer says how many operands the op takes"));
                }
            };
            // The first operand of a choice is its mask.
            let data = if f == ScalarFn::Select { last } else { first };
            if !f.supports(data.dtype) {
                return Err(Error::dtype(format!(
                    "its class is the function {}, which is not defined for {}",
                    f.name(),
                    data.dtype
                )));
            }
            let given = Meta::new(data.shape.clone(), f.output(data.dtype));
            match inputs.iter().find(|x| x.shape != out.shape) {
                None if given.dtype == out.dtype => Ok(()),
                None => Err(Error::dtype(format!("infer says {out}, and the function {} gives {given}", f.name()))),
                Some(x) => {
                    Err(Error::shape(format!("infer says {out}, and an operand of the function {} is {x}", f.name()))
                        .help("the operands of a function of elements have the shape of its result: broadcast_to"))
                }
            }
        }
        Class::Cast(dtype) if dtype != out.dtype || inputs.first().is_some_and(|x| x.shape != out.shape) => {
            Err(Error::state(format!("infer says {out}, and the class is a cast to {dtype}")))
        }
        _ => Ok(()),
    }
}

fn tensor_meta(tensor: &Tensor) -> Meta {
    Meta::new(tensor.shape().clone(), tensor.dtype())
}

/// Whether both are the same elements of the same memory.
fn same_tensor(a: &Tensor, b: &Tensor) -> bool {
    a.dtype() == b.dtype() && a.layout() == b.layout() && a.storage().same(b.storage())
}

fn operand_ids(inputs: &[Var<'_>]) -> SmallVec<[NodeId; 3]> {
    const NONE: NodeId = NodeId::POISON;
    let few = |ids, len| SmallVec::from_buf_and_len(ids, len);
    match inputs {
        [a] => few([a.id, NONE, NONE], 1),
        [a, b] => few([a.id, b.id, NONE], 2),
        _ => inputs.iter().map(|input| input.id).collect(),
    }
}

/// The place of the next node.
#[inline]
fn room(graph: &mut Graph) -> Result<NodeId> {
    let len = graph.nodes.len();
    if len == graph.nodes.capacity() {
        grow(graph.nodes.list())?;
    }
    Ok(NodeId(len as u32))
}

/// Twice the room, or more. A long tape lies on large pages: it is written once and read once, and small ones would cost as much as the
/// nodes do. They are asked for before anything is there, so the list moves instead of being stretched.
#[cold]
fn grow(nodes: &mut Vec<Node>) -> Result<()> {
    const MOST: usize = u32::MAX as usize;
    if nodes.len() >= MOST {
        return Err(Error::memory("the tape holds 2³² nodes and is full"));
    }
    let (mut roomy, wanted) = (Vec::new(), (2 * nodes.len()).clamp(64, MOST));
    roomy.try_reserve_exact(wanted).map_err(|_| Error::memory(format!("no room for a tape of {wanted} nodes")))?;
    huge_pages(roomy.spare_capacity_mut());
    roomy.append(nodes);
    *nodes = roomy;
    Ok(())
}

/// The hash of a leaf: of its ordinal, its form, and the way in which it lies.
fn leaf_hash(ordinal: usize, shape: &Shape, dtype: DType, value: &Leaf) -> u128 {
    let mut mixer = Mixer::new(match value {
        Leaf::Tensor(_) | Leaf::Spent | Leaf::Argument => HASH_TENSOR,
        Leaf::Scalar(_) => HASH_SCALAR,
    });
    mixer.word(ordinal as u64);
    hash_meta(shape, dtype, &mut mixer);
    if let Leaf::Tensor(tensor) = value
        && !tensor.layout().is_contiguous()
    {
        tensor.layout().strides().hash(&mut mixer);
    }
    mixer.wide_finish()
}

/// Adds a leaf and gives its ordinal.
fn add_leaf(graph: &mut Graph, hash: u128, value: Leaf) -> u32 {
    let ordinal = graph.leaves.len() as u32;
    graph.leaves.push(value);
    graph.leaf_hashes.push(hash);
    ordinal
}
