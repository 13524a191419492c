//! The logarithm of the hyperbolic cosine of the error.

use wengert_autograd::Var;

use super::case::Case;
use super::operands::both;
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "LogCosh";

/// ln cosh(prediction − target) of every element: e² / 2 near 0 and |e| − ln 2 far out, smooth everywhere. It does
/// not overflow, and keeps its digits at small errors. Keras's `LogCosh`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction | any | float |
/// | target | the same; `[n]` fits `[n, 1]` | the prediction's, or integers or bools |
/// | each | as the prediction | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::log_cosh::LogCosh};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let p = tape.input(&Tensor::from([1f32, 4.0]));
/// let t = tape.input(&Tensor::from([2f32, 2.0]));
/// let loss = LogCosh::new().loss(p, t).item::<f32>()?;
/// assert!((loss - (1f32.cosh().ln() + 2f32.cosh().ln()) / 2.0).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LogCosh {
    reduction: Reduction,
}

impl LogCosh {
    /// The loss.
    pub fn new() -> LogCosh {
        LogCosh::default()
    }
}

reducible!(LogCosh);

impl Loss for LogCosh {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        let [p, t] = both(NAME, prediction, target);
        let e = p - t;
        // cosh e = 1 + 2 sinh²(e / 2) near 0; further out the exponentials are taken apart.
        let near = ((e * 0.5).sinh().square() * 2.0).log1p();
        let far = e + (e * -2.0).softplus() - std::f64::consts::LN_2;
        near.select(e.abs().lt(1.0), far).cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("log_cosh", "plain", LogCosh::new())]
}
