//! `scan`: a step that runs for every element of an axis, and hands a state on.
//!
//! cᵢ₊₁, yᵢ = f(cᵢ, xᵢ) for i = 0, 1, …, T−1, or from the end. The step is recorded and planned once, however long the loop is.
//!
//! * operands: the states c₀, the values x with their T elements along axis 0, and what the step reads from outside
//! * result: flat; one behind the other, all states with a history (T of each) or their last value, and the T values of each y
//! * derivative: a scan from the other end. Its states are the cotangents of the states, and sums for what every step reads; each
//!   step is done again from the state that it started from, so nothing else is kept.
//! * random ops of the step draw anew in every run

use crate::batch::{Batch, stacked};
use crate::body::{Body, Input, Role, pull_back, trace};
use crate::class::Class;
use crate::graph::{Derivative, Op, Tape, Var};
use crate::meta::Meta;
use crate::packing::{Packing, record_packed};
use crate::sample::{Accuracy, Entry, Sample};
use crate::transform::Vmap;
use smallvec::SmallVec;
use std::sync::Arc;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::storage::Storage;
use wengert_tensor::tensor::Tensor;

/// A step and how it is repeated.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Frame {
    /// From the states, the elements of this run and what is outside, to the states and the results.
    pub(crate) body: Body,
    pub(crate) states: usize,
    pub(crate) xs: usize,
    pub(crate) length: usize,
    /// From the last element to the first.
    pub(crate) reverse: bool,
}

/// The results of one dtype of a loop.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Scan {
    frame: Arc<Frame>,
    /// For each state, whether all of its values are results, or the last alone.
    history: SmallVec<[bool; 4]>,
    packing: Packing,
}

impl Frame {
    /// Shape and dtype of every result.
    fn results(&self, history: &[bool]) -> Result<Vec<Meta>> {
        let result = |(i, meta): (usize, Meta)| match history.get(i) {
            Some(false) => Ok(meta),
            _ => Ok(meta.with_shape(meta.shape.insert(0, self.length)?)),
        };
        self.body.metas().into_iter().enumerate().map(result).collect()
    }

    /// Records the loop: one op for each dtype among the results. Gives all results.
    #[track_caller]
    pub(crate) fn record<'t>(self: &Arc<Self>, tape: &'t Tape, operands: &[Var<'t>], history: &[bool]) -> Vec<Var<'t>> {
        match self.results(history) {
            Ok(results) => record_packed(tape, "scan", &results, operands, |packing| {
                Scan { frame: Arc::clone(self), history: history.into(), packing }.into()
            }),
            Err(error) => {
                tape.reject("scan", &[], error);
                vec![tape.poison(); self.body.outputs.len()]
            }
        }
    }

    /// The place of the element that run `i` reads and writes.
    fn place(&self, i: usize) -> usize {
        if self.reverse { self.length - 1 - i } else { i }
    }

    /// For each run the state that it started from: `init`, and all of `history` but the last.
    #[track_caller]
    fn entries<'t>(&self, init: Var<'t>, history: Var<'t>) -> Var<'t> {
        let first = init.unsqueeze(0);
        let all = match self.reverse {
            false => [first, history.slice(0, ..self.length.saturating_sub(1))],
            true => [history.slice(0, 1.min(self.length)..), first],
        };
        match self.length {
            0 => history,
            _ => init.tape.concat(&all, 0),
        }
    }
}

impl Op for Scan {
    fn name(&self) -> &'static str {
        "scan"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["operand", "operand"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let Frame { body, states, xs, length, .. } = &*self.frame;
        if inputs.len() != body.inputs.len() {
            return Err(Error::state(format!("takes {} operands, not {}", body.inputs.len(), inputs.len())));
        }
        for (i, (given, wanted)) in inputs.iter().zip(&body.inputs).enumerate() {
            let wanted = match i >= *states && i < states + xs {
                true => wanted.meta.with_shape(wanted.meta.shape.insert(0, *length)?),
                false => wanted.meta.clone(),
            };
            if **given != wanted {
                return Err(Error::shape(format!("operand {i} is {given}, and the step takes {wanted}")));
            }
        }
        self.packing.meta()
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Composite
    }

    fn pullbacks<'t>(&self, wanted: &[bool], x: &[Var<'t>], y: Var<'t>, ct: Var<'t>) -> Option<Vec<Option<Var<'t>>>> {
        let tape = ct.tape;
        let frame = &*self.frame;
        let Frame { body, states, xs, length, reverse } = frame;
        let (states, outer) = (*states, states + xs);
        let is_wanted = |i: usize| wanted.get(i) == Some(&true);
        let meta = |i: usize| body.inputs.get(i).map(|input| input.meta.clone());
        let float = |i: &usize| body.inputs.get(*i).is_some_and(|input| input.meta.dtype.is_float());
        // Numbers of the inputs of the step: states whose cotangents are handed on, and what cotangents are wanted of.
        let flowing: Vec<usize> = (0..states).filter(float).collect();
        let elements: Vec<usize> = (states..outer).filter(|&i| is_wanted(i)).collect();
        let constants: Vec<usize> = (outer..body.inputs.len()).filter(|&i| is_wanted(i)).collect();
        // Results with one element a run: their cotangents are read element by element.
        let is_last = |output: usize| self.history.get(output) == Some(&false);
        let (lasts, series): (Vec<_>, Vec<_>) = self.packing.parts.iter().partition(|part| is_last(part.output));

        let mut given: Vec<Input> = Vec::new();
        given.extend(flowing.iter().chain(&constants).filter_map(|&i| meta(i)).map(Input::value));
        let sums = given.len();
        given.extend((0..outer).filter_map(meta).map(Input::value));
        given.extend(series.iter().filter_map(|part| body.output(part.output).cloned()).map(Input::value));
        let read = given.len();
        given.extend(body.inputs.iter().skip(outer).cloned());

        let traced = trace(tape, "scan", &given, |v| {
            let at = |i: usize| v.get(i).copied().unwrap_or(tape.poison());
            let inputs: Vec<Var<'t>> = (0..outer).map(|i| at(sums + i)).chain((read..given.len()).map(at)).collect();
            let mut cts: Vec<(usize, Var<'t>)> = flowing.iter().enumerate().map(|(n, &k)| (k, at(n))).collect();
            cts.extend(series.iter().enumerate().map(|(n, part)| (part.output, at(sums + outer + n))));
            let wrt: Vec<usize> = flowing.iter().chain(&constants).chain(&elements).copied().collect();
            let parts = pull_back(body, tape, &inputs, &cts, &wrt);
            let total = |(n, part): (usize, Var<'t>)| match n >= flowing.len() && n < sums {
                true => at(n) + part,
                false => part,
            };
            parts.into_iter().enumerate().map(total).collect()
        })?;

        let reads = traced.body.reads();
        let keep: Vec<bool> = (0..given.len()).map(|i| i < sums || reads.get(i) == Some(&true)).collect();
        let kept = |i: &usize| keep.get(*i) == Some(&true);
        // Histories that this op does not give come from the same loop, recorded with all of them.
        let mut complete: Option<Vec<Var<'t>>> = None;
        let mut history = |k: usize| match self.packing.parts.iter().find(|part| part.output == k && !is_last(k)) {
            Some(part) => self.packing.part(y, part),
            None => {
                let all = complete.get_or_insert_with(|| self.frame.record(tape, x, &vec![true; states]));
                all.get(k).copied().unwrap_or(tape.poison())
            }
        };
        let operand = |i: usize| x.get(i).copied().unwrap_or(tape.poison());
        let mut operands: Vec<Var<'t>> = Vec::new();
        for &i in flowing.iter().chain(&constants) {
            let last = lasts.iter().find(|part| i < states && part.output == i);
            operands.push(match last {
                Some(part) => self.packing.part(ct, part),
                None => operand(i).zeros_like(),
            });
        }
        for i in (0..outer).filter(|i| kept(&(sums + i))) {
            operands.push(if i < states { frame.entries(operand(i), history(i)) } else { operand(i) });
        }
        let cts = series.iter().enumerate().filter(|(n, _)| kept(&(sums + outer + n)));
        operands.extend(cts.map(|(_, part)| self.packing.part(ct, part)));
        let count = operands.len() - sums;
        operands.extend((outer..x.len()).filter(|i| kept(&(read + i - outer))).map(operand));
        operands.extend(&traced.captured);

        let back =
            Frame { body: traced.body.with_inputs(&keep), states: sums, xs: count, length: *length, reverse: !reverse };
        let parts = Arc::new(back).record(tape, &operands, &vec![false; sums]);
        let mut found: Vec<Option<Var<'t>>> = vec![None; x.len()];
        for (&i, part) in flowing.iter().chain(&constants).chain(&elements).zip(parts) {
            if let Some(place) = found.get_mut(i) {
                *place = Some(part);
            }
        }
        Some(found)
    }

    fn key(&self) -> Option<usize> {
        self.frame.body.inputs.iter().position(|input| input.role == Role::Key)
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        let (tape, size, frame) = (x.tape(), x.size(), &*self.frame);
        let outer = frame.states + frame.xs;
        // A state that is the same for all at first need not stay so; and something must have examples.
        let mapped: Vec<bool> = (0..frame.body.inputs.len())
            .map(|i| {
                i < frame.states || (frame.states == 0 && i < outer) || x.operand(i).is_some_and(|(_, mapped)| mapped)
            })
            .collect();
        let given: Option<Vec<Input>> = frame
            .body
            .inputs
            .iter()
            .zip(&mapped)
            .map(|(input, mapped)| match mapped {
                true => Some(Input::value(input.meta.with_shape(stacked(size, &input.meta.shape)?))),
                false => Some(input.clone()),
            })
            .collect();
        let traced = trace(tape, "scan", &given?, |v| {
            let axes: Vec<Option<isize>> = mapped.iter().map(|&mapped| mapped.then_some(0)).collect();
            Vmap::new().axes(&axes).randomness(x.randomness()).call(tape, v, |one| frame.body.replay(tape, &one))
        })?;
        let operand = |(i, &mapped): (usize, &bool)| match (mapped, i >= frame.states && i < outer) {
            (true, true) => Some(x.mapped(i)?.moved_axis(0, 1)),
            (true, false) => x.mapped(i),
            (false, _) => x.operand(i).map(|(var, _)| var),
        };
        let mut operands: Vec<Var<'t>> = mapped.iter().enumerate().map(operand).collect::<Option<_>>()?;
        operands.extend(&traced.captured);
        let all = Frame { body: traced.body, ..*frame };
        let results = Arc::new(all).record(tape, &operands, &self.history);
        let front = |(i, result): (usize, Var<'t>)| match self.history.get(i) {
            Some(false) => result,
            _ => result.moved_axis(1, 0),
        };
        let results: Vec<Var<'t>> = results.into_iter().enumerate().map(front).collect();
        self.packing.batch(tape, size, &results)
    }
}

/// Where a run finds or leaves what it hands on.
enum Track<'a> {
    /// All values, one behind the other.
    Series(&'a mut [u8]),
    /// The last one and the one before, in turn.
    Turns(Storage, Storage),
}

impl Kernel for Scan {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let frame = &*self.frame;
        let Frame { body, states, xs, length, reverse } = frame;
        let mut runner = body.runner()?;
        let parts = self.packing.places(out.bytes_mut(), body.outputs.len());
        let sizes: Vec<usize> = body.metas().iter().map(|meta| meta.shape.len() * meta.dtype.size()).collect();
        let mut lasts: Vec<(usize, &mut [u8])> = Vec::new();
        let mut tracks = Vec::with_capacity(sizes.len());
        for (i, (part, &size)) in parts.into_iter().zip(&sizes).enumerate() {
            tracks.push(match part {
                Some(bytes) if self.history.get(i) != Some(&false) => Track::Series(bytes),
                part => {
                    lasts.extend(part.map(|bytes| (i, bytes)));
                    Track::Turns(Storage::take(size)?, Storage::take(size)?)
                }
            });
        }
        let lost = || Error::state("a loop without its memory");
        for i in 0..*length {
            let place = frame.place(i);
            let mut read: SmallVec<[&[u8]; 16]> = SmallVec::new();
            let mut written: SmallVec<[&mut [u8]; 16]> = SmallVec::new();
            for (k, (track, &size)) in tracks.iter_mut().zip(&sizes).enumerate() {
                let (before, now): (&[u8], &mut [u8]) = match track {
                    Track::Series(bytes) => {
                        // The value before lies in front of this one, or behind it when the loop runs from the end.
                        let cut = if *reverse { place + 1 } else { place };
                        let (low, high) = bytes.split_at_mut_checked(cut * size).ok_or_else(lost)?;
                        match reverse {
                            false => {
                                let start = low.len().saturating_sub(size);
                                (low.get(start..).ok_or_else(lost)?, high.get_mut(..size).ok_or_else(lost)?)
                            }
                            true => {
                                let end = size.min(high.len());
                                let start = place * size;
                                (high.get(..end).ok_or_else(lost)?, low.get_mut(start..).ok_or_else(lost)?)
                            }
                        }
                    }
                    Track::Turns(before, now) => {
                        std::mem::swap(before, now);
                        (before.bytes(), now.get_mut().ok_or_else(lost)?.bytes_mut())
                    }
                };
                if k < *states {
                    let start = inputs.get(k).map(TensorView::bytes).ok_or_else(lost)?;
                    read.push(if i == 0 { start } else { before });
                }
                written.push(now);
            }
            for (x, input) in inputs.iter().zip(&body.inputs).skip(*states).take(*xs) {
                let size = input.meta.shape.len() * input.meta.dtype.size();
                read.push(x.bytes().get(place * size..(place + 1) * size).ok_or_else(lost)?);
            }
            read.extend(inputs.iter().skip(states + xs).map(TensorView::bytes));
            runner.run(place as u64, &read, &mut written)?;
        }
        for (i, bytes) in lasts {
            match (tracks.get(i), length) {
                (Some(Track::Turns(_, last)), 1..) => {
                    bytes.copy_from_slice(last.bytes().get(..bytes.len()).ok_or_else(lost)?)
                }
                _ => bytes.copy_from_slice(inputs.get(i).map(TensorView::bytes).ok_or_else(lost)?),
            }
        }
        Ok(())
    }

    fn flops(&self, _inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        Some(self.frame.body.flops() * self.frame.length as u64)
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || Tensor::from([[0.3f64, -1.2], [0.8, 0.5], [-0.4, 1.1]]);
    let h = || Tensor::from([0.1f64, -0.2]);
    let w = || Tensor::from([[0.5f64, -0.3], [0.2, 0.7]]);
    vec![
        Entry::new(
            "scan",
            "scan.rs",
            vec![
                Sample::new("running sum", [x()], |tape, x| {
                    tape.scan(x[0].at(0, 0) * 0.0, x[0], |c, x| (c + x, c + x)).1
                })
                .gives([0.3, -1.2, 1.1, -0.7, 0.7, 0.4])
                .slopes([3., 3., 2., 2., 1., 1.]),
                Sample::new("a recurrent layer", [x(), h(), w()], |tape, x| {
                    let (last, all) = tape.scan(x[1], x[0], |h, v| {
                        let h = (x[2].matmul(h) + v).tanh();
                        (h, h.square())
                    });
                    all.sum_axes(0) + last
                }),
                Sample::new("from the end", [x(), h()], |tape, x| {
                    let from_end = crate::transform::Loop::new().reverse();
                    let (last, all) = from_end.call(tape, x[1], x[0], |c, v| (c * v + 0.5, c.sin()));
                    all.mean_axes(0) * last
                }),
                Sample::new("two states and a counter", [x(), h()], |tape, x| {
                    let start = (x[1], x[1].sum(), tape.scalar(0.0, DType::I64));
                    let ((a, b, n), ()) = tape.scan(start, x[0], |(a, b, n), v| {
                        ((a * v.cos() + b, b + n.cast(DType::F64) * a.sum(), n + 1), ())
                    });
                    a * b + n.cast(DType::F64)
                }),
                Sample::new("no turn", [h()], |tape, x| {
                    crate::transform::Loop::new().length(0).call(tape, x[0], (), |c, ()| (c * 2.0, ())).0
                })
                .gives([0.1, -0.2])
                .slopes([1., 1.]),
                Sample::new("f32 inside", [x()], |tape, x| {
                    tape.scan(tape.constant([2], 0f32), x[0], |c, v| (c + v.cast(DType::F32), ())).0
                })
                .kinked(),
            ],
        )
        .accuracy(Accuracy::Body),
    ]
}
