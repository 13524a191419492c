//! Half a wave of the cosine.

use std::f64::consts::PI;

use wengert_tensor::error::{Error, Result};

use super::case::Case;
use super::{Schedule, progress, some_steps, sound};

/// Half a wave of the cosine from 1 to an end. See [`cosine`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cosine {
    steps: u64,
    alpha: f64,
    exponent: f64,
    periodic: bool,
}

/// Falls from 1 to 0 in `steps` steps along (1 + cos(π · step / steps)) / 2, and stays there. Loshchilov & Hutter 2016.
///
/// Keras's `CosineDecay`, Optax's `cosine_decay_schedule`; with [`periodic`](Cosine::periodic) PyTorch's `CosineAnnealingLR`.
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, cosine, warmup};
/// let schedule = warmup(10).then(cosine(100));
/// assert_eq!(schedule.factor(10), 1.0);
/// assert!((schedule.factor(60) - 0.5).abs() < 1e-12);
/// assert_eq!(schedule.factor(500), 0.0);
/// assert_eq!(cosine(100).alpha(0.1).factor(100), 0.1);
/// ```
#[doc(alias("CosineAnnealingLR", "CosineDecay", "cosine_decay_schedule"))]
pub fn cosine(steps: u64) -> Cosine {
    Cosine { steps, alpha: 0.0, exponent: 1.0, periodic: false }
}

impl Cosine {
    /// Ends at this factor instead of 0: `eta_min` ÷ learning rate.
    #[must_use]
    pub fn alpha(self, alpha: f64) -> Cosine {
        Cosine { alpha, ..self }
    }

    /// Raises the wave, which lies between 0 and 1, to a power.
    #[must_use]
    pub fn exponent(self, exponent: f64) -> Cosine {
        Cosine { exponent, ..self }
    }

    /// Goes up again after the steps, and down, and so on, as PyTorch does.
    #[must_use]
    pub fn periodic(self) -> Cosine {
        Cosine { periodic: true, ..self }
    }
}

/// The wave between 1 and 0.
pub(super) fn wave(progress: f64) -> f64 {
    if progress == 1.0 { 0.0 } else { 0.5 * (1.0 + (PI * progress).cos()) }
}

/// That a power of the wave is one that falls.
pub(super) fn falls(schedule: &str, exponent: f64) -> Result<()> {
    match exponent > 0.0 && exponent.is_finite() {
        true => Ok(()),
        false => Err(Error::value(format!("the exponent is {exponent}, and must be positive")).op(schedule)),
    }
}

impl Schedule for Cosine {
    fn factor(&self, step: u64) -> f64 {
        let there_and_back = self.steps.saturating_mul(2).max(1);
        let step = match (self.periodic, step % there_and_back) {
            (false, _) => step,
            (true, on) => on.min(there_and_back - on),
        };
        self.alpha + (1.0 - self.alpha) * wave(progress(step, self.steps)).powf(self.exponent)
    }
    fn length(&self) -> Option<u64> {
        (!self.periodic).then_some(self.steps)
    }
    fn check(&self) -> Result<()> {
        some_steps("cosine", "the way", self.steps)?;
        sound("cosine", "alpha", self.alpha)?;
        falls("cosine", self.exponent)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, schedule: Cosine| Case::new("cosine", name, schedule);
    vec![
        case("cosine_pytorch", cosine(25).alpha(0.1).periodic()).refuses(cosine(0), "0 steps"),
        case("cosine_keras", cosine(40).alpha(0.2)).refuses(cosine(9).alpha(-0.1), "alpha is -0.1"),
        case("cosine_optax", cosine(40).alpha(0.05).exponent(1.7)).refuses(cosine(9).exponent(0.0), "exponent is 0"),
    ]
}
