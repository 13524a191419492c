//! A warm-up, then a fall by a constant ratio.

use wengert_tensor::error::Result;

use super::case::Case;
use super::exponential::{Exponential, exponential};
use super::{Schedule, progress, sound};

/// A warm-up, then a fall by a constant ratio. See [`warmup_exponential`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarmupExponential {
    warmup: u64,
    start: f64,
    fall: Exponential,
}

/// A straight line from 0 to 1 in `warmup` steps, then ratio^((step − warmup) / every).
///
/// Optax's `warmup_exponential_decay_schedule`.
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, warmup_exponential};
/// assert_eq!([0, 5, 10, 30].map(|step| warmup_exponential(10, 0.25, 20).factor(step)), [0.0, 0.5, 1.0, 0.25]);
/// ```
#[doc(alias = "warmup_exponential_decay_schedule")]
pub fn warmup_exponential(warmup: u64, ratio: f64, every: u64) -> WarmupExponential {
    WarmupExponential { warmup, start: 0.0, fall: exponential(ratio, every).smooth() }
}

impl WarmupExponential {
    /// Starts at this factor instead of 0.
    #[must_use]
    pub fn start(self, start: f64) -> WarmupExponential {
        WarmupExponential { start, ..self }
    }

    /// Falls as this one does instead: by stairs, after a while, or to an end.
    ///
    /// ```
    /// use wengert_nn::optim::schedule::{Schedule, exponential, warmup_exponential};
    /// let schedule = warmup_exponential(10, 0.5, 20).fall(exponential(0.5, 20).end(0.1));
    /// assert_eq!([29, 30, 999].map(|step| schedule.factor(step)), [1.0, 0.5, 0.1]);
    /// ```
    #[must_use]
    pub fn fall(self, fall: Exponential) -> WarmupExponential {
        WarmupExponential { fall, ..self }
    }
}

impl Schedule for WarmupExponential {
    fn factor(&self, step: u64) -> f64 {
        match step < self.warmup {
            true => self.start + (1.0 - self.start) * progress(step, self.warmup),
            false => self.fall.factor(step - self.warmup),
        }
    }
    fn check(&self) -> Result<()> {
        sound("warmup_exponential", "the start", self.start)?;
        self.fall.check()
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let stairs = exponential(0.5, 8).begin(4).end(0.1);
    let case = |name, schedule: WarmupExponential| Case::new("warmup_exponential", name, schedule);
    vec![
        case("warmup_exponential_optax", warmup_exponential(10, 0.6, 9).start(0.2))
            .refuses(warmup_exponential(10, 0.6, 0), "0 steps"),
        case("warmup_exponential_optax_staircase", warmup_exponential(10, 0.5, 8).fall(stairs))
            .refuses(warmup_exponential(10, 0.6, 9).start(-1.0), "start is -1"),
    ]
}
