//! Schedules that take over from each other at given steps.

use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::{Schedule, constant, cosine, exponential, linear, load_states, rising, states};

/// Schedules that take over from each other at given steps. See [`join`].
#[derive(Debug)]
pub struct Join {
    schedules: Vec<Box<dyn Schedule>>,
    boundaries: Vec<u64>,
}

/// The first schedule before the first boundary, the second from its own start there, and so on: one schedule more than boundaries.
///
/// PyTorch's `SequentialLR`, Optax's `join_schedules`. Where each has a [length](Schedule::length), [`then`](Schedule::then) says the same.
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, constant, exponential, join};
/// let schedule = join([Box::new(constant(0.1)) as Box<dyn Schedule>, Box::new(exponential(0.5, 10))], [20]);
/// assert_eq!([19, 20, 30].map(|step| schedule.factor(step)), [0.1, 1.0, 0.5]);
/// ```
#[doc(alias("SequentialLR", "join_schedules"))]
pub fn join(schedules: impl Into<Vec<Box<dyn Schedule>>>, boundaries: impl Into<Vec<u64>>) -> Join {
    Join { schedules: schedules.into(), boundaries: boundaries.into() }
}

impl Schedule for Join {
    fn factor(&self, step: u64) -> f64 {
        let piece = self.boundaries.iter().filter(|&&boundary| step >= boundary).count();
        let start = piece.checked_sub(1).and_then(|before| self.boundaries.get(before)).copied().unwrap_or(0);
        self.schedules.get(piece).map_or(f64::NAN, |schedule| schedule.factor(step.saturating_sub(start)))
    }
    fn length(&self) -> Option<u64> {
        Some(self.boundaries.last().copied().unwrap_or(0).saturating_add(self.schedules.last()?.length()?))
    }
    fn check(&self) -> Result<()> {
        let (schedules, boundaries) = (self.schedules.len(), self.boundaries.len());
        if schedules != boundaries + 1 {
            let message =
                format!("{schedules} schedules for {boundaries} boundaries, which have {} pieces", boundaries + 1);
            return Err(Error::value(message).op("join"));
        }
        rising("join", "the boundaries", self.boundaries.iter().copied())?;
        self.schedules.iter().try_for_each(|schedule| schedule.check())
    }
    fn state(&self) -> Vec<(String, Tensor)> {
        states(self.schedules.iter().map(|schedule| &**schedule))
    }
    fn load_state(&self, state: &[(String, Tensor)]) -> Result<()> {
        load_states(self.schedules.iter().map(|schedule| &**schedule), state)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let boxed = |schedule: Box<dyn Schedule>| schedule;
    let three = || -> Vec<Box<dyn Schedule>> {
        vec![Box::new(constant(0.1)), Box::new(exponential(0.9, 1)), Box::new(linear(0.5, 0.1, 12))]
    };
    vec![
        Case::new("join", "join_optax", join(three(), [10, 30]))
            .refuses(join(three(), [10]), "3 schedules for 1 boundaries")
            .refuses(join(three(), [30, 10]), "out of order")
            .refuses(join([boxed(Box::new(cosine(0)))], []), "0 steps"),
        Case::new("join", "join_pytorch", join(three().into_iter().take(2).collect::<Vec<_>>(), [20])),
    ]
}
