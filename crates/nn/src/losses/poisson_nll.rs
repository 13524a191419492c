//! Negative log-likelihood of counts under a Poisson distribution.

use wengert_autograd::Var;

use super::case::Case;
use super::operands::{AT_LEAST_0, both, positive, within};
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "PoissonNll";

/// eˣ − t x of every element, for the logarithm x of a rate and a count t: −ln of the probability of t, without the
/// term ln t! that no prediction changes. PyTorch's `PoissonNLLLoss`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction | any | float |
/// | target | the same; `[n]` fits `[n, 1]` | the prediction's, or integers or bools |
/// | each | as the prediction | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::poisson_nll::PoissonNll};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let p = tape.input(&Tensor::from([0f32, 0.0]));
/// let t = tape.input(&Tensor::from([2f32, 1.0]));
/// assert_eq!(PoissonNll::new().loss(p, t).item::<f32>()?, 1.0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoissonNll {
    log_input: bool,
    full: bool,
    epsilon: f64,
    reduction: Reduction,
}

impl PoissonNll {
    /// The loss.
    pub fn new() -> PoissonNll {
        PoissonNll { log_input: true, full: false, epsilon: 1e-8, reduction: Reduction::Mean }
    }

    /// The prediction is the rate itself, not its logarithm: x − t ln(x + ε).
    #[must_use]
    pub fn from_rates(self) -> PoissonNll {
        PoissonNll { log_input: false, ..self }
    }

    /// Adds Stirling's approximation of ln t!, t ln t − t + ln(2πt) / 2, where t > 1.
    #[must_use]
    pub fn full(self) -> PoissonNll {
        PoissonNll { full: true, ..self }
    }

    /// ε, which keeps rates of 0 finite.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> PoissonNll {
        PoissonNll { epsilon, ..self }
    }
}

impl Default for PoissonNll {
    fn default() -> PoissonNll {
        PoissonNll::new()
    }
}

reducible!(PoissonNll);

impl Loss for PoissonNll {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        positive(tape, NAME, "epsilon", self.epsilon);
        let [p, t] = both(NAME, prediction, target);
        let t = within(t, t, AT_LEAST_0, "count");
        let loss = match self.log_input {
            true => p.exp() - t * p,
            false => within(p, p, AT_LEAST_0, "rate") - t * (p + self.epsilon).log(),
        };
        if !self.full {
            return loss.cast(prediction.dtype());
        }
        let t = t.maximum(1.0);
        let stirling = t * t.log() - t + (t * std::f64::consts::TAU).log() * 0.5;
        (loss + stirling.select(t.gt(1.0), 0.0)).cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: PoissonNll| Case::new("poisson_nll", name, loss);
    vec![
        case("plain", PoissonNll::new()),
        case("rates", PoissonNll::new().from_rates()).positive(),
        case("full", PoissonNll::new().full()),
        case("epsilon", PoissonNll::new().from_rates().epsilon(0.1)).positive(),
    ]
}
