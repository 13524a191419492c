//! A layer as the tests try it.

use wengert_autograd::Var;

use crate::layer::Layer;
use crate::module::{Module, Visit, VisitMut};

/// A layer with an input that it takes: what the laws try.
pub struct Case {
    /// The file of this directory in which the layer lives.
    pub file: &'static str,
    /// What distinguishes the case in its file; the reference numbers are those of `file/name`.
    pub name: &'static str,
    /// The layer.
    pub layer: Box<dyn Layer>,
    /// The shape of an input.
    pub input: Vec<usize>,
    /// The shape of the output.
    pub output: Vec<usize>,
    /// The names of its parameters and buffers, in order.
    pub names: &'static [&'static str],
    /// For an input of whole numbers: below which number they are.
    pub below: Option<usize>,
    /// Why no other library gives its numbers.
    pub alone: Option<&'static str>,
}

impl Case {
    /// A layer for floats.
    pub fn new(
        file: &'static str,
        name: &'static str,
        layer: impl Layer + 'static,
        [input, output]: [&[usize]; 2],
        names: &'static [&'static str],
    ) -> Case {
        let (input, output) = (input.to_vec(), output.to_vec());
        Case { file, name, layer: Box::new(layer), input, output, names, below: None, alone: None }
    }

    /// The input holds whole numbers from 0 to below this one.
    #[must_use]
    pub fn below(mut self, bound: usize) -> Case {
        self.below = Some(bound);
        self
    }

    /// No other library gives the numbers of this case, for this reason.
    #[must_use]
    pub fn alone(mut self, reason: &'static str) -> Case {
        self.alone = Some(reason);
        self
    }

    /// `file/name`.
    pub fn key(&self) -> String {
        format!("{}/{}", self.file, self.name)
    }
}

/// A module with a function that uses it, as a layer: how a module with several inputs is tried.
pub struct Applied<M, F> {
    module: M,
    function: F,
}

impl<M, F> Applied<M, F>
where
    M: Module,
    F: for<'t> Fn(&M, Var<'t>) -> Var<'t> + Send + Sync,
{
    /// The layer x ↦ `function(module, x)`.
    pub fn new(module: M, function: F) -> Applied<M, F> {
        Applied { module, function }
    }
}

impl<M: Module, F: Send + Sync> Module for Applied<M, F> {
    fn type_name(&self) -> &'static str {
        self.module.type_name()
    }
    fn which(&self) -> usize {
        self.module.which()
    }
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
        self.module.visit(at);
    }
    fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
        self.module.visit_mut(at);
    }
}

impl<M, F> Layer for Applied<M, F>
where
    M: Module,
    F: for<'t> Fn(&M, Var<'t>) -> Var<'t> + Send + Sync,
{
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        (self.function)(&self.module, x)
    }
}
