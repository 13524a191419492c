//! A layer one of whose parameters is computed from others: what weight norm and spectral norm share.
//!
//! The layer knows nothing of it. Its own parameter keeps what is trained, and while its `forward` is recorded, the
//! computed value stands in for it (`Tape::substitute`). The names are those of PyTorch's
//! `torch.nn.utils.parametrizations`.

use wengert_autograd::Var;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Key;
use wengert_tensor::tensor::Tensor;

use crate::layer::Layer;
use crate::module::{Module, Visit, VisitMut, each, each_mut};
use crate::param::{Param, Role};
use crate::path::{Path, Segment};

/// A layer and the name of the parameter that is computed.
#[derive(Clone, Debug)]
pub(super) struct Target<L> {
    pub(super) layer: L,
    pub(super) name: &'static str,
    /// What the parameter was drawn with when it was last looked at.
    drawn: Option<Key>,
}

impl<L: Layer> Target<L> {
    pub(super) fn new(layer: L, name: &'static str) -> Target<L> {
        let mut target = Target { layer, name, drawn: None };
        target.drawn = target.param().ok().and_then(Param::key);
        target
    }

    /// The parameter, which is one of the layer's own and not of a part of it.
    pub(super) fn param(&self) -> Result<&Param> {
        let mut found = None;
        each(&self.layer, &mut |path, param| {
            if self.is_at(path) && param.role() == Role::Weight {
                found = Some(param);
            }
        });
        found.ok_or_else(|| {
            let mut names = Vec::new();
            each(&self.layer, &mut |path, param| {
                if path.segments().len() == 1 && param.role() == Role::Weight {
                    names.push(format!("`{path}`"));
                }
            });
            let error = Error::value(format!("{} has no parameter `{}`", self.layer.type_name(), self.name));
            match names.is_empty() {
                true => error.help("it has none of its own; wrap the layer inside that has one"),
                false => error.help(format!("it has {}", names.join(", "))),
            }
        })
    }

    fn is_at(&self, path: &Path) -> bool {
        path.segments() == [Segment::Name(self.name)]
    }

    /// The parameter, if it was drawn anew since this was last asked: what follows from its first value then follows
    /// it again.
    pub(super) fn redrawn(&mut self) -> Option<Param> {
        let key = self.param().ok()?.key();
        if key == self.drawn {
            return None;
        }
        self.drawn = key;
        self.param().ok().cloned()
    }

    /// What the layer makes of `x` with this value of the parameter.
    #[track_caller]
    pub(super) fn forward<'t>(&self, x: Var<'t>, param: &Param, value: Var<'t>) -> Var<'t> {
        let _guard = x.tape().substitute(param.id(), value);
        self.layer.forward(x)
    }

    /// The layer alone, with this value of the parameter.
    pub(super) fn into_layer(mut self, value: Tensor) -> Result<L> {
        let (mut value, mut outcome) = (Some(value), Ok(()));
        let name = self.name;
        each_mut(&mut self.layer, &mut |path, param| {
            if path.segments() == [Segment::Name(name)]
                && let Some(value) = value.take()
            {
                outcome = param.set(value);
            }
        });
        outcome.map(|()| self.layer)
    }

    /// Visits the parts of the layer; the parameter is `parametrizations.NAME.AS`.
    pub(super) fn visit<'a>(&'a self, at: &mut Visit<'a, '_>, called: &'static str) {
        let id = self.param().ok().map(Param::id);
        at.parts(&self.layer, id, ["parametrizations", self.name, called]);
    }

    /// As [`Target::visit`].
    pub(super) fn visit_mut(&mut self, at: &mut VisitMut<'_>, called: &'static str) {
        let id = self.param().ok().map(Param::id);
        at.parts(&mut self.layer, id, ["parametrizations", self.name, called]);
    }
}

/// What else belongs to the parameter: `NAME.PART…`, to be visited as `parametrizations`.
#[derive(Clone, Debug)]
pub(super) struct Parametrizations<P> {
    pub(super) name: &'static str,
    pub(super) parts: P,
}

impl<P: Module> Module for Parametrizations<P> {
    fn type_name(&self) -> &'static str {
        "Parametrizations"
    }
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
        at.field(self.name, &self.parts);
    }
    fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
        at.field(self.name, &mut self.parts);
    }
}
