//! Names for what is recorded: the layers around it, the parameters in it, and what its user calls a composition.

use crate::debug::is_on;
use crate::graph::{Graph, LeafId, Node, NodeId, Origin, Tape, Var};
use crate::operand::NUMBER;
use crate::ops::{check_index, check_range};
use crate::report::is_watched;
use crate::scope::ScopeName;
use std::panic::Location;
use std::sync::PoisonError;
use wengert_tensor::error::Error;

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

    /// Says where layers stand in their model, by type, [number](ScopeName::which) and place: what was recorded in them is told by these
    /// places from now on. Of layers with one type and number, none has a place.
    ///
    /// ```
    /// use wengert_autograd::{ScopeName, Tape};
    /// use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([1.0f32]));
    /// let _head = tape.scope(ScopeName::from("Dense").which(7));
    /// let y = x.exp();
    /// tape.note_layers([("Dense", 7, "head".to_string())]);
    /// assert_eq!(tape.recorded(y)?.layers[1].name, "head (Dense)");
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    pub fn note_layers(&self, layers: impl IntoIterator<Item = (&'static str, usize, String)>) {
        self.graph.borrow_mut().scopes.note(layers.into_iter());
    }

    /// Whether names are worth noting before an error asks for them: plans are [reported](crate::plan_reports) on this thread, or the
    /// [search](crate::debug::non_finite) for what is not finite is on.
    pub fn wants_names(&self) -> bool {
        is_watched() || is_on()
    }

    /// Where an error arose that this tape told last: the place of the layer, as far as it was [noted](Tape::note_layers), and the path from
    /// there on. `None` for another error.
    pub fn place_of(&self, error: &Error) -> Option<(String, String)> {
        let graph = self.graph.borrow();
        let blamed = graph.blamed.lock().unwrap_or_else(PoisonError::into_inner);
        let (scope, _) = blamed.as_ref().filter(|(_, path)| error.path() == Some(path))?;
        graph.scopes.place(*scope)
    }

    /// Says what the user calls the result of a composition: `softmax`, not the division at its end. Nodes from before
    /// `start`, its length when it began, keep their own names.
    pub(crate) fn label<'t>(&'t self, var: Var<'t>, name: &'static str, start: usize) -> Var<'t> {
        if var.id != NodeId::POISON && var.id.index() >= start {
            self.graph.borrow_mut().labels.push((var.id, name));
        }
        var
    }

    /// Enters a composition until the guard is dropped: what is recorded or refused there stands at the caller's line, and errors name
    /// the composition, which is what the user called, before the op that it is made of. Within another one nothing changes.
    ///
    /// The closures of a user are called [outside](Call::outside) of it.
    ///
    /// ```
    /// use wengert_autograd::{Tape, Var};
    /// use wengert_tensor::tensor::Tensor;
    ///
    /// #[track_caller]
    /// fn pick<'t>(x: Var<'t>, label: Var<'t>) -> Var<'t> {
    ///     let _call = x.tape().call("pick");
    ///     x.exp().take_along(0, label)
    /// }
    ///
    /// let tape = Tape::new();
    /// let (x, label) = (tape.input(&Tensor::from([0.5f32, 1.5])), tape.input(&Tensor::from([7i64])));
    /// let error = pick(x, label).value().unwrap_err();
    /// assert_eq!(error.op_name(), Some("pick (in take_along)"));
    /// ```
    #[track_caller]
    pub fn call(&self, name: &'static str) -> Call<'_> {
        let outer = self.origin.get();
        if outer.is_none() {
            let call = self.graph.borrow_mut().called(name);
            self.origin.set(Some(Origin { location: Location::caller(), scope: self.scope.get(), call }));
        }
        Call { tape: self, outer }
    }
}

/// Leaves the composition when it is dropped. See [`Tape::call`].
#[derive(Debug)]
#[must_use = "the composition is left when the guard is dropped"]
pub struct Call<'t> {
    tape: &'t Tape,
    outer: Option<Origin>,
}

impl Call<'_> {
    /// Calls a closure of the user, whose lines are its own.
    pub fn outside<R>(&self, f: impl FnOnce() -> R) -> R {
        let inside = self.tape.origin.replace(self.outer);
        let result = f();
        self.tape.origin.set(inside);
        result
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.tape.origin.set(self.outer);
    }
}

/// What the user called: a composition, or the op whose derivative something is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Called {
    name: &'static str,
    derived: bool,
}

impl Called {
    /// What was called.
    pub(crate) fn name(self) -> &'static str {
        self.name
    }

    /// The error of a part, in the name of the whole.
    pub(crate) fn tell(self, error: Error) -> Error {
        let told = match (error.op_name(), self.derived) {
            (Some(part), _) if part == self.name => return error,
            // A check is nothing that its user knows of.
            (Some(NUMBER | check_index::NAME | check_range::NAME), _) => self.name.to_string(),
            (None, _) => self.name.to_string(),
            (Some(part), false) => format!("{} (in {part})", self.name),
            (Some(part), true) => format!("{} (in {part}, for its derivative)", self.name),
        };
        error.renamed(told)
    }
}

/// A call is a number: twice the place of its name, counted from 1, or 0 without one; one more for the derivative of what was called.
const DERIVED: u32 = 1;
/// Names are looked for among the last few only.
const RECENT: usize = 8;

impl Graph {
    /// The number of a call.
    fn called(&mut self, name: &'static str) -> u32 {
        let from = self.calls.len().saturating_sub(RECENT);
        let recent = self.calls.iter().enumerate().skip(from);
        let known = recent.rev().find(|(_, known)| std::ptr::eq(**known, name)).map(|(place, _)| place);
        let place = known.unwrap_or_else(|| {
            self.calls.push(name);
            self.calls.len() - 1
        });
        2 * (place as u32 + 1)
    }

    /// Where the derivative of a node belongs.
    pub(crate) fn derivative_of(&mut self, id: NodeId, named: Option<&'static str>) -> Option<Origin> {
        let origin = self.nodes.get(id.index()).map(Node::origin)?;
        let call = match (origin.call, named) {
            (0, None) => DERIVED,
            (0, Some(name)) => self.called(name) | DERIVED,
            (call, _) => call | DERIVED,
        };
        Some(Origin { call, ..origin })
    }

    /// Whether a node is part of a derivative.
    pub(crate) fn is_derived(node: &Node) -> bool {
        node.call & DERIVED != 0
    }

    /// The call of a number; 0 is none.
    pub(crate) fn call(&self, call: u32) -> Option<Called> {
        let name = (call as usize / 2).checked_sub(1).and_then(|place| self.calls.get(place))?;
        Some(Called { name, derived: call & DERIVED != 0 })
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
