//! Mean absolute error.

use wengert_autograd::Var;

use super::case::Case;
use super::operands::both;
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "MeanAbsoluteError";

/// |prediction − target| of every element. The derivative where both are equal is 0. PyTorch's `L1Loss`, Keras's `MeanAbsoluteError`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction | any | float |
/// | target | the same; `[n]` fits `[n, 1]` | the prediction's, or integers or bools |
/// | each | as the prediction | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::mean_absolute_error::MeanAbsoluteError};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let p = tape.input(&Tensor::from([1f32, 4.0]));
/// let t = tape.input(&Tensor::from([2f32, 2.0]));
/// assert_eq!(MeanAbsoluteError::new().loss(p, t).item::<f32>()?, 1.5);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeanAbsoluteError {
    reduction: Reduction,
}

impl MeanAbsoluteError {
    /// The loss.
    pub fn new() -> MeanAbsoluteError {
        MeanAbsoluteError::default()
    }
}

reducible!(MeanAbsoluteError);

impl Loss for MeanAbsoluteError {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        let [p, t] = both(NAME, prediction, target);
        (p - t).abs().cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: MeanAbsoluteError| Case::new("mean_absolute_error", name, loss);
    vec![case("plain", MeanAbsoluteError::new()), case("weights", MeanAbsoluteError::new())]
}
