//! The mean squared error of probabilities.

use super::answers::columns;
use super::case::Case;
use super::classes::{Reader, class_settings};
use super::metric::Metric;
use super::weigh::{kept, observes, ratio};
use wengert_autograd::Var;
use wengert_tensor::dtype::DType;

/// `mean((p − t)²)` of yes-or-no answers with p = sigmoid(prediction); of classes `mean(Σ (p − t)²)` with p = softmax(prediction) and a
/// one-hot t, 0 to 2. Brier 1950.
///
/// | | prediction | target |
/// |---|---|---|
/// | yes or no | any shape | the same shape, 0 or 1 |
/// | classes | `[…, classes]` | labels `[…]` or `[…, 1]` in whole numbers |
///
/// scikit-learn's `brier_score_loss` (with `scale_by_half=False`).
///
/// ```
/// use wengert_nn::metrics::{brier_score::BrierScore, metric::Meter};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut brier = Meter::new(BrierScore::new().probabilities());
/// brier.update(&Tensor::from([0.5f32, 1.0]), &Tensor::from([1f32, 1.0]))?;
/// assert_eq!(brier.value(), 0.125);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct BrierScore {
    reader: Reader,
    probabilities: bool,
}

impl BrierScore {
    /// For logits.
    pub fn new() -> BrierScore {
        BrierScore::default()
    }

    /// The predictions are probabilities. By default they are logits.
    #[must_use]
    pub fn probabilities(self) -> BrierScore {
        BrierScore { probabilities: true, ..self }
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let columns = columns("brier", &self.reader, prediction, target, weights);
        let chances = match (self.probabilities, columns.labelled) {
            (true, _) => columns.scores,
            (false, true) => columns.scores.softmax(-1),
            (false, false) => columns.scores.sigmoid(),
        };
        let error = (chances - columns.yes.cast(chances.dtype())).square();
        // The weight of a row stands in all its columns, and counts once.
        let weight = if columns.labelled { columns.weights.slice(-1, ..1.min(columns.count)) } else { columns.weights };
        let tape = prediction.tape();
        tape.stack(&[(columns.weights * kept(error, columns.weights)).sum(), weight.cast(DType::F64).sum()], 0)
    }
}

class_settings!(BrierScore);

impl Metric for BrierScore {
    fn name(&self) -> String {
        "brier".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        ratio(sums)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: BrierScore| Case::new("brier_score", name, data, metric);
    vec![
        case("brier", "scores", BrierScore::new()),
        case("brier_probabilities", "chances", BrierScore::new().probabilities()),
        case("brier_classes", "classes", BrierScore::new()),
        case("brier_classes_probabilities", "chance_classes", BrierScore::new().probabilities()),
        case("brier_ignore", "ignored", BrierScore::new().ignore_index(-100)),
    ]
}
