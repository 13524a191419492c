//! Mean squared logarithmic error.

use wengert_autograd::Var;

use super::case::Case;
use super::operands::both;
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "MeanSquaredLogarithmicError";

/// (ln(1 + max(prediction, ε)) − ln(1 + max(target, ε)))² of every element, with ε = 10⁻⁷: what counts is the ratio
/// of large numbers. Numbers below ε count as ε. Keras's `MeanSquaredLogarithmicError`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction | any | float |
/// | target | the same; `[n]` fits `[n, 1]` | the prediction's, or integers or bools |
/// | each | as the prediction | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::mean_squared_logarithmic_error::MeanSquaredLogarithmicError};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let p = tape.input(&Tensor::from([1f32, 3.0]));
/// let t = tape.input(&Tensor::from([3f32, 3.0]));
/// let loss = MeanSquaredLogarithmicError::new().loss(p, t).item::<f32>()?;
/// assert!((loss - 2f32.ln().powi(2) / 2.0).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeanSquaredLogarithmicError {
    reduction: Reduction,
}

impl MeanSquaredLogarithmicError {
    /// The loss.
    pub fn new() -> MeanSquaredLogarithmicError {
        MeanSquaredLogarithmicError::default()
    }
}

reducible!(MeanSquaredLogarithmicError);

impl Loss for MeanSquaredLogarithmicError {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        let [p, t] = both(NAME, prediction, target);
        let [p, t] = [p, t].map(|x| x.maximum(1e-7).log1p());
        (p - t).square().cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("mean_squared_logarithmic_error", "plain", MeanSquaredLogarithmicError::new())]
}
