//! `checkpoint`: a value whose derivative computes again what the value was computed from; and `kept`, a value that is not.
//!
//! * operands of `checkpoint`: the value, what the function was called with and what it read from outside, and the values that are kept
//! * operands of `kept`: the value from the first computation, and the same value from the second, which is never computed
//! * shape, dtype: those of the value
//! * derivative: that of the function, recorded again from its inputs once the cotangent is known

use crate::batch::Batch;
use crate::body::{Body, Input, Role};
use crate::class::{Class, View};
use crate::graph::{Derivative, NodeId, Op, Var};
use crate::meta::{Meta, operands};
use crate::sample::{Accuracy, Entry, Sample};
use crate::transform::{Checkpoint as Plan, fresh};
use std::sync::Arc;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::layout::Layout;
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// A value, and the function that gives it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    pub(crate) body: Arc<Body>,
    pub(crate) output: usize,
    /// The pieces of the body whose values are operands, behind the inputs of the body.
    pub(crate) kept: Vec<usize>,
    /// How many axes of examples the operands have in front of those that the body knows.
    pub(crate) batches: usize,
}

/// A value that is there already, in place of the same one.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Kept;

impl Op for Checkpoint {
    fn name(&self) -> &'static str {
        "checkpoint"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let y = inputs.first().copied().ok_or_else(|| Error::state("takes a value"))?;
        Ok(y.clone())
    }

    fn class(&self) -> Class<'_> {
        Class::View(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Composite
    }

    fn pullbacks<'t>(&self, wanted: &[bool], x: &[Var<'t>], _y: Var<'t>, ct: Var<'t>) -> Option<Vec<Option<Var<'t>>>> {
        let mut found: Vec<Option<Var<'t>>> = vec![None; x.len()];
        let count = self.body.inputs.len();
        let places: Vec<usize> = (1..=count).filter(|&i| wanted.get(i) == Some(&true)).collect();
        // Derivatives are by copies, from which nothing else was computed. A key stays what it is.
        let again = |(x, input): (&Var<'t>, &Input)| match input.role {
            Role::Value => x.after(ct),
            Role::Number => fresh(*x),
            Role::Key => *x,
        };
        let inputs: Vec<Var<'t>> = x.iter().skip(1).zip(&self.body.inputs).map(again).collect();
        let kept: Vec<Var<'t>> = x.iter().skip(1 + count).copied().collect();
        let parts = self.cotangents(self.batches, &inputs, &kept, ct, &places);
        for (i, part) in places.into_iter().zip(parts) {
            if let Some(place) = found.get_mut(i) {
                *place = Some(part);
            }
        }
        Some(found)
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        let op = Checkpoint {
            body: Arc::clone(&self.body),
            output: self.output,
            kept: self.kept.clone(),
            batches: self.batches + 1,
        };
        x.same(op)
    }
}

impl Checkpoint {
    /// The cotangents of the inputs at `places`, which count from 1.
    fn cotangents<'t>(
        &self,
        batches: usize,
        inputs: &[Var<'t>],
        kept: &[Var<'t>],
        ct: Var<'t>,
        places: &[usize],
    ) -> Vec<Var<'t>> {
        let tape = ct.tape;
        if batches > 0 {
            let all = [inputs, kept, &[ct]].concat();
            return tape.vmap(&all, |one| {
                let (inputs, rest) = one.split_at(inputs.len());
                let (kept, ct) = rest.split_at(kept.len());
                self.cotangents(batches - 1, inputs, kept, ct.first().copied().unwrap_or(tape.poison()), places)
            });
        }
        let outputs = self.body.replay_with(tape, inputs, |piece, value| {
            let at = self.kept.iter().position(|&kept| kept == piece);
            match at.and_then(|at| kept.get(at)) {
                Some(&kept) => tape.record(Kept, &[kept, value]),
                None => value,
            }
        });
        let wrt: Vec<Var<'t>> = places.iter().filter_map(|&i| inputs.get(i - 1).copied()).collect();
        let ids: Vec<NodeId> = wrt.iter().map(|var| var.id).collect();
        let Some(&y) = outputs.get(self.output) else { return Vec::new() };
        if tape.failed.get() {
            return vec![tape.poison(); wrt.len()];
        }
        let found = tape.sweep(y, ct, &ids);
        found.into_iter().zip(wrt).map(|(part, input)| part.unwrap_or_else(|| input.zeros_like())).collect()
    }
}

impl View for Checkpoint {
    fn view(&self, input: &Layout, _out: &Shape) -> Option<Layout> {
        Some(input.clone())
    }
}

impl Op for Kept {
    fn name(&self) -> &'static str {
        "kept"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [value, again] = operands(inputs)?;
        match value == again {
            true => Ok(value.clone()),
            false => Err(Error::shape(format!("{value} in place of {again}"))),
        }
    }

    fn class(&self) -> Class<'_> {
        Class::View(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Linear
    }

    fn transpose<'t>(&self, i: usize, _x: &[Var<'t>], ct: Var<'t>) -> Option<Var<'t>> {
        (i == 1).then_some(ct)
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(Kept)
    }
}

impl View for Kept {
    fn view(&self, input: &Layout, _out: &Shape) -> Option<Layout> {
        Some(input.clone())
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[0.5f64, -0.3], [0.2, 0.7]]), Tensor::from([0.3f64, -1.2])];
    vec![
        Entry::new(
            "checkpoint",
            "checkpoint.rs",
            vec![
                Sample::new("nothing kept", x(), |tape, x| {
                    let w = x[0];
                    tape.checkpoint(x[1], |v| w.matmul(w.matmul(v).tanh()).exp())
                }),
                Sample::new("products kept", x(), |tape, x| {
                    let w = x[0];
                    Plan::products().call(tape, x[1], |v| w.matmul(w.matmul(v).tanh()).sin().square())
                }),
                Sample::new("two results", x(), |tape, x| {
                    let (a, b) =
                        tape.checkpoint((x[0], x[1]), |(w, v)| (w.matmul(v).exp(), (w.square() * v).sum_axes(0)));
                    a * b
                }),
                Sample::new("inside of itself", x(), |tape, x| {
                    let w = x[0];
                    tape.checkpoint(x[1], |v| {
                        let h = tape.checkpoint(v, |v| w.matmul(v).tanh());
                        tape.checkpoint(h, |h| w.matmul(h).tanh()) * h
                    })
                }),
            ],
        )
        .accuracy(Accuracy::Body),
        Entry::new(
            "kept",
            "checkpoint.rs",
            vec![Sample::new("slopes of the second", [Tensor::from([0.5f64, 2.0])], |tape, x| {
                tape.record(Kept, &[x[0].exp().stop_gradient(), x[0].exp()])
            })],
        ),
    ]
}
