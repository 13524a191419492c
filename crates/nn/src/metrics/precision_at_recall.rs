//! The best precision at a least recall.

use super::case::Case;
use super::curve::{Curve, a_share, curve_settings, evenly, precision, recall};
use super::metric::Metric;
use super::weigh::observes;
use wengert_autograd::Var;

/// The largest precision at a threshold where the recall is at least so much; 0 where it nowhere is.
///
/// Predictions are logits, or [`probabilities`](PrecisionAtRecall::probabilities); targets of their shape are 0 or 1. Of classes with labels it is the mean
/// over each class against the others, or of one [`class`](PrecisionAtRecall::class). 200 thresholds are tried, evenly from 0 to 1 on the scale of
/// probabilities. Keras's `PrecisionAtRecall`.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, precision_at_recall::PrecisionAtRecall};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(PrecisionAtRecall::new(0.5).probabilities());
/// meter.update(&Tensor::from([0.1f32, 0.3, 0.8, 0.9]), &Tensor::from([0i64, 0, 1, 1]))?;
/// assert_eq!(meter.value(), 1.0);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct PrecisionAtRecall {
    curve: Curve,
    recall: f64,
}

impl PrecisionAtRecall {
    /// With a recall of at least this, 0 to 1.
    pub fn new(recall: f64) -> PrecisionAtRecall {
        PrecisionAtRecall { curve: Curve::at(evenly(200, 0.0)), recall }
    }

    /// Tries so many thresholds.
    #[must_use]
    pub fn thresholds(mut self, count: usize) -> PrecisionAtRecall {
        self.curve.thresholds = evenly(count, 0.0);
        self
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        match a_share("recall", self.recall) {
            Ok(()) => self.curve.counts("precision_at_recall", prediction, target, weights),
            Err(error) => prediction.tape().reject("precision_at_recall", &[("prediction", prediction)], error),
        }
    }
}

curve_settings!(PrecisionAtRecall);

impl Metric for PrecisionAtRecall {
    fn name(&self) -> String {
        "precision_at_recall".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        self.curve.best(sums, self.recall, recall, precision)
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: PrecisionAtRecall| Case::new("precision_at_recall", name, data, metric);
    vec![
        case("precision_at_recall", "scores", PrecisionAtRecall::new(0.6)),
        case(
            "precision_at_recall_probabilities",
            "chances",
            PrecisionAtRecall::new(0.7).probabilities().thresholds(20),
        ),
        case("precision_at_recall_class", "chance_one_hot", PrecisionAtRecall::new(0.5).probabilities().class(1)),
    ]
}
