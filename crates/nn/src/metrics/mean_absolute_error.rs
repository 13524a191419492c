//! The loss of the same name, watched as a metric: `mean(|prediction − target|)` over all elements, in the logs as `mae`.
//!
//! ```
//! use wengert_nn::losses::mean_absolute_error::MeanAbsoluteError;
//! use wengert_nn::metrics::metric::Meter;
//! use wengert_tensor::tensor::Tensor;
//!
//! # fn main() -> wengert_tensor::error::Result<()> {
//! let mut error = Meter::new(MeanAbsoluteError::new());
//! error.update(&Tensor::from([1f32, 2.0]), &Tensor::from([-1f32, 1.0]))?;
//! assert_eq!(error.value(), 1.5);
//! # Ok(()) }
//! ```

use super::case::Case;
use super::metric::Metric;
use super::weigh::{mean, observes, pair, ratio};
use crate::losses::mean_absolute_error::MeanAbsoluteError;
use wengert_autograd::Var;

impl MeanAbsoluteError {
    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let (prediction, target) = pair("mae", prediction, target);
        mean("mae", (prediction - target).abs(), weights)
    }
}

impl Metric for MeanAbsoluteError {
    fn name(&self) -> String {
        "mae".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        ratio(sums)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("mean_absolute_error", "mae", "numbers", MeanAbsoluteError::new())]
}
