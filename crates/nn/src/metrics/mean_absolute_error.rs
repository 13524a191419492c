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

use super::Case;
use super::metric::Metric;
use crate::losses::alike::alike;
use crate::losses::mean_absolute_error::MeanAbsoluteError;
use wengert_autograd::Var;
use wengert_tensor::tensor::Tensor;

impl Metric for MeanAbsoluteError {
    fn name(&self) -> String {
        "mae".into()
    }

    #[track_caller]
    fn observe<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        (prediction - alike("MeanAbsoluteError", prediction, target)).abs().sum()
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let prediction = Tensor::from([[1.0f32], [2.0], [-3.0], [0.5]]);
    let target = Tensor::from([[0.0f32], [4.0], [-1.0], [0.5]]);
    vec![Case {
        file: "mean_absolute_error",
        metric: Box::new(MeanAbsoluteError::new()),
        prediction,
        target,
        value: 1.25,
    }]
}
