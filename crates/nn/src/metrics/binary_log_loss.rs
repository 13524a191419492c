//! The binary cross-entropy, watched.

use super::case::Case;
use super::metric::Metric;
use super::weigh::{mean, observes, pair, ratio};
use wengert_autograd::Var;

/// `mean(−t ln p − (1 − t) ln(1 − p))` over all elements, with p = sigmoid(prediction).
///
/// Prediction and target have the same shape, but `[n]` fits `[n, 1]`.
/// The target is 0 or 1, or a probability. Keras's `BinaryCrossentropy`, and scikit-learn's `log_loss` of two classes.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, binary_log_loss::BinaryLogLoss};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(BinaryLogLoss::new());
/// meter.update(&Tensor::from([0f32, 0.0]), &Tensor::from([1f32, 0.0]))?;
/// assert!((meter.value() - 2f64.ln()).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[doc(alias("BinaryCrossentropy", "log_loss"))]
#[derive(Clone, Copy, Debug, Default)]
pub struct BinaryLogLoss {
    probabilities: bool,
}

impl BinaryLogLoss {
    /// The metric.
    pub fn new() -> BinaryLogLoss {
        BinaryLogLoss::default()
    }

    /// The predictions are probabilities. By default they are logits.
    #[must_use]
    pub fn probabilities(self) -> BinaryLogLoss {
        BinaryLogLoss { probabilities: true }
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let (prediction, target) = pair("binary_log_loss", prediction, target);
        let loss = if self.probabilities {
            let (yes, no) = (prediction.maximum(1e-7).log(), (-prediction + 1.0).maximum(1e-7).log());
            -(target * yes + (1.0 - target) * no)
        } else {
            prediction.softplus() - target * prediction
        };
        mean("binary_log_loss", loss, weights)
    }
}

impl Metric for BinaryLogLoss {
    fn name(&self) -> String {
        "binary_log_loss".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        ratio(sums)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("binary_log_loss", "binary_log_loss", "scores", BinaryLogLoss::new()),
        Case::new("binary_log_loss", "binary_log_loss_probabilities", "chances", BinaryLogLoss::new().probabilities()),
        Case::new("binary_log_loss", "binary_log_loss_labels", "labels", BinaryLogLoss::new()),
    ]
}
