//! The focal loss of classes.

use wengert_autograd::Var;

use super::binary_focal_cross_entropy::power;
use super::case::Case;
use super::classes::{Classes, Reading};
use super::operands::{label_smoothing, not_negative};
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "CategoricalFocalCrossEntropy";

/// −Σ αc (1 − pc)^γ tc ln pc over the classes c of every example, with p = softmax(z) for logits z: cross-entropy in which
/// what is already right hardly counts. Lin et al. 2017; Keras's `CategoricalFocalCrossentropy`, with its α = 0.25 and γ = 2.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction z | `[batch, classes, d1, …]`, or `[classes]` | float |
/// | target: labels | `[batch, d1, …]`, or with an axis of size 1 at the end | integers from 0 to classes − 1 |
/// | target: probabilities t | as the prediction | the prediction's |
/// | each | `[batch, d1, …]` | the prediction's |
///
/// When the loss is computed, a label outside the classes is an error, and so are probabilities that are negative or do not sum
/// to 1, by a percent or more.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::categorical_focal_cross_entropy::CategoricalFocalCrossEntropy};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let logits = tape.input(&Tensor::from([[0f32, 0.0]]));
/// let labels = tape.input(&Tensor::from([1i64]));
/// let loss = CategoricalFocalCrossEntropy::new().loss(logits, labels).item::<f32>()?;
/// assert!((loss - 2f32.ln() / 16.0).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CategoricalFocalCrossEntropy {
    gamma: f64,
    alpha: Vec<f64>,
    smoothing: f64,
    reading: Reading,
    probabilities: bool,
    reduction: Reduction,
}

impl CategoricalFocalCrossEntropy {
    /// The loss with α = 0.25 for all classes, and γ = 2.
    pub fn new() -> CategoricalFocalCrossEntropy {
        CategoricalFocalCrossEntropy {
            gamma: 2.0,
            alpha: vec![0.25],
            smoothing: 0.0,
            reading: Reading::default(),
            probabilities: false,
            reduction: Reduction::Mean,
        }
    }

    /// γ: how little what is right counts. 0 is cross-entropy.
    #[must_use]
    pub fn gamma(self, gamma: f64) -> CategoricalFocalCrossEntropy {
        CategoricalFocalCrossEntropy { gamma, ..self }
    }

    /// α of all classes.
    #[must_use]
    pub fn alpha(self, alpha: f64) -> CategoricalFocalCrossEntropy {
        CategoricalFocalCrossEntropy { alpha: vec![alpha], ..self }
    }

    /// α of each class, for data in which some are rare.
    #[must_use]
    pub fn alphas(self, alphas: impl Into<Vec<f64>>) -> CategoricalFocalCrossEntropy {
        CategoricalFocalCrossEntropy { alpha: alphas.into(), ..self }
    }

    /// Shares the fraction `0 ≤ smoothing ≤ 1` of every label among all classes.
    #[must_use]
    pub fn label_smoothing(self, smoothing: f64) -> CategoricalFocalCrossEntropy {
        CategoricalFocalCrossEntropy { smoothing, ..self }
    }

    /// The axis of the classes, where it is not the second one.
    #[must_use]
    pub fn class_axis(self, axis: isize) -> CategoricalFocalCrossEntropy {
        CategoricalFocalCrossEntropy { reading: Reading { axis: Some(axis), ..self.reading }, ..self }
    }

    /// The prediction holds probabilities, which are divided by their sum and taken as at least 10⁻⁷.
    #[must_use]
    pub fn from_probabilities(self) -> CategoricalFocalCrossEntropy {
        CategoricalFocalCrossEntropy { probabilities: true, ..self }
    }
}

impl Default for CategoricalFocalCrossEntropy {
    fn default() -> CategoricalFocalCrossEntropy {
        CategoricalFocalCrossEntropy::new()
    }
}

reducible!(CategoricalFocalCrossEntropy);

impl Loss for CategoricalFocalCrossEntropy {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        let (gamma, smoothing) = (self.gamma, self.smoothing);
        not_negative(tape, NAME, "gamma", gamma);
        label_smoothing(tape, NAME, smoothing);
        let Some(classes) = self.reading.of(NAME, prediction, target) else { return prediction };
        let Classes { axis, .. } = classes;
        let log = if self.probabilities { classes.log_normalised() } else { classes.log_softmax() };
        let t = match smoothing {
            0.0 => classes.shares(),
            _ => classes.shares() * (1.0 - smoothing) + smoothing / classes.classes as f64,
        };
        // 1 − p, of a p near 1, too.
        let missed = if gamma == 0.0 { t } else { power(-log.expm1(), gamma) * t };
        let weighed = match self.alpha[..] {
            [alpha] => {
                not_negative(tape, NAME, "alpha", alpha);
                missed * alpha
            }
            _ => missed * classes.weights(NAME, &self.alpha),
        };
        // A class that is not right loses nothing, however impossible it is.
        let each = -(weighed * log).select(t.ne(0.0), 0.0).sum_axes(axis);
        classes.proper(each).cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: CategoricalFocalCrossEntropy| Case::new("categorical_focal_cross_entropy", name, loss);
    let new = CategoricalFocalCrossEntropy::new;
    vec![
        case("logits", new()),
        case("labels", new().gamma(1.5).alphas([0.5, 0.2, 0.3])),
        case("smoothing", new().label_smoothing(0.2).alpha(0.7)),
        case("probabilities", new().from_probabilities()).positive(),
    ]
}
