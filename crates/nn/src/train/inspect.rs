//! What will not be learned, pointed out once: parameters without a gradient, dead units, exploding gradients, a loss at chance level.

use super::logs::{Logs, figure};
use super::run::{descended, number};
use super::step::Objective;
use crate::explain::explain;
use crate::module::Module;
use crate::optim::optimizer::Optimizer;
use crate::optim::rule::Rule;
use std::collections::HashSet;
use wengert_autograd::{LeafId, Tape};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::random::Key;

/// At most so many batches are looked at.
pub(super) const BATCHES: usize = 4;

/// Fewer samples say nothing of a unit.
const SAMPLES: usize = 32;

/// A note when this share of the units of a layer, and more, is dead.
const DEAD: f64 = 0.1;

/// A gradient is large when it is so many times the weights.
const LARGE: f64 = 100.0;

/// A loss is at chance level within this share of it.
const CHANCE: f64 = 0.01;

/// The trainable parameters that had no part in the loss.
pub(super) fn unreached<M: Module, R: Rule>(
    model: &M,
    optimizer: &Optimizer<R>,
    reached: &HashSet<LeafId>,
) -> Option<String> {
    let left =
        model.parameters().into_iter().filter(|(_, param)| optimizer.moves(param) && !reached.contains(&param.id()));
    let names: Vec<String> = left.map(|(name, _)| name).collect();
    listed(&names).map(|names| format!("no gradient reaches {names}: use it in the loss, or freeze it"))
}

/// `` `a`, `b` and 3 more ``.
fn listed(names: &[String]) -> Option<String> {
    const SHOWN: usize = 4;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(SHOWN);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!names.is_empty()).then(|| format!("{}{rest}", shown.join(", ")))
}

/// The gradients of a few batches.
pub(super) struct Look {
    /// Name, identity, and whether it is the offset of the units of a layer.
    parameters: Vec<(String, LeafId, bool)>,
    /// Sums of squares of the gradients of each parameter that has one.
    squares: Vec<Option<f64>>,
    /// Sums of the absolute gradients of the units' offsets.
    units: Vec<Vec<f64>>,
    /// The largest norm of the gradients of a batch.
    norm: f64,
    samples: usize,
    classes: Option<usize>,
}

impl Look {
    pub(super) fn new<M: Module, R: Rule>(model: &M, optimizer: &Optimizer<R>) -> Look {
        let moved = model.parameters().into_iter().filter(|(_, param)| optimizer.moves(param));
        let parameters: Vec<(String, LeafId, bool)> = moved
            .map(|(name, param)| {
                let offset = param.shape().rank() == 1 && (name == "bias" || name.ends_with(".bias"));
                (name, param.id(), offset)
            })
            .collect();
        let (squares, units) = (vec![None; parameters.len()], vec![Vec::new(); parameters.len()]);
        Look { parameters, squares, units, norm: 0.0, samples: 0, classes: None }
    }

    /// Looks at the gradients by a batch.
    pub(super) fn at<M: Module, B>(
        &mut self,
        objective: &impl Objective<M, B>,
        model: &M,
        batch: &B,
        samples: usize,
        key: Key,
    ) -> Result<()> {
        for stage in 0..objective.stages() {
            let tape = Tape::training(key.fold(stage as u64));
            let step = objective.record(stage, model, &tape, batch, None);
            if let Some((prediction, target)) = step.predicted
                && !target.dtype().is_float()
                && prediction.rank() > target.rank()
            {
                self.classes = prediction.shape().last().copied().filter(|classes| *classes > 1);
            }
            let gradients = descended(step.loss.with_added_losses()).backward();
            let (mut wanted, mut places) = (Vec::new(), Vec::new());
            for (place, (_, id, offset)) in self.parameters.iter().enumerate() {
                let Some(gradient) = gradients.get(*id) else { continue };
                wanted.push(gradient.cast(DType::F64).square().sum());
                places.push((place, false));
                if *offset {
                    wanted.push(gradient.abs().cast(DType::F64));
                    places.push((place, true));
                }
            }
            let values = tape.eval(&wanted[..]).map_err(|error| explain(model, &tape, error))?;
            let mut whole = 0.0;
            for ((place, unit), value) in places.into_iter().zip(&values) {
                if unit {
                    let sums = self.units.get_mut(place);
                    let new = value.to_f64_vec();
                    match sums {
                        Some(sums) if sums.is_empty() => *sums = new,
                        Some(sums) => sums.iter_mut().zip(new).for_each(|(sum, new)| *sum += new),
                        None => {}
                    }
                } else if let Some(square) = self.squares.get_mut(place) {
                    *square = Some(square.unwrap_or(0.0) + number(value));
                    whole += number(value);
                }
            }
            self.norm = self.norm.max(whole.sqrt());
        }
        self.samples += samples;
        Ok(())
    }

    /// What there is to say.
    pub(super) fn notes<M: Module>(self, model: &M, logs: &Logs) -> Vec<String> {
        let mut notes = Vec::new();
        let zero = self.parameters.iter().zip(&self.squares).filter(|(_, square)| **square == Some(0.0));
        let zero: Vec<String> = zero.map(|((name, ..), _)| name.clone()).collect();
        let samples = self.samples;
        if let Some(names) = listed(&zero).filter(|_| samples >= SAMPLES) {
            notes.push(format!("the gradient of {names} is 0 for all of {samples} samples"));
        }
        for ((name, ..), units) in
            self.parameters.iter().zip(&self.units).filter(|((name, ..), _)| !zero.contains(name))
        {
            let dead = units.iter().filter(|sum| **sum == 0.0).count();
            if samples >= SAMPLES && dead > 0 && dead as f64 >= DEAD * units.len() as f64 {
                let of = units.len();
                notes.push(format!(
                    "{dead} of {of} units of `{name}` are dead: none of {samples} samples moves them; a smaller learning rate or a leaky \
                     activation keeps them alive"
                ));
            }
        }
        let weights: f64 =
            model.parameters().iter().flat_map(|(_, param)| param.value().to_f64_vec()).map(|w| w * w).sum();
        if self.norm > LARGE * (1.0 + weights.sqrt()) {
            let norm = figure(self.norm);
            notes.push(format!(
                "the gradients explode: their norm is {norm}; `clip_global_norm`, a smaller learning rate"
            ));
        }
        if let (Some(classes), Some(loss)) = (self.classes, logs.get("loss")) {
            let chance = (classes as f64).ln();
            if (loss / chance - 1.0).abs() < CHANCE {
                let loss = figure(loss);
                notes.push(format!(
                    "the loss {loss} is that of guessing among {classes} classes: nothing was learned yet"
                ));
            }
        }
        notes
    }
}
