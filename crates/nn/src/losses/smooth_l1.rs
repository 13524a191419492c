//! The absolute error, rounded off at 0.

use wengert_autograd::Var;

use super::case::Case;
use super::operands::{both, not_negative};
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "SmoothL1";

/// e² / (2 β) where |e| < β, and |e| − β / 2 beyond, for the error e = prediction − target of every element:
/// [`Huber`](super::huber::Huber) divided by β, whose slope far out is always 1. With β = 0 it is the absolute error.
/// Girshick 2015; PyTorch's `SmoothL1Loss`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction | any | float |
/// | target | the same; `[n]` fits `[n, 1]` | the prediction's, or integers or bools |
/// | each | as the prediction | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::smooth_l1::SmoothL1};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let p = tape.input(&Tensor::from([1f32, 4.0]));
/// let t = tape.input(&Tensor::from([2f32, 2.0]));
/// assert_eq!(SmoothL1::new().loss(p, t).item::<f32>()?, 1.0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SmoothL1 {
    beta: f64,
    reduction: Reduction,
}

impl SmoothL1 {
    /// The loss.
    pub fn new() -> SmoothL1 {
        SmoothL1 { beta: 1.0, reduction: Reduction::Mean }
    }

    /// β: how far the squares reach.
    #[must_use]
    pub fn beta(self, beta: f64) -> SmoothL1 {
        SmoothL1 { beta, ..self }
    }
}

impl Default for SmoothL1 {
    fn default() -> SmoothL1 {
        SmoothL1::new()
    }
}

reducible!(SmoothL1);

impl Loss for SmoothL1 {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        not_negative(tape, NAME, "beta", self.beta);
        let [p, t] = both(NAME, prediction, target);
        let (e, beta) = (p - t, self.beta);
        let size = e.abs();
        if beta == 0.0 {
            return size.cast(prediction.dtype());
        }
        let near = e.square() * (0.5 / beta);
        near.select(size.lt(beta), size - 0.5 * beta).cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: SmoothL1| Case::new("smooth_l1", name, loss);
    vec![
        case("plain", SmoothL1::new()),
        case("beta", SmoothL1::new().beta(0.6)),
        case("beta_0", SmoothL1::new().beta(0.0)),
    ]
}
