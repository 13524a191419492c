//! The logistic loss of signs.

use wengert_autograd::Var;

use super::case::Case;
use super::operands::signed;
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "SoftMargin";

/// ln(1 + exp(−y x)) of every element, for a score x and a label y of 1 or −1. It does not overflow. PyTorch's
/// `SoftMarginLoss`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction | any | float |
/// | target | the same; `[n]` fits `[n, 1]` | 1 or −1, in floats or integers; 0 and false count as −1 |
/// | each | as the prediction | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::soft_margin::SoftMargin};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let p = tape.input(&Tensor::from([0f32, 0.0]));
/// let t = tape.input(&Tensor::from([1i64, -1]));
/// let loss = SoftMargin::new().loss(p, t).item::<f32>()?;
/// assert!((loss - 2f32.ln()).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SoftMargin {
    reduction: Reduction,
}

impl SoftMargin {
    /// The loss.
    pub fn new() -> SoftMargin {
        SoftMargin::default()
    }
}

reducible!(SoftMargin);

impl Loss for SoftMargin {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        let [p, y] = signed(NAME, prediction, target);
        (-(y * p)).softplus().cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("soft_margin", "plain", SoftMargin::new())]
}
