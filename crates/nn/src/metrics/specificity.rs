//! How much of what is wrong was refused.

use super::answers::{Answers, answer_settings};
use super::average::{Average, Counts, over};
use super::case::Case;
use super::metric::Metric;
use super::weigh::observes;
use wengert_autograd::Var;

/// `tn / (tn + fp)`: the share of what is no that was refused.
///
/// | | prediction | target | a yes is | classes |
/// |---|---|---|---|---|
/// | yes or no | any shape | the same shape, 0 or 1 | a score above the threshold | counted together |
/// | labels | `[…, classes]` | `[…]` or `[…, 1]`, whole numbers | the highest score | averaged |
///
/// By default 0 where there is nothing to refuse.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, specificity::Specificity};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(Specificity::new());
/// meter.update(&Tensor::from([2f32, -1.0, -2.0, 3.0]), &Tensor::from([1i64, 0, 1, 0]))?;
/// assert_eq!(meter.value(), 0.5);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Specificity {
    answers: Answers,
}

impl Specificity {
    /// The metric.
    pub fn new() -> Specificity {
        Specificity { answers: Answers::default() }
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        self.answers.counts("specificity", prediction, target, weights)
    }
}

answer_settings!(Specificity);

impl Metric for Specificity {
    fn name(&self) -> String {
        "specificity".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        self.answers.figure(sums, |counts: &Counts| over(counts.tn, counts.tn + counts.fp, self.answers.zero))
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: Specificity| Case::new("specificity", name, data, metric);
    vec![
        case("specificity", "scores", Specificity::new()),
        case("specificity_threshold", "chances", Specificity::new().threshold(0.6)),
        case("specificity_labels", "labels", Specificity::new()),
        case("specificity_labels_macro", "labels", Specificity::new().average(Average::Macro)),
        case("specificity_macro", "classes", Specificity::new()),
        case("specificity_micro", "classes", Specificity::new().average(Average::Micro)),
        case("specificity_weighted", "classes", Specificity::new().average(Average::Weighted)),
        case("specificity_class", "classes", Specificity::new().class(2)),
    ]
}
