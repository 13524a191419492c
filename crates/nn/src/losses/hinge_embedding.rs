//! The hinge loss of distances.

use wengert_autograd::Var;

use super::case::Case;
use super::operands::{finite, signed};
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "HingeEmbedding";

/// x where the label is 1, and max(0, margin − x) where it is −1, for every distance x: what is alike comes together,
/// and what is not keeps the margin. PyTorch's `HingeEmbeddingLoss`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction | any | float |
/// | target | the same; `[n]` fits `[n, 1]` | 1 or −1, in floats or integers; 0 and false count as −1 |
/// | each | as the prediction | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::hinge_embedding::HingeEmbedding};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let p = tape.input(&Tensor::from([0.5f32, 0.25]));
/// let t = tape.input(&Tensor::from([1i64, -1]));
/// assert_eq!(HingeEmbedding::new().loss(p, t).item::<f32>()?, 0.625);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HingeEmbedding {
    margin: f64,
    reduction: Reduction,
}

impl HingeEmbedding {
    /// The loss.
    pub fn new() -> HingeEmbedding {
        HingeEmbedding { margin: 1.0, reduction: Reduction::Mean }
    }

    /// How far apart is far enough.
    #[must_use]
    pub fn margin(self, margin: f64) -> HingeEmbedding {
        HingeEmbedding { margin, ..self }
    }
}

impl Default for HingeEmbedding {
    fn default() -> HingeEmbedding {
        HingeEmbedding::new()
    }
}

reducible!(HingeEmbedding);

impl Loss for HingeEmbedding {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        finite(tape, NAME, "margin", self.margin);
        let [p, y] = signed(NAME, prediction, target);
        p.select(y.gt(0.0), (self.margin - p).relu()).cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: HingeEmbedding| Case::new("hinge_embedding", name, loss);
    vec![case("plain", HingeEmbedding::new()), case("margin", HingeEmbedding::new().margin(0.4))]
}
