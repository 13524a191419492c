//! Sums over the runs of a loop that are computed when all runs are done.
//!
//! The gradient of what every step of a loop reads is a sum over the steps. Where a step adds a product of two matrices of its own, as
//! for the weights of a recurrent network, Σₜ Aₜ·Bₜ is one product of all A beside each other and all B below each other: one large
//! product in the place of many small ones, each of which would have to be added to the sum so far. What is kept for it is A and B of every step,
//! of which the loop keeps one anyway as a rule.

use crate::class::Class;
use crate::graph::{NodeId, OpRef, Tape, Var};
use crate::hash::Table;
use crate::ops::permute::Permute;
use wengert_tensor::kernels::scalar::ReduceFn;
use wengert_tensor::shape::Axes;

/// A sum over all runs.
pub(crate) enum Later {
    /// Of products of matrices.
    Product(OpRef, Kept, Kept),
    /// Of sums over axes.
    Sum(Axes, Kept),
    /// Something linear, of such a sum.
    Linear(OpRef, Box<Later>),
}

/// A value of every run.
pub(crate) enum Kept {
    /// An element that the step reads, by its number among them.
    Given(usize),
    /// A result of the step, by its number among those it is asked for.
    Result(usize),
    /// With its axes in another order.
    Permuted(Axes, Box<Kept>),
}

/// Finds such sums in what a step has recorded.
pub(crate) struct Finder<'t> {
    tape: &'t Tape,
    first: NodeId,
    /// For each node from the first on, whether it differs from run to run.
    varies: Vec<bool>,
    given: Table<NodeId, usize>,
    /// Results of the step that have an element for each run.
    pub(crate) results: Vec<Var<'t>>,
}

impl<'t> Finder<'t> {
    /// For a step whose inputs differ from run to run are `inputs`; those that are elements are `given`. `results` are what it gives of
    /// every run in any case.
    pub(crate) fn new(tape: &'t Tape, inputs: &[Var<'t>], given: &[Var<'t>], results: Vec<Var<'t>>) -> Finder<'t> {
        let first = inputs.iter().map(|var| var.id).min().unwrap_or(NodeId::POISON);
        let graph = tape.graph.borrow();
        let mut varies: Vec<bool> = Vec::new();
        for (at, node) in graph.nodes.iter().enumerate().skip(first.index()) {
            let input = inputs.iter().any(|var| var.id.index() == at);
            let reads = |id: &NodeId| {
                id.index().checked_sub(first.index()).and_then(|at| varies.get(at)).copied().unwrap_or(false)
            };
            let here = input || node.inputs.iter().any(reads) || node.op.key().is_some();
            varies.push(here);
        }
        let given = given.iter().enumerate().map(|(i, var)| (var.id, i)).collect();
        drop(graph);
        Finder { tape, first, varies, given, results }
    }

    fn varies(&self, id: NodeId) -> bool {
        id.index().checked_sub(self.first.index()).and_then(|at| self.varies.get(at)).copied().unwrap_or(false)
    }

    /// The sum of a value over all runs, if it is one of products. What these need is asked of the step.
    pub(crate) fn product(&mut self, of: Var<'t>) -> Option<Later> {
        let (op, inputs) = self.node(of.id)?;
        match (op.class(), &inputs[..]) {
            (Class::MatMul, &[a, b]) if of.rank() == 2 && self.varies(a) && self.varies(b) => {
                Some(Later::Product(op.clone(), self.kept(a), self.kept(b)))
            }
            (Class::View(_), &[x]) if self.varies(x) => {
                let inner = self.product(Var { tape: self.tape, id: x })?;
                Some(Later::Linear(op.clone(), Box::new(inner)))
            }
            _ => None,
        }
    }

    /// The sum of a value over all runs, if it is one over axes of what the step gives or reads of every run in any case.
    pub(crate) fn sum(&mut self, of: Var<'t>) -> Option<Later> {
        let (op, inputs) = self.node(of.id)?;
        match (op.class(), &inputs[..]) {
            (Class::Reduce { kind: ReduceFn::Sum, axes }, &[x]) if of.dtype().is_float() => {
                let known = self.given.contains_key(&x) || self.results.iter().any(|var| var.id == x);
                known.then(|| Later::Sum(axes.into(), self.kept(x)))
            }
            (Class::View(_), &[x]) if self.varies(x) => {
                let inner = self.sum(Var { tape: self.tape, id: x })?;
                Some(Later::Linear(op.clone(), Box::new(inner)))
            }
            _ => None,
        }
    }

    fn kept(&mut self, id: NodeId) -> Kept {
        if let Some(&given) = self.given.get(&id) {
            return Kept::Given(given);
        }
        if let Some((op, inputs)) = self.node(id)
            && let Some(permute) = op.as_any().downcast_ref::<Permute>()
            && let [x] = inputs[..]
        {
            return Kept::Permuted(permute.axes.clone(), Box::new(self.kept(x)));
        }
        let known = self.results.iter().position(|var| var.id == id);
        Kept::Result(known.unwrap_or_else(|| {
            self.results.push(Var { tape: self.tape, id });
            self.results.len() - 1
        }))
    }

    fn node(&self, id: NodeId) -> Option<(OpRef, Vec<NodeId>)> {
        let graph = self.tape.graph.borrow();
        let node = graph.nodes.get(id.index())?;
        let outside = id < self.first || node.is_leaf();
        (!outside).then(|| (node.op.clone(), node.inputs.to_vec()))
    }
}

impl Later {
    /// Whether it needs an element that the step is given, by its number.
    pub(crate) fn reads(&self, given: usize) -> bool {
        match self {
            Later::Product(_, a, b) => a.reads(given) || b.reads(given),
            Later::Sum(_, x) => x.reads(given),
            Later::Linear(_, x) => x.reads(given),
        }
    }

    /// Records the sum. All values have the axis of the runs in front.
    #[track_caller]
    pub(crate) fn record<'t>(&self, tape: &'t Tape, given: &[Var<'t>], results: &[Var<'t>]) -> Var<'t> {
        let value = |kept: &Kept| kept.value(tape, given, results);
        match self {
            Later::Product(op, a, b) => {
                let (a, b) = (value(a), value(b));
                let (&[runs, m, k], &[_, _, n]) = (a.shape().dims(), b.shape().dims()) else { return tape.poison() };
                let beside = a.permute(&[1, 0, 2]).reshape([m, runs * k]);
                tape.record(op.clone(), &[beside, b.reshape([runs * k, n])])
            }
            Later::Sum(axes, x) => {
                value(x).sum_over(std::iter::once(0).chain(axes.iter().map(|axis| axis + 1)).collect())
            }
            Later::Linear(op, x) => tape.record(op.clone(), &[x.record(tape, given, results)]),
        }
    }
}

impl Kept {
    fn reads(&self, given: usize) -> bool {
        match self {
            Kept::Given(i) => *i == given,
            Kept::Result(_) => false,
            Kept::Permuted(_, of) => of.reads(given),
        }
    }

    fn value<'t>(&self, tape: &'t Tape, given: &[Var<'t>], results: &[Var<'t>]) -> Var<'t> {
        match self {
            Kept::Given(i) => given.get(*i).copied().unwrap_or(tape.poison()),
            Kept::Result(i) => results.get(*i).copied().unwrap_or(tape.poison()),
            Kept::Permuted(axes, of) => {
                let axes = std::iter::once(0).chain(axes.iter().map(|axis| axis + 1)).collect();
                of.value(tape, given, results).then(Permute { axes })
            }
        }
    }
}
