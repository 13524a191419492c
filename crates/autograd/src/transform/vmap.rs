//! `vmap`: what was written for one example, for a batch of them.
//!
//! The closure is recorded once, for one example whose leaves have no value. Then every node that depends on an example is recorded
//! again for all of them, by [`Op::batch`](crate::graph::Op::batch): the same graph with one axis more. As what comes out is
//! plain graph, gradients of batches, batches of gradients and batches of batches need nothing of their own.

use crate::batch::{Batch, Randomness, check, stacked};
use crate::class::Class;
use crate::graph::{NodeId, OpRef, Tape, Var};
use crate::ops::broadcast::Broadcast;
use crate::ops::leaf::Example;
use crate::tape::{LEFT_OVER, TAKE_UP};
use crate::vars::Vars;
use smallvec::SmallVec;
use wengert_tensor::dtype::Scalar;
use wengert_tensor::error::{Error, Result};

/// How a closure is batched: [`Tape::vmap`] with choices.
///
/// ```
/// # use wengert_autograd::{Tape, Vmap};
/// # use wengert_tensor::tensor::Tensor;
/// let tape = Tape::new();
/// let columns = tape.input(&Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]));
/// let weight = tape.input(&Tensor::from([10.0f32, 1.0]));
/// let y = Vmap::new().axes(&[Some(1), None]).call(&tape, [columns, weight], |[x, w]| (x * w).sum());
/// assert_eq!(y.value()?.to_vec::<f32>()?, [13.0, 24.0]);
/// # Ok::<(), wengert_tensor::error::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Vmap {
    axes: Option<Vec<Option<isize>>>,
    out: isize,
    randomness: Randomness,
}

impl Vmap {
    /// Over axis 0 of every input, to axis 0 of every result.
    pub fn new() -> Vmap {
        Vmap::default()
    }

    /// For each input the axis of the examples, or `None` where it is the same for all.
    pub fn axes(self, axes: &[Option<isize>]) -> Vmap {
        Vmap { axes: Some(axes.to_vec()), ..self }
    }

    /// The axis of the examples in the results.
    pub fn out(self, axis: isize) -> Vmap {
        Vmap { out: axis, ..self }
    }

    /// What random ops draw.
    pub fn randomness(self, randomness: Randomness) -> Vmap {
        Vmap { randomness, ..self }
    }

    /// Records the closure for all examples.
    #[track_caller]
    pub fn call<'t, V: Vars<'t>, W: Vars<'t>>(
        &self,
        tape: &'t Tape,
        inputs: V,
        f: impl FnOnce(V::Of<Var<'t>>) -> W,
    ) -> W::Of<Var<'t>> {
        let call = tape.call("vmap");
        let list = inputs.list();
        let (size, fronts) = match self.fronts(tape, &list) {
            Ok(found) => found,
            Err((operand, error)) => {
                let operands: SmallVec<[_; 1]> = operand.map(|var| ("input", var)).into_iter().collect();
                tape.reject("vmap", &operands, error);
                (0, list.iter().map(|_| None).collect())
            }
        };
        let start = tape.len();
        let mut fronts_in_order = fronts.iter();
        let mut examples: Vec<(NodeId, Var<'t>)> = Vec::new();
        let form = inputs.map(|var| match fronts_in_order.next() {
            Some(Some(front)) => {
                let meta = front.meta();
                let example = tape.record(Example { shape: meta.shape.without(&[0]), dtype: meta.dtype }, &[]);
                examples.push((example.id, *front));
                example
            }
            _ => var,
        });
        let updates = tape.pending();
        let outputs = call.outside(|| f(form));
        if tape.failed.get() {
            return outputs.map(|_| tape.poison());
        }
        if tape.pending() != updates {
            let error = Error::state("a running value of the model cannot be updated by one example alone");
            tape.reject("vmap", &[], error.help("update it outside, from all examples"));
            return outputs.map(|_| tape.poison());
        }
        if let Some(term) = tape.left_over(start) {
            tape.reject("vmap", &[("term", term)], Error::state(LEFT_OVER).help(TAKE_UP));
            return outputs.map(|_| tape.poison());
        }
        let mut batcher = Batcher { tape, start, size, randomness: self.randomness, mapped: Vec::new() };
        batcher.mapped.resize(tape.len().saturating_sub(start), None);
        for (example, front) in examples {
            batcher.set(example, front.id);
        }
        let outer = tape.origin.get();
        let done = batcher.run(&outputs.list());
        tape.origin.set(outer);
        if done.is_err() {
            return outputs.map(|_| tape.poison());
        }
        outputs.map(|output| {
            let all = match batcher.get(output.id) {
                Some(id) => Var { tape, id },
                None => match stacked(size, &output.shape()) {
                    Some(shape) => output.then(Broadcast { shape }),
                    None => tape.reject("vmap", &[("output", output)], too_many(size)),
                },
            };
            all.moved_axis(0, self.out)
        })
    }

    /// The number of examples, and each mapped input with them in front.
    #[track_caller]
    #[allow(clippy::type_complexity)]
    fn fronts<'t>(
        &self,
        tape: &'t Tape,
        list: &[Var<'t>],
    ) -> Result<(usize, Vec<Option<Var<'t>>>), (Option<Var<'t>>, Error)> {
        if tape.failed.get() {
            return Ok((0, list.iter().map(|_| None).collect()));
        }
        if let Some(axes) = &self.axes
            && axes.len() != list.len()
        {
            return Err((None, Error::axis(format!("{} axes for {} inputs", axes.len(), list.len()))));
        }
        let mut size = None;
        let mut fronts = Vec::with_capacity(list.len());
        for (i, &var) in list.iter().enumerate() {
            let axis = match &self.axes {
                Some(axes) => axes.get(i).copied().flatten(),
                None => Some(0),
            };
            let Some(axis) = axis else {
                fronts.push(None);
                continue;
            };
            let shape = var.shape();
            let at = shape.axis(axis).map_err(|error| (Some(var), error))?;
            let found = shape.get(at).copied().unwrap_or_default();
            match size {
                Some(size) if size != found => {
                    let message = format!("{found} examples here, {size} before");
                    return Err((Some(var), Error::shape(message)));
                }
                _ => size = Some(found),
            }
            fronts.push(Some(var.moved_axis(axis, 0)));
        }
        match size {
            Some(size) => Ok((size, fronts)),
            None => Err((None, Error::value("no input has examples").help("map over an axis of at least one"))),
        }
    }
}

impl Tape {
    /// Runs a function of one example for all: its inputs are the parts of `inputs` along their first axis, and the results are
    /// joined along a new first axis. Nothing is computed one by one: every op is recorded for the whole batch.
    ///
    /// Inputs may be one value, an array, or a tuple of these. What the closure captures is the same for every example. Random
    /// ops draw different numbers for each example; [`Vmap`] has the choices.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let points = tape.input(&Tensor::from([[1.0f64, 2.0], [3.0, 4.0], [5.0, 6.0]]));
    /// // The gradient of a function of one point, at every point.
    /// let slopes = tape.vmap(points, |p| tape.grad(p.prod(), p));
    /// assert_eq!(slopes.value()?.to_vec::<f64>()?, [2.0, 1.0, 4.0, 3.0, 6.0, 5.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn vmap<'t, V: Vars<'t>, W: Vars<'t>>(
        &'t self,
        inputs: V,
        f: impl FnOnce(V::Of<Var<'t>>) -> W,
    ) -> W::Of<Var<'t>> {
        Vmap::new().call(self, inputs, f)
    }
}

/// A batch whose elements, or axes, cannot be counted.
fn too_many(size: usize) -> Error {
    Error::shape(format!("{size} examples of it are more elements, or axes, than a tensor has"))
}

struct Batcher<'t> {
    tape: &'t Tape,
    start: usize,
    size: usize,
    randomness: Randomness,
    /// For each node recorded by the closure, the node that has all examples.
    mapped: Vec<Option<NodeId>>,
}

impl<'t> Batcher<'t> {
    fn get(&self, id: NodeId) -> Option<NodeId> {
        self.mapped.get(id.index().checked_sub(self.start)?).copied().flatten()
    }

    fn set(&mut self, id: NodeId, all: NodeId) {
        if let Some(place) = id.index().checked_sub(self.start).and_then(|at| self.mapped.get_mut(at)) {
            *place = Some(all);
        }
    }

    /// The nodes of the closure that the outputs need.
    fn needed(&self, outputs: &[Var<'t>]) -> Vec<bool> {
        let graph = self.tape.graph.borrow();
        let mut needed = vec![false; self.mapped.len()];
        let mut open: Vec<NodeId> = outputs.iter().map(|var| var.id).collect();
        while let Some(id) = open.pop() {
            let place = id.index().checked_sub(self.start).and_then(|at| needed.get_mut(at));
            let Some(seen) = place.filter(|seen| !**seen) else { continue };
            *seen = true;
            open.extend(graph.nodes.get(id.index()).into_iter().flat_map(|node| node.inputs.iter().copied()));
        }
        needed
    }

    fn run(&mut self, outputs: &[Var<'t>]) -> Result<(), ()> {
        let needed = self.needed(outputs);
        for (at, needed) in needed.into_iter().enumerate() {
            let id = NodeId((self.start + at) as u32);
            if needed && self.get(id).is_none() {
                self.node(id)?;
            }
        }
        Ok(())
    }

    /// Records a node for all examples, if it depends on one.
    fn node(&mut self, id: NodeId) -> Result<(), ()> {
        let tape = self.tape;
        let (op, inputs, meta, origin) = {
            let graph = tape.graph.borrow();
            let Ok(node) = graph.node(id) else { return Ok(()) };
            (node.op.clone(), node.inputs.clone(), node.meta.clone(), node.origin())
        };
        let operands: SmallVec<[(Var<'t>, bool); 3]> = inputs
            .iter()
            .map(|&input| match self.get(input) {
                Some(id) => (Var { tape, id }, true),
                None => (Var { tape, id: input }, false),
            })
            .collect();
        let draws = op.key().is_some() && self.randomness == Randomness::Different;
        if !draws && !operands.iter().any(|operand| operand.1) {
            return Ok(());
        }
        tape.origin.set(Some(origin));
        let batch = Batch { tape, size: self.size, operands: &operands, randomness: self.randomness };
        let all = match (op.batch(&batch), op.class()) {
            (Some(all), _) => all,
            (None, Class::Map(_) | Class::Cast(_)) => tape.record(op.clone(), &batch.all()),
            (None, _) => self.one_by_one(&op, &operands, &meta),
        };
        if tape.failed.get() {
            return Err(());
        }
        if let Err(error) = check(&all.meta(), self.size, &meta) {
            tape.reject(op.name(), &[], error);
            return Err(());
        }
        self.set(id, all.id);
        Ok(())
    }

    /// An op without a rule for batches: for one example after another.
    fn one_by_one(&self, op: &OpRef, operands: &[(Var<'t>, bool)], meta: &crate::meta::Meta) -> Var<'t> {
        let tape = self.tape;
        if self.size == 0 {
            return match stacked(0, &meta.shape) {
                Some(shape) => tape.constant(shape, Scalar::new(meta.dtype, 0.0)),
                None => tape.reject(op.name(), &[], too_many(self.size)),
            };
        }
        let one = |example: usize| {
            let x: SmallVec<[Var<'t>; 3]> =
                operands.iter().map(|&(var, mapped)| if mapped { var.at(0, example) } else { var }).collect();
            tape.record(op.clone(), &x)
        };
        let all: Vec<Var<'t>> = (0..self.size).map(one).collect();
        tape.stack(&all, 0)
    }
}

impl<'t> Var<'t> {
    /// An axis at another place, the others in order.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::{dtype::DType, tensor::Tensor};
    /// let y = Tensor::zeros([2, 3, 5], DType::F32)?.apply(|x| x.moved_axis(0, -1))?;
    /// assert_eq!(y.shape().dims(), [3, 5, 2]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias("movedim", "moveaxis"))]
    #[track_caller]
    pub fn moved_axis(self, from: isize, to: isize) -> Var<'t> {
        let shape = self.shape();
        match shape.axis(from).and_then(|from| Ok((from, shape.axis(to)?))) {
            Ok((from, to)) => {
                let mut order: SmallVec<[isize; 4]> =
                    (0..shape.rank()).filter(|&axis| axis != from).map(|axis| axis as isize).collect();
                order.insert(to.min(order.len()), from as isize);
                self.permute(&order)
            }
            Err(error) => self.reject("moved_axis", error),
        }
    }
}
