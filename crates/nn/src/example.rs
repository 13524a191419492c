//! What one example looks like, and what becomes of it. Shapes are found by recording; nothing is computed.

use std::fmt;

use wengert_autograd::{Tape, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::{IntoShape, Shape};

use crate::explain::reworded;
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

    /// So many examples without values, to ask layers for their shapes: [`PROBES`], unless an error is to be told.
    pub(crate) fn batch<'t>(&self, tape: &'t Tape, count: usize) -> Result<Var<'t>> {
        Ok(tape.full(self.shape.insert(0, count)?, 0.0, self.dtype))
    }

    /// What a batch of so many became.
    pub(crate) fn of(y: Var<'_>, count: usize) -> Result<Example> {
        match y.shape().split_first() {
            Some((&first, example)) if first == count => {
                Ok(Example { shape: Shape::new(example)?, dtype: y.dtype(), follows: false })
            }
            _ => {
                let message =
                    format!("the first axis counts the examples and must stay; {count} examples became {}", y.shape());
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

/// An error about probes, told without them: `[*, 8]` for `[2, 8]`, and `4·*` for a number that grows with that of the examples. `again` does
/// the same with so many; what is another number then is known by that.
pub(crate) fn starred(error: Error, again: impl FnOnce(usize) -> Option<Error>) -> Error {
    match again(PROBES + 1) {
        Some(other) => retell(&error, &other),
        None => error,
    }
}

fn retell(error: &Error, other: &Error) -> Error {
    if error.operands().len() != other.operands().len() {
        return error.clone();
    }
    let operands = error.operands().iter().zip(other.operands()).map(|((label, text), (_, other))| {
        let text = without_count(text, other);
        // Where the value of a probe comes from is nobody's business.
        let text = if text.starts_with("[*") { text.trim_end_matches(PROBE).trim_end().to_string() } else { text };
        (label.clone(), text)
    });
    let help = error.help_text().zip(other.help_text()).map(|(text, other)| without_count(text, other));
    reworded(error, without_count(error.message(), other.message()), operands.collect(), help)
}

/// What errors say of the value of a probe.
const PROBE: &str = "the number 0";

/// `text` about [`PROBES`] examples beside the same about one more: without the numbers that differ by this.
fn without_count(text: &str, other: &str) -> String {
    let (pieces, others) = (pieces(text), pieces(other));
    let told =
        pieces.iter().zip(&others).map(|(piece, other)| match (piece.parse::<usize>(), other.parse::<usize>()) {
            _ if piece == other => Some(piece.to_string()),
            (Ok(few), Ok(more)) if few % PROBES == 0 && more.checked_sub(few) == Some(few / PROBES) => {
                Some(if few == PROBES { "*".to_string() } else { format!("{}·*", few / PROBES) })
            }
            _ => None,
        });
    match told.collect::<Option<Vec<_>>>() {
        Some(told) if pieces.len() == others.len() => told.concat(),
        _ => text.to_string(),
    }
}

/// Numbers, and what is between them.
fn pieces(text: &str) -> Vec<&str> {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    text.as_bytes()
        .chunk_by(|a, b| is_digit(a) == is_digit(b))
        .filter_map(|piece| std::str::from_utf8(piece).ok())
        .collect()
}

/// The dtype of the first weight or buffer that holds floats.
fn float_of<M: Module + ?Sized>(model: &M) -> Option<DType> {
    let mut found = None;
    each(model, &mut |_, param| found = found.or(Some(param.dtype()).filter(|dtype| dtype.is_float())));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_grow_with_the_examples_are_stars() {
        let told = |two: &str, three: &str| without_count(two, three);
        assert_eq!(told("[2, 4] of 8, not [2]", "[3, 4] of 12, not [2]"), "[*, 4] of 4·*, not [2]");
        assert_eq!(told("2 of 20 are 10 more", "2 of 20 are 10 more"), "2 of 20 are 10 more");
        // Another text altogether, and numbers that grow in another way.
        assert_eq!(told("takes 2", "takes at least 3"), "takes 2");
        assert_eq!(told("takes 2, has 4", "takes 3, has 9"), "takes 2, has 4");
        assert_eq!(told("1 × 2 → 2", "1 × 3 → 3"), "1 × * → *");
    }
}
