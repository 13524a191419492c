//! The Tversky loss of two sets.

use wengert_autograd::Var;

use super::case::Case;
use super::dice::Over;
use super::operands::{binary, not_negative};
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "Tversky";

/// 1 − (Σ p t + s) / (Σ p t + α Σ p (1 − t) + β Σ (1 − p) t + s + 10⁻⁷), for predicted probabilities p that a place belongs to a set
/// and targets t: [`Dice`](super::dice::Dice) in which α weighs places that are wrongly in the set, and β those that are missed.
/// Salehi et al. 2017; with α = β = ½, the default, it is the Dice loss. Keras's `Tversky`, in which `alpha` weighs what is
/// missed and `beta` what is too much.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction p | `[batch, …]` | float |
/// | target t | the same | the same, or integers or bools |
/// | each | `[batch]`, or what the sums leave | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::tversky::Tversky};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let p = tape.input(&Tensor::from([[1f32, 1.0, 0.0, 0.0]]));
/// let t = tape.input(&Tensor::from([[true, false, false, false]]));
/// let loss = Tversky::new().false_positives(1.0).false_negatives(1.0).loss(p, t).item::<f32>()?;
/// assert!((loss - 0.5).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Tversky {
    alpha: f64,
    beta: f64,
    over: Over,
    smooth: f64,
    reduction: Reduction,
}

impl Tversky {
    /// The loss of every example with α = β = ½.
    pub fn new() -> Tversky {
        Tversky { alpha: 0.5, beta: 0.5, over: Over::Example, smooth: 0.0, reduction: Reduction::Mean }
    }

    /// α: how much a place counts that is wrongly in the set.
    #[must_use]
    pub fn false_positives(self, alpha: f64) -> Tversky {
        Tversky { alpha, ..self }
    }

    /// β: how much a place counts that is missed.
    #[must_use]
    pub fn false_negatives(self, beta: f64) -> Tversky {
        Tversky { beta, ..self }
    }

    /// One set for the whole batch: one loss.
    #[must_use]
    pub fn whole_batch(self) -> Tversky {
        Tversky { over: Over::Batch, ..self }
    }

    /// The axes along which a set lies.
    #[must_use]
    pub fn axes(self, axes: impl Into<Vec<isize>>) -> Tversky {
        Tversky { over: Over::Axes(axes.into()), ..self }
    }

    /// s, which both sets have in common beforehand: two empty sets are then the same.
    #[must_use]
    pub fn smooth(self, smooth: f64) -> Tversky {
        Tversky { smooth, ..self }
    }
}

impl Default for Tversky {
    fn default() -> Tversky {
        Tversky::new()
    }
}

reducible!(Tversky);

impl Loss for Tversky {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        for (what, value) in [("alpha", self.alpha), ("beta", self.beta), ("smoothing", self.smooth)] {
            not_negative(tape, NAME, what, value);
        }
        let [p, t] = binary(NAME, prediction, target);
        let both = self.over.sum(p * t);
        let wrong = self.over.sum(p * (1.0 - t)) * self.alpha;
        let missed = self.over.sum((1.0 - p) * t) * self.beta;
        (1f64 - (both + self.smooth) / (both + wrong + missed + (self.smooth + 1e-7))).cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: Tversky| Case::new("tversky", name, loss);
    vec![
        case("example", Tversky::new().false_positives(0.3).false_negatives(0.7)).batched().positive(),
        case("whole_batch", Tversky::new().whole_batch().false_positives(0.7).false_negatives(0.3))
            .coupled()
            .positive(),
    ]
}
