//! One schedule after another.

use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::{Schedule, load_states, states};
use super::{constant, cosine, linear, warmup};

/// One schedule after another: see [`Schedule::then`].
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, constant, linear, warmup};
/// let schedule = warmup(10).then(constant(1.0).steps(80)).then(linear(1.0, 0.0, 10));
/// assert_eq!([4, 50, 95].map(|step| schedule.factor(step)), [0.5, 1.0, 0.5]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Then<A, B> {
    first: A,
    next: B,
}

impl<A, B> Then<A, B> {
    pub(super) fn new(first: A, next: B) -> Then<A, B> {
        Then { first, next }
    }
}

impl<A: Schedule, B: Schedule> Schedule for Then<A, B> {
    fn factor(&self, step: u64) -> f64 {
        match self.first.length() {
            Some(length) if step >= length => self.next.factor(step - length),
            _ => self.first.factor(step),
        }
    }
    fn length(&self) -> Option<u64> {
        Some(self.first.length()?.saturating_add(self.next.length()?))
    }
    fn check(&self) -> Result<()> {
        self.first.check()?;
        if self.first.length().is_none() {
            let error = Error::value("what is chained behind a schedule without an end never comes").op("then");
            return Err(
                error.help("`join` says at which step the next one takes over, `constant(1.0).steps(n)` has an end")
            );
        }
        self.next.check()
    }
    fn state(&self) -> Vec<(String, Tensor)> {
        states([&self.first as &dyn Schedule, &self.next])
    }
    fn load_state(&self, state: &[(String, Tensor)]) -> Result<()> {
        load_states([&self.first as &dyn Schedule, &self.next], state)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("then", "then", warmup(10).then(constant(1.0).steps(20)).then(linear(1.0, 0.0, 20)))
            .refuses(constant(1.0).then(cosine(5)), "without an end")
            .refuses(warmup(3).then(cosine(0)), "0 steps")
            .refuses(cosine(0).then(warmup(3)), "0 steps"),
    ]
}
