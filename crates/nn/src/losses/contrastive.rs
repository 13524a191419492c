//! The contrastive loss of pairs that are alike or not.

use wengert_autograd::Var;

use super::case::{Applied, Case};
use super::cosine_embedding::rows;
use super::operands::{pair, positive, signs};
use crate::loss::{Reduction, of_three, reducible};

const NAME: &str = "Contrastive";

/// d² / 2 where the pair is alike, and max(0, margin − d)² / 2 where it is not, for the Euclidean distance d of every pair of
/// embeddings. Hadsell, Chopra and LeCun 2006. The gradient at a distance of 0 is 0.
///
/// | | shape | dtype |
/// |---|---|---|
/// | first, second | `[…, n]` | float |
/// | target | `[…]` | 1 or true: alike; −1, 0 or false: not |
/// | each | `[…]` | that of the embeddings |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::losses::contrastive::Contrastive;
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let a = tape.input(&Tensor::from([[0f32, 0.0], [0.0, 0.0]]));
/// let b = tape.input(&Tensor::from([[3f32, 4.0], [0.0, 0.5]]));
/// let alike = tape.input(&Tensor::from([true, false]));
/// assert_eq!(Contrastive::new().loss(a, b, alike).item::<f32>()?, (12.5 + 0.125) / 2.0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contrastive {
    margin: f64,
    reduction: Reduction,
}

impl Contrastive {
    /// The loss with a margin of 1.
    pub fn new() -> Contrastive {
        Contrastive { margin: 1.0, reduction: Reduction::Mean }
    }

    /// How far apart is far enough.
    #[must_use]
    pub fn margin(self, margin: f64) -> Contrastive {
        Contrastive { margin, ..self }
    }

    /// The loss of every pair.
    #[track_caller]
    pub fn each<'t>(&self, first: Var<'t>, second: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = first.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        positive(tape, NAME, "margin", self.margin);
        let [a, b] = pair(NAME, ["first", "second"], [first, second]);
        let y = signs(NAME, first, &rows(NAME, first), target);
        let e = a - b;
        let far = (self.margin - e.norm_axes(-1)).relu().square();
        (e.square().sum_axes(-1).select(y.gt(0.0), far) * 0.5).cast(first.dtype())
    }
}

impl Default for Contrastive {
    fn default() -> Contrastive {
        Contrastive::new()
    }
}

reducible!(Contrastive);
of_three!(Contrastive: first, second, target);

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss| {
        let loss = Applied::new(loss, |loss: &Contrastive, p, t| loss.each(p.at(-2, 0), p.at(-2, 1), t));
        Case::new("contrastive", name, loss)
    };
    vec![case("plain", Contrastive::new()), case("margin", Contrastive::new().margin(2.5))]
}
