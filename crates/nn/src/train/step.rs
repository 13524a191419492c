//! What a step descends: the loss of a prediction, or whatever the user computes.

use crate::layer::Layer;
use crate::loss::Loss;
use wengert_autograd::{Tape, Var};
use wengert_tensor::tensor::Tensor;

/// One step as graph: the loss to descend, and what is reported beside it.
///
/// What [`Trainer::with_step`](super::trainer::Trainer::with_step) wants of its function.
#[derive(Clone, Debug)]
pub struct Step<'t> {
    pub(super) loss: Var<'t>,
    pub(super) predicted: Option<(Var<'t>, Var<'t>)>,
    pub(super) logs: Vec<(String, Var<'t>)>,
    pub(super) part: Option<String>,
}

impl<'t> Step<'t> {
    /// A step that descends this number.
    pub fn new(loss: Var<'t>) -> Step<'t> {
        Step { loss, predicted: None, logs: Vec::new(), part: None }
    }

    /// Shows a prediction and its target to the [metrics](super::trainer::Trainer::metric).
    #[must_use]
    pub fn predicts(self, prediction: Var<'t>, target: Var<'t>) -> Step<'t> {
        Step { predicted: Some((prediction, target)), ..self }
    }

    /// Reports a number under this name: the mean over the samples of an epoch.
    #[must_use]
    pub fn log(mut self, name: impl Into<String>, value: Var<'t>) -> Step<'t> {
        self.logs.push((name.into(), value));
        self
    }

    /// Moves only this part of the model: `"discriminator"` means all that lies below it.
    #[must_use]
    pub fn only(self, part: impl Into<String>) -> Step<'t> {
        Step { part: Some(part.into()), ..self }
    }
}

impl<'t> From<Var<'t>> for Step<'t> {
    fn from(loss: Var<'t>) -> Step<'t> {
        Step::new(loss)
    }
}

/// How a step is recorded for a model and a batch. A [`Loss`] is one, for a [`Layer`] and pairs of inputs and targets.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot train a `{M}` on batches of `{B}`",
    note = "a loss trains a `Layer` on batches `(Tensor, Tensor)`",
    note = "for other models and batches: `Trainer::with_step(optimizer, |model: &Net, tape, batch: &Batch| …)`"
)]
pub trait Objective<M: ?Sized, B> {
    /// How many steps are made on a batch, one after the other.
    fn stages(&self) -> usize {
        1
    }

    /// Records a step. `weights` are those of the samples, if there are any.
    fn record<'t>(&self, stage: usize, model: &M, tape: &'t Tape, batch: &B, weights: Option<Var<'t>>) -> Step<'t>;

    /// Whether it reports nothing but the loss and the metrics.
    fn is_plain(&self) -> bool {
        false
    }

    /// The targets of a batch, by which class weights go.
    fn targets<'b>(&self, batch: &'b B) -> Option<&'b Tensor> {
        let _ = batch;
        None
    }
}

impl<L: Loss, M: Layer + ?Sized> Objective<M, (Tensor, Tensor)> for L {
    #[track_caller]
    fn record<'t>(
        &self,
        _stage: usize,
        model: &M,
        tape: &'t Tape,
        (x, y): &(Tensor, Tensor),
        weights: Option<Var<'t>>,
    ) -> Step<'t> {
        let (input, target) = (tape.input(x), tape.input(y));
        let prediction = model.forward(input);
        let loss = match weights {
            None => self.loss(prediction, target),
            Some(weights) => self.weighted(prediction, target, weights.cast(prediction.dtype())),
        };
        Step::new(loss).predicts(prediction, target)
    }

    fn is_plain(&self) -> bool {
        true
    }

    fn targets<'b>(&self, (_, y): &'b (Tensor, Tensor)) -> Option<&'b Tensor> {
        Some(y)
    }
}

/// A step that a function records; made by [`Trainer::with_step`](super::trainer::Trainer::with_step).
#[derive(Clone, Copy, Debug)]
pub struct ByStep<F>(pub(super) F);

impl<M: ?Sized, B, F: for<'t> Fn(&M, &'t Tape, &B) -> Step<'t>> Objective<M, B> for ByStep<F> {
    #[track_caller]
    fn record<'t>(&self, _: usize, model: &M, tape: &'t Tape, batch: &B, _: Option<Var<'t>>) -> Step<'t> {
        (self.0)(model, tape, batch)
    }
}

/// Steps on the same batch, one after the other; made by [`Trainer::then_step`](super::trainer::Trainer::then_step).
#[derive(Clone, Copy, Debug)]
pub struct Stages<A, F> {
    pub(super) first: A,
    pub(super) next: F,
}

impl<M: ?Sized, B, A: Objective<M, B>, N: Objective<M, B>> Objective<M, B> for Stages<A, N> {
    fn stages(&self) -> usize {
        self.first.stages() + self.next.stages()
    }

    #[track_caller]
    fn record<'t>(&self, stage: usize, model: &M, tape: &'t Tape, batch: &B, weights: Option<Var<'t>>) -> Step<'t> {
        match stage.checked_sub(self.first.stages()) {
            None => self.first.record(stage, model, tape, batch, weights),
            Some(stage) => self.next.record(stage, model, tape, batch, weights),
        }
    }

    fn targets<'b>(&self, batch: &'b B) -> Option<&'b Tensor> {
        self.first.targets(batch)
    }
}
