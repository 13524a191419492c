//! Cross-entropy that forgives wrong labels.

use wengert_autograd::Var;

use super::case::Case;
use super::classes::{Reading, Target};
use super::operands::setting;
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "GeneralizedCrossEntropy";

/// (1 − p^q) / q of every example, for the probability p = softmax(z)\[label\] of the label: between cross-entropy (q → 0)
/// and the absolute error (q = 1), on which a label that is wrong has a bounded influence. Zhang and Sabuncu 2018; Keras's
/// `CategoricalGeneralizedCrossEntropy`, which takes probabilities.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction z | `[batch, classes, d1, …]`, or `[classes]` | float |
/// | target: labels | `[batch, d1, …]`, or with an axis of size 1 at the end | integers from 0 to classes − 1 |
/// | each | `[batch, d1, …]` | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::generalized_cross_entropy::GeneralizedCrossEntropy};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let logits = tape.input(&Tensor::from([[0f32, 0.0]]));
/// let labels = tape.input(&Tensor::from([1i64]));
/// let loss = GeneralizedCrossEntropy::new(0.5).loss(logits, labels).item::<f32>()?;
/// assert!((loss - (1.0 - 0.5f32.sqrt()) / 0.5).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GeneralizedCrossEntropy {
    q: f64,
    probabilities: bool,
    reduction: Reduction,
}

impl GeneralizedCrossEntropy {
    /// The loss with `0 < q ≤ 1`; 0.5 is Keras's default.
    pub fn new(q: f64) -> GeneralizedCrossEntropy {
        GeneralizedCrossEntropy { q, probabilities: false, reduction: Reduction::Mean }
    }

    /// The prediction holds probabilities, which are taken as they are.
    #[must_use]
    pub fn from_probabilities(self) -> GeneralizedCrossEntropy {
        GeneralizedCrossEntropy { probabilities: true, ..self }
    }
}

reducible!(GeneralizedCrossEntropy);

impl Loss for GeneralizedCrossEntropy {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        setting(tape, NAME, "q", self.q, self.q > 0.0 && self.q <= 1.0, "above 0 and at most 1");
        let reading = Reading { only_labels: true, ..Reading::default() };
        let Some(classes) = reading.of(NAME, prediction, target) else { return prediction };
        let Target::Labels { marks, .. } = classes.target else { return prediction };
        let axis = classes.axis;
        let each = match self.probabilities {
            true => {
                let p = classes.scores.select(marks, 0.0).sum_axes(axis);
                (1.0 - p.maximum(1e-7).pow(self.q)) / self.q
            }
            // 1 − p^q = 1 − exp(q ln p)
            false => (classes.log_softmax().select(marks, 0.0).sum_axes(axis) * self.q).expm1() / -self.q,
        };
        each.cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: GeneralizedCrossEntropy| Case::new("generalized_cross_entropy", name, loss);
    vec![
        case("logits", GeneralizedCrossEntropy::new(0.7)),
        case("probabilities", GeneralizedCrossEntropy::new(0.5).from_probabilities()).positive(),
    ]
}
