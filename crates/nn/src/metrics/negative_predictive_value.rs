//! How much of what was refused is wrong.

use super::answers::{Answers, answer_settings};
use super::average::{Average, Counts, over};
use super::case::Case;
use super::metric::Metric;
use super::weigh::observes;
use wengert_autograd::Var;

/// `tn / (tn + fn)`: the share of the noes that are right.
///
/// | | prediction | target | a yes is | classes |
/// |---|---|---|---|---|
/// | yes or no | any shape | the same shape, 0 or 1 | a score above the threshold | counted together |
/// | labels | `[…, classes]` | `[…]` or `[…, 1]`, whole numbers | the highest score | averaged |
///
/// By default 0 where nothing was refused.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, negative_predictive_value::NegativePredictiveValue};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(NegativePredictiveValue::new());
/// meter.update(&Tensor::from([2f32, -1.0, -2.0, 3.0]), &Tensor::from([1i64, 0, 1, 0]))?;
/// assert_eq!(meter.value(), 0.5);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct NegativePredictiveValue {
    answers: Answers,
}

impl NegativePredictiveValue {
    /// The metric.
    pub fn new() -> NegativePredictiveValue {
        NegativePredictiveValue { answers: Answers::default() }
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        self.answers.counts("npv", prediction, target, weights)
    }
}

answer_settings!(NegativePredictiveValue);

impl Metric for NegativePredictiveValue {
    fn name(&self) -> String {
        "npv".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        self.answers.figure(sums, |counts: &Counts| over(counts.tn, counts.tn + counts.fn_, self.answers.zero))
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: NegativePredictiveValue| Case::new("negative_predictive_value", name, data, metric);
    vec![
        case("npv", "scores", NegativePredictiveValue::new()),
        case("npv_threshold", "chances", NegativePredictiveValue::new().threshold(0.6)),
        case("npv_labels", "labels", NegativePredictiveValue::new()),
        case("npv_labels_macro", "labels", NegativePredictiveValue::new().average(Average::Macro)),
        case("npv_macro", "classes", NegativePredictiveValue::new()),
    ]
}
