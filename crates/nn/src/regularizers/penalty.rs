//! Penalty: several regularizers, each of its own weights.

use wengert_autograd::{Tape, Var};
use wengert_tensor::dtype::DType;

use super::regularizer::Regularizer;
use crate::module::Module;
use crate::names::{fits, unknown};
use crate::path::covers;

/// Several regularizers with the names of what they price.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::regularizers::{l1::L1, l2::L2, penalty::Penalty};
/// use wengert_nn::{layer::Layer, layers::dense::Dense, optim::adam::Adam};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let (x, y) = (Tensor::from([[0f32, 1.0], [1.0, 0.0]]), Tensor::from([[1f32], [-1.0]]));
/// let (mut model, mut adam) = (Dense::new(2, 1), Adam::new(1e-2));
/// let penalty = Penalty::new().of("weight", L2::new(1e-4)).of("bias", L1::new(1e-5));
/// for _ in 0..10 {
///     let tape = Tape::training(0u64);
///     let loss = (model.forward(tape.input(&x)) - &y).square().mean() + penalty.over(&model, &tape);
///     adam.step(&mut model, loss.backward())?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct Penalty {
    terms: Vec<(String, Box<dyn Regularizer>)>,
}

impl Penalty {
    /// Of nothing yet.
    pub fn new() -> Penalty {
        Penalty::default()
    }

    /// Prices the parameter of this name, and whatever lies below it, each by itself: `head` means `head.weight` and `head.bias`, the empty
    /// name all.
    #[must_use]
    pub fn of(mut self, name: impl Into<String>, regularizer: impl Regularizer) -> Penalty {
        self.terms.push((name.into(), Box::new(regularizer)));
        self
    }

    /// True if nothing has a price.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// The sum of all prices as a single number on `tape`: f32, or f64 where a parameter is f64. Frozen parameters have no price. A name that
    /// no parameter has, and settings without meaning, are errors of the tape.
    #[track_caller]
    pub fn over<'t, M: Module + ?Sized>(&self, model: &M, tape: &'t Tape) -> Var<'t> {
        let terms: Vec<(&str, &dyn Regularizer)> = self.terms.iter().map(|(name, term)| (&**name, &**term)).collect();
        Penalty::sum(&terms, model, tape)
    }

    #[track_caller]
    pub(super) fn sum<'t, M: Module + ?Sized, R: Regularizer + ?Sized>(
        terms: &[(&str, &R)],
        model: &M,
        tape: &'t Tape,
    ) -> Var<'t> {
        let parameters = model.parameters();
        let mut prices = Vec::new();
        for (name, term) in terms {
            let fault = term.check().and_then(|()| match fits(model, name) {
                true => Ok(()),
                false => Err(unknown(model, name).op("penalty")),
            });
            if let Err(error) = fault {
                tape.fail(error);
                continue;
            }
            let priced = parameters.iter().filter(|(parameter, param)| covers(name, parameter) && param.is_trainable());
            prices.extend(priced.map(|(_, param)| term.penalty(param.on(tape))));
        }
        let double = prices.iter().any(|price| price.dtype() == DType::F64);
        let dtype = if double { DType::F64 } else { DType::F32 };
        let sum = prices.into_iter().map(|price| price.cast(dtype)).reduce(|sum, price| sum + price);
        sum.unwrap_or_else(|| tape.scalar(0.0, dtype))
    }
}
