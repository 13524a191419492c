//! The triplet loss with a distance of one's own.

use std::fmt;

use wengert_autograd::Var;

use super::case::{Applied, Case};
use super::operands::{self, pair};
use crate::loss::{Reduction, of_three, reducible};

const NAME: &str = "TripletMarginWithDistance";

/// max(0, d(a, p) − d(a, n) + margin) as [`TripletMargin`](super::triplet_margin::TripletMargin), for any function d of two
/// embeddings. PyTorch's `TripletMarginWithDistanceLoss`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | anchor, positive, negative | what d takes, the same | float |
/// | each | what d gives | the same |
///
/// ```
/// use wengert_autograd::{Tape, Var};
/// use wengert_nn::losses::triplet_margin_with_distance::TripletMarginWithDistance;
/// use wengert_tensor::tensor::Tensor;
///
/// fn squared<'t>(x: Var<'t>, y: Var<'t>) -> Var<'t> {
///     (x - y).square().sum_axes(-1)
/// }
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let [a, p, n] = [[0f32, 0.0], [0.0, 1.0], [0.0, 1.5]].map(|x| tape.input(&Tensor::from([x])));
/// let loss = TripletMarginWithDistance::new(squared).margin(2.0);
/// assert_eq!(loss.loss(a, p, n).item::<f32>()?, 0.75);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq)]
pub struct TripletMarginWithDistance<D> {
    distance: D,
    margin: f64,
    swap: bool,
    reduction: Reduction,
}

impl<D> fmt::Debug for TripletMarginWithDistance<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct(NAME);
        fields.field("margin", &self.margin).field("swap", &self.swap).field("reduction", &self.reduction);
        fields.finish_non_exhaustive()
    }
}

impl<D: for<'a> Fn(Var<'a>, Var<'a>) -> Var<'a>> TripletMarginWithDistance<D> {
    /// The loss of this distance with a margin of 1.
    pub fn new(distance: D) -> Self {
        TripletMarginWithDistance { distance, margin: 1.0, swap: false, reduction: Reduction::Mean }
    }

    /// How much nearer is near enough.
    #[must_use]
    pub fn margin(self, margin: f64) -> Self {
        TripletMarginWithDistance { margin, ..self }
    }

    /// Takes the distance of positive and negative where it is smaller than that of anchor and negative.
    #[must_use]
    pub fn swap(self) -> Self {
        TripletMarginWithDistance { swap: true, ..self }
    }

    /// The loss of every triplet.
    #[track_caller]
    pub fn each<'t>(&self, anchor: Var<'t>, positive: Var<'t>, negative: Var<'t>) -> Var<'t> {
        let tape = anchor.tape();
        let _scope = tape.scope(NAME);
        operands::positive(tape, NAME, "margin", self.margin);
        let [a, p] = pair(NAME, ["anchor", "positive"], [anchor, positive]);
        let [_, n] = pair(NAME, ["anchor", "negative"], [anchor, negative]);
        let (near, far) = ((self.distance)(a, p), (self.distance)(a, n));
        let far = if self.swap { far.minimum((self.distance)(p, n)) } else { far };
        (near - far + self.margin).relu().cast(anchor.dtype())
    }
}

reducible!(TripletMarginWithDistance<D>, D);
of_three!(TripletMarginWithDistance<D>, D: anchor, positive, negative);

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    type Distance = for<'a> fn(Var<'a>, Var<'a>) -> Var<'a>;
    fn squared<'t>(x: Var<'t>, y: Var<'t>) -> Var<'t> {
        (x - y).square().sum_axes(-1)
    }
    fn each<'t>(loss: &TripletMarginWithDistance<Distance>, p: Var<'t>, t: Var<'t>) -> Var<'t> {
        loss.each(p.at(-2, 0), p.at(-2, 1), t)
    }
    let case = |name, loss| Case::new("triplet_margin_with_distance", name, Applied::new(loss, each));
    let new = || TripletMarginWithDistance::new(squared as Distance);
    vec![case("plain", new()), case("swap", new().swap().margin(0.5))]
}
