//! The cross-entropy of classes, watched.

use super::case::Case;
use super::classes::{Reader, class_settings, last, log_probabilities};
use super::metric::Metric;
use super::weigh::{mean, observes, ratio};
use wengert_autograd::Var;

/// `mean(−ln p[target])` with p = softmax(prediction); of targets that are probabilities `mean(−Σ target · ln p)`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction | `[…, classes]` | float |
/// | target: labels | `[…]` or `[…, 1]` | integers |
/// | target: one-hot or probabilities | `[…, classes]` | any |
///
/// Keras's `SparseCategoricalCrossentropy` and `CategoricalCrossentropy`, scikit-learn's `log_loss`.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, log_loss::LogLoss};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(LogLoss::new());
/// meter.update(&Tensor::from([[0f32, 0.0]]), &Tensor::from([1i64]))?;
/// assert!((meter.value() - 2f64.ln()).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[doc(alias("SparseCategoricalCrossentropy", "CategoricalCrossentropy"))]
#[derive(Clone, Copy, Debug, Default)]
pub struct LogLoss {
    reader: Reader,
    probabilities: bool,
}

impl LogLoss {
    /// The metric.
    pub fn new() -> LogLoss {
        LogLoss::default()
    }

    /// The predictions are probabilities. By default they are logits.
    #[must_use]
    pub fn probabilities(self) -> LogLoss {
        LogLoss { probabilities: true, ..self }
    }

    /// The loss of each row, and its weight.
    #[track_caller]
    pub(super) fn losses<'t>(
        &self,
        metric: &'static str,
        prediction: Var<'t>,
        target: Var<'t>,
        weights: Option<Var<'t>>,
    ) -> (Var<'t>, Var<'t>) {
        let classes = self.reader.read(metric, prediction, target, weights);
        let log = log_probabilities(classes.scores, self.probabilities);
        let loss = match target.dtype().is_float() {
            true => {
                // A class that is impossible, and not the case, costs nothing.
                let shares = last(target, self.reader.axis).cast(log.dtype());
                -(shares * log).select(shares.ne(0.0), 0.0).sum_axes(-1)
            }
            false => -log.take_along(-1, classes.actual.unsqueeze(-1)).reshape(classes.actual.shape()),
        };
        (loss, classes.weights)
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let losses = self.losses("log_loss", prediction, target, weights);
        mean("log_loss", losses.0, Some(losses.1))
    }
}

class_settings!(LogLoss);

impl Metric for LogLoss {
    fn name(&self) -> String {
        "log_loss".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        ratio(sums)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("log_loss", "log_loss", "classes", LogLoss::new()),
        Case::new("log_loss", "log_loss_shares", "shares", LogLoss::new()),
        Case::new("log_loss", "log_loss_probabilities", "chance_classes", LogLoss::new().probabilities()),
        Case::new("log_loss", "log_loss_ignore", "ignored", LogLoss::new().ignore_index(-100)),
        Case::new("log_loss", "log_loss_axis", "pixels", LogLoss::new().axis(1)),
    ]
}
