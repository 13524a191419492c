//! Binary cross-entropy of logits.

use wengert_autograd::Var;

use super::case::Case;
use super::operands::{binary, label_smoothing, log_probability, of_probabilities, setting, weights};
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "BinaryCrossEntropy";

/// −t ln σ(z) − (1 − t) ln(1 − σ(z)) of every element, for logits z and targets t between 0 and 1.
///
/// Computed as softplus(z) − t z, which neither overflows nor loses small probabilities; the model therefore ends
/// *without* a sigmoid. The same as PyTorch's `BCEWithLogitsLoss`. Its `BCELoss`, and Keras's `BinaryCrossentropy`, take
/// probabilities: [`from_probabilities`](BinaryCrossEntropy::from_probabilities).
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction z | any | float |
/// | target t | the same; `[n]` fits `[n, 1]` | bool, integers or the prediction's |
/// | each | as the prediction | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::binary_cross_entropy::BinaryCrossEntropy};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let (z, t) = (tape.input(&Tensor::from([[0f32], [0.0]])), tape.input(&Tensor::from([true, false])));
/// let loss = BinaryCrossEntropy::new().loss(z, t).item::<f32>()?;
/// assert!((loss - 2f32.ln()).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BinaryCrossEntropy {
    positive: Option<Vec<f64>>,
    smoothing: f64,
    probabilities: bool,
    reduction: Reduction,
}

impl BinaryCrossEntropy {
    /// The loss.
    pub fn new() -> BinaryCrossEntropy {
        BinaryCrossEntropy::default()
    }

    /// Counts every positive target `weight` times, for data in which they are rare.
    #[must_use]
    pub fn positive_weight(self, weight: f64) -> BinaryCrossEntropy {
        BinaryCrossEntropy { positive: Some(vec![weight]), ..self }
    }

    /// The same with a weight for each element of the last axis: for answers that are rare in different measure.
    #[must_use]
    pub fn positive_weights(self, weights: impl Into<Vec<f64>>) -> BinaryCrossEntropy {
        BinaryCrossEntropy { positive: Some(weights.into()), ..self }
    }

    /// Moves every target by the fraction `0 ≤ smoothing ≤ 1` towards ½.
    #[must_use]
    pub fn label_smoothing(self, smoothing: f64) -> BinaryCrossEntropy {
        BinaryCrossEntropy { smoothing, ..self }
    }

    /// The prediction holds probabilities, as of a model that ends with a sigmoid; logits are more exact. Others
    /// are an error when the loss is computed. No logarithm is below −100 and no slope of one above 10¹², so that probabilities of 0 and 1 may be wrong, as in PyTorch.
    #[must_use]
    pub fn from_probabilities(self) -> BinaryCrossEntropy {
        BinaryCrossEntropy { probabilities: true, ..self }
    }

    /// The weights of positive targets, beside the prediction.
    #[track_caller]
    fn positive<'t>(&self, p: Var<'t>) -> Option<Var<'t>> {
        let given = self.positive.as_ref()?;
        let tape = p.tape();
        if let Some(&odd) = given.iter().find(|weight| !weight.is_finite() || **weight < 0.0) {
            setting(tape, NAME, "positive weight", odd, false, "a number that is at least 0");
        }
        match given[..] {
            [weight] => Some(tape.scalar(weight, p.dtype())),
            _ => Some(weights(NAME, p, p.shape().last().copied().unwrap_or(1), given)),
        }
    }
}

reducible!(BinaryCrossEntropy);

impl Loss for BinaryCrossEntropy {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        label_smoothing(tape, NAME, self.smoothing);
        let [z, t] = binary(NAME, prediction, target);
        let t = if self.smoothing == 0.0 { t } else { t * (1.0 - self.smoothing) + 0.5 * self.smoothing };
        let positive = self.positive(z);
        let weigh = |x: Var<'t>| positive.map_or(x, |positive| x * positive);
        let each = match (self.probabilities, positive) {
            (true, _) => -weigh(t * log_probability(z)) - (1.0 - t) * log_probability(1.0 - z),
            (false, None) => z.softplus() - t * z,
            // w t softplus(−z) + (1 − t) softplus(z)
            (false, Some(_)) => weigh(t * (-z).softplus()) + (1.0 - t) * z.softplus(),
        };
        let each = if self.probabilities { of_probabilities(each, z) } else { each };
        each.cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: BinaryCrossEntropy| Case::new("binary_cross_entropy", name, loss);
    let new = BinaryCrossEntropy::new;
    vec![
        case("logits", new()),
        case("labels", new()),
        case("weights", new()),
        case("positive_weight", new().positive_weight(3.0)),
        case("positive_weights", new().positive_weights([3.0, 0.5])),
        case("probabilities", new().from_probabilities()).positive(),
        case("keras", new().from_probabilities().label_smoothing(0.2)).positive(),
    ]
}
