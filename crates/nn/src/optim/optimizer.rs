//! The face of all optimizers: learning rates, a chain of rules, their state, and the step that commits it all.

use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasherDefault;
use std::panic::Location;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use smallvec::SmallVec;
use wengert_autograd::hash::Mixer;
use wengert_autograd::{Gradients, LeafId, Meta, PlanReport, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

use super::group::{assign, sound};
use super::memo::Memo;
use super::rule::{Leaf, Numbers, Rule, Slot, those};
use super::scale::{Guard, LossScale};
use super::schedule::Schedule;
use super::select::Select;
use crate::explain::{blame, explain, note, note_if_wanted};
use crate::module::{Module, each, each_mut};
use crate::names::known;
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
    pub(super) groups: Vec<(Box<dyn Select>, f64)>,
    /// The rules of single layers, in place of `rule`.
    others: Vec<(Box<dyn Select>, Box<dyn Rule>)>,
    frozen: Vec<Box<dyn Select>>,
    pub(crate) schedule: Option<Box<dyn Schedule>>,
    /// What all learning rates are multiplied by, beside the schedule.
    scale: f64,
    pub(super) steps: u64,
    /// How many gradients make a step, and how many of them are there.
    pub(crate) every: u64,
    pub(super) gathered: u64,
    pub(super) guard: Option<Guard>,
    /// How often the settings of rules were changed: state that was made for other settings is made fit before it is used.
    pub(super) generation: u64,
    /// Settings were changed, and not looked at since.
    unchecked: bool,
    /// Where parameters stand whose gradients were taken elsewhere.
    pub(super) origins: HashMap<LeafId, Tensor>,
    pub(super) held: HashMap<LeafId, Held, BuildHasherDefault<Mixer>>,
    /// The update of the last step. Nobody locks it: formulas go from thread to thread, but are not shared.
    memo: Mutex<Option<Box<Memo>>>,
}

/// State of at least this many bytes is written over, not beside.
const LARGE: usize = 8 << 20;

/// What is kept for one parameter.
#[derive(Debug)]
pub(super) struct Held {
    /// The place of its group; `None` for the learning rate of the rest.
    pub(super) group: Option<usize>,
    /// The place of its rule among those of single layers; `None` for the rule of the rest.
    pub(super) own: Option<usize>,
    pub(super) frozen: bool,
    pub(super) name: Arc<str>,
    /// How often it was updated.
    pub(super) count: u64,
    /// How many gradients were gathered for its next update.
    pub(super) pending: u64,
    /// Empty until its first update.
    pub(super) slots: SmallVec<[State; 2]>,
    /// The settings for which its state was made.
    pub(super) generation: u64,
}

impl Held {
    /// Whether its state is that of a step.
    pub(super) fn began(&self) -> bool {
        self.count > 0 || self.pending > 0
    }
}

/// The place of gathered gradients among the state: after those of all rules.
pub(super) const GATHERED: usize = usize::MAX;

#[derive(Debug)]
pub(super) struct State {
    pub(super) rule: usize,
    /// The name of the rule: another one may come to its place.
    pub(super) kind: &'static str,
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
            others: Vec::new(),
            frozen: Vec::new(),
            schedule: None,
            scale: 1.0,
            steps: 0,
            every: 1,
            gathered: 0,
            guard: None,
            generation: 0,
            unchecked: true,
            origins: HashMap::new(),
            held: HashMap::default(),
            memo: Mutex::default(),
        }
    }

    /// Gives some parameters a learning rate of their own: `"head"` means `head.weight`, `head.bias` and whatever else lies below
    /// `head`; see [`Select`] for other choices.
    ///
    /// A name that no parameter of the model has, two groups with a parameter in common, or a learning rate that is
    /// negative or not finite are errors of the first step.
    #[must_use]
    pub fn learning_rate_of(mut self, select: impl Select, learning_rate: f64) -> Optimizer<R> {
        self.groups.push((Box::new(select), learning_rate));
        self.anew()
    }

    /// Moves some parameters by another rule; what runs before and after runs for them too. With [`Optimizer::learning_rate_of`] a layer has
    /// a rule and a learning rate of its own.
    ///
    /// ```
    /// # extern crate wengert_nn as wengert;
    /// use wengert_autograd::Tape;
    /// use wengert_nn::{module::Module, optim::{adamw::AdamW, sgd::SgdRule}, param::Param};
    /// use wengert_tensor::tensor::Tensor;
    /// #[derive(Module)]
    /// struct Net { body: Param, head: Param }
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let mut net = Net { body: Param::new(Tensor::from(1f32)), head: Param::new(Tensor::from(1f32)) };
    /// let sgd = SgdRule::default().momentum(0.9);
    /// let mut optimizer = AdamW::new(1e-3).rule_of("head", sgd).learning_rate_of("head", 0.25);
    /// let tape = Tape::new();
    /// let loss = (net.body.on(&tape) * net.head.on(&tape)).square();    // the gradient by both is 2
    /// optimizer.step(&mut net, loss.backward())?;
    /// assert_eq!(net.head.value().item::<f32>()?, 0.5);
    /// assert!(net.body.value().item::<f32>()? > 0.998);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A name that no parameter of the model has, and two rules for one parameter, are errors of the first step.
    #[must_use]
    pub fn rule_of(mut self, select: impl Select, rule: impl Rule) -> Optimizer<R> {
        self.others.push((Box::new(select), Box::new(rule)));
        self.anew()
    }

    /// Leaves some parameters alone, and computes no gradient by them. See [`Param::freeze`] for what all optimizers leave alone.
    ///
    /// A name that no parameter of the model has is an error of the first step.
    #[must_use]
    pub fn freeze(mut self, select: impl Select) -> Optimizer<R> {
        self.frozen.push(Box::new(select));
        self.anew()
    }

    /// Moves the parameters only in every `count`-th step, by the mean of the gradients of those steps: a batch of `count` times the size in
    /// the memory of one. The others only add their gradients up; they are no [`Optimizer::steps`]. Side results, such as running means, are
    /// committed each time.
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_nn::{optim::sgd::Sgd, param::Param};
    /// use wengert_tensor::tensor::Tensor;
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let (mut weight, mut sgd) = (Param::new(Tensor::from(1f32)), Sgd::new(0.5).accumulate(2));
    /// for gradient in [1f32, 2.0] {
    ///     let tape = Tape::new();
    ///     let loss = weight.on(&tape) * gradient;
    ///     sgd.step(&mut weight, loss.backward())?;
    /// }
    /// assert_eq!((weight.value().item::<f32>()?, sgd.steps()), (0.25, 1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A count of 0 is an error of the first step.
    #[must_use]
    pub fn accumulate(mut self, count: u64) -> Optimizer<R> {
        self.every = count;
        self.anew()
    }

    /// Leaves parameters, state and side results as they were in a step whose loss or gradients are not finite. Such a step is counted by
    /// [`Optimizer::skipped`], not by [`Optimizer::steps`].
    #[must_use]
    pub fn skip_non_finite(mut self) -> Optimizer<R> {
        self.guard.get_or_insert_with(Guard::default);
        self
    }

    /// Scales the loss while gradients are computed by [`Optimizer::backward`], for gradients that 16 bits cannot hold otherwise. Steps that
    /// are not finite are skipped. See [`LossScale`].
    #[must_use]
    pub fn loss_scale(mut self, scale: LossScale) -> Optimizer<R> {
        self.guard.get_or_insert_with(Guard::default).scale = Some(scale);
        self.unchecked = true;
        self
    }

    /// Whether a step whose gradients are not finite moves nothing.
    pub(crate) fn skips(&self) -> bool {
        self.guard.is_some()
    }

    /// How many steps were skipped since their loss or gradients were not finite.
    pub fn skipped(&self) -> u64 {
        self.guard.as_ref().map_or(0, |guard| guard.skipped)
    }

    /// Multiplies every learning rate by a factor that depends on the step. A product that is negative or not finite is
    /// an error of that step.
    #[must_use]
    pub fn schedule(mut self, schedule: impl Schedule) -> Optimizer<R> {
        self.schedule = Some(Box::new(schedule));
        self.unchecked = true;
        self
    }

    /// Runs `rule` on the gradients, after those that were put before already.
    #[must_use]
    pub fn before(mut self, rule: impl Rule) -> Optimizer<R> {
        self.before.push(Box::new(rule));
        self.anew()
    }

    /// Runs `rule` on the updates, after those that were put after already.
    #[must_use]
    pub fn after(mut self, rule: impl Rule) -> Optimizer<R> {
        self.after.push(Box::new(rule));
        self.anew()
    }

    /// The same optimizer without the type of its rule.
    pub fn boxed(self) -> Optimizer<Box<dyn Rule>> {
        Optimizer {
            before: self.before,
            rule: Box::new(self.rule),
            after: self.after,
            rate: self.rate,
            groups: self.groups,
            others: self.others,
            frozen: self.frozen,
            schedule: self.schedule,
            scale: self.scale,
            steps: self.steps,
            every: self.every,
            gathered: self.gathered,
            guard: self.guard,
            generation: self.generation,
            unchecked: self.unchecked,
            origins: self.origins,
            held: self.held,
            memo: Mutex::default(),
        }
    }

    /// Changes the settings of the rule.
    pub(crate) fn configure(self, change: impl FnOnce(R) -> R) -> Optimizer<R> {
        Optimizer { rule: change(self.rule), ..self }.anew()
    }

    /// Forgets the parameters and their state, as an optimizer that is made anew.
    fn anew(mut self) -> Optimizer<R> {
        self.held.clear();
        (self.gathered, self.unchecked, self.memo) = (0, true, Mutex::default());
        self
    }

    /// The rule, with its settings.
    pub fn rule(&self) -> &R {
        &self.rule
    }

    /// The rule, whose settings may be changed between steps: numbers are slots of the plan, so none is compiled anew. State that the
    /// changed rule needs and that is not there starts anew; what it does not need is forgotten.
    ///
    /// ```
    /// use wengert_nn::optim::adam::Adam;
    /// let mut adam = Adam::new(1e-3);
    /// *adam.rule_mut() = adam.rule().betas(0.8, 0.99);
    /// ```
    pub fn rule_mut(&mut self) -> &mut R {
        self.generation = self.generation.wrapping_add(1);
        (self.unchecked, self.memo) = (true, Mutex::default());
        &mut self.rule
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

    /// What every learning rate is multiplied by in the next step: the factor of the schedule, 1 without one, times that of
    /// [`Optimizer::set_rate_scale`].
    pub fn factor(&self) -> f64 {
        self.schedule.as_ref().map_or(1.0, |schedule| schedule.factor(self.steps)) * self.scale
    }

    /// Multiplies every learning rate, those of groups too, by this from now on, beside the schedule (default: 1). It is no part of the
    /// [state](Optimizer::state).
    ///
    /// ```
    /// use wengert_nn::optim::sgd::Sgd;
    /// let mut sgd = Sgd::new(0.1).schedule(|step: u64| 1.0 / (step + 1) as f64);
    /// sgd.set_rate_scale(0.5);
    /// assert_eq!((sgd.factor(), sgd.rate_scale()), (0.5, 0.5));
    /// ```
    pub fn set_rate_scale(&mut self, scale: f64) {
        self.scale = scale;
    }

    /// What [`Optimizer::set_rate_scale`] has set.
    pub fn rate_scale(&self) -> f64 {
        self.scale
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
        note_if_wanted(model, tape);
        self.know(model).map_err(|error| blame(error, here))?;
        let named = |error| blame(explain(model, tape, error), here);
        let mut accept = Some(accept);
        if let Some(mut memo) = self.memo().take()
            && self.recalled(&mut memo, model, &gradients, also).is_some()
        {
            let ending = std::mem::take(&mut memo.ending);
            let outcome = self.finish(model, &ending, memo.values(), also.len(), accept.take());
            memo.ending = ending;
            *self.memo() = Some(memo);
            return outcome;
        }
        let large = self.state_bytes(model, &gradients).map_err(named)? >= LARGE;
        if large {
            // Once the step is accepted nobody needs the old state any more, and the new one may be written over it.
            let values = tape.eval(self.judged(model, &gradients, also).as_slice()).map_err(named)?;
            accept.take().map_or(Ok(()), |accept| accept(values.first().map_or(f64::NAN, single)))?;
        }
        let step = match large {
            true => self.record(model, &gradients, None),
            false => self.memorized(model, &gradients, also),
        };
        let step = step.map_err(named)?;
        if large {
            self.donate(&step);
        }
        let mut values = tape.eval(step.wanted(also).as_slice()).map_err(|error| {
            self.take_back(&step);
            named(error)
        })?;
        self.finish(model, &Ending::of(&step), &mut values, also.len(), accept)
    }

    /// The update of the last step.
    pub(super) fn memo(&mut self) -> &mut Option<Box<Memo>> {
        self.memo.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Commits what a step wanted, if it is accepted, and gives the loss and the other values.
    fn finish<M: Module + ?Sized>(
        &mut self,
        model: &mut M,
        ending: &Ending,
        values: &mut [Tensor],
        others: usize,
        accept: Option<impl FnOnce(f64) -> Result<()>>,
    ) -> Result<(f64, Vec<Tensor>)> {
        let (sound, gathers) =
            (!ending.judges || values.last().is_none_or(|sound| single(sound) != 0.0), self.gathers());
        let loss = values.first().map_or(f64::NAN, single);
        accept.map_or(Ok(()), |accept| accept(loss))?;
        let (first, fresh) = values.split_at_mut_checked(1 + others).unwrap_or_default();
        let others = first.iter().skip(1).cloned().collect();

        // Everything is at hand and fits: from here on nothing fails.
        let (fresh, state) = fresh.split_at_mut_checked(ending.ids.len()).unwrap_or_default();
        let mut state_of = state.iter_mut();
        for (id, slots) in ending.ids.iter().zip(&ending.slots) {
            let Some(held) = self.held.get_mut(id) else { continue };
            held.advance(sound, gathers);
            for (_, state) in slots.iter().zip(&mut held.slots).filter(|(moves, _)| **moves) {
                if let Some(value) = state_of.next() {
                    std::mem::swap(&mut state.value, value);
                }
            }
        }
        let (mut outcome, mut cursor) = (Ok(()), 0);
        let mut committed: SmallVec<[bool; 32]> = SmallVec::from_elem(false, ending.ids.len());
        each_mut(model, &mut |_, param| {
            // The weights come in the order of the walk; only buffers are searched for.
            let at_cursor = ending.ids.get(cursor).is_some_and(|id| *id == param.id());
            let found = if at_cursor { Some(cursor) } else { ending.ids.iter().position(|id| *id == param.id()) };
            // A module may show a parameter twice.
            let first = |place: &usize| committed.get_mut(*place).is_some_and(|done| !std::mem::replace(done, true));
            if let Some((place, value)) = found.filter(first).and_then(|place| Some((place, fresh.get_mut(place)?))) {
                cursor = place + 1;
                if let Err(error) = param.swap(value) {
                    outcome = Err(error);
                }
            }
        });
        self.advance(sound, gathers);
        outcome.map(|()| (loss, others))
    }

    /// What [`Optimizer::step`] would do, without doing it: its steps, and the memory that it needs with weights, inputs, gradients and the
    /// state of this optimizer.
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_nn::{layer::Layer, layers::dense::Dense, optim::adam::Adam, optim::sgd::Sgd};
    /// use wengert_tensor::dtype::DType;
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let mut net = Dense::new(100, 100);
    /// let tape = Tape::training(0u64);
    /// let gradients = || net.forward(tape.full([32, 100], 1.0, DType::F32)).square().mean().backward();
    /// let (for_sgd, for_adam) = (gradients(), gradients());
    /// let sgd = Sgd::new(0.1).report(&mut net, &for_sgd)?;
    /// let adam = Adam::new(0.1).report(&mut net, &for_adam)?;
    /// let peak = adam.input_bytes + adam.peak_bytes;
    /// assert!(peak >= sgd.input_bytes + sgd.peak_bytes + 2 * 4 * 100 * 100, "two moments for each weight");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`Optimizer::step`], as far as they show before anything is computed.
    #[track_caller]
    pub fn report<M: Module + ?Sized>(&mut self, model: &mut M, gradients: &Gradients<'_>) -> Result<PlanReport> {
        let (tape, here) = (gradients.tape(), Location::caller());
        self.know(model)?;
        note(model, tape);
        let step = self.record(model, gradients, None);
        let report = step.and_then(|step| tape.report(step.wanted(&[])));
        report.map_err(|error| blame(explain(model, tape, error), here))
    }

    /// Whether the next step only adds its gradients up.
    pub(super) fn gathers(&self) -> bool {
        self.gathered + 1 < self.every
    }

    /// Counts a step that was taken, or skipped since it was not sound.
    pub(super) fn advance(&mut self, sound: bool, gathers: bool) {
        if let Some(guard) = &mut self.guard {
            guard.judge(sound);
        }
        match (sound, gathers) {
            (false, _) => {}
            (true, true) => self.gathered += 1,
            (true, false) => (self.gathered, self.steps) = (0, self.steps + 1),
        }
    }

    /// How many steps were begun: with those that only gathered, and those that were skipped.
    pub(super) fn runs(&self) -> u64 {
        let steps = self.steps.wrapping_mul(self.every.max(1));
        steps.wrapping_add(self.gathered).wrapping_add(self.skipped())
    }

    /// What distinguishes the graphs of steps: whether gradients are only gathered, and the phase of each rule.
    pub(super) fn phases(&self) -> SmallVec<[u64; 8]> {
        let rules = self.rules().map(|rule| rule.phase(self.steps));
        std::iter::once(u64::from(self.gathers())).chain(rules).collect()
    }

    /// The bytes of the state of all parameters that took part.
    fn state_bytes<M: Module + ?Sized>(&mut self, model: &M, gradients: &Gradients<'_>) -> Result<usize> {
        let (mut bytes, mut outcome) = (0, Ok(()));
        each(model, &mut |_, param| {
            if self.moves(param) && gradients.get(param.id()).is_some() && outcome.is_ok() {
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
        let sound = self.guard.is_some().then(|| {
            let each = leaves.iter().map(|leaf| leaf.update).chain([gradients.loss()]);
            each.map(|x| x.reshape([x.len()]).is_finite().all(0))
                .reduce(|all, one| all.and(one))
                .unwrap_or_else(|| gradients.loss().is_finite())
        });
        match self.gathers() {
            true => leaves.iter_mut().for_each(gather),
            false => self.transform(&mut leaves),
        }
        for leaf in &mut leaves {
            let mut next = leaf.next();
            if let Some(sound) = sound {
                next = next.select(sound, leaf.parameter);
                for slot in &mut leaf.slots {
                    slot.next = slot.next.map(|next| next.select(sound, slot.now));
                }
            }
            leaf.update = next.cast(leaf.dtype);
        }
        // Side results for parts that are not of this model are another step's.
        let mut updates = tape.updates();
        let mut outcome = Ok(());
        if !updates.is_empty() {
            let mut known: HashMap<LeafId, &Param> = HashMap::new();
            each(model, &mut |_, param| _ = known.insert(param.id(), param));
            updates.retain(|(id, _)| known.contains_key(id));
            for (id, next) in &mut updates {
                if let Some(param) = known.get(id) {
                    *next = sound.map_or(*next, |sound| next.select(sound, param.on(tape)));
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
        let sound = sound.map(|sound| sound.cast(DType::F32));
        Ok(Step { loss: gradients.loss(), leaves, updates, sound })
    }

    /// Runs the rules over the leaves.
    fn transform(&self, leaves: &mut [Leaf<'_>]) {
        if self.every > 1 {
            let scale = 1.0 / self.every as f64;
            for leaf in leaves.iter_mut() {
                leaf.rule = GATHERED;
                leaf.update = (leaf.state("gradient") + leaf.update) * scale;
                leaf.set_state("gradient", leaf.update.zeros_like());
            }
        }
        let (first, last) = (self.before.len(), self.before.len() + self.others.len());
        for (place, rule) in self.rules().enumerate() {
            for leaf in leaves.iter_mut() {
                (leaf.rule, leaf.phase) = (place, rule.phase(self.steps));
            }
            let own = match place {
                place if place < first || place > last => None,
                place => Some((place - first).checked_sub(1)),
            };
            match own {
                Some(own) if !self.others.is_empty() => those(leaves, |leaf| leaf.own == own, |own| rule.update(own)),
                _ => rule.update(leaves),
            }
        }
        // A rule may have put them in another order.
        leaves.sort_by_key(|leaf| leaf.place);
    }

    /// Whether this optimizer moves a parameter.
    pub(crate) fn moves(&self, param: &Param) -> bool {
        param.is_trainable() && self.held.get(&param.id()).is_none_or(|held| !held.frozen)
    }

    /// Whether gradients were gathered for a parameter.
    pub(super) fn waits(&self, param: &Param) -> bool {
        self.every > 1 && self.held.get(&param.id()).is_some_and(|held| held.pending > 0)
    }

    /// What is computed before a step is accepted: the loss first, what else was asked for, the gradients, and the side results.
    fn judged<'t, M: Module + ?Sized>(&self, model: &M, gradients: &Gradients<'t>, also: &[Var<'t>]) -> Vec<Var<'t>> {
        let mut judged = vec![gradients.loss()];
        judged.extend(also);
        each(model, &mut |_, param| {
            judged.extend(gradients.get(param.id()).filter(|_| self.moves(param)));
            judged.extend(gradients.tape().updated(param.id()));
        });
        judged
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
            // What was gathered is taken up by the step, also if this loss did not read the parameter.
            let waits = || self.waits(param).then(|| param.on(tape).zeros_like());
            let Some(gradient) = gradients.get(param.id()).or_else(waits) else {
                return;
            };
            if outcome.is_err() || !self.moves(param) {
                return;
            }
            let rate = self.rate_of(param.id()) * factor;
            outcome = sound(path, rate, working(param.dtype())).and_then(|()| self.prepare(param));
            let place = leaves.len();
            let leaf = self.leaf(param, [gradients.loss(), param.on(tape), gradient], rate);
            leaves.extend(leaf.map(|leaf| Leaf { place, numbers: numbers.cloned(), ..leaf }));
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

    /// One parameter, its gradient and its state.
    pub(super) fn leaf<'t>(&self, param: &Param, source: [Var<'t>; 3], rate: f64) -> Option<Leaf<'t>> {
        let held = self.held.get(&param.id())?;
        let ([_, parameter, gradient], dtype) = (source, working(param.dtype()));
        let tape = parameter.tape();
        let now =
            |state: &State| Slot { rule: state.rule, name: state.name, now: tape.input(&state.value), next: None };
        let parameter = self.origins.get(&param.id()).map_or(parameter, |origin| tape.input(origin));
        Some(Leaf {
            parameter: parameter.cast(dtype),
            update: gradient.cast(dtype),
            next: None,
            source,
            name: Arc::clone(&held.name),
            own: held.own,
            phase: 0,
            dtype: param.dtype(),
            id: param.id(),
            count: held.count + 1,
            rate,
            rule: 0,
            slots: held.slots.iter().map(now).collect(),
            place: 0,
            scale: self.scale_now(),
            numbers: None,
        })
    }

    /// The learning rate of a parameter, without the factor of a schedule.
    pub(super) fn rate_of(&self, id: LeafId) -> f64 {
        let group = self.held.get(&id).and_then(|held| held.group);
        group.and_then(|place| self.groups.get(place)).map_or(self.rate, |(_, rate)| *rate)
    }

    /// Makes the acquaintance of the model, if it has weights that were not seen before, and of settings that were changed.
    pub(super) fn know<M: Module + ?Sized>(&mut self, model: &mut M) -> Result<()> {
        let (mut strange, mut unfit) = (false, false);
        each(model, &mut |_, param| match self.held.get(&param.id()) {
            Some(held) => unfit |= held.generation != self.generation,
            None => strange |= param.role() == Role::Weight,
        });
        if strange {
            agree(model)?;
            self.meet(model)?;
        }
        if self.unchecked {
            self.check()?;
            self.unchecked = false;
        }
        if unfit {
            self.refit(model)?;
        }
        Ok(())
    }

    /// Gives the parameters the state that changed rules need.
    fn refit<M: Module + ?Sized>(&mut self, model: &M) -> Result<()> {
        let mut fitted = Vec::new();
        for (_, param) in model.parameters() {
            let Some(held) = self.held.get(&param.id()) else { continue };
            let mut slots = if held.began() { self.initial_state(param)? } else { SmallVec::new() };
            for slot in &mut slots {
                let same = |state: &&State| (state.rule, state.kind, state.name) == (slot.rule, slot.kind, slot.name);
                let kept = held.slots.iter().find(same);
                if let Some(kept) = kept.filter(|kept| kept.value.shape() == slot.value.shape()) {
                    slot.value = kept.value.clone();
                }
            }
            fitted.push((param.id(), slots));
        }
        for (id, slots) in fitted {
            self.held.entry(id).and_modify(|held| (held.slots, held.generation) = (slots, self.generation));
        }
        Ok(())
    }

    /// Gives a parameter the state that it starts from, before its first update.
    pub(super) fn prepare(&mut self, param: &Param) -> Result<()> {
        if self.held.get(&param.id()).is_some_and(Held::began) {
            return Ok(());
        }
        let slots = self.initial_state(param)?;
        if let Some(held) = self.held.get_mut(&param.id()) {
            held.slots = slots;
        }
        Ok(())
    }

    /// The state that a parameter starts from.
    pub(super) fn initial_state(&self, param: &Param) -> Result<SmallVec<[State; 2]>> {
        let mut slots = SmallVec::new();
        let Some(held) = self.held.get(&param.id()) else { return Ok(slots) };
        let value = param.value().cast(working(param.dtype()))?;
        for (place, rule) in self.rules().enumerate().filter(|(place, _)| self.applies(*place, held.own)) {
            for (name, value) in rule.init(&held.name, &value)? {
                slots.push(State { rule: place, kind: rule.name(), name, value: value.contiguous()? });
            }
        }
        if self.every > 1 {
            let value = Tensor::zeros(value.shape(), value.dtype())?;
            slots.push(State { rule: GATHERED, kind: "gathered", name: "gradient", value });
        }
        Ok(slots)
    }

    /// Whether the rule at a place moves a parameter whose own rule is this.
    pub(super) fn applies(&self, place: usize, own: Option<usize>) -> bool {
        let (first, last) = (self.before.len(), self.before.len() + self.others.len());
        place < first || place > last || place == first + own.map_or(0, |own| own + 1)
    }

    /// Looks at the settings.
    fn check(&self) -> Result<()> {
        self.rules().try_for_each(Rule::check)?;
        self.schedule.as_ref().map_or(Ok(()), |schedule| schedule.check())?;
        if let Some(guard) = &self.guard {
            guard.check()?;
        }
        if self.every == 0 {
            let error = Error::value("a step of 0 gradients moves nothing").op("accumulate");
            return Err(error.help("accumulate at least 1, which is every gradient for itself"));
        }
        Ok(())
    }

    /// Makes the acquaintance of parameters that were not seen before: which group they are in.
    pub(super) fn meet<M: Module + ?Sized>(&mut self, model: &M) -> Result<()> {
        self.check()?;
        sound(model.type_name(), self.rate, DType::F64)?;
        self.groups
            .iter()
            .try_for_each(|(group, rate)| sound(group.describe().trim_matches('`'), *rate, DType::F64))?;
        self.rules().try_for_each(|rule| known(model, rule.name(), &rule.names()))?;
        self.frozen.iter().try_for_each(|select| known(model, "freeze", &select.names()))?;
        let rates: Vec<&dyn Select> = self.groups.iter().map(|(select, _)| select as &dyn Select).collect();
        let rules: Vec<&dyn Select> = self.others.iter().map(|(select, _)| select as &dyn Select).collect();
        let rates = assign(model, &rates, "learning_rate_of", "learning rate")?;
        let rules = assign(model, &rules, "rule_of", "rule")?;
        for ((name, param), ((id, group), (_, own))) in model.parameters().into_iter().zip(rates.into_iter().zip(rules))
        {
            let frozen = self.frozen.iter().any(|select| select.picks(&name, param.shape()));
            let (name, generation) = (name.into(), self.generation);
            let held = Held { group, own, frozen, name, count: 0, pending: 0, slots: SmallVec::new(), generation };
            self.held.entry(id).or_insert(held);
        }
        Ok(())
    }

    /// The rules in the order in which they run.
    pub(super) fn rules(&self) -> impl Iterator<Item = &dyn Rule> {
        let (before, after) = (self.before.iter().map(|rule| &**rule), self.after.iter().map(|rule| &**rule));
        let others = self.others.iter().map(|(_, rule)| &**rule);
        before.chain([&self.rule as &dyn Rule]).chain(others).chain(after)
    }
}

impl Held {
    /// Counts a step that was taken, or skipped since it was not sound.
    pub(super) fn advance(&mut self, sound: bool, gathers: bool) {
        match (sound, gathers) {
            (false, _) => {}
            (true, true) => self.pending += 1,
            (true, false) => (self.pending, self.count) = (0, self.count + 1),
        }
    }
}

/// Adds a gradient to those that were gathered; the parameter stays.
fn gather(leaf: &mut Leaf<'_>) {
    leaf.rule = GATHERED;
    leaf.set_state("gradient", leaf.state("gradient") + leaf.update);
    leaf.set_next(leaf.parameter);
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
    /// Whether loss and gradients are finite, as 1 or 0, if anybody asks.
    pub(super) sound: Option<Var<'t>>,
}

impl<'t> Step<'t> {
    /// The loss, what else was asked for, the parameters, the buffers, the state, as they are committed; whether the step is sound.
    pub(super) fn wanted(&self, also: &[Var<'t>]) -> Vec<Var<'t>> {
        let state = self.leaves.iter().flat_map(|leaf| leaf.slots.iter().filter_map(|slot| slot.next));
        let values =
            std::iter::once(self.loss).chain(also.iter().copied()).chain(self.leaves.iter().map(|leaf| leaf.update));
        values.chain(self.updates.iter().map(|&(_, next)| next)).chain(state).chain(self.sound).collect()
    }
}

/// How the values of a step are committed.
#[derive(Default)]
pub(super) struct Ending {
    /// The parameters, and then the buffers.
    ids: Vec<LeafId>,
    /// For each parameter which pieces of its state have a next value.
    slots: Vec<SmallVec<[bool; 2]>>,
    /// Whether the last value says if the step is sound.
    pub(super) judges: bool,
}

impl Ending {
    pub(super) fn of(step: &Step<'_>) -> Ending {
        let ids = step.leaves.iter().map(|leaf| leaf.id).chain(step.updates.iter().map(|&(id, _)| id));
        let moves = |leaf: &Leaf<'_>| leaf.slots.iter().map(|slot| slot.next.is_some()).collect();
        Ending { ids: ids.collect(), slots: step.leaves.iter().map(moves).collect(), judges: step.sound.is_some() }
    }
}

/// The number that a loss is.
pub(super) fn single(loss: &Tensor) -> f64 {
    let number = match loss.dtype() {
        DType::F32 => loss.item::<f32>().ok().map(f64::from),
        DType::F64 => loss.item::<f64>().ok(),
        _ => loss.to_f64_vec().first().copied(),
    };
    number.unwrap_or(f64::NAN)
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
        let groups = self.groups.iter().map(|(select, rate)| (select.describe(), rate));
        text.field("groups", &groups.collect::<Vec<_>>()).field("steps", &self.steps).finish_non_exhaustive()
    }
}
