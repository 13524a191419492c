//! The mean error in percent of the mean size of prediction and target.

use super::case::Case;
use super::metric::Metric;
use super::weigh::{mean, observes, pair, ratio};
use wengert_autograd::Var;

/// `100 · mean(2 |prediction − target| / (|prediction| + |target|))` over all elements: 0 to 200. 0 / 0 counts as 0.
///
/// Prediction and target have the same shape, but `[n]` fits `[n, 1]`.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, symmetric_mean_absolute_percentage_error::SymmetricMeanAbsolutePercentageError};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(SymmetricMeanAbsolutePercentageError::new());
/// meter.update(&Tensor::from([1f32, 3.0]), &Tensor::from([3f32, 3.0]))?;
/// assert!((meter.value() - 50.0).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[doc(alias = "smape")]
#[derive(Clone, Copy, Debug, Default)]
pub struct SymmetricMeanAbsolutePercentageError;

impl SymmetricMeanAbsolutePercentageError {
    /// The metric.
    pub fn new() -> SymmetricMeanAbsolutePercentageError {
        SymmetricMeanAbsolutePercentageError
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let (prediction, target) = pair("smape", prediction, target);
        mean("smape", (prediction - target).abs() / (prediction.abs() + target.abs()).maximum(1e-7) * 200.0, weights)
    }
}

impl Metric for SymmetricMeanAbsolutePercentageError {
    fn name(&self) -> String {
        "smape".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        ratio(sums)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new(
        "symmetric_mean_absolute_percentage_error",
        "smape",
        "numbers",
        SymmetricMeanAbsolutePercentageError::new(),
    )]
}
