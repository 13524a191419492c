//! Mean absolute percentage error.

use wengert_autograd::Var;

use super::case::Case;
use super::operands::{both, positive};
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "MeanAbsolutePercentageError";

/// 100 |prediction − target| / max(|target|, ε) of every element: the error in percent of what is right. Keras's
/// `MeanAbsolutePercentageError`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction | any | float |
/// | target | the same; `[n]` fits `[n, 1]` | the prediction's, or integers or bools |
/// | each | as the prediction | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::mean_absolute_percentage_error::MeanAbsolutePercentageError};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let p = tape.input(&Tensor::from([1f32, 4.0]));
/// let t = tape.input(&Tensor::from([2f32, 2.0]));
/// assert_eq!(MeanAbsolutePercentageError::new().loss(p, t).item::<f32>()?, 75.0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanAbsolutePercentageError {
    epsilon: f64,
    reduction: Reduction,
}

impl MeanAbsolutePercentageError {
    /// The loss.
    pub fn new() -> MeanAbsolutePercentageError {
        MeanAbsolutePercentageError { epsilon: 1e-7, reduction: Reduction::Mean }
    }

    /// ε: targets closer to 0 count as this far from it.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> MeanAbsolutePercentageError {
        MeanAbsolutePercentageError { epsilon, ..self }
    }
}

impl Default for MeanAbsolutePercentageError {
    fn default() -> MeanAbsolutePercentageError {
        MeanAbsolutePercentageError::new()
    }
}

reducible!(MeanAbsolutePercentageError);

impl Loss for MeanAbsolutePercentageError {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        positive(tape, NAME, "epsilon", self.epsilon);
        let [p, t] = both(NAME, prediction, target);
        ((p - t).abs() / t.abs().maximum(self.epsilon) * 100.0).cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: MeanAbsolutePercentageError| Case::new("mean_absolute_percentage_error", name, loss);
    vec![
        case("plain", MeanAbsolutePercentageError::new()),
        case("near_zero", MeanAbsolutePercentageError::new().epsilon(0.5)),
    ]
}
