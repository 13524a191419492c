//! The best specificity at a least sensitivity.

use super::case::Case;
use super::curve::{Curve, a_share, curve_settings, evenly, recall, specificity};
use super::metric::Metric;
use super::weigh::observes;
use wengert_autograd::Var;

/// The largest specificity at a threshold where the sensitivity is at least so much; 0 where it nowhere is.
///
/// Predictions are logits, or [`probabilities`](SpecificityAtSensitivity::probabilities); targets of their shape are 0 or 1. Of classes with labels it is the mean
/// over each class against the others, or of one [`class`](SpecificityAtSensitivity::class). 200 thresholds are tried, evenly from 0 to 1 on the scale of
/// probabilities. Keras's `SpecificityAtSensitivity`.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, specificity_at_sensitivity::SpecificityAtSensitivity};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(SpecificityAtSensitivity::new(0.5).probabilities());
/// meter.update(&Tensor::from([0.1f32, 0.3, 0.8, 0.9]), &Tensor::from([0i64, 0, 1, 1]))?;
/// assert_eq!(meter.value(), 1.0);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct SpecificityAtSensitivity {
    curve: Curve,
    sensitivity: f64,
}

impl SpecificityAtSensitivity {
    /// With a sensitivity of at least this, 0 to 1.
    pub fn new(sensitivity: f64) -> SpecificityAtSensitivity {
        SpecificityAtSensitivity { curve: Curve::at(evenly(200, 0.0)), sensitivity }
    }

    /// Tries so many thresholds.
    #[must_use]
    pub fn thresholds(mut self, count: usize) -> SpecificityAtSensitivity {
        self.curve.thresholds = evenly(count, 0.0);
        self
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        match a_share("sensitivity", self.sensitivity) {
            Ok(()) => self.curve.counts("specificity_at_sensitivity", prediction, target, weights),
            Err(error) => prediction.tape().reject("specificity_at_sensitivity", &[("prediction", prediction)], error),
        }
    }
}

curve_settings!(SpecificityAtSensitivity);

impl Metric for SpecificityAtSensitivity {
    fn name(&self) -> String {
        "specificity_at_sensitivity".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        self.curve.best(sums, self.sensitivity, recall, specificity)
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case =
        |name, data, metric: SpecificityAtSensitivity| Case::new("specificity_at_sensitivity", name, data, metric);
    vec![
        case("specificity_at_sensitivity", "scores", SpecificityAtSensitivity::new(0.6)),
        case(
            "specificity_at_sensitivity_probabilities",
            "chances",
            SpecificityAtSensitivity::new(0.7).probabilities().thresholds(20),
        ),
        case(
            "specificity_at_sensitivity_class",
            "chance_one_hot",
            SpecificityAtSensitivity::new(0.5).probabilities().class(1),
        ),
    ]
}
