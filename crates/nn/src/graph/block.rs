//! What stands at a node: a layer, a merge, or a module with a function of one's own.

use wengert_autograd::{Tape, Var};
use wengert_tensor::error::Error;

use crate::layer::Layer;
use crate::layers::merge::Merge;
use crate::module::{Module, Visit, VisitMut};

pub(super) enum Block {
    Layer(Box<dyn Layer>),
    Merge(Box<dyn Merge>),
    Call(Box<dyn Call>),
}

/// A module with a function of several variables that gives several.
pub(super) trait Call: Module {
    fn call<'t>(&self, xs: &[Var<'t>]) -> Option<Vec<Var<'t>>>;
}

impl Block {
    pub(super) fn module(&self) -> &dyn Module {
        match self {
            Block::Layer(layer) => layer,
            Block::Merge(merge) => merge,
            Block::Call(call) => &**call,
        }
    }

    pub(super) fn module_mut(&mut self) -> &mut dyn Module {
        match self {
            Block::Layer(layer) => layer,
            Block::Merge(merge) => merge,
            Block::Call(call) => &mut **call,
        }
    }

    /// The `count` results for these values; for too few values only the error on the tape.
    #[track_caller]
    pub(super) fn run<'t>(&self, tape: &'t Tape, xs: &[Var<'t>], count: usize) -> Vec<Var<'t>> {
        let ys = match (self, xs) {
            (Block::Layer(layer), [x]) => Some(vec![layer.forward(*x)]),
            (Block::Layer(_), _) => None,
            (Block::Merge(merge), xs) => Some(vec![merge.merge(tape, xs)]),
            (Block::Call(call), xs) => call.call(xs),
        };
        ys.unwrap_or_else(|| {
            let error = Error::shape(format!("does not take {} values", xs.len()));
            vec![tape.reject(self.module().type_name(), &[], error); count]
        })
    }
}

/// A module `M` with a function `F` from `I` variables to `O`.
pub(super) struct Own<M, F, const I: usize, const O: usize> {
    pub(super) name: &'static str,
    pub(super) module: M,
    pub(super) function: F,
}

impl<M: Module, F: Send + Sync, const I: usize, const O: usize> Module for Own<M, F, I, O> {
    fn type_name(&self) -> &'static str {
        self.name
    }
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
        self.module.visit(at);
    }
    fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
        self.module.visit_mut(at);
    }
}

impl<M, F, const I: usize, const O: usize> Call for Own<M, F, I, O>
where
    M: Module,
    F: for<'t> Fn(&M, [Var<'t>; I]) -> [Var<'t>; O] + Send + Sync,
{
    fn call<'t>(&self, xs: &[Var<'t>]) -> Option<Vec<Var<'t>>> {
        let xs: [Var<'t>; I] = xs.try_into().ok()?;
        Some((self.function)(&self.module, xs).into())
    }
}
