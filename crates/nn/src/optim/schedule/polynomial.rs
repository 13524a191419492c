//! A fall along a power.

use wengert_tensor::error::Result;

use super::case::Case;
use super::cosine::falls;
use super::{Schedule, progress, some_steps, sound};

/// A fall along a power. See [`polynomial`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Polynomial {
    steps: u64,
    power: f64,
    end: f64,
    cycle: bool,
}

/// Falls from 1 to 0 in `steps` steps along (1 − step / steps)^power, and stays there.
///
/// PyTorch's `PolynomialLR`, Keras's `PolynomialDecay`, Optax's `polynomial_schedule` (whose `transition_begin` is
/// `constant(1.0).steps(begin).then(…)`).
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, polynomial};
/// assert_eq!([0, 5, 10].map(|step| polynomial(10, 2.0).factor(step)), [1.0, 0.25, 0.0]);
/// assert_eq!(polynomial(10, 1.0).end(0.5).factor(5), 0.75);
/// ```
#[doc(alias("PolynomialLR", "PolynomialDecay", "polynomial_schedule"))]
pub fn polynomial(steps: u64, power: f64) -> Polynomial {
    Polynomial { steps, power, end: 0.0, cycle: false }
}

impl Polynomial {
    /// Ends at this factor instead of 0.
    #[must_use]
    pub fn end(self, end: f64) -> Polynomial {
        Polynomial { end, ..self }
    }

    /// After the steps the way becomes twice as long, then three times, and so on: the rate jumps up and falls again. As in Keras.
    #[must_use]
    pub fn cycle(self) -> Polynomial {
        Polynomial { cycle: true, ..self }
    }
}

impl Schedule for Polynomial {
    fn factor(&self, step: u64) -> f64 {
        let ways = if self.cycle { step.div_ceil(self.steps.max(1)).max(1) } else { 1 };
        let left = 1.0 - progress(step, self.steps.saturating_mul(ways));
        (1.0 - self.end) * left.powf(self.power) + self.end
    }
    fn length(&self) -> Option<u64> {
        (!self.cycle).then_some(self.steps)
    }
    fn check(&self) -> Result<()> {
        some_steps("polynomial", "the way", self.steps)?;
        sound("polynomial", "the end", self.end)?;
        falls("polynomial", self.power)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, schedule: Polynomial| Case::new("polynomial", name, schedule);
    vec![
        case("polynomial_pytorch", polynomial(40, 2.0)).refuses(polynomial(0, 2.0), "0 steps"),
        case("polynomial_keras", polynomial(40, 0.5).end(0.1)).refuses(polynomial(9, -1.0), "exponent is -1"),
        case("polynomial_keras_cycle", polynomial(18, 1.5).end(0.1).cycle())
            .refuses(polynomial(9, 1.0).end(-1.0), "end is -1"),
        case("polynomial_optax", polynomial(40, 3.0).end(0.2)),
    ]
}
