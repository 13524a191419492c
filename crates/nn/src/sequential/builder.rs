//! A sequence in the making.

use std::panic::Location;

use wengert_autograd::Tape;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Seed;
use wengert_tensor::shape::Shape;

use super::{Sequential, through};
use crate::example::{Example, PROBES, starred};
use crate::explain::blame;
use crate::grow::Grow;
use crate::layer::Layer;
use crate::module::{Module, each};

/// A [`Sequential`] in the making: knows the shape that it has reached, so that every layer is given its output size
/// only. What is wrong is reported by [`Builder::build`].
pub struct Builder {
    layers: Vec<Box<dyn Layer>>,
    input: Example,
    /// One example after the last layer.
    reached: Example,
    fault: Option<Error>,
}

impl Builder {
    pub(crate) fn new(input: Result<Example>) -> Builder {
        let (input, fault) = match input {
            Ok(input) => (input, None),
            Err(error) => (Example { shape: Shape::scalar(), dtype: DType::F32, follows: false }, Some(error)),
        };
        Builder { layers: Vec::new(), reached: input.clone(), input, fault }
    }

    /// Says that examples hold another dtype than f32: i64 for an embedding, u8 for images before `standardize`.
    ///
    /// Call it first, before any layer.
    #[must_use]
    #[track_caller]
    pub fn dtype(mut self, dtype: DType) -> Builder {
        if !self.layers.is_empty() {
            return self.refuse(Error::state("comes before the first layer").op("dtype").at(Location::caller()));
        }
        self.input.dtype = dtype;
        self.reached.dtype = dtype;
        self
    }

    /// Any layer. Its output shape is found by recording its `forward`; nothing is computed.
    #[must_use]
    #[track_caller]
    pub fn layer(self, layer: impl Layer + 'static) -> Builder {
        self.push(Box::new(layer))
    }

    /// The model, with weights drawn from `seed`.
    ///
    /// # Errors
    /// The first thing that was wrong in the chain of calls.
    pub fn build(self, seed: Seed) -> Result<Sequential> {
        self.finish()?.init(seed)
    }

    /// The model, for someone who draws its weights.
    pub(crate) fn finish(self) -> Result<Sequential> {
        match self.fault {
            Some(error) => Err(error),
            None => {
                let mut model = Sequential { layers: self.layers, input: None };
                model.input = Some(self.input.following(&model));
                Ok(model)
            }
        }
    }
}

impl Grow for Builder {
    fn reached(&self) -> Option<Example> {
        self.fault.is_none().then(|| self.reached.clone())
    }

    #[track_caller]
    fn push(mut self, layer: Box<dyn Layer>) -> Builder {
        if self.fault.is_none() {
            let (index, here) = (self.layers.len(), Location::caller());
            let after = |count| after(index, &*layer, &self.reached, count);
            match after(PROBES).map_err(|error| starred(error, |count| after(count).err())) {
                Ok(reached) => self.reached = reached,
                Err(error) => self.fault = Some(blame(error, here)),
            }
        }
        self.layers.push(layer);
        self
    }

    fn refuse(mut self, error: Error) -> Builder {
        self.fault.get_or_insert(error);
        self
    }
}

/// One example after `layer`, by recording so many.
fn after(index: usize, layer: &dyn Layer, before: &Example, count: usize) -> Result<Example> {
    let tape = Tape::new();
    let y = {
        let _scope = tape.scope("Sequential");
        through(index, layer, before.batch(&tape, count)?)
    };
    each(layer, &mut |path, param| tape.note(param.id(), format!("{index}.{path}")));
    tape.check()?;
    let name = layer.type_name();
    Example::of(y, count).map_err(|error| error.op(name).within(format!("Sequential › {index} ({name})")))
}
