//! The largest error.

use super::case::Case;
use super::metric::Metric;
use super::weigh::{kept, observes, pair, spread};
use wengert_autograd::Var;

/// `max(|prediction − target|)` over all elements; weights other than 0 do not matter.
///
/// Prediction and target have the same shape, but `[n]` fits `[n, 1]`.
/// scikit-learn's `max_error`.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, max_error::MaxError};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(MaxError::new());
/// meter.update(&Tensor::from([1f32, 2.0]), &Tensor::from([-1f32, 1.0]))?;
/// assert!((meter.value() - 2.0).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct MaxError;

impl MaxError {
    /// The metric.
    pub fn new() -> MaxError {
        MaxError
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let (prediction, target) = pair("max_error", prediction, target);
        let error = (prediction - target).abs();
        let errors = kept(error, spread("max_error", weights, error)).flatten();
        // Of no elements there is no largest.
        errors.tape().concat(&[errors, errors.tape().constant([1], 0f64)], 0).max().reshape([1])
    }
}

impl Metric for MaxError {
    fn name(&self) -> String {
        "max_error".into()
    }

    observes!();

    fn merge(&self, total: &mut [f64], batch: &[f64]) {
        for (total, &error) in total.iter_mut().zip(batch) {
            *total = if error.is_nan() || error > *total { error } else { *total };
        }
    }

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        sums.first().copied().unwrap_or(f64::NAN)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("max_error", "max_error", "numbers", MaxError::new())]
}
