//! The hinge loss of classes.

use wengert_autograd::Var;

use super::case::Case;
use super::classes::Reading;
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "CategoricalHinge";

/// max(0, 1 + max((1 − t) x) − Σ t x) over the classes of every example, for scores x and shares t of the classes: nothing is lost
/// where the right class has a score that is higher by 1 than any other, and at least 1. Keras's `CategoricalHinge`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction x | `[batch, classes, d1, …]`, or `[classes]` | float |
/// | target: labels | `[batch, d1, …]`, or with an axis of size 1 at the end | integers from 0 to classes − 1 |
/// | target: shares t | as the prediction | the prediction's |
/// | each | `[batch, d1, …]` | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::categorical_hinge::CategoricalHinge};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let scores = tape.input(&Tensor::from([[0.5f32, 1.0]]));
/// let labels = tape.input(&Tensor::from([0i64]));
/// assert_eq!(CategoricalHinge::new().loss(scores, labels).item::<f32>()?, 1.5);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CategoricalHinge {
    reduction: Reduction,
}

impl CategoricalHinge {
    /// The loss.
    pub fn new() -> CategoricalHinge {
        CategoricalHinge::default()
    }
}

reducible!(CategoricalHinge);

impl Loss for CategoricalHinge {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        let Some(classes) = Reading::default().of(NAME, prediction, target) else { return prediction };
        let (x, t, axis) = (classes.scores, classes.shares(), classes.axis);
        let (right, wrong) = ((t * x).sum_axes(axis), ((1f64 - t) * x).max_axes(axis));
        (wrong - right + 1.0).relu().cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: CategoricalHinge| Case::new("categorical_hinge", name, loss);
    vec![case("shares", CategoricalHinge::new()), case("labels", CategoricalHinge::new())]
}
