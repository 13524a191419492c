//! The cosine loss of pairs that are alike or not.

use wengert_autograd::Var;
use wengert_tensor::error::Error;
use wengert_tensor::shape::Shape;

use super::case::{Applied, Case};
use super::operands::{cosine, pair, setting, signs};
use crate::loss::{Reduction, of_three, reducible};

const NAME: &str = "CosineEmbedding";

/// 1 − cos(a, b) where y is 1, and max(0, cos(a, b) − margin) where it is −1, of every pair of embeddings: what is alike
/// turns the same way, and what is not turns away. PyTorch's `CosineEmbeddingLoss`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | first a, second b | `[…, n]` | float |
/// | target y | `[…]` | 1 or −1, in floats or integers; 0 and false count as −1 |
/// | each | `[…]` | that of the embeddings |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::losses::cosine_embedding::CosineEmbedding;
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let a = tape.input(&Tensor::from([[1f64, 0.0], [0.0, 2.0]]));
/// let b = tape.input(&Tensor::from([[0f64, 1.0], [0.0, 3.0]]));
/// let alike = tape.input(&Tensor::from([true, false]));
/// assert!((CosineEmbedding::new().loss(a, b, alike).item::<f64>()? - 1.0).abs() < 1e-9);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CosineEmbedding {
    margin: f64,
    reduction: Reduction,
}

impl CosineEmbedding {
    /// The loss with a margin of 0.
    pub fn new() -> CosineEmbedding {
        CosineEmbedding::default()
    }

    /// The cosine between −1 and 1 below which pairs that are not alike lose nothing.
    #[must_use]
    pub fn margin(self, margin: f64) -> CosineEmbedding {
        CosineEmbedding { margin, ..self }
    }

    /// The loss of every pair.
    #[track_caller]
    pub fn each<'t>(&self, first: Var<'t>, second: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = first.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        setting(tape, NAME, "margin", self.margin, (-1.0..=1.0).contains(&self.margin), "a cosine, from −1 to 1");
        let [a, b] = pair(NAME, ["first", "second"], [first, second]);
        let y = signs(NAME, first, &rows(NAME, first), target);
        let cos = cosine(a, b, 1e-12);
        (1f64 - cos).select(y.gt(0.0), (cos - self.margin).relu()).cast(first.dtype())
    }
}

reducible!(CosineEmbedding);
of_three!(CosineEmbedding: first, second, target);

/// The shape without the last axis, along which an embedding lies.
#[track_caller]
pub(super) fn rows(name: &'static str, x: Var<'_>) -> Shape {
    let shape = x.shape();
    if shape.rank() == 0 {
        x.tape().reject(name, &[("embedding", x)], Error::shape("an embedding is […, n], not a single number"));
    }
    shape.without(&[shape.rank().saturating_sub(1)])
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss| {
        let loss = Applied::new(loss, |loss: &CosineEmbedding, p, t| loss.each(p.at(-2, 0), p.at(-2, 1), t));
        Case::new("cosine_embedding", name, loss)
    };
    vec![case("plain", CosineEmbedding::new()), case("margin", CosineEmbedding::new().margin(0.3))]
}
