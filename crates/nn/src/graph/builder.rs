//! A graph in the making.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::panic::Location;

use wengert_autograd::{Tape, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Seed;
use wengert_tensor::shape::{IntoShape, Shape};

use super::block::{Block, Own};
use super::node::Node;
use super::{Does, Graph, Part, Step};
use crate::example::{Example, PROBES, starred};
use crate::explain::blame;
use crate::layers::merge::Merge;
use crate::module::{Module, each};
use crate::names::interned;

/// A [`Graph`] in the making. What is wrong is reported by [`GraphBuilder::build`].
///
/// A layer without a name gets one of its type: `dense`, `dense_1`, …, in the order in which they were added.
#[derive(Default)]
pub struct GraphBuilder {
    draft: RefCell<Draft>,
}

#[derive(Default)]
struct Draft {
    graph: Graph,
    /// One example of every value; `None` after a fault.
    values: Vec<Option<Example>>,
    fault: Option<Fault>,
}

/// The first thing that was wrong. It is told when all names are known.
enum Fault {
    /// A step that cannot be recorded, which was added there.
    Step(usize, &'static Location<'static>),
    /// About a value, if it is about one.
    Told(Option<usize>, Error),
}

impl GraphBuilder {
    /// Without any node.
    pub fn new() -> GraphBuilder {
        GraphBuilder::default()
    }

    /// An input whose examples have this shape, of f32 unless [`Node::dtype`] says otherwise: `[2]` for two features. The axis that
    /// counts the examples is not part of it. The order of these calls is that of the inputs of the model.
    #[track_caller]
    pub fn input(&self, shape: impl IntoShape) -> Node<'_> {
        let (mut draft, here) = (self.draft.borrow_mut(), Location::caller());
        let example = Example::new(shape).unwrap_or_else(|error| {
            draft.fail(Fault::Told(None, error.op("input").at(here)));
            Example { shape: Shape::scalar(), dtype: DType::F32, follows: false }
        });
        let value = draft.step(Does::Input { name: "", example: example.clone() }, 1);
        draft.values.push(Some(example));
        Node { graph: self, value }
    }

    /// One node made of several: `graph.merge(Concat::new(-1), [a, b])`.
    #[must_use]
    #[track_caller]
    pub fn merge<'g>(&'g self, merge: impl Merge + 'static, nodes: impl IntoIterator<Item = Node<'g>>) -> Node<'g> {
        let nodes: Vec<Node<'g>> = nodes.into_iter().collect();
        self.single(Block::Merge(Box::new(merge)), &nodes, Location::caller())
    }

    /// A module with a function of one's own, of several nodes to several: what a layer with two inputs or two outputs needs.
    ///
    /// ```
    /// use wengert_nn::{graph::Graph, layer::Layer, layers::dense::Dense};
    /// use wengert_tensor::random::Seed;
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let graph = Graph::builder();
    /// let (x, y) = (graph.input([4]), graph.input([4]));
    /// let [sum, gate] = graph.apply(Dense::new(4, 4), [x, y], |dense, [x, y]| [x + y, dense.forward(x).sigmoid()]);
    /// let model = graph.build([sum.named("mixer") * gate], Seed(1))?;
    /// assert_eq!(model.inputs(), ["input", "input_1"]);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn apply<'g, M, F, const I: usize, const O: usize>(
        &'g self,
        module: M,
        nodes: [Node<'g>; I],
        function: F,
    ) -> [Node<'g>; O]
    where
        M: Module + 'static,
        F: for<'t> Fn(&M, [Var<'t>; I]) -> [Var<'t>; O] + Send + Sync + 'static,
    {
        let name = module.type_name();
        let own: Own<M, F, I, O> = Own { name, module, function };
        let first = self.block(Block::Call(Box::new(own)), &nodes, O, Location::caller());
        std::array::from_fn(|i| Node { graph: self, value: first + i })
    }

    /// A function of several nodes to several, without parameters; errors and summaries call it `name`.
    ///
    /// ```
    /// use wengert_nn::graph::Graph;
    /// use wengert_tensor::random::Seed;
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let graph = Graph::builder();
    /// let (x, gate) = (graph.input([4]), graph.input([4]));
    /// let [gated] = graph.lambda("Gate", [x, gate], |[x, gate]| [x * gate.sigmoid()]);
    /// let model = graph.build([gated.dense(2)], Seed(1))?;
    /// # assert_eq!(model.outputs(), ["dense"]);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn lambda<'g, F, const I: usize, const O: usize>(
        &'g self,
        name: &'static str,
        nodes: [Node<'g>; I],
        function: F,
    ) -> [Node<'g>; O]
    where
        F: for<'t> Fn([Var<'t>; I]) -> [Var<'t>; O] + Send + Sync + 'static,
    {
        let own = Own { name, module: (), function: applied(function) };
        let first = self.block(Block::Call(Box::new(own)), &nodes, O, Location::caller());
        std::array::from_fn(|i| Node { graph: self, value: first + i })
    }

    /// The model with these outputs, and with weights drawn from `seed`. The builder cannot be used again.
    ///
    /// # Errors
    /// The first thing that was wrong with a node; two layers with one name; no output; an input or a layer that leads to none.
    #[track_caller]
    pub fn build<'g>(&'g self, outputs: impl IntoIterator<Item = Node<'g>>, seed: Seed) -> Result<Graph> {
        let outputs: Vec<Node<'g>> = outputs.into_iter().collect();
        let built = Error::state("the graph was built before").op("build").help("make a new one: `Graph::builder()`");
        let after = Draft { fault: Some(Fault::Told(None, built)), ..Draft::default() };
        let draft = self.draft.replace(after);
        let here = Location::caller();
        let error = |error: Error| error.op("build").at(here);
        if outputs.iter().any(|node| !std::ptr::eq(node.graph, self)) {
            return Err(error(foreign()));
        }
        let mut graph = draft.finish().map_err(|error| blame(error, here))?;
        graph.outputs = outputs.into_iter().map(|node| node.value).collect();
        check_use(&graph).map_err(error)?;
        let inputs: Vec<Example> = graph.examples().map(|(_, example)| example.clone().following(&graph)).collect();
        let places = graph.steps.iter_mut().filter_map(|step| match &mut step.does {
            Does::Input { example, .. } => Some(example),
            Does::Apply { .. } => None,
        });
        places.zip(inputs).for_each(|(place, example)| *place = example);
        graph.init(seed)
    }

    /// A block with one result, applied to these nodes.
    pub(super) fn single<'g>(&'g self, block: Block, nodes: &[Node<'g>], at: &'static Location<'static>) -> Node<'g> {
        Node { graph: self, value: self.block(block, nodes, 1, at) }
    }

    /// A block with `count` results, applied to these nodes; gives the first of them.
    fn block(&self, block: Block, nodes: &[Node<'_>], count: usize, at: &'static Location<'static>) -> usize {
        let mut draft = self.draft.borrow_mut();
        let part = draft.graph.parts.len();
        draft.graph.parts.push(Part { name: "", block });
        self.add_step(&mut draft, part, nodes, count, at)
    }

    /// The block that gives `other`, applied to `node`.
    pub(super) fn apply_again<'g>(
        &'g self,
        node: Node<'g>,
        other: Node<'g>,
        at: &'static Location<'static>,
    ) -> Node<'g> {
        let mut draft = self.draft.borrow_mut();
        let found = match draft.graph.step_of(other.value).map(|step| (&step.does, step.count)) {
            Some((Does::Apply { part, .. }, 1)) if std::ptr::eq(other.graph, self) => Ok(*part),
            _ if !std::ptr::eq(other.graph, self) => Err(foreign()),
            _ => Err(Error::state("an input is no layer, and a layer with several outputs is not applied so")
                .help("`same_layer_as` takes the node that a layer gave")),
        };
        match found {
            Ok(part) => Node { graph: self, value: self.add_step(&mut draft, part, &[node], 1, at) },
            Err(error) => {
                draft.fail(Fault::Told(Some(other.value), error.op("same_layer_as").at(at)));
                node
            }
        }
    }

    fn add_step(
        &self,
        draft: &mut Draft,
        part: usize,
        nodes: &[Node<'_>],
        count: usize,
        at: &'static Location<'static>,
    ) -> usize {
        if nodes.iter().any(|node| !std::ptr::eq(node.graph, self)) {
            draft.fail(Fault::Told(None, foreign().at(at)));
        }
        let from = nodes.iter().map(|node| node.value).collect();
        let first = draft.step(Does::Apply { part, from }, count);
        let made = match draft.fault {
            Some(_) => None,
            None => draft.graph.steps.last().map(|step| draft.record(step)),
        };
        match made {
            Some(Ok(made)) => draft.values.extend(made.into_iter().map(Some)),
            Some(Err(_)) => draft.fail(Fault::Step(draft.graph.steps.len() - 1, at)),
            None => {}
        }
        draft.values.resize(first + count, None);
        first
    }

    pub(super) fn refuse(&self, value: usize, error: Error) {
        self.draft.borrow_mut().fail(Fault::Told(Some(value), error));
    }

    /// One example of a value; nothing after a fault.
    pub(super) fn example(&self, value: usize) -> Option<Example> {
        let draft = self.draft.borrow();
        if draft.fault.is_some() { None } else { draft.values.get(value).cloned().flatten() }
    }

    pub(super) fn name(&self, value: usize, name: Cow<'static, str>, at: &'static Location<'static>) {
        let mut draft = self.draft.borrow_mut();
        if name.is_empty() || name.contains('.') {
            let error = Error::value(format!("`{name}` as the name of a layer")).op("named").at(at);
            draft.fail(Fault::Told(
                Some(value),
                error.help("a name is not empty and has no dot: dots join the names of parts"),
            ));
            return;
        }
        draft.graph.rename(value, interned(name));
    }

    pub(super) fn set_dtype(&self, value: usize, dtype: DType, at: &'static Location<'static>) {
        let draft = &mut *self.draft.borrow_mut();
        let used = |step: &Step| matches!(&step.does, Does::Apply { from, .. } if from.contains(&value));
        let is_used = draft.graph.steps.iter().any(used);
        match draft.graph.step_mut(value).map(|step| &mut step.does) {
            Some(Does::Input { example, .. }) if !is_used => {
                example.dtype = dtype;
                if let Some(known) = draft.values.get_mut(value) {
                    *known = Some(example.clone());
                }
            }
            _ => {
                let error = Error::state("is said of an input, before the first layer").op("dtype").at(at);
                draft.fail(Fault::Told(Some(value), error));
            }
        }
    }
}

impl Draft {
    /// Adds a step with so many values; gives the first of them.
    fn step(&mut self, does: Does, count: usize) -> usize {
        let first = self.graph.steps.last().map_or(0, |step| step.first + step.count);
        self.graph.steps.push(Step { does, first, count });
        first
    }

    fn fail(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    /// One example of each value that a step makes.
    fn record(&self, step: &Step) -> Result<Vec<Example>> {
        let record = |count| self.record_of(step, count);
        record(PROBES).map_err(|error| starred(error, |count| record(count).err()))
    }

    /// As [`Draft::record`], by recording so many.
    fn record_of(&self, step: &Step, count: usize) -> Result<Vec<Example>> {
        let Does::Apply { part, from } = &step.does else { return Ok(Vec::new()) };
        let part = self.graph.parts.get(*part).ok_or_else(|| Error::state("no such part"))?;
        let tape = Tape::new();
        let mut xs = Vec::with_capacity(from.len());
        for &value in from {
            let example = self.values.get(value).and_then(Option::as_ref);
            xs.push(example.ok_or_else(|| Error::state("failed before"))?.batch(&tape, count)?);
        }
        let ys = {
            let _scope = tape.scope("Graph");
            part.run(&tape, &xs, step.count)
        };
        let (name, module) = (part.name, part.block.module());
        each(module, &mut |path, param| tape.note(param.id(), format!("{name}.{path}")));
        tape.check()?;
        let told =
            |error: Error| error.op(module.type_name()).within(format!("Graph › {name} ({})", module.type_name()));
        ys.into_iter().map(|y| Example::of(y, count).map_err(told)).collect()
    }

    /// The graph with all its names, or the first fault.
    fn finish(mut self) -> Result<Graph> {
        let named = self.graph.christen();
        match self.fault.take() {
            Some(Fault::Told(value, error)) => match value.map(|value| self.graph.name_of(value)) {
                Some(name) if !name.is_empty() => Err(error.within(format!("Graph › {name}"))),
                _ => Err(error),
            },
            Some(Fault::Step(step, at)) => match self.graph.steps.get(step).map(|step| self.record(step)) {
                Some(Err(error)) => Err(blame(error, at)),
                _ => Err(Error::state("a layer that failed does not fail again").op("build").at(at)),
            },
            None => named.map(|()| self.graph),
        }
    }
}

impl Graph {
    fn step_mut(&mut self, value: usize) -> Option<&mut Step> {
        let place = self.steps.partition_point(|step| step.first <= value);
        place.checked_sub(1).and_then(|place| self.steps.get_mut(place))
    }

    /// Names what gives a value.
    fn rename(&mut self, value: usize, to: &'static str) {
        let part = match self.step_mut(value).map(|step| &mut step.does) {
            Some(Does::Input { name, .. }) => {
                *name = to;
                return;
            }
            Some(Does::Apply { part, .. }) => *part,
            None => return,
        };
        if let Some(part) = self.parts.get_mut(part) {
            part.name = to;
        }
    }

    /// Gives a name to all that has none.
    fn christen(&mut self) -> Result<()> {
        let (mut taken, mut twice, mut seen) = (BTreeSet::new(), None, BTreeSet::new());
        for (name, part) in self.named() {
            let is_new = part.is_none_or(|part| seen.insert(part));
            if !name.is_empty() && is_new && !taken.insert(name) {
                twice = Some(name);
            }
        }
        for step in &mut self.steps {
            let (name, base) = match &mut step.does {
                Does::Input { name, .. } => (name, "input".to_string()),
                Does::Apply { part, .. } => match self.parts.get_mut(*part) {
                    Some(Part { name, block }) => (name, snake(block.module().type_name())),
                    None => continue,
                },
            };
            if name.is_empty() {
                let mut free = base.clone();
                let mut count = 0;
                while taken.contains(&*free) {
                    count += 1;
                    free = format!("{base}_{count}");
                }
                *name = interned(Cow::Owned(free));
                taken.insert(*name);
            }
        }
        match twice {
            Some(name) => Err(Error::value(format!("two layers or inputs are called `{name}`"))
                .op("build")
                .help("`.same_layer_as(node)` uses one layer twice; `.named(…)` gives another name")),
            None => Ok(()),
        }
    }

    /// The name of every step, with its part if it has one.
    fn named(&self) -> impl Iterator<Item = (&'static str, Option<usize>)> {
        self.steps.iter().map(|step| match &step.does {
            Does::Input { name, .. } => (*name, None),
            Does::Apply { part, .. } => (self.parts.get(*part).map_or("", |part| part.name), Some(*part)),
        })
    }
}

/// That there are outputs, and that everything leads to one.
fn check_use(graph: &Graph) -> Result<()> {
    if graph.outputs.is_empty() {
        return Err(Error::value("a graph without an output").help("`graph.build([y], seed)` takes a list of nodes"));
    }
    let mut needed: BTreeSet<usize> = graph.outputs.iter().copied().collect();
    // From the last step: what it needs stands before it.
    for step in graph.steps.iter().rev() {
        if needed.range(step.first..step.first + step.count).next().is_none() {
            let name = graph.name_of(step.first);
            return Err(Error::value(format!("`{name}` leads to no output"))
                .help(format!("make it an output of the graph, or leave `{name}` out")));
        }
        if let Does::Apply { from, .. } = &step.does {
            needed.extend(from);
        }
    }
    Ok(())
}

fn foreign() -> Error {
    Error::value("a node of another graph").help("nodes are joined within the graph that they were made in")
}

/// As a function beside a module that holds nothing.
fn applied<F, const I: usize, const O: usize>(
    function: F,
) -> impl for<'t> Fn(&(), [Var<'t>; I]) -> [Var<'t>; O] + Send + Sync
where
    F: for<'t> Fn([Var<'t>; I]) -> [Var<'t>; O] + Send + Sync,
{
    move |(), xs| function(xs)
}

/// `LeakyRelu` as `leaky_relu`.
fn snake(type_name: &str) -> String {
    let mut snake = String::with_capacity(type_name.len() + 4);
    let mut small = false;
    for c in type_name.chars().filter(|c| c.is_alphanumeric() || *c == '_') {
        if c.is_uppercase() && small {
            snake.push('_');
        }
        small = c.is_lowercase() || c.is_numeric();
        snake.extend(c.to_lowercase());
    }
    if snake.is_empty() { "layer".to_string() } else { snake }
}

impl fmt::Debug for GraphBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let draft = self.draft.borrow();
        write!(f, "GraphBuilder with {} steps", draft.graph.steps.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_become_names() {
        let names = ["Conv2d", "LeakyRelu", "MultiHeadAttention", "()", "LSTM"].map(snake);
        assert_eq!(names, ["conv2d", "leaky_relu", "multi_head_attention", "layer", "lstm"]);
    }
}
