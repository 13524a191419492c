//! How well predictions and targets lie on the diagonal.

use super::case::Case;
use super::metric::Metric;
use super::moments::{merge, moments, over_outputs};
use super::weigh::{observes, pair};
use wengert_autograd::Var;

/// `2 Σ (p − p̄)(t − t̄) / (Σ (p − p̄)² + Σ (t − t̄)² + n (p̄ − t̄)²)`. Lin 1989.
///
/// Prediction and target have the same shape, `[n]` or `[…, outputs]`; `[n]` fits `[n, 1]`. Of several outputs the figure is the mean. It is
/// computed from means and central moments in f64, so it is right also where the values are large and their spread is small.
///
/// NaN where both are the same constant. Of all samples. (Keras's is taken within each sample, and averaged.)
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, concordance_correlation::ConcordanceCorrelation};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(ConcordanceCorrelation::new());
/// meter.update(&Tensor::from([1f32, 2.0, 3.0]), &Tensor::from([2f32, 3.0, 4.0]))?;
/// assert!((meter.value() - 4.0 / 7.0).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ConcordanceCorrelation;

impl ConcordanceCorrelation {
    /// The metric.
    pub fn new() -> ConcordanceCorrelation {
        ConcordanceCorrelation
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let (prediction, target) = pair("concordance", prediction, target);
        moments("concordance", prediction, target, weights)
    }
}

impl Metric for ConcordanceCorrelation {
    fn name(&self) -> String {
        "concordance".into()
    }

    observes!();

    fn merge(&self, total: &mut [f64], batch: &[f64]) {
        merge(total, batch);
    }

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        over_outputs(sums, |m| 2.0 * m.xy / (m.xx + m.yy + m.n * (m.x - m.y) * (m.x - m.y)))
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: ConcordanceCorrelation| Case::new("concordance_correlation", name, data, metric);
    vec![
        case("concordance", "column", ConcordanceCorrelation::new()),
        case("concordance_far", "far", ConcordanceCorrelation::new()),
        case("concordance_outputs", "numbers", ConcordanceCorrelation::new()),
    ]
}
