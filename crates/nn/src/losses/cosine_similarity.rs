//! How far two directions are apart.

use wengert_autograd::Var;

use super::case::Case;
use super::operands::{both, unit};
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "CosineSimilarity";

/// −Σ x̂ t̂ along the last axis, where x̂ and t̂ are prediction and target divided by their lengths: −1 where they
/// point the same way, 1 where they are opposite. Rows shorter than 10⁻⁷ are multiplied by 10⁷ instead, so that zeros
/// give 0. Keras's `CosineSimilarity` (once cosine proximity).
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction | `[…, n]` | float |
/// | target | the same | the prediction's, or integers or bools |
/// | each | `[…]` | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::cosine_similarity::CosineSimilarity};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let p = tape.input(&Tensor::from([[3f32, 0.0], [1.0, 1.0]]));
/// let t = tape.input(&Tensor::from([[5f32, 0.0], [-1.0, 1.0]]));
/// let loss = CosineSimilarity::new().loss(p, t).item::<f32>()?;
/// assert!((loss - -0.5).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CosineSimilarity {
    reduction: Reduction,
}

impl CosineSimilarity {
    /// The loss.
    pub fn new() -> CosineSimilarity {
        CosineSimilarity::default()
    }
}

reducible!(CosineSimilarity);

impl Loss for CosineSimilarity {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        let [p, t] = both(NAME, prediction, target).map(|x| unit(x, 1e-7));
        -(p * t).sum_axes(-1).cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("cosine_similarity", "plain", CosineSimilarity::new())]
}
