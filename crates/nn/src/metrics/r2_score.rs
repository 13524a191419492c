//! The coefficient of determination.

use super::case::Case;
use super::explained_variance::share;
use super::metric::Metric;
use super::moments::{Moments, merge, moments, over_outputs};
use super::weigh::{observes, pair};
use wengert_autograd::Var;

/// `1 − Σ (t − p)² / Σ (t − t̄)²`: R², the share of the variance that the prediction explains.
///
/// Prediction and target have the same shape, `[n]` or `[…, outputs]`; `[n]` fits `[n, 1]`. Of several outputs the figure is the mean. It is
/// computed from means and central moments in f64, so it is right also where the values are large and their spread is small.
///
/// Of a constant target it is 1 where the prediction is right and else 0; of less than two samples NaN. scikit-learn's `r2_score`, Keras's
/// `R2Score`. Where it is adjusted, weights count as repetitions.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, r2_score::R2Score};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(R2Score::new());
/// meter.update(&Tensor::from([1f32, 2.0, 4.0]), &Tensor::from([1f32, 2.0, 3.0]))?;
/// assert!((meter.value() - 0.5).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct R2Score {
    variance_weighted: bool,
    regressors: usize,
}

impl R2Score {
    /// The metric.
    pub fn new() -> R2Score {
        R2Score::default()
    }

    /// Of several outputs each counts with the variance of its target.
    #[must_use]
    pub fn variance_weighted(self) -> R2Score {
        R2Score { variance_weighted: true, ..self }
    }

    /// Adjusted for so many regressors k: 1 − (1 − R²)(n − 1) / (n − k − 1); NaN for n ≤ k + 1 samples.
    #[must_use]
    pub fn adjusted(self, regressors: usize) -> R2Score {
        R2Score { regressors, ..self }
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let (prediction, target) = pair("r2", prediction, target);
        moments("r2", prediction - target, target, weights)
    }
}

impl Metric for R2Score {
    fn name(&self) -> String {
        "r2".into()
    }

    observes!();

    fn merge(&self, total: &mut [f64], batch: &[f64]) {
        merge(total, batch);
    }

    fn value(&self, sums: &[f64], count: usize) -> f64 {
        let weight = |m: &Moments| if self.variance_weighted { m.yy } else { 1.0 };
        // What is squared is the error from 0, not from its mean.
        let score = |m: &Moments| share(m.xx + m.n * m.x * m.x, m.yy);
        let (mut total, mut weights, mut n) = (0.0, 0.0, 0.0);
        for moments in Moments::each(sums) {
            total += weight(&moments) * score(&moments);
            weights += weight(&moments);
            n = moments.n;
        }
        let left = n - 1.0 - self.regressors as f64;
        // Weights may be shares, so their sum does not say how many samples there were.
        let outputs = Moments::each(sums).count();
        if count < 2 * outputs || (left <= 0.0 && self.regressors > 0) {
            return f64::NAN;
        }
        // All targets constant: the outputs count the same.
        let score = match weights == 0.0 {
            true => over_outputs(sums, |m| score(&m)),
            false => total / weights,
        };
        1.0 - (1.0 - score) * if self.regressors > 0 { (n - 1.0) / left } else { 1.0 }
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: R2Score| Case::new("r2_score", name, data, metric);
    vec![
        case("r2", "column", R2Score::new()),
        case("r2_far", "far", R2Score::new()),
        case("r2_outputs", "numbers", R2Score::new()),
        case("r2_variance_weighted", "numbers", R2Score::new().variance_weighted()),
        case("r2_adjusted", "numbers", R2Score::new().adjusted(3)),
    ]
}
