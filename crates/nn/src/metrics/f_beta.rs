//! Precision and recall in one figure.

use super::answers::{Answers, answer_settings};
use super::average::{Average, Counts, over};
use super::case::Case;
use super::metric::Metric;
use super::weigh::observes;
use wengert_autograd::Var;
use wengert_tensor::error::Error;

/// `(1 + β²) tp / ((1 + β²) tp + β² fn + fp)`: the harmonic mean of precision and recall, in which recall counts β times as much.
///
/// | | prediction | target | a yes is | classes |
/// |---|---|---|---|---|
/// | yes or no | any shape | the same shape, 0 or 1 | a score above the threshold | counted together |
/// | labels | `[…, classes]` | `[…]` or `[…, 1]`, whole numbers | the highest score | averaged |
///
/// In the logs as `f1` for β = 1. By default 0 where there is neither something to find nor found. Keras's `FBetaScore` and `F1Score`,
/// scikit-learn's `fbeta_score`; van Rijsbergen 1979.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, f_beta::FBeta};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(FBeta::f1());
/// meter.update(&Tensor::from([2f32, 1.0, -1.0, 3.0]), &Tensor::from([1i64, 0, 1, 1]))?;
/// assert_eq!(meter.value(), 2.0 / 3.0);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FBeta {
    answers: Answers,
    beta: f64,
}

impl FBeta {
    /// Recall counts `beta` times as much as precision.
    pub fn new(beta: f64) -> FBeta {
        FBeta { answers: Answers::default(), beta }
    }

    /// Both count the same: the F1 score.
    #[doc(alias = "F1Score")]
    pub fn f1() -> FBeta {
        FBeta::new(1.0)
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        if !(self.beta >= 0.0 && self.beta.is_finite()) {
            let error = Error::value(format!("β is {}, and must be finite and not negative", self.beta));
            return prediction.tape().reject("f_beta", &[("prediction", prediction)], error);
        }
        self.answers.counts("f_beta", prediction, target, weights)
    }
}

answer_settings!(FBeta);

impl Metric for FBeta {
    fn name(&self) -> String {
        format!("f{}", self.beta)
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        let beta2 = self.beta * self.beta;
        self.answers.figure(sums, |counts: &Counts| {
            let hits = (1.0 + beta2) * counts.tp;
            over(hits, hits + beta2 * counts.fn_ + counts.fp, self.answers.zero)
        })
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: FBeta| Case::new("f_beta", name, data, metric);
    vec![
        case("f1", "scores", FBeta::f1()),
        case("f1_threshold", "chances", FBeta::f1().threshold(0.6)),
        case("f1_labels", "labels", FBeta::f1()),
        case("f1_labels_macro", "labels", FBeta::f1().average(Average::Macro)),
        case("f1_macro", "classes", FBeta::f1()),
        case("f1_micro", "classes", FBeta::f1().average(Average::Micro)),
        case("f1_weighted", "classes", FBeta::f1().average(Average::Weighted)),
        case("f1_class", "classes", FBeta::f1().class(2)),
        case("f2", "scores", FBeta::new(2.0)),
        case("f_half_macro", "classes", FBeta::new(0.5)),
        case("f1_one_hot", "one_hot", FBeta::f1().top_k(1).average(Average::Macro)),
    ]
}
