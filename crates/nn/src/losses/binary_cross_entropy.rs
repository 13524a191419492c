//! Binary cross-entropy of logits.

use wengert_autograd::Var;
use wengert_tensor::error::Error;
use wengert_tensor::tensor::Tensor;

use super::alike::alike;
use super::case::Case;
use crate::loss::Loss;

/// mean(−t log σ(z) − (1 − t) log(1 − σ(z))) over all elements, for logits z and targets t between 0 and 1.
///
/// Computed as softplus(z) − t z, which neither overflows nor loses small probabilities; the model therefore ends
/// *without* a sigmoid. The same as PyTorch's `BCEWithLogitsLoss`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction z | any | float |
/// | target t | the same; `[n]` fits `[n, 1]` | bool, integers or the prediction's |
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
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BinaryCrossEntropy {
    positive: f64,
}

impl BinaryCrossEntropy {
    /// The loss.
    pub fn new() -> BinaryCrossEntropy {
        BinaryCrossEntropy { positive: 1.0 }
    }

    /// Counts every positive target `weight` times, for data in which they are rare.
    #[must_use]
    pub fn positive_weight(self, weight: f64) -> BinaryCrossEntropy {
        BinaryCrossEntropy { positive: weight }
    }
}

impl Default for BinaryCrossEntropy {
    fn default() -> BinaryCrossEntropy {
        BinaryCrossEntropy::new()
    }
}

impl Loss for BinaryCrossEntropy {
    #[track_caller]
    fn loss<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let _scope = tape.scope("BinaryCrossEntropy");
        if self.positive.is_nan() || self.positive < 0.0 {
            let error = Error::value(format!("the positive weight is {}, and must not be negative", self.positive));
            return tape.reject("BinaryCrossEntropy", &[], error);
        }
        let (z, t) = (prediction, alike("BinaryCrossEntropy", prediction, target));
        if self.positive == 1.0 {
            return (z.softplus() - t * z).mean();
        }
        // p t softplus(−z) + (1 − t) softplus(z)
        (t * (-z).softplus() * self.positive + (1.0 - t) * z.softplus()).mean()
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: BinaryCrossEntropy, target| Case {
        file: "binary_cross_entropy",
        name,
        loss: Box::new(loss),
        prediction: Tensor::from([[0.5f64, -1.0], [40.0, 0.25], [-30.0, 1.5]]),
        target,
    };
    vec![
        case("bce", BinaryCrossEntropy::new(), Tensor::from([[1.0f64, 0.0], [1.0, 0.5], [1.0, 0.0]])),
        case("bce_labels", BinaryCrossEntropy::new(), Tensor::from([[1i64, 0], [1, 0], [1, 0]])),
        case(
            "bce_positive_weight",
            BinaryCrossEntropy::new().positive_weight(3.0),
            Tensor::from([[1.0f64, 0.0], [1.0, 0.5], [1.0, 0.0]]),
        ),
    ]
}
