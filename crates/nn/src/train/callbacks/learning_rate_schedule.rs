//! A learning rate that changes from epoch to epoch.

use crate::module::Module;
use crate::optim::schedule::Schedule;
use crate::train::callback::{At, Callback};
use crate::train::flow::Flow;
use std::fmt;
use wengert_tensor::error::Result;

/// Sets the learning rate when an epoch begins, and reports it as `learning_rate`. Keras's `LearningRateScheduler`.
///
/// ```
/// use wengert_nn::optim::schedule::exponential;
/// use wengert_nn::train::callbacks::learning_rate_schedule::LearningRateSchedule;
/// # use wengert_nn::{layers::dense::Dense, losses::mean_squared_error::MeanSquaredError};
/// # use wengert_nn::{optim::sgd::Sgd, train::trainer::Trainer};
/// # use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let data = (Tensor::from([[0f32], [1.0]]), Tensor::from([[1f32], [3.0]]));
/// # let trainer = || Trainer::new(Sgd::new(0.1), MeanSquaredError::new()).epochs(3).verbose(false);
/// // As Keras does it: from the number of the epoch, from 1, and the learning rate now.
/// let mut one = trainer().callback(LearningRateSchedule::new(|epoch, rate| if epoch == 1 { rate } else { rate / 2.0 }));
/// assert_eq!(one.fit(&mut Dense::new(1, 1), &data)?.column("learning_rate"), Some(vec![0.1, 0.05, 0.025]));
/// // A schedule, once an epoch: its factor holds for all learning rates, those of groups too.
/// let mut other = trainer().callback(LearningRateSchedule::by(exponential(0.5, 1)));
/// assert_eq!(other.fit(&mut Dense::new(1, 1), &data)?.column("learning_rate"), Some(vec![0.1, 0.05, 0.025]));
/// # Ok(()) }
/// ```
///
/// For a change at every step there is [`Optimizer::schedule`](crate::optim::optimizer::Optimizer::schedule).
pub struct LearningRateSchedule<'a>(Rule<'a>);

enum Rule<'a> {
    Rate(Box<dyn FnMut(usize, f64) -> f64 + 'a>),
    Factor(Box<dyn Schedule>),
}

impl<'a> LearningRateSchedule<'a> {
    /// From the number of the epoch that begins, from 1, and the learning rate so far (that of the parameters that are in no group) follows the
    /// new one.
    pub fn new(rate: impl FnMut(usize, f64) -> f64 + 'a) -> LearningRateSchedule<'a> {
        LearningRateSchedule(Rule::Rate(Box::new(rate)))
    }

    /// Multiplies all learning rates by the factor of a schedule whose steps are epochs.
    pub fn by(schedule: impl Schedule) -> LearningRateSchedule<'a> {
        LearningRateSchedule(Rule::Factor(Box::new(schedule)))
    }
}

impl Callback for LearningRateSchedule<'_> {
    fn name(&self) -> &str {
        "learning_rate_schedule"
    }

    fn columns(&self, _: &dyn Module) -> Vec<String> {
        vec!["learning_rate".into()]
    }

    fn on_begin(&mut self, _: &mut At<'_>) -> Result<()> {
        match &self.0 {
            Rule::Factor(schedule) => schedule.check(),
            Rule::Rate(_) => Ok(()),
        }
    }

    fn on_epoch_begin(&mut self, at: &mut At<'_>) -> Result<()> {
        let (epoch, rate) = (at.epoch(), at.optimizer().learning_rate());
        match &mut self.0 {
            Rule::Rate(next) => at.optimizer_mut().set_learning_rate(next(epoch, rate)),
            Rule::Factor(schedule) => {
                let factor = schedule.factor(epoch.saturating_sub(1) as u64);
                at.optimizer_mut().set_rate_scale(factor);
            }
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, at: &mut At<'_>) -> Result<Flow> {
        let rate = at.optimizer().learning_rate() * at.optimizer().factor();
        at.logs_mut().set("learning_rate", rate);
        Ok(Flow::Continue)
    }
}

impl fmt::Debug for LearningRateSchedule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LearningRateSchedule").finish_non_exhaustive()
    }
}
