//! The mean squared hinge error of signs.

use super::case::Case;
use super::metric::Metric;
use super::weigh::{mean, observes, pair, ratio};
use wengert_autograd::Var;

/// `mean(max(1 − t · prediction, 0)²)` over all elements, with t = 1 for a target above 0 and else −1.
///
/// Prediction and target have the same shape, but `[n]` fits `[n, 1]`.
/// Targets may be −1 and 1, or 0 and 1. Keras's `SquaredHinge`.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, squared_hinge::SquaredHinge};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(SquaredHinge::new());
/// meter.update(&Tensor::from([0.5f32, -2.0]), &Tensor::from([1f32, -1.0]))?;
/// assert!((meter.value() - 0.125).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SquaredHinge;

impl SquaredHinge {
    /// The metric.
    pub fn new() -> SquaredHinge {
        SquaredHinge
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let (prediction, target) = pair("squared_hinge", prediction, target);
        mean("squared_hinge", (prediction.select(target.le(0.0), -prediction) + 1.0).relu().square(), weights)
    }
}

impl Metric for SquaredHinge {
    fn name(&self) -> String {
        "squared_hinge".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        ratio(sums)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("squared_hinge", "squared_hinge", "scores", SquaredHinge::new())]
}
