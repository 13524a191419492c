//! Mean squared error.

use wengert_autograd::Var;
use wengert_tensor::tensor::Tensor;

use super::alike::alike;
use super::case::Case;
use crate::loss::Loss;

/// mean((prediction − target)²) over all elements.
///
/// Prediction and target have one shape; `[n]` fits `[n, 1]`.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::mean_squared_error::MeanSquaredError};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let (p, t) = (tape.input(&Tensor::from([1f32, 4.0])), tape.input(&Tensor::from([2f32, 2.0])));
/// assert_eq!(MeanSquaredError::new().loss(p, t).item::<f32>()?, 2.5);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeanSquaredError;

impl MeanSquaredError {
    /// The loss.
    pub fn new() -> MeanSquaredError {
        MeanSquaredError
    }
}

impl Loss for MeanSquaredError {
    #[track_caller]
    fn loss<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let _scope = prediction.tape().scope("MeanSquaredError");
        (prediction - alike("MeanSquaredError", prediction, target)).square().mean()
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case {
        file: "mean_squared_error",
        name: "mse",
        loss: Box::new(MeanSquaredError),
        prediction: Tensor::from([[0.5f64, -1.0], [2.0, 0.25], [-3.0, 1.5]]),
        target: Tensor::from([[1.0f64, 0.0], [2.5, -0.25], [1.0, -1.0]]),
    }]
}
