//! What may look at a run on its way, and steer it.

use super::columns::Columns;
use super::flow::Flow;
use super::logs::Logs;
use crate::module::Module;
use crate::optim::optimizer::Optimizer;
use crate::optim::rule::Rule;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

/// Is told of every begin and end of a run, its epochs and its steps, and may change what it is shown ([`At`]) or stop the run. Keras's and
/// Lightning's `Callback`; every method may be left out.
///
/// ```
/// use wengert_nn::train::callback::{At, Callback};
/// use wengert_nn::train::flow::Flow;
/// # use wengert_nn::{layers::dense::Dense, losses::mean_squared_error::MeanSquaredError};
/// # use wengert_nn::{optim::sgd::Sgd, train::trainer::Trainer};
/// # use wengert_tensor::tensor::Tensor;
/// use wengert_tensor::error::Result;
///
/// /// Stops as soon as the loss is good enough.
/// struct GoodEnough(f64);
///
/// impl Callback for GoodEnough {
///     fn name(&self) -> &str {
///         "good_enough"
///     }
///     fn monitors(&self) -> Vec<String> {
///         vec!["loss".into()]
///     }
///     fn on_epoch_end(&mut self, at: &mut At<'_>) -> Result<Flow> {
///         Ok(if at.logs().get("loss") < Some(self.0) { Flow::Stop } else { Flow::Continue })
///     }
/// }
///
/// # fn main() -> Result<()> {
/// # let (x, y) = (Tensor::from([[0f32], [1.0]]), Tensor::from([[1f32], [3.0]]));
/// # let mut model = Dense::new(1, 1);
/// let mut trainer = Trainer::new(Sgd::new(0.1), MeanSquaredError::new()).epochs(1000).callback(GoodEnough(1e-3));
/// # trainer = trainer.verbose(false);
/// let history = trainer.fit(&mut model, &(x, y))?;
/// assert!(history.len() < 1000 && history.last("loss") < Some(1e-3));
/// # Ok(()) }
/// ```
///
/// In a run that is resumed, [`load_state`](Callback::load_state) comes first and [`on_begin`](Callback::on_begin) after it, with
/// [`At::resumed`]; `on_epoch_begin` is not repeated for an epoch that was interrupted.
pub trait Callback {
    /// Its name, for errors and in checkpoints: `early_stopping`.
    fn name(&self) -> &str;

    /// The columns that it watches. One that will not exist is an error before the first epoch.
    fn monitors(&self) -> Vec<String> {
        Vec::new()
    }

    /// The columns that it adds to the logs at the end of an epoch.
    fn columns(&self, model: &dyn Module) -> Vec<String> {
        let _ = model;
        Vec::new()
    }

    /// Whether it wants [`At::gradient_norms`]: they are computed in every step then.
    fn wants_gradient_norms(&self) -> bool {
        false
    }

    /// Whether a loss that is not finite ends the run cleanly, where it is an error otherwise.
    fn ends_at_non_finite(&self) -> bool {
        false
    }

    /// The run begins; everything was checked.
    ///
    /// # Errors
    /// Settings without meaning; what cannot be done. They end the run, as those of all methods.
    fn on_begin(&mut self, at: &mut At<'_>) -> Result<()> {
        let _ = at;
        Ok(())
    }

    /// An epoch begins.
    ///
    /// # Errors
    /// What cannot be done.
    fn on_epoch_begin(&mut self, at: &mut At<'_>) -> Result<()> {
        let _ = at;
        Ok(())
    }

    /// All steps on a batch were made. The logs are those of this batch: its loss.
    ///
    /// # Errors
    /// What cannot be done.
    fn on_batch_end(&mut self, at: &mut At<'_>) -> Result<Flow> {
        let _ = at;
        Ok(Flow::Continue)
    }

    /// The validation data is about to be evaluated.
    ///
    /// # Errors
    /// What cannot be done.
    fn on_validation_begin(&mut self, at: &mut At<'_>) -> Result<()> {
        let _ = at;
        Ok(())
    }

    /// The validation data was evaluated, or could not be. The callbacks are told in the reverse order.
    ///
    /// # Errors
    /// What cannot be done.
    fn on_validation_end(&mut self, at: &mut At<'_>) -> Result<()> {
        let _ = at;
        Ok(())
    }

    /// An epoch has ended. The logs are those of the epoch, and may be added to. Callbacks that add [`columns`](Callback::columns)
    /// are told first, of these the ones that watch none; else the order is the one in which they were given.
    ///
    /// # Errors
    /// What cannot be done.
    fn on_epoch_end(&mut self, at: &mut At<'_>) -> Result<Flow> {
        let _ = at;
        Ok(Flow::Continue)
    }

    /// The run has ended, at its last epoch, early, or by an [interruption](super::interrupt::Interrupt); after the last checkpoint was written.
    ///
    /// # Errors
    /// What cannot be done.
    fn on_end(&mut self, at: &mut At<'_>) -> Result<()> {
        let _ = at;
        Ok(())
    }

    /// What it remembers, to be saved in a checkpoint.
    fn state(&self) -> Vec<(String, Tensor)> {
        Vec::new()
    }

    /// Takes up what [`state`](Callback::state) gave: all of it, or nothing.
    ///
    /// # Errors
    /// What is missing, or is not what it should be.
    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        let _ = state;
        Ok(())
    }
}

/// Where a run is, and what may be changed there.
pub struct At<'c> {
    pub(super) epoch: usize,
    pub(super) step: usize,
    pub(super) steps: u64,
    pub(super) resumed: bool,
    pub(super) model: &'c mut dyn Module,
    pub(super) optimizer: &'c mut dyn AnyOptimizer,
    pub(super) logs: &'c mut Logs,
    pub(super) columns: &'c Columns,
    pub(super) norms: &'c [(String, f64)],
    pub(super) notes: &'c mut Vec<String>,
}

impl At<'_> {
    /// The number of the epoch, from 1; before the first one 0.
    pub fn epoch(&self) -> usize {
        self.epoch
    }

    /// How many batches of this epoch are done.
    pub fn step(&self) -> usize {
        self.step
    }

    /// How many batches of the run are done.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Whether the run was taken up from a checkpoint.
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// The figures so far: of the batch, or of the epoch when it ends.
    pub fn logs(&self) -> &Logs {
        self.logs
    }

    /// The figures, to be added to when an epoch ends. Name what is added in [`Callback::columns`].
    pub fn logs_mut(&mut self) -> &mut Logs {
        self.logs
    }

    /// All columns that the run reports.
    pub fn columns(&self) -> &Columns {
        self.columns
    }

    /// The model.
    pub fn model(&self) -> &dyn Module {
        self.model
    }

    /// The model, to be changed between two steps.
    pub fn model_mut(&mut self) -> &mut dyn Module {
        self.model
    }

    /// The optimizer.
    pub fn optimizer(&self) -> &dyn AnyOptimizer {
        self.optimizer
    }

    /// The optimizer, to be changed between two steps.
    pub fn optimizer_mut(&mut self) -> &mut dyn AnyOptimizer {
        self.optimizer
    }

    /// The norms of the gradients in the last step by the names of the parameters, if a callback [wants](Callback::wants_gradient_norms) them.
    pub fn gradient_norms(&self) -> &[(String, f64)] {
        self.norms
    }

    /// Notes something that the user should know; it is shown once, and kept in [`History::notes`](super::history::History::notes).
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}

/// An optimizer, whatever its rule is, as callbacks see it.
pub trait AnyOptimizer {
    /// See [`Optimizer::learning_rate`].
    fn learning_rate(&self) -> f64;
    /// See [`Optimizer::set_learning_rate`].
    fn set_learning_rate(&mut self, learning_rate: f64);
    /// See [`Optimizer::factor`].
    fn factor(&self) -> f64;
    /// See [`Optimizer::rate_scale`].
    fn rate_scale(&self) -> f64;
    /// See [`Optimizer::set_rate_scale`].
    fn set_rate_scale(&mut self, scale: f64);
    /// See [`Optimizer::steps`].
    fn steps(&self) -> u64;
    /// See [`Optimizer::skipped`].
    fn skipped(&self) -> u64;
    /// See [`Optimizer::averages`].
    ///
    /// # Errors
    /// When the memory cannot be had.
    fn averages(&self, model: &dyn Module) -> Result<Vec<(String, Tensor)>>;
}

impl<R: Rule> AnyOptimizer for Optimizer<R> {
    fn learning_rate(&self) -> f64 {
        Optimizer::learning_rate(self)
    }
    fn set_learning_rate(&mut self, learning_rate: f64) {
        Optimizer::set_learning_rate(self, learning_rate);
    }
    fn factor(&self) -> f64 {
        Optimizer::factor(self)
    }
    fn rate_scale(&self) -> f64 {
        Optimizer::rate_scale(self)
    }
    fn set_rate_scale(&mut self, scale: f64) {
        Optimizer::set_rate_scale(self, scale);
    }
    fn steps(&self) -> u64 {
        Optimizer::steps(self)
    }
    fn skipped(&self) -> u64 {
        Optimizer::skipped(self)
    }
    fn averages(&self, model: &dyn Module) -> Result<Vec<(String, Tensor)>> {
        Optimizer::averages(self, model)
    }
}
