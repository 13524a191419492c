//! The best recall at a least precision.

use super::case::Case;
use super::curve::{Curve, a_share, curve_settings, evenly, precision, recall};
use super::metric::Metric;
use super::weigh::observes;
use wengert_autograd::Var;

/// The largest recall at a threshold where the precision is at least so much; 0 where it nowhere is.
///
/// Predictions are logits, or [`probabilities`](RecallAtPrecision::probabilities); targets of their shape are 0 or 1. Of classes with labels it is the mean
/// over each class against the others, or of one [`class`](RecallAtPrecision::class). 200 thresholds are tried, evenly from 0 to 1 on the scale of
/// probabilities. Keras's `RecallAtPrecision`.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, recall_at_precision::RecallAtPrecision};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(RecallAtPrecision::new(0.5).probabilities());
/// meter.update(&Tensor::from([0.1f32, 0.3, 0.8, 0.9]), &Tensor::from([0i64, 0, 1, 1]))?;
/// assert_eq!(meter.value(), 1.0);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct RecallAtPrecision {
    curve: Curve,
    precision: f64,
}

impl RecallAtPrecision {
    /// With a precision of at least this, 0 to 1.
    pub fn new(precision: f64) -> RecallAtPrecision {
        RecallAtPrecision { curve: Curve::at(evenly(200, 0.0)), precision }
    }

    /// Tries so many thresholds.
    #[must_use]
    pub fn thresholds(mut self, count: usize) -> RecallAtPrecision {
        self.curve.thresholds = evenly(count, 0.0);
        self
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        match a_share("precision", self.precision) {
            Ok(()) => self.curve.counts("recall_at_precision", prediction, target, weights),
            Err(error) => prediction.tape().reject("recall_at_precision", &[("prediction", prediction)], error),
        }
    }
}

curve_settings!(RecallAtPrecision);

impl Metric for RecallAtPrecision {
    fn name(&self) -> String {
        "recall_at_precision".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        self.curve.best(sums, self.precision, precision, recall)
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: RecallAtPrecision| Case::new("recall_at_precision", name, data, metric);
    vec![
        case("recall_at_precision", "scores", RecallAtPrecision::new(0.6)),
        case(
            "recall_at_precision_probabilities",
            "chances",
            RecallAtPrecision::new(0.7).probabilities().thresholds(20),
        ),
        case("recall_at_precision_class", "chance_one_hot", RecallAtPrecision::new(0.5).probabilities().class(1)),
    ]
}
