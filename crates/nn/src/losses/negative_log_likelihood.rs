//! Negative log-likelihood of classes.

use wengert_autograd::Var;

use super::case::Case;
use super::classes::{Classes, Reading, Target};
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "NegativeLogLikelihood";

/// −x\[label\] of every example, for log-probabilities x, as of a model that ends with a log-softmax.
/// [`CrossEntropy`](super::cross_entropy::CrossEntropy) takes logits. PyTorch's `NLLLoss`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction x | `[batch, classes, d1, …]`, or `[classes]` | float |
/// | target: labels | `[batch, d1, …]`, or with an axis of size 1 at the end | integers from 0 to classes − 1 |
/// | each | `[batch, d1, …]` | the prediction's |
///
/// A label outside the classes is an error when the loss is computed.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::negative_log_likelihood::NegativeLogLikelihood};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let log_probabilities = tape.input(&Tensor::from([[-0.5f32, -1.0], [-0.25, -1.5]]));
/// let labels = tape.input(&Tensor::from([0i64, 1]));
/// let loss = NegativeLogLikelihood::new().loss(log_probabilities, labels);
/// assert_eq!(loss.item::<f32>()?, 1.0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NegativeLogLikelihood {
    weights: Option<Vec<f64>>,
    ignored: Option<i64>,
    reduction: Reduction,
}

impl NegativeLogLikelihood {
    /// The loss.
    pub fn new() -> NegativeLogLikelihood {
        NegativeLogLikelihood::default()
    }

    /// A weight for each class. The mean is divided by the sum of the weights of the labels.
    #[must_use]
    pub fn class_weights(self, weights: impl Into<Vec<f64>>) -> NegativeLogLikelihood {
        NegativeLogLikelihood { weights: Some(weights.into()), ..self }
    }

    /// Leaves out examples with this label: their loss and gradient are 0, and the mean does not count them.
    #[must_use]
    pub fn ignore_index(self, label: i64) -> NegativeLogLikelihood {
        NegativeLogLikelihood { ignored: Some(label), ..self }
    }

    #[track_caller]
    fn checked<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Option<(Classes<'t>, Option<Var<'t>>)> {
        let reading = Reading { axis: None, ignored: self.ignored, only_labels: true };
        let classes = reading.of(NAME, prediction, target)?;
        Some((classes, self.weights(&classes)))
    }

    #[track_caller]
    fn weights<'t>(&self, classes: &Classes<'t>) -> Option<Var<'t>> {
        Some(classes.weights(NAME, self.weights.as_ref()?))
    }
}

reducible!(NegativeLogLikelihood);

impl Loss for NegativeLogLikelihood {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        let Some((classes, weights)) = self.checked(prediction, target) else { return prediction };
        let Target::Labels { marks, .. } = classes.target else { return prediction };
        let scores = weights.map_or(classes.scores, |weights| classes.scores * weights);
        let each = -scores.select(marks, 0.0).sum_axes(classes.axis);
        classes.target.kept(each).cast(prediction.dtype())
    }

    #[track_caller]
    fn counts<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Option<Var<'t>> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        let (classes, weights) = self.checked(prediction, target)?;
        classes.target.counts(classes.axis, weights, classes.scores.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: NegativeLogLikelihood| Case::new("negative_log_likelihood", name, loss);
    let new = NegativeLogLikelihood::new;
    vec![
        case("labels", new()),
        case("weights", new().class_weights([0.5, 2.0, 1.5])),
        case("ignore", new().class_weights([0.5, 2.0, 1.5]).ignore_index(-100)),
        case("spatial", new()).batched(),
    ]
}
