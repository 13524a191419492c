//! The ranking loss of two scores.

use wengert_autograd::Var;

use super::case::{Applied, Case};
use super::operands::{finite, pair, signs};
use crate::loss::{Reduction, of_three, reducible};

const NAME: &str = "MarginRanking";

/// max(0, −y (a − b) + margin) of every pair of scores: a should be higher than b where y is 1, and lower where it is −1.
/// PyTorch's `MarginRankingLoss`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | first a, second b | any, the same | float |
/// | target y | the same | 1 or −1, in floats or integers; 0 and false count as −1 |
/// | each | the same | that of the scores |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::losses::margin_ranking::MarginRanking;
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let (a, b) = (tape.input(&Tensor::from([1f32, 3.0])), tape.input(&Tensor::from([2f32, 1.0])));
/// let first_is_higher = tape.input(&Tensor::from([true, true]));
/// assert_eq!(MarginRanking::new().loss(a, b, first_is_higher).item::<f32>()?, 0.5);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MarginRanking {
    margin: f64,
    reduction: Reduction,
}

impl MarginRanking {
    /// The loss without a margin.
    pub fn new() -> MarginRanking {
        MarginRanking::default()
    }

    /// How much higher is high enough.
    #[must_use]
    pub fn margin(self, margin: f64) -> MarginRanking {
        MarginRanking { margin, ..self }
    }

    /// The loss of every pair.
    #[track_caller]
    pub fn each<'t>(&self, first: Var<'t>, second: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = first.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        finite(tape, NAME, "margin", self.margin);
        let [a, b] = pair(NAME, ["first", "second"], [first, second]);
        let y = signs(NAME, first, &first.shape(), target);
        (y * (b - a) + self.margin).relu().cast(first.dtype())
    }
}

reducible!(MarginRanking);
of_three!(MarginRanking: first, second, target);

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss| {
        let loss = Applied::new(loss, |loss: &MarginRanking, p, t| loss.each(p.at(-1, 0), p.at(-1, 1), t));
        Case::new("margin_ranking", name, loss)
    };
    vec![case("plain", MarginRanking::new()), case("margin", MarginRanking::new().margin(0.4))]
}
