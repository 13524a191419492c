//! A model is a tree of named parameters, buffers and child modules.
//!
//! [`Module`] is what the derive writes: how to walk the tree. All else that is asked of a model (its names, its count,
//! its seed, its file, its next step) is a walk. Walking allocates nothing.

use smallvec::SmallVec;
use wengert_autograd::{LeafId, ScopeGuard, ScopeName, Tape};
pub use wengert_derive::Module;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Seed;

use crate::names::known;
use crate::param::{Param, Role};
use crate::path::{Path, Segment};

/// A tree of named parameters.
///
/// ```
/// # extern crate wengert_nn as wengert;
/// use wengert_nn::{layers::dense::Dense, module::Module};
/// use wengert_tensor::random::Seed;
///
/// #[derive(Module)]
/// struct Gated { value: Dense, gate: Dense }
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let model = Gated { value: Dense::new(4, 3), gate: Dense::new(4, 3) }.init(Seed(1))?;
/// let names: Vec<String> = model.parameters().into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["value.weight", "value.bias", "gate.weight", "gate.bias"]);
/// assert_eq!(model.parameter_count(), 2 * (4 * 3 + 3));
/// # Ok(())
/// # }
/// ```
///
/// Fields may be modules, [`Param`]s, [`Buffer`](crate::param::Buffer)s, `Box`, `Option`, `Vec`, arrays and tuples of
/// those, and plain values (numbers, `bool`, strings, `PhantomData`), which hold no parameters.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a module",
    label = "this cannot be part of a model's tree",
    note = "a layer of your own: `#[derive(Module)]`",
    note = "a tensor that is trained is a `Param`; one that is only kept is a `Buffer`",
    note = "a field that is no part of the tree: `#[module(skip)]`"
)]
pub trait Module: Send + Sync {
    /// The name of the type, without its path: `Dense`.
    fn type_name(&self) -> &'static str;

    /// Hands every field to `at` under its name, in a fixed order.
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>);

    /// Hands every field to `at` under its name, in the same order as [`Module::visit`].
    fn visit_mut(&mut self, at: &mut VisitMut<'_>);

    /// Enters this module on a tape until the guard is dropped: errors, reports and pictures then name it, by its place in the model once
    /// that [is known](crate::explain::note). Without it, what a layer of one's own records belongs to the layer around it.
    ///
    /// ```
    /// # extern crate wengert_nn as wengert;
    /// use wengert_autograd::Var;
    /// use wengert_nn::{layer::Layer, layers::dense::Dense, module::Module};
    /// use wengert_tensor::tensor::Tensor;
    ///
    /// #[derive(Module)]
    /// struct Halved { inner: Dense }
    ///
    /// impl Layer for Halved {
    ///     fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
    ///         let _scope = self.scope(x.tape());
    ///         self.inner.forward(x * 0.5).sum_axes(3)
    ///     }
    /// }
    ///
    /// #[derive(Module)]
    /// struct Net { first: Dense, second: Halved }
    ///
    /// impl Layer for Net {
    ///     fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
    ///         self.second.forward(self.first.forward(x))
    ///     }
    /// }
    ///
    /// let halved = Halved { inner: Dense::new(2, 2) };
    /// let error = Net { first: Dense::new(2, 2), second: halved }.predict(&Tensor::from([[1f32, 2.0]])).unwrap_err();
    /// assert_eq!(error.path(), Some("Net › second (Halved)"));
    /// ```
    fn scope<'t>(&self, tape: &'t Tape) -> ScopeGuard<'t> {
        tape.scope(ScopeName::from(self.type_name()).which(self.which()))
    }

    /// Tells modules of one type apart, as long as they are not moved: the address. What hands all calls to another module gives that one's.
    #[doc(hidden)]
    fn which(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// All weights, trainable or frozen, with their names, in the order of the walk.
    fn parameters(&self) -> Vec<(String, &Param)> {
        let mut found = Vec::new();
        each(self, &mut |path, param| {
            if param.role() == Role::Weight {
                found.push((path.name(), param));
            }
        });
        found
    }

    /// All weights and buffers with their names: what a file of this model holds.
    fn state(&self) -> Vec<(String, &Param)> {
        let mut found = Vec::new();
        each(self, &mut |path, param| found.push((path.name(), param)));
        found
    }

    /// The number of scalars in the weights that are not frozen.
    fn parameter_count(&self) -> usize {
        let mut count = 0;
        each(self, &mut |_, param| count += if param.is_trainable() { param.shape().len() } else { 0 });
        count
    }

    /// Draws every weight anew. Each depends on the seed and on its own name alone, so adding a layer changes no other.
    ///
    /// # Errors
    /// What was wrong with a layer's arguments; the message names the parameter.
    fn init(mut self, seed: Seed) -> Result<Self>
    where
        Self: Sized,
    {
        let key = seed.key();
        each_mut(&mut self, &mut |path, param| param.redraw(key.fold(hash(path))));
        check(&self)?;
        Ok(self)
    }

    /// Casts every float weight and buffer to another float dtype.
    ///
    /// # Errors
    /// A `dtype` that is not a float; what was wrong with a layer's arguments.
    fn with_dtype(mut self, dtype: DType) -> Result<Self>
    where
        Self: Sized,
    {
        if !dtype.is_float() {
            return Err(Error::dtype(format!("the weights of a model are floats, not {dtype}")).op("with_dtype"));
        }
        let mut outcome = Ok(());
        each_mut(&mut self, &mut |path, param| {
            if outcome.is_ok() && param.dtype().is_float() {
                outcome = param.cast(dtype).map_err(|error| error.within(path.name()));
            }
        });
        outcome.map(|()| self)
    }

    /// Keeps optimizers from moving any weight of this module.
    fn freeze(&mut self) {
        each_mut(self, &mut |_, param| param.freeze());
    }

    /// Lets optimizers move the weights of this module again.
    fn unfreeze(&mut self) {
        each_mut(self, &mut |_, param| param.unfreeze());
    }

    /// [`Module::freeze`] for one part: `encoder`, `encoder.0`, `head.bias`. The rest stays as it is.
    ///
    /// ```
    /// use wengert_nn::{layers::dense::Dense, module::Module};
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let mut model = (Dense::new(4, 3), Dense::new(3, 2));
    /// model.freeze_part("0")?;
    /// assert_eq!(model.parameter_count(), 3 * 2 + 2);
    /// model.unfreeze_part("0.bias")?;
    /// assert_eq!(model.parameter_count(), 3 + 3 * 2 + 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A name that is no part with weights; the message guesses which was meant. Nothing changes then.
    fn freeze_part(&mut self, name: &str) -> Result<()> {
        known(self, "freeze_part", &[name])?;
        each_mut(self, &mut |path, param| {
            if path.is_within(name) {
                param.freeze();
            }
        });
        Ok(())
    }

    /// [`Module::unfreeze`] for one part. The rest stays as it is.
    ///
    /// # Errors
    /// As [`Module::freeze_part`].
    fn unfreeze_part(&mut self, name: &str) -> Result<()> {
        known(self, "unfreeze_part", &[name])?;
        each_mut(self, &mut |path, param| {
            if path.is_within(name) {
                param.unfreeze();
            }
        });
        Ok(())
    }

    /// Freezes these parts, and lets optimizers move all others: `model.freeze_only(&["encoder", "embedding"])`.
    ///
    /// # Errors
    /// As [`Module::freeze_part`].
    fn freeze_only(&mut self, names: &[&str]) -> Result<()> {
        known(self, "freeze_only", names)?;
        each_mut(self, &mut |path, param| match names.iter().any(|name| path.is_within(name)) {
            true => param.freeze(),
            false => param.unfreeze(),
        });
        Ok(())
    }

    /// Freezes all but these parts: `model.train_only(&["head"])`.
    ///
    /// # Errors
    /// As [`Module::freeze_part`].
    fn train_only(&mut self, names: &[&str]) -> Result<()> {
        known(self, "train_only", names)?;
        each_mut(self, &mut |path, param| match names.iter().any(|name| path.is_within(name)) {
            true => param.unfreeze(),
            false => param.freeze(),
        });
        Ok(())
    }
}

/// What a walk over a model reports. Every method may be left out.
pub trait Visitor<'a> {
    /// A module is entered; its parts follow.
    fn enter(&mut self, path: &Path, module: &'a dyn Module) {
        let _ = (path, module);
    }

    /// The module that was entered last is left.
    fn leave(&mut self, path: &Path, module: &'a dyn Module) {
        let _ = (path, module);
    }

    /// A parameter or buffer.
    fn param(&mut self, path: &Path, param: &'a Param);
}

impl<'a, F: FnMut(&Path, &'a Param)> Visitor<'a> for F {
    fn param(&mut self, path: &Path, param: &'a Param) {
        self(path, param);
    }
}

/// A walk in progress: the place in the tree and the one who is told.
pub struct Visit<'a, 'v> {
    path: Path,
    visitor: &'v mut dyn Visitor<'a>,
    moved: Moves,
}

/// Parameters that are reported under another name than their place.
type Moves = SmallVec<[Moved; 1]>;

#[derive(Clone, Copy)]
struct Moved {
    id: LeafId,
    /// Below so many segments of the path.
    depth: usize,
    to: [&'static str; 3],
}

/// Where a parameter is reported that stands at `path`, if not there.
fn moved(moves: &Moves, path: &Path, id: LeafId) -> Option<Path> {
    let Moved { depth, to, .. } = moves.iter().rev().find(|moved| moved.id == id)?;
    let mut place = Path::root();
    path.segments().iter().take(*depth).for_each(|&segment| place.push(segment));
    to.iter().for_each(|&name| place.push(Segment::Name(name)));
    Some(place)
}

impl<'a, 'v> Visit<'a, 'v> {
    /// A walk that starts at the root and reports to `visitor`. Start it with `module.visit(&mut walk)`.
    pub fn new(visitor: &'v mut dyn Visitor<'a>) -> Visit<'a, 'v> {
        Visit { path: Path::root(), visitor, moved: Moves::new() }
    }

    /// Visits a part under its name.
    pub fn field(&mut self, name: &'static str, module: &'a dyn Module) {
        self.child(Segment::Name(name), module);
    }

    /// Visits a member of a list.
    pub fn item(&mut self, index: usize, module: &'a dyn Module) {
        self.child(Segment::Index(index), module);
    }

    fn child(&mut self, segment: Segment, module: &'a dyn Module) {
        self.path.push(segment);
        self.visitor.enter(&self.path, module);
        module.visit(self);
        self.visitor.leave(&self.path, module);
        self.path.pop();
    }

    /// Visits the parts of `module` as parts of this one, and reports the parameter `id` among them as `to`.
    pub(crate) fn parts(&mut self, module: &'a dyn Module, id: Option<LeafId>, to: [&'static str; 3]) {
        let (depth, before) = (self.path.segments().len(), self.moved.len());
        self.moved.extend(id.map(|id| Moved { id, depth, to }));
        module.visit(self);
        self.moved.truncate(before);
    }

    /// Reports a parameter at the present place; only parameters themselves call this.
    pub fn param(&mut self, param: &'a Param) {
        match moved(&self.moved, &self.path, param.id()) {
            Some(path) => self.visitor.param(&path, param),
            None => self.visitor.param(&self.path, param),
        }
    }
}

/// A walk in progress that may change the parameters.
pub struct VisitMut<'v> {
    path: Path,
    visitor: &'v mut dyn FnMut(&Path, &mut Param),
    moved: Moves,
}

impl<'v> VisitMut<'v> {
    /// A walk that starts at the root and reports to `visitor`. Start it with `module.visit_mut(&mut walk)`.
    pub fn new(visitor: &'v mut dyn FnMut(&Path, &mut Param)) -> VisitMut<'v> {
        VisitMut { path: Path::root(), visitor, moved: Moves::new() }
    }

    /// Visits a part under its name.
    pub fn field(&mut self, name: &'static str, module: &mut dyn Module) {
        self.child(Segment::Name(name), module);
    }

    /// Visits a member of a list.
    pub fn item(&mut self, index: usize, module: &mut dyn Module) {
        self.child(Segment::Index(index), module);
    }

    fn child(&mut self, segment: Segment, module: &mut dyn Module) {
        self.path.push(segment);
        module.visit_mut(self);
        self.path.pop();
    }

    /// Visits the parts of `module` as parts of this one, and reports the parameter `id` among them as `to`.
    pub(crate) fn parts(&mut self, module: &mut dyn Module, id: Option<LeafId>, to: [&'static str; 3]) {
        let (depth, before) = (self.path.segments().len(), self.moved.len());
        self.moved.extend(id.map(|id| Moved { id, depth, to }));
        module.visit_mut(self);
        self.moved.truncate(before);
    }

    /// Reports a parameter at the present place; only parameters themselves call this.
    pub fn param(&mut self, param: &mut Param) {
        match moved(&self.moved, &self.path, param.id()) {
            Some(path) => (self.visitor)(&path, param),
            None => (self.visitor)(&self.path, param),
        }
    }
}

/// Enters a part by its field, a name or an index: for a container that runs it.
pub(crate) fn enter<'t, F>(tape: &'t Tape, field: F, part: &(impl Module + ?Sized)) -> ScopeGuard<'t>
where
    (F, &'static str): Into<ScopeName>,
{
    let name: ScopeName = (field, part.type_name()).into();
    tape.scope(name.which(part.which()))
}

/// Calls `f` with every parameter and buffer of a model.
pub fn each<'a, M: Module + ?Sized>(model: &'a M, f: &mut dyn FnMut(&Path, &'a Param)) {
    let mut f = f;
    model.visit(&mut Visit::new(&mut f));
}

/// Calls `f` with every parameter and buffer of a model, to change it.
pub fn each_mut<M: Module + ?Sized>(model: &mut M, f: &mut dyn FnMut(&Path, &mut Param)) {
    model.visit_mut(&mut VisitMut::new(f));
}

/// Reports the first fault of any parameter, with its name.
///
/// # Errors
/// What was wrong with a layer's arguments.
pub fn check<M: Module + ?Sized>(model: &M) -> Result<()> {
    let mut outcome = Ok(());
    each(model, &mut |path, param| {
        if outcome.is_ok() {
            outcome = param.check().map_err(|error| error.operand("parameter", format!("`{path}`")));
        }
    });
    outcome
}

/// What must not compile.
///
/// ```compile_fail,E0277
/// # extern crate wengert_nn as wengert;
/// # use wengert_nn::module::Module;
/// # use wengert_tensor::tensor::Tensor;
/// #[derive(Module)]
/// struct Net { table: Tensor }
/// ```
/// ```compile_fail
/// # extern crate wengert_nn as wengert;
/// # use wengert_nn::module::Module;
/// #[derive(Module)]
/// struct Net { #[module(skipped)] rate: f64 }
/// ```
/// ```compile_fail
/// # extern crate wengert_nn as wengert;
/// # use wengert_nn::module::Module;
/// #[derive(Module)]
/// struct Net { #[module(name = "a.b")] rate: f64 }
/// ```
/// ```compile_fail
/// # extern crate wengert_nn as wengert;
/// # use wengert_nn::module::Module;
/// #[derive(Module)]
/// union Net { rate: f64 }
/// ```
#[cfg(doctest)]
struct Refused;

/// A number from the name of a parameter (FNV-1a over the segments), the same on every machine.
fn hash(path: &Path) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut eat = |bytes: &[u8]| {
        for &byte in bytes {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    for segment in path.segments() {
        match segment {
            Segment::Name(name) => eat(name.as_bytes()),
            Segment::Index(index) => eat(&(*index as u64).to_le_bytes()),
        }
        eat(b".");
    }
    hash
}
