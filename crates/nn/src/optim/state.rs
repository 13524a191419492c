//! The state of an optimizer as named tensors, to be saved and taken up again.

use std::collections::HashMap;

use smallvec::SmallVec;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

use super::optimizer::{GATHERED, Held, Optimizer, State};
use super::rule::Rule;
use crate::module::{Module, each};
use crate::tensors::{under, within};

impl<R: Rule> Optimizer<R> {
    /// The state as named tensors, to be saved: for each parameter that was updated `head.weight/count` and such as
    /// `head.weight/adam.mean`, and `steps` for all; `schedule.best` and such for a schedule that remembers something.
    pub fn state<M: Module + ?Sized>(&self, model: &M) -> Vec<(String, Tensor)> {
        let mut state = vec![("steps".to_string(), Tensor::from(self.steps as i64))];
        if self.every > 1 {
            state.push(("gathered".to_string(), Tensor::from(self.gathered as i64)));
        }
        if let Some(guard) = &self.guard {
            guard.state(&mut state);
        }
        if let Some(schedule) = &self.schedule {
            state.extend(under(SCHEDULE, schedule.state()));
        }
        let rules = self.rule_names();
        each(model, &mut |path, param| {
            let Some(held) = self.held.get(&param.id()).filter(|held| held.began()) else { return };
            state.push((format!("{path}/count"), Tensor::from(held.count as i64)));
            if self.every > 1 {
                state.push((format!("{path}/gathered"), Tensor::from(held.pending as i64)));
            }
            for slot in &held.slots {
                state.push((format!("{path}/{}.{}", rule_name(&rules, slot.rule), slot.name), slot.value.clone()));
            }
        });
        state
    }

    /// Takes up the state that [`Optimizer::state`] gave for a model with the same names, so that the next step is the
    /// one that would have followed. It replaces the state of all of `model`: a weight without entries starts anew, as
    /// one that was never updated. State for the weights of other models stays.
    ///
    /// # Errors
    /// A name that is missing or not known here, another shape or dtype, a group that fits no parameter. The optimizer is
    /// then as it was.
    pub fn load_state<M: Module + ?Sized>(&mut self, model: &M, state: &[(String, Tensor)]) -> Result<()> {
        self.meet(model)?;
        let mut given: HashMap<&str, &Tensor> = state.iter().map(|(name, value)| (&**name, value)).collect();
        let steps = count(given.remove("steps"), "steps")?;
        let gathered = if self.every > 1 { count(given.remove("gathered"), "gathered")? } else { 0 };
        if gathered >= self.every.max(1) {
            let message = format!("`gathered` is {gathered}: a step follows each {} gradients", self.every);
            return Err(Error::format(message).op("load_state"));
        }
        let guard = self.guard.as_ref().map(|guard| guard.loaded(&mut given)).transpose()?;
        let schedule: Vec<(String, Tensor)> = match &self.schedule {
            Some(_) => within(SCHEDULE, state),
            None => Vec::new(),
        };
        schedule.iter().for_each(|(name, _)| _ = given.remove(&*format!("{SCHEDULE}{name}")));
        let rules = self.rule_names();
        let mut loaded = Vec::new();
        for (name, param) in model.parameters() {
            let key = format!("{name}/count");
            let Some(updates) = given.remove(&*key) else {
                loaded.push((param.id(), 0, 0, SmallVec::new()));
                continue;
            };
            let updates = count(Some(updates), &key)?;
            let key = format!("{name}/gathered");
            let pending = if self.every > 1 { count(given.remove(&*key), &key)? } else { 0 };
            let mut slots: SmallVec<[State; 2]> = self.initial_state(param)?;
            for State { rule, name: slot, value: start, .. } in &mut slots {
                let key = format!("{name}/{}.{slot}", rule_name(&rules, *rule));
                let Some(value) = given.remove(&*key) else { return Err(missing(&key)) };
                if value.shape() != start.shape() || value.dtype() != start.dtype() {
                    let (there, here) = (described(value), described(start));
                    return Err(Error::format(format!("`{key}` is {there} and should be {here}")).op("load_state"));
                }
                *start = value.contiguous()?;
            }
            loaded.push((param.id(), updates, pending, slots));
        }
        if let Some(name) = given.keys().min() {
            return Err(Error::format(format!("`{name}` is no state of this optimizer and model")).op("load_state"));
        }
        self.schedule.as_ref().map_or(Ok(()), |own| own.load_state(&schedule))?;
        let generation = self.generation;
        for (id, count, pending, slots) in loaded {
            self.held
                .entry(id)
                .and_modify(|held: &mut Held| (held.count, held.pending, held.slots) = (count, pending, slots))
                .and_modify(|held| held.generation = generation);
        }
        (self.steps, self.gathered, self.guard) = (steps, gathered, guard);
        Ok(())
    }

    /// The names of the rules in order; the second of a name is `name#2`.
    fn rule_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for rule in self.rules() {
            let before = names.iter().filter(|name| name.split('#').next() == Some(rule.name())).count();
            names.push(match before {
                0 => rule.name().to_string(),
                n => format!("{}#{}", rule.name(), n + 1),
            });
        }
        names
    }
}

/// What stands before the state of the schedule. No parameter's state begins so without a `/`.
const SCHEDULE: &str = "schedule.";

/// The name of the rule at a place, or of what is gathered for all.
fn rule_name(rules: &[String], place: usize) -> &str {
    match place {
        GATHERED => "gathered",
        place => rules.get(place).map_or("", |rule| rule),
    }
}

pub(super) fn missing(name: &str) -> Error {
    Error::format(format!("`{name}` is missing")).op("load_state")
}

fn described(tensor: &Tensor) -> String {
    format!("{} {}", tensor.shape(), tensor.dtype())
}

pub(super) fn count(value: Option<&Tensor>, name: &str) -> Result<u64> {
    let value = value.ok_or_else(|| missing(name))?.item::<i64>()?;
    u64::try_from(value)
        .map_err(|_| Error::format(format!("`{name}` is {value}, which counts nothing")).op("load_state"))
}
