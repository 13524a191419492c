//! The focal loss of yes and no.

use wengert_autograd::Var;

use super::case::Case;
use super::operands::{binary, label_smoothing, log_probability, not_negative, of_probabilities, setting};
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "BinaryFocalCrossEntropy";

/// (1 − pₜ)^γ (−t ln p − (1 − t) ln(1 − p)) of every element, with p = σ(z) for a logit z, t between 0 and 1 and
/// pₜ = t p + (1 − t)(1 − p): [`BinaryCrossEntropy`](super::binary_cross_entropy::BinaryCrossEntropy) in which what is
/// already right hardly counts. Lin et al. 2017; Keras's `BinaryFocalCrossentropy` and torchvision's `sigmoid_focal_loss`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction z | any | float |
/// | target t | the same; `[n]` fits `[n, 1]` | bool, integers or the prediction's |
/// | each | as the prediction | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::binary_focal_cross_entropy::BinaryFocalCrossEntropy};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let (z, t) = (tape.input(&Tensor::from([0f32, 0.0])), tape.input(&Tensor::from([true, false])));
/// let loss = BinaryFocalCrossEntropy::new().loss(z, t).item::<f32>()?;
/// assert!((loss - 2f32.ln() / 4.0).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BinaryFocalCrossEntropy {
    gamma: f64,
    alpha: Option<f64>,
    smoothing: f64,
    probabilities: bool,
    reduction: Reduction,
}

impl BinaryFocalCrossEntropy {
    /// The loss with γ = 2.
    pub fn new() -> BinaryFocalCrossEntropy {
        let reduction = Reduction::Mean;
        BinaryFocalCrossEntropy { gamma: 2.0, alpha: None, smoothing: 0.0, probabilities: false, reduction }
    }

    /// γ: how little what is right counts. 0 is binary cross-entropy.
    #[must_use]
    pub fn gamma(self, gamma: f64) -> BinaryFocalCrossEntropy {
        BinaryFocalCrossEntropy { gamma, ..self }
    }

    /// Counts positive targets α times and negative ones 1 − α times; 0.25 is usual.
    #[must_use]
    pub fn alpha(self, alpha: f64) -> BinaryFocalCrossEntropy {
        BinaryFocalCrossEntropy { alpha: Some(alpha), ..self }
    }

    /// Moves every target by the fraction `0 ≤ smoothing ≤ 1` towards ½.
    #[must_use]
    pub fn label_smoothing(self, smoothing: f64) -> BinaryFocalCrossEntropy {
        BinaryFocalCrossEntropy { smoothing, ..self }
    }

    /// The prediction holds probabilities, as of a model that ends with a sigmoid; logits are more exact.
    /// Others are an error when the loss is computed.
    #[must_use]
    pub fn from_probabilities(self) -> BinaryFocalCrossEntropy {
        BinaryFocalCrossEntropy { probabilities: true, ..self }
    }
}

impl Default for BinaryFocalCrossEntropy {
    fn default() -> BinaryFocalCrossEntropy {
        BinaryFocalCrossEntropy::new()
    }
}

reducible!(BinaryFocalCrossEntropy);

impl Loss for BinaryFocalCrossEntropy {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        let (gamma, alpha) = (self.gamma, self.alpha.unwrap_or(0.5));
        not_negative(tape, NAME, "gamma", gamma);
        setting(tape, NAME, "alpha", alpha, (0.0..=1.0).contains(&alpha), "in 0 ≤ α ≤ 1");
        label_smoothing(tape, NAME, self.smoothing);
        let [z, t] = binary(NAME, prediction, target);
        let t = if self.smoothing == 0.0 { t } else { t * (1.0 - self.smoothing) + 0.5 * self.smoothing };
        let (yes, no, entropy) = match self.probabilities {
            true => (z, 1.0 - z, -(t * log_probability(z)) - (1.0 - t) * log_probability(1.0 - z)),
            false => (z.sigmoid(), (-z).sigmoid(), z.softplus() - t * z),
        };
        let each = match gamma {
            0.0 => entropy,
            _ => power(t * no + (1.0 - t) * yes, gamma) * entropy,
        };
        let each = match self.alpha {
            Some(alpha) => each * (t * (2.0 * alpha - 1.0) + (1.0 - alpha)),
            None => each,
        };
        let each = if self.probabilities { of_probabilities(each, z) } else { each };
        each.cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// x^γ for x ≥ 0, with the gradient 0 at 0, where that of a small γ is infinite.
#[track_caller]
pub(super) fn power(x: Var<'_>, gamma: f64) -> Var<'_> {
    let some = x.gt(0.0);
    x.select(some, 1.0).pow(gamma).select(some, 0.0)
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: BinaryFocalCrossEntropy| Case::new("binary_focal_cross_entropy", name, loss);
    let new = BinaryFocalCrossEntropy::new;
    vec![
        case("logits", new()),
        case("alpha", new().alpha(0.25).gamma(1.5)),
        case("gamma_0", new().gamma(0.0)),
        case("smoothing", new().label_smoothing(0.2).gamma(0.5)),
        case("probabilities", new().from_probabilities().alpha(0.25)).positive(),
    ]
}
