//! `scan`: a step that runs for every element of an axis, and hands a state on.
//!
//! cᵢ₊₁, yᵢ = f(cᵢ, xᵢ) for i = 0, 1, …, T−1, or from the end. The step is recorded and planned once, however long the loop is.
//!
//! * operands: the states c₀, the values x with their T elements along axis 0, and what the step reads from outside
//! * result: flat; one behind the other, all states with a history (T of each) or their last value, and the T values of each y
//! * derivative: a scan from the other end. Its states are the cotangents of the states, and sums for what every step reads, but for
//!   those that are one product behind the loop (`later`); each step is done again from the state that it started from, so
//!   nothing else is kept.
//! * random ops of the step draw anew in every run

use crate::batch::{Batch, stacked};
use crate::body::{Body, Input, Role, Runner, Shared, pull_back, trace, trace_with};
use crate::class::Class;
use crate::graph::{Derivative, Op, Tape, Var};
use crate::later::{Finder, Later};
use crate::meta::Meta;
use crate::packing::{Packing, record_packed};
use crate::sample::{Accuracy, Entry, Sample};
use crate::transform::Vmap;
use smallvec::SmallVec;
use std::sync::{Arc, Mutex, PoisonError};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::threads::{threads, with_places};
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

        let (traced, later) = trace_with(tape, "scan", &given, |v| {
            let at = |i: usize| v.get(i).copied().unwrap_or(tape.poison());
            let inputs: Vec<Var<'t>> = (0..outer).map(|i| at(sums + i)).chain((read..given.len()).map(at)).collect();
            let mut cts: Vec<(usize, Var<'t>)> = flowing.iter().enumerate().map(|(n, &k)| (k, at(n))).collect();
            cts.extend(series.iter().enumerate().map(|(n, part)| (part.output, at(sums + outer + n))));
            let wrt: Vec<usize> = flowing.iter().chain(&constants).chain(&elements).copied().collect();
            let mut flows = pull_back(body, tape, &inputs, &cts, &wrt);
            let results = flows.split_off(sums.min(flows.len()));
            let parts = flows.split_off(flowing.len().min(flows.len()));
            // Sums over all runs that can wait, and those that are added up as the loop goes.
            let mut finder =
                Finder::new(tape, v.get(..read).unwrap_or_default(), v.get(sums..read).unwrap_or_default(), results);
            let mut later: Vec<Option<Later>> = parts.iter().map(|part| finder.product(*part)).collect();
            for (part, later) in parts.iter().zip(&mut later).filter(|(_, later)| later.is_none()) {
                *later = finder.sum(*part);
            }
            for (n, (part, later)) in parts.into_iter().zip(&later).enumerate() {
                if later.is_none() {
                    flows.push(at(flowing.len() + n) + part);
                }
            }
            flows.extend(finder.results);
            (flows, later)
        });
        let traced = traced?;

        let waits = |n: usize| n.checked_sub(flowing.len()).and_then(|n| later.get(n)).is_some_and(Option::is_some);
        let reads = traced.body.reads();
        let keep: Vec<bool> =
            (0..given.len()).map(|i| (i < sums && !waits(i)) || reads.get(i) == Some(&true)).collect();
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
        for (_, &i) in flowing.iter().chain(&constants).enumerate().filter(|(n, _)| !waits(*n)) {
            let last = lasts.iter().find(|part| i < states && part.output == i);
            operands.push(match last {
                Some(part) => self.packing.part(ct, part),
                None => operand(i).zeros_like(),
            });
        }
        let sums_kept = operands.len();
        // What is read element by element: by the step, or by the sums that wait.
        let needed: Vec<bool> =
            (0..read - sums).map(|i| kept(&(sums + i)) || later.iter().flatten().any(|later| later.reads(i))).collect();
        let mut all: Vec<Var<'t>> = Vec::new();
        for (i, &needed) in needed.iter().enumerate() {
            all.push(match (needed, i.checked_sub(outer).and_then(|n| series.get(n))) {
                (false, _) => tape.poison(),
                (true, Some(part)) => self.packing.part(ct, part),
                (true, None) if i < states => frame.entries(operand(i), history(i)),
                (true, None) => operand(i),
            });
        }
        operands.extend(all.iter().enumerate().filter(|(i, _)| kept(&(sums + i))).map(|(_, var)| *var));
        let count = operands.len() - sums_kept;
        operands.extend((outer..x.len()).filter(|i| kept(&(read + i - outer))).map(operand));
        operands.extend(&traced.captured);

        let back = Frame {
            body: traced.body.with_inputs(&keep),
            states: sums_kept,
            xs: count,
            length: *length,
            reverse: !reverse,
        };
        let mut parts = Arc::new(back).record(tape, &operands, &vec![false; sums_kept]);
        let results = parts.split_off(sums_kept.min(parts.len()));
        let mut parts = parts.into_iter();
        let sums = flowing.iter().chain(&constants).enumerate().map(|(n, &i)| {
            let waiting = n.checked_sub(flowing.len()).and_then(|n| later.get(n)).and_then(Option::as_ref);
            let sum = match waiting {
                Some(later) => Some(later.record(tape, &all, &results)),
                None => parts.next(),
            };
            (i, sum.unwrap_or(tape.poison()))
        });
        let sums: Vec<(usize, Var<'t>)> = sums.collect();
        let mut found: Vec<Option<Var<'t>>> = vec![None; x.len()];
        for (i, part) in sums.into_iter().chain(elements.iter().copied().zip(results)) {
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
    /// All values, by their places.
    Series(Vec<&'a mut [u8]>),
    /// The last one and the one before, in turn.
    Turns(Storage, Storage),
}

/// All runs of a loop, for all results or an equal part of each.
struct Lane<'a> {
    runner: Runner<'a>,
    tracks: Vec<Track<'a>>,
    /// Where the last values of some go.
    lasts: Vec<(usize, &'a mut [u8])>,
}

/// The lanes of a loop, and for each input whether a lane reads its own part of it.
struct Lanes<'a> {
    lanes: Vec<Lane<'a>>,
    by_part: Option<Arc<[bool]>>,
}

fn lost() -> Error {
    Error::state("a loop without its memory")
}

impl Scan {
    /// One lane for each thread that takes part.
    fn lanes<'a>(&'a self, out: &'a mut [u8]) -> Result<Lanes<'a>> {
        let body = &self.frame.body;
        let sizes: Vec<usize> = body.metas().iter().map(|meta| meta.shape.len() * meta.dtype.size()).collect();
        let (runners, by_part) = match self.shared()? {
            Some(Shared { runners, by_part }) => (runners, Some(by_part)),
            None => (vec![body.runner(self.frame.states + self.frame.xs)?], None),
        };
        let count = runners.len();
        let lane = |runner| Lane { runner, tracks: Vec::with_capacity(sizes.len()), lasts: Vec::new() };
        let mut lanes: Vec<Lane<'a>> = runners.into_iter().map(lane).collect();
        let parts = self.packing.places(out, body.outputs.len());
        for (i, (part, &size)) in parts.into_iter().zip(&sizes).enumerate() {
            let share = size / count;
            match part {
                Some(bytes) if self.history.get(i) != Some(&false) => {
                    let mut series: Vec<Vec<&mut [u8]>> =
                        (0..count).map(|_| Vec::with_capacity(self.frame.length)).collect();
                    match share {
                        0 => series.iter_mut().for_each(|all| all.resize_with(self.frame.length, Default::default)),
                        _ => bytes.chunks_exact_mut(share).enumerate().for_each(|(at, chunk)| {
                            if let Some(all) = series.get_mut(at % count) {
                                all.push(chunk);
                            }
                        }),
                    }
                    lanes.iter_mut().zip(series).for_each(|(lane, all)| lane.tracks.push(Track::Series(all)));
                }
                part => {
                    for lane in &mut lanes {
                        lane.tracks.push(Track::Turns(Storage::take(share)?, Storage::take(share)?));
                    }
                    match (part, share) {
                        (Some(bytes), 1..) => {
                            let chunks = bytes.chunks_exact_mut(share);
                            lanes.iter_mut().zip(chunks).for_each(|(lane, chunk)| lane.lasts.push((i, chunk)));
                        }
                        (part, _) => {
                            if let (Some(bytes), Some(lane)) = (part, lanes.first_mut()) {
                                lane.lasts.push((i, bytes));
                            }
                        }
                    }
                }
            }
        }
        Ok(Lanes { lanes, by_part })
    }

    /// Several threads do all runs for a part of the results each, if a part of a state depends on the same part of the one before alone.
    fn shared(&self) -> Result<Option<Shared<'_>>> {
        /// Operations that are worth another thread.
        const SHARED: u64 = 2_000_000;
        let Frame { body, states, xs, length, .. } = &*self.frame;
        let work = body.flops().saturating_mul(*length as u64);
        let most = threads().min((work / SHARED) as usize + 1);
        if most < 2 {
            return Ok(None);
        }
        body.runners(most, states + xs, |count, by_part| {
            let even = body.metas().iter().all(|meta| !meta.shape.is_empty() && meta.shape.len().is_multiple_of(count));
            let reads = body.reads();
            let mut states = 0..*states;
            even && by_part.is_none_or(|own| states.all(|k| reads.get(k) != Some(&true) || own.get(k) == Some(&true)))
        })
    }

    /// All runs of a lane, the number `at` of `count`.
    fn run_lane(
        &self,
        lane: &mut Lane<'_>,
        [at, count]: [usize; 2],
        by_part: Option<&[bool]>,
        inputs: &[TensorView<'_>],
    ) -> Result<()> {
        let Frame { body, states, xs, length, reverse } = &*self.frame;
        let Lane { runner, tracks, lasts } = lane;
        // Of some bytes, those that this lane reads as input `i`; a state begins with its own part in any case.
        let own = |i: usize, bytes: &'_ [u8]| -> std::ops::Range<usize> {
            let by_part = i < *states || by_part.is_some_and(|by_part| by_part.get(i) == Some(&true));
            let share = bytes.len() / count;
            if by_part { at * share..(at + 1) * share } else { 0..bytes.len() }
        };
        for i in 0..*length {
            let place = self.frame.place(i);
            let mut read: SmallVec<[&[u8]; 16]> = SmallVec::new();
            let mut written: SmallVec<[&mut [u8]; 16]> = SmallVec::new();
            for (k, track) in tracks.iter_mut().enumerate() {
                let (before, now): (&[u8], &mut [u8]) = match track {
                    Track::Series(all) => {
                        // The value before lies in front of this one, or behind it when the loop runs from the end.
                        let cut = if *reverse { place + 1 } else { place };
                        let (low, high) = all.split_at_mut_checked(cut).ok_or_else(lost)?;
                        match reverse {
                            false => (low.last().map_or(&[], |b| &**b), high.first_mut().ok_or_else(lost)?),
                            true => (high.first().map_or(&[], |b| &**b), low.last_mut().ok_or_else(lost)?),
                        }
                    }
                    Track::Turns(before, now) => {
                        std::mem::swap(before, now);
                        (before.bytes(), now.get_mut().ok_or_else(lost)?.bytes_mut())
                    }
                };
                if k < *states {
                    let start = inputs.get(k).map(TensorView::bytes).ok_or_else(lost)?;
                    let start = start.get(own(k, start)).ok_or_else(lost)?;
                    read.push(if i == 0 { start } else { before });
                }
                written.push(now);
            }
            for (k, (x, input)) in inputs.iter().zip(&body.inputs).enumerate().skip(*states).take(*xs) {
                let size = input.meta.shape.len() * input.meta.dtype.size();
                let element = x.bytes().get(place * size..(place + 1) * size).ok_or_else(lost)?;
                read.push(element.get(own(k, element)).ok_or_else(lost)?);
            }
            for (k, x) in inputs.iter().enumerate().skip(states + xs) {
                read.push(x.bytes().get(own(k, x.bytes())).ok_or_else(lost)?);
            }
            runner.run(place as u64, &read, &mut written)?;
        }
        for (i, bytes) in lasts {
            match (tracks.get(*i), length) {
                (Some(Track::Turns(_, last)), 1..) => {
                    bytes.copy_from_slice(last.bytes().get(..bytes.len()).ok_or_else(lost)?)
                }
                _ => {
                    let start = inputs.get(*i).map(TensorView::bytes).ok_or_else(lost)?;
                    bytes.copy_from_slice(start.get(own(*i, start)).ok_or_else(lost)?);
                }
            }
        }
        Ok(())
    }
}

impl Kernel for Scan {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let Lanes { mut lanes, by_part } = self.lanes(out.bytes_mut())?;
        if let [lane] = &mut lanes[..] {
            return self.run_lane(lane, [0, 1], None, inputs);
        }
        let count = lanes.len();
        let lanes: Vec<Mutex<Lane<'_>>> = lanes.into_iter().map(Mutex::new).collect();
        let failed: Mutex<Option<Error>> = Mutex::new(None);
        with_places(count, count, &|_, at| {
            let Some(lane) = lanes.get(at) else { return };
            let mut lane = lane.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = self.run_lane(&mut lane, [at, count], by_part.as_deref(), inputs) {
                failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        });
        failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use wengert_tensor::kernels::threads::with_threads;

    /// How many threads would share each loop that a tape has.
    fn sharers(tape: &Tape) -> Vec<usize> {
        let graph = tape.graph.borrow();
        let loops = graph.nodes.iter().filter_map(|node| node.op.as_any().downcast_ref::<Scan>());
        loops.map(|scan| scan.shared().unwrap().map_or(1, |shared| shared.runners.len())).collect()
    }

    /// The loops of a recurrent layer and of its gradient, on so many threads.
    fn recurrent(threads: usize, rows: usize, mixed: bool) -> Vec<usize> {
        with_threads(threads, || {
            let tape = Tape::new();
            let normal = |shape: &[usize]| tape.input(&Tensor::normal(shape, DType::F32, 1).unwrap());
            let (x, start, w) = (normal(&[16, rows, 64]), normal(&[rows, 64]), normal(&[64, 64]));
            let (last, ()) = tape.scan(start, x, |h, v| {
                let h = if mixed { h - h.mean_keep(0) } else { h };
                ((v + h.matmul(w.t())).tanh(), ())
            });
            tape.grad(last.square().sum(), w);
            sharers(&tape)
        })
    }

    #[test]
    fn threads_share_a_loop_whose_rows_are_apart() {
        assert_eq!(recurrent(2, 48, false), [2, 2]);
        assert_eq!(recurrent(3, 48, false), [3, 3]);
        // Four threads and 42 rows: three of them share.
        assert_eq!(recurrent(4, 42, false), [3, 3]);
        assert_eq!(recurrent(1, 48, false), [1, 1]);
        assert_eq!(recurrent(2, 47, false), [1, 1]);
        assert_eq!(recurrent(2, 48, true), [1, 1]);
    }
}
