//! The root of the mean squared error.

use super::case::Case;
use super::metric::Metric;
use super::weigh::{mean, observes, pair, ratio};
use wengert_autograd::Var;

/// `√mean((prediction − target)²)` over all elements.
///
/// Prediction and target have the same shape, but `[n]` fits `[n, 1]`.
/// Keras's `RootMeanSquaredError`.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, root_mean_squared_error::RootMeanSquaredError};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(RootMeanSquaredError::new());
/// meter.update(&Tensor::from([1f32, 2.0]), &Tensor::from([-1f32, 1.0]))?;
/// assert!((meter.value() - 2.5f64.sqrt()).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[doc(alias = "rmse")]
#[derive(Clone, Copy, Debug, Default)]
pub struct RootMeanSquaredError;

impl RootMeanSquaredError {
    /// The metric.
    pub fn new() -> RootMeanSquaredError {
        RootMeanSquaredError
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let (prediction, target) = pair("rmse", prediction, target);
        mean("rmse", (prediction - target).square(), weights)
    }
}

impl Metric for RootMeanSquaredError {
    fn name(&self) -> String {
        "rmse".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        ratio(sums).sqrt()
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("root_mean_squared_error", "rmse", "numbers", RootMeanSquaredError::new())]
}
