//! A fall by powers of e.

use wengert_tensor::error::Result;

use super::case::Case;
use super::{Schedule, some_steps, sound};

/// A fall by powers of e. See [`natural_exponential`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NaturalExponential {
    rate: f64,
    every: u64,
    staircase: bool,
}

/// exp(−rate · step / every). TensorFlow's `natural_exp_decay`.
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, natural_exponential};
/// assert_eq!(natural_exponential(0.5, 10).factor(20), (-1f64).exp());
/// ```
#[doc(alias = "natural_exp_decay")]
pub fn natural_exponential(rate: f64, every: u64) -> NaturalExponential {
    NaturalExponential { rate, every, staircase: false }
}

impl NaturalExponential {
    /// Falls only after every `every` steps.
    #[must_use]
    pub fn staircase(self) -> NaturalExponential {
        NaturalExponential { staircase: true, ..self }
    }
}

impl Schedule for NaturalExponential {
    fn factor(&self, step: u64) -> f64 {
        let times = step as f64 / self.every.max(1) as f64;
        (-self.rate * if self.staircase { times.floor() } else { times }).exp()
    }
    fn check(&self) -> Result<()> {
        sound("natural_exponential", "the rate", self.rate)?;
        some_steps("natural_exponential", "`every`", self.every)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, schedule: NaturalExponential| Case::new("natural_exponential", name, schedule);
    vec![
        case("natural_exponential", natural_exponential(0.4, 10))
            .refuses(natural_exponential(-0.4, 10), "rate is -0.4"),
        case("natural_exponential_staircase", natural_exponential(0.4, 10).staircase())
            .refuses(natural_exponential(0.4, 0), "0 steps"),
    ]
}
