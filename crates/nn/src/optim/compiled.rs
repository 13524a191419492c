//! A training step that is recorded once and run many times.

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::rc::Rc;

use smallvec::SmallVec;
use wengert_autograd::{Argument, Compiled, LeafId, Meta, NodeId, Tape, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Key;
use wengert_tensor::tensor::Tensor;

use super::group::sound;
use super::optimizer::{Optimizer, single, working};
use super::rule::{Formula, Moment, Numbers, Rule};
use crate::explain::{blame, explain, note_if_wanted};
use crate::module::{Module, each, each_mut};
use crate::param::Param;

/// So many recordings are kept, one for each shape of the inputs and each choice of frozen parameters.
const RECORDINGS: usize = 16;

/// A training step that is recorded once and run many times, with the bits of a loop that records anew in each step.
///
/// Made by [`Optimizer::compile`]. One step costs what its plan costs and little more: the parameters, the state and the inputs are bound to
/// the plan that was found once, and the numbers that change from step to step (learning rates, bias corrections) are computed by their
/// [formulas](super::rule::Leaf::number). For a small network recording is a good part of a step; for a large one it is nothing, and the plain loop
/// serves as well.
///
/// The step is recorded anew when an input has another shape or dtype, when parameters were frozen, unfrozen or cast, and when it is given
/// another model; it keeps what it recorded. Values may change between steps as they like: weights that were loaded, state that was taken up,
/// the learning rate. What else the closure reads is fixed when it is recorded, and it must not ask for values.
pub struct CompiledStep<M: ?Sized, R, F, const N: usize> {
    optimizer: Optimizer<R>,
    loss: F,
    seed: Key,
    recordings: Vec<Recording>,
    /// A rule uses what changes in its own way: every step is recorded.
    plain: bool,
    model: PhantomData<fn(&mut M)>,
}

impl<R: Rule> Optimizer<R> {
    /// A training step that is recorded once and run many times: `loss` is a function of the model and of `N` inputs.
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_nn::{layer::Layer, layers::dense::Dense, module::Module, optim::adam::Adam};
    /// use wengert_tensor::{random::Seed, tensor::Tensor};
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let (x, y) = (Tensor::from([[0f32, 1.0], [1.0, 0.0]]), Tensor::from([[1f32], [-1.0]]));
    /// let mut net = Dense::new(2, 1).init(Seed(1))?;
    /// let mut step = Adam::new(1e-2).compile(|net: &Dense, _, [x, y]| (net.forward(x) - y).square().mean());
    /// for _ in 0..50 {
    ///     step.run(&mut net, [&x, &y])?;
    /// }
    ///
    /// // The same bits as the loop that records anew in each step.
    /// let (mut plain, mut adam) = (Dense::new(2, 1).init(Seed(1))?, Adam::new(1e-2));
    /// for _ in 0..50 {
    ///     let tape = Tape::training(0);
    ///     let loss = (plain.forward(tape.input(&x)) - &y).square().mean();
    ///     adam.step(&mut plain, loss.backward())?;
    /// }
    /// for ((_, a), (_, b)) in net.parameters().iter().zip(plain.parameters()) {
    ///     assert!(a.value().equals(b.value()));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Nothing is recorded before the first step.
    pub fn compile<M, F, const N: usize>(self, loss: F) -> CompiledStep<M, R, F, N>
    where
        M: Module + ?Sized,
        F: for<'t> Fn(&M, &'t Tape, [Var<'t>; N]) -> Var<'t>,
    {
        CompiledStep {
            optimizer: self,
            loss,
            seed: Key::new(0),
            recordings: Vec::new(),
            plain: false,
            model: PhantomData,
        }
    }
}

impl<M, R, F, const N: usize> CompiledStep<M, R, F, N>
where
    M: Module + ?Sized,
    R: Rule,
    F: for<'t> Fn(&M, &'t Tape, [Var<'t>; N]) -> Var<'t>,
{
    /// From what the randomness of the layers follows (a number, a `Seed` or a `Key`; default 0): a step after n others has the tape
    /// `Tape::training(seed.fold(n))`.
    #[must_use]
    pub fn seed(mut self, seed: impl Into<Key>) -> Self {
        self.seed = seed.into();
        self
    }

    /// The optimizer, with its state.
    pub fn optimizer(&self) -> &Optimizer<R> {
        &self.optimizer
    }

    /// The optimizer, to be changed: the next step is recorded anew. To change the learning rate alone there is
    /// [`CompiledStep::set_learning_rate`].
    pub fn optimizer_mut(&mut self) -> &mut Optimizer<R> {
        (self.recordings, self.plain) = (Vec::new(), false);
        &mut self.optimizer
    }

    /// See [`Optimizer::set_learning_rate`]; nothing is recorded anew.
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.optimizer.set_learning_rate(learning_rate);
    }

    /// The optimizer alone, with its state.
    pub fn into_optimizer(self) -> Optimizer<R> {
        self.optimizer
    }

    /// One step: computes the loss, the new parameters, the new state and the side results of the layers by one plan, and commits them
    /// all. Gives the loss.
    ///
    /// # Errors
    /// Those of [`Optimizer::step`]; a closure that asks for values. After an error the model and the optimizer are as they were.
    #[track_caller]
    pub fn run(&mut self, model: &mut M, inputs: [&Tensor; N]) -> Result<f64> {
        let key = self.seed.fold(self.optimizer.runs());
        self.run_with_key(model, key, inputs)
    }

    /// [`CompiledStep::run`] with the randomness of `Tape::training(key)`.
    ///
    /// # Errors
    /// As [`CompiledStep::run`].
    #[track_caller]
    pub fn run_with_key(&mut self, model: &mut M, key: impl Into<Key>, inputs: [&Tensor; N]) -> Result<f64> {
        let (here, key) = (Location::caller(), key.into());
        let phases = self.optimizer.phases();
        for (place, recording) in self.recordings.iter_mut().enumerate() {
            if !recording.takes(&inputs) || recording.phases != phases {
                continue;
            }
            if let Some(loss) = recording.run(&mut self.optimizer, model, key, &inputs, here)? {
                // The one that was used last is tried first.
                self.recordings.swap(0, place);
                return Ok(loss);
            }
        }
        if !self.plain {
            match self.record(model, key, inputs, here)? {
                Some(mut recording) => {
                    let loss = recording.run(&mut self.optimizer, model, key, &inputs, here)?;
                    self.recordings.truncate(RECORDINGS - 1);
                    self.recordings.insert(0, recording);
                    return loss
                        .ok_or_else(|| Error::state("a step that does not fit what it was recorded for").op("step"));
                }
                None => self.plain = true,
            }
        }
        let tape = Tape::training(key);
        let loss = (self.loss)(model, &tape, inputs.map(|input| tape.input(input)));
        let gradients = self.optimizer.backward(loss);
        let outcome = self.optimizer.step(model, gradients);
        outcome.map_err(|error| blame(error, here))
    }

    /// Records a step for inputs like these; `None` where a rule does not say how its numbers change.
    fn record(
        &mut self,
        model: &mut M,
        key: Key,
        inputs: [&Tensor; N],
        here: &'static Location<'static>,
    ) -> Result<Option<Recording>> {
        self.optimizer.know(model)?;
        lay_out(model)?;
        let model = &*model;
        let mut dense: SmallVec<[Tensor; 4]> = SmallVec::new();
        for input in inputs {
            dense.push(input.contiguous()?);
        }
        let tape = Tape::training(key);
        let mut given = dense.iter();
        let vars = inputs.map(|input| tape.input(given.next().unwrap_or(input)));
        let named = |error| blame(explain(model, &tape, error), here);
        let numbers = Rc::new(Numbers::default());
        let gradients = self.optimizer.scaled((self.loss)(model, &tape, vars), Some(&numbers));
        tape.check().map_err(named)?;
        let step = self.optimizer.record(model, &gradients, Some(&numbers)).map_err(named)?;
        if numbers.asked.get() {
            return Ok(None);
        }

        let mut arguments: Vec<NodeId> = vars.iter().map(|var| var.id()).collect();
        let draws = tape.key_slot().map(|slot| arguments.push(slot.id())).is_some();
        let read: Vec<(LeafId, Var<'_>)> = tape.parameters().into_iter().chain(tape.buffers()).collect();
        let moved = |id: LeafId| step.leaves.iter().position(|leaf| leaf.id == id);
        let updated = |id: LeafId| step.updates.iter().position(|(target, _)| *target == id);
        let mut places = Vec::new();
        each(model, &mut |_, param| {
            let own = read.iter().filter(|(id, _)| *id == param.id());
            let waits = gradients.get(param.id()).is_none() && self.optimizer.moves(param);
            let before = arguments.len();
            arguments.extend(own.map(|(_, var)| var.id()));
            // A module may show a parameter twice.
            let first = !places.iter().any(|place: &Place| place.id == param.id());
            places.push(Place {
                id: param.id(),
                trainable: param.is_trainable(),
                dtype: param.dtype(),
                reads: arguments.len() - before,
                moved: moved(param.id()).is_some(),
                waits: waits.then(|| moved(param.id()).is_some()),
                result: moved(param.id())
                    .map(|place| 1 + place)
                    .or_else(|| updated(param.id()).map(|place| 1 + step.leaves.len() + place))
                    .filter(|_| first),
            });
        });
        let mut state = 1 + step.leaves.len() + step.updates.len();
        let mut leaves = Vec::new();
        for leaf in &step.leaves {
            let mut slots = SmallVec::new();
            for slot in &leaf.slots {
                arguments.push(slot.now.id());
                slots.push(slot.next.map(|_| state));
                state += usize::from(slot.next.is_some());
            }
            leaves.push(Moved { id: leaf.id, dtype: working(leaf.dtype), slots });
        }
        // As in a step that is recorded, large state is written over; here nothing is asked between its reading and its writing.
        let gives = self.optimizer.donate_large(&step);
        let formulas = numbers.formulas.take();
        arguments.extend(formulas.iter().map(|(_, slot, _)| *slot));
        let outputs: Vec<NodeId> = step.wanted(&[]).iter().map(|var| var.id()).collect();
        let judges = step.sound.is_some();
        // Their values stand on the tape, which is given away.
        drop((step, gradients, read));
        let compiled = tape.compile(&arguments, &outputs).map_err(|error| blame(error, here).at(here))?;
        Ok(Some(Recording {
            compiled,
            inputs: inputs.map(|input| Meta::new(input.shape().clone(), input.dtype())).into_iter().collect(),
            draws,
            places,
            leaves,
            gives,
            formulas: formulas.into_iter().map(|(place, _, formula)| (place, formula)).collect(),
            phases: self.optimizer.phases(),
            gathers: self.optimizer.gathers(),
            judges,
            results: Vec::new(),
        }))
    }
}

/// A step that was recorded. Its arguments are the inputs, the key, the parameters and buffers, the state, the numbers; its results are the
/// loss, the parameters, the buffers, the state.
struct Recording {
    compiled: Compiled,
    inputs: Vec<Meta>,
    /// Whether a layer draws random numbers.
    draws: bool,
    /// The parameters and buffers in the order of the walk,
    places: Vec<Place>,
    /// and those that the optimizer moves.
    leaves: Vec<Moved>,
    /// Whether the memory of the state is given away.
    gives: bool,
    /// Each with the place of its leaf.
    formulas: Vec<(usize, Formula)>,
    phases: SmallVec<[u64; 8]>,
    /// Whether gradients are only added up.
    gathers: bool,
    /// Whether the last result says that the step is sound.
    judges: bool,
    /// The former values, whose memory the next results take.
    results: Vec<Tensor>,
}

/// What a recording knows of a parameter or buffer.
struct Place {
    id: LeafId,
    trainable: bool,
    dtype: DType,
    /// As how many arguments it is read.
    reads: usize,
    /// Whether the optimizer moves it.
    moved: bool,
    /// For a parameter without a gradient, whether it is moved by what was gathered before.
    waits: Option<bool>,
    result: Option<usize>,
}

struct Moved {
    id: LeafId,
    dtype: DType,
    /// For each piece of state its result.
    slots: SmallVec<[Option<usize>; 2]>,
}

impl Recording {
    fn takes(&self, inputs: &[&Tensor]) -> bool {
        let same = |(meta, input): (&Meta, &&Tensor)| meta.shape == *input.shape() && meta.dtype == input.dtype();
        self.inputs.iter().zip(inputs).all(same)
    }

    /// One step; `None` if it was recorded for another model, or for this one with other parts frozen.
    fn run<M: Module + ?Sized, R: Rule>(
        &mut self,
        optimizer: &mut Optimizer<R>,
        model: &mut M,
        key: Key,
        inputs: &[&Tensor],
        here: &'static Location<'static>,
    ) -> Result<Option<f64>> {
        let mut arguments: SmallVec<[Argument<'_>; 64]> = inputs.iter().map(|input| Argument::Tensor(input)).collect();
        if self.draws {
            arguments.push(Argument::Key(key));
        }
        if !self.read(optimizer, model, &mut arguments)? {
            return Ok(None);
        }
        let before = arguments.len();
        if self.gives {
            let state = optimizer.take_state(self.leaves.iter().map(|leaf| leaf.id));
            arguments.extend(state.into_iter().map(Argument::Given));
        }
        let given = before..arguments.len();
        let (factor, loss_scale) = (optimizer.factor(), optimizer.scale_now());
        let mut moments: SmallVec<[Moment; 16]> = SmallVec::new();
        let mut outcome = Ok(());
        for leaf in &self.leaves {
            let Some(held) = optimizer.held.get(&leaf.id) else { continue };
            if !self.gives {
                arguments.extend(held.slots.iter().map(|state| Argument::Tensor(&state.value)));
            }
            let learning_rate = optimizer.rate_of(leaf.id) * factor;
            outcome = outcome.and_then(|()| sound(Named(&*model, leaf.id), learning_rate, leaf.dtype));
            moments.push(Moment { count: held.count + 1, learning_rate, loss_scale });
        }
        let numbers =
            self.formulas.iter().map(|(place, formula)| moments.get(*place).map_or(f64::NAN, |now| formula(*now)));
        arguments.extend(numbers.map(Argument::Number));
        note_if_wanted(&*model, self.compiled.tape());
        let outcome = outcome.and_then(|()| {
            let outcome = self.compiled.run(&mut arguments, &mut self.results);
            outcome.map_err(|error| blame(explain(&*model, self.compiled.tape(), error), here))
        });
        // What no result has taken over goes back: all of it after an error, else what has no next value.
        let mut rest: Vec<Option<Tensor>> = Vec::new();
        rest.extend(arguments.drain(given).map(|argument| match argument {
            Argument::Given(tensor) => Some(tensor),
            _ => None,
        }));
        drop(arguments);
        optimizer.put_state(self.leaves.iter().map(|leaf| leaf.id), rest);
        outcome?;
        self.commit(optimizer, model)
    }

    /// Adds the parameters and buffers to the arguments, if they are those that were recorded.
    fn read<'m, M: Module + ?Sized, R: Rule>(
        &self,
        optimizer: &mut Optimizer<R>,
        model: &'m M,
        arguments: &mut SmallVec<[Argument<'m>; 64]>,
    ) -> Result<bool> {
        let (mut places, mut known, mut outcome) = (self.places.iter(), true, Ok(()));
        each(model, &mut |_, param| {
            let fits =
                |place: &&Place| place.is(param) && place.waits.is_none_or(|waits| waits == optimizer.waits(param));
            let Some(place) = places.next().filter(|place| known && fits(place)) else {
                known = false;
                return;
            };
            for _ in 0..place.reads {
                arguments.push(Argument::Tensor(param.value()));
            }
            if outcome.is_ok() && place.reads > 0 {
                outcome = param.check();
            }
            if outcome.is_ok() && place.moved {
                outcome = optimizer.prepare(param);
            }
        });
        outcome.map(|()| known && places.next().is_none())
    }

    /// Puts the results in the place of what they were computed from, and gives the loss.
    fn commit<M: Module + ?Sized, R: Rule>(
        &mut self,
        optimizer: &mut Optimizer<R>,
        model: &mut M,
    ) -> Result<Option<f64>> {
        let loss = self.results.first().map(single);
        let sound = !self.judges || self.results.last().is_none_or(|sound| single(sound) != 0.0);
        let (mut places, mut outcome) = (self.places.iter(), Ok(()));
        let results = &mut self.results;
        each_mut(model, &mut |_, param| {
            let result = places.next().and_then(|place| results.get_mut(place.result?));
            if let Some(Err(error)) = result.map(|result| param.swap(result)) {
                outcome = Err(error);
            }
        });
        for leaf in &self.leaves {
            let Some(held) = optimizer.held.get_mut(&leaf.id) else { continue };
            held.advance(sound, self.gathers);
            for (state, result) in held.slots.iter_mut().zip(&leaf.slots) {
                if let Some(result) = result.and_then(|place| results.get_mut(place)) {
                    std::mem::swap(&mut state.value, result);
                }
            }
        }
        optimizer.advance(sound, self.gathers);
        outcome.map(|()| loss)
    }
}

impl Place {
    fn is(&self, param: &Param) -> bool {
        self.id == param.id() && self.trainable == param.is_trainable() && self.dtype == param.dtype()
    }
}

/// Brings all values row by row, as a recording binds them. Their elements stay as they are.
fn lay_out<M: Module + ?Sized>(model: &mut M) -> Result<()> {
    let mut outcome = Ok(());
    each_mut(model, &mut |_, param| {
        if param.check().is_ok() && !param.value().is_contiguous() && outcome.is_ok() {
            outcome = param.value().contiguous().and_then(|value| param.set(value));
        }
    });
    outcome
}

/// The name of a parameter, looked for when it is shown.
struct Named<'m, M: ?Sized>(&'m M, LeafId);

impl<M: Module + ?Sized> fmt::Display for Named<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut outcome = Ok(());
        each(self.0, &mut |path, param| {
            if param.id() == self.1 {
                outcome = write!(f, "{path}");
            }
        });
        outcome
    }
}

impl<M: ?Sized, R: Rule, F, const N: usize> fmt::Debug for CompiledStep<M, R, F, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("CompiledStep");
        text.field("optimizer", &self.optimizer).field("inputs", &N).field("recordings", &self.recordings.len());
        text.finish_non_exhaustive()
    }
}
