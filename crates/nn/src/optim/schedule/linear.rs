//! A straight line.

use wengert_tensor::error::Result;

use super::case::Case;
use super::{Schedule, progress, some_steps, sound};

/// A straight line between two factors. See [`linear`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Linear {
    start: f64,
    end: f64,
    steps: u64,
}

/// start + (end − start) · step / steps, and `end` after that. PyTorch's `LinearLR`, Optax's `linear_schedule`.
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, linear};
/// assert_eq!([0, 5, 10, 99].map(|step| linear(1.0, 0.0, 10).factor(step)), [1.0, 0.5, 0.0, 0.0]);
/// ```
#[doc(alias("LinearLR", "linear_schedule"))]
pub fn linear(start: f64, end: f64, steps: u64) -> Linear {
    Linear { start, end, steps }
}

impl Schedule for Linear {
    fn factor(&self, step: u64) -> f64 {
        self.start + (self.end - self.start) * progress(step, self.steps)
    }
    fn length(&self) -> Option<u64> {
        Some(self.steps)
    }
    fn check(&self) -> Result<()> {
        sound("linear", "the start", self.start)?;
        sound("linear", "the end", self.end)?;
        some_steps("linear", "the way", self.steps)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("linear", "linear_pytorch", linear(1.0 / 3.0, 1.0, 5)).refuses(linear(1.0, 0.0, 0), "0 steps"),
        Case::new("linear", "linear_optax", linear(1.0, 0.1, 40)).refuses(linear(1.0, -0.5, 9), "end is -0.5"),
    ]
}
