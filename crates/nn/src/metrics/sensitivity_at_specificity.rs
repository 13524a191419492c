//! The best sensitivity at a least specificity.

use super::case::Case;
use super::curve::{Curve, a_share, curve_settings, evenly, recall, specificity};
use super::metric::Metric;
use super::weigh::observes;
use wengert_autograd::Var;

/// The largest sensitivity at a threshold where the specificity is at least so much; 0 where it nowhere is.
///
/// Predictions are logits, or [`probabilities`](SensitivityAtSpecificity::probabilities); targets of their shape are 0 or 1. Of classes with labels it is the mean
/// over each class against the others, or of one [`class`](SensitivityAtSpecificity::class). 200 thresholds are tried, evenly from 0 to 1 on the scale of
/// probabilities. Keras's `SensitivityAtSpecificity`.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, sensitivity_at_specificity::SensitivityAtSpecificity};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(SensitivityAtSpecificity::new(0.5).probabilities());
/// meter.update(&Tensor::from([0.1f32, 0.3, 0.8, 0.9]), &Tensor::from([0i64, 0, 1, 1]))?;
/// assert_eq!(meter.value(), 1.0);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct SensitivityAtSpecificity {
    curve: Curve,
    specificity: f64,
}

impl SensitivityAtSpecificity {
    /// With a specificity of at least this, 0 to 1.
    pub fn new(specificity: f64) -> SensitivityAtSpecificity {
        SensitivityAtSpecificity { curve: Curve::at(evenly(200, 0.0)), specificity }
    }

    /// Tries so many thresholds.
    #[must_use]
    pub fn thresholds(mut self, count: usize) -> SensitivityAtSpecificity {
        self.curve.thresholds = evenly(count, 0.0);
        self
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        match a_share("specificity", self.specificity) {
            Ok(()) => self.curve.counts("sensitivity_at_specificity", prediction, target, weights),
            Err(error) => prediction.tape().reject("sensitivity_at_specificity", &[("prediction", prediction)], error),
        }
    }
}

curve_settings!(SensitivityAtSpecificity);

impl Metric for SensitivityAtSpecificity {
    fn name(&self) -> String {
        "sensitivity_at_specificity".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        self.curve.best(sums, self.specificity, specificity, recall)
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case =
        |name, data, metric: SensitivityAtSpecificity| Case::new("sensitivity_at_specificity", name, data, metric);
    vec![
        case("sensitivity_at_specificity", "scores", SensitivityAtSpecificity::new(0.6)),
        case(
            "sensitivity_at_specificity_probabilities",
            "chances",
            SensitivityAtSpecificity::new(0.7).probabilities().thresholds(20),
        ),
        case(
            "sensitivity_at_specificity_class",
            "chance_one_hot",
            SensitivityAtSpecificity::new(0.5).probabilities().class(1),
        ),
    ]
}
