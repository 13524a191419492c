//! How much of what is right was found.

use super::answers::{Answers, answer_settings};
use super::average::{Average, Counts, over};
use super::case::Case;
use super::metric::Metric;
use super::weigh::observes;
use wengert_autograd::Var;

/// `tp / (tp + fn)`: the share of what is yes that was found, also called sensitivity.
///
/// | | prediction | target | a yes is | classes |
/// |---|---|---|---|---|
/// | yes or no | any shape | the same shape, 0 or 1 | a score above the threshold | counted together |
/// | labels | `[…, classes]` | `[…]` or `[…, 1]`, whole numbers | the highest score | averaged |
///
/// By default 0 where there is nothing to find. Keras's `Recall`, scikit-learn's `recall_score`.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, recall::Recall};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(Recall::new());
/// meter.update(&Tensor::from([2f32, 1.0, -1.0, 3.0]), &Tensor::from([1i64, 0, 1, 1]))?;
/// assert_eq!(meter.value(), 2.0 / 3.0);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Recall {
    answers: Answers,
}

impl Recall {
    /// The metric.
    pub fn new() -> Recall {
        Recall { answers: Answers::default() }
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        self.answers.counts("recall", prediction, target, weights)
    }
}

answer_settings!(Recall);

impl Metric for Recall {
    fn name(&self) -> String {
        "recall".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        self.answers.figure(sums, |counts: &Counts| over(counts.tp, counts.positives(), self.answers.zero))
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: Recall| Case::new("recall", name, data, metric);
    vec![
        case("recall", "scores", Recall::new()),
        case("recall_threshold", "chances", Recall::new().threshold(0.6)),
        case("recall_labels", "labels", Recall::new()),
        case("recall_labels_macro", "labels", Recall::new().average(Average::Macro)),
        case("recall_macro", "classes", Recall::new()),
        case("recall_micro", "classes", Recall::new().average(Average::Micro)),
        case("recall_weighted", "classes", Recall::new().average(Average::Weighted)),
        case("recall_class", "classes", Recall::new().class(2)),
        case("recall_top_k", "one_hot", Recall::new().top_k(2)),
    ]
}
