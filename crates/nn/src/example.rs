//! What one example looks like, and what becomes of it. Shapes are found by recording; nothing is computed.

use std::fmt;

use wengert_autograd::{Tape, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::{IntoShape, Shape};

use crate::module::{Module, each};
use crate::sequential::Builder;

/// The shape and dtype of one example, without the axis that counts the examples.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    pub(crate) shape: Shape,
    pub(crate) dtype: DType,
    /// Whether the dtype is that of the weights, and stays it when these are cast.
    pub(crate) follows: bool,
}

/// Two, since with one example a layer that loses the first axis would go unnoticed.
pub(crate) const PROBES: usize = 2;

impl Example {
    /// Of f32.
    pub(crate) fn new(shape: impl IntoShape) -> Result<Example> {
        Ok(Example { shape: shape.into_shape()?, dtype: DType::F32, follows: false })
    }

    /// Examples without values, to ask layers for their shapes.
    pub(crate) fn probe<'t>(&self, tape: &'t Tape) -> Result<Var<'t>> {
        self.batch(tape, PROBES)
    }

    /// As [`Example::probe`], so many.
    pub(crate) fn batch<'t>(&self, tape: &'t Tape, count: usize) -> Result<Var<'t>> {
        Ok(tape.full(self.shape.insert(0, count)?, 0.0, self.dtype))
    }

    /// What the probes became.
    pub(crate) fn of(y: Var<'_>) -> Result<Example> {
        match y.shape().split_first() {
            Some((&PROBES, example)) => Ok(Example { shape: Shape::new(example)?, dtype: y.dtype(), follows: false }),
            _ => {
                let message =
                    format!("the first axis counts the examples and must stay; {PROBES} became {}", y.shape());
                Err(Error::shape(message))
            }
        }
    }

    /// The same in the dtype of the weights of `model`, where it follows that.
    pub(crate) fn for_weights<M: Module + ?Sized>(&self, model: &M) -> Example {
        let dtype = if self.follows { float_of(model).unwrap_or(self.dtype) } else { self.dtype };
        Example { dtype, ..self.clone() }
    }

    /// The same, which follows the weights of `model` if it has their dtype now.
    pub(crate) fn following<M: Module + ?Sized>(self, model: &M) -> Example {
        Example { follows: float_of(model) == Some(self.dtype), ..self }
    }

    /// A sequence that begins with these.
    pub(crate) fn start(&self) -> Builder {
        Builder::new(Ok(self.clone()))
    }

    /// The size of the last axis.
    pub(crate) fn features(&self) -> Result<usize> {
        self.shape.last().copied().ok_or_else(|| {
            Error::shape("needs an axis of features, and an example is a scalar here").help("start with `.input([1])`")
        })
    }

    /// The number of channels of an image with so many spatial axes.
    pub(crate) fn channels(&self, axes: usize) -> Result<usize> {
        match self.shape.split_first() {
            Some((&channels, sizes)) if sizes.len() == axes => Ok(channels),
            _ => Err(Error::shape(format!("takes [channels] and {axes} spatial axes, not {}", self.shape))
                .help(format!("`.reshape(…)` gives an example {} axes", axes + 1))),
        }
    }

    /// The size of the first axis: the channels, of an image with any number of spatial axes or of a plain list of features.
    pub(crate) fn channel(&self) -> Result<usize> {
        self.shape.first().copied().ok_or_else(|| {
            Error::shape("needs an axis of channels, and an example is a scalar here").help("start with `.input([1])`")
        })
    }

    /// Whether a value is one of these, without the axis that counts them.
    pub(crate) fn is_one(&self, x: Var<'_>) -> bool {
        x.shape() == self.shape
    }

    /// Whether a value is a batch of these.
    pub(crate) fn is_batch(&self, shape: &Shape) -> bool {
        shape.split_first().is_some_and(|(_, example)| *example == *self.shape)
    }
}

/// As a batch: `[examples, 8]`.
impl fmt::Display for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[examples")?;
        self.shape.iter().try_for_each(|size| write!(f, ", {size}"))?;
        f.write_str("]")
    }
}

/// `[*, 8]`: the shape of what became of the probes.
pub(crate) fn batched(shape: &Shape) -> String {
    match shape.split_first() {
        Some((&PROBES, rest)) => {
            let sizes = rest.iter().map(|size| format!(", {size}")).collect::<String>();
            format!("[*{sizes}]")
        }
        _ => shape.to_string(),
    }
}

/// The dtype of the first weight or buffer that holds floats.
fn float_of<M: Module + ?Sized>(model: &M) -> Option<DType> {
    let mut found = None;
    each(model, &mut |_, param| found = found.or(Some(param.dtype()).filter(|dtype| dtype.is_float())));
    found
}
