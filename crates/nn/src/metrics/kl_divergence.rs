//! How far a predicted distribution is from that of the target.

use super::case::Case;
use super::metric::Metric;
use super::weigh::{mean, observes, pair, ratio};
use wengert_autograd::Var;

/// `mean(Σ target · ln(target / p))`, summed over the classes of the last axis, with p = softmax(prediction).
///
/// Prediction and target have the same shape, but `[n]` fits `[n, 1]`.
/// The target is a distribution; where it is 0, nothing is added. Keras's `KLDivergence`, which takes probabilities: see
/// [`probabilities`](KlDivergence::probabilities).
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, kl_divergence::KlDivergence};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(KlDivergence::new());
/// meter.update(&Tensor::from([[0f32, 0.0]]), &Tensor::from([[1f32, 0.0]]))?;
/// assert!((meter.value() - 2f64.ln()).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[doc(alias = "KLDivergence")]
#[derive(Clone, Copy, Debug, Default)]
pub struct KlDivergence {
    probabilities: bool,
}

impl KlDivergence {
    /// The metric.
    pub fn new() -> KlDivergence {
        KlDivergence::default()
    }

    /// The predictions are probabilities. By default they are logits.
    #[must_use]
    pub fn probabilities(self) -> KlDivergence {
        KlDivergence { probabilities: true }
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let (prediction, target) = pair("kl_divergence", prediction, target);
        let log = match self.probabilities {
            true => prediction.maximum(1e-7).log(),
            false => prediction.log_softmax(-1),
        };
        let divergence = (target.xlogy(target) - target * log).sum_axes(-1);
        mean("kl_divergence", divergence, weights)
    }
}

impl Metric for KlDivergence {
    fn name(&self) -> String {
        "kl_divergence".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        ratio(sums)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("kl_divergence", "kl_divergence", "shares", KlDivergence::new()),
        Case::new("kl_divergence", "kl_divergence_probabilities", "chance_shares", KlDivergence::new().probabilities()),
    ]
}
