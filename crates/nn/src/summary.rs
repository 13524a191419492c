//! A model as a table: what it is made of, how large it is, and what it costs.
//!
//! Shapes, operations and bytes come from a recording; nothing is computed. The same figures as Keras's `model.summary()` and torchinfo's
//! `summary(model)`, and the peak of a step that the planner predicts.

use std::panic::Location;

use wengert_autograd::{LeafId, Tape, Var};
use wengert_tensor::error::Result;
use wengert_tensor::shape::IntoShape;

use crate::example::{Example, PROBES, starred};
use crate::explain::{blame, explain};
use crate::layer::Layer;
use crate::module::{Module, Visit, Visitor, check, each};
use crate::param::{Param, Role};
use crate::path::Path;

mod formats;
mod measure;

pub(crate) use measure::{Figures, Recorded, peak};

/// The table of any model; a [`Sequential`](crate::sequential::Sequential) adds the shapes of the outputs.
///
/// ```
/// use wengert_nn::{layers::dense::Dense, summary::Summarize};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let table = (Dense::new(784, 32), Dense::new(32, 10)).summary()?;
/// assert_eq!(table.trainable, 784 * 32 + 32 + 32 * 10 + 10);
/// println!("{table}");
/// # Ok(())
/// # }
/// ```
pub trait Summarize: Module {
    /// A table of all parts that have parameters of their own, the model itself first: path, type, shapes, count.
    ///
    /// # Errors
    /// What was wrong with a layer's arguments.
    fn summary(&self) -> Result<Summary>
    where
        Self: Sized,
    {
        check(self)?;
        let mut table = rows(self, "");
        drop_idle(&mut table);
        Ok(Summary::new(self, table))
    }

    /// As [`summary`](Summarize::summary), with the shapes of outputs and the figures of a layer or model that is given examples of this
    /// shape, in the dtype of its weights.
    ///
    /// ```
    /// # extern crate wengert_nn as wengert;
    /// use wengert_autograd::Var;
    /// use wengert_nn::{layer::Layer, layers::dense::Dense, module::Module, summary::Summarize};
    ///
    /// #[derive(Module)]
    /// struct Net { body: Dense, head: Dense }
    ///
    /// impl Layer for Net {
    ///     fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
    ///         self.head.forward(self.body.forward(x).relu())
    ///     }
    /// }
    ///
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let table = Net { body: Dense::new(4, 8), head: Dense::new(8, 2) }.summary_of([4])?;
    /// assert_eq!(table.rows[0].output.as_deref(), Some("[*, 8]"));
    /// assert_eq!(table.rows[0].flops, Some(2 * 4 * 8 + 8));
    /// assert!(table.to_markdown().contains("| body | Dense |"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// What was wrong with a layer's arguments, or with this shape.
    #[track_caller]
    fn summary_of(&self, shape: impl IntoShape) -> Result<Summary>
    where
        Self: Layer + Sized,
    {
        check(self)?;
        let (tape, here) = (Tape::new(), Location::caller());
        let input = Example { follows: true, ..Example::new(shape)? }.for_weights(self);
        let y = probed(self, &tape, &input, PROBES)
            .map_err(|error| blame(starred(error, |count| probed(self, &Tape::new(), &input, count).err()), here))?;
        let recorded = Recorded::of(&tape)?;
        let mut table = rows(self, "");
        let (output, bytes) = recorded.output(&[y]);
        let mut figures = Figures { flops: recorded.flops(0..tape.len()), output_bytes: bytes };
        if let Some((model, parts)) = table.split_first_mut() {
            recorded.fill(parts);
            (model.output, model.flops, model.output_bytes) = (Some(output), Some(figures.flops), Some(bytes));
            figures.output_bytes = bytes.max(parts.iter().filter_map(|row| row.output_bytes).sum());
        }
        drop_idle(&mut table);
        let mut summary = Summary::new(self, table);
        let peak = peak(&[input], |_, xs| xs.iter().map(|x| self.forward(*x)).collect());
        summary.measured(figures, peak);
        Ok(summary)
    }
}

impl<M: Module> Summarize for M {}

/// The table of a model; `Display` draws it, [`Summary::to_markdown`] and [`Summary::to_json`] write it for others.
///
/// **FLOPs** are those of the forward pass: two for each multiply-add of a product or convolution, one for each element of a function or a
/// reduction; an op's own kernel, which does not say, counts nothing. **Bytes of outputs** are those of what the layers give, without what
/// they compute inside. Both are for one example.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// The type of the model.
    pub model: &'static str,
    /// A row for each part.
    pub rows: Vec<Row>,
    /// The number of scalars that are trained.
    pub trainable: usize,
    /// The number of scalars in frozen weights.
    pub frozen: usize,
    /// The number of scalars in buffers.
    pub kept: usize,
    /// Operations of a forward pass, for one example; `None` where the shape of the input is not known.
    pub flops: Option<u64>,
    /// Bytes of the output of every layer, for one example.
    pub output_bytes: Option<u64>,
    /// Bytes of the gradients of the weights that are trained.
    pub gradient_bytes: u64,
    /// What a step of training needs at its peak.
    pub peak: Option<Peak>,
}

/// The memory of a step of training, as the planner predicts it: weights, buffers and inputs, the values that are kept for the gradient, and
/// the gradients; without an optimizer, its state and the new weights: [`Optimizer::report`](crate::optim::optimizer::Optimizer::report)
/// tells of a step with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peak {
    /// For so many examples in a batch: 32, as Keras has it.
    pub examples: usize,
    /// So many bytes.
    pub bytes: u64,
}

/// A part of a model.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Row {
    /// The place in the model: `encoder.0`; empty for the model itself, which a table shows as `(self)`.
    pub path: String,
    /// The type.
    pub type_name: &'static str,
    /// The shape of the output with `*` for the number of examples, where it is known.
    pub output: Option<String>,
    /// The parameters with their shapes: `weight [8, 2]`.
    pub parameters: Vec<String>,
    /// The number of scalars in its weights, with those of its parts.
    pub count: usize,
    /// How many of them are frozen.
    pub frozen: usize,
    /// The number of scalars in its buffers, with those of its parts.
    pub kept: usize,
    /// The names of the layers that it is applied to, in a model that is a graph.
    pub from: Vec<String>,
    /// Operations of its forward pass for one example, where they are known.
    pub flops: Option<u64>,
    /// Bytes of its output for one example, where they are known.
    pub output_bytes: Option<u64>,
    /// Bytes of the gradients of those of its weights that are trained.
    pub gradient_bytes: u64,
    /// Its own parameters, without those of its parts.
    pub(crate) own: Vec<LeafId>,
}

impl Summary {
    pub(crate) fn new<M: Module + ?Sized>(model: &M, rows: Vec<Row>) -> Summary {
        let (mut trainable, mut frozen, mut kept, mut gradient_bytes) = (0, 0, 0, 0);
        each(model, &mut |_, param| {
            let bin = match param.role() {
                Role::Buffer => &mut kept,
                Role::Weight if param.is_trainable() => &mut trainable,
                Role::Weight => &mut frozen,
            };
            *bin += param.shape().len();
            gradient_bytes += gradient(param);
        });
        let (model, peak) = (model.type_name(), None);
        Summary { model, rows, trainable, frozen, kept, flops: None, output_bytes: None, gradient_bytes, peak }
    }

    /// With what was measured of a whole forward pass.
    pub(crate) fn measured(&mut self, all: Figures, peak: Option<Peak>) {
        (self.flops, self.output_bytes, self.peak) = (Some(all.flops), Some(all.output_bytes), peak);
    }
}

impl Row {
    /// A part of which nothing is known yet.
    pub(crate) fn new(path: String, type_name: &'static str) -> Row {
        let (output, parameters, from, own) = (None, Vec::new(), Vec::new(), Vec::new());
        let (count, frozen, kept) = (0, 0, 0);
        let (flops, output_bytes, gradient_bytes) = (None, None, 0);
        Row { path, type_name, output, parameters, count, frozen, kept, from, flops, output_bytes, gradient_bytes, own }
    }

    /// With one of its parameters, or of its parts.
    fn counts(&mut self, param: &Param) {
        self.gradient_bytes += gradient(param);
        match param.role() {
            Role::Weight => {
                self.count += param.shape().len();
                self.frozen += if param.is_trainable() { 0 } else { param.shape().len() };
            }
            Role::Buffer => self.kept += param.shape().len(),
        }
    }
}

/// The bytes of the gradient of a parameter, if it has one.
fn gradient(param: &Param) -> u64 {
    let trained = param.role() == Role::Weight && param.is_trainable();
    if trained { (param.shape().len() * param.dtype().size()) as u64 } else { 0 }
}

/// What so many examples become.
fn probed<'t, L: Layer>(layer: &L, tape: &'t Tape, input: &Example, count: usize) -> Result<Var<'t>> {
    let y = layer.forward(input.batch(tape, count)?);
    tape.check().map_err(|error| explain(layer, tape, error))?;
    Ok(y)
}

/// The row of `module`, and those of all parts below it that hold parameters of their own, with paths that start at `prefix`.
pub(crate) fn rows<M: Module + ?Sized>(module: &M, prefix: &str) -> Vec<Row> {
    let first = Row::new(prefix.to_string(), module.type_name());
    let mut parts = Parts { prefix, rows: vec![first], open: vec![0] };
    module.visit(&mut Visit::new(&mut parts));
    let mut at = 0;
    parts.rows.retain(|row| {
        at += 1;
        at == 1 || !row.own.is_empty()
    });
    parts.rows
}

/// Without the row of the model itself, where that holds nothing that its parts do not.
fn drop_idle(table: &mut Vec<Row>) {
    if table.first().is_some_and(|model| model.own.is_empty()) {
        table.remove(0);
    }
}

struct Parts<'p> {
    prefix: &'p str,
    rows: Vec<Row>,
    /// The rows of the parts that the walk is in, from the root down: one more than the path has segments.
    open: Vec<usize>,
}

impl<'a> Visitor<'a> for Parts<'_> {
    fn enter(&mut self, path: &Path, module: &'a dyn Module) {
        let separator = if self.prefix.is_empty() { "" } else { "." };
        self.open.push(self.rows.len());
        self.rows.push(Row::new(format!("{}{separator}{path}", self.prefix), module.type_name()));
    }

    fn leave(&mut self, _path: &Path, _module: &'a dyn Module) {
        self.open.pop();
    }

    fn param(&mut self, path: &Path, param: &'a Param) {
        for &at in &self.open {
            self.rows.get_mut(at).into_iter().for_each(|row| row.counts(param));
        }
        // The last that was entered is the parameter itself, and a row of the part around it tells of it.
        let depth = self.open.len().saturating_sub(2);
        if let Some(owner) = self.open.get(depth).and_then(|&at| self.rows.get_mut(at)) {
            let name: Vec<String> = path.segments().iter().skip(depth).map(|segment| segment.to_string()).collect();
            owner.parameters.push(format!("{} {}", name.join("."), param.shape()));
            owner.own.push(param.id());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers;
    use std::collections::HashSet;

    /// Every parameter and buffer stands in one row of the table, and the table is complete.
    #[test]
    fn the_rows_of_every_layer_hold_each_parameter_once() -> Result<()> {
        let mut tried = 0;
        for case in layers::roll() {
            let table = case.layer.summary()?;
            let all = case.layer.state();
            let mut seen = HashSet::new();
            for id in table.rows.iter().flat_map(|row| &row.own) {
                assert!(seen.insert(*id), "{}: twice in {table}", case.key());
            }
            for (name, param) in &all {
                assert!(seen.contains(&param.id()), "{}: `{name}` is missing in {table}", case.key());
            }
            let own = |row: &Row| -> usize {
                all.iter().filter(|(_, p)| row.own.contains(&p.id())).map(|(_, p)| p.shape().len()).sum()
            };
            let sum: usize = table.rows.iter().map(own).sum();
            assert_eq!(sum, table.trainable + table.frozen + table.kept, "{}", case.key());
            tried += 1;
        }
        assert!(tried > 50);
        Ok(())
    }
}
