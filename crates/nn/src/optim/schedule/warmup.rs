//! A straight line from almost nothing to 1.

use wengert_tensor::error::Result;

use super::case::Case;
use super::{Schedule, sound};

/// A straight line up to 1. See [`warmup`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Warmup {
    steps: u64,
    start: f64,
}

/// Rises to 1 in `steps` equal parts: 1/steps at the first step, 1 at the last and after it. With 0 steps there is no warm-up.
///
/// It never wastes a step on a rate of 0. For a line that starts at a given factor and reaches 1 *after* the steps, as in PyTorch's
/// `LinearLR` and Optax's `linear_schedule`, see [`linear`](super::linear()).
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, warmup};
/// assert_eq!([0, 1, 3, 9].map(|step| warmup(4).factor(step)), [0.25, 0.5, 1.0, 1.0]);
/// ```
pub fn warmup(steps: u64) -> Warmup {
    Warmup { steps, start: 0.0 }
}

impl Warmup {
    /// Rises from this factor instead of from 0: start + (1 − start) / steps at the first step.
    #[must_use]
    pub fn start(self, start: f64) -> Warmup {
        Warmup { start, ..self }
    }
}

impl Schedule for Warmup {
    fn factor(&self, step: u64) -> f64 {
        if step >= self.steps {
            return 1.0;
        }
        self.start + (1.0 - self.start) * ((step + 1) as f64 / self.steps as f64)
    }
    fn length(&self) -> Option<u64> {
        Some(self.steps)
    }
    fn check(&self) -> Result<()> {
        sound("warmup", "the start", self.start)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("warmup", "warmup", warmup(20)).refuses(warmup(20).start(-0.1), "start is -0.1"),
        Case::new("warmup", "warmup_start", warmup(20).start(0.2)),
    ]
}
