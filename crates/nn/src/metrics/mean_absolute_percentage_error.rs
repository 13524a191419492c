//! The mean error in percent of the target.

use super::case::Case;
use super::metric::Metric;
use super::weigh::{mean, observes, pair, ratio};
use wengert_autograd::Var;

/// `100 · mean(|prediction − target| / max(|target|, 10⁻⁷))` over all elements.
///
/// Prediction and target have the same shape, but `[n]` fits `[n, 1]`.
/// Keras's `MeanAbsolutePercentageError`; scikit-learn leaves out the 100.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, mean_absolute_percentage_error::MeanAbsolutePercentageError};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(MeanAbsolutePercentageError::new());
/// meter.update(&Tensor::from([1f32, 3.0]), &Tensor::from([2f32, 4.0]))?;
/// assert!((meter.value() - 37.5).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[doc(alias = "mape")]
#[derive(Clone, Copy, Debug, Default)]
pub struct MeanAbsolutePercentageError;

impl MeanAbsolutePercentageError {
    /// The metric.
    pub fn new() -> MeanAbsolutePercentageError {
        MeanAbsolutePercentageError
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let (prediction, target) = pair("mape", prediction, target);
        mean("mape", (prediction - target).abs() / target.abs().maximum(1e-7) * 100.0, weights)
    }
}

impl Metric for MeanAbsolutePercentageError {
    fn name(&self) -> String {
        "mape".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        ratio(sums)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("mean_absolute_percentage_error", "mape", "numbers", MeanAbsolutePercentageError::new())]
}
