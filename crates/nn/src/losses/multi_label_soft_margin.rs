//! Binary cross-entropy of several labels, as one loss for each example.

use wengert_autograd::Var;
use wengert_tensor::error::Error;

use super::case::Case;
use super::operands::{binary, reject, weights};
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "MultiLabelSoftMargin";

/// −Σ w (t ln σ(x) + (1 − t) ln σ(−x)) / classes over the classes of every example, for logits x, targets t between 0 and 1
/// and class weights w. PyTorch's `MultiLabelSoftMarginLoss`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction x | `[…, classes]` | float |
/// | target t | the same | bool, integers or the prediction's |
/// | each | `[…]` | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::multi_label_soft_margin::MultiLabelSoftMargin};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let x = tape.input(&Tensor::from([[0f32, 0.0]]));
/// let t = tape.input(&Tensor::from([[true, false]]));
/// let loss = MultiLabelSoftMargin::new().loss(x, t).item::<f32>()?;
/// assert!((loss - 2f32.ln()).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MultiLabelSoftMargin {
    weights: Option<Vec<f64>>,
    reduction: Reduction,
}

impl MultiLabelSoftMargin {
    /// The loss.
    pub fn new() -> MultiLabelSoftMargin {
        MultiLabelSoftMargin::default()
    }

    /// A weight for each class.
    #[must_use]
    pub fn class_weights(self, weights: impl Into<Vec<f64>>) -> MultiLabelSoftMargin {
        MultiLabelSoftMargin { weights: Some(weights.into()), ..self }
    }
}

reducible!(MultiLabelSoftMargin);

impl Loss for MultiLabelSoftMargin {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        let Some(&classes) = prediction.shape().last() else {
            return reject(NAME, prediction, target, Error::shape("a prediction is […, classes], not a single number"));
        };
        let [x, t] = binary(NAME, prediction, target);
        let each = x.softplus() - t * x;
        let each = match &self.weights {
            Some(given) => each * weights(NAME, x, classes, given),
            None => each,
        };
        each.mean_axes(-1).cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: MultiLabelSoftMargin| Case::new("multi_label_soft_margin", name, loss);
    let new = MultiLabelSoftMargin::new;
    vec![case("plain", new()), case("weights", new().class_weights([0.5, 2.0, 1.5]))]
}
