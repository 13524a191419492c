//! Fits a model to data.

use super::callback::Callback;
use super::callbacks::lambda::Lambda;
pub use super::flow::Flow;
use super::interrupt::Interrupt;
#[cfg(feature = "files")]
use super::keep::Keep;
use super::logs::Logs;
use super::sample_weights::Weighing;
use super::step::{ByStep, Stages, Step};
use super::verbose::Verbose;
use crate::data::dataset::Dataset;
use crate::data::sampler::Sampler;
use crate::explain::blame;
use crate::layer::Layer;
use crate::loss::Loss;
use crate::metrics::metric::Metric;
use crate::optim::optimizer::Optimizer;
use crate::optim::rule::Rule;
use std::panic::Location;
#[cfg(feature = "files")]
use std::path::PathBuf;
use std::sync::Arc;
use wengert_autograd::Tape;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Key;
use wengert_tensor::tensor::Tensor;

/// A data set of batches `B`.
pub(super) type Batches<'a, B> = dyn Dataset<Batch = B> + 'a;

/// Fits a model to data by an optimizer and a loss.
///
/// ```
/// use wengert_nn::layers::dense::Dense;
/// use wengert_nn::losses::mean_squared_error::MeanSquaredError;
/// use wengert_nn::optim::sgd::Sgd;
/// use wengert_nn::train::trainer::Trainer;
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let x = Tensor::from([[0f32], [1.0], [2.0], [3.0]]);
/// let y = Tensor::from([[1f32], [3.0], [5.0], [7.0]]);
/// let mut model = Dense::new(1, 1);
/// let history = Trainer::new(Sgd::new(0.1), MeanSquaredError::new())
///     .epochs(200)
///     .batch_size(4)
///     .verbose(false)
///     .fit(&mut model, &(x, y))?;
/// assert!(history.last("loss").is_some_and(|loss| loss < 1e-3));
/// # Ok(()) }
/// ```
///
/// Every step is one plan: forward, loss, metrics, gradients and update together. What layers add to the loss
/// ([`Var::with_added_losses`](wengert_autograd::Var::with_added_losses)) is part of it. The loss of an epoch is the mean over
/// its samples, whatever the size of the last batch. The metrics of the training data are those that the model had
/// while it learned; those of the validation data, with `val_` before their names, those at the end of the epoch.
///
/// `L` is what is descended, a [`Loss`] or what [`with_step`](Trainer::with_step) makes, and `B` the type of a batch.
pub struct Trainer<'a, R, L, B = (Tensor, Tensor)> {
    pub(super) optimizer: Optimizer<R>,
    pub(super) objective: L,
    pub(super) set: Settings<'a, B>,
}

/// What does not depend on the optimizer and the loss.
pub(super) struct Settings<'a, B> {
    pub(super) metrics: Vec<Box<dyn Metric + 'a>>,
    pub(super) epochs: usize,
    pub(super) initial_epoch: Option<usize>,
    pub(super) batch_size: usize,
    pub(super) shuffle: bool,
    pub(super) sampler: Option<Arc<dyn Sampler>>,
    pub(super) drop_last: bool,
    pub(super) steps_per_epoch: Option<usize>,
    pub(super) seed: Key,
    pub(super) verbose: Verbose,
    pub(super) validation: Option<&'a Batches<'a, B>>,
    pub(super) split: Option<f64>,
    pub(super) validation_steps: Option<usize>,
    pub(super) validation_freq: usize,
    pub(super) weighing: Weighing,
    pub(super) callbacks: Vec<Box<dyn Callback + 'a>>,
    pub(super) interrupt: Option<Interrupt>,
    pub(super) checks: bool,
    #[cfg(feature = "files")]
    pub(super) checkpoints: Option<(PathBuf, Keep)>,
    #[cfg(feature = "files")]
    pub(super) resume: bool,
    /// How many epochs were made, by all calls of `fit`.
    pub(super) done: usize,
    /// How many batches were trained on, by all calls of `fit`.
    pub(super) steps: u64,
}

impl<B> Settings<'_, B> {
    fn new() -> Self {
        Settings {
            metrics: Vec::new(),
            epochs: 10,
            initial_epoch: None,
            batch_size: 32,
            shuffle: true,
            sampler: None,
            drop_last: false,
            steps_per_epoch: None,
            seed: Key::new(0),
            verbose: Verbose::Auto,
            validation: None,
            split: None,
            validation_steps: None,
            validation_freq: 1,
            weighing: Weighing::default(),
            callbacks: Vec::new(),
            interrupt: None,
            checks: true,
            #[cfg(feature = "files")]
            checkpoints: None,
            #[cfg(feature = "files")]
            resume: false,
            done: 0,
            steps: 0,
        }
    }
}

impl<'a, R: Rule, L: Loss> Trainer<'a, R, L> {
    /// A trainer for 10 epochs of shuffled batches of 32, which reports to the terminal.
    pub fn new(optimizer: Optimizer<R>, loss: L) -> Self {
        Trainer { optimizer, objective: loss, set: Settings::new() }
    }

    /// Multiplies the loss of every sample by the weight of its class: `[(0, 1.0), (1, 5.0)]`. A class that is not named has the weight 1. The
    /// targets are labels, or probabilities `[batch, classes]`, of which the largest counts.
    ///
    /// As in Keras the metrics and the validation data know nothing of it, and the mean of a batch still divides by its size; see
    /// [`Loss::weighted`].
    #[must_use]
    pub fn class_weight(mut self, weights: impl IntoIterator<Item = (i64, f64)>) -> Self {
        self.set.weighing.classes = weights.into_iter().collect();
        self
    }

    /// Multiplies the loss of every sample by a weight of its own: `[samples]`, in the order of the data that [`fit`](Trainer::fit) is given. They hold for the
    /// part that [`validation_split`](Trainer::validation_split) holds out, too.
    ///
    /// ```
    /// # use wengert_nn::{layers::dense::Dense, losses::mean_squared_error::MeanSquaredError};
    /// # use wengert_nn::{optim::sgd::Sgd, train::trainer::Trainer};
    /// # use wengert_tensor::tensor::Tensor;
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// // The third sample is wrong, and does not count.
    /// let data = (Tensor::from([[0f32], [1.0], [2.0]]), Tensor::from([[1f32], [3.0], [99.0]]));
    /// let mut trainer = Trainer::new(Sgd::new(0.3), MeanSquaredError::new())
    ///     .sample_weight(&Tensor::from([1f32, 1.0, 0.0]))
    ///     .epochs(200);
    /// # trainer = trainer.verbose(false);
    /// assert!(trainer.fit(&mut Dense::new(1, 1), &data)?.last("loss") < Some(1e-3));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn sample_weight(mut self, weights: &Tensor) -> Self {
        self.set.weighing.samples = Some(weights.clone());
        self
    }
}

impl<'a, R: Rule, F, B> Trainer<'a, R, ByStep<F>, B> {
    /// A trainer whose step is a function of the model, a tape and a batch: for models that are no [`Layer`], batches of any type, losses of any
    /// kind. All else stays as with a [`Loss`].
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_nn::train::step::Step;
    /// use wengert_nn::{layer::Layer, layers::dense::Dense, optim::adam::Adam, train::trainer::Trainer};
    /// use wengert_tensor::tensor::Tensor;
    ///
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// /// An autoencoder: there are no targets.
    /// type Coder = (Dense, Dense);
    /// let x = Tensor::from([[0f32, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 4.0]]);
    /// let mut trainer = Trainer::with_step(Adam::new(0.05), |coder: &Coder, tape: &Tape, x: &Tensor| {
    ///     let x = tape.input(x);
    ///     let code = coder.0.forward(x);
    ///     let error = (coder.1.forward(code) - x).square().mean();
    ///     Step::new(error + code.abs().mean() * 1e-3).log("code", code.abs().mean())
    /// });
    /// # trainer = trainer.verbose(false);
    /// let history = trainer.epochs(50).fit(&mut (Dense::new(3, 1), Dense::new(1, 3)), &x)?;
    /// assert_eq!(history.columns(), ["loss", "code"]);
    /// # Ok(()) }
    /// ```
    ///
    /// The function records, and does not ask for values. It is called for the validation data too, with a tape that is not in training.
    pub fn with_step<M: ?Sized>(optimizer: Optimizer<R>, step: F) -> Self
    where
        F: for<'t> Fn(&M, &'t Tape, &B) -> Step<'t>,
    {
        Trainer { optimizer, objective: ByStep(step), set: Settings::new() }
    }
}

impl<'a, R: Rule, L, B> Trainer<'a, R, L, B> {
    /// Makes another step on every batch after the one so far, on a tape of its own: the generator after the discriminator. The reported loss is
    /// the sum of both.
    ///
    /// ```
    /// # extern crate wengert_nn as wengert;
    /// use wengert_autograd::Tape;
    /// use wengert_nn::{layer::Layer, layers::dense::Dense, module::Module, optim::adam::Adam};
    /// use wengert_nn::train::{step::Step, trainer::Trainer};
    /// use wengert_tensor::{dtype::DType, tensor::Tensor};
    ///
    /// #[derive(Module)]
    /// struct Gan { generator: Dense, critic: Dense }
    ///
    /// fn critic<'t>(gan: &Gan, tape: &'t Tape, real: &Tensor) -> Step<'t> {
    ///     let made = gan.generator.forward(tape.normal([real.len(), 2], DType::F32));
    ///     let loss = gan.critic.forward(made).softplus().mean() + (-gan.critic.forward(tape.input(real))).softplus().mean();
    ///     Step::new(loss).only("critic").log("critic", loss)
    /// }
    /// fn generator<'t>(gan: &Gan, tape: &'t Tape, real: &Tensor) -> Step<'t> {
    ///     let made = gan.generator.forward(tape.normal([real.len(), 2], DType::F32));
    ///     let loss = (-gan.critic.forward(made)).softplus().mean();
    ///     Step::new(loss).only("generator").log("generator", loss)
    /// }
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// # let mut gan = Gan { generator: Dense::new(2, 1), critic: Dense::new(1, 1) };
    /// # let real = Tensor::from([[1f32], [1.1], [0.9], [1.0]]);
    /// let mut trainer = Trainer::with_step(Adam::new(0.01), critic).then_step(generator);
    /// # trainer = trainer.verbose(false);
    /// assert_eq!(trainer.fit(&mut gan, &real)?.columns(), ["loss", "critic", "generator"]);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn then_step<M: ?Sized, F>(self, step: F) -> Trainer<'a, R, Stages<L, ByStep<F>>, B>
    where
        F: for<'t> Fn(&M, &'t Tape, &B) -> Step<'t>,
    {
        let Trainer { optimizer, objective: first, set } = self;
        Trainer { optimizer, objective: Stages { first, next: ByStep(step) }, set }
    }

    /// Reports a metric beside the loss.
    #[must_use]
    pub fn metric(mut self, metric: impl Metric + 'a) -> Self {
        self.set.metrics.push(Box::new(metric));
        self
    }

    /// How often [`fit`](Trainer::fit) goes through the data; with `usize::MAX` until a [hook](Trainer::on_epoch) stops
    /// it.
    #[must_use]
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.set.epochs = epochs;
        self
    }

    /// Begins after so many epochs, as if they had been made already: with `epochs(10)` and `initial_epoch(4)` six are made, 5 to 10, with the orders
    /// and the randomness of those. Keras's `initial_epoch`. Without it every call of `fit` goes on where the last one stopped.
    #[must_use]
    pub fn initial_epoch(mut self, epochs: usize) -> Self {
        self.set.initial_epoch = Some(epochs);
        self
    }

    /// The samples of one step, and of one batch of [`evaluate`](Trainer::evaluate) and [`predict`](Trainer::predict).
    #[must_use]
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.set.batch_size = batch_size;
        self
    }

    /// Whether every epoch goes through the data in an order of its own (default: yes).
    #[must_use]
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        self.set.shuffle = shuffle;
        self
    }

    /// Takes the samples of every epoch in the order of a [`Sampler`], in place of [`shuffle`](Trainer::shuffle): rare classes more often, long
    /// texts together. PyTorch's `sampler` of a `DataLoader`. What is held out has no part in it.
    ///
    /// ```
    /// use wengert_nn::data::sampler::weighted::WeightedSampler;
    /// # use wengert_nn::{layers::dense::Dense, losses::cross_entropy::CrossEntropy};
    /// # use wengert_nn::{optim::sgd::Sgd, train::trainer::Trainer};
    /// # use wengert_tensor::tensor::Tensor;
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// # let data = (Tensor::from([[0f32], [1.0], [2.0]]), Tensor::from([0i64, 0, 1]));
    /// let rare = WeightedSampler::new([1.0, 1.0, 2.0], 7)?;
    /// let mut trainer = Trainer::new(Sgd::new(0.1), CrossEntropy::new()).epochs(2).sampler(rare);
    /// # trainer = trainer.verbose(false);
    /// assert_eq!(trainer.fit(&mut Dense::new(1, 2), &data)?.len(), 2);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn sampler(mut self, sampler: impl Sampler + 'static) -> Self {
        self.set.sampler = Some(Arc::new(sampler));
        self
    }

    /// Whether a last batch that is smaller than the others is left out of training (default: no).
    #[must_use]
    pub fn drop_last(mut self, drop_last: bool) -> Self {
        self.set.drop_last = drop_last;
        self
    }

    /// Ends an epoch after so many batches. The next one goes on in the data where this one stopped, and over its end: an epoch of many batches may
    /// go through the data several times.
    #[must_use]
    pub fn steps_per_epoch(mut self, batches: usize) -> Self {
        self.set.steps_per_epoch = Some(batches);
        self
    }

    /// What the orders and the randomness of the layers follow from (a number, a `Seed` or a `Key`; default 0).
    #[must_use]
    pub fn seed(mut self, seed: impl Into<Key>) -> Self {
        self.set.seed = seed.into();
        self
    }

    /// Evaluates this data after every epoch.
    #[must_use]
    pub fn validation(mut self, data: &'a Batches<'a, B>) -> Self {
        self.set.validation = Some(data);
        self
    }

    /// Holds out the last samples of the data, before any shuffling, and evaluates them after every epoch: 0.2 is the last fifth,
    /// 0 none. Keras's `validation_split`. Data that is sorted wants [`Dataset::split`], which draws.
    #[must_use]
    pub fn validation_split(mut self, fraction: f64) -> Self {
        self.set.split = (fraction != 0.0).then_some(fraction);
        self
    }

    /// Evaluates only so many batches of the validation data, the first ones.
    #[must_use]
    pub fn validation_steps(mut self, batches: usize) -> Self {
        self.set.validation_steps = Some(batches);
        self
    }

    /// Evaluates the validation data only after every so many epochs (default: 1). The others have no columns `val_…`.
    #[must_use]
    pub fn validation_freq(mut self, epochs: usize) -> Self {
        self.set.validation_freq = epochs;
        self
    }

    /// What is shown on the way: a [`Verbose`], or `true` or `false`.
    #[must_use]
    pub fn verbose(mut self, verbose: impl Into<Verbose>) -> Self {
        self.set.verbose = verbose.into();
        self
    }

    /// Lets a callback look at the run and steer it. They are told in the order in which they were given; see
    /// [`callbacks`](super::callbacks) for those that there are.
    #[must_use]
    pub fn callback(mut self, callback: impl Callback + 'a) -> Self {
        self.set.callbacks.push(Box::new(callback));
        self
    }

    /// Ends a run when this flag is raised; see [`Interrupt`].
    #[must_use]
    pub fn interrupt(mut self, flag: &Interrupt) -> Self {
        self.set.interrupt = Some(flag.clone());
        self
    }

    /// Whether the run points out parameters without a gradient, dead units, exploding gradients, and a loss at chance level (default: yes). It
    /// looks at its first step, and after its first epoch at a few batches; later steps cost nothing.
    #[must_use]
    pub fn checks(mut self, checks: bool) -> Self {
        self.set.checks = checks;
        self
    }

    /// Writes checkpoints of the run to a folder, from which [`resume`](Trainer::resume) goes on.
    ///
    /// ```
    /// use wengert_nn::train::keep::Keep;
    /// # use wengert_nn::{layers::dense::Dense, losses::mean_squared_error::MeanSquaredError};
    /// # use wengert_nn::{optim::sgd::Sgd, train::trainer::Trainer};
    /// # use wengert_tensor::tensor::Tensor;
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// # let data = (Tensor::from([[0f32], [1.0]]), Tensor::from([[1f32], [3.0]]));
    /// # let folder = std::env::temp_dir().join(format!("wengert-doc-run-{}", std::process::id()));
    /// let run = |epochs| {
    ///     Trainer::new(Sgd::new(0.1), MeanSquaredError::new())
    ///         .epochs(epochs)
    ///         .checkpoints(&folder, Keep::best("loss").and_last(2))
    ///         .resume()
    ///         .verbose(false)
    ///         .fit(&mut Dense::new(1, 1), &data)
    /// };
    /// assert_eq!(run(3)?.len(), 3);
    /// // Another process takes up the model, the optimizer and the history, and makes the epochs that are left.
    /// assert_eq!(run(5)?.len(), 5);
    /// # std::fs::remove_dir_all(&folder).ok();
    /// # Ok(()) }
    /// ```
    ///
    /// A folder is for one run: without `resume` it must have no checkpoints, and one trainer fits once.
    #[cfg(feature = "files")]
    #[must_use]
    pub fn checkpoints(mut self, folder: impl Into<PathBuf>, keep: Keep) -> Self {
        self.set.checkpoints = Some((folder.into(), keep));
        self
    }

    /// Goes on from the newest checkpoint that is whole, or begins if there is none. The weights, buffers, optimizer state, schedule, random keys, the order of the
    /// data and the place in it, sums of metrics, history and callbacks are what they were, so the run ends with the bits of one that was never
    /// stopped. A run that had ended is not run again.
    ///
    /// The model may be fresh, and the other settings must be those of then, except the number of epochs.
    #[cfg(feature = "files")]
    #[must_use]
    pub fn resume(mut self) -> Self {
        self.set.resume = true;
        self
    }

    /// Calls `hook` after every epoch with its number, from 1, and its figures. A hook may answer [`Flow::Stop`].
    ///
    /// ```
    /// use wengert_nn::train::trainer::Flow;
    /// # use wengert_nn::{layers::dense::Dense, losses::mean_squared_error::MeanSquaredError};
    /// # use wengert_nn::{optim::sgd::Sgd, train::trainer::Trainer};
    /// # use wengert_tensor::tensor::Tensor;
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// # let (x, y) = (Tensor::from([[0f32], [1.0]]), Tensor::from([[1f32], [3.0]]));
    /// # let mut model = Dense::new(1, 1);
    /// let history = Trainer::new(Sgd::new(0.1), MeanSquaredError::new())
    ///     .on_epoch(|epoch, logs| println!("{epoch}: {logs}"))
    ///     .on_epoch(|epoch, _| if epoch < 3 { Flow::Continue } else { Flow::Stop })
    /// #   .verbose(false)
    ///     .fit(&mut model, &(x, y))?;
    /// assert_eq!(history.len(), 3);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn on_epoch<F: Into<Flow>>(self, mut hook: impl FnMut(usize, &Logs) -> F + 'a) -> Self {
        self.callback(Lambda::new().epoch_end(move |at| hook(at.epoch(), at.logs())))
    }

    /// The optimizer, with its state.
    pub fn optimizer(&self) -> &Optimizer<R> {
        &self.optimizer
    }

    /// The predictions for all samples of `x`, computed batch by batch.
    ///
    /// # Errors
    /// Whatever the model reports.
    #[track_caller]
    pub fn predict<M: Layer + ?Sized>(&self, model: &M, x: &Tensor) -> Result<Tensor> {
        predict(model, x, self.set.batch_size)
    }
}

/// The predictions of a model for all samples of `x`, computed batch by batch, so that memory is needed for one batch.
///
/// ```
/// use wengert_nn::layers::dense::Dense;
/// use wengert_nn::train::trainer::predict;
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let y = predict(&Dense::new(4, 2), &Tensor::ones([1000, 4], DType::F32)?, 64)?;
/// assert_eq!(y.shape().dims(), [1000, 2]);
/// # Ok(()) }
/// ```
///
/// # Errors
/// A batch size of 0, and whatever the model reports.
#[track_caller]
pub fn predict<M: Layer + ?Sized>(model: &M, x: &Tensor, batch_size: usize) -> Result<Tensor> {
    let here = Location::caller();
    if batch_size == 0 {
        return Err(Error::value("a batch needs at least one sample").op("predict").at(here));
    }
    let samples = Dataset::len(x);
    if samples <= batch_size {
        return model.predict(x);
    }
    let mut parts = Vec::with_capacity(samples.div_ceil(batch_size));
    for start in (0..samples).step_by(batch_size) {
        let batch = x.slice(0, start..(start + batch_size).min(samples))?;
        parts.push(model.predict(&batch).map_err(|error| blame(error, here))?);
    }
    Tensor::concat(&parts, 0)
}

#[cfg(test)]
mod tests;
