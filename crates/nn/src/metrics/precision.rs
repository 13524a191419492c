//! How much of what was found is right.

use super::answers::{Answers, answer_settings};
use super::average::{Average, Counts, over};
use super::case::Case;
use super::metric::Metric;
use super::weigh::observes;
use wengert_autograd::Var;

/// `tp / (tp + fp)`: the share of the yeses that are right.
///
/// | | prediction | target | a yes is | classes |
/// |---|---|---|---|---|
/// | yes or no | any shape | the same shape, 0 or 1 | a score above the threshold | counted together |
/// | labels | `[…, classes]` | `[…]` or `[…, 1]`, whole numbers | the highest score | averaged |
///
/// By default 0 where nothing was found. Keras's `Precision`, scikit-learn's `precision_score`.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, precision::Precision};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(Precision::new());
/// meter.update(&Tensor::from([2f32, 1.0, -1.0, 3.0]), &Tensor::from([1i64, 0, 1, 1]))?;
/// assert_eq!(meter.value(), 2.0 / 3.0);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Precision {
    answers: Answers,
}

impl Precision {
    /// The metric.
    pub fn new() -> Precision {
        Precision { answers: Answers::default() }
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        self.answers.counts("precision", prediction, target, weights)
    }
}

answer_settings!(Precision);

impl Metric for Precision {
    fn name(&self) -> String {
        "precision".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        self.answers.figure(sums, |counts: &Counts| over(counts.tp, counts.tp + counts.fp, self.answers.zero))
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: Precision| Case::new("precision", name, data, metric);
    vec![
        case("precision", "scores", Precision::new()),
        case("precision_threshold", "chances", Precision::new().threshold(0.6)),
        case("precision_labels", "labels", Precision::new()),
        case("precision_labels_macro", "labels", Precision::new().average(Average::Macro)),
        case("precision_macro", "classes", Precision::new()),
        case("precision_micro", "classes", Precision::new().average(Average::Micro)),
        case("precision_weighted", "classes", Precision::new().average(Average::Weighted)),
        case("precision_class", "classes", Precision::new().class(2)),
        case("precision_top_k", "one_hot", Precision::new().top_k(2)),
        case("precision_top_k_threshold", "chance_one_hot", Precision::new().top_k(2).threshold(0.25)),
        case("precision_axis", "pixels", Precision::new().axis(1)),
        case("precision_ignore", "ignored", Precision::new().ignore_index(-100)),
    ]
}
