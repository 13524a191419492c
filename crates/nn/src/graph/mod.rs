//! Layers in any order that has no circle: several inputs, several outputs, layers that are used more than once.

use std::fmt;
use std::panic::Location;

use wengert_autograd::{Tape, Var};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

use crate::example::{Example, PROBES, starred};
use crate::explain::{blame, explain};
use crate::layer::Layer;
use crate::module::{Module, Visit, VisitMut, enter};
use crate::summary::{Figures, Recorded, Row, Summary, peak, rows};

mod block;
mod builder;
mod node;
pub use builder::GraphBuilder;
pub use node::Node;

use block::Block;

/// A model whose layers form a graph, as Keras's functional API makes it.
///
/// A [`GraphBuilder`] gives [`Node`]s; a node has a method for every layer and gives the next node. So a node can stand only after
/// those that it is made of, and there is no circle. Sizes are inferred. Parameters are named by the layers: `body.weight`.
///
/// ```
/// use wengert_autograd::Conv;
/// use wengert_nn::{graph::Graph, layers::concat::Concat};
/// use wengert_tensor::{dtype::DType, random::Seed, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let graph = Graph::builder();
/// let (image, age) = (graph.input([1, 8, 8]).named("image"), graph.input([1]).named("age"));
/// let seen = image.conv2d(4, 3, Conv::new()).named("eye").relu().flatten();
/// let both = graph.merge(Concat::new(-1), [seen, age]).dense(16).relu();
/// let (class, size) = (both.dense(3).named("class"), both.dense(1).named("size"));
/// let model = graph.build([class, size], Seed(1))?;
/// println!("{}", model.summary()?);
///
/// let (images, ages) = (Tensor::zeros([5, 1, 8, 8], DType::F32)?, Tensor::zeros([5, 1], DType::F32)?);
/// let [class, size] = model.predict_all([&images, &ages])?;
/// assert_eq!((class.shape().dims(), size.shape().dims()), (&[5, 3][..], &[5, 1][..]));
/// # Ok(())
/// # }
/// ```
///
/// A model with one input and one output is a [`Layer`], too: it can stand in a [`Sequential`](crate::sequential::Sequential), in
/// another graph, and before a trainer.
#[derive(Default)]
pub struct Graph {
    parts: Vec<Part>,
    steps: Vec<Step>,
    /// The values that come out.
    outputs: Vec<usize>,
}

/// Layers with their names: each is a part of the model once, however often it is used.
struct Part {
    /// Empty until the graph is built, when the user gave none.
    name: &'static str,
    block: Block,
}

/// What happens at one place of the graph. It makes the values `first..first + count`; those of all steps follow one another.
struct Step {
    does: Does,
    first: usize,
    count: usize,
}

enum Does {
    Input {
        name: &'static str,
        example: Example,
    },
    /// Applies a part to these values.
    Apply {
        part: usize,
        from: Vec<usize>,
    },
}

impl Graph {
    /// A graph in the making.
    pub fn builder() -> GraphBuilder {
        GraphBuilder::new()
    }

    /// The outputs for these inputs, which are in the order in which the graph was given them: `let [y, z] = model.call([a, b]);`
    #[track_caller]
    pub fn call<'t, const I: usize, const O: usize>(&self, xs: [Var<'t>; I]) -> [Var<'t>; O] {
        const { assert!(I > 0, "a model has an input") };
        let tape = xs[0].tape();
        let ys = self.call_list(tape, &xs);
        ys.try_into().unwrap_or_else(|ys: Vec<Var<'t>>| {
            let error = Error::shape(format!("the model gives {}, not {O}", counted(ys.len(), "output")));
            [tape.reject("Graph", &labelled(&xs), error.help("`let [y, z] = model.call([a, b])` takes two")); O]
        })
    }

    /// As [`Graph::call`], for as many inputs and outputs as there are.
    #[track_caller]
    pub fn call_list<'t>(&self, tape: &'t Tape, xs: &[Var<'t>]) -> Vec<Var<'t>> {
        let here = Location::caller();
        let _scope = self.scope(tape);
        let checked = if tape.error().is_some() { None } else { Some(self.is_single(xs)) };
        let ys = match checked {
            Some(Ok(false)) => self.run(tape, xs),
            // One example is a batch of one, without the axis.
            Some(Ok(true)) => {
                let xs: Vec<Var<'t>> = xs.iter().map(|x| x.unsqueeze(0)).collect();
                self.run(tape, &xs).into_iter().map(|y| y.squeeze(0)).collect()
            }
            Some(Err(error)) => vec![tape.reject("Graph", &labelled(xs), error); self.outputs.len()],
            None => vec![tape.reject("Graph", &[], Error::state("failed before")); self.outputs.len()],
        };
        tape.amend(|error| blame(error, here));
        ys
    }

    /// The outputs for these inputs, computed on a tape of their own that is not in training.
    ///
    /// # Errors
    /// Other inputs than the model has, another number of outputs; whatever a layer recorded.
    #[track_caller]
    pub fn predict_all<const I: usize, const O: usize>(&self, xs: [&Tensor; I]) -> Result<[Tensor; O]> {
        let (tape, here) = (Tape::new(), Location::caller());
        let ys = self.call::<I, O>(xs.map(|x| tape.input(x)));
        tape.eval(ys).map_err(|error| blame(explain(self, &tape, error), here))
    }

    /// The names of the inputs, in order.
    pub fn inputs(&self) -> Vec<&'static str> {
        self.examples().map(|(name, _)| name).collect()
    }

    /// The names of the layers that give the outputs, in order.
    pub fn outputs(&self) -> Vec<&'static str> {
        self.outputs.iter().map(|&value| self.name_of(value)).collect()
    }

    /// A table of the inputs and layers: name, type, shape of the output, parameters, and what it is applied to.
    ///
    /// # Errors
    /// What was wrong with a layer's arguments.
    #[track_caller]
    pub fn summary(&self) -> Result<Summary> {
        let (tape, here) = (Tape::new(), Location::caller());
        let inputs: Vec<Example> = self.examples().map(|(_, example)| example.for_weights(self)).collect();
        let (start, values) = self
            .probed(&tape, &inputs, PROBES)
            .map_err(|error| blame(starred(error, |count| self.probed(&Tape::new(), &inputs, count).err()), here))?;

        let recorded = Recorded::of(&tape)?;
        let (mut table, mut seen) = (Vec::new(), vec![false; self.parts.len()]);
        let (mut from_node, mut all) = (start, 0);
        for step in &self.steps {
            let made = values.get(step.first..step.first + step.count).unwrap_or_default();
            let (output, bytes) = recorded.output(made);
            let output = Some(output);
            match &step.does {
                Does::Input { name, .. } => {
                    table.push(Row { output, ..Row::new(name.to_string(), "Input") });
                }
                Does::Apply { part, from } => {
                    let Some(Part { name, block }) = self.parts.get(*part) else { continue };
                    let again = seen.get_mut(*part).is_some_and(|seen| std::mem::replace(seen, true));
                    // Steps are recorded one after another, each up to what it gives.
                    let end = recorded.end(made).unwrap_or(from_node).max(from_node);
                    let flops = recorded.flops(from_node..end);
                    (from_node, all) = (end, all + bytes);
                    let mut parts = rows(block.module(), name);
                    let Some((row, inner)) = parts.split_first_mut() else { continue };
                    (row.output, row.flops, row.output_bytes) = (output, Some(flops), Some(bytes));
                    row.from = from.iter().map(|&value| self.name_of(value).to_string()).collect();
                    match again && (row.count > 0 || row.kept > 0) {
                        true => {
                            row.parameters = vec!["as above".to_string()];
                            (row.count, row.frozen, row.kept, row.gradient_bytes) = (0, 0, 0, 0);
                            parts.truncate(1);
                        }
                        false => recorded.fill(inner),
                    }
                    table.extend(parts);
                }
            }
        }
        let figures = Figures { flops: recorded.flops(start..tape.len()), output_bytes: all };
        let mut summary = Summary::new(self, table);
        summary.measured(figures, peak(&inputs, |tape, xs| self.call_list(tape, xs)));
        Ok(summary)
    }

    /// All values for so many examples, and where their nodes begin.
    fn probed<'t>(&self, tape: &'t Tape, inputs: &[Example], count: usize) -> Result<(usize, Vec<Var<'t>>)> {
        let xs = inputs.iter().map(|input| input.batch(tape, count)).collect::<Result<Vec<_>>>()?;
        let start = tape.len();
        let values = self.values(tape, &xs);
        tape.check().map_err(|error| explain(self, tape, error))?;
        Ok((start, values))
    }

    /// The name of the input or layer that makes a value.
    fn name_of(&self, value: usize) -> &'static str {
        match self.step_of(value).map(|step| &step.does) {
            Some(Does::Input { name, .. }) => name,
            Some(Does::Apply { part, .. }) => self.parts.get(*part).map_or("", |part| part.name),
            None => "",
        }
    }

    /// The step that makes a value.
    fn step_of(&self, value: usize) -> Option<&Step> {
        let place = self.steps.partition_point(|step| step.first <= value);
        place.checked_sub(1).and_then(|place| self.steps.get(place))
    }

    /// The inputs.
    fn examples(&self) -> impl Iterator<Item = (&'static str, &Example)> {
        self.steps.iter().filter_map(|step| match &step.does {
            Does::Input { name, example } => Some((*name, example)),
            Does::Apply { .. } => None,
        })
    }

    /// Whether these inputs are one example without the axis that counts them; an error for what is no input of this model.
    fn is_single(&self, xs: &[Var<'_>]) -> Result<bool> {
        let names = self.inputs();
        if xs.len() != names.len() {
            let list = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let error =
                Error::shape(format!("the model takes {} ({list}), not {}", counted(names.len(), "input"), xs.len()));
            return Err(error.help("`model.call([a, b])` takes two"));
        }
        if self.examples().zip(xs).all(|((_, example), x)| example.is_one(*x)) {
            return Ok(true);
        }
        let mut first = None;
        for ((name, example), x) in self.examples().zip(xs) {
            let shape = x.shape();
            if !example.is_batch(&shape) {
                return Err(Error::shape(format!("input `{name}` takes {example}, not {shape}")));
            }
            let count = shape.first().copied().unwrap_or_default();
            match first {
                None => first = Some((name, count)),
                Some((other, counted)) if counted != count => {
                    return Err(Error::shape(format!(
                        "input `{name}` has {count} examples, and `{other}` has {counted}"
                    )));
                }
                Some(_) => {}
            }
        }
        Ok(false)
    }

    #[track_caller]
    fn run<'t>(&self, tape: &'t Tape, xs: &[Var<'t>]) -> Vec<Var<'t>> {
        let values = self.values(tape, xs);
        let ys: Vec<Var<'t>> = self.outputs.iter().filter_map(|&value| values.get(value).copied()).collect();
        match ys.len() == self.outputs.len() {
            true => ys,
            false => vec![tape.reject("Graph", &labelled(xs), Error::state("failed before")); self.outputs.len()],
        }
    }

    /// All values, as far as nothing fails.
    #[track_caller]
    fn values<'t>(&self, tape: &'t Tape, xs: &[Var<'t>]) -> Vec<Var<'t>> {
        let (mut xs, mut values) = (xs.iter(), Vec::new());
        for step in &self.steps {
            match &step.does {
                Does::Input { .. } => values.extend(xs.next()),
                Does::Apply { part, from } => {
                    let from: Vec<Var<'t>> = from.iter().filter_map(|&value| values.get(value).copied()).collect();
                    let Some(part) = self.parts.get(*part) else { return values };
                    values.extend(part.run(tape, &from, step.count));
                }
            }
            if values.len() != step.first + step.count {
                return values;
            }
        }
        values
    }
}

impl Part {
    /// Runs the layer within its scope.
    #[track_caller]
    fn run<'t>(&self, tape: &'t Tape, xs: &[Var<'t>], count: usize) -> Vec<Var<'t>> {
        let _scope = enter(tape, self.name, self.block.module());
        self.block.run(tape, xs, count)
    }
}

/// `1 input`, `2 inputs`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Operands of an error.
fn labelled<'t>(xs: &[Var<'t>]) -> Vec<(&'static str, Var<'t>)> {
    xs.iter().map(|x| ("input", *x)).collect()
}

impl Module for Graph {
    fn type_name(&self) -> &'static str {
        "Graph"
    }
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
        for part in &self.parts {
            at.field(part.name, part.block.module());
        }
    }
    fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
        for part in &mut self.parts {
            at.field(part.name, part.block.module_mut());
        }
    }
}

/// For a model with one input and one output.
impl Layer for Graph {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let [y] = self.call([x]);
        y
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = |step: &Step| match &step.does {
            Does::Input { .. } => Vec::new(),
            Does::Apply { from, .. } => from.iter().map(|&value| self.name_of(value)).collect(),
        };
        f.debug_map().entries(self.steps.iter().map(|step| (self.name_of(step.first), from(step)))).finish()
    }
}
