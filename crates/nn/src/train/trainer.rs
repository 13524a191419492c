//! Fits a model to data.

use super::history::History;
use super::logs::Logs;
use super::run::{Totals, descended, finite, in_batch, number};
use super::verbose::{Reporter, Verbose};
use crate::data::dataset::{Dataset, counted};
use crate::data::loader::DataLoader;
use crate::explain::{blame, explain};
use crate::layer::Layer;
use crate::loss::Loss;
use crate::metrics::metric::Metric;
use crate::optim::optimizer::Optimizer;
use crate::optim::rule::Rule;
use std::panic::Location;
use wengert_autograd::Tape;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Key;
use wengert_tensor::tensor::Tensor;

/// A data set of inputs and their targets.
type Pairs<'a> = dyn Dataset<Batch = (Tensor, Tensor)> + 'a;

/// Whether a run goes on after an epoch; what a hook may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// With the next epoch.
    Continue,
    /// No further.
    Stop,
}

impl From<()> for Flow {
    fn from((): ()) -> Flow {
        Flow::Continue
    }
}

type Hook<'a> = Box<dyn FnMut(usize, &Logs) -> Flow + 'a>;

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
pub struct Trainer<'a, R, L> {
    optimizer: Optimizer<R>,
    loss: L,
    metrics: Vec<Box<dyn Metric + 'a>>,
    epochs: usize,
    batch_size: usize,
    shuffle: bool,
    drop_last: bool,
    seed: Key,
    verbose: Verbose,
    validation: Option<&'a Pairs<'a>>,
    hooks: Vec<Hook<'a>>,
    done: usize,
}

impl<'a, R: Rule, L: Loss> Trainer<'a, R, L> {
    /// A trainer for 10 epochs of shuffled batches of 32, which reports to the terminal.
    pub fn new(optimizer: Optimizer<R>, loss: L) -> Self {
        Trainer {
            optimizer,
            loss,
            metrics: Vec::new(),
            epochs: 10,
            batch_size: 32,
            shuffle: true,
            drop_last: false,
            seed: Key::new(0),
            verbose: Verbose::Auto,
            validation: None,
            hooks: Vec::new(),
            done: 0,
        }
    }

    /// Reports a metric beside the loss.
    #[must_use]
    pub fn metric(mut self, metric: impl Metric + 'a) -> Self {
        self.metrics.push(Box::new(metric));
        self
    }

    /// How often [`fit`](Trainer::fit) goes through the data; with `usize::MAX` until a [hook](Trainer::on_epoch) stops
    /// it.
    #[must_use]
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }

    /// The samples of one step, and of one batch of [`evaluate`](Trainer::evaluate) and [`predict`](Trainer::predict).
    #[must_use]
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = batch_size;
        self
    }

    /// Whether every epoch goes through the data in an order of its own (default: yes).
    #[must_use]
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        self.shuffle = shuffle;
        self
    }

    /// Whether a last batch that is smaller than the others is left out of training (default: no).
    #[must_use]
    pub fn drop_last(mut self, drop: bool) -> Self {
        self.drop_last = drop;
        self
    }

    /// From what the orders and the randomness of the layers follow (a number, a `Seed` or a `Key`; default 0).
    #[must_use]
    pub fn seed(mut self, seed: impl Into<Key>) -> Self {
        self.seed = seed.into();
        self
    }

    /// Evaluates this data after every epoch.
    #[must_use]
    pub fn validation(mut self, data: &'a Pairs<'a>) -> Self {
        self.validation = Some(data);
        self
    }

    /// What is shown on the way: a [`Verbose`], or `true` or `false`.
    #[must_use]
    pub fn verbose(mut self, verbose: impl Into<Verbose>) -> Self {
        self.verbose = verbose.into();
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
    pub fn on_epoch<F: Into<Flow>>(mut self, mut hook: impl FnMut(usize, &Logs) -> F + 'a) -> Self {
        self.hooks.push(Box::new(move |epoch, logs| hook(epoch, logs).into()));
        self
    }

    /// The optimizer, with its state.
    pub fn optimizer(&self) -> &Optimizer<R> {
        &self.optimizer
    }

    /// Trains the model, and returns the figures of every epoch.
    ///
    /// Called again, it goes on where it stopped: twice 5 epochs give the bits of 10.
    ///
    /// # Errors
    /// Before anything is changed: data that is empty, holds NaN, or whose inputs and targets differ in number; a
    /// prediction, loss or metric that does not fit the data. On the way: a label outside the classes, a sample that
    /// cannot be read, a loss that is not finite. The step that failed leaves the weights as they were.
    #[track_caller]
    pub fn fit<M, D>(&mut self, model: &mut M, data: &D) -> Result<History>
    where
        M: Layer,
        D: Dataset<Batch = (Tensor, Tensor)> + ?Sized,
    {
        let here = Location::caller();
        let framed = |error: Error| blame(error.op("fit"), here).at(here);
        let mut loader = DataLoader::checked(data, self.batch_size).map_err(framed)?.drop_last(self.drop_last);
        if self.shuffle {
            loader = loader.shuffle(self.seed.fold(ORDER));
        }
        if loader.len() == 0 {
            let message =
                format!("{} and `drop_last` leave no batch of {}", counted(data.len(), "sample"), self.batch_size);
            return Err(framed(Error::data(message)));
        }
        if let Some(validation) = self.validation {
            let rehearsed = self.rehearse(model, validation);
            rehearsed.map_err(|error| framed(error.operand("data", "validation")))?;
        }
        let reporter = Reporter::new(self.verbose, self.epochs, loader.len());
        let outcome = self.run(model, data, &loader, &reporter);
        reporter.end();
        outcome.map_err(framed)
    }

    fn run<M, D>(&mut self, model: &mut M, data: &D, loader: &DataLoader<&D>, reporter: &Reporter) -> Result<History>
    where
        M: Layer,
        D: Dataset<Batch = (Tensor, Tensor)> + ?Sized,
    {
        let mut history = History::new();
        for epoch in 1..=self.epochs {
            reporter.begin(epoch);
            let order = loader.order(self.done);
            let mut totals = Totals::new(&self.metrics);
            for (step, indices) in order.chunks(self.batch_size).take(loader.len()).enumerate() {
                let placed = |error| in_batch(error, step, indices).operand("epoch", epoch.to_string());
                let (x, y) = data.batch(indices).map_err(placed)?;
                let key = self.seed.fold(NOISE).fold(self.done as u64).fold(step as u64);
                let tape = Tape::training(key);
                let (input, target) = (tape.input(&x), tape.input(&y));
                let prediction = model.forward(input);
                let loss = descended(self.loss.loss(prediction, target).with_added_losses());
                let sums = totals.observe(prediction, target);
                let gradients = self.optimizer.backward(loss);
                // An optimizer that skips what is not finite goes on without this batch.
                let skips = self.optimizer.skips();
                let accept = |loss: f64| if skips { Ok(()) } else { finite(loss) };
                let (loss, sums) = self.optimizer.step_with(model, gradients, &sums, accept).map_err(placed)?;
                if loss.is_finite() {
                    totals.add(indices.len(), loss, &sums, y.shape());
                }
                reporter.step();
            }
            let mut logs = totals.logs();
            if let Some(validation) = self.validation {
                logs.extend("val_", &self.measure(model, validation)?);
            }
            self.done += 1;
            reporter.epoch(epoch, &logs);
            history.push(logs);
            let logs = history.epochs().last().cloned().unwrap_or_default();
            let stops = self.hooks.iter_mut().map(|hook| hook(epoch, &logs)).filter(|flow| *flow == Flow::Stop).count();
            if stops > 0 {
                break;
            }
        }
        Ok(history)
    }

    /// The loss and the metrics of the model on this data, without training.
    ///
    /// # Errors
    /// Those of [`fit`](Trainer::fit), except that the loss may be anything.
    #[track_caller]
    pub fn evaluate<M, D>(&self, model: &M, data: &D) -> Result<Logs>
    where
        M: Layer + ?Sized,
        D: Dataset<Batch = (Tensor, Tensor)> + ?Sized,
    {
        let here = Location::caller();
        DataLoader::checked(data, self.batch_size)
            .and_then(|_| self.measure(model, data))
            .map_err(|error| blame(error.op("evaluate"), here).at(here))
    }

    /// [`evaluate`](Trainer::evaluate) for data that was checked.
    fn measure<M, D>(&self, model: &M, data: &D) -> Result<Logs>
    where
        M: Layer + ?Sized,
        D: Dataset<Batch = (Tensor, Tensor)> + ?Sized,
    {
        let mut totals = Totals::new(&self.metrics);
        let order: Vec<usize> = (0..data.len()).collect();
        for (step, indices) in order.chunks(self.batch_size).enumerate() {
            let placed = |error| in_batch(error, step, indices);
            let (x, y) = data.batch(indices).map_err(placed)?;
            let tape = Tape::new();
            let (input, target) = (tape.input(&x), tape.input(&y));
            let prediction = model.forward(input);
            let mut wanted = vec![descended(self.loss.loss(prediction, target).with_added_losses())];
            wanted.extend(totals.observe(prediction, target));
            let values = tape.eval(wanted).map_err(|error| placed(explain(model, &tape, error)))?;
            if let Some((loss, sums)) = values.split_first() {
                totals.add(indices.len(), number(loss), sums, y.shape());
            }
        }
        Ok(totals.logs())
    }

    /// The predictions for all samples of `x`, computed batch by batch.
    ///
    /// # Errors
    /// Whatever the model reports.
    #[track_caller]
    pub fn predict<M: Layer + ?Sized>(&self, model: &M, x: &Tensor) -> Result<Tensor> {
        predict(model, x, self.batch_size)
    }

    /// Records one batch without computing it: shapes and dtypes that do not fit show before a weight is changed.
    fn rehearse<M: Layer>(&self, model: &M, data: &Pairs<'_>) -> Result<()> {
        let loader = DataLoader::checked(data, self.batch_size)?;
        let first: Vec<usize> = loader.order(0).into_iter().take(self.batch_size).collect();
        let (x, y) = data.batch(&first)?;
        let tape = Tape::new();
        let (input, target) = (tape.input(&x), tape.input(&y));
        let prediction = model.forward(input);
        descended(self.loss.loss(prediction, target).with_added_losses());
        Totals::new(&self.metrics).observe(prediction, target);
        tape.check().map_err(|error| explain(model, &tape, error))
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

/// The streams of the seed.
const ORDER: u64 = 0;
const NOISE: u64 = 1;

#[cfg(test)]
mod tests;
