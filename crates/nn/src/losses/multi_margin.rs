//! The margin loss of classes.

use wengert_autograd::Var;

use super::case::Case;
use super::classes::{Reading, Target};
use super::operands::{finite, setting};
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "MultiMargin";

/// w Σ max(0, margin − x\[label\] + x\[c\])ᵖ / classes over all classes c but the label's, for scores x of every example, with
/// w the weight of the label's class: the hinge loss of classes. PyTorch's `MultiMarginLoss`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction x | `[batch, classes]`, or `[classes]` | float |
/// | target: labels | `[batch]`, or `[]` | integers from 0 to classes − 1 |
/// | each | `[batch]` | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::multi_margin::MultiMargin};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let scores = tape.input(&Tensor::from([[0.5f32, 1.0]]));
/// let labels = tape.input(&Tensor::from([0i64]));
/// assert_eq!(MultiMargin::new().loss(scores, labels).item::<f32>()?, 0.75);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MultiMargin {
    margin: f64,
    p: i32,
    weights: Option<Vec<f64>>,
    reduction: Reduction,
}

impl MultiMargin {
    /// The loss with a margin of 1 and p = 1.
    pub fn new() -> MultiMargin {
        MultiMargin { margin: 1.0, p: 1, weights: None, reduction: Reduction::Mean }
    }

    /// How much higher the score of the label has to be.
    #[must_use]
    pub fn margin(self, margin: f64) -> MultiMargin {
        MultiMargin { margin, ..self }
    }

    /// The power p: 1 or 2.
    #[must_use]
    pub fn p(self, p: i32) -> MultiMargin {
        MultiMargin { p, ..self }
    }

    /// A weight for each class. The mean is still divided by the number of examples.
    #[must_use]
    pub fn class_weights(self, weights: impl Into<Vec<f64>>) -> MultiMargin {
        MultiMargin { weights: Some(weights.into()), ..self }
    }
}

impl Default for MultiMargin {
    fn default() -> MultiMargin {
        MultiMargin::new()
    }
}

reducible!(MultiMargin);

impl Loss for MultiMargin {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        finite(tape, NAME, "margin", self.margin);
        setting(tape, NAME, "power p", f64::from(self.p), self.p == 1 || self.p == 2, "1 or 2");
        let reading = Reading { axis: Some(-1), only_labels: true, ..Reading::default() };
        let Some(classes) = reading.of(NAME, prediction, target) else { return prediction };
        let Target::Labels { marks, .. } = classes.target else { return prediction };
        let (x, axis) = (classes.scores, classes.axis);
        let right = x.select(marks, 0.0).sum_keep(axis);
        let missed = (x - right + self.margin).relu().select(marks.logical_not(), 0.0);
        let missed = if self.p == 2 { missed.square() } else { missed };
        let each = missed.mean_axes(axis);
        let each = match &self.weights {
            Some(weights) => each * classes.weights(NAME, weights).select(marks, 0.0).sum_axes(axis),
            None => each,
        };
        each.cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: MultiMargin| Case::new("multi_margin", name, loss);
    let new = MultiMargin::new;
    vec![
        case("plain", new()),
        case("squares", new().p(2).margin(0.7)),
        case("weights", new().class_weights([0.5, 2.0, 1.5])),
    ]
}
