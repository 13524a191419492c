//! The loop of [`Trainer::fit`]: epochs, steps, validation, callbacks, checkpoints.

use super::callback::{At, Callback};
#[cfg(feature = "files")]
use super::checkpoint::{Keeper, Parts};
use super::flow::Flow;
use super::history::History;
use super::inspect;
use super::logs::Logs;
use super::progress::Run;
use super::run::{Part, Totals, descended, finite, in_batch, names, number};
use super::step::{Objective, Step};
use super::trainer::{Batches, Trainer};
use super::verbose::Reporter;
use crate::data::dataset::{Dataset, counted};
use crate::data::loader::{DataLoader, digest as digest_of_order};
use crate::data::sampler::Sampler;
use crate::explain::{blame, explain};
use crate::module::{Module, each};
use crate::names::known;
use crate::optim::optimizer::Optimizer;
use crate::optim::rule::Rule;
use crate::tensors::Named;
use std::cell::Cell;
use std::collections::HashSet;
use std::panic::Location;
use std::sync::Arc;
use wengert_autograd::{Gradients, LeafId, Tape, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Key;
use wengert_tensor::tensor::Tensor;

/// The streams of the seed.
const ORDER: u64 = 0;
const NOISE: u64 = 1;
const EVALUATION: u64 = 2;

/// The data of a run.
struct Sources<'d, D: ?Sized> {
    train: Part<'d, D>,
    held_out: Option<Part<'d, D>>,
}

/// Where checkpoints go, if anywhere.
#[derive(Default)]
struct Saving {
    #[cfg(feature = "files")]
    keeper: Option<Keeper>,
}

impl<R: Rule, L, B> Trainer<'_, R, L, B> {
    /// Trains the model, and returns the figures of every epoch.
    ///
    /// Called again, it goes on where it stopped: twice 5 epochs give the bits of 10.
    ///
    /// # Errors
    /// Before anything is changed: data that is empty, holds NaN, or whose inputs and targets differ in number; a
    /// prediction, loss or metric that does not fit the data; a callback that watches what will not be reported; a checkpoint of a run with
    /// other settings. On the way: a label outside the classes, a sample that
    /// cannot be read, a loss that is not finite, a checkpoint that cannot be written. The step that failed leaves the weights as they were.
    #[track_caller]
    pub fn fit<M, D>(&mut self, model: &mut M, data: &D) -> Result<History>
    where
        M: Module,
        L: Objective<M, B>,
        D: Dataset<Batch = B> + ?Sized,
    {
        let here = Location::caller();
        self.prepare_and_run(model, data).map_err(|error| blame(error.op("fit"), here).at(here))
    }

    #[track_caller]
    fn prepare_and_run<M, D>(&mut self, model: &mut M, data: &D) -> Result<History>
    where
        M: Module,
        L: Objective<M, B>,
        D: Dataset<Batch = B> + ?Sized,
    {
        let sources = self.sources(data)?;
        let mut loader = DataLoader::checked(&sources.train, self.set.batch_size)?.drop_last(self.set.drop_last);
        if let Some(sampler) = &self.set.sampler {
            loader = loader.sampler(Arc::clone(sampler))?;
        } else if self.set.shuffle {
            loader = loader.shuffle(self.set.seed.fold(ORDER));
        }
        if loader.len() == 0 {
            let samples = counted(sources.train.len(), "sample");
            let message = format!("{samples} and `drop_last` leave no batch of {}", self.set.batch_size);
            return Err(Error::data(message));
        }
        self.set.weighing.check(data.len())?;
        let positive = [
            ("steps_per_epoch", self.set.steps_per_epoch),
            ("validation_steps", self.set.validation_steps),
            ("validation_freq", Some(self.set.validation_freq)),
        ];
        if let Some((name, _)) = positive.into_iter().find(|(_, value)| *value == Some(0)) {
            return Err(Error::value(format!("`{name}` is 0, and must be at least 1")));
        }
        crate::module::check(model)?;
        if let Some(validation) = self.set.validation {
            self.rehearse(model, validation).map_err(|error| error.operand("data", "validation"))?;
        }
        let mut run = Run { epoch: 1, steps: self.set.steps, ..Run::default() };
        self.declare_columns(model, &sources.train, &loader, sources.held_out.is_some(), &mut run)?;
        if let Some(initial) = self.set.initial_epoch {
            (run.epoch, self.set.done) = (initial.saturating_add(1), initial);
        }
        let (mut saving, totals) = self.open(model, data, &sources, &mut run)?;
        let steps = self.set.steps_per_epoch.unwrap_or(loader.len());
        let mut reporter = Reporter::new(self.set.verbose, run.epoch, self.set.epochs, steps);
        let outcome = self.run(model, &sources, &loader, &mut run, totals, &mut saving, &mut reporter);
        self.set.steps = run.steps;
        reporter.end();
        outcome.map(|()| run.history)
    }

    /// What is trained on, and what is held out.
    fn sources<'d, D: Dataset<Batch = B> + ?Sized>(&self, data: &'d D) -> Result<Sources<'d, D>> {
        let whole = Part::whole(data);
        let Some(fraction) = self.set.split else { return Ok(Sources { train: whole, held_out: None }) };
        if self.set.validation.is_some() {
            let error = Error::value("there is `validation` data and a `validation_split`");
            return Err(error.help("leave one of them out"));
        }
        let samples = whole.len();
        let first = (samples as f64 * (1.0 - fraction)).floor() as usize;
        if !(fraction > 0.0 && fraction < 1.0) || first == 0 || first >= samples {
            let message = format!("a validation split of {fraction} leaves one part of {samples} samples empty");
            return Err(Error::value(message).help("0.2 holds the last fifth of the samples out"));
        }
        let (train, held_out) = whole.split(first);
        Ok(Sources { train, held_out: Some(held_out) })
    }

    /// Names all that will be reported, and sees that what callbacks watch is among it.
    fn declare_columns<M, D>(
        &self,
        model: &M,
        train: &Part<'_, D>,
        loader: &DataLoader<&Part<'_, D>>,
        held_out: bool,
        run: &mut Run,
    ) -> Result<()>
    where
        M: Module,
        L: Objective<M, B>,
        D: Dataset<Batch = B> + ?Sized,
    {
        // What a step of the user's reports is known when it was recorded.
        let mut logged = Vec::new();
        if !self.objective.is_plain() {
            let first: Vec<usize> = loader.order(self.set.done).into_iter().take(self.set.batch_size).collect();
            let batch = train.batch(&first).map_err(|error| in_batch(error, 0, &first))?;
            let tape = Tape::training(0);
            let steps =
                (0..self.objective.stages()).map(|stage| self.objective.record(stage, model, &tape, &batch, None));
            let steps: Vec<Step<'_>> = steps.collect();
            if steps.iter().all(|step| step.predicted.is_none()) && !self.set.metrics.is_empty() {
                let error = Error::state("a step that shows no prediction gives metrics nothing to see");
                return Err(error.help("`Step::new(loss).predicts(prediction, target)`"));
            }
            logged.extend(steps.into_iter().flat_map(|step| step.logs).map(|(name, _)| name));
        }
        let mut own: Vec<(String, bool)> = vec![("loss".into(), false)];
        let metrics = names(self.set.metrics.iter().map(|metric| metric.name()));
        own.extend(metrics.into_iter().zip(self.set.metrics.iter().map(|metric| metric.higher_is_better())));
        own.extend(logged.into_iter().map(|name| (name, false)));
        own.iter().for_each(|(name, higher)| run.columns.push(name, *higher));
        if held_out || self.set.validation.is_some() {
            own.iter().for_each(|(name, higher)| run.columns.push(format!("val_{name}"), *higher));
        }
        for callback in &self.set.callbacks {
            callback.columns(model).into_iter().for_each(|name| run.columns.push(name, false));
        }
        for callback in &self.set.callbacks {
            callback
                .monitors()
                .iter()
                .try_for_each(|name| run.columns.expect(&format!("`{}`", callback.name()), name))?;
        }
        Ok(())
    }

    /// Opens the folder of checkpoints and takes up the newest one, if so asked. Gives the totals of an epoch that was begun.
    #[cfg(feature = "files")]
    #[track_caller]
    fn open<M, D>(
        &mut self,
        model: &mut M,
        data: &D,
        sources: &Sources<'_, D>,
        run: &mut Run,
    ) -> Result<(Saving, Option<Named>)>
    where
        M: Module,
        D: Dataset<Batch = B> + ?Sized,
    {
        let Some((folder, keep)) = self.set.checkpoints.clone() else {
            return match self.set.resume {
                true => Err(Error::state("there is nothing to resume from")
                    .help("`.checkpoints(folder, Keep::last(2))` says where checkpoints are written to")),
                false => Ok((Saving::default(), None)),
            };
        };
        if self.set.steps > 0 {
            let error = Error::state("a folder of checkpoints is for one run, and this trainer has made one");
            return Err(error.help("a new trainer, with more epochs and `.resume()`, goes on with the run"));
        }
        let mut keeper = Keeper::open(&folder, keep, self.config(data.len(), sources))?;
        keeper.monitor().map_or(Ok(()), |name| run.columns.expect("`Keep::best`", name))?;
        if !self.set.resume {
            keeper.is_fresh()?;
            return Ok((Saving { keeper: Some(keeper) }, None));
        }
        let mut parts = Parts { model, optimizer: &mut self.optimizer, callbacks: &mut self.set.callbacks };
        let resumed = keeper.resume(&mut parts)?;
        let saving = Saving { keeper: Some(keeper) };
        let Some((loaded, totals, done)) = resumed else { return Ok((saving, None)) };
        let columns = std::mem::take(&mut run.columns);
        *run = Run { columns, ..loaded };
        self.set.done = done;
        Ok((saving, (run.step > 0).then_some(totals)))
    }

    #[cfg(not(feature = "files"))]
    fn open<M, D: ?Sized>(
        &mut self,
        _: &mut M,
        _: &D,
        _: &Sources<'_, D>,
        _: &mut Run,
    ) -> Result<(Saving, Option<Named>)> {
        Ok((Saving::default(), None))
    }

    /// The settings from which the bits of a run follow.
    #[cfg(feature = "files")]
    fn config<D: Dataset + ?Sized>(&self, samples: usize, sources: &Sources<'_, D>) -> Vec<(&'static str, String)> {
        let set = &self.set;
        let or_none = |value: Option<usize>| value.map_or("none".to_string(), |value| value.to_string());
        let held_out = sources.held_out.as_ref().map(Dataset::len);
        let digest = |weights: &Tensor| {
            let eat = |hash: u64, value: f64| (hash ^ value.to_bits()).wrapping_mul(0x0000_0100_0000_01b3);
            format!("{:016x}", weights.to_f64_vec().into_iter().fold(0xcbf2_9ce4_8422_2325, eat))
        };
        let order =
            |sampler: &Arc<dyn Sampler>| format!("{:016x}", digest_of_order(&sampler.order(sources.train.len(), 0)));
        vec![
            ("batch_size", set.batch_size.to_string()),
            ("samples", samples.to_string()),
            ("validation samples", or_none(held_out.or(set.validation.map(|data| data.len())))),
            ("validation_split", set.split.map_or("none".to_string(), |fraction| fraction.to_string())),
            ("validation_steps", or_none(set.validation_steps)),
            ("validation_freq", set.validation_freq.to_string()),
            ("seed", set.seed.0.to_string()),
            ("shuffle", set.shuffle.to_string()),
            ("sampler", set.sampler.as_ref().map_or("none".to_string(), order)),
            ("drop_last", set.drop_last.to_string()),
            ("steps_per_epoch", or_none(set.steps_per_epoch)),
            ("initial_epoch", or_none(set.initial_epoch)),
            ("class_weight", format!("{:?}", set.weighing.classes)),
            ("sample_weight", set.weighing.samples.as_ref().map_or("none".to_string(), digest)),
            ("metrics", set.metrics.iter().map(|metric| metric.name()).collect::<Vec<_>>().join(", ")),
            ("learning rate", self.optimizer.learning_rate().to_string()),
            ("accumulate", self.optimizer.every.to_string()),
        ]
    }

    #[track_caller]
    #[allow(clippy::too_many_arguments)]
    fn run<M, D>(
        &mut self,
        model: &mut M,
        sources: &Sources<'_, D>,
        loader: &DataLoader<&Part<'_, D>>,
        run: &mut Run,
        mut begun: Option<Named>,
        saving: &mut Saving,
        reporter: &mut Reporter,
    ) -> Result<()>
    where
        M: Module,
        L: Objective<M, B>,
        D: Dataset<Batch = B> + ?Sized,
    {
        let steps = self.set.steps_per_epoch.unwrap_or(loader.len());
        let wants_norms = self.set.callbacks.iter().any(|callback| callback.wants_gradient_norms());
        let mut order: Option<(usize, Vec<usize>)> = None;
        let mut interrupted = false;

        run.shown = run.epoch.saturating_sub(1);
        tell(&mut self.set.callbacks, &mut self.optimizer, run, model, &mut Logs::new(), |callback, at| {
            callback.on_begin(at).map(Flow::from)
        })?;
        'run: while run.epoch <= self.set.epochs && !run.stopped {
            run.shown = run.epoch;
            reporter.begin(run.epoch, run.step);
            let mut totals = Totals::new(&self.set.metrics);
            match begun.take() {
                Some(state) => totals.load_state(&state)?,
                None => {
                    tell(
                        &mut self.set.callbacks,
                        &mut self.optimizer,
                        run,
                        model,
                        &mut Logs::new(),
                        |callback, at| callback.on_epoch_begin(at).map(Flow::from),
                    )?;
                }
            }
            for step in run.step..steps {
                // Epochs of any length follow each other in the data.
                let batch = self.set.done.saturating_mul(steps).saturating_add(step);
                let (pass, place) = (batch / loader.len(), batch % loader.len());
                if order.as_ref().is_none_or(|(known, _)| *known != pass) {
                    order = Some((pass, loader.try_order(pass)?));
                }
                let all = order.as_ref().map_or(&[][..], |(_, order)| order);
                let start = place * self.set.batch_size;
                let indices = all.get(start..start.saturating_add(self.set.batch_size).min(all.len())).unwrap_or(&[]);
                let epoch = run.epoch;
                let placed = |error| in_batch(error, step, indices).operand("epoch", epoch.to_string());
                let batch = sources.train.batch_in(pass, indices).map_err(placed)?;
                let key = self.set.seed.fold(NOISE).fold(self.set.done as u64).fold(step as u64);
                let weights = self.set.weighing.of(indices, self.objective.targets(&batch)).map_err(placed)?;
                let work = Work { batch: &batch, weights: weights.as_ref(), samples: indices.len(), key, wants_norms };
                let made =
                    descend(&mut self.optimizer, &self.objective, model, &work, &mut totals, run, self.set.checks);
                let loss = match made {
                    Ok(loss) => loss,
                    Err(Fault::Lost(loss, _)) if self.set.callbacks.iter().any(|one| one.ends_at_non_finite()) => {
                        run.notes.push(format!("the loss is not finite but {loss}: the run ends early"));
                        run.stopped = true;
                        show_notes(run, reporter);
                        saving.save(run, Some(&totals), self.set.done, model, &self.optimizer, &self.set.callbacks)?;
                        break 'run;
                    }
                    Err(Fault::Lost(_, error) | Fault::Other(error)) => return Err(placed(error)),
                };
                (run.step, run.steps) = (step + 1, run.steps + 1);
                reporter.step(indices.len(), || totals.logs());
                let mut logs = Logs::from([("loss", loss)]);
                let flow =
                    tell(&mut self.set.callbacks, &mut self.optimizer, run, model, &mut logs, |callback, at| {
                        callback.on_batch_end(at)
                    })?;
                interrupted = self.set.interrupt.as_ref().is_some_and(|flag| flag.is_raised());
                run.stopped = flow == Flow::Stop;
                show_notes(run, reporter);
                if run.stopped || (interrupted && run.step < steps) || saving.due_step(run.steps) {
                    saving.save(run, Some(&totals), self.set.done, model, &self.optimizer, &self.set.callbacks)?;
                }
                // After the last step there is nothing left but to end the epoch as ever.
                if run.stopped || (interrupted && run.step < steps) {
                    reporter.broken_off(run.epoch, [run.step, steps], &totals.logs());
                    run.history.break_off(totals.logs());
                    break 'run;
                }
            }
            let (mut logs, samples) = (totals.logs(), totals.samples());
            if let Some(measured) = self.validate(model, sources, run)? {
                logs.extend("val_", &measured);
            }
            // Those who add figures come first: the others write and watch them.
            let mut callbacks: Vec<_> = self.set.callbacks.iter_mut().collect();
            callbacks.sort_by_cached_key(|callback| {
                let adds = !callback.columns(model).is_empty();
                (!adds, adds && !callback.monitors().is_empty())
            });
            let flow =
                tell(callbacks, &mut self.optimizer, run, model, &mut logs, |callback, at| callback.on_epoch_end(at))?;
            if self.set.checks && run.history.is_empty() {
                self.look_closely(model, sources, loader, run, &logs)?;
            }
            reporter.epoch(run.epoch, &logs, samples);
            run.history.push(logs);
            show_notes(run, reporter);
            self.set.done += 1;
            (run.epoch, run.step, run.stopped) = (run.epoch + 1, 0, flow == Flow::Stop);
            interrupted = self.set.interrupt.as_ref().is_some_and(|flag| flag.is_raised());
            if saving.due_epoch(run) || interrupted || run.stopped {
                saving.save(run, None, self.set.done, model, &self.optimizer, &self.set.callbacks)?;
            }
            if interrupted {
                break;
            }
        }
        if run.step == 0 && !saving.has(run) {
            saving.save(run, None, self.set.done, model, &self.optimizer, &self.set.callbacks)?;
        }
        if interrupted {
            run.history.interrupt();
        }
        tell(&mut self.set.callbacks, &mut self.optimizer, run, model, &mut Logs::new(), |callback, at| {
            callback.on_end(at).map(Flow::from)
        })?;
        show_notes(run, reporter);
        Ok(())
    }

    /// The figures of the validation data, if there is any and its turn has come.
    fn validate<M, D>(&mut self, model: &mut M, sources: &Sources<'_, D>, run: &mut Run) -> Result<Option<Logs>>
    where
        M: Module,
        L: Objective<M, B>,
        D: Dataset<Batch = B> + ?Sized,
    {
        if !run.epoch.is_multiple_of(self.set.validation_freq)
            || (sources.held_out.is_none() && self.set.validation.is_none())
        {
            return Ok(None);
        }
        let begun = tell(&mut self.set.callbacks, &mut self.optimizer, run, model, &mut Logs::new(), |callback, at| {
            callback.on_validation_begin(at).map(Flow::from)
        });
        let measured = begun.and_then(|_| match (&sources.held_out, self.set.validation) {
            (Some(held_out), _) => self.measure(model, held_out, self.set.validation_steps, Some(held_out.start)),
            (None, Some(data)) => self.measure(model, data, self.set.validation_steps, None),
            (None, None) => Ok(Logs::new()),
        });
        // Also after an error: what was exchanged for the evaluation is put back.
        self.set.callbacks.reverse();
        let ended = tell(&mut self.set.callbacks, &mut self.optimizer, run, model, &mut Logs::new(), |callback, at| {
            callback.on_validation_end(at).map(Flow::from)
        });
        self.set.callbacks.reverse();
        let measured = measured?;
        ended.map(|_| Some(measured))
    }

    /// Looks at a few batches after the first epoch, and notes what will not be learned.
    fn look_closely<M, D>(
        &self,
        model: &M,
        sources: &Sources<'_, D>,
        loader: &DataLoader<&Part<'_, D>>,
        run: &mut Run,
        logs: &Logs,
    ) -> Result<()>
    where
        M: Module,
        L: Objective<M, B>,
        D: Dataset<Batch = B> + ?Sized,
    {
        let order = loader.order(self.set.done);
        let batches = (loader.len() / 8).clamp(1, inspect::BATCHES);
        let mut look = inspect::Look::new(model, &self.optimizer);
        for (step, indices) in order.chunks(self.set.batch_size).take(batches).enumerate() {
            let batch = sources.train.batch(indices).map_err(|error| in_batch(error, step, indices))?;
            let key = self.set.seed.fold(NOISE).fold(self.set.done as u64).fold(step as u64);
            look.at(&self.objective, model, &batch, indices.len(), key)?;
        }
        run.notes.extend(look.notes(model, logs));
        Ok(())
    }

    /// The loss and the metrics of the model on this data, without training.
    ///
    /// # Errors
    /// Those of [`fit`](Trainer::fit), except that the loss may be anything.
    #[track_caller]
    pub fn evaluate<M, D>(&self, model: &M, data: &D) -> Result<Logs>
    where
        M: Module + ?Sized,
        L: Objective<M, B>,
        D: Dataset<Batch = B> + ?Sized,
    {
        let here = Location::caller();
        DataLoader::checked(data, self.set.batch_size)
            .and_then(|_| self.measure(model, data, None, None))
            .map_err(|error| blame(error.op("evaluate"), here).at(here))
    }

    /// [`evaluate`](Trainer::evaluate) for data that was checked: its first batches, and with the weights of samples that begin somewhere.
    fn measure<M, D>(&self, model: &M, data: &D, batches: Option<usize>, weights: Option<usize>) -> Result<Logs>
    where
        M: Module + ?Sized,
        L: Objective<M, B>,
        D: Dataset<Batch = B> + ?Sized,
    {
        let mut totals = Totals::new(&self.set.metrics);
        let order: Vec<usize> = (0..data.len()).collect();
        for (step, indices) in order.chunks(self.set.batch_size).take(batches.unwrap_or(usize::MAX)).enumerate() {
            let placed = |error| in_batch(error, step, indices);
            let batch = data.batch(indices).map_err(placed)?;
            let weights = match (weights, &self.set.weighing.samples) {
                (Some(start), Some(all)) => {
                    let moved: Vec<usize> = indices.iter().map(|index| index + start).collect();
                    Some(all.gather_rows(&moved).map_err(placed)?)
                }
                _ => None,
            };
            let mut whole = 0.0;
            for stage in 0..self.objective.stages() {
                // A step of the user's may draw; a model that is evaluated does not.
                let tape = match self.objective.is_plain() {
                    true => Tape::new(),
                    false => Tape::with_key(self.set.seed.fold(EVALUATION).fold(step as u64).fold(stage as u64)),
                };
                let weights = weights.as_ref().map(|weights| tape.input(weights));
                let recorded = self.objective.record(stage, model, &tape, &batch, weights);
                let mut wanted = vec![descended(recorded.loss.with_added_losses())];
                wanted.extend(totals.observe(&recorded));
                let values = tape.eval(wanted).map_err(|error| placed(explain(model, &tape, error)))?;
                if let Some((loss, values)) = values.split_first() {
                    whole += number(loss);
                    totals.add(indices.len(), &recorded, values);
                }
            }
            totals.count(indices.len(), whole);
        }
        Ok(totals.logs())
    }

    /// Records one batch without computing it: shapes and dtypes that do not fit show before a weight is changed.
    fn rehearse<M: Module>(&self, model: &M, data: &Batches<'_, B>) -> Result<()>
    where
        L: Objective<M, B>,
    {
        let loader = DataLoader::checked(data, self.set.batch_size)?;
        let first: Vec<usize> = loader.order(0).into_iter().take(self.set.batch_size).collect();
        let batch = data.batch(&first)?;
        for stage in 0..self.objective.stages() {
            let tape = Tape::with_key(0);
            let recorded = self.objective.record(stage, model, &tape, &batch, None);
            descended(recorded.loss.with_added_losses());
            Totals::new(&self.set.metrics).observe(&recorded);
            tape.check().map_err(|error| explain(model, &tape, error))?;
        }
        Ok(())
    }
}

/// What is to be done with a batch.
struct Work<'w, B> {
    batch: &'w B,
    weights: Option<&'w Tensor>,
    samples: usize,
    key: Key,
    wants_norms: bool,
}

/// Why a step was not made.
enum Fault {
    /// Its loss is not finite.
    Lost(f64, Error),
    Other(Error),
}

/// Makes all steps on a batch, and gives the sum of their losses. Each is one plan.
fn descend<M, R, L, B>(
    optimizer: &mut Optimizer<R>,
    objective: &L,
    model: &mut M,
    work: &Work<'_, B>,
    totals: &mut Totals<'_>,
    run: &mut Run,
    checks: bool,
) -> std::result::Result<f64, Fault>
where
    M: Module,
    R: Rule,
    L: Objective<M, B>,
{
    let checks = checks && run.history.is_empty() && run.step == 0;
    let mut reached: HashSet<LeafId> = HashSet::new();
    let mut whole = 0.0;
    run.norms.clear();
    // An optimizer that skips what is not finite goes on without this batch.
    let skips = optimizer.skips();
    for stage in 0..objective.stages() {
        let key = if stage == 0 { work.key } else { work.key.fold(stage as u64) };
        let tape = Tape::training(key);
        let weights = work.weights.map(|weights| tape.input(weights));
        let step = objective.record(stage, model, &tape, work.batch, weights);
        let loss = descended(step.loss.with_added_losses());
        let mut also = totals.observe(&step);
        let gradients = part_of(optimizer.backward(loss), &step, model).map_err(Fault::Other)?;
        if checks {
            reached.extend(gradients.iter().map(|(id, _)| id));
        }
        let observed = also.len();
        let mut names = Vec::new();
        if work.wants_norms {
            norms_of(&gradients, model, &mut names, &mut also);
        }
        let lost = Cell::new(None);
        let accept = |loss: f64| if skips { Ok(()) } else { finite(loss).inspect_err(|_| lost.set(Some(loss))) };
        let (loss, values) =
            optimizer.step_with(model, gradients, &also, accept).map_err(|error| match lost.get() {
                Some(loss) => Fault::Lost(loss, error),
                None => Fault::Other(error),
            })?;
        if loss.is_finite() {
            totals.add(work.samples, &step, values.get(..observed).unwrap_or(&[]));
        }
        run.norms.extend(names.into_iter().zip(values.iter().skip(observed).map(number)));
        whole += loss;
    }
    if whole.is_finite() {
        totals.count(work.samples, whole);
    }
    if checks {
        run.notes.extend(inspect::unreached(model, optimizer, &reached));
    }
    Ok(whole)
}

/// The gradients by the part of the model that a step moves.
pub(super) fn part_of<'t, M: Module>(gradients: Gradients<'t>, step: &Step<'t>, model: &M) -> Result<Gradients<'t>> {
    let Some(part) = &step.part else { return Ok(gradients) };
    let mut ids = HashSet::new();
    each(model, &mut |path, param| {
        if path.is_within(part) {
            ids.insert(param.id());
        }
    });
    if ids.is_empty() {
        known(model, "only", &[part])?;
    }
    Ok(gradients.only(|id| ids.contains(&id)))
}

/// The norms of all gradients, with the names of their parameters.
fn norms_of<'t, M: Module>(gradients: &Gradients<'t>, model: &M, names: &mut Vec<String>, also: &mut Vec<Var<'t>>) {
    for (name, param) in model.parameters() {
        if let Some(gradient) = gradients.get(param.id()).filter(|_| param.is_trainable()) {
            names.push(name);
            also.push(gradient.cast(DType::F64).square().sum().sqrt());
        }
    }
}

/// Tells callbacks of something, with the run as it is now.
fn tell<'c, 'a: 'c, M: Module, R: Rule>(
    callbacks: impl IntoIterator<Item = &'c mut Box<dyn Callback + 'a>>,
    optimizer: &mut Optimizer<R>,
    run: &mut Run,
    model: &mut M,
    logs: &mut Logs,
    mut news: impl FnMut(&mut (dyn Callback + 'a), &mut At<'_>) -> Result<Flow>,
) -> Result<Flow> {
    let mut flow = Flow::Continue;
    let mut at = At {
        epoch: run.shown,
        step: run.step,
        steps: run.steps,
        resumed: run.resumed,
        model,
        optimizer,
        logs,
        columns: &run.columns,
        norms: &run.norms,
        notes: &mut run.notes,
    };
    for callback in callbacks {
        let told = news(&mut **callback, &mut at);
        flow = flow.and(told.map_err(|error| error.operand("callback", format!("`{}`", callback.name())))?);
    }
    Ok(flow)
}

/// Shows what was noted, once, and keeps it.
fn show_notes(run: &mut Run, reporter: &Reporter) {
    for note in run.notes.drain(..) {
        reporter.note(&note);
        run.history.note(note);
    }
}

#[cfg(feature = "files")]
impl Saving {
    fn due_step(&self, steps: u64) -> bool {
        self.keeper.as_ref().is_some_and(|keeper| keeper.due_step(steps))
    }

    fn due_epoch(&mut self, run: &Run) -> bool {
        self.keeper.as_mut().is_some_and(|keeper| keeper.due_epoch(run))
    }

    fn has(&self, run: &Run) -> bool {
        self.keeper.as_ref().is_none_or(|keeper| keeper.has(run))
    }

    #[track_caller]
    fn save<M: Module, R: Rule>(
        &mut self,
        run: &Run,
        totals: Option<&Totals<'_>>,
        done: usize,
        model: &M,
        optimizer: &Optimizer<R>,
        callbacks: &[Box<dyn Callback + '_>],
    ) -> Result<()> {
        let totals = totals.map(Totals::state).unwrap_or_default();
        match &mut self.keeper {
            Some(keeper) => keeper.save(run, totals, done, (model, optimizer, callbacks)),
            None => Ok(()),
        }
    }
}

#[cfg(not(feature = "files"))]
impl Saving {
    fn due_step(&self, _: u64) -> bool {
        false
    }

    fn due_epoch(&self, _: &Run) -> bool {
        false
    }

    fn has(&self, _: &Run) -> bool {
        true
    }

    fn save<M: Module, R: Rule>(
        &self,
        _: &Run,
        _: Option<&Totals<'_>>,
        _: usize,
        _: &M,
        _: &Optimizer<R>,
        _: &[Box<dyn Callback + '_>],
    ) -> Result<()> {
        Ok(())
    }
}
