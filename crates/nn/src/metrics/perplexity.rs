//! Among how many words a language model hesitates.

use super::case::Case;
use super::log_loss::LogLoss;
use super::metric::Metric;
use super::weigh::{mean, observes, ratio};
use wengert_autograd::Var;

/// `exp(mean(−ln p[target]))` with p = softmax(prediction).
///
/// The prediction is `[…, classes]` in logits, the target `[…]` in whole numbers. The mean is over all tokens of all batches, except those
/// whose label is [ignored](Perplexity::ignore_index).
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, perplexity::Perplexity};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut perplexity = Meter::new(Perplexity::new().ignore_index(-100));
/// perplexity.update(&Tensor::from([[0f32, 0.0], [9.0, 0.0]]), &Tensor::from([1i64, -100]))?;
/// assert!((perplexity.value() - 2.0).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Perplexity {
    loss: LogLoss,
}

impl Perplexity {
    /// The metric.
    pub fn new() -> Perplexity {
        Perplexity::default()
    }

    /// The predictions are probabilities. By default they are logits.
    #[must_use]
    pub fn probabilities(self) -> Perplexity {
        Perplexity { loss: self.loss.probabilities() }
    }

    /// The axis of the classes in the prediction. The default is the last, −1.
    #[must_use]
    pub fn axis(self, axis: isize) -> Perplexity {
        Perplexity { loss: self.loss.axis(axis) }
    }

    /// Leaves out tokens with this label, as padding does: usually −100.
    #[must_use]
    pub fn ignore_index(self, label: i64) -> Perplexity {
        Perplexity { loss: self.loss.ignore_index(label) }
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let (losses, weights) = self.loss.losses("perplexity", prediction, target, weights);
        mean("perplexity", losses, Some(weights))
    }
}

impl Metric for Perplexity {
    fn name(&self) -> String {
        "perplexity".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        ratio(sums).exp()
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: Perplexity| Case::new("perplexity", name, data, metric);
    vec![
        case("perplexity", "classes", Perplexity::new()),
        case("perplexity_ignore", "ignored", Perplexity::new().ignore_index(-100)),
        case("perplexity_axis", "pixels", Perplexity::new().axis(1)),
        case("perplexity_probabilities", "chance_classes", Perplexity::new().probabilities()),
    ]
}
