//! The end of a run that no longer gets better.

use crate::tensors::{Named, count, counted, float, under, within};
use crate::train::callback::{At, Callback};
use crate::train::flow::Flow;
use crate::train::monitor::{Mode, Monitor};
use crate::train::weights::{put, taken};
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

/// Ends a run when a figure has not become better for some epochs. Keras's `EarlyStopping`, with its defaults.
///
/// ```
/// use wengert_nn::train::callbacks::early_stopping::EarlyStopping;
/// # use wengert_nn::{layers::dense::Dense, losses::mean_squared_error::MeanSquaredError};
/// # use wengert_nn::{optim::sgd::Sgd, train::trainer::Trainer};
/// # use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let data = (Tensor::from([[0f32], [1.0]]), Tensor::from([[1f32], [3.0]]));
/// let mut trainer = Trainer::new(Sgd::new(0.1), MeanSquaredError::new())
///     .epochs(1000)
///     .callback(EarlyStopping::on("loss").patience(3).min_delta(1e-4).restore_best());
/// # trainer = trainer.verbose(false);
/// let history = trainer.fit(&mut Dense::new(1, 1), &data)?;
/// assert!(history.len() < 1000);
/// # Ok(()) }
/// ```
///
/// With a patience of 0 the first epoch that is not better is the last. An epoch without the figure, as one
/// without validation, is passed over. NaN is never better.
#[derive(Clone, Debug)]
pub struct EarlyStopping {
    monitor: Monitor,
    patience: usize,
    baseline: Option<f64>,
    start: usize,
    restore: bool,
    best: f64,
    best_epoch: usize,
    waited: usize,
    weights: Named,
}

impl EarlyStopping {
    /// Watches this column: `"val_loss"`.
    pub fn on(monitor: impl Into<String>) -> EarlyStopping {
        EarlyStopping {
            monitor: Monitor::on(monitor),
            patience: 0,
            baseline: None,
            start: 0,
            restore: false,
            best: f64::NAN,
            best_epoch: 0,
            waited: 0,
            weights: Vec::new(),
        }
    }

    /// How many epochs in a row may fail to be better before the run ends (default: 0, as in Keras).
    #[must_use]
    pub fn patience(self, epochs: usize) -> EarlyStopping {
        EarlyStopping { patience: epochs, ..self }
    }

    /// By how much a figure must be better to count (default: 0).
    #[must_use]
    pub fn min_delta(mut self, difference: f64) -> EarlyStopping {
        self.monitor.min_delta = difference;
        self
    }

    /// Whether smaller or larger figures are better (default: as the metric says).
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> EarlyStopping {
        self.monitor.mode = mode;
        self
    }

    /// Only a figure that is also better than this one ends the waiting.
    #[must_use]
    pub fn baseline(self, figure: f64) -> EarlyStopping {
        EarlyStopping { baseline: Some(figure), ..self }
    }

    /// Begins to watch after so many epochs (default: 0).
    #[must_use]
    pub fn start_from_epoch(self, epochs: usize) -> EarlyStopping {
        EarlyStopping { start: epochs, ..self }
    }

    /// Gives the model the weights and buffers of its best epoch when the run ends, for whatever reason.
    #[must_use]
    pub fn restore_best(self) -> EarlyStopping {
        EarlyStopping { restore: true, ..self }
    }
}

impl Callback for EarlyStopping {
    fn name(&self) -> &str {
        "early_stopping"
    }

    fn monitors(&self) -> Vec<String> {
        vec![self.monitor.name.clone()]
    }

    fn on_begin(&mut self, at: &mut At<'_>) -> Result<()> {
        self.monitor.check("EarlyStopping")?;
        if !at.resumed() {
            (self.best, self.best_epoch, self.waited, self.weights) = (f64::NAN, 0, 0, Vec::new());
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, at: &mut At<'_>) -> Result<Flow> {
        let Some(figure) = at.logs().get(&self.monitor.name).filter(|_| at.epoch() > self.start) else {
            return Ok(Flow::Continue);
        };
        self.waited += 1;
        if self.monitor.is_better(at.columns(), figure, self.best) {
            (self.best, self.best_epoch) = (figure, at.epoch());
            if self.restore {
                self.weights = taken(at.model());
            }
            if self.baseline.is_none_or(|baseline| self.monitor.is_better(at.columns(), figure, baseline)) {
                self.waited = 0;
            }
            return Ok(Flow::Continue);
        }
        if self.waited < self.patience || at.epoch() == 1 {
            return Ok(Flow::Continue);
        }
        let (name, best) = (&self.monitor.name, crate::train::logs::figure(self.best));
        at.note(format!("`{name}` is not better than the {best} of epoch {}: the run ends early", self.best_epoch));
        Ok(Flow::Stop)
    }

    fn on_end(&mut self, at: &mut At<'_>) -> Result<()> {
        if self.restore { put(at.model_mut(), &self.weights) } else { Ok(()) }
    }

    fn state(&self) -> Named {
        let mut state = vec![
            ("best".to_string(), Tensor::from(self.best)),
            ("best_epoch".to_string(), counted(self.best_epoch)),
            ("waited".to_string(), counted(self.waited)),
        ];
        state.extend(under("weights/", self.weights.clone()));
        state
    }

    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        let (best, epoch, waited) = (float(state, "best")?, count(state, "best_epoch")?, count(state, "waited")?);
        (self.best, self.best_epoch, self.waited) = (best, epoch, waited);
        self.weights = within("weights/", state);
        Ok(())
    }
}
