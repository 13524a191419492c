//! Layers one after another, and the builder that infers their sizes.

use std::fmt;
use std::ops::Range;
use std::panic::Location;

use wengert_autograd::{Tape, Var};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::IntoShape;

use crate::example::{Example, PROBES, starred};
use crate::explain::{blame, explain};
use crate::layer::Layer;
use crate::module::{Module, Visit, VisitMut, enter};
use crate::summary::{Figures, Recorded, Summary, peak, rows};

mod builder;
pub use builder::Builder;

/// Layers one after another. Their parameters are named by the place of the layer, as in PyTorch: `2.weight`.
///
/// ```
/// use wengert_nn::{layer::Layer, sequential::Sequential};
/// use wengert_tensor::{random::Seed, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let x = Tensor::from([[150f32, 67.0], [130.0, 60.0], [200.0, 65.0]]);
/// let model = Sequential::input([2]).standardize(&x).dense(8).relu().dense(2).build(Seed(1))?;
/// assert_eq!(model.predict(&x)?.shape().dims(), [3, 2]);
/// println!("{}", model.summary()?);
/// # Ok(())
/// # }
/// ```
pub struct Sequential {
    layers: Vec<Box<dyn Layer>>,
    input: Option<Example>,
}

impl Sequential {
    /// Starts a model whose examples have this shape: `[2]` for two features, `[28, 28]` for small images. The axis that
    /// counts the examples is not part of it.
    pub fn input(shape: impl IntoShape) -> Builder {
        Builder::new(Example::new(shape).map_err(|error| error.op("Sequential::input")))
    }

    /// A model of given layers, with sizes of one's own choice.
    pub fn of(layers: impl IntoIterator<Item = Box<dyn Layer>>) -> Sequential {
        Sequential { layers: layers.into_iter().collect(), input: None }
    }

    /// The layers in order.
    pub fn layers(&self) -> &[Box<dyn Layer>] {
        &self.layers
    }

    /// The number of layers.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// True without any layer; such a model gives its input back.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// A table of the layers: place, type, shape of the output, parameters.
    ///
    /// # Errors
    /// A model whose layers do not fit together; [`Sequential::of`] does not know its input: use
    /// [`Sequential::summary_of`].
    #[track_caller]
    pub fn summary(&self) -> Result<Summary> {
        match &self.input {
            Some(input) => self.table(input),
            None => Err(Error::state("the model does not say what its input is")
                .op("summary")
                .help("`model.summary_of([28, 28])` takes the shape of one example")),
        }
    }

    /// [`Sequential::summary`] for examples of this shape, in the dtype of the weights.
    ///
    /// # Errors
    /// Layers that do not fit together or do not take this input.
    #[track_caller]
    pub fn summary_of(&self, shape: impl IntoShape) -> Result<Summary> {
        self.table(&Example { follows: true, ..Example::new(shape)? })
    }

    #[track_caller]
    fn table(&self, input: &Example) -> Result<Summary> {
        let (tape, here) = (Tape::new(), Location::caller());
        let input = input.for_weights(self);
        let outputs = self
            .probed(&tape, &input, PROBES)
            .map_err(|error| blame(starred(error, |count| self.probed(&Tape::new(), &input, count).err()), here))?;
        let recorded = Recorded::of(&tape)?;
        let mut table = Vec::new();
        for (index, (layer, (y, nodes))) in self.layers.iter().zip(outputs).enumerate() {
            let (output, bytes) = recorded.output(&[y]);
            // A layer made of layers is followed by its parts.
            let mut parts = rows(&**layer, &index.to_string());
            if let Some((row, parts)) = parts.split_first_mut() {
                (row.output, row.output_bytes, row.flops) = (Some(output), Some(bytes), Some(recorded.flops(nodes)));
                recorded.fill(parts);
            }
            table.extend(parts);
        }
        let outputs = table.iter().filter(|row| !row.path.contains('.')).filter_map(|row| row.output_bytes).sum();
        let figures = Figures { flops: recorded.flops(0..tape.len()), output_bytes: outputs };
        let mut summary = Summary::new(self, table);
        let peak = peak(&[input], |_, xs| xs.iter().map(|x| self.forward(*x)).collect());
        summary.measured(figures, peak);
        Ok(summary)
    }

    /// What so many examples are after each layer, and the nodes that this takes.
    fn probed<'t>(&self, tape: &'t Tape, input: &Example, count: usize) -> Result<Vec<(Var<'t>, Range<usize>)>> {
        let mut x = input.batch(tape, count)?;
        let mut outputs = Vec::with_capacity(self.layers.len());
        for (index, layer) in self.layers.iter().enumerate() {
            let start = tape.len();
            x = through(index, &**layer, x);
            outputs.push((x, start..tape.len()));
        }
        tape.check().map_err(|error| explain(self, tape, error))?;
        Ok(outputs)
    }
}

/// Runs a layer of a sequence within its scope.
#[track_caller]
fn through<'t>(index: usize, layer: &dyn Layer, x: Var<'t>) -> Var<'t> {
    let _scope = enter(x.tape(), index, layer);
    layer.forward(x)
}

impl Module for Sequential {
    fn type_name(&self) -> &'static str {
        "Sequential"
    }
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
        for (index, layer) in self.layers.iter().enumerate() {
            at.item(index, layer);
        }
    }
    fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
        for (index, layer) in self.layers.iter_mut().enumerate() {
            at.item(index, layer);
        }
    }
}

impl Layer for Sequential {
    #[track_caller]
    fn forward<'t>(&self, mut x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        if tape.error().is_some() {
            return x;
        }
        let _scope = self.scope(tape);
        // One example is a batch of one, without the axis.
        let single = self.input.as_ref().is_some_and(|input| input.is_one(x));
        if single {
            x = x.unsqueeze(0);
        }
        if let Some(input) = &self.input
            && !input.is_batch(&x.shape())
        {
            let error = Error::shape(format!("the model takes {input}, not {}", x.shape()));
            return tape.reject("Sequential", &[("input", x)], error);
        }
        for (index, layer) in self.layers.iter().enumerate() {
            x = through(index, &**layer, x);
        }
        let here = Location::caller();
        tape.amend(|error| blame(error, here));
        if single { x.squeeze(0) } else { x }
    }
}

impl fmt::Debug for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.layers.iter().map(|layer| layer.type_name())).finish()
    }
}
