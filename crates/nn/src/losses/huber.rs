//! The Huber loss: squares near 0, and straight lines further out.

use wengert_autograd::Var;

use super::case::Case;
use super::operands::{both, positive};
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "Huber";

/// e² / 2 where |e| ≤ δ, and δ (|e| − δ / 2) beyond, for the error e = prediction − target of every element. Outliers
/// pull with a constant force. Huber 1964; PyTorch's `HuberLoss`, Keras's `Huber`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction | any | float |
/// | target | the same; `[n]` fits `[n, 1]` | the prediction's, or integers or bools |
/// | each | as the prediction | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::huber::Huber};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let p = tape.input(&Tensor::from([1f32, 4.0]));
/// let t = tape.input(&Tensor::from([2f32, 2.0]));
/// assert_eq!(Huber::new().loss(p, t).item::<f32>()?, 1.0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Huber {
    delta: f64,
    reduction: Reduction,
}

impl Huber {
    /// The loss.
    pub fn new() -> Huber {
        Huber { delta: 1.0, reduction: Reduction::Mean }
    }

    /// δ: how far the squares reach.
    #[must_use]
    pub fn delta(self, delta: f64) -> Huber {
        Huber { delta, ..self }
    }
}

impl Default for Huber {
    fn default() -> Huber {
        Huber::new()
    }
}

reducible!(Huber);

impl Loss for Huber {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        positive(tape, NAME, "delta", self.delta);
        let [p, t] = both(NAME, prediction, target);
        let (e, delta) = (p - t, self.delta);
        let size = e.abs();
        let near = e.square() * 0.5;
        near.select(size.le(delta), (size - 0.5 * delta) * delta).cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: Huber| Case::new("huber", name, loss);
    vec![case("plain", Huber::new()), case("delta", Huber::new().delta(0.6))]
}
