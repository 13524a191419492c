//! How well a line fits predictions and targets.

use super::case::Case;
use super::metric::Metric;
use super::moments::{merge, moments, over_outputs};
use super::weigh::{observes, pair};
use wengert_autograd::Var;

/// `Σ (p − p̄)(t − t̄) / √(Σ (p − p̄)² Σ (t − t̄)²)`
///
/// Prediction and target have the same shape, `[n]` or `[…, outputs]`; `[n]` fits `[n, 1]`. Of several outputs the figure is the mean. It is
/// computed from means and central moments in f64, so it is right also where the values are large and their spread is small.
///
/// NaN where either is constant. SciPy's `pearsonr`, over all samples. (Keras's correlates within each sample, and takes the mean.)
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, pearson_correlation::PearsonCorrelation};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(PearsonCorrelation::new());
/// meter.update(&Tensor::from([1f32, 2.0, 4.0]), &Tensor::from([2f32, 4.0, 8.0]))?;
/// assert!((meter.value() - 1.0).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct PearsonCorrelation;

impl PearsonCorrelation {
    /// The metric.
    pub fn new() -> PearsonCorrelation {
        PearsonCorrelation
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let (prediction, target) = pair("pearson", prediction, target);
        moments("pearson", prediction, target, weights)
    }
}

impl Metric for PearsonCorrelation {
    fn name(&self) -> String {
        "pearson".into()
    }

    observes!();

    fn merge(&self, total: &mut [f64], batch: &[f64]) {
        merge(total, batch);
    }

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        over_outputs(sums, |m| m.xy / (m.xx.sqrt() * m.yy.sqrt()))
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: PearsonCorrelation| Case::new("pearson_correlation", name, data, metric);
    vec![
        case("pearson", "column", PearsonCorrelation::new()),
        case("pearson_far", "far", PearsonCorrelation::new()),
        case("pearson_outputs", "numbers", PearsonCorrelation::new()),
    ]
}
