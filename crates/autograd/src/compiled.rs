//! A computation that is cut loose from its recording: given new values for its leaves, it runs without being recorded again.

use crate::debug;
use crate::exec::{self, Failed, Plan};
use crate::graph::{Graph, Leaf, Node, NodeId, Tape};
use crate::meta::Meta;
use crate::operand::number;
use crate::plan::extract::bound_bytes;
use crate::report;
use smallvec::SmallVec;
use std::fmt;
use wengert_tensor::dtype::{DType, Scalar};
use wengert_tensor::error::{Error, ErrorKind, Result};
use wengert_tensor::kernels::threads;
use wengert_tensor::layout::Layout;
use wengert_tensor::program::Bound;
use wengert_tensor::random::Key;
use wengert_tensor::storage::Storage;
use wengert_tensor::tensor::Tensor;

/// What a compiled computation is given for one of its leaves.
#[derive(Clone, Debug)]
pub enum Argument<'a> {
    /// A tensor.
    Tensor(&'a Tensor),
    /// A tensor whose memory may become that of a result, where the computation was compiled for that: see [`Tape::donate`].
    Given(Tensor),
    /// A number for a slot.
    Number(f64),
    /// The key from which random ops draw.
    Key(Key),
}

impl<'a> From<&'a Tensor> for Argument<'a> {
    fn from(tensor: &'a Tensor) -> Argument<'a> {
        Argument::Tensor(tensor)
    }
}

impl From<f64> for Argument<'_> {
    fn from(number: f64) -> Argument<'static> {
        Argument::Number(number)
    }
}

impl From<Key> for Argument<'_> {
    fn from(key: Key) -> Argument<'static> {
        Argument::Key(key)
    }
}

impl Argument<'_> {
    fn tensor(&self) -> Option<&Tensor> {
        match self {
            Argument::Tensor(tensor) => Some(tensor),
            Argument::Given(tensor) => Some(tensor),
            Argument::Number(_) | Argument::Key(_) => None,
        }
    }

    /// The value of a slot.
    fn scalar(&self, dtype: DType) -> Option<Scalar> {
        match self {
            Argument::Number(value) => number(*value, dtype),
            Argument::Key(key) => Some(Scalar::of(key.0 as i64)).filter(|key| key.dtype() == dtype),
            Argument::Tensor(_) | Argument::Given(_) => None,
        }
    }
}

/// Some values of a tape as a function of some of its leaves: what [`Program`](crate::Program) and a compiled training step are made of.
///
/// It owns the tape. The leaves that are no arguments are constants. The plan is that of the tape, found by its structure and shared with
/// whoever records the same.
pub struct Compiled {
    tape: Tape,
    arguments: Vec<Parameter>,
    /// For each leaf the argument that it is.
    places: Vec<Option<u32>>,
    /// What a plan computes, in order.
    computed: Vec<NodeId>,
    outputs: Vec<Output>,
    key: u128,
    fuse: bool,
    bindings: Option<Bindings>,
    /// What stands where a result has no memory yet.
    empty: Tensor,
}

/// An argument whose memory becomes that of a result.
struct Taken {
    argument: usize,
    input: usize,
    output: usize,
    /// Until it stands among the results.
    tensor: Option<Tensor>,
}

/// What an argument stands for.
struct Parameter {
    meta: Meta,
    /// Its ordinal among the leaves.
    leaf: u32,
    slot: bool,
}

/// Where a result comes from.
#[derive(Clone, Copy)]
enum Output {
    Computed(usize),
    Leaf(u32),
}

/// Where the leaves of one plan come from; the order of its leaves follows from its key.
struct Bindings {
    key: u128,
    tensors: Vec<Source>,
    /// Values of the slots, with those of the last run where they are arguments,
    slots: Vec<Scalar>,
    /// which are these: a slot and its argument.
    numbers: Vec<(usize, usize)>,
    /// For each output of the program the first result that has it, which is written,
    results: Vec<usize>,
    /// and for each result the output that is written to it.
    writes: Vec<Option<usize>>,
}

#[derive(Clone, Copy)]
enum Source {
    Argument(usize),
    Constant(usize),
}

impl Tape {
    /// Cuts `outputs` loose from this tape, as a function of the leaves `arguments`; all other leaves keep their values. What was given to
    /// [`Tape::donate`] and is an argument may give its memory to a result in every run.
    ///
    /// ```
    /// use wengert_autograd::{Argument, Tape};
    /// use wengert_tensor::{dtype::DType, tensor::Tensor};
    /// let tape = Tape::new();
    /// let (x, rate) = (tape.input(&Tensor::from([1.0f32, 2.0])), tape.scalar(0.5, DType::F32));
    /// let y = x.square() * rate;
    /// let (arguments, outputs) = ([x.id(), rate.id()], [y.id()]);
    /// let mut compiled = tape.compile(&arguments, &outputs)?;
    /// let (x, mut results) = (Tensor::from([3.0f32, 4.0]), Vec::new());
    /// compiled.run(&mut [Argument::from(&x), Argument::from(2.0)], &mut results)?;
    /// assert_eq!(results[0].to_vec::<f32>()?, [18.0, 32.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error of the tape; a value of it was asked for, which is no function of the arguments; an argument that is no leaf, or a
    /// tensor that does not lie row by row.
    pub fn compile(self, arguments: &[NodeId], outputs: &[NodeId]) -> Result<Compiled> {
        self.check()?;
        if self.asked.get() {
            return Err(Error::state("a value was asked for while the computation was recorded")
                .op("compile")
                .help("what is recorded once must not depend on values: give the value back, and ask for it outside"));
        }
        let graph = self.graph.borrow();
        let mut places = vec![None; graph.leaves.len()];
        let mut parameters = Vec::with_capacity(arguments.len());
        for (i, &id) in arguments.iter().enumerate() {
            let node = graph.node(id)?;
            let leaf = graph.leaves.get(node.leaf as usize).filter(|_| node.inputs.is_empty());
            let slot = match leaf {
                Some(Leaf::Tensor(tensor)) if tensor.is_contiguous() => false,
                Some(Leaf::Tensor(tensor)) => {
                    let strides = tensor.layout().strides();
                    let error =
                        Error::state(format!("argument {i} does not lie row by row: its strides are {strides:?}"));
                    return Err(error.op("compile").help("record it for .contiguous()?"));
                }
                Some(Leaf::Scalar(_)) => true,
                _ => return Err(Error::state(format!("argument {i} is no leaf of the tape")).op("compile")),
            };
            if let Some(place) = places.get_mut(node.leaf as usize) {
                *place = Some(i as u32);
            }
            parameters.push(Parameter { meta: node.meta.clone(), leaf: node.leaf, slot });
        }
        let is_leaf =
            |id: NodeId| Ok::<_, Error>(graph.node(id)?.leaf).map(|leaf| (leaf != Node::NO_LEAF).then_some(leaf));
        let mut computed = Vec::new();
        for &id in outputs {
            if is_leaf(id)?.is_none() {
                computed.push(id);
            }
        }
        computed.sort_unstable();
        computed.dedup();
        let outputs = outputs.iter().map(|&id| match is_leaf(id)? {
            Some(leaf) => Ok(Output::Leaf(leaf)),
            None => Ok(Output::Computed(computed.binary_search(&id).unwrap_or(usize::MAX))),
        });
        let outputs = outputs.collect::<Result<Vec<Output>>>()?;
        let fuse = exec::fuses();
        let key = exec::request(&graph, &computed, fuse)?;
        drop(graph);
        let mut graph = self.graph.borrow_mut();
        // Of the values that it was recorded with only the shapes are needed.
        for parameter in parameters.iter().filter(|parameter| !parameter.slot) {
            if let Some(leaf) = graph.leaves.get_mut(parameter.leaf as usize) {
                *leaf = Leaf::Argument;
            }
        }
        drop(graph);
        Ok(Compiled {
            tape: self,
            arguments: parameters,
            places,
            computed,
            outputs,
            key,
            fuse,
            bindings: None,
            empty: Tensor::from(0u8),
        })
    }
}

impl Compiled {
    /// The tape that it was recorded on: what errors are told from.
    pub fn tape(&self) -> &Tape {
        &self.tape
    }

    /// Computes the outputs for these arguments. What `results` holds before is memory for them, if nobody else owns it; after an error it
    /// holds nothing, and what was given is as it was.
    ///
    /// # Errors
    /// More or fewer arguments, or others in shape or dtype, than it was compiled for; whatever goes wrong in a kernel.
    pub fn run(&mut self, arguments: &mut [Argument<'_>], results: &mut Vec<Tensor>) -> Result<()> {
        if let Err(error) = self.accept(arguments) {
            results.clear();
            return Err(error);
        }
        if (debug::is_on() || report::is_watched())
            && let Err(error) = self.watch(arguments)
        {
            results.clear();
            return Err(error);
        }
        let fuse = exec::fuses();
        let graph = self.tape.graph.get_mut();
        if fuse != self.fuse {
            (self.fuse, self.key) = (fuse, exec::request(graph, &self.computed, fuse)?);
        }
        if self.computed.is_empty() {
            results.clear();
            return self.leaves(arguments, results);
        }
        let mut plan = exec::find(graph, &self.computed, fuse, self.key)?;
        let outcome = self.launch(&mut plan, arguments, results);
        exec::put_back(self.key, plan);
        outcome.map_err(|failed| failed.framed(&self.tape))
    }

    /// Checks the arguments, and brings those row by row that do not lie so.
    fn accept(&self, arguments: &mut [Argument<'_>]) -> Result<()> {
        if arguments.len() != self.arguments.len() {
            let (given, wanted) = (arguments.len(), self.arguments.len());
            return Err(Error::state(format!("{given} arguments, and it was compiled for {wanted}")));
        }
        for (i, (argument, parameter)) in arguments.iter_mut().zip(&self.arguments).enumerate() {
            let Meta { shape, dtype } = &parameter.meta;
            match argument.tensor() {
                Some(tensor) if !parameter.slot && tensor.shape() == shape && tensor.dtype() == *dtype => {
                    if !tensor.is_contiguous() {
                        *argument = Argument::Given(tensor.contiguous()?);
                    }
                }
                None if parameter.slot && argument.scalar(*dtype).is_some() => {}
                _ => return Err(unfit(i, argument, parameter)),
            }
        }
        Ok(())
    }

    /// Reports the plan and looks for numbers that are not finite, with the arguments on the tape for so long.
    #[cold]
    fn watch(&mut self, arguments: &[Argument<'_>]) -> Result<()> {
        let mut lent = |arguments: &[Argument<'_>]| {
            let graph = self.tape.graph.get_mut();
            for (argument, parameter) in arguments.iter().zip(&self.arguments) {
                let value = match argument.tensor() {
                    Some(tensor) => Some(Leaf::Tensor(tensor.clone())),
                    None => argument.scalar(parameter.meta.dtype).map(Leaf::Scalar),
                };
                if let (Some(leaf), Some(value)) = (graph.leaves.get_mut(parameter.leaf as usize), value) {
                    *leaf = value;
                }
            }
        };
        lent(arguments);
        report::watch(&self.tape, &self.computed);
        let outcome = debug::watch(&self.tape, &self.computed);
        let graph = self.tape.graph.get_mut();
        for parameter in self.arguments.iter().filter(|parameter| !parameter.slot) {
            if let Some(leaf) = graph.leaves.get_mut(parameter.leaf as usize) {
                *leaf = Leaf::Argument;
            }
        }
        outcome
    }

    fn launch(
        &mut self,
        plan: &mut Plan,
        arguments: &mut [Argument<'_>],
        results: &mut Vec<Tensor>,
    ) -> Result<(), Failed> {
        let mut bindings = match self.bindings.take() {
            Some(bindings) if bindings.key == self.key => bindings,
            _ => self.bind(plan)?,
        };
        for &(slot, argument) in &bindings.numbers {
            if let (Some(slot), Some(argument)) = (bindings.slots.get_mut(slot), arguments.get(argument)) {
                *slot = argument.scalar(slot.dtype()).unwrap_or(*slot);
            }
        }
        let mut taken: Vec<Taken> = Vec::new();
        let outcome = self.execute(plan, &bindings, arguments, &mut taken, results);
        let outcome = outcome.and_then(|()| Ok(self.fill(plan, &bindings, arguments, results)?));
        if outcome.is_err() {
            // What was given is as it was.
            for Taken { argument, output, tensor, .. } in taken {
                let result = bindings.results.get(output).and_then(|&at| results.get_mut(at));
                let tensor = tensor.or_else(|| result.map(|result| std::mem::replace(result, self.empty.clone())));
                if let (Some(tensor), Some(argument)) = (tensor, arguments.get_mut(argument)) {
                    *argument = Argument::Given(tensor);
                }
            }
            results.clear();
        }
        self.bindings = Some(bindings);
        outcome
    }

    fn execute(
        &mut self,
        plan: &mut Plan,
        bindings: &Bindings,
        arguments: &mut [Argument<'_>],
        taken: &mut Vec<Taken>,
        results: &mut Vec<Tensor>,
    ) -> Result<(), Failed> {
        let emitted = &mut plan.emitted;
        let graph = &*self.tape.graph.get_mut();
        let sizes = &emitted.program.buffers().outputs;
        if !graph.donated.is_empty() {
            for &(input, output) in emitted.program.replacements() {
                if let Some(&Source::Argument(argument)) = bindings.tensors.get(input)
                    && let Some(given) = arguments.get_mut(argument)
                    && let Some(tensor) = take(given, sizes.get(output).copied())
                {
                    taken.push(Taken { argument, input, output, tensor: Some(tensor) });
                }
            }
        }
        // The memory of each result: that of an argument, of a former result that nobody else has, or some from the pool.
        if results.len() != self.outputs.len() {
            results.clear();
            results.resize(self.outputs.len(), self.empty.clone());
        }
        for (i, result) in results.iter_mut().enumerate() {
            let (Some(&Output::Computed(at)), Some(&Some(output))) = (self.outputs.get(i), bindings.writes.get(i))
            else {
                continue;
            };
            if let Some(tensor) = taken.iter_mut().find(|taken| taken.output == output).and_then(|t| t.tensor.take()) {
                *result = tensor;
                continue;
            }
            let node = self.computed.get(at).copied().unwrap_or(NodeId::POISON);
            let (meta, bytes) = (&graph.node(node)?.meta, sizes.get(output).copied().unwrap_or(0));
            let fits = result.dtype() == meta.dtype
                && *result.shape() == meta.shape
                && result.bytes_mut().is_some_and(|memory| memory.len() == bytes);
            if !fits {
                let storage = Storage::take(bytes).map_err(|error| Failed { node: Some(node), error })?;
                *result = Tensor::from_parts(storage, meta.dtype, Layout::contiguous(meta.shape.clone()))?;
            }
        }
        let found = |hash: u128| graph.nodes.iter().position(|n| n.hash == hash).map(|i| NodeId(i as u32));
        let arena = Storage::take(emitted.program.buffers().arena);
        let mut arena = arena.map_err(|error| Failed { node: found(emitted.largest), error })?;
        let mut targets: SmallVec<[&mut [u8]; 32]> = SmallVec::new();
        targets.resize_with(sizes.len(), Default::default);
        for (result, write) in results.iter_mut().zip(&bindings.writes) {
            if let Some(target) = write.and_then(|output| targets.get_mut(output)) {
                *target = result.bytes_mut().unwrap_or_default();
            }
        }
        let arena = arena.get_mut().map(|arena| arena.bytes_mut()).unwrap_or_default();
        let (taken, arguments) = (&*taken, &*arguments);
        let inputs = bindings.tensors.iter().enumerate().map(|(input, source)| {
            if let Some(taken) = taken.iter().find(|taken| taken.input == input) {
                return Bound::Output(taken.output);
            }
            let tensor = match *source {
                Source::Argument(i) => arguments.get(i).and_then(Argument::tensor),
                Source::Constant(leaf) => match graph.leaves.get(leaf) {
                    Some(Leaf::Tensor(tensor)) => Some(tensor),
                    _ => None,
                },
            };
            Bound::Bytes(tensor.map(bound_bytes).unwrap_or_default())
        });
        let outputs = targets.drain(..);
        let go = || emitted.program.run(arena, inputs, outputs, &bindings.slots);
        let outcome = if plan.heavy { threads::enter(go) } else { go() };
        outcome.map_err(|failure| {
            let origin = failure.tag.and_then(|tag| emitted.origins.get(tag as usize)).copied();
            Failed { node: origin.and_then(found), error: failure.error }
        })
    }

    /// Which leaf of a plan is which argument, and which of its outputs is which result.
    fn bind(&mut self, plan: &Plan) -> Result<Bindings> {
        let graph = self.tape.graph.get_mut();
        let place = |ordinal: u32| self.places.get(ordinal as usize).copied().flatten();
        let tensors = plan.emitted.tensors.iter().map(|&ordinal| match place(ordinal) {
            Some(argument) => Source::Argument(argument as usize),
            None => Source::Constant(ordinal as usize),
        });
        let tensors = tensors.collect();
        let (mut slots, mut numbers) = (Vec::new(), Vec::new());
        for (slot, &ordinal) in plan.emitted.scalars.iter().enumerate() {
            match graph.leaves.get(ordinal as usize) {
                Some(Leaf::Scalar(value)) => slots.push(*value),
                _ => return Err(Error::state("a plan that asks for another leaf")),
            }
            numbers.extend(place(ordinal).map(|argument| (slot, argument as usize)));
        }
        let result = |output: usize| {
            let has = |result: &Output| matches!(result, Output::Computed(at) if plan.emitted.outputs.get(*at) == Some(&output));
            self.outputs.iter().position(has).unwrap_or(usize::MAX)
        };
        let results: Vec<usize> = (0..plan.emitted.program.buffers().outputs.len()).map(result).collect();
        let write = |result: usize| results.iter().position(|&first| first == result);
        let writes = (0..self.outputs.len()).map(write).collect();
        Ok(Bindings { key: self.key, tensors, slots, numbers, results, writes })
    }

    /// The results that no output of the program was written to: leaves, and what was wanted twice.
    fn fill(
        &mut self,
        plan: &Plan,
        bindings: &Bindings,
        arguments: &[Argument<'_>],
        results: &mut [Tensor],
    ) -> Result<()> {
        let graph = &*self.tape.graph.get_mut();
        for (i, (&output, write)) in self.outputs.iter().zip(&bindings.writes).enumerate() {
            let value = match (output, write) {
                (_, Some(_)) => continue,
                (Output::Leaf(leaf), None) => leaf_value(graph, &self.places, leaf, arguments)?,
                (Output::Computed(at), None) => {
                    let first = plan.emitted.outputs.get(at).and_then(|&output| bindings.results.get(output));
                    let first = first.and_then(|&first| results.get(first));
                    first.cloned().ok_or_else(|| Error::state("a plan without this output"))?
                }
            };
            if let Some(result) = results.get_mut(i) {
                *result = value;
            }
        }
        Ok(())
    }

    /// The results where nothing is computed.
    fn leaves(&mut self, arguments: &[Argument<'_>], results: &mut Vec<Tensor>) -> Result<()> {
        let graph = &*self.tape.graph.get_mut();
        for &output in &self.outputs {
            if let Output::Leaf(leaf) = output {
                results.push(leaf_value(graph, &self.places, leaf, arguments)?);
            }
        }
        Ok(())
    }
}

/// Takes an argument that was given, if it is as large as the result and nobody else owns its memory.
fn take(given: &mut Argument<'_>, bytes: Option<usize>) -> Option<Tensor> {
    if !matches!(given, Argument::Given(_)) {
        return None;
    }
    let Argument::Given(mut tensor) = std::mem::replace(given, Argument::Number(0.0)) else { return None };
    if tensor.bytes_mut().map(|memory| memory.len()) == bytes {
        return Some(tensor);
    }
    *given = Argument::Given(tensor);
    None
}

/// The value of a leaf: that of an argument, or a constant.
fn leaf_value(graph: &Graph, places: &[Option<u32>], leaf: u32, arguments: &[Argument<'_>]) -> Result<Tensor> {
    let lost = || Error::state("a leaf without a value");
    let argument = places.get(leaf as usize).copied().flatten().and_then(|i| arguments.get(i as usize));
    if let Some(tensor) = argument.and_then(Argument::tensor) {
        return Ok(tensor.clone());
    }
    match graph.leaves.get(leaf as usize).ok_or_else(lost)? {
        Leaf::Tensor(tensor) => Ok(tensor.clone()),
        Leaf::Scalar(value) => {
            let node = graph.nodes.iter().find(|node| node.leaf == leaf).ok_or_else(lost)?;
            let value = argument.and_then(|argument| argument.scalar(value.dtype())).unwrap_or(*value);
            Tensor::full(&node.meta.shape, value)
        }
        Leaf::Spent | Leaf::Argument => Err(lost()),
    }
}

/// What is wrong with an argument.
fn unfit(place: usize, argument: &Argument<'_>, parameter: &Parameter) -> Error {
    let wanted = match parameter.slot {
        true => format!("a number of {}", parameter.meta.dtype),
        false => parameter.meta.to_string(),
    };
    let given = match argument {
        Argument::Tensor(tensor) => format!("{} {}", tensor.shape(), tensor.dtype()),
        Argument::Given(tensor) => format!("{} {}", tensor.shape(), tensor.dtype()),
        Argument::Number(number) => format!("the number {number}"),
        Argument::Key(_) => "a key".to_string(),
    };
    let kind = match argument.tensor() {
        Some(tensor) if !parameter.slot && *tensor.shape() != parameter.meta.shape => ErrorKind::Shape,
        Some(_) if !parameter.slot => ErrorKind::DType,
        _ => ErrorKind::State,
    };
    Error::new(kind, format!("argument {place} is {given}, and it was compiled for {wanted}"))
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (arguments, outputs) = (self.arguments.len(), self.outputs.len());
        write!(f, "Compiled({arguments} arguments, {} nodes, {outputs} outputs)", self.tape.len())
    }
}
