//! A fall by a constant ratio.

use wengert_tensor::error::Result;

use super::case::Case;
use super::{Schedule, some_steps, sound};

/// A fall by a constant ratio. See [`exponential`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exponential {
    ratio: f64,
    every: u64,
    smooth: bool,
    begin: u64,
    end: Option<f64>,
}

/// Multiplies by `ratio` after every `every` steps: ratio^⌊step / every⌋.
///
/// PyTorch's `StepLR` (`gamma`, `step_size`), and with `every = 1` its `ExponentialLR`. With [`smooth`](Exponential::smooth) Keras's
/// `ExponentialDecay` and Optax's `exponential_decay`, both of which say `staircase` for what is the default here.
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, exponential};
/// assert_eq!([0, 9, 10, 25].map(|step| exponential(0.5, 10).factor(step)), [1.0, 1.0, 0.5, 0.25]);
/// assert_eq!(exponential(0.25, 10).smooth().factor(5), 0.5);
/// ```
#[doc(alias("StepLR", "ExponentialLR", "ExponentialDecay", "exponential_decay", "step"))]
pub fn exponential(ratio: f64, every: u64) -> Exponential {
    Exponential { ratio, every, smooth: false, begin: 0, end: None }
}

impl Exponential {
    /// Falls a little at every step: ratio^(step / every).
    #[must_use]
    pub fn smooth(self) -> Exponential {
        Exponential { smooth: true, ..self }
    }

    /// Stays at 1 for this many steps before.
    #[must_use]
    pub fn begin(self, steps: u64) -> Exponential {
        Exponential { begin: steps, ..self }
    }

    /// Stops at this factor: falls no further, or for a ratio above 1 rises no further.
    #[must_use]
    pub fn end(self, end: f64) -> Exponential {
        Exponential { end: Some(end), ..self }
    }
}

impl Schedule for Exponential {
    fn factor(&self, step: u64) -> f64 {
        let (step, every) = (step.saturating_sub(self.begin), self.every.max(1));
        let times = if self.smooth { step as f64 / every as f64 } else { (step / every) as f64 };
        let factor = self.ratio.powf(times);
        match self.end {
            Some(end) if self.ratio < 1.0 => factor.max(end),
            Some(end) => factor.min(end),
            None => factor,
        }
    }
    fn check(&self) -> Result<()> {
        sound("exponential", "the ratio", self.ratio)?;
        sound("exponential", "the end", self.end.unwrap_or(0.0))?;
        some_steps("exponential", "`every`", self.every)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, schedule: Exponential| Case::new("exponential", name, schedule);
    vec![
        case("step_pytorch", exponential(0.5, 10)).refuses(exponential(0.5, 0), "0 steps"),
        case("exponential_pytorch", exponential(0.9, 1)).refuses(exponential(-0.5, 3), "ratio is -0.5"),
        case("exponential_keras", exponential(0.6, 15).smooth()).refuses(exponential(0.5, 3).end(-1.0), "end is -1"),
        case("exponential_keras_staircase", exponential(0.6, 15)),
        case("exponential_optax", exponential(0.5, 8).smooth().begin(12).end(0.2)),
        case("exponential_optax_growth", exponential(1.1, 4).end(2.0)),
    ]
}
