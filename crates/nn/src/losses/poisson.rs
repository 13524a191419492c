//! The Poisson loss of rates.

use wengert_autograd::Var;

use super::case::Case;
use super::operands::{AT_LEAST_0, both, within};
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "Poisson";

/// prediction − target · ln(prediction + ε) of every element, for predicted rates of events and counts of them; ε is
/// 10⁻⁷. Keras's `Poisson`. [`PoissonNll`](super::poisson_nll::PoissonNll) takes the logarithm of the rate, which
/// needs no ε.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction | any | float |
/// | target | the same; `[n]` fits `[n, 1]` | the prediction's, or integers or bools |
/// | each | as the prediction | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::poisson::Poisson};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let p = tape.input(&Tensor::from([1f32, 4.0]));
/// let t = tape.input(&Tensor::from([2f32, 0.0]));
/// let loss = Poisson::new().loss(p, t).item::<f32>()?;
/// assert!((loss - 2.5).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Poisson {
    reduction: Reduction,
}

impl Poisson {
    /// The loss.
    pub fn new() -> Poisson {
        Poisson::default()
    }
}

reducible!(Poisson);

impl Loss for Poisson {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        let [p, t] = both(NAME, prediction, target);
        let [p, t] = [within(p, p, AT_LEAST_0, "rate"), within(t, t, AT_LEAST_0, "count")];
        (p - t * (p + 1e-7).log()).cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("poisson", "plain", Poisson::new()).positive()]
}
