//! The circle loss of embeddings.

use wengert_autograd::Var;

use super::case::Case;
use super::info_nce::embeddings;
use super::operands::{finite, positive};
use super::supervised_contrastive::{others, same};
use crate::loss::{Loss, Reduction, reducible, wide};

const NAME: &str = "Circle";

/// ln(1 + Σₙ exp(γ max(0, 1 + m − dₙ)(1 − m − dₙ)) Σₚ exp(−γ max(0, m + dₚ)(m − dₚ))) of every embedding, for its cosine distances
/// d = max(0, 1 − z zᵀ) to the embeddings p with its label and to those n with another: every similarity is pulled as hard as
/// it is off. γ is 80 and the margin m is 0.4. Sun et al. 2020; Keras's `Circle`.
///
/// The embeddings should have length 1. One without a friend or without a stranger has the loss 0, and the mean does not count
/// losses of 0, as in Keras. As there, the gradient also passes through the factors max(0, …), which the paper holds constant.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction: embeddings z | `[batch, n]` | float |
/// | target: labels | `[batch]` | integers |
/// | each | `[batch]` | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::circle::Circle};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let embeddings = tape.input(&Tensor::from([[1f32, 0.0], [1.0, 0.0], [0.0, 1.0]]));
/// let labels = tape.input(&Tensor::from([7i64, 7, 3]));
/// let loss = Circle::new().loss(embeddings, labels).item::<f32>()?;
/// assert!(loss < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Circle {
    gamma: f64,
    margin: f64,
    with_itself: bool,
    reduction: Reduction,
}

impl Circle {
    /// The loss with γ = 80 and a margin of 0.4.
    pub fn new() -> Circle {
        Circle { gamma: 80.0, margin: 0.4, with_itself: false, reduction: Reduction::Mean }
    }

    /// γ: how sharp the loss is.
    #[must_use]
    pub fn gamma(self, gamma: f64) -> Circle {
        Circle { gamma, ..self }
    }

    /// How near friends have to be, and how much further than at a right angle strangers need not be.
    #[must_use]
    pub fn margin(self, margin: f64) -> Circle {
        Circle { margin, ..self }
    }

    /// Every embedding counts among its own friends.
    #[must_use]
    pub fn with_itself(self) -> Circle {
        Circle { with_itself: true, ..self }
    }
}

impl Default for Circle {
    fn default() -> Circle {
        Circle::new()
    }
}

reducible!(Circle);

impl Loss for Circle {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        let (gamma, margin) = (self.gamma, self.margin);
        positive(tape, NAME, "gamma", gamma);
        finite(tape, NAME, "margin", margin);
        embeddings(NAME, prediction, target, 1.0);
        let same = same(NAME, prediction, target);
        let (friends, strangers) = (if self.with_itself { same } else { others(same) }, same.logical_not());
        let z = wide(prediction);
        let d = (1f64 - z.matmul(z.t())).relu();
        let off = (d + margin).relu() * (d - margin);
        let near = (1.0 + margin - d).relu() * (1.0 - margin - d);
        let total = |x: Var<'t>, of| (x * gamma).select(of, f64::NEG_INFINITY).logsumexp(1);
        (total(off, friends) + total(near, strangers)).softplus().cast(prediction.dtype())
    }

    #[track_caller]
    fn counts<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Option<Var<'t>> {
        let each = wide(self.each(prediction, target));
        Some(each.gt(0.0).cast(each.dtype()))
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: Circle| Case::new("circle", name, loss).coupled();
    vec![case("plain", Circle::new()), case("itself", Circle::new().with_itself().gamma(2.0).margin(0.25))]
}
