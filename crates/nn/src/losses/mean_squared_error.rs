//! Mean squared error.

use wengert_autograd::Var;

use super::case::Case;
use super::operands::both;
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "MeanSquaredError";

/// (prediction − target)² of every element. PyTorch's `MSELoss`, Keras's `MeanSquaredError`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction | any | float |
/// | target | the same; `[n]` fits `[n, 1]` | the prediction's, or integers or bools |
/// | each | as the prediction | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::mean_squared_error::MeanSquaredError};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let p = tape.input(&Tensor::from([1f32, 4.0]));
/// let t = tape.input(&Tensor::from([2f32, 2.0]));
/// assert_eq!(MeanSquaredError::new().loss(p, t).item::<f32>()?, 2.5);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeanSquaredError {
    reduction: Reduction,
}

impl MeanSquaredError {
    /// The loss.
    pub fn new() -> MeanSquaredError {
        MeanSquaredError::default()
    }
}

reducible!(MeanSquaredError);

impl Loss for MeanSquaredError {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        let [p, t] = both(NAME, prediction, target);
        (p - t).square().cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: MeanSquaredError| Case::new("mean_squared_error", name, loss);
    vec![
        case("plain", MeanSquaredError::new()),
        case("weights", MeanSquaredError::new()),
        case("column", MeanSquaredError::new()),
    ]
}
