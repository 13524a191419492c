//! What a regularizer is.

use std::fmt;

use wengert_autograd::{Tape, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};

use super::penalty::Penalty;
use crate::module::Module;

/// The price of a weight, or of what a layer gives: a function from a variable to a single number.
///
/// ```
/// use wengert_autograd::{Tape, Var};
/// use wengert_nn::{layer::Layer, layers::dense::Dense, regularizers::regularizer::Regularizer};
/// use wengert_tensor::tensor::Tensor;
///
/// /// How far the rows are from the sum 1.
/// #[derive(Debug)]
/// struct RowsSumToOne;
///
/// impl Regularizer for RowsSumToOne {
///     fn penalty<'t>(&self, weight: Var<'t>) -> Var<'t> {
///         (weight.sum_axes(-1) - 1.0).square().sum()
///     }
/// }
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let model = Dense::new(3, 2);
/// let tape = Tape::new();
/// let loss = model.forward(tape.input(&Tensor::from([[1f32, 2.0, 3.0]]))).square().mean();
/// let loss = loss + RowsSumToOne.over("weight", &model, &tape);
/// assert_eq!(loss.backward().len(), 2);
/// # Ok(())
/// # }
/// ```
pub trait Regularizer: fmt::Debug + Send + Sync + 'static {
    /// Whether the settings have a meaning.
    ///
    /// # Errors
    /// The setting that has none.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// The price, a single number, f32 for 16 bits.
    fn penalty<'t>(&self, x: Var<'t>) -> Var<'t>;

    /// The price of all parameters of a model below `name`, recorded on `tape`: `head` means `head.weight` and `head.bias`, the empty name all.
    /// Frozen parameters have none. A name that no parameter has is an error of the tape.
    #[track_caller]
    fn over<'t>(&self, name: &str, model: &dyn Module, tape: &'t Tape) -> Var<'t>
    where
        Self: Sized,
    {
        Penalty::sum(&[(name, self)], model, tape)
    }
}

impl Regularizer for Box<dyn Regularizer> {
    fn check(&self) -> Result<()> {
        (**self).check()
    }
    #[track_caller]
    fn penalty<'t>(&self, x: Var<'t>) -> Var<'t> {
        (**self).penalty(x)
    }
}

/// 16 bits as f32, since a price is a sum of many.
#[track_caller]
pub(super) fn wide(x: Var<'_>) -> Var<'_> {
    match x.dtype() {
        DType::BF16 | DType::F16 => x.cast(DType::F32),
        _ => x,
    }
}

/// That a price is a number that is not negative.
pub(super) fn sound(op: &'static str, factor: f64) -> Result<()> {
    match (0.0..f64::INFINITY).contains(&factor) {
        true => Ok(()),
        false => Err(Error::value(format!("a factor of {factor} has no meaning")).op(op).help("it is at least 0")),
    }
}
