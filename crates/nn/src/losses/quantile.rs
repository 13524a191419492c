//! The quantile or pinball loss.

use wengert_autograd::Var;

use super::case::Case;
use super::operands::{both, setting};
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "Quantile";

/// max(q e, (q − 1) e) for e = target − prediction of every element. Its least mean is at the q-quantile of the
/// targets: with q = 0.9, nine of ten lie below the prediction. The derivative at e = 0 lies between. Koenker and
/// Bassett 1978.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction | any | float |
/// | target | the same; `[n]` fits `[n, 1]` | the prediction's, or integers or bools |
/// | each | as the prediction | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::quantile::Quantile};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let p = tape.input(&Tensor::from([1f32, 4.0]));
/// let t = tape.input(&Tensor::from([2f32, 2.0]));
/// let loss = Quantile::new(0.9).loss(p, t).item::<f32>()?;
/// assert!((loss - 0.55).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantile {
    q: f64,
    reduction: Reduction,
}

impl Quantile {
    /// The loss of the quantile q, above 0 and below 1.
    pub fn new(q: f64) -> Quantile {
        Quantile { q, reduction: Reduction::Mean }
    }
}

reducible!(Quantile);

impl Loss for Quantile {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        setting(tape, NAME, "quantile", self.q, self.q > 0.0 && self.q < 1.0, "above 0 and below 1");
        let [p, t] = both(NAME, prediction, target);
        let e = t - p;
        (e * self.q).maximum(e * (self.q - 1.0)).cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: Quantile| Case::new("quantile", name, loss);
    vec![case("tenth", Quantile::new(0.1)), case("ninth", Quantile::new(0.9))]
}
