//! A function as data: what a closure recorded, cut out of its tape, so that one op can run it many times.
//!
//! The closure is recorded on the tape it was called from, for inputs without a value. What depends on these is the body; what
//! does not is computed outside, once, and is an operand of the op that runs the body. A body can be recorded again
//! ([`Body::replay`]), and that is all its derivatives and batches need: they are bodies that were cut out of such a recording.

use crate::class::Class;
use crate::exec;
use crate::graph::{Leaf, Node, NodeId, OpRef, Origin, Tape, Var};
use crate::hash::{Mixer, Table};
use crate::meta::Meta;
use crate::naming::Called;
use crate::ops::broadcast::Broadcast;
use crate::ops::leaf::Example;
use crate::plan::emit::Emitted;
use crate::plan::graph as planned;
use crate::tape::{LEFT_OVER, TAKE_UP};
use smallvec::SmallVec;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use wengert_tensor::dtype::Scalar;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::layout::Layout;
use wengert_tensor::random::Key;
use wengert_tensor::shape::Shape;
use wengert_tensor::storage::Storage;

/// How the body reads an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    /// As a tensor.
    Value,
    /// As a number in a slot; it has rank 0.
    Number,
    /// As the key of random ops, which draw anew in every run.
    Key,
}

/// An input of a body.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Input {
    pub(crate) meta: Meta,
    pub(crate) role: Role,
}

impl Input {
    pub(crate) fn value(meta: Meta) -> Input {
        Input { meta, role: Role::Value }
    }
}

/// A node of a body; values are numbered from the first input on.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) op: OpRef,
    pub(crate) inputs: SmallVec<[u32; 3]>,
    pub(crate) meta: Meta,
    pub(crate) origin: Origin,
    /// What its user called, for errors while it runs.
    pub(crate) called: Option<Called>,
}

/// A function as data.
pub(crate) struct Body {
    pub(crate) inputs: Vec<Input>,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) outputs: Vec<u32>,
    hash: u128,
    /// Compiled when it first runs, and taken out while it does.
    plan: Mutex<Option<Box<Emitted>>>,
    /// The same for some threads, each of which computes a part of all results.
    shares: Mutex<Shares>,
}

/// The plans of threads that share the results of a body.
#[derive(Default)]
struct Shares {
    /// For up to so many threads; 0 before anybody asked.
    asked: usize,
    /// For so many.
    count: usize,
    /// One for each; none where it cannot be shared out, or while they run.
    plans: Vec<Emitted>,
    /// Which inputs each reads its own part of. None where it cannot be shared out.
    by_part: Option<Arc<[bool]>>,
}

/// What threads run that share the results of a body.
pub(crate) struct Shared<'b> {
    /// One for each.
    pub(crate) runners: Vec<Runner<'b>>,
    /// For each input, whether a thread reads its own part of it.
    pub(crate) by_part: Arc<[bool]>,
}

/// A body, and the values outside of it that it reads behind its own inputs.
pub(crate) struct Traced<'t> {
    pub(crate) body: Body,
    pub(crate) captured: Vec<Var<'t>>,
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (inputs, outputs) = (self.inputs.len(), self.outputs.len());
        write!(f, "Body({inputs} inputs, {} ops, {outputs} outputs)", self.pieces.len())
    }
}

// As for plans: 128 bits are the structure.
impl PartialEq for Body {
    fn eq(&self, other: &Body) -> bool {
        self.hash == other.hash
    }
}

impl Eq for Body {}

impl Hash for Body {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

impl Body {
    fn new(inputs: Vec<Input>, pieces: Vec<Piece>, outputs: Vec<u32>) -> Body {
        let mut mixer = Mixer::new(23);
        inputs.hash(&mut mixer);
        for piece in &pieces {
            piece.op.feed(&mut mixer);
            piece.inputs.hash(&mut mixer);
            piece.meta.hash(&mut mixer);
        }
        outputs.hash(&mut mixer);
        Body { inputs, pieces, outputs, hash: mixer.wide_finish(), plan: Mutex::new(None), shares: Mutex::default() }
    }

    /// Shape and dtype of an output.
    pub(crate) fn output(&self, i: usize) -> Option<&Meta> {
        let at = *self.outputs.get(i)? as usize;
        match at.checked_sub(self.inputs.len()) {
            None => self.inputs.get(at).map(|input| &input.meta),
            Some(piece) => self.pieces.get(piece).map(|piece| &piece.meta),
        }
    }

    /// Shapes and dtypes of the outputs.
    pub(crate) fn metas(&self) -> Vec<Meta> {
        (0..self.outputs.len()).filter_map(|i| self.output(i).cloned()).collect()
    }

    /// Operations of one run, as far as its ops say.
    pub(crate) fn flops(&self) -> u64 {
        let meta = |&at: &u32| match (at as usize).checked_sub(self.inputs.len()) {
            None => self.inputs.get(at as usize).map(|input| &input.meta),
            Some(piece) => self.pieces.get(piece).map(|piece| &piece.meta),
        };
        let of = |piece: &Piece| {
            let inputs: SmallVec<[&Meta; 3]> = piece.inputs.iter().filter_map(meta).collect();
            piece.op.class().flops(&inputs, &piece.meta)
        };
        self.pieces.iter().filter_map(of).sum()
    }

    /// Which inputs are read.
    pub(crate) fn reads(&self) -> Vec<bool> {
        let mut reads = vec![false; self.inputs.len()];
        let used = self.pieces.iter().flat_map(|piece| piece.inputs.iter()).chain(&self.outputs);
        used.for_each(|&at| {
            if let Some(read) = reads.get_mut(at as usize) {
                *read = true;
            }
        });
        reads
    }

    /// The body without the inputs that are not kept; it does not read them.
    pub(crate) fn with_inputs(self, keep: &[bool]) -> Body {
        let kept = |i: usize| keep.get(i).copied().unwrap_or(true);
        let mut place = 0;
        let mut places = Vec::with_capacity(self.inputs.len());
        for i in 0..self.inputs.len() {
            places.push(place);
            place += u32::from(kept(i));
        }
        let dropped = self.inputs.len() as u32 - place;
        let moved = |at: u32| places.get(at as usize).copied().unwrap_or(at.wrapping_sub(dropped));
        let pieces = self.pieces.into_iter().map(|mut piece| {
            piece.inputs.iter_mut().for_each(|input| *input = moved(*input));
            piece
        });
        let pieces = pieces.collect();
        let outputs = self.outputs.iter().map(|&at| moved(at)).collect();
        let inputs = self.inputs.into_iter().enumerate().filter(|(i, _)| kept(*i)).map(|(_, input)| input).collect();
        Body::new(inputs, pieces, outputs)
    }

    /// Records the body on a tape, for these inputs.
    pub(crate) fn replay<'t>(&self, tape: &'t Tape, inputs: &[Var<'t>]) -> Vec<Var<'t>> {
        self.replay_with(tape, inputs, |_, var| var)
    }

    /// As [`Body::replay`]; `instead` is given each piece and its value, and says what its users read.
    pub(crate) fn replay_with<'t>(
        &self,
        tape: &'t Tape,
        inputs: &[Var<'t>],
        instead: impl FnMut(usize, Var<'t>) -> Var<'t>,
    ) -> Vec<Var<'t>> {
        self.replay_as(tape, inputs, OpRef::clone, instead)
    }

    /// As [`Body::replay_with`]; `op` says which op is recorded for each.
    pub(crate) fn replay_as<'t>(
        &self,
        tape: &'t Tape,
        inputs: &[Var<'t>],
        mut op: impl FnMut(&OpRef) -> OpRef,
        mut instead: impl FnMut(usize, Var<'t>) -> Var<'t>,
    ) -> Vec<Var<'t>> {
        let outer = tape.origin.get();
        let mut values: Vec<Var<'t>> = inputs.to_vec();
        for (i, piece) in self.pieces.iter().enumerate() {
            tape.origin.set(Some(piece.origin));
            let operands: SmallVec<[Var<'t>; 3]> =
                piece.inputs.iter().filter_map(|&at| values.get(at as usize).copied()).collect();
            let value = tape.record(op(&piece.op), &operands);
            values.push(instead(i, value));
        }
        tape.origin.set(outer);
        self.outputs.iter().map(|&at| values.get(at as usize).copied().unwrap_or(tape.poison())).collect()
    }

    /// The plan, ready to run. Inputs from `fixed` on are the same in all runs of it.
    pub(crate) fn runner(&self, fixed: usize) -> Result<Runner<'_>> {
        let kept = self.plan.lock().unwrap_or_else(PoisonError::into_inner).take();
        let plan = match kept {
            Some(plan) => plan,
            None => Box::new(keeping(exec::plan(self.graph(), &[], exec::fuses())?, fixed)?),
        };
        let arena = Storage::take(plan.program.buffers().arena)?;
        Ok(Runner { body: self, plan: Some(plan), arena, shares: 0, ran: false })
    }

    /// The plans of up to so many threads, each of which computes an equal part of every result, one behind the other, ready to run. Inputs
    /// from `fixed` on are the same in all runs.
    ///
    /// `may` says of a number of threads, and of which inputs each would read its own part of, whether that will do. None where a part of
    /// the results needs more.
    pub(crate) fn runners(
        &self,
        most: usize,
        fixed: usize,
        may: impl Fn(usize, Option<&[bool]>) -> bool,
    ) -> Result<Option<Shared<'_>>> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if shares.asked != most {
            *shares = Shares { asked: most, ..Shares::default() };
            for count in (2..=most).rev().filter(|&count| may(count, None)) {
                let Some((plan, by_part)) = self.share(count, fixed)? else { continue };
                if may(count, Some(&by_part)) {
                    (shares.count, shares.by_part) = (count, Some(by_part.into()));
                    shares.plans.push(plan);
                    break;
                }
            }
        }
        let Some(by_part) = shares.by_part.clone() else { return Ok(None) };
        let (count, mut plans) = (shares.count, std::mem::take(&mut shares.plans));
        drop(shares);
        // Those that somebody else runs just now, too.
        while plans.len() < count {
            let Some((plan, _)) = self.share(count, fixed)? else { return Ok(None) };
            plans.push(plan);
        }
        let runner = |plan: Emitted| {
            let arena = Storage::take(plan.program.buffers().arena)?;
            Ok(Runner { body: self, plan: Some(Box::new(plan)), arena, shares: count, ran: false })
        };
        Ok(Some(Shared { runners: plans.into_iter().map(runner).collect::<Result<_>>()?, by_part }))
    }

    /// The plan of one of so many threads, and for each input whether it reads its own part of it.
    fn share(&self, count: usize, fixed: usize) -> Result<Option<(Emitted, Vec<bool>)>> {
        let bytes: Vec<usize> =
            self.inputs.iter().map(|input| input.meta.shape.len() * input.meta.dtype.size()).collect();
        let Some(share) = exec::share(self.graph(), count, &bytes)? else { return Ok(None) };
        let mut by_part = vec![false; self.inputs.len()];
        for (&at, here) in share.emitted.tensors.iter().zip(share.by_part) {
            if let Some(by_part) = by_part.get_mut(at as usize) {
                *by_part = here;
            }
        }
        Ok(Some((keeping(share.emitted, fixed)?, by_part)))
    }

    fn graph(&self) -> planned::Graph {
        let mut graph = planned::Graph::default();
        for (i, input) in self.inputs.iter().enumerate() {
            let kind = match input.role {
                Role::Value => planned::Kind::Tensor(i as u32, Layout::contiguous(input.meta.shape.clone())),
                Role::Number | Role::Key => planned::Kind::Scalar(i as u32),
            };
            let origin = u128::MAX;
            graph.nodes.push(planned::Node { kind, inputs: SmallVec::new(), meta: input.meta.clone(), origin });
        }
        for (i, piece) in self.pieces.iter().enumerate() {
            graph.nodes.push(planned::Node {
                kind: planned::Kind::Op(piece.op.clone()),
                inputs: match piece.op.class() {
                    Class::View(_) => piece.inputs.iter().take(1).copied().collect(),
                    _ => piece.inputs.clone(),
                },
                meta: piece.meta.clone(),
                origin: i as u128,
            });
        }
        graph.outputs = self.outputs.clone();
        graph
    }
}

/// A body that runs.
pub(crate) struct Runner<'b> {
    body: &'b Body,
    plan: Option<Box<Emitted>>,
    arena: Storage,
    /// One of so many that share it, or 0 if it computes all.
    shares: usize,
    /// Whether it has run, so that copies of what is fixed are in the arena.
    ran: bool,
}

/// A plan that keeps copies of inputs from `fixed` on.
fn keeping(plan: Emitted, fixed: usize) -> Result<Emitted> {
    let Emitted { program, tensors, .. } = plan;
    let program = program.keeping_copies(|input| tensors.get(input).is_some_and(|&at| at as usize >= fixed))?;
    Ok(Emitted { program, tensors, ..plan })
}

impl Drop for Runner<'_> {
    fn drop(&mut self) {
        if self.shares == 0 {
            *self.body.plan.lock().unwrap_or_else(PoisonError::into_inner) = self.plan.take();
            return;
        }
        let mut shares = self.body.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if shares.count == self.shares && shares.plans.len() < shares.count {
            shares.plans.extend(self.plan.take().map(|plan| *plan));
        }
    }
}

impl Runner<'_> {
    /// Runs once: the bytes of each input to the bytes of each output. `run` tells the draws of random ops apart.
    pub(crate) fn run(&mut self, run: u64, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> Result<()> {
        let lost = || Error::state("a body that runs without its plan");
        let Some(plan) = &mut self.plan else { return Err(lost()) };
        let bytes = |at: u32| inputs.get(at as usize).copied().unwrap_or_default();
        let slot = |&at: &u32| {
            let input = self.body.inputs.get(at as usize).ok_or_else(lost)?;
            let value = Scalar::from_bytes(input.meta.dtype, bytes(at)).ok_or_else(lost)?;
            Ok(match input.role {
                Role::Key => Scalar::of(Key(value.bits()).fold(run).0 as i64),
                _ => value,
            })
        };
        let slots: SmallVec<[Scalar; 16]> = plan.scalars.iter().map(slot).collect::<Result<_>>()?;
        // An output that is wanted twice is computed once, and copied.
        let count = plan.program.buffers().outputs.len();
        let mut first: SmallVec<[usize; 8]> = SmallVec::from_elem(usize::MAX, count);
        for (i, &at) in plan.outputs.iter().enumerate().rev() {
            if let Some(first) = first.get_mut(at) {
                *first = i;
            }
        }
        {
            let mut targets: Vec<Option<&mut [u8]>> = (0..count).map(|_| None).collect();
            for (i, output) in outputs.iter_mut().enumerate() {
                let at = plan.outputs.get(i).copied().filter(|&at| first.get(at) == Some(&i));
                if let Some(target) = at.and_then(|at| targets.get_mut(at)) {
                    *target = Some(&mut **output);
                }
            }
            let arena = self.arena.get_mut().ok_or_else(lost)?.bytes_mut();
            let tensors = plan.tensors.iter().map(|&at| bytes(at));
            let outcome = plan.program.run_on(self.ran, arena, tensors, targets.into_iter().flatten(), &slots);
            if let Err(failure) = outcome {
                let origin = failure.tag.and_then(|tag| plan.origins.get(tag as usize)).copied();
                let piece = origin.and_then(|at| self.body.pieces.get(usize::try_from(at).ok()?));
                return Err(match piece {
                    Some(Piece { op, origin, called, .. }) => {
                        let error = failure.error.op(op.name()).at(origin.location);
                        match called {
                            Some(called) => called.tell(error),
                            None => error,
                        }
                    }
                    None => failure.error,
                });
            }
        }
        self.ran = true;
        for (i, at) in plan.outputs.iter().enumerate() {
            let from = first.get(*at).copied().filter(|&from| from < i);
            if let Some(from) = from
                && let Some((before, rest)) = outputs.split_at_mut_checked(i)
                && let (Some(source), Some(target)) = (before.get(from), rest.first_mut())
            {
                target.copy_from_slice(source);
            }
        }
        Ok(())
    }
}

/// Cuts out what `f` records for inputs of these shapes and dtypes. `None` on a tape that has failed.
///
/// Inputs that `f` gives back, and values that do not depend on its inputs, are outputs as well.
#[track_caller]
pub(crate) fn trace<'t>(
    tape: &'t Tape,
    op: &'static str,
    inputs: &[Input],
    f: impl FnOnce(&[Var<'t>]) -> Vec<Var<'t>>,
) -> Option<Traced<'t>> {
    trace_with(tape, op, inputs, |v| (f(v), ())).0
}

/// As [`trace`]; `f` is called in any case, and what else it gives is handed on.
#[track_caller]
pub(crate) fn trace_with<'t, R>(
    tape: &'t Tape,
    op: &'static str,
    inputs: &[Input],
    f: impl FnOnce(&[Var<'t>]) -> (Vec<Var<'t>>, R),
) -> (Option<Traced<'t>>, R) {
    let start = tape.len();
    let record = |input: &Input| {
        let Meta { shape, dtype } = input.meta.clone();
        tape.record(Example { shape, dtype }, &[])
    };
    let examples: Vec<Var<'t>> = inputs.iter().map(record).collect();
    let updates = tape.pending();
    let (outputs, more) = f(&examples);
    if tape.pending() != updates && !tape.failed.get() {
        let error =
            Error::state("a running value of the model cannot be updated inside of a closure that runs many times");
        tape.reject(op, &[], error.help("give the value back, and update it outside"));
    }
    if !tape.failed.get()
        && let Some(term) = tape.left_over(start)
    {
        tape.reject(op, &[("term", term)], Error::state(LEFT_OVER).help(TAKE_UP));
    }
    if let Some(stranger) = outputs.iter().find(|var| !tape.owns(**var))
        && !tape.failed.get()
    {
        tape.reject(op, &[("result", *stranger)], crate::tape::foreign());
    }
    if tape.failed.get() {
        return (None, more);
    }
    let mut cut = Cut { tape, start, depends: Vec::new(), numbers: Table::default(), inputs: inputs.to_vec() };
    let captured = cut.captures(&examples, &outputs);
    let (body, captured) = cut.finish(&examples, &outputs, captured);
    ((!tape.failed.get()).then_some(Traced { body, captured }), more)
}

/// What a value outside of a body is to it.
enum Outside<'t> {
    /// An operand.
    Operand(Var<'t>, Role),
    /// Recorded again inside: it has no operands.
    Inline,
    /// A number that fills a shape: an operand of rank 0, repeated inside.
    Fill(Var<'t>),
}

struct Cut<'t> {
    tape: &'t Tape,
    start: usize,
    /// For each node from `start` on, whether it belongs to the body.
    depends: Vec<bool>,
    /// The number that each value is to the body.
    numbers: Table<NodeId, u32>,
    inputs: Vec<Input>,
}

impl<'t> Cut<'t> {
    fn inside(&self, id: NodeId) -> bool {
        id.index().checked_sub(self.start).and_then(|at| self.depends.get(at)) == Some(&true)
    }

    /// Marks the nodes of the body, and finds what they read from outside.
    fn captures(&mut self, examples: &[Var<'t>], outputs: &[Var<'t>]) -> Vec<(NodeId, Outside<'t>)> {
        let tape = self.tape;
        let graph = tape.graph.borrow();
        let count = graph.nodes.len();
        self.depends = vec![false; count - self.start.min(count)];
        for (at, node) in graph.nodes.iter().enumerate().skip(self.start) {
            let id = NodeId(at as u32);
            let depends = examples.iter().any(|example| example.id == id)
                || (node.leaf == Node::NO_LEAF
                    && (node.op.key().is_some() || node.inputs.iter().any(|&input| self.inside(input))));
            if let Some(mark) = self.depends.get_mut(at - self.start) {
                *mark = depends;
            }
        }
        // Only what the outputs need.
        let mut needed = vec![false; self.depends.len()];
        let mut open: Vec<NodeId> = outputs.iter().map(|var| var.id).collect();
        let mut outside: Vec<(NodeId, bool)> = Vec::new();
        while let Some(id) = open.pop() {
            if !self.inside(id) {
                outside.push((id, false));
                continue;
            }
            let Some(seen) = id.index().checked_sub(self.start).and_then(|at| needed.get_mut(at)) else { continue };
            if std::mem::replace(seen, true) {
                continue;
            }
            let Some(node) = graph.nodes.get(id.index()) else { continue };
            for (i, &input) in node.inputs.iter().enumerate() {
                match self.inside(input) {
                    true => open.push(input),
                    false => outside.push((input, node.op.key() == Some(i))),
                }
            }
        }
        self.depends = needed;
        outside.sort_unstable();
        // The key of a random op is a key to all.
        outside.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 |= same && next.1;
            same
        });
        let outside: Vec<(NodeId, Outside<'t>, Option<Scalar>)> = outside
            .into_iter()
            .filter_map(|(id, key)| {
                let node = graph.nodes.get(id.index())?;
                let var = Var { tape, id };
                let number = match graph.value(id) {
                    Some(Leaf::Scalar(number)) => Some(*number),
                    _ => None,
                };
                Some(match (node.op.class(), number) {
                    (Class::Index(_), _) if node.inputs.is_empty() => (id, Outside::Inline, None),
                    (_, Some(_)) if node.meta.shape.rank() == 0 => {
                        (id, Outside::Operand(var, if key { Role::Key } else { Role::Number }), None)
                    }
                    (_, number @ Some(_)) if id.index() >= self.start => (id, Outside::Fill(var), number),
                    _ => (id, Outside::Operand(var, Role::Value), None),
                })
            })
            .collect();
        drop(graph);
        let slot = |(id, outside, number): (NodeId, Outside<'t>, Option<Scalar>)| match number {
            Some(number) => (id, Outside::Fill(tape.slot(Shape::scalar(), number))),
            None => (id, outside),
        };
        outside.into_iter().map(slot).collect()
    }

    fn finish(
        mut self,
        examples: &[Var<'t>],
        outputs: &[Var<'t>],
        outside: Vec<(NodeId, Outside<'t>)>,
    ) -> (Body, Vec<Var<'t>>) {
        for (i, example) in examples.iter().enumerate() {
            self.numbers.insert(example.id, i as u32);
        }
        let mut captured = Vec::new();
        for (id, outside) in &outside {
            let (var, role) = match outside {
                Outside::Operand(var, role) => (*var, *role),
                Outside::Fill(var) => (*var, Role::Number),
                Outside::Inline => continue,
            };
            self.numbers.insert(*id, self.inputs.len() as u32);
            self.inputs.push(Input { meta: var.meta(), role });
            captured.push(var);
        }
        let graph = self.tape.graph.borrow();
        let mut pieces = Vec::new();
        let count = self.inputs.len() as u32;
        for (id, outside) in &outside {
            let Some(node) = graph.nodes.get(id.index()) else { continue };
            let (origin, called) = (node.origin(), graph.call(node.call));
            let (op, inputs) = match outside {
                Outside::Operand(..) => continue,
                Outside::Inline => (node.op.clone(), SmallVec::new()),
                Outside::Fill(_) => {
                    let number = self.numbers.get(id).copied().unwrap_or(u32::MAX);
                    (Broadcast { shape: node.meta.shape.clone() }.into(), SmallVec::from_slice(&[number]))
                }
            };
            self.numbers.insert(*id, count + pieces.len() as u32);
            pieces.push(Piece { op, inputs, meta: node.meta.clone(), origin, called });
        }
        for (at, node) in graph.nodes.iter().enumerate().skip(self.start) {
            let id = NodeId(at as u32);
            if !self.inside(id) || examples.iter().any(|example| example.id == id) {
                continue;
            }
            let inputs = node.inputs.iter().map(|input| self.numbers.get(input).copied().unwrap_or(u32::MAX)).collect();
            self.numbers.insert(id, count + pieces.len() as u32);
            let (origin, called) = (node.origin(), graph.call(node.call));
            pieces.push(Piece { op: node.op.clone(), inputs, meta: node.meta.clone(), origin, called });
        }
        let outputs = outputs.iter().map(|var| self.numbers.get(&var.id).copied().unwrap_or(u32::MAX)).collect();
        drop(graph);
        (Body::new(self.inputs, pieces, outputs), captured)
    }
}

/// The cotangents of the wanted inputs of a body, recorded: zeros where there are none.
///
/// `cts` are cotangents of outputs, each with the number of its output.
pub(crate) fn pull_back<'t>(
    body: &Body,
    tape: &'t Tape,
    inputs: &[Var<'t>],
    cts: &[(usize, Var<'t>)],
    wanted: &[usize],
) -> Vec<Var<'t>> {
    let outputs = body.replay(tape, inputs);
    let from: Vec<(Var<'t>, Var<'t>)> =
        cts.iter().filter_map(|&(i, ct)| Some((outputs.get(i).copied()?, ct))).collect();
    let inputs: Vec<Var<'t>> = wanted.iter().filter_map(|&i| inputs.get(i).copied()).collect();
    let ids: Vec<NodeId> = inputs.iter().map(|var| var.id).collect();
    if tape.failed.get() {
        return vec![tape.poison(); ids.len()];
    }
    let found = tape.sweep_all(&from, &ids);
    found.into_iter().zip(inputs).map(|(ct, input)| ct.unwrap_or_else(|| input.zeros_like())).collect()
}
