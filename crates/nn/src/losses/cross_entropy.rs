//! Cross-entropy of logits and classes.

use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use crate::loss::Loss;

/// mean(−log softmax(z)\[label\]) over the examples, for logits z. The model therefore ends *without* a softmax.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction z | `[batch, classes]` | float |
/// | target: labels | `[batch]` or `[batch, 1]` | integers from 0 to classes − 1 |
/// | target: probabilities p | `[batch, classes]` | the prediction's; then the loss is mean(−Σ p log softmax(z)) |
///
/// With [`label_smoothing`](CrossEntropy::label_smoothing) ε a label counts (1 − ε), and all classes share ε evenly
/// (Szegedy et al. 2015). The same numbers as PyTorch's `CrossEntropyLoss`. A label outside the classes is an error when
/// the loss is computed.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::cross_entropy::CrossEntropy};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let logits = tape.input(&Tensor::from([[0f32, 0.0], [0.0, 0.0]]));
/// let labels = tape.input(&Tensor::from([0i64, 1]));
/// let loss = CrossEntropy::new().loss(logits, labels).item::<f32>()?;
/// assert!((loss - 2f32.ln()).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CrossEntropy {
    smoothing: f64,
}

impl CrossEntropy {
    /// The loss.
    pub fn new() -> CrossEntropy {
        CrossEntropy { smoothing: 0.0 }
    }

    /// Shares the fraction `0 ≤ smoothing ≤ 1` of every label among all classes.
    #[must_use]
    pub fn label_smoothing(self, smoothing: f64) -> CrossEntropy {
        CrossEntropy { smoothing }
    }
}

impl Loss for CrossEntropy {
    #[track_caller]
    fn loss<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        const NAME: &str = "CrossEntropy";
        let tape = prediction.tape();
        let _scope = tape.scope(NAME);
        match self.check(prediction, target) {
            Err(error) => tape.reject(NAME, &[("prediction", prediction), ("target", target)], error),
            Ok(_) if target.dtype().is_float() => {
                let nll = -(target * prediction.log_softmax(-1)).sum_axes(-1).mean();
                self.smooth(prediction, nll)
            }
            Ok(batch) => {
                let target = if target.rank() == 2 { target.reshape([batch]) } else { target };
                let target = if target.dtype() == DType::I64 { target } else { target.cast(DType::I64) };
                self.smooth(prediction, prediction.cross_entropy(target))
            }
        }
    }
}

impl CrossEntropy {
    /// The number of examples, if everything fits.
    fn check(&self, prediction: Var<'_>, target: Var<'_>) -> Result<usize> {
        let (logits, labels) = (prediction.shape(), target.shape());
        if !(0.0..=1.0).contains(&self.smoothing) {
            return Err(Error::value(format!("the label smoothing is {}, and must lie in 0 ≤ s ≤ 1", self.smoothing)));
        }
        let &[batch, _] = logits.dims() else {
            return Err(Error::shape(format!("a prediction is [batch, classes], not {logits}")));
        };
        if target.dtype().is_float() {
            return match logits == labels {
                true => Ok(batch),
                false => Err(Error::shape(format!("probabilities {labels} do not fit a prediction {logits}"))
                    .help("labels are integers, one for each example: `labels.cast(DType::I64)`")),
            };
        }
        match labels.dims() == [batch] || labels.dims() == [batch, 1] {
            true => Ok(batch),
            false => Err(Error::shape(format!("a prediction {logits} takes labels [{batch}], not {labels}"))),
        }
    }

    #[track_caller]
    fn smooth<'t>(&self, prediction: Var<'t>, nll: Var<'t>) -> Var<'t> {
        if self.smoothing == 0.0 {
            return nll;
        }
        nll * (1.0 - self.smoothing) - prediction.log_softmax(-1).mean() * self.smoothing
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: CrossEntropy, target| Case {
        file: "cross_entropy",
        name,
        loss: Box::new(loss),
        prediction: Tensor::from([[0.5f64, -1.0, 2.0], [100.0, 0.25, -7.0], [-3.0, 1.5, 1.5], [0.0, 0.0, 0.0]]),
        target,
    };
    let labels = || Tensor::from([2i64, 0, 0, 1]);
    let shares = Tensor::from([[0.2f64, 0.3, 0.5], [1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.1, 0.8, 0.1]]);
    vec![
        case("cross_entropy", CrossEntropy::new(), labels()),
        case("cross_entropy_smoothing", CrossEntropy::new().label_smoothing(0.1), labels()),
        case("cross_entropy_probabilities", CrossEntropy::new(), shares.clone()),
        case("cross_entropy_probabilities_smoothing", CrossEntropy::new().label_smoothing(0.3), shares),
    ]
}
