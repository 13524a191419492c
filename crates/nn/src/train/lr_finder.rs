//! A learning rate from a trial run.

use super::logs::figure;
use super::run::{descended, in_batch};
use super::spark::sparkline;
use super::step::Objective;
use super::trainer::Trainer;
use super::weights::{put, taken};
use crate::data::dataset::Dataset;
use crate::data::loader::DataLoader;
use crate::explain::blame;
use crate::module::Module;
use crate::optim::rule::Rule;
use std::fmt::{self, Display, Formatter};
use std::panic::Location;
use wengert_autograd::Tape;
use wengert_tensor::error::{Error, Result};

/// How the learning rate is swept by [`Trainer::find_learning_rate`]: it grows by the same factor in every step, and the sweep ends when the loss
/// diverges. Leslie Smith 2015, "Cyclical learning rates for training neural networks"; the defaults are fastai's.
///
/// ```
/// use wengert_nn::train::lr_finder::LrFinder;
/// # use wengert_nn::{layers::dense::Dense, losses::mean_squared_error::MeanSquaredError};
/// # use wengert_nn::{optim::sgd::Sgd, train::trainer::Trainer};
/// # use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let x = Tensor::from_fn([64, 1], |i| i as f32 / 32.0 - 1.0)?;
/// # let y = Tensor::from_fn([64, 1], |i| 3.0 * (i as f32 / 32.0 - 1.0) + 5.0)?;
/// # let (data, mut model) = ((x, y), Dense::new(1, 1));
/// let mut trainer = Trainer::new(Sgd::new(1e-3), MeanSquaredError::new());
/// let found = trainer.find_learning_rate(&mut model, &data, &LrFinder::new())?;
/// println!("{found}");
/// assert!(found.steepest().is_some_and(|rate| rate > 1e-4 && rate < 1.0));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LrFinder {
    start: f64,
    end: f64,
    steps: usize,
    memory: f64,
    divergence: f64,
}

impl Default for LrFinder {
    fn default() -> LrFinder {
        LrFinder::new()
    }
}

impl LrFinder {
    /// From 1e-7 to 10 in 100 steps.
    pub fn new() -> LrFinder {
        LrFinder { start: 1e-7, end: 10.0, steps: 100, memory: 0.98, divergence: 4.0 }
    }

    /// The smallest and the largest learning rate.
    #[must_use]
    pub fn between(self, start: f64, end: f64) -> LrFinder {
        LrFinder { start, end, ..self }
    }

    /// In so many steps.
    #[must_use]
    pub fn steps(self, steps: usize) -> LrFinder {
        LrFinder { steps, ..self }
    }

    /// The memory of the running mean that smooths the losses, in `0 ≤ β < 1` (default: 0.98).
    #[must_use]
    pub fn smoothing(self, memory: f64) -> LrFinder {
        LrFinder { memory, ..self }
    }

    /// Ends when the smoothed loss is above so many times the best one (default: 4).
    #[must_use]
    pub fn divergence(self, times: f64) -> LrFinder {
        LrFinder { divergence: times, ..self }
    }

    fn check(&self) -> Result<()> {
        let wrong = |message: String| Err(Error::value(message));
        match self {
            _ if !(self.start > 0.0 && self.end > self.start && self.end.is_finite()) => {
                wrong(format!("learning rates from {} to {} do not grow from above 0", self.start, self.end))
            }
            _ if self.steps < 2 => wrong(format!("{} steps are no sweep; at least 2", self.steps)),
            _ if !(0.0..1.0).contains(&self.memory) => {
                wrong(format!("the smoothing is {}, and must lie in 0 ≤ β < 1", self.memory))
            }
            _ if self.divergence.is_nan() || self.divergence <= 1.0 => {
                wrong(format!("a divergence of {} times the best loss ends at once; above 1", self.divergence))
            }
            _ => Ok(()),
        }
    }
}

/// What a sweep of the learning rate has shown. Its `Display` is a sparkline with the suggestions.
#[derive(Clone, Debug, PartialEq)]
pub struct LearningRates {
    rates: Vec<f64>,
    losses: Vec<f64>,
    smoothed: Vec<f64>,
    diverged: bool,
    planned: usize,
}

impl LearningRates {
    /// The learning rates that were tried.
    pub fn rates(&self) -> &[f64] {
        &self.rates
    }

    /// The loss of the batch at each of them, before the step.
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    /// The running mean of the losses, without the bias of its start.
    pub fn smoothed(&self) -> &[f64] {
        &self.smoothed
    }

    /// Whether the sweep ended since the loss diverged.
    pub fn diverged(&self) -> bool {
        self.diverged
    }

    /// The learning rate at which the smoothed loss falls fastest: a good one for the start. fastai's `steep`. `None` where it never falls.
    pub fn steepest(&self) -> Option<f64> {
        let (rates, losses) = self.middle();
        let slope = |pair: (&[f64], &[f64])| match pair {
            ([a, b], [from, to]) => (to - from) / (b.ln() - a.ln()),
            _ => f64::INFINITY,
        };
        let slopes = rates.windows(2).zip(losses.windows(2)).map(slope).zip(rates);
        let best = slopes.filter(|(slope, _)| *slope < 0.0).min_by(|(a, _), (b, _)| a.total_cmp(b));
        best.map(|(_, rate)| *rate)
    }

    /// A tenth of the learning rate with the least smoothed loss. fastai's `minimum`.
    pub fn minimum(&self) -> Option<f64> {
        let (rates, losses) = self.middle();
        let least = losses.iter().zip(rates).min_by(|(a, _), (b, _)| a.total_cmp(b));
        least.map(|(_, rate)| rate / 10.0)
    }

    /// Without the first tenth, which is noise, and the last five, where it diverges.
    fn middle(&self) -> (&[f64], &[f64]) {
        let first = (self.planned / 10).min(self.rates.len());
        let last = if self.diverged { self.rates.len().saturating_sub(5).max(first) } else { self.rates.len() };
        (self.rates.get(first..last).unwrap_or(&[]), self.smoothed.get(first..last).unwrap_or(&[]))
    }
}

impl Display for LearningRates {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let ends = (self.rates.first().copied().unwrap_or(f64::NAN), self.rates.last().copied().unwrap_or(f64::NAN));
        write!(f, "loss  {}  learning rate {} → {}", sparkline(&self.smoothed, 40), figure(ends.0), figure(ends.1))?;
        if self.diverged {
            f.write_str(", where it diverges")?;
        }
        for (what, rate) in [("steepest", self.steepest()), ("minimum / 10", self.minimum())] {
            match rate {
                Some(rate) => write!(f, "\n{what:12}  {}", figure(rate))?,
                None => write!(f, "\n{what:12}  the loss never falls")?,
            }
        }
        Ok(())
    }
}

/// The stream of the seed.
const TRIAL: u64 = 3;

impl<R: Rule, L, B> Trainer<'_, R, L, B> {
    /// Tries learning rates from small to large, a step each, and says where the loss falls fastest. The model, the optimizer and the trainer are
    /// afterwards as they were, to the bit, also after an error.
    ///
    /// The [schedule](crate::optim::optimizer::Optimizer::schedule) does not count while it tries, and learning rates of groups keep their ratio to the one that is tried.
    ///
    /// # Errors
    /// Settings without meaning; those of [`fit`](Trainer::fit).
    #[track_caller]
    pub fn find_learning_rate<M, D>(&mut self, model: &mut M, data: &D, finder: &LrFinder) -> Result<LearningRates>
    where
        M: Module,
        L: Objective<M, B>,
        D: Dataset<Batch = B> + ?Sized,
    {
        let here = Location::caller();
        self.try_rates(model, data, finder).map_err(|error| blame(error.op("find_learning_rate"), here).at(here))
    }

    fn try_rates<M, D>(&mut self, model: &mut M, data: &D, finder: &LrFinder) -> Result<LearningRates>
    where
        M: Module,
        L: Objective<M, B>,
        D: Dataset<Batch = B> + ?Sized,
    {
        finder.check()?;
        let rate = self.optimizer.learning_rate();
        if !(rate > 0.0 && rate.is_finite()) {
            let error = Error::value(format!("the optimizer has the learning rate {rate}, which cannot be scaled"));
            return Err(error.help("any learning rate above 0 will do"));
        }
        crate::module::check(model)?;
        let loader =
            DataLoader::checked(data, self.set.batch_size)?.drop_last(false).shuffle(self.set.seed.fold(TRIAL));
        // A schedule that remembers keeps what it has: it is not asked meanwhile.
        let schedule = self.optimizer.schedule.take();
        let (weights, state, scale) = (taken(model), self.optimizer.state(model), self.optimizer.rate_scale());
        let outcome = self.sweep(model, data, &loader, finder, rate);
        let restored = put(model, &weights).and_then(|()| self.optimizer.load_state(model, &state));
        self.optimizer.set_rate_scale(scale);
        self.optimizer.schedule = schedule;
        let outcome = outcome?;
        restored.map(|()| outcome)
    }

    fn sweep<M, D>(
        &mut self,
        model: &mut M,
        data: &D,
        loader: &DataLoader<&D>,
        finder: &LrFinder,
        own: f64,
    ) -> Result<LearningRates>
    where
        M: Module,
        L: Objective<M, B>,
        D: Dataset<Batch = B> + ?Sized,
    {
        let mut found = LearningRates {
            rates: Vec::new(),
            losses: Vec::new(),
            smoothed: Vec::new(),
            diverged: false,
            planned: finder.steps,
        };
        let (mut mean, mut best) = (0.0, f64::INFINITY);
        let mut order: Option<(usize, Vec<usize>)> = None;
        for step in 0..finder.steps {
            let (pass, place) = (step / loader.len(), step % loader.len());
            if order.as_ref().is_none_or(|(known, _)| *known != pass) {
                order = Some((pass, loader.order(pass)));
            }
            let all = order.as_ref().map_or(&[][..], |(_, order)| order);
            let start = place * self.set.batch_size;
            let indices = all.get(start..start.saturating_add(self.set.batch_size).min(all.len())).unwrap_or(&[]);
            let placed = |error| in_batch(error, step, indices);
            let batch = data.batch_in(pass, indices).map_err(placed)?;
            let weights = self.set.weighing.of(indices, self.objective.targets(&batch)).map_err(placed)?;
            let rate = finder.start * (finder.end / finder.start).powf(step as f64 / (finder.steps - 1) as f64);
            self.optimizer.set_rate_scale(rate / own);
            let mut whole = 0.0;
            for stage in 0..self.objective.stages() {
                let tape = Tape::training(self.set.seed.fold(TRIAL).fold(step as u64).fold(stage as u64));
                let weights = weights.as_ref().map(|weights| tape.input(weights));
                let recorded = self.objective.record(stage, model, &tape, &batch, weights);
                let loss = descended(recorded.loss.with_added_losses());
                let gradients = super::fit::part_of(self.optimizer.backward(loss), &recorded, model)?;
                whole += self.optimizer.step(model, gradients).map_err(placed)?;
            }
            mean = finder.memory * mean + (1.0 - finder.memory) * whole;
            let smooth = mean / (1.0 - finder.memory.powf((step + 1) as f64));
            if !smooth.is_finite() || smooth > finder.divergence * best && best > 0.0 {
                found.diverged = true;
                break;
            }
            best = best.min(smooth);
            found.rates.push(rate);
            found.losses.push(whole);
            found.smoothed.push(smooth);
        }
        Ok(found)
    }
}
