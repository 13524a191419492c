//! Names for what is recorded: the layers around it, the parameters in it, and what its user calls a composition.

use crate::graph::{LeafId, NodeId, Tape, Var};
use crate::scope::ScopeName;

impl Tape {
    /// Enters a layer until the guard is dropped; errors and reports then name it. Guards may be dropped in any order:
    /// what is named are the layers whose guards still live.
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([1.0f32]));
    /// {
    ///     let _net = tape.scope("Net");
    ///     let _head = tape.scope(("head", "Dense"));
    ///     x.sum_axes(3);
    /// }
    /// assert_eq!(tape.error().unwrap().path(), Some("Net › head (Dense)"));
    /// ```
    pub fn scope(&self, name: impl Into<ScopeName>) -> ScopeGuard<'_> {
        let (ticket, scope) = self.graph.borrow_mut().scopes.open(name.into());
        self.scope.set(scope);
        ScopeGuard { tape: self, ticket }
    }

    /// Says what a parameter is called, for errors. Names that become known after an error still appear in it.
    pub fn note(&self, id: LeafId, name: impl Into<String>) {
        self.graph.borrow_mut().names.insert(id, name.into());
    }

    /// Says what the user calls the result of a composition: `softmax`, not the division at its end. Nodes from before
    /// `start`, its length when it began, keep their own names.
    pub(crate) fn label<'t>(&'t self, var: Var<'t>, name: &'static str, start: usize) -> Var<'t> {
        if var.id != NodeId::POISON && var.id.index() >= start {
            self.graph.borrow_mut().labels.push((var.id, name));
        }
        var
    }
}

/// Leaves the layer when it is dropped. See [`Tape::scope`].
#[derive(Debug)]
#[must_use = "the layer is left when the guard is dropped"]
pub struct ScopeGuard<'t> {
    tape: &'t Tape,
    ticket: u64,
}

impl Drop for ScopeGuard<'_> {
    fn drop(&mut self) {
        let scope = self.tape.graph.borrow_mut().scopes.close(self.ticket);
        self.tape.scope.set(scope);
    }
}
