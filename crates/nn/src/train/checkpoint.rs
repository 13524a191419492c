//! A run in a folder of checkpoints: everything that its next step follows from.

use super::callback::Callback;
use super::history::History;
use super::keep::Keep;
use super::monitor::Monitor;
use super::progress::Run;
use super::weights::{fits, put, taken};
use crate::files::checkpoint::Checkpoints;
use crate::module::{Module, each, each_mut};
use crate::optim::optimizer::Optimizer;
use crate::optim::rule::Rule;
use crate::tensors::{Named, count, find, float, lines, read_lines, under, whole, within};
use std::path::Path;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

/// Writes the checkpoints of a run, and removes those that need not stay.
pub(super) struct Keeper {
    folder: Checkpoints,
    keep: Keep,
    /// The steps of the checkpoints that this run has written and not removed.
    saved: Vec<u64>,
    /// The figure of the best epoch, and its step.
    best: Option<(f64, u64)>,
    /// The settings from which the bits of a run follow.
    config: Vec<(&'static str, String)>,
    /// What was saved last: step of the run, epoch.
    last: Option<(u64, usize)>,
}

/// What belongs to a run besides its progress.
pub(super) struct Parts<'p, 'a, M, R> {
    pub(super) model: &'p mut M,
    pub(super) optimizer: &'p mut Optimizer<R>,
    pub(super) callbacks: &'p mut [Box<dyn Callback + 'a>],
}

impl Keeper {
    #[track_caller]
    pub(super) fn open(folder: &Path, keep: Keep, config: Vec<(&'static str, String)>) -> Result<Keeper> {
        if keep.epochs == 0 || keep.steps == Some(0) {
            let error = Error::value("a checkpoint every 0 epochs or steps has no meaning").op("checkpoints");
            return Err(error.help("every 1 writes one each time"));
        }
        let folder = Checkpoints::open(folder)?;
        Ok(Keeper { folder, keep, saved: Vec::new(), best: None, config, last: None })
    }

    /// The column that decides which is the best.
    pub(super) fn monitor(&self) -> Option<&str> {
        self.keep.best.as_ref().map(|(name, _)| name.as_str())
    }

    /// That there is no other run in the folder.
    #[track_caller]
    pub(super) fn is_fresh(&self) -> Result<()> {
        let there = self.folder.list()?;
        if there.is_empty() {
            return Ok(());
        }
        Err(Error::state(format!("{} has the checkpoints of another run", self.folder.folder().display()))
            .op("checkpoints")
            .help("`.resume()` goes on with it; choose another folder for a new run"))
    }

    /// Whether a checkpoint is due after this step.
    pub(super) fn due_step(&self, steps: u64) -> bool {
        self.keep.steps.is_some_and(|every| steps.is_multiple_of(every))
    }

    /// Whether a checkpoint is due after this epoch; notes the best one.
    pub(super) fn due_epoch(&mut self, run: &Run) -> bool {
        let finished = run.epoch.saturating_sub(1);
        let due = finished.is_multiple_of(self.keep.epochs);
        let Some((name, mode)) = &self.keep.best else { return due };
        let Some(figure) = run.history.last(name) else { return due };
        let monitor = Monitor { mode: *mode, ..Monitor::on(name.clone()) };
        let better = monitor.is_better(&run.columns, figure, self.best.map_or(f64::NAN, |(best, _)| best));
        if better {
            self.best = Some((figure, run.steps));
        }
        due || better
    }

    /// Whether what the run is now was saved already.
    pub(super) fn has(&self, run: &Run) -> bool {
        self.last == Some((run.steps, run.epoch))
    }

    /// Saves the run as it is now, and removes what need not stay.
    #[track_caller]
    pub(super) fn save<M: Module, R: Rule>(
        &mut self,
        run: &Run,
        totals: Named,
        done: usize,
        (model, optimizer, callbacks): (&M, &Optimizer<R>, &[Box<dyn Callback + '_>]),
    ) -> Result<()> {
        let step = run.steps;
        self.saved.retain(|saved| *saved != step);
        self.saved.push(step);
        let mut state: Named = under("model/", taken(model)).collect();
        state.extend(under("optimizer/", optimizer.state(model)));
        state.extend(under("train/", run.state(done)));
        state.extend(under("train/totals/", totals));
        state.extend(under("train/history/", run.history.state()));
        let mut frozen = Vec::new();
        each(model, &mut |path, param| frozen.extend(param.is_frozen().then(|| path.name())));
        let number = |name: &str, value: f64| (format!("train/{name}"), Tensor::from(value));
        state.push(("train/frozen".to_string(), lines(frozen)));
        state.push((
            "train/config".to_string(),
            lines(self.config.iter().map(|(name, value)| format!("{name}={value}"))),
        ));
        state.push(number("learning_rate", optimizer.learning_rate()));
        state.push(number("rate_scale", optimizer.rate_scale()));
        let saved: Vec<i64> = self.saved.iter().map(|&step| step as i64).collect();
        state.push(("train/saved".to_string(), Tensor::from(saved)));
        if let Some((figure, step)) = self.best {
            state.push(number("best", figure));
            state.push(("train/best_step".to_string(), Tensor::from(step as i64)));
        }
        for (key, callback) in keys(callbacks).into_iter().zip(callbacks) {
            state.extend(under(&format!("train/callback/{key}/"), callback.state()));
        }
        self.folder.save(step, &state)?;
        self.last = Some((run.steps, run.epoch));
        let newest = self.saved.iter().rev().take(self.keep.last).copied();
        let keep: Vec<u64> = newest.chain(self.best.map(|(_, step)| step)).collect();
        if self.keep.last < usize::MAX {
            let removed = self.folder.remove_but(&keep)?;
            self.saved.retain(|step| !removed.contains(step));
        }
        Ok(())
    }

    /// Takes up the newest checkpoint, if there is one: all of it, or nothing. Gives what it says of the run, the totals of an epoch that was
    /// begun, and how many epochs of data were gone through.
    #[track_caller]
    pub(super) fn resume<M: Module, R: Rule>(
        &mut self,
        parts: &mut Parts<'_, '_, M, R>,
    ) -> Result<Option<(Run, Named, usize)>> {
        let Some(found) = self.folder.newest()? else { return Ok(None) };
        let placed = |error: Error| error.operand("checkpoint", found.path.display().to_string());
        let taken_up = self.take_up(&found.state, parts).map_err(placed)?;
        let (mut run, totals, done) = taken_up;
        for damaged in found.damaged {
            run.notes.push(format!(
                "{} is damaged and was passed over: {}",
                damaged.path.display(),
                damaged.error.message()
            ));
        }
        self.last = Some((run.steps, run.epoch));
        Ok(Some((run, totals, done)))
    }

    fn take_up<M: Module, R: Rule>(
        &mut self,
        state: &[(String, Tensor)],
        parts: &mut Parts<'_, '_, M, R>,
    ) -> Result<(Run, Named, usize)> {
        let train = within("train/", state);
        self.same_config(&read_lines(&train, "config")?)?;
        let (mut run, done) = Run::loaded(&train)?;
        run.history = History::loaded(&within("history/", &train))?;
        let frozen = read_lines(&train, "frozen")?;
        let (rate, scale) = (float(&train, "learning_rate")?, float(&train, "rate_scale")?);
        let steps = |name| match find(&train, name) {
            Some(steps) => {
                steps.to_vec::<i64>().map(|steps| steps.into_iter().filter_map(|step| step.try_into().ok()).collect())
            }
            None => Ok(Vec::new()),
        };
        let saved: Vec<u64> = steps("saved")?;
        let best = match find(&train, "best") {
            Some(_) => Some((float(&train, "best")?, u64::try_from(whole(&train, "best_step")?).unwrap_or(0))),
            None => None,
        };
        let weights = within("model/", state);
        fits(parts.model, &weights)?;
        let keys = keys(parts.callbacks);
        let remembered = within("callback/", &train);
        let strange = remembered.iter().find(|(name, _)| !keys.iter().any(|key| name.starts_with(&format!("{key}/"))));
        if let Some((name, _)) = strange {
            let key = name.split('/').next().unwrap_or(name);
            let error = Error::state(format!("it was written with a callback `{key}`, which this run lacks"));
            return Err(error.help("resume with the callbacks of then, in their order"));
        }

        // What may fail comes first, and is undone together.
        let before = parts.optimizer.state(parts.model);
        parts.optimizer.load_state(parts.model, &within("optimizer/", state))?;
        let mut loaded: Vec<Named> = Vec::new();
        for (callback, key) in parts.callbacks.iter_mut().zip(&keys) {
            let own = within(&format!("{key}/"), &remembered);
            let old = callback.state();
            let outcome = if own.is_empty() && old.is_empty() { Ok(()) } else { callback.load_state(&own) };
            if let Err(error) = outcome {
                parts.optimizer.load_state(parts.model, &before).ok();
                parts.callbacks.iter_mut().zip(loaded).for_each(|(callback, old)| _ = callback.load_state(&old));
                return Err(error.operand("callback", format!("`{key}`")));
            }
            loaded.push(old);
        }
        put(parts.model, &weights)?;
        each_mut(parts.model, &mut |path, param| match frozen.contains(&path.name()) {
            true => param.freeze(),
            false => param.unfreeze(),
        });
        parts.optimizer.set_learning_rate(rate);
        parts.optimizer.set_rate_scale(scale);
        (self.saved, self.best) = (saved, best);
        Ok((run, within("totals/", &train), done))
    }

    fn same_config(&self, then: &[String]) -> Result<()> {
        let value = |name: &str| then.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        let mut error = None;
        for (name, now) in &self.config {
            let then = value(name).unwrap_or("not known");
            if then != now {
                let told = error.unwrap_or_else(|| {
                    Error::state("the run was begun with other settings")
                        .help("resume with the settings of then, or begin a new run in another folder")
                });
                error = Some(told.operand(*name, format!("{then} then, {now} now")));
            }
        }
        error.map_or(Ok(()), Err)
    }
}

/// A name for each callback; the second of a name is `name#2`.
fn keys(callbacks: &[Box<dyn Callback + '_>]) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for callback in callbacks {
        let name = callback.name();
        let before = keys.iter().filter(|key| key.split('#').next() == Some(name)).count();
        keys.push(if before == 0 { name.to_string() } else { format!("{name}#{}", before + 1) });
    }
    keys
}

impl Run {
    /// To be saved, beside the history and the totals.
    fn state(&self, done: usize) -> Named {
        let count = |name: &str, value: u64| (name.to_string(), Tensor::from(i64::try_from(value).unwrap_or(i64::MAX)));
        vec![
            count("epoch", self.epoch as u64),
            count("step", self.step as u64),
            count("steps", self.steps),
            count("done", done as u64),
            count("stopped", u64::from(self.stopped)),
        ]
    }

    fn loaded(state: &[(String, Tensor)]) -> Result<(Run, usize)> {
        let run = Run {
            epoch: count(state, "epoch")?,
            step: count(state, "step")?,
            steps: count(state, "steps")? as u64,
            stopped: count(state, "stopped")? != 0,
            resumed: true,
            ..Run::default()
        };
        Ok((run, count(state, "done")?))
    }
}
