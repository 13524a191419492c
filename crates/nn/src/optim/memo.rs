//! The update of the last step: a loop that records the same loss again gets the same update without recording it.

use std::rc::Rc;

use smallvec::SmallVec;
use wengert_autograd::{Gradients, LeafId, NodeId, Sequel, Tape, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

use super::group::sound;
use super::optimizer::{Ending, Optimizer, Step, working};
use super::rule::{Formula, Moment, Numbers, Rule};
use crate::module::{Module, each};

/// What was recorded behind the gradients of a step, and for what.
pub(super) struct Memo {
    sequel: Sequel,
    pub(super) ending: Ending,
    phases: SmallVec<[u64; 8]>,
    gradients: Vec<LeafId>,
    side: Vec<LeafId>,
    seen: Vec<Seen>,
    leaves: Vec<Moved>,
    /// Each with the place of its parameter and its own among the leaves of the sequel.
    formulas: Vec<(usize, usize, Formula)>,
}

/// A parameter or buffer in the order of the walk.
struct Seen {
    id: LeafId,
    dtype: DType,
    /// Whether a gradient of it would move it, and whether there is one.
    moves: bool,
    moved: bool,
    /// The place of its value among the leaves of the sequel, if that reads it: a buffer that an unsound step leaves as it is.
    own: Option<usize>,
}

/// A parameter that is moved.
struct Moved {
    id: LeafId,
    dtype: DType,
    /// The places of its state among the leaves of the sequel.
    slots: SmallVec<[usize; 2]>,
}

/// The values that an update starts from.
type From<'t> = SmallVec<[Var<'t>; 32]>;

/// Tensors for the leaves of a sequel, each with the place of its leaf.
type Inputs<'m> = SmallVec<[(usize, &'m Tensor); 32]>;

impl Memo {
    /// What the last run computed: what a [`Step`] wants, in its order. Whoever takes a value leaves memory for the next one.
    pub(super) fn values(&mut self) -> &mut [Tensor] {
        self.sequel.values()
    }
}

impl<R: Rule> Optimizer<R> {
    /// Everything that a step computes, as graph; kept for the next step, if that may be the same.
    pub(super) fn memorized<'t, M: Module + ?Sized>(
        &mut self,
        model: &M,
        gradients: &Gradients<'t>,
        also: &[Var<'t>],
    ) -> Result<Step<'t>> {
        *self.memo() = None;
        // What was gathered moves parameters without a gradient, too.
        if self.every > 1 || !self.origins.is_empty() || !self.rules().all(Rule::reusable) {
            return self.record(model, gradients, None);
        }
        let (tape, numbers) = (gradients.tape(), Rc::new(Numbers::default()));
        let side: Vec<(LeafId, Var<'t>)> = tape.updates();
        let (mut from, mut seen) = (starts(gradients, also, &side), Vec::new());
        each(model, &mut |_, param| {
            let moves = self.moves(param);
            let moved = moves && gradients.get(param.id()).is_some();
            seen.push(Seen { id: param.id(), dtype: param.dtype(), moves, moved, own: None });
            from.extend(moved.then(|| param.on(tape)));
        });
        let start = tape.leaves();
        let step = self.record(model, gradients, Some(&numbers))?;
        if numbers.asked.get() || numbers.derived.get() {
            return Ok(step);
        }
        let own = |id: NodeId| tape.leaf_of(id)?.checked_sub(start);
        for (id, var) in tape.buffers() {
            if let (Some(place), Some(seen)) = (own(var.id()), seen.iter_mut().find(|seen| seen.id == id)) {
                seen.own = Some(place);
            }
        }
        let leaves = step.leaves.iter().map(|leaf| {
            let slots = leaf.slots.iter().map(|slot| own(slot.now.id())).collect::<Option<_>>()?;
            Some(Moved { id: leaf.id, dtype: leaf.dtype, slots })
        });
        let formulas = numbers.formulas.take().into_iter();
        let formulas = formulas.map(|(place, slot, formula)| Some((place, own(slot)?, formula)));
        if let Some(leaves) = leaves.collect::<Option<_>>()
            && let Some(formulas) = formulas.collect::<Option<_>>()
            && let Some(sequel) = Sequel::new(tape, start, from, &step.wanted(also))
        {
            *self.memo() = Some(Box::new(Memo {
                sequel,
                ending: Ending::of(&step),
                phases: self.phases(),
                gradients: gradients.iter().map(|(id, _)| id).collect(),
                side: side.into_iter().map(|(id, _)| id).collect(),
                seen,
                leaves,
                formulas,
            }));
        }
        Ok(step)
    }

    /// Computes the step that was recorded before, if this is another like it.
    pub(super) fn recalled<'t, M: Module + ?Sized>(
        &self,
        memo: &mut Memo,
        model: &M,
        gradients: &Gradients<'t>,
        also: &[Var<'t>],
    ) -> Option<()> {
        let tape = gradients.tape();
        let side = tape.updates();
        let as_before = memo.ending.judges == self.skips()
            && memo.gradients.len() == gradients.len()
            && memo.side.len() == side.len()
            && self.origins.is_empty()
            && memo.gradients.iter().zip(gradients.iter()).all(|(known, (id, _))| *known == id)
            && memo.side.iter().zip(&side).all(|(known, (id, _))| known == id)
            && memo.phases == self.phases();
        let mut inputs: Inputs<'_> = SmallVec::new();
        let from = starts(gradients, also, &side);
        let from = as_before.then(|| self.starts_as_seen(memo, model, tape, from, &mut inputs))??;
        let (factor, loss_scale) = (self.factor(), self.scale_now());
        let mut moments: SmallVec<[Moment; 16]> = SmallVec::new();
        for leaf in &memo.leaves {
            let held = self.held.get(&leaf.id).filter(|held| held.began() && held.slots.len() == leaf.slots.len())?;
            let learning_rate = self.rate_of(leaf.id) * factor;
            // One that has no meaning is an error of the step that records it.
            sound("", learning_rate, working(leaf.dtype)).ok()?;
            moments.push(Moment { count: held.count + 1, learning_rate, loss_scale });
            inputs.extend(leaf.slots.iter().zip(&held.slots).map(|(place, state)| (*place, &state.value)));
        }
        for (place, slot, formula) in &memo.formulas {
            memo.sequel.give_number(*slot, formula(*moments.get(*place)?)).then_some(())?;
        }
        memo.sequel.run(tape, from, &inputs)?;
        memo.sequel.keep(tape, std::iter::once(gradients.loss()).chain(also.iter().copied()));
        Some(())
    }

    /// The values that an update starts from, with the parameters, if the model has those that it had.
    fn starts_as_seen<'t, 'm, M: Module + ?Sized>(
        &self,
        memo: &Memo,
        model: &'m M,
        tape: &'t Tape,
        mut from: From<'t>,
        inputs: &mut Inputs<'m>,
    ) -> Option<From<'t>> {
        let (mut seen, mut known) = (memo.seen.iter(), true);
        each(model, &mut |_, param| {
            let now = (param.id(), param.dtype(), self.moves(param));
            let Some(seen) = seen.next().filter(|seen| known && (seen.id, seen.dtype, seen.moves) == now) else {
                known = false;
                return;
            };
            from.extend(seen.moved.then(|| param.on(tape)));
            inputs.extend(seen.own.map(|place| (place, param.value())));
        });
        (known && seen.next().is_none()).then_some(from)
    }
}

/// The values that an update starts from, without the parameters.
fn starts<'t>(gradients: &Gradients<'t>, also: &[Var<'t>], side: &[(LeafId, Var<'t>)]) -> From<'t> {
    let values = std::iter::once(gradients.loss()).chain(also.iter().copied());
    values.chain(gradients.iter().map(|(_, gradient)| gradient)).chain(side.iter().map(|(_, next)| *next)).collect()
}
