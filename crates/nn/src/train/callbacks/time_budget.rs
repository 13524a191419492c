//! The end of a run by the clock.

use crate::tensors::{Named, float};
use crate::train::callback::{At, Callback};
use crate::train::flow::Flow;
use std::time::{Duration, Instant};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

/// Ends a run after the epoch in which its time is up; with [`at_once`](TimeBudget::at_once) after the step. Lightning's `Timer`.
///
/// ```
/// use std::time::Duration;
/// use wengert_nn::train::callbacks::time_budget::TimeBudget;
/// # use wengert_nn::{layers::dense::Dense, losses::mean_squared_error::MeanSquaredError};
/// # use wengert_nn::{optim::sgd::Sgd, train::trainer::Trainer};
/// # use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let data = (Tensor::from([[0f32], [1.0]]), Tensor::from([[1f32], [3.0]]));
/// let mut trainer = Trainer::new(Sgd::new(0.1), MeanSquaredError::new())
///     .epochs(usize::MAX)
///     .callback(TimeBudget::new(Duration::from_millis(20)));
/// # trainer = trainer.verbose(false);
/// trainer.fit(&mut Dense::new(1, 1), &data)?;
/// # Ok(()) }
/// ```
///
/// The time before a run was interrupted counts when it is resumed. A run that the clock ends is not the same on every machine.
#[derive(Clone, Debug)]
pub struct TimeBudget {
    budget: Duration,
    at_once: bool,
    /// What was used before this process.
    before: f64,
    start: Instant,
}

impl TimeBudget {
    /// So much time for the whole run.
    pub fn new(budget: Duration) -> TimeBudget {
        TimeBudget { budget, at_once: false, before: 0.0, start: Instant::now() }
    }

    /// Does not wait for the end of the epoch, which is broken off and is not in the history.
    #[must_use]
    pub fn at_once(self) -> TimeBudget {
        TimeBudget { at_once: true, ..self }
    }

    fn used(&self) -> f64 {
        self.before + self.start.elapsed().as_secs_f64()
    }

    fn judge(&self, at: &mut At<'_>) -> Flow {
        if self.used() < self.budget.as_secs_f64() {
            return Flow::Continue;
        }
        at.note(format!("the {:.0?} are over: the run ends early", self.budget));
        Flow::Stop
    }
}

impl Callback for TimeBudget {
    fn name(&self) -> &str {
        "time_budget"
    }

    fn on_begin(&mut self, at: &mut At<'_>) -> Result<()> {
        self.start = Instant::now();
        if !at.resumed() {
            self.before = 0.0;
        }
        Ok(())
    }

    fn on_batch_end(&mut self, at: &mut At<'_>) -> Result<Flow> {
        Ok(if self.at_once { self.judge(at) } else { Flow::Continue })
    }

    fn on_epoch_end(&mut self, at: &mut At<'_>) -> Result<Flow> {
        Ok(self.judge(at))
    }

    fn state(&self) -> Named {
        vec![("used".to_string(), Tensor::from(self.used()))]
    }

    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        let used = float(state, "used")?;
        if !(used >= 0.0 && used.is_finite()) {
            return Err(Error::format(format!("`used` is {used} seconds")).op("load_state"));
        }
        self.before = used;
        Ok(())
    }
}
