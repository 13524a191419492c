//! The face of all optimizers: learning rates, a chain of rules, their state, and the step that commits it all.

use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasherDefault;
use std::panic::Location;
use std::rc::Rc;

use smallvec::SmallVec;
use wengert_autograd::hash::Mixer;
use wengert_autograd::{Gradients, LeafId, Meta, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

use super::group::{assign, sound};
use super::rule::{Leaf, Numbers, Rule, Slot};
use super::schedule::Schedule;
use crate::explain::{blame, explain};
use crate::module::{Module, each, each_mut};
use crate::names::{fits, unknown};
use crate::param::{Param, Role};

/// Moves the parameters of a model against their gradients by a [`Rule`]: see [`Adam`](super::adam::Adam),
/// [`AdamW`](super::adamw::AdamW), [`Sgd`](super::sgd::Sgd), or [`Optimizer::of`] for a rule of one's own.
///
/// ```
/// # extern crate wengert_nn as wengert;
/// use wengert_autograd::Tape;
/// use wengert_nn::{layer::Layer, layers::dense::Dense, module::Module, optim::adam::Adam};
/// use wengert_tensor::{random::Seed, tensor::Tensor};
///
/// #[derive(Module)]
/// struct Net { body: Dense, head: Dense }
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut net = Net { body: Dense::new(2, 8), head: Dense::new(8, 1) }.init(Seed(1))?;
/// let mut optimizer = Adam::new(1e-2).learning_rate_of("head", 1e-3).clip_global_norm(1.0);
/// let (x, y) = (Tensor::from([[0f32, 1.0], [1.0, 0.0]]), Tensor::from([[1f32], [-1.0]]));
/// let mut losses = Vec::new();
/// for _ in 0..50 {
///     let tape = Tape::training(0u64);
///     let loss = (net.head.forward(net.body.forward(tape.input(&x)).tanh()) - &y).square().mean();
///     losses.push(optimizer.step(&mut net, loss.backward())?);
/// }
/// assert!(losses[49] < 0.5 * losses[0]);
/// # Ok(())
/// # }
/// ```
///
/// A parameter of 16 bits is moved in f32: its gradient is cast before the first rule sees it, its state is f32, and
/// the sum of parameter and step is rounded once. (In f16 the ε of Adam and the square of a small gradient are 0.)
///
/// State belongs to the identity of a parameter, so one optimizer may train several models in turn. A parameter that took
/// no part in a loss, or that is frozen, is left alone, and so is its state.
pub struct Optimizer<R = Box<dyn Rule>> {
    before: Vec<Box<dyn Rule>>,
    rule: R,
    after: Vec<Box<dyn Rule>>,
    pub(super) rate: f64,
    pub(super) groups: Vec<(String, f64)>,
    schedule: Option<Box<dyn Schedule>>,
    pub(super) steps: u64,
    pub(super) held: HashMap<LeafId, Held, BuildHasherDefault<Mixer>>,
    /// Room for the values of a step, empty between steps.
    fresh: Vec<(LeafId, Option<Tensor>)>,
}

/// State of at least this many bytes is written over, not beside.
const LARGE: usize = 8 << 20;

/// What is kept for one parameter.
#[derive(Debug)]
pub(super) struct Held {
    /// The place of its group; `None` for the learning rate of the rest.
    pub(super) group: Option<usize>,
    /// How often it was updated.
    pub(super) count: u64,
    /// Empty until its first update.
    pub(super) slots: SmallVec<[State; 2]>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) rule: usize,
    pub(super) name: &'static str,
    pub(super) value: Tensor,
}

impl<R: Rule> Optimizer<R> {
    /// An optimizer that moves parameters by `rule` with this learning rate.
    pub fn of(rule: R, learning_rate: f64) -> Optimizer<R> {
        Optimizer {
            before: Vec::new(),
            rule,
            after: Vec::new(),
            rate: learning_rate,
            groups: Vec::new(),
            schedule: None,
            steps: 0,
            held: HashMap::default(),
            fresh: Vec::new(),
        }
    }

    /// Gives the parameters below `name` a learning rate of their own: `head` means `head.weight`, `head.bias` and
    /// whatever else lies below `head`.
    ///
    /// A name that no parameter of the model has, two groups with a parameter in common, or a learning rate that is
    /// negative or not finite are errors of the first step.
    #[must_use]
    pub fn learning_rate_of(mut self, name: impl Into<String>, learning_rate: f64) -> Optimizer<R> {
        self.groups.push((name.into(), learning_rate));
        self.held.clear();
        self
    }

    /// Multiplies every learning rate by a factor that depends on the step. A product that is negative or not finite is
    /// an error of that step.
    #[must_use]
    pub fn schedule(mut self, schedule: impl Schedule) -> Optimizer<R> {
        self.schedule = Some(Box::new(schedule));
        self
    }

    /// Runs `rule` on the gradients, after those that were put before already.
    #[must_use]
    pub fn before(mut self, rule: impl Rule) -> Optimizer<R> {
        self.before.push(Box::new(rule));
        self.held.clear();
        self
    }

    /// Runs `rule` on the updates, after those that were put after already.
    #[must_use]
    pub fn after(mut self, rule: impl Rule) -> Optimizer<R> {
        self.after.push(Box::new(rule));
        self.held.clear();
        self
    }

    /// The same optimizer without the type of its rule.
    pub fn boxed(self) -> Optimizer<Box<dyn Rule>> {
        let Optimizer { before, rule, after, rate, groups, schedule, steps, held, fresh } = self;
        Optimizer { before, rule: Box::new(rule), after, rate, groups, schedule, steps, held, fresh }
    }

    /// Changes the settings of the rule.
    pub(crate) fn configure(mut self, change: impl FnOnce(&mut R)) -> Optimizer<R> {
        change(&mut self.rule);
        self.held.clear();
        self
    }

    /// The learning rate of the parameters that are in no group, without the factor of a schedule.
    pub fn learning_rate(&self) -> f64 {
        self.rate
    }

    /// Changes the learning rate of the parameters that are in no group, between steps. One that is negative or not
    /// finite is an error of the next step.
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.rate = learning_rate;
    }

    /// The factor of the schedule for the next step; 1 without one.
    pub fn factor(&self) -> f64 {
        self.schedule.as_ref().map_or(1.0, |schedule| schedule.factor(self.steps))
    }

    /// The number of steps that were committed.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Computes the loss, the new parameters, the new state and the side results of the tape (running means and their
    /// like) by one plan, and commits them all. Gives the loss.
    ///
    /// # Errors
    /// Whatever was recorded on the tape; a group that fits no parameter; settings without meaning; a learning rate,
    /// times the factor of the schedule, that is negative or not finite; a loss in which no parameter of `model` took
    /// part. After an error the model and the optimizer are as they were.
    #[track_caller]
    pub fn step<M: Module + ?Sized>(&mut self, model: &mut M, gradients: Gradients<'_>) -> Result<f64> {
        self.step_with(model, gradients, &[], |_| Ok(())).map(|(loss, _)| loss)
    }

    /// [`Optimizer::step`] that computes other values of the tape by the same plan, such as sums for metrics, and asks
    /// `accept` about the loss before anything is committed. Gives the loss and the other values.
    ///
    /// # Errors
    /// Those of [`Optimizer::step`], and that of `accept`. After an error the model and the optimizer are as they were.
    #[track_caller]
    pub fn step_with<'t, M: Module + ?Sized>(
        &mut self,
        model: &mut M,
        gradients: Gradients<'t>,
        also: &[Var<'t>],
        accept: impl FnOnce(f64) -> Result<()>,
    ) -> Result<(f64, Vec<Tensor>)> {
        let tape = gradients.tape();
        let here = Location::caller();
        tape.check().map_err(|error| blame(explain(model, tape, error), here))?;
        self.know(model)?;
        let named = |error| blame(explain(model, tape, error), here);
        let number =
            |loss: Option<&Tensor>| loss.and_then(|loss| loss.to_f64_vec().first().copied()).unwrap_or(f64::NAN);
        let mut accept = Some(accept);
        let large = self.state_bytes(model, &gradients).map_err(named)? >= LARGE;
        if large {
            // Once the step is accepted nobody needs the old state any more, and the new one may be written over it.
            let values = tape.eval(judged(model, &gradients, also).as_slice()).map_err(named)?;
            accept.take().map_or(Ok(()), |accept| accept(number(values.first())))?;
        }
        let step = self.record(model, &gradients, None).map_err(named)?;
        if large {
            self.donate(&step);
        }
        let values = tape.eval(step.wanted(also).as_slice()).map_err(|error| {
            self.take_back(&step);
            named(error)
        })?;
        let mut values = values.into_iter();

        let loss = number(values.next().as_ref());
        accept.take().map_or(Ok(()), |accept| accept(loss))?;
        let others = values.by_ref().take(also.len()).collect();
        let ids = step.leaves.iter().map(|leaf| leaf.id).chain(step.updates.iter().map(|&(id, _)| id));
        let mut fresh = std::mem::take(&mut self.fresh);
        fresh.extend(ids.zip(values.by_ref().map(Some)));

        // Everything is at hand and fits: from here on nothing fails.
        for leaf in &step.leaves {
            let Some(held) = self.held.get_mut(&leaf.id) else { continue };
            held.count = leaf.count;
            for (slot, state) in leaf.slots.iter().zip(&mut held.slots) {
                if slot.next.is_some()
                    && let Some(value) = values.next()
                {
                    state.value = value;
                }
            }
        }
        let (mut outcome, mut cursor) = (Ok(()), 0);
        each_mut(model, &mut |_, param| {
            // The weights come in the order of the walk; only buffers are searched for.
            let at_cursor = fresh.get(cursor).is_some_and(|(id, _)| *id == param.id());
            let found = if at_cursor { Some(cursor) } else { fresh.iter().position(|(id, _)| *id == param.id()) };
            if let Some((place, value)) = found.and_then(|place| Some((place, fresh.get_mut(place)?.1.take()?))) {
                cursor = place + 1;
                if let Err(error) = param.set(value) {
                    outcome = Err(error);
                }
            }
        });
        fresh.clear();
        self.fresh = fresh;
        self.steps += 1;
        outcome.map(|()| (loss, others))
    }

    /// The bytes of the state of all parameters that took part.
    fn state_bytes<M: Module + ?Sized>(&mut self, model: &M, gradients: &Gradients<'_>) -> Result<usize> {
        let (mut bytes, mut outcome) = (0, Ok(()));
        each(model, &mut |_, param| {
            if param.is_trainable() && gradients.get(param.id()).is_some() && outcome.is_ok() {
                outcome = self.prepare(param);
                let slots = self.held.get(&param.id()).into_iter().flat_map(|held| &held.slots);
                bytes += slots.map(|state| state.value.len() * state.value.dtype().size()).sum::<usize>();
            }
        });
        outcome.map(|()| bytes)
    }

    /// Lets the new state be written over the old one.
    fn donate(&mut self, step: &Step<'_>) {
        let empty = Tensor::from([0u8; 0]);
        for leaf in &step.leaves {
            let Some(held) = self.held.get_mut(&leaf.id) else { continue };
            for (slot, state) in leaf.slots.iter().zip(&mut held.slots).filter(|(slot, _)| slot.next.is_some()) {
                let own = std::mem::replace(&mut state.value, empty.clone());
                slot.now.tape().donate(slot.now, own);
            }
        }
    }

    /// Notes on the tape of a step that is compiled that its state may be written over, if it is large.
    pub(super) fn donate_large(&self, step: &Step<'_>) -> bool {
        let held = |leaf: &Leaf<'_>| self.held.get(&leaf.id).map_or(&[][..], |held| &held.slots);
        let bytes = |state: &State| state.value.len() * state.value.dtype().size();
        let large = step.leaves.iter().flat_map(held).map(bytes).sum::<usize>() >= LARGE;
        for leaf in step.leaves.iter().filter(|_| large) {
            for (slot, state) in leaf.slots.iter().zip(held(leaf)).filter(|(slot, _)| slot.next.is_some()) {
                slot.now.tape().donate(slot.now, state.value.clone());
            }
        }
        large
    }

    /// Takes the state of parameters out, to be given away.
    pub(super) fn take_state(&mut self, ids: impl Iterator<Item = LeafId>) -> Vec<Tensor> {
        let empty = Tensor::from([0u8; 0]);
        let mut taken = Vec::new();
        for id in ids {
            let slots = self.held.get_mut(&id).map_or(&mut [][..], |held| &mut held.slots);
            taken.extend(slots.iter_mut().map(|state| std::mem::replace(&mut state.value, empty.clone())));
        }
        taken
    }

    /// Puts back what was taken out and is still there.
    pub(super) fn put_state(&mut self, ids: impl Iterator<Item = LeafId>, taken: Vec<Option<Tensor>>) {
        let mut taken = taken.into_iter();
        for id in ids {
            let slots = self.held.get_mut(&id).map_or(&mut [][..], |held| &mut held.slots);
            for state in slots {
                if let Some(value) = taken.next().flatten() {
                    state.value = value;
                }
            }
        }
    }

    /// Takes the state back from a step that failed.
    fn take_back(&mut self, step: &Step<'_>) {
        for leaf in &step.leaves {
            let Some(held) = self.held.get_mut(&leaf.id) else { continue };
            for (slot, state) in leaf.slots.iter().zip(&mut held.slots) {
                if let Ok(value) = slot.now.value() {
                    state.value = value;
                }
            }
        }
    }

    /// Everything that a step computes, as graph.
    pub(super) fn record<'t, M: Module + ?Sized>(
        &mut self,
        model: &M,
        gradients: &Gradients<'t>,
        numbers: Option<&Rc<Numbers>>,
    ) -> Result<Step<'t>> {
        let tape = gradients.tape();
        let mut leaves = self.leaves(model, gradients, numbers)?;
        for (place, rule) in self.rules().enumerate() {
            for leaf in &mut leaves {
                leaf.rule = place;
            }
            rule.update(&mut leaves);
        }
        for leaf in &mut leaves {
            leaf.update = leaf.next().cast(leaf.dtype);
        }
        // Side results for parts that are not of this model are another step's.
        let mut updates = tape.updates();
        let mut outcome = Ok(());
        if !updates.is_empty() {
            let mut known: HashMap<LeafId, &Param> = HashMap::new();
            each(model, &mut |_, param| _ = known.insert(param.id(), param));
            updates.retain(|(id, _)| known.contains_key(id));
            for (id, next) in &updates {
                if let Some(param) = known.get(id) {
                    outcome = outcome.and(same(&Meta::new(param.shape().clone(), param.dtype()), *next, "buffer"));
                }
            }
        }
        tape.check()?;
        outcome?;
        for leaf in &leaves {
            same(&leaf.parameter.meta().with_dtype(leaf.dtype), leaf.update, "parameter")?;
            for slot in &leaf.slots {
                slot.next.map_or(Ok(()), |next| same(&slot.now.meta(), next, slot.name))?;
            }
        }
        Ok(Step { loss: gradients.loss(), leaves, updates })
    }

    /// The parameters that took part, in the order of the model, with their gradients and their state.
    fn leaves<'t, M: Module + ?Sized>(
        &mut self,
        model: &M,
        gradients: &Gradients<'t>,
        numbers: Option<&Rc<Numbers>>,
    ) -> Result<Vec<Leaf<'t>>> {
        let tape = gradients.tape();
        let factor = self.factor();
        let mut leaves = Vec::new();
        let mut outcome = Ok(());
        each(model, &mut |path, param| {
            let Some(update) = gradients.get(param.id()) else { return };
            if outcome.is_err() || !param.is_trainable() {
                return;
            }
            let rate = self.rate_of(param.id()) * factor;
            let dtype = working(param.dtype());
            outcome = sound(path, rate, dtype).and_then(|()| self.prepare(param));
            let Some(held) = self.held.get(&param.id()) else { return };
            let slots = held.slots.iter().map(|state| Slot {
                rule: state.rule,
                name: state.name,
                now: tape.input(&state.value),
                next: None,
            });
            leaves.push(Leaf {
                parameter: param.on(tape).cast(dtype),
                update: update.cast(dtype),
                next: None,
                name: path.name(),
                dtype: param.dtype(),
                id: param.id(),
                count: held.count + 1,
                rate,
                rule: 0,
                slots: slots.collect(),
                place: leaves.len(),
                numbers: numbers.cloned(),
            });
        });
        outcome?;
        if leaves.is_empty() {
            let message = format!("no trainable parameter of this `{}` took part in the loss", model.type_name());
            return Err(Error::state(message).op("step").help(
                "compute the loss with the model that is handed to `step` (a clone has parameters of its own), and unfreeze \
                 what is to be trained",
            ));
        }
        Ok(leaves)
    }

    /// The learning rate of a parameter, without the factor of a schedule.
    pub(super) fn rate_of(&self, id: LeafId) -> f64 {
        let group = self.held.get(&id).and_then(|held| held.group);
        group.and_then(|place| self.groups.get(place)).map_or(self.rate, |&(_, rate)| rate)
    }

    /// Makes the acquaintance of the model, if it has weights that were not seen before.
    pub(super) fn know<M: Module + ?Sized>(&mut self, model: &mut M) -> Result<()> {
        if self.is_strange(model) {
            agree(model)?;
            self.meet(model)?;
        }
        Ok(())
    }

    /// Gives a parameter the state that it starts from, before its first update.
    pub(super) fn prepare(&mut self, param: &Param) -> Result<()> {
        if self.held.get(&param.id()).is_some_and(|held| held.count > 0) {
            return Ok(());
        }
        let mut slots = SmallVec::new();
        for (place, rule) in self.rules().enumerate() {
            let state = rule.init(&param.value().cast(working(param.dtype()))?)?;
            for (name, value) in state {
                slots.push(State { rule: place, name, value: value.contiguous()? });
            }
        }
        if let Some(held) = self.held.get_mut(&param.id()) {
            held.slots = slots;
        }
        Ok(())
    }

    /// True if the model has weights that were not seen before.
    fn is_strange<M: Module + ?Sized>(&self, model: &M) -> bool {
        let mut strange = false;
        each(model, &mut |_, param| strange |= param.role() == Role::Weight && !self.held.contains_key(&param.id()));
        strange
    }

    /// Makes the acquaintance of parameters that were not seen before: which group they are in.
    pub(super) fn meet<M: Module + ?Sized>(&mut self, model: &M) -> Result<()> {
        self.rules().try_for_each(Rule::check)?;
        for rule in self.rules() {
            if let Some(name) = rule.names().into_iter().find(|name| !fits(model, name)) {
                return Err(unknown(model, name).op(rule.name()));
            }
        }
        sound(model.type_name(), self.rate, DType::F64)?;
        for (id, group) in assign(model, &self.groups)? {
            self.held.entry(id).or_insert(Held { group, count: 0, slots: SmallVec::new() });
        }
        Ok(())
    }

    /// The rules in the order in which they run.
    pub(super) fn rules(&self) -> impl Iterator<Item = &dyn Rule> {
        let (before, after) = (self.before.iter().map(|rule| &**rule), self.after.iter().map(|rule| &**rule));
        before.chain([&self.rule as &dyn Rule]).chain(after)
    }
}

/// What is computed before a step is accepted: the loss first, what else was asked for, the gradients, and the side results.
fn judged<'t, M: Module + ?Sized>(model: &M, gradients: &Gradients<'t>, also: &[Var<'t>]) -> Vec<Var<'t>> {
    let mut judged = vec![gradients.loss()];
    judged.extend(also);
    each(model, &mut |_, param| {
        judged.extend(gradients.get(param.id()).filter(|_| param.is_trainable()));
        judged.extend(gradients.tape().updated(param.id()));
    });
    judged
}

/// The dtype in which a parameter is moved.
pub(super) fn working(dtype: DType) -> DType {
    match dtype {
        DType::BF16 | DType::F16 => DType::F32,
        other => other,
    }
}

/// That both walks over a model, one of which may be written by hand, find the same parameters.
fn agree<M: Module + ?Sized>(model: &mut M) -> Result<()> {
    let (mut read, mut written) = (Vec::new(), Vec::new());
    each(model, &mut |_, param| read.push(param.id()));
    each_mut(model, &mut |_, param| written.push(param.id()));
    match read == written {
        true => Ok(()),
        false => {
            Err(Error::state(format!("`visit` and `visit_mut` of `{}` find different parameters", model.type_name()))
                .op("step")
                .help("`#[derive(Module)]` writes both"))
        }
    }
}

/// What a step computes.
pub(super) struct Step<'t> {
    pub(super) loss: Var<'t>,
    /// Each with its new value as its update.
    pub(super) leaves: Vec<Leaf<'t>>,
    pub(super) updates: Vec<(LeafId, Var<'t>)>,
}

impl<'t> Step<'t> {
    /// The loss, what else was asked for, the parameters, the buffers, the state: the last three as they are committed.
    pub(super) fn wanted(&self, also: &[Var<'t>]) -> Vec<Var<'t>> {
        let state = self.leaves.iter().flat_map(|leaf| leaf.slots.iter().filter_map(|slot| slot.next));
        let values =
            std::iter::once(self.loss).chain(also.iter().copied()).chain(self.leaves.iter().map(|leaf| leaf.update));
        values.chain(self.updates.iter().map(|&(_, next)| next)).chain(state).collect()
    }
}

/// That a value keeps its shape and dtype from step to step.
fn same(now: &Meta, next: Var<'_>, what: &str) -> Result<()> {
    match next.meta() {
        next if next == *now => Ok(()),
        next => Err(Error::shape(format!("the {what} {now} would become {next}")).op("step")),
    }
}

impl<R: Rule> fmt::Debug for Optimizer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Optimizer");
        text.field("rules", &self.rules().collect::<Vec<_>>()).field("learning_rate", &self.rate);
        text.field("groups", &self.groups).field("steps", &self.steps).finish_non_exhaustive()
    }
}
