//! Two schedules at once.

use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::{Schedule, load_states, states};
use super::{constant, exponential, linear};

/// The product of two schedules: see [`Schedule::times`]. PyTorch's `ChainedScheduler`.
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, exponential, warmup};
/// let schedule = warmup(4).times(exponential(0.5, 10));
/// assert_eq!([1, 5, 10].map(|step| schedule.factor(step)), [0.5, 1.0, 0.5]);
/// ```
#[doc(alias = "ChainedScheduler")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times<A, B> {
    one: A,
    other: B,
}

impl<A, B> Times<A, B> {
    pub(super) fn new(one: A, other: B) -> Times<A, B> {
        Times { one, other }
    }
}

impl<A: Schedule, B: Schedule> Schedule for Times<A, B> {
    fn factor(&self, step: u64) -> f64 {
        self.one.factor(step) * self.other.factor(step)
    }
    /// That of the longer one, if both have one.
    fn length(&self) -> Option<u64> {
        Some(self.one.length()?.max(self.other.length()?))
    }
    fn check(&self) -> Result<()> {
        self.one.check()?;
        self.other.check()
    }
    fn state(&self) -> Vec<(String, Tensor)> {
        states([&self.one as &dyn Schedule, &self.other])
    }
    fn load_state(&self, state: &[(String, Tensor)]) -> Result<()> {
        load_states([&self.one as &dyn Schedule, &self.other], state)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("times", "times_pytorch", constant(0.1).steps(5).times(exponential(0.9, 1)))
            .refuses(linear(1.0, 0.0, 0).times(constant(1.0)), "0 steps")
            .refuses(constant(1.0).times(linear(1.0, 0.0, 0)), "0 steps"),
    ]
}
