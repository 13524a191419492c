//! The mean squared difference of logarithms.

use super::case::Case;
use super::metric::Metric;
use super::weigh::{mean, observes, pair, ratio};
use wengert_autograd::Var;

/// `mean((ln(1 + prediction) − ln(1 + target))²)` over all elements; what is below 0 counts as 0.
///
/// Prediction and target have the same shape, but `[n]` fits `[n, 1]`.
/// scikit-learn's `mean_squared_log_error`; Keras's `MeanSquaredLogarithmicError`, which cuts at 10⁻⁷.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, mean_squared_logarithmic_error::MeanSquaredLogarithmicError};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(MeanSquaredLogarithmicError::new());
/// meter.update(&Tensor::from([0f32, 1.0]), &Tensor::from([0f32, 3.0]))?;
/// assert!((meter.value() - 2f64.ln().powi(2) / 2.0).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[doc(alias = "msle")]
#[derive(Clone, Copy, Debug, Default)]
pub struct MeanSquaredLogarithmicError;

impl MeanSquaredLogarithmicError {
    /// The metric.
    pub fn new() -> MeanSquaredLogarithmicError {
        MeanSquaredLogarithmicError
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let (prediction, target) = pair("msle", prediction, target);
        mean("msle", (prediction.maximum(0.0).log1p() - target.maximum(0.0).log1p()).square(), weights)
    }
}

impl Metric for MeanSquaredLogarithmicError {
    fn name(&self) -> String {
        "msle".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        ratio(sums)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("mean_squared_logarithmic_error", "msle", "positive", MeanSquaredLogarithmicError::new())]
}
