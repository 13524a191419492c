//! Sequels: how a tape ended the last time, so that it need not be recorded to its end.

use crate::debug;
use crate::exec::{self, Plan};
use crate::graph::{Graph, Leaf, Node, NodeId, Source, Tape, Var};
use crate::hash::Mixer;
use crate::meta::Meta;
use crate::operand::number;
use crate::plan::extract::bound_bytes;
use crate::report;
use smallvec::SmallVec;
use std::fmt;
use wengert_tensor::dtype::Scalar;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::threads;
use wengert_tensor::layout::Layout;
use wengert_tensor::program::Bound;
use wengert_tensor::storage::Storage;
use wengert_tensor::tensor::Tensor;

const HASH_FROM: u64 = 13;

/// What was recorded behind some values of a tape, as a function of these and of the leaves that were recorded with it. A later tape that has
/// the same values, by their structure, gets the results without recording any of it; an optimizer does so with its update.
///
/// ```
/// use wengert_autograd::{Sequel, Tape};
/// use wengert_tensor::tensor::Tensor;
/// let (mut sequel, mut at) = (None::<(Sequel, usize)>, Vec::new());
/// for step in 1..=3 {
///     let tape = Tape::new();
///     let x = tape.input(&Tensor::from([f64::from(step)]));
///     let y = x.exp();
///     if let Some((sequel, rate)) = &mut sequel
///         && sequel.give_number(*rate, 0.5)
///         && let Some(results) = sequel.run(&tape, [y], &[])
///     {
///         at.extend(results[0].to_vec::<f64>()?);
///         continue;
///     }
///     let start = tape.leaves();
///     let rate = tape.full([1], 2.0, y.dtype());
///     let result = y.log() * rate;
///     let known = Sequel::new(&tape, start, [y], &[result]);
///     at.extend(result.value()?.to_vec::<f64>()?);
///     sequel = known.and_then(|known| Some((known, tape.leaf_of(rate.id())? - start)));
/// }
/// assert_eq!(at, [2.0, 1.0, 1.5]);
/// # Ok::<(), wengert_tensor::error::Error>(())
/// ```
pub struct Sequel {
    /// The structure of the values that it starts from.
    from: u128,
    /// So many leaves belong to the tape before it.
    start: usize,
    /// The others,
    leaves: Vec<Leaf>,
    /// with what each is.
    metas: Vec<Meta>,
    key: u128,
    fuse: bool,
    /// For each result the value of the plan that it is, and what that is.
    results: Vec<(usize, Meta)>,
    /// The last results, and then those whose memory they take.
    values: Vec<Tensor>,
}

impl Tape {
    /// The number of leaves: inputs, parameters, slots.
    pub fn leaves(&self) -> usize {
        self.graph.borrow().leaves.len()
    }

    /// Which of the leaves a node is, if it is one.
    pub fn leaf_of(&self, id: NodeId) -> Option<usize> {
        let graph = self.graph.borrow();
        graph.nodes.get(id.index()).filter(|node| node.is_leaf()).map(|node| node.leaf as usize)
    }

    /// Takes up the value of a node that was computed elsewhere.
    fn settle(&self, id: NodeId, value: &Tensor) {
        if self.graph.borrow().value(id).is_none() {
            self.keep(id, value.clone());
        }
    }
}

impl Sequel {
    /// What was recorded since the tape had `start` leaves: `results`, none of which has a value yet, as a function of the values `from`.
    /// `None` where they depend on other leaves from before it, or on random numbers; where the tape has failed or gives memory away.
    pub fn new<'t>(
        tape: &'t Tape,
        start: usize,
        from: impl IntoIterator<Item = Var<'t>>,
        results: &[Var<'t>],
    ) -> Option<Sequel> {
        let graph = tape.graph.borrow();
        if tape.failed.get() || !graph.donated.is_empty() || !results.iter().all(|var| tape.owns(*var)) {
            return None;
        }
        let mut computed: Vec<NodeId> = results.iter().map(|var| var.id).collect();
        computed.sort_unstable();
        computed.dedup();
        let places = results.iter().map(|var| {
            let node = graph.node(var.id).ok().filter(|node| node.leaf == Node::NO_LEAF)?;
            Some((computed.binary_search(&var.id).ok()?, node.meta.clone()))
        });
        let results = places.collect::<Option<Vec<_>>>()?;
        let mut metas = vec![None; graph.leaves.len().checked_sub(start)?];
        for node in graph.nodes.iter().filter(|node| node.is_leaf()) {
            if let Some(meta) = (node.leaf as usize).checked_sub(start).and_then(|place| metas.get_mut(place)) {
                *meta = Some(node.meta.clone());
            }
        }
        let fuse = exec::fuses();
        let from: Vec<Var<'t>> = from.into_iter().collect();
        if !is_closed(&graph, start, &from, &computed) {
            return None;
        }
        Some(Sequel {
            from: structure(tape, &graph, from)?,
            start,
            leaves: graph.leaves.get(start..)?.iter().map(without_tensor).collect(),
            metas: metas.into_iter().collect::<Option<_>>()?,
            key: exec::request(&graph, &computed, fuse).ok()?,
            fuse,
            results,
            values: Vec::new(),
        })
    }

    /// Gives one of the leaves, counted from the first that is the sequel's own, another number. Tells whether it is a slot that can hold it.
    pub fn give_number(&mut self, leaf: usize, value: f64) -> bool {
        match (self.leaves.get_mut(leaf), self.metas.get(leaf)) {
            (Some(Leaf::Scalar(slot)), Some(meta)) => number(value, meta.dtype).map(|value| *slot = value).is_some(),
            _ => false,
        }
    }

    /// The results for the values `from` of a tape, and for tensors in place of the inputs that are the sequel's own: each with its place,
    /// counted from the first leaf that is. `None` if the values are others, by their structure, than the sequel was made for, if its plan
    /// is not held any more, if a tensor does not fit or is missing, if somebody watches what is computed, or if it fails: whoever records and
    /// evaluates it in full then gets the error.
    pub fn run<'t>(
        &mut self,
        tape: &'t Tape,
        from: impl IntoIterator<Item = Var<'t>>,
        inputs: &[(usize, &Tensor)],
    ) -> Option<&mut [Tensor]> {
        let graph = tape.graph.borrow();
        let as_before = !tape.failed.get()
            && graph.leaves.len() == self.start
            && graph.donated.is_empty()
            && !(debug::is_on() || report::is_watched())
            && exec::fuses() == self.fuse
            && structure(tape, &graph, from) == Some(self.from);
        let outcome = match as_before.then(|| exec::held(self.key)).flatten() {
            Some(mut plan) => {
                let outcome = self.execute(&graph, &mut plan, inputs);
                exec::put_back(self.key, plan);
                outcome.is_ok()
            }
            None => false,
        };
        if !outcome {
            self.values.clear();
        }
        outcome.then_some(&mut self.values)
    }

    fn execute(&mut self, graph: &Graph, plan: &mut Plan, inputs: &[(usize, &Tensor)]) -> Result<()> {
        let stranger = || Error::state("a plan that asks for another leaf");
        let mut given: SmallVec<[Option<&Tensor>; 64]> = SmallVec::from_elem(None, self.leaves.len());
        for &(place, tensor) in inputs {
            let meta =
                self.metas.get(place).filter(|meta| meta.shape == *tensor.shape() && meta.dtype == tensor.dtype());
            match given.get_mut(place).filter(|_| meta.is_some() && tensor.is_contiguous()) {
                Some(own) => *own = Some(tensor),
                None => return Err(stranger()),
            }
        }
        let emitted = &mut plan.emitted;
        let mut arena = Storage::take(emitted.program.buffers().arena)?;
        let place = |ordinal: u32| (ordinal as usize).checked_sub(self.start);
        let mut slots: SmallVec<[Scalar; 64]> = SmallVec::with_capacity(emitted.scalars.len());
        for &ordinal in emitted.scalars.iter() {
            let leaf = place(ordinal).map_or_else(|| graph.leaves.get(ordinal as usize), |own| self.leaves.get(own));
            match leaf {
                Some(Leaf::Scalar(value)) => slots.push(*value),
                _ => return Err(stranger()),
            }
        }
        let mut bound: SmallVec<[Bound<'_>; 32]> = SmallVec::with_capacity(emitted.tensors.len());
        for &ordinal in emitted.tensors.iter() {
            let tensor = match place(ordinal) {
                Some(own) => given.get(own).copied().flatten(),
                None => match graph.leaves.get(ordinal as usize) {
                    Some(Leaf::Tensor(tensor)) => Some(tensor),
                    _ => None,
                },
            };
            bound.push(Bound::Bytes(bound_bytes(tensor.ok_or_else(stranger)?)));
        }
        let sizes = &emitted.program.buffers().outputs;
        let mut targets: SmallVec<[&mut [u8]; 32]> = SmallVec::new();
        targets.resize_with(sizes.len(), Default::default);
        let mut same: SmallVec<[(usize, usize); 4]> = SmallVec::new();
        if self.values.len() != self.results.len() {
            self.values = vec![Tensor::from(0u8); self.results.len()];
        }
        let mut written: SmallVec<[Option<usize>; 32]> = SmallVec::from_elem(None, sizes.len());
        for (i, ((at, meta), value)) in self.results.iter().zip(&mut self.values).enumerate() {
            let output = emitted.outputs.get(*at).copied().ok_or_else(stranger)?;
            let (target, bytes) = targets.get_mut(output).zip(sizes.get(output)).ok_or_else(stranger)?;
            match written.get_mut(output) {
                Some(first @ None) => *first = Some(i),
                Some(Some(first)) => {
                    same.push((i, *first));
                    continue;
                }
                None => return Err(stranger()),
            }
            let fits = value.dtype() == meta.dtype
                && *value.shape() == meta.shape
                && value.bytes_mut().is_some_and(|memory| memory.len() == *bytes);
            if !fits {
                let layout = Layout::contiguous(meta.shape.clone());
                *value = Tensor::from_parts(Storage::take(*bytes)?, meta.dtype, layout)?;
            }
            *target = value.bytes_mut().unwrap_or_default();
        }
        let arena = arena.get_mut().map(|arena| arena.bytes_mut()).unwrap_or_default();
        let (inputs, outputs) = (bound.drain(..), targets.drain(..));
        let go = || emitted.program.run(arena, inputs, outputs, &slots);
        let outcome = if plan.heavy { threads::enter(go) } else { go() };
        outcome.map_err(|failure| failure.error)?;
        drop((bound, targets));
        for (result, first) in same {
            let value = self.values.get(first).cloned().ok_or_else(stranger)?;
            if let Some(result) = self.values.get_mut(result) {
                *result = value;
            }
        }
        Ok(())
    }

    /// The results of the last run, if it has computed any. What stands in their place when it runs again is memory for the next ones, unless
    /// somebody else owns it.
    pub fn values(&mut self) -> &mut [Tensor] {
        &mut self.values
    }

    /// Has the tape keep the first results, as if they had been asked for.
    pub fn keep<'t>(&self, tape: &'t Tape, vars: impl IntoIterator<Item = Var<'t>>) {
        for (var, value) in vars.into_iter().zip(&self.values).filter(|(var, _)| tape.owns(*var)) {
            tape.settle(var.id, value);
        }
    }
}

/// A leaf without its tensor, which is given for each run.
fn without_tensor(leaf: &Leaf) -> Leaf {
    match leaf {
        Leaf::Scalar(value) => Leaf::Scalar(*value),
        _ => Leaf::Argument,
    }
}

/// Whether results depend on the values `from` and on leaves from `start` on alone, and draw no random numbers.
fn is_closed(graph: &Graph, start: usize, from: &[Var<'_>], results: &[NodeId]) -> bool {
    let mut known = vec![false; graph.nodes.len()];
    for var in from {
        if let Some(known) = known.get_mut(var.id.index()) {
            *known = true;
        }
    }
    let end = NodeId(graph.nodes.len() as u32);
    let mut open: Vec<(NodeId, NodeId)> = results.iter().map(|&id| (end, id)).collect();
    while let Some((user, id)) = open.pop() {
        let (Some(node), Some(known)) = (graph.nodes.get(id.index()), known.get_mut(id.index())) else { return false };
        if std::mem::replace(known, true) {
            continue;
        }
        match graph.source(user, id) {
            Source::Leaf(leaf) if (leaf as usize) < start => return false,
            Source::Leaf(_) => {}
            Source::Node(_) if node.op.key().is_some() => return false,
            Source::Node(_) => open.extend(node.inputs.iter().map(|&input| (id, input))),
        }
    }
    true
}

/// What values of a tape are.
fn structure<'t>(tape: &Tape, graph: &Graph, vars: impl IntoIterator<Item = Var<'t>>) -> Option<u128> {
    let mut mixer = Mixer::new(HASH_FROM);
    for var in vars {
        mixer.wide(graph.operand_hash(graph.nodes.get(var.id.index()).filter(|_| tape.owns(var))?));
    }
    Some(mixer.wide_finish())
}

impl fmt::Debug for Sequel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sequel({} leaves, {} results)", self.leaves.len(), self.results.len())
    }
}
