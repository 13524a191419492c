//! The triplet loss.

use wengert_autograd::Var;

use super::case::{Applied, Case};
use super::cosine_embedding::rows;
use super::operands::{self, not_negative, pair, setting};
use crate::loss::{Reduction, of_three, reducible};

const NAME: &str = "TripletMargin";

/// max(0, d(a, p) − d(a, n) + margin) of every triplet of an anchor a, a positive p, which is alike, and a negative n, which is
/// not: the positive should be nearer. The distance d is ‖x − y + ε‖ₚ with p = 2 and ε = 10⁻⁶ along the last axis. Schroff et al.
/// 2015; Balntas et al. 2016 for [`swap`](TripletMargin::swap). PyTorch's `TripletMarginLoss`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | anchor, positive, negative | `[…, n]`, the same | float |
/// | each | `[…]` | the same |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::losses::triplet_margin::TripletMargin;
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let [a, p, n] = [[0f32, 0.0], [0.0, 1.0], [0.0, 1.5]].map(|x| tape.input(&Tensor::from([x])));
/// assert!((TripletMargin::new().loss(a, p, n).item::<f32>()? - 0.5).abs() < 1e-5);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TripletMargin {
    margin: f64,
    p: f64,
    epsilon: f64,
    swap: bool,
    reduction: Reduction,
}

impl TripletMargin {
    /// The loss of Euclidean distances with a margin of 1.
    pub fn new() -> TripletMargin {
        TripletMargin { margin: 1.0, p: 2.0, epsilon: 1e-6, swap: false, reduction: Reduction::Mean }
    }

    /// How much nearer is near enough.
    #[must_use]
    pub fn margin(self, margin: f64) -> TripletMargin {
        TripletMargin { margin, ..self }
    }

    /// The norm of the distance; `f64::INFINITY` is the largest difference.
    #[must_use]
    pub fn p(self, p: f64) -> TripletMargin {
        TripletMargin { p, ..self }
    }

    /// ε, which keeps the distance of equal embeddings from 0.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> TripletMargin {
        TripletMargin { epsilon, ..self }
    }

    /// Takes the distance of positive and negative where it is smaller than that of anchor and negative.
    #[must_use]
    pub fn swap(self) -> TripletMargin {
        TripletMargin { swap: true, ..self }
    }

    /// The loss of every triplet.
    #[track_caller]
    pub fn each<'t>(&self, anchor: Var<'t>, positive: Var<'t>, negative: Var<'t>) -> Var<'t> {
        let tape = anchor.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        operands::positive(tape, NAME, "margin", self.margin);
        setting(tape, NAME, "norm p", self.p, self.p > 0.0, "above 0, or infinite");
        not_negative(tape, NAME, "epsilon", self.epsilon);
        rows(NAME, anchor);
        let [a, p] = pair(NAME, ["anchor", "positive"], [anchor, positive]);
        let [_, n] = pair(NAME, ["anchor", "negative"], [anchor, negative]);
        let [near, far] = [p, n].map(|x| (a - x + self.epsilon).norm_p(self.p, -1));
        let far = match self.swap {
            true => far.minimum((p - n + self.epsilon).norm_p(self.p, -1)),
            false => far,
        };
        (near - far + self.margin).relu().cast(anchor.dtype())
    }
}

impl Default for TripletMargin {
    fn default() -> TripletMargin {
        TripletMargin::new()
    }
}

reducible!(TripletMargin);
of_three!(TripletMargin: anchor, positive, negative);

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss| {
        let loss = Applied::new(loss, |loss: &TripletMargin, p, t| loss.each(p.at(-2, 0), p.at(-2, 1), t));
        Case::new("triplet_margin", name, loss)
    };
    let new = TripletMargin::new;
    vec![
        case("plain", new()),
        case("p_1", new().p(1.0).margin(2.0)),
        case("p_3_swap", new().p(3.0).swap().epsilon(1e-3)),
        case("swap", new().swap()),
    ]
}
