//! A warm-up, then half a wave of the cosine.

use wengert_tensor::error::{Error, Result};

use super::case::Case;
use super::cosine::{cosine, falls};
use super::{Schedule, progress, some_steps, sound};

/// A warm-up, then half a wave of the cosine. See [`warmup_cosine`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarmupCosine {
    warmup: u64,
    steps: u64,
    start: f64,
    alpha: f64,
    exponent: f64,
}

/// A straight line from 0 to 1 in `warmup` steps, then half a wave of the cosine down to 0 at the end of all `steps`.
///
/// Optax's `warmup_cosine_decay_schedule`: `steps` counts the warm-up in. Keras's `CosineDecay` with a `warmup_target` counts it apart:
/// `steps = warmup_steps + decay_steps`, the learning rate is the target, and `start` its `initial_learning_rate` ÷ target.
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, warmup_cosine};
/// assert_eq!([0, 5, 10, 110].map(|step| warmup_cosine(10, 110).factor(step)), [0.0, 0.5, 1.0, 0.0]);
/// ```
#[doc(alias("warmup_cosine_decay_schedule", "CosineDecay"))]
pub fn warmup_cosine(warmup: u64, steps: u64) -> WarmupCosine {
    WarmupCosine { warmup, steps, start: 0.0, alpha: 0.0, exponent: 1.0 }
}

impl WarmupCosine {
    /// Starts at this factor instead of 0.
    #[must_use]
    pub fn start(self, start: f64) -> WarmupCosine {
        WarmupCosine { start, ..self }
    }

    /// Ends at this factor instead of 0.
    #[must_use]
    pub fn alpha(self, alpha: f64) -> WarmupCosine {
        WarmupCosine { alpha, ..self }
    }

    /// Raises the wave, which lies between 0 and 1, to a power.
    #[must_use]
    pub fn exponent(self, exponent: f64) -> WarmupCosine {
        WarmupCosine { exponent, ..self }
    }
}

impl Schedule for WarmupCosine {
    fn factor(&self, step: u64) -> f64 {
        if step < self.warmup {
            return self.start + (1.0 - self.start) * progress(step, self.warmup);
        }
        let rest = cosine(self.steps.saturating_sub(self.warmup)).alpha(self.alpha).exponent(self.exponent);
        rest.factor(step - self.warmup)
    }
    fn length(&self) -> Option<u64> {
        Some(self.steps)
    }
    fn check(&self) -> Result<()> {
        some_steps("warmup_cosine", "the way", self.steps)?;
        if self.warmup >= self.steps {
            let message = format!("a warm-up of {} steps in {} steps altogether", self.warmup, self.steps);
            return Err(Error::value(message).op("warmup_cosine").help("the steps count the warm-up in"));
        }
        sound("warmup_cosine", "the start", self.start)?;
        sound("warmup_cosine", "alpha", self.alpha)?;
        falls("warmup_cosine", self.exponent)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, schedule: WarmupCosine| Case::new("warmup_cosine", name, schedule);
    vec![
        case("warmup_cosine_optax", warmup_cosine(10, 50).start(0.1).alpha(0.05).exponent(1.5))
            .refuses(warmup_cosine(10, 10), "warm-up of 10 steps in 10")
            .refuses(warmup_cosine(1, 10).start(-1.0), "start is -1"),
        case("warmup_cosine_keras", warmup_cosine(12, 52).start(0.25).alpha(0.1))
            .refuses(warmup_cosine(0, 0), "0 steps"),
    ]
}
