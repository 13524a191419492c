//! The mean logarithm of the hyperbolic cosine of the error.

use super::case::Case;
use super::metric::Metric;
use super::weigh::{mean, observes, pair, ratio};
use std::f64::consts::LN_2;
use wengert_autograd::Var;

/// `mean(ln cosh(prediction − target))` over all elements: half the square of a small error, the size of a large one.
///
/// Prediction and target have the same shape, but `[n]` fits `[n, 1]`.
/// Keras's `LogCoshError`.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, log_cosh_error::LogCoshError};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(LogCoshError::new());
/// meter.update(&Tensor::from([1f32, 0.0]), &Tensor::from([0f32, 0.0]))?;
/// assert!((meter.value() - 1f64.cosh().ln() / 2.0).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct LogCoshError;

impl LogCoshError {
    /// The metric.
    pub fn new() -> LogCoshError {
        LogCoshError
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let (prediction, target) = pair("log_cosh", prediction, target);
        let size = (prediction - target).abs();
        let error = size + (size * -2.0).softplus() - LN_2;
        mean("log_cosh", error, weights)
    }
}

impl Metric for LogCoshError {
    fn name(&self) -> String {
        "log_cosh".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        ratio(sums)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("log_cosh_error", "log_cosh", "numbers", LogCoshError::new())]
}
