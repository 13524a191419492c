//! How much prediction and target overlap, twice counted.

use super::answers::{Answers, answer_settings};
use super::average::{Average, Counts, over};
use super::case::Case;
use super::metric::Metric;
use super::weigh::observes;
use wengert_autograd::Var;

/// `2 tp / (2 tp + fp + fn)`: twice the overlap over both sizes. Dice 1945.
///
/// | | prediction | target | a yes is | classes |
/// |---|---|---|---|---|
/// | yes or no | any shape | the same shape, 0 or 1 | a score above the threshold | counted together |
/// | labels | `[…, classes]` | `[…]` or `[…, 1]`, whole numbers | the highest score | averaged |
///
/// The figure of masks in segmentation; the same number as the F1 score. By default 0 where both masks are empty.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, dice::Dice};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(Dice::new());
/// meter.update(&Tensor::from([2f32, 1.0, -1.0, 3.0]), &Tensor::from([1i64, 0, 1, 1]))?;
/// assert_eq!(meter.value(), 2.0 / 3.0);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Dice {
    answers: Answers,
}

impl Dice {
    /// The metric.
    pub fn new() -> Dice {
        Dice { answers: Answers::default() }
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        self.answers.counts("dice", prediction, target, weights)
    }
}

answer_settings!(Dice);

impl Metric for Dice {
    fn name(&self) -> String {
        "dice".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        self.answers.figure(sums, |counts: &Counts| {
            over(2.0 * counts.tp, 2.0 * counts.tp + counts.fp + counts.fn_, self.answers.zero)
        })
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: Dice| Case::new("dice", name, data, metric);
    vec![
        case("dice", "scores", Dice::new()),
        case("dice_macro", "pixels", Dice::new().axis(1)),
        case("dice_class", "pixels", Dice::new().axis(1).class(1)),
        case("dice_weighted", "classes", Dice::new().average(Average::Weighted)),
    ]
}
