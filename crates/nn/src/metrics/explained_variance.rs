//! The share of the variance that the prediction explains.

use super::case::Case;
use super::metric::Metric;
use super::moments::{merge, moments, over_outputs};
use super::weigh::{observes, pair};
use wengert_autograd::Var;

/// `1 − Var(t − p) / Var(t)`: as R², without what a constant error adds.
///
/// Prediction and target have the same shape, `[n]` or `[…, outputs]`; `[n]` fits `[n, 1]`. Of several outputs the figure is the mean. It is
/// computed from means and central moments in f64, so it is right also where the values are large and their spread is small.
///
/// Of a constant target it is 1 where the error is constant, too, and else 0. scikit-learn's `explained_variance_score`.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, explained_variance::ExplainedVariance};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(ExplainedVariance::new());
/// meter.update(&Tensor::from([2f32, 3.0, 5.0]), &Tensor::from([1f32, 2.0, 4.0]))?;
/// assert!((meter.value() - 1.0).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ExplainedVariance;

impl ExplainedVariance {
    /// The metric.
    pub fn new() -> ExplainedVariance {
        ExplainedVariance
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let (prediction, target) = pair("explained_variance", prediction, target);
        moments("explained_variance", prediction - target, target, weights)
    }
}

impl Metric for ExplainedVariance {
    fn name(&self) -> String {
        "explained_variance".into()
    }

    observes!();

    fn merge(&self, total: &mut [f64], batch: &[f64]) {
        merge(total, batch);
    }

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        over_outputs(sums, |m| share(m.xx, m.yy))
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// 1 − left / all; where there is nothing to explain, 1 if nothing is left and else 0.
pub(super) fn share(left: f64, all: f64) -> f64 {
    match (left == 0.0, all == 0.0) {
        (true, true) => 1.0,
        (false, true) => 0.0,
        _ => 1.0 - left / all,
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: ExplainedVariance| Case::new("explained_variance", name, data, metric);
    vec![
        case("explained_variance", "column", ExplainedVariance::new()),
        case("explained_variance_far", "far", ExplainedVariance::new()),
        case("explained_variance_outputs", "numbers", ExplainedVariance::new()),
    ]
}
