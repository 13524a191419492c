//! A learning rate that falls when the run no longer gets better.

use crate::module::Module;
use crate::tensors::{Named, count, counted, float};
use crate::train::callback::{At, Callback};
use crate::train::flow::Flow;
use crate::train::logs::figure;
use crate::train::monitor::{Mode, Monitor};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

/// Multiplies all learning rates by a factor when a figure has not become better for some epochs, and reports `learning_rate`. Keras's
/// `ReduceLROnPlateau`, with its defaults; PyTorch's is [`Plateau`](crate::optim::schedule::Plateau).
///
/// ```
/// use wengert_nn::train::callbacks::reduce_on_plateau::ReduceOnPlateau;
/// # use wengert_nn::{layers::dense::Dense, losses::mean_squared_error::MeanSquaredError};
/// # use wengert_nn::{optim::sgd::Sgd, train::trainer::Trainer};
/// # use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let data = (Tensor::from([[0f32], [1.0]]), Tensor::from([[1f32], [3.0]]));
/// let mut trainer = Trainer::new(Sgd::new(1.0), MeanSquaredError::new())
///     .epochs(20)
///     .callback(ReduceOnPlateau::on("loss").patience(1).factor(0.5));
/// # trainer = trainer.verbose(false);
/// let history = trainer.fit(&mut Dense::new(1, 1), &data)?;
/// assert!(history.last("learning_rate") < Some(1.0));
/// # Ok(()) }
/// ```
///
/// `ReduceOnPlateau` and the schedule of the optimizer are multiplied. Two callbacks that set the
/// [scale](crate::optim::optimizer::Optimizer::set_rate_scale) of the learning rates multiply too: this one changes what is there.
#[doc(alias = "ReduceLROnPlateau")]
#[derive(Clone, Debug)]
pub struct ReduceOnPlateau {
    monitor: Monitor,
    factor: f64,
    patience: usize,
    cooldown: usize,
    min_rate: f64,
    best: f64,
    waited: usize,
    cooling: usize,
}

impl ReduceOnPlateau {
    /// Watches this column: `"val_loss"`.
    pub fn on(monitor: impl Into<String>) -> ReduceOnPlateau {
        ReduceOnPlateau {
            monitor: Monitor { min_delta: 1e-4, ..Monitor::on(monitor) },
            factor: 0.1,
            patience: 10,
            cooldown: 0,
            min_rate: 0.0,
            best: f64::NAN,
            waited: 0,
            cooling: 0,
        }
    }

    /// What the learning rates are multiplied by, below 1 (default: 0.1).
    #[must_use]
    pub fn factor(self, factor: f64) -> ReduceOnPlateau {
        ReduceOnPlateau { factor, ..self }
    }

    /// After so many epochs in a row that were not better the learning rate falls (default: 10).
    #[must_use]
    pub fn patience(self, epochs: usize) -> ReduceOnPlateau {
        ReduceOnPlateau { patience: epochs, ..self }
    }

    /// By how much a figure must be better to count (default: 1e-4).
    #[must_use]
    pub fn min_delta(mut self, difference: f64) -> ReduceOnPlateau {
        self.monitor.min_delta = difference;
        self
    }

    /// Whether smaller or larger figures are better (default: as the metric says).
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> ReduceOnPlateau {
        self.monitor.mode = mode;
        self
    }

    /// For so many epochs after a fall nothing is counted (default: 0).
    #[must_use]
    pub fn cooldown(self, epochs: usize) -> ReduceOnPlateau {
        ReduceOnPlateau { cooldown: epochs, ..self }
    }

    /// Below this the learning rate does not fall (default: 0).
    #[must_use]
    pub fn min_rate(self, learning_rate: f64) -> ReduceOnPlateau {
        ReduceOnPlateau { min_rate: learning_rate, ..self }
    }
}

impl Callback for ReduceOnPlateau {
    fn name(&self) -> &str {
        "reduce_on_plateau"
    }

    fn monitors(&self) -> Vec<String> {
        vec![self.monitor.name.clone()]
    }

    fn columns(&self, _: &dyn Module) -> Vec<String> {
        vec!["learning_rate".into()]
    }

    fn on_begin(&mut self, at: &mut At<'_>) -> Result<()> {
        self.monitor.check("ReduceOnPlateau")?;
        if !(self.factor >= 0.0 && self.factor < 1.0) {
            let message = format!("the factor is {}, and must be at least 0 and below 1", self.factor);
            return Err(Error::value(message).op("ReduceOnPlateau"));
        }
        if !(self.min_rate >= 0.0 && self.min_rate.is_finite()) {
            let message = format!("the least learning rate is {}, and must not be negative", self.min_rate);
            return Err(Error::value(message).op("ReduceOnPlateau"));
        }
        if !at.resumed() {
            (self.best, self.waited, self.cooling) = (f64::NAN, 0, 0);
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, at: &mut At<'_>) -> Result<Flow> {
        let rate = at.optimizer().learning_rate() * at.optimizer().rate_scale();
        let shown = at.optimizer().learning_rate() * at.optimizer().factor();
        let figure_now = at.logs().get(&self.monitor.name);
        at.logs_mut().set("learning_rate", shown);
        let Some(now) = figure_now else { return Ok(Flow::Continue) };
        if self.cooling > 0 {
            (self.cooling, self.waited) = (self.cooling - 1, 0);
        }
        if self.monitor.is_better(at.columns(), now, self.best) {
            (self.best, self.waited) = (now, 0);
        } else if self.cooling == 0 {
            self.waited += 1;
            if self.waited >= self.patience && rate > self.min_rate {
                let next = (rate * self.factor).max(self.min_rate);
                let scale = at.optimizer().rate_scale() * (next / rate);
                at.optimizer_mut().set_rate_scale(scale);
                (self.cooling, self.waited) = (self.cooldown, 0);
                let (name, best) = (&self.monitor.name, figure(self.best));
                let text = format!("epoch {}: `{name}` stays at {best}: learning rate {}", at.epoch(), figure(next));
                at.note(text);
            }
        }
        Ok(Flow::Continue)
    }

    fn state(&self) -> Named {
        vec![
            ("best".to_string(), Tensor::from(self.best)),
            ("waited".to_string(), counted(self.waited)),
            ("cooling".to_string(), counted(self.cooling)),
        ]
    }

    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        (self.best, self.waited, self.cooling) =
            (float(state, "best")?, count(state, "waited")?, count(state, "cooling")?);
        Ok(())
    }
}
