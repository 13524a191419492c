//! Computing what was asked for: find the plan, or make it, bind the leaves, run it.

use crate::graph::{Graph, Leaf, NodeId, Tape};
use crate::hash::{Mixer, Table};
use crate::plan;
use crate::plan::again::again;
use crate::plan::emit::{Emitted, Share, emit, emit_share};
use crate::plan::extract::{bound_bytes, extract};
use crate::plan::group::{Grouping, group};
use crate::plan::lower::{Lowered, lower};
use crate::plan::simplify::simplify;
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::time::Duration;
use wengert_tensor::dtype::{DType, Scalar};
use wengert_tensor::error::{Error, ErrorKind, Result};
use wengert_tensor::kernels::threads;
use wengert_tensor::layout::Layout;
use wengert_tensor::program::Bound;
use wengert_tensor::shape::Shape;
use wengert_tensor::storage::Storage;
use wengert_tensor::tensor::Tensor;

/// A thread keeps this many plans; the one unused for longest goes first.
const PLANS: usize = 256;
/// A program of about this much work, some of it shared, has sleeping threads woken when it begins.
const ENTER_NS: u64 = 25_000;

const HASH_REQUEST: u64 = 11;
const HASH_FOLDED: u64 = 12;

/// What the planner of this thread has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlanStats {
    /// Plans compiled.
    pub compiled: u64,
    /// Requests that found their plan.
    pub hits: u64,
    /// Plans held.
    pub held: usize,
}

/// A program, ready to run.
pub(crate) struct Plan {
    pub(crate) emitted: Emitted,
    used: u64,
    /// Whether sleeping threads are woken for it.
    pub(crate) heavy: bool,
}

impl Plan {
    pub(crate) fn new(emitted: Emitted) -> Plan {
        let heavy = emitted.program.is_shared() && emitted.program.cost_ns() > ENTER_NS;
        Plan { emitted, used: 0, heavy }
    }
}

#[derive(Default)]
struct Cache {
    plans: Table<u128, Box<Plan>>,
    compiled: u64,
    hits: u64,
    clock: u64,
}

thread_local! {
    static CACHE: RefCell<Cache> = RefCell::new(Cache::default());
    static FUSE: Cell<bool> = const { Cell::new(true) };
}

/// How many plans this thread compiled, found again, and holds.
///
/// ```
/// use wengert_autograd::{Tape, plan_stats};
/// use wengert_tensor::tensor::Tensor;
/// let before = plan_stats().compiled;
/// for step in 0..10 {
///     let tape = Tape::new();
///     let x = tape.input(&Tensor::from([step as f32, 2.0]));
///     (x * step as f64).sum().item::<f32>()?;
/// }
/// assert_eq!(plan_stats().compiled, before + 1);
/// # Ok::<(), wengert_tensor::error::Error>(())
/// ```
pub fn plan_stats() -> PlanStats {
    CACHE.with(|cache| {
        let cache = cache.borrow();
        PlanStats { compiled: cache.compiled, hits: cache.hits, held: cache.plans.len() }
    })
}

/// Drops every plan of this thread.
pub fn plan_clear() {
    CACHE.with(|cache| cache.borrow_mut().plans.clear());
}

/// Runs a closure with fusion off: every op is a step of its own. The bits are the same, and tests say so.
pub fn without_fusion<R>(f: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            FUSE.with(|fuse| fuse.set(self.0));
        }
    }
    let _restore = Restore(FUSE.with(|fuse| fuse.replace(false)));
    f()
}

/// The values of `outputs`, which have none yet, in order, all by one plan.
pub(crate) fn evaluate(tape: &Tape, outputs: &[NodeId]) -> Result<Vec<Tensor>> {
    let graph = tape.graph.borrow();
    let fuse = fuses();
    let key = request(&graph, outputs, fuse)?;
    let mut plan = find(&graph, outputs, fuse, key)?;
    drop(graph);
    let result = run(tape, outputs, &mut plan);
    put_back(key, plan);
    result.map_err(|failed| failed.framed(tape))
}

/// The key of the plan that computes `outputs`.
pub(crate) fn request(graph: &Graph, outputs: &[NodeId], fuse: bool) -> Result<u128> {
    let mut mixer = Mixer::new(HASH_REQUEST);
    mixer.word(u64::from(fuse));
    for &id in outputs {
        mixer.wide(graph.node(id)?.hash);
    }
    for &leaf in &graph.donated {
        mixer.word(u64::from(leaf));
    }
    Ok(mixer.wide_finish())
}

/// The plan of that key, compiled if this thread has none. It is taken out while it runs, so that a kernel may evaluate a tape of its own.
pub(crate) fn find(graph: &Graph, outputs: &[NodeId], fuse: bool, key: u128) -> Result<Box<Plan>> {
    cached(key, || plan(extract(graph, outputs)?, &graph.donated, fuse))
}

/// The plan of that key, if this thread has it. It is taken out, as by [`find`].
pub(crate) fn held(key: u128) -> Option<Box<Plan>> {
    CACHE.with(|cache| {
        let mut cache = cache.borrow_mut();
        let plan = cache.plans.remove(&key);
        cache.hits += u64::from(plan.is_some());
        plan
    })
}

/// The plan of that key, or else a new one of what `emit` gives.
fn cached(key: u128, emit: impl FnOnce() -> Result<Emitted>) -> Result<Box<Plan>> {
    match held(key) {
        Some(plan) => Ok(plan),
        None => {
            let plan = Plan::new(emit()?);
            CACHE.with(|cache| cache.borrow_mut().compiled += 1);
            Ok(Box::new(plan))
        }
    }
}

/// For each of these nodes one number of its dtype, which `fold` adds to the graph of all of them. Donated inputs stay as they are.
pub(crate) fn folded(
    tape: &Tape,
    nodes: &[NodeId],
    fold: impl FnOnce(&mut plan::graph::Graph),
) -> Result<Vec<Tensor>, Failed> {
    let graph = tape.graph.borrow();
    let fuse = fuses();
    let mut mixer = Mixer::new(HASH_FOLDED);
    mixer.word(u64::from(fuse));
    for &id in nodes {
        mixer.wide(graph.node(id)?.hash);
    }
    let key = mixer.wide_finish();
    let mut plan = cached(key, || {
        let mut wanted = extract(&graph, nodes)?;
        fold(&mut wanted);
        plan(wanted, &[], fuse)
    })?;
    let mut run = || -> Result<Vec<Tensor>, Failed> {
        let sizes = plan.emitted.program.buffers().outputs.iter();
        let mut results = sizes.map(|&bytes| Storage::take(bytes)).collect::<Result<Vec<_>>>()?;
        execute(&graph, &mut plan, &mut results, &[], None)?;
        let numbers = nodes.iter().zip(&plan.emitted.outputs).map(|(&id, &output)| {
            let storage = results.get(output).cloned().ok_or_else(|| Error::state("a plan without this output"))?;
            Tensor::from_parts(storage, graph.node(id)?.meta.dtype, Layout::contiguous(Shape::scalar()))
        });
        Ok(numbers.collect::<Result<_>>()?)
    };
    let numbers = run();
    put_back(key, plan);
    numbers
}

/// Keeps a plan for the next request.
pub(crate) fn put_back(key: u128, plan: Box<Plan>) {
    CACHE.with(|cache| cache.borrow_mut().put(key, plan));
}

/// The least time of each step in so many runs of a plan whose results nobody keeps.
pub(crate) fn time(tape: &Tape, plan: &mut Plan, runs: usize) -> Result<Vec<Duration>> {
    let mut least = vec![Duration::MAX; plan.emitted.program.steps().len()];
    let buffers = plan.emitted.program.buffers();
    let mut results = buffers.outputs.iter().map(|&bytes| Storage::take(bytes)).collect::<Result<Vec<_>>>()?;
    for _ in 0..runs {
        let outcome = execute(&tape.graph.borrow(), plan, &mut results, &[], Some(&mut least));
        outcome.map_err(|failed| failed.framed(tape))?;
    }
    Ok(least)
}

impl Cache {
    fn put(&mut self, key: u128, mut plan: Box<Plan>) {
        self.clock += 1;
        plan.used = self.clock;
        self.plans.insert(key, plan);
        if self.plans.len() > PLANS {
            let oldest = self.plans.iter().min_by_key(|(_, plan)| plan.used).map(|(key, _)| *key);
            oldest.map(|key| self.plans.remove(&key));
        }
    }
}

/// The program of a graph.
pub(crate) fn plan(graph: plan::graph::Graph, donated: &[u32], fuse: bool) -> Result<Emitted> {
    let lowered = lower(&simplify(graph))?;
    emit(&lowered, &grouped(&lowered, fuse), donated, fuse)
}

/// The program of one of so many parts of a graph, if it can be shared out: see [`emit_share`].
pub(crate) fn share(graph: plan::graph::Graph, parts: usize, bytes: &[usize]) -> Result<Option<Share>> {
    let lowered = lower(&simplify(graph))?;
    emit_share(&lowered, &grouped(&lowered, true), parts, bytes)
}

/// What runs in one loop, and what it computes again.
pub(crate) fn grouped(lowered: &Lowered, fuse: bool) -> Grouping {
    let mut grouping = group(&lowered.items, &lowered.outputs, fuse);
    if fuse {
        again(&lowered.items, &lowered.outputs, &mut grouping);
    }
    grouping
}

/// Whether plans of this thread fuse.
pub(crate) fn fuses() -> bool {
    FUSE.with(Cell::get)
}

/// What went wrong, and at which node if that is known.
pub(crate) struct Failed {
    pub(crate) node: Option<NodeId>,
    pub(crate) error: Error,
}

impl Failed {
    /// The error with all that the tape knows about the node.
    pub(crate) fn framed(self, tape: &Tape) -> Error {
        let Failed { node, error } = self;
        match node {
            // How much there is of it is what is wrong.
            Some(id) if error.kind() == ErrorKind::Memory => {
                tape.frame(id, error).operand("result", tape.meta(id).to_string())
            }
            Some(id) => tape.frame(id, error),
            None => error,
        }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed { node: None, error }
    }
}

/// A donated input whose memory an output takes over.
struct Taken {
    input: usize,
    output: usize,
    storage: Option<Storage>,
    dtype: DType,
    layout: Layout,
}

fn run(tape: &Tape, wanted: &[NodeId], plan: &mut Plan) -> Result<Vec<Tensor>, Failed> {
    let donations = !tape.graph.borrow().donated.is_empty();
    let mut donated: SmallVec<[Taken; 4]> = SmallVec::new();
    if donations {
        take_donated(&mut tape.graph.borrow_mut(), &plan.emitted, &mut donated);
    }
    let mut results: SmallVec<[Storage; 16]> = SmallVec::new();
    let outcome: Result<(), Failed> =
        plan.emitted.program.buffers().outputs.iter().enumerate().try_for_each(|(output, &bytes)| {
            let held = donated.iter_mut().find(|d| d.output == output).and_then(|d| d.storage.take());
            let storage = held.map_or_else(|| Storage::take(bytes), Ok);
            results.push(storage.map_err(|error| {
                let of = plan.emitted.outputs.iter().position(|&at| at == output);
                Failed { node: of.and_then(|of| wanted.get(of)).copied(), error }
            })?);
            Ok(())
        });
    let outcome = outcome.and_then(|()| execute(&tape.graph.borrow(), plan, &mut results, &donated, None));
    if donations {
        for d in donated.iter_mut().filter(|d| d.storage.is_none()) {
            d.storage = results.get(d.output).cloned();
        }
        settle(&mut tape.graph.borrow_mut(), &plan.emitted, donated, outcome.is_ok())?;
    }
    outcome?;
    let graph = tape.graph.borrow();
    let mut values = Vec::with_capacity(wanted.len());
    for (&id, &output) in wanted.iter().zip(&plan.emitted.outputs) {
        let meta = &graph.node(id)?.meta;
        let storage = results.get(output).cloned().ok_or_else(|| Error::state("a plan without this output"))?;
        values.push(Tensor::from_parts(storage, meta.dtype, Layout::contiguous(meta.shape.clone()))?);
    }
    Ok(values)
}

/// Takes the memory of donated inputs that an output may replace, where nobody else owns it.
fn take_donated(graph: &mut Graph, emitted: &Emitted, donated: &mut SmallVec<[Taken; 4]>) {
    for &(input, output) in emitted.program.replacements() {
        let leaf = emitted.tensors.get(input).and_then(|&leaf| graph.leaves.get_mut(leaf as usize));
        let Some(leaf) = leaf.filter(|leaf| matches!(leaf, Leaf::Tensor(_))) else { continue };
        let Leaf::Tensor(tensor) = std::mem::replace(leaf, Leaf::Spent) else { continue };
        let bytes = emitted.program.buffers().outputs.get(output);
        let whole = tensor.is_contiguous() && tensor.layout().offset() == 0 && Some(&tensor.storage().len()) == bytes;
        let (mut storage, dtype, layout) = tensor.into_parts();
        if whole && storage.get_mut().is_some() {
            donated.push(Taken { input, output, storage: Some(storage), dtype, layout });
        } else if let Ok(tensor) = Tensor::from_parts(storage, dtype, layout) {
            *leaf = Leaf::Tensor(tensor);
        }
    }
}

/// Ends the life of the donated inputs that were read, or gives them their memory back when the run failed.
fn settle(graph: &mut Graph, emitted: &Emitted, donated: SmallVec<[Taken; 4]>, done: bool) -> Result<()> {
    let Graph { leaves, donated: waiting, .. } = graph;
    if done {
        waiting.retain(|leaf| {
            let spent = emitted.tensors.contains(leaf);
            if let (true, Some(leaf)) = (spent, leaves.get_mut(*leaf as usize)) {
                *leaf = Leaf::Spent;
            }
            !spent
        });
        return Ok(());
    }
    for Taken { input, storage, dtype, layout, .. } in donated {
        let leaf = emitted.tensors.get(input).and_then(|&leaf| leaves.get_mut(leaf as usize));
        if let (Some(leaf), Some(storage)) = (leaf, storage) {
            *leaf = Leaf::Tensor(Tensor::from_parts(storage, dtype, layout)?);
        }
    }
    Ok(())
}

fn execute(
    graph: &Graph,
    plan: &mut Plan,
    results: &mut [Storage],
    donated: &[Taken],
    least: Option<&mut [Duration]>,
) -> Result<(), Failed> {
    let Emitted { program, tensors, scalars, origins, largest, .. } = &mut plan.emitted;
    let stranger = || Error::state("a plan that asks for another leaf");
    let found = |hash: u128| graph.nodes.iter().position(|n| n.hash == hash).map(|i| NodeId(i as u32));
    let arena = Storage::take(program.buffers().arena);
    let mut arena = arena.map_err(|error| Failed { node: found(*largest), error })?;
    let mut slots: SmallVec<[Scalar; 64]> = SmallVec::with_capacity(scalars.len());
    for &ordinal in scalars.iter() {
        match graph.leaves.get(ordinal as usize) {
            Some(Leaf::Scalar(value)) => slots.push(*value),
            _ => return Err(stranger().into()),
        }
    }
    let mut inputs: SmallVec<[Bound<'_>; 32]> = SmallVec::with_capacity(tensors.len());
    for (input, &ordinal) in tensors.iter().enumerate() {
        inputs.push(match graph.leaves.get(ordinal as usize) {
            Some(Leaf::Tensor(tensor)) => Bound::Bytes(bound_bytes(tensor)),
            Some(Leaf::Spent) => match donated.iter().find(|d| d.input == input) {
                Some(d) => Bound::Output(d.output),
                None => return Err(Leaf::spent().into()),
            },
            _ => return Err(stranger().into()),
        });
    }
    let shared = || Error::state("a buffer of the pool is shared");
    let arena = arena.get_mut().ok_or_else(shared)?.bytes_mut();
    let mut targets: SmallVec<[&mut [u8]; 16]> = SmallVec::with_capacity(results.len());
    for storage in results {
        targets.push(storage.get_mut().ok_or_else(shared)?.bytes_mut());
    }
    let (inputs, targets) = (inputs.drain(..), targets.drain(..));
    let go = || match least {
        None => program.run(arena, inputs, targets, &slots),
        Some(least) => program.time(arena, inputs, targets, &slots, least),
    };
    let outcome = if plan.heavy { threads::enter(go) } else { go() };
    outcome.map_err(|failure| {
        let origin = failure.tag.and_then(|tag| origins.get(tag as usize)).copied();
        Failed { node: origin.and_then(found), error: failure.error }
    })
}
