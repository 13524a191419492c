//! `cond`: one of two functions, chosen when it runs. The other one is not computed.
//!
//! * operands: a bool of rank 0, what the functions are called with, and what each reads from outside
//! * result: flat; the results of the chosen function, one behind the other
//! * derivative: the choice between the derivatives of the two functions
//! * batches: one choice for all, or, where each example has its own, both functions and a `select`

use crate::batch::{Batch, stacked};
use crate::body::{Body, Input, Role, pull_back, trace};
use crate::class::Class;
use crate::graph::{Derivative, Op, Tape, Var};
use crate::meta::Meta;
use crate::packing::{Packing, record_packed, spare};
use crate::sample::{Accuracy, Entry, Sample};
use crate::transform::Vmap;
use smallvec::SmallVec;
use std::sync::Arc;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// Two functions of the same operands, with results of the same shapes and dtypes. Each reads its own values from outside behind
/// the operands: first those of the first function, then those of the second.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fork {
    pub(crate) branches: [Body; 2],
    /// How many operands both are called with.
    pub(crate) given: usize,
}

/// The results of one dtype of a choice.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Cond {
    fork: Arc<Fork>,
    packing: Packing,
}

impl Fork {
    /// Where the inputs of a branch stand among the operands behind the condition.
    fn operands(&self, branch: usize) -> impl Iterator<Item = usize> {
        let captured = |i: usize| self.branches.get(i).map_or(0, |body| body.inputs.len() - self.given);
        let start = self.given + if branch == 0 { 0 } else { captured(0) };
        (0..self.given).chain(start..start + captured(branch))
    }

    /// Records the choice: one op for each dtype among the results. Gives all results.
    #[track_caller]
    pub(crate) fn record<'t>(self: &Arc<Self>, tape: &'t Tape, operands: &[Var<'t>]) -> Vec<Var<'t>> {
        let [first, second] = &self.branches;
        let metas = first.metas();
        if metas != second.metas() {
            let list = |metas: &[Meta]| metas.iter().map(Meta::to_string).collect::<Vec<_>>().join(", ");
            let error = format!("one branch gives {}, the other {}", list(&metas), list(&second.metas()));
            tape.reject("cond", &[], Error::shape(error).help("both give values of the same shapes and dtypes"));
            return vec![tape.poison(); metas.len()];
        }
        record_packed(tape, "cond", &metas, operands, |packing| Cond { fork: Arc::clone(self), packing }.into())
    }
}

impl Op for Cond {
    fn name(&self) -> &'static str {
        "cond"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["condition", "operand"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let Some((condition, rest)) = inputs.split_first() else {
            return Err(Error::state("takes a condition"));
        };
        if condition.dtype != DType::Bool || condition.shape.rank() != 0 {
            let error = Error::shape(format!("a condition is one bool, not {condition}"));
            return Err(error.help("element by element, it is select"));
        }
        for (branch, body) in self.fork.branches.iter().enumerate() {
            for (at, input) in self.fork.operands(branch).zip(&body.inputs) {
                if rest.get(at).is_none_or(|given| **given != input.meta) {
                    return Err(Error::state(format!("operand {at} is not {}", input.meta)));
                }
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

    fn pullbacks<'t>(&self, wanted: &[bool], x: &[Var<'t>], _y: Var<'t>, ct: Var<'t>) -> Option<Vec<Option<Var<'t>>>> {
        let tape = ct.tape;
        let (condition, rest) = x.split_first()?;
        let wanted: Vec<usize> = (0..rest.len()).filter(|i| wanted.get(i + 1) == Some(&true)).collect();
        // Both branches are called with all operands, and the cotangent.
        let mut given: Vec<Input> = rest.iter().map(|var| Input::value(var.meta())).collect();
        for (branch, body) in self.fork.branches.iter().enumerate() {
            for (at, input) in self.fork.operands(branch).zip(&body.inputs) {
                if let Some(place) = given.get_mut(at) {
                    *place = input.clone();
                }
            }
        }
        given.push(Input::value(ct.meta()));
        let branch = |branch: usize| {
            let body = self.fork.branches.get(branch)?;
            trace(tape, "cond", &given, |v| {
                let places: Vec<usize> = self.fork.operands(branch).collect();
                let inputs: Vec<Var<'t>> = places.iter().filter_map(|&at| v.get(at).copied()).collect();
                let ct = v.last().copied().unwrap_or(tape.poison());
                let cts: Vec<_> =
                    self.packing.parts.iter().map(|part| (part.output, self.packing.part(ct, part))).collect();
                let own: Vec<usize> =
                    (0..places.len()).filter(|&i| places.get(i).is_some_and(|at| wanted.contains(at))).collect();
                let parts = pull_back(body, tape, &inputs, &cts, &own);
                let part = |at: &usize| {
                    let found = own.iter().zip(&parts).find(|&(&i, _)| places.get(i) == Some(at));
                    match (found, v.get(*at)) {
                        (Some((_, part)), _) => *part,
                        (None, Some(operand)) => operand.zeros_like(),
                        (None, None) => tape.poison(),
                    }
                };
                wanted.iter().map(part).collect()
            })
        };
        let (first, second) = (branch(0)?, branch(1)?);
        let reads: Vec<bool> = first.body.reads().into_iter().zip(second.body.reads()).map(|(a, b)| a || b).collect();
        let keep: Vec<bool> = reads.into_iter().take(given.len()).collect();
        let mut operands = vec![*condition];
        operands.extend(rest.iter().chain([&ct]).zip(&keep).filter(|(_, keep)| **keep).map(|(var, _)| *var));
        let count = operands.len() - 1;
        operands.extend(first.captured.iter().chain(&second.captured));
        let branches = [first.body.with_inputs(&keep), second.body.with_inputs(&keep)];
        let parts = Arc::new(Fork { branches, given: count }).record(tape, &operands);
        let mut found: Vec<Option<Var<'t>>> = vec![None; x.len()];
        for (at, part) in wanted.iter().zip(parts) {
            if let Some(place) = found.get_mut(at + 1) {
                *place = Some(part);
            }
        }
        Some(found)
    }

    fn key(&self) -> Option<usize> {
        (0..2).find_map(|branch| {
            let inputs = &self.fork.branches.get(branch)?.inputs;
            let places = self.fork.operands(branch).zip(inputs);
            places.filter(|(_, input)| input.role == Role::Key).map(|(at, _)| at + 1).next()
        })
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        let (tape, size) = (x.tape(), x.size());
        let (condition, each) = x.operand(0)?;
        let axes = |branch: usize| -> Vec<Option<isize>> {
            let mapped = |at: usize| x.operand(at + 1).filter(|(_, mapped)| *mapped).map(|_| 0);
            self.fork.operands(branch).map(mapped).collect()
        };
        // All examples through one branch; where nothing has examples, it is the same for all.
        let through = |branch: usize, v: &[Var<'t>]| -> Vec<Var<'t>> {
            let Some(body) = self.fork.branches.get(branch) else { return Vec::new() };
            let axes = axes(branch);
            match axes.iter().any(Option::is_some) {
                true => Vmap::new().axes(&axes).randomness(x.randomness()).call(tape, v, |one| body.replay(tape, &one)),
                false => {
                    let repeated = |one: Var<'t>| {
                        let shape = stacked(size, &one.shape()).unwrap_or(one.shape());
                        one.broadcast_to(shape)
                    };
                    body.replay(tape, v).into_iter().map(repeated).collect()
                }
            }
        };
        let pick = |branch: usize| -> Vec<Var<'t>> {
            self.fork.operands(branch).filter_map(|at| x.operand(at + 1)).map(|(var, _)| var).collect()
        };
        let results: Vec<Var<'t>> = if each {
            let (first, second) = (through(0, &pick(0)), through(1, &pick(1)));
            let choose = |(a, b): (Var<'t>, Var<'t>)| {
                let ones = vec![1; a.rank().saturating_sub(1)];
                a.select(condition.reshape([&[size], &ones[..]].concat()), b)
            };
            first.into_iter().zip(second).map(choose).collect()
        } else {
            let inputs = |branch: usize| -> Option<Vec<Input>> {
                let of = self.fork.branches.get(branch)?.inputs.iter().zip(axes(branch));
                of.map(|(input, axis)| match axis {
                    Some(_) => Some(Input::value(input.meta.with_shape(stacked(size, &input.meta.shape)?))),
                    None => Some(input.clone()),
                })
                .collect()
            };
            let (first, second) = (inputs(0)?, inputs(1)?);
            let first = trace(tape, "cond", &first, |v| through(0, v))?;
            let second = trace(tape, "cond", &second, |v| through(1, v))?;
            let own: Vec<Var<'t>> = (1..).map_while(|i| x.operand(i)).map(|(var, _)| var).collect();
            let (given, rest) = own.split_at_checked(self.fork.given)?;
            let (one, other) = rest.split_at_checked(self.fork.branches[0].inputs.len() - self.fork.given)?;
            let mut operands = vec![condition];
            operands.extend(given.iter().chain(one).chain(&first.captured).chain(other).chain(&second.captured));
            let fork = Fork { branches: [first.body, second.body], given: self.fork.given };
            Arc::new(fork).record(tape, &operands)
        };
        self.packing.batch(tape, size, &results)
    }
}

impl Kernel for Cond {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let lost = || Error::state("a choice without its operands");
        let (condition, rest) = inputs.split_first().ok_or_else(lost)?;
        let branch = usize::from(condition.bytes().first() == Some(&0));
        let body = self.fork.branches.get(branch).ok_or_else(lost)?;
        let read: SmallVec<[&[u8]; 16]> =
            self.fork.operands(branch).filter_map(|at| rest.get(at)).map(TensorView::bytes).collect();
        let parts = self.packing.places(out.bytes_mut(), body.outputs.len());
        let mut spares = spare(&parts, &body.metas())?;
        let mut written: SmallVec<[&mut [u8]; 16]> = SmallVec::new();
        for (part, spare) in parts.into_iter().zip(&mut spares) {
            written.push(match part {
                Some(bytes) => bytes,
                None => spare.get_mut().ok_or_else(lost)?.bytes_mut(),
            });
        }
        body.runner(usize::MAX)?.run(0, &read, &mut written)
    }

    fn flops(&self, _inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        // Of the one that has most.
        self.fork.branches.iter().map(Body::flops).max()
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([0.3f64, -1.2, 0.8])];
    vec![
        Entry::new(
            "cond",
            "cond.rs",
            vec![
                Sample::new("first", x(), |tape, x| tape.cond(x[0].sum().lt(5.0), x[0], |x| x.square(), |x| x.sqrt()))
                    .gives([0.09, 1.44, 0.64])
                    .slopes([0.6, -2.4, 1.6]),
                Sample::new("second", x(), |tape, x| tape.cond(x[0].sum().gt(5.0), x[0], |x| x.log(), |x| x * 3.0))
                    .gives([0.9, -3.6, 2.4])
                    .slopes([3., 3., 3.]),
                Sample::new("several, with values from outside", x(), |tape, x| {
                    let outer = x[0].exp();
                    let (a, n) = tape.cond(
                        x[0].at(0, 1).lt(0.0),
                        (x[0].sin(), tape.scalar(2.0, DType::I64)),
                        |(x, n)| (x * outer, n + 1),
                        |(x, n)| (x + outer.sum(), n),
                    );
                    a * n.cast(DType::F64)
                }),
            ],
        )
        .accuracy(Accuracy::Body),
    ]
}
