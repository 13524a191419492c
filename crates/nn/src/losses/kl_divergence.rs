//! The Kullback–Leibler divergence.

use wengert_autograd::Var;

use super::case::Case;
use super::operands::both;
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "KlDivergence";

/// t (ln t − x) of every element, for predicted log-probabilities x and right probabilities t: summed over the
/// classes, how much is lost by taking the one distribution for the other. Where t is 0 so is the loss. The
/// divergence of a batch is the sum over the classes and the mean over the examples, [`Reduction::BatchMean`]; the
/// plain mean is divided by the number of classes, too.
///
/// The names are those of PyTorch's `KLDivLoss`.
/// `KlDivergence::new().from_probabilities().reduction(Reduction::BatchMean)` is Keras's `KLDivergence`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction x | any, usually `[batch, classes]` | float |
/// | target t | the same | the prediction's |
/// | each | as the prediction | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::kl_divergence::KlDivergence};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let p = tape.input(&Tensor::from([[0.5f32.ln(), 0.5f32.ln()]]));
/// let t = tape.input(&Tensor::from([[1f32, 0.0]]));
/// let loss = KlDivergence::new().reduction(wengert_nn::loss::Reduction::BatchMean).loss(p, t).item::<f32>()?;
/// assert!((loss - 2f32.ln()).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KlDivergence {
    log_target: bool,
    probabilities: bool,
    reduction: Reduction,
}

impl KlDivergence {
    /// The loss.
    pub fn new() -> KlDivergence {
        KlDivergence { log_target: false, probabilities: false, reduction: Reduction::Mean }
    }

    /// The target holds log-probabilities, too.
    #[must_use]
    pub fn log_target(self) -> KlDivergence {
        KlDivergence { log_target: true, ..self }
    }

    /// The prediction holds probabilities, not their logarithms. It and the target are taken as at least 10⁻⁷, so
    /// that probabilities of 0 are finite, as Keras does.
    #[must_use]
    pub fn from_probabilities(self) -> KlDivergence {
        KlDivergence { probabilities: true, ..self }
    }
}

impl Default for KlDivergence {
    fn default() -> KlDivergence {
        KlDivergence::new()
    }
}

reducible!(KlDivergence);

impl Loss for KlDivergence {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        let [p, t] = both(NAME, prediction, target);
        let x = match self.probabilities {
            true => p.clamp(EPSILON, 1.0).log(),
            false => p,
        };
        if self.log_target {
            // Of a log-probability of −∞, too.
            let (weight, none) = (t.exp(), t.eq(f64::NEG_INFINITY));
            return (weight * (t - x)).select(none.logical_not(), 0.0).cast(prediction.dtype());
        }
        let t = if self.probabilities { t.clamp(EPSILON, 1.0) } else { t };
        let some = t.gt(0.0);
        (t * (t.select(some, 1.0).log() - x)).select(some, 0.0).cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// The least probability, with probabilities for predictions.
const EPSILON: f64 = 1e-7;

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: KlDivergence| Case::new("kl_divergence", name, loss);
    vec![
        case("plain", KlDivergence::new()),
        case("batch_mean", KlDivergence::new().reduction(Reduction::BatchMean)),
        case("log_target", KlDivergence::new().log_target()),
        case("probabilities", KlDivergence::new().from_probabilities().reduction(Reduction::BatchMean)).positive(),
    ]
}
