//! The weights of a model, saved and loaded by their names.

use super::archive::written;
use super::store::{Store, open, quoted};
use crate::module::{Module, each, each_mut};
use crate::names::{nearest, unknown};
use crate::param::Param;
use crate::path::covers;
use std::collections::{HashMap, HashSet};
use std::fmt::{self, Debug, Display, Formatter};
use std::panic::Location;
use std::path::Path;
use std::sync::Arc;
use wengert_tensor::error::{Error, ErrorKind, Result};
use wengert_tensor::tensor::Tensor;

/// How closely a file must fit the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fit {
    /// The same names, shapes and dtypes, none missing, none left over.
    #[default]
    Strict,
    /// Names may be missing or left over, and floats of another width are cast. A shape must still fit.
    Lenient,
}

pub use Fit::{Lenient, Strict};

/// How a file is loaded: how closely it must fit, which part, and under which names.
///
/// It begins with [`Strict`] or [`Lenient`]; rules of renaming apply to the file's names one after the other.
///
/// ```
/// use wengert_nn::files::weights::{Strict, Weights};
/// use wengert_nn::layers::dense::Dense;
/// use wengert_nn::sequential::Sequential;
/// use wengert_tensor::random::Seed;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let path = std::env::temp_dir().join(format!("wengert-doc-load-{}.safetensors", std::process::id()));
/// Dense::new(3, 2).save_weights(&path)?;                  // `weight` and `bias`
/// let mut model = Sequential::input([3]).dense(2).relu().dense(2).build(Seed(1))?;
/// let how = Strict.only("0").rename_with(|name| format!("0.{name}"));
/// assert_eq!(model.load_weights(&path, how)?.matched, ["0.weight", "0.bias"]);
/// # std::fs::remove_file(&path).ok();
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Load {
    fit: Fit,
    cast: bool,
    /// The part of the file that is read.
    below: Option<String>,
    /// The part of the model that is loaded.
    only: Option<String>,
    rules: Vec<Rule>,
}

/// From a file's name to one of the model.
type Rule = Arc<dyn Fn(&str) -> String + Send + Sync>;

impl From<Fit> for Load {
    fn from(fit: Fit) -> Load {
        Load { fit, cast: fit == Lenient, ..Load::default() }
    }
}

impl Load {
    /// Casts floats of another width, as [`Lenient`] does: f16 weights into an f32 model.
    pub fn cast(mut self) -> Load {
        self.cast = true;
        self
    }

    /// Reads only what lies below this name in the file, and leaves the name out: `below("model")` for
    /// `torch.save({"model": model.state_dict(), …})`.
    pub fn below(mut self, name: impl Into<String>) -> Load {
        self.below = Some(name.into());
        self
    }

    /// Loads only this part of the model, such as `encoder`. What the file has for other parts is passed over.
    pub fn only(mut self, part: impl Into<String>) -> Load {
        self.only = Some(part.into());
        self
    }

    /// Replaces a whole name, or the parts that a name begins with: `rename("module", "")` makes `weight` of
    /// `module.weight`, `rename("fc", "head.0")` makes `head.0.bias` of `fc.bias`, and neither touches `fc2.bias`.
    /// A dot at the end of `from` may be written.
    pub fn rename(self, from: impl AsRef<str>, to: impl AsRef<str>) -> Load {
        let tidy = |name: &str| name.strip_suffix('.').unwrap_or(name).to_string();
        let (from, to) = (tidy(from.as_ref()), tidy(to.as_ref()));
        self.rename_with(move |name| match name.strip_prefix(&from) {
            Some(rest) if covers(&from, name) => {
                let rest = rest.strip_prefix('.').unwrap_or(rest);
                let dot = if to.is_empty() || rest.is_empty() { "" } else { "." };
                format!("{to}{dot}{rest}")
            }
            _ => name.to_string(),
        })
    }

    /// Replaces a text wherever it stands in a name: `replace("gamma", "weight")`.
    pub fn replace(self, from: impl Into<String>, to: impl Into<String>) -> Load {
        let (from, to) = (from.into(), to.into());
        self.rename_with(move |name| name.replace(&from, &to))
    }

    /// Renames by a function of the file's name.
    pub fn rename_with(mut self, rule: impl Fn(&str) -> String + Send + Sync + 'static) -> Load {
        self.rules.push(Arc::new(rule));
        self
    }

    /// The name in the model; nothing for what is not read.
    fn name(&self, name: &str) -> Option<String> {
        let below = match self.below.as_deref() {
            Some(front) if covers(front, name) => name.strip_prefix(front)?,
            Some(_) => return None,
            None => name,
        };
        let begin = if self.below.is_some() { below.strip_prefix('.').unwrap_or(below) } else { below };
        Some(self.rules.iter().fold(begin.to_string(), |name, rule| rule(&name)))
    }

    fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|part| covers(part, name))
    }
}

/// The settings of [`Load`], to begin with.
impl Fit {
    /// [`Load::cast`]
    pub fn cast(self) -> Load {
        Load::from(self).cast()
    }

    /// [`Load::below`]
    pub fn below(self, name: impl Into<String>) -> Load {
        Load::from(self).below(name)
    }

    /// [`Load::only`]
    pub fn only(self, part: impl Into<String>) -> Load {
        Load::from(self).only(part)
    }

    /// [`Load::rename`]
    pub fn rename(self, from: impl AsRef<str>, to: impl AsRef<str>) -> Load {
        Load::from(self).rename(from, to)
    }

    /// [`Load::replace`]
    pub fn replace(self, from: impl Into<String>, to: impl Into<String>) -> Load {
        Load::from(self).replace(from, to)
    }

    /// [`Load::rename_with`]
    pub fn rename_with(self, rule: impl Fn(&str) -> String + Send + Sync + 'static) -> Load {
        Load::from(self).rename_with(rule)
    }
}

impl Debug for Load {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Load { fit, cast, below, only, rules } = self;
        write!(f, "Load({fit:?}, cast {cast}, below {below:?}, only {only:?}, {} rules of renaming)", rules.len())
    }
}

/// What a file and a model had in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Names that were loaded.
    pub matched: Vec<String>,
    /// Names of the model that the file lacks; these weights stayed as they were.
    pub missing: Vec<String>,
    /// Names in the file that the model lacks, as the file has them.
    pub unexpected: Vec<String>,
    /// Names that were loaded with a cast.
    pub cast: Vec<String>,
}

/// Saves and loads the weights of any module; in scope with the prelude.
///
/// ```
/// use wengert_nn::files::weights::{Lenient, Strict, Weights};
/// use wengert_nn::layers::dense::Dense;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let path = std::env::temp_dir().join(format!("wengert-doc-weights-{}.safetensors", std::process::id()));
/// let trained = Dense::new(3, 2);
/// trained.save_weights(&path)?;
///
/// let mut fresh = Dense::new(3, 2);
/// let report = fresh.load_weights(&path, Strict)?;
/// assert_eq!(report.to_string(), "2 weights loaded");
///
/// let mut other = Dense::new(4, 2);
/// assert!(other.load_weights(&path, Lenient).is_err());    // another shape: nothing was changed
/// # std::fs::remove_file(&path).ok();
/// # Ok(()) }
/// ```
pub trait Weights: Module {
    /// Writes all weights and buffers to a safetensors file, whole or not at all; an old file is replaced.
    ///
    /// # Errors
    /// A faulty parameter, two parameters of one name, or a file that cannot be written.
    #[track_caller]
    fn save_weights(&self, path: impl AsRef<Path>) -> Result<()> {
        let here = Location::caller();
        let framed = |error: Error| error.op("save_weights").at(here);
        crate::module::check(self).map_err(framed)?;
        let tensors: Vec<(String, Tensor)> =
            parts(self).into_iter().map(|(name, param)| (name, param.value().clone())).collect();
        written(path.as_ref(), &tensors).map_err(framed)
    }

    /// Reads the weights and buffers from a safetensors file, or one of `torch.save`: the contents say which it is.
    ///
    /// `how` is [`Strict`] or [`Lenient`], or one of them with more said, such as `Strict.rename("module.", "")`; see
    /// [`Load`]. Everything is checked before anything is changed: after an error the model is as it was.
    ///
    /// # Errors
    /// `Io` for a file that cannot be read, `Format` for one that is damaged or hostile, `DType` for a tensor of another
    /// dtype, `Shape` where only shapes and `Data` where names do not fit; these list all that do not fit, and guess
    /// what was meant.
    #[track_caller]
    fn load_weights(&mut self, path: impl AsRef<Path>, how: impl Into<Load>) -> Result<LoadReport> {
        let (here, how) = (Location::caller(), how.into());
        let loaded = open(path).and_then(|store| load(self, &*store, how));
        loaded.map_err(|error| error.op("load_weights").at(here))
    }
}

impl<M: Module + ?Sized> Weights for M {}

/// Loads a model from an open file; see [`Weights::load_weights`].
///
/// # Errors
/// Those of [`Weights::load_weights`].
pub fn load<M: Module + ?Sized>(model: &mut M, store: &dyn Store, how: impl Into<Load>) -> Result<LoadReport> {
    let how = how.into();
    crate::module::check(model)?;
    if let Some(part) = &how.only
        && !crate::names::fits(model, part)
    {
        return Err(unknown(model, part));
    }
    let given = given(store, &how)?;
    let parts: Vec<(String, &Param)> = parts(model).into_iter().filter(|(name, _)| how.wants(name)).collect();
    let (mut report, mut misshaped) = (LoadReport::default(), Vec::new());
    for (name, param) in &parts {
        match given.get(name).map(|theirs| store.shape(theirs)) {
            None => report.missing.push(name.clone()),
            Some(Some(shape)) if shape != param.shape() => {
                misshaped.push(format!("{} {} in the model, {shape} in the file", quoted(name), param.shape()));
            }
            Some(_) => report.matched.push(name.clone()),
        }
    }
    let ours: HashSet<&str> = parts.iter().map(|(name, _)| name.as_str()).collect();
    let names = store.names().into_iter();
    report.unexpected = names
        .filter(|theirs| how.name(theirs).is_some_and(|name| how.wants(&name) && !ours.contains(name.as_str())))
        .map(String::from)
        .collect();
    let (missing, unexpected) = (!report.missing.is_empty(), !report.unexpected.is_empty());
    let nothing = report.matched.is_empty() && missing;
    if !misshaped.is_empty() || how.fit == Strict && (missing || unexpected) || nothing {
        return Err(mismatch(&report, &misshaped, store, &how));
    }
    let mut loaded: HashMap<String, Tensor> = HashMap::with_capacity(parts.len());
    for (name, param) in parts {
        if let Some(theirs) = given.get(&name) {
            let tensor = fitted(store.tensor(theirs)?, &name, param, &how, &mut report)
                .map_err(|error| error.operand("file", store.file()))?;
            loaded.insert(name, tensor);
        }
    }
    commit(model, loaded)?;
    Ok(report)
}

/// The file's names, by those of the model.
fn given(store: &dyn Store, how: &Load) -> Result<HashMap<String, String>> {
    let mut given: HashMap<String, String> = HashMap::new();
    for theirs in store.names() {
        let Some(name) = how.name(theirs) else { continue };
        if let Some(other) = given.insert(name.clone(), theirs.to_string()) {
            let two = format!("{} and {} both become {}", quoted(&other), quoted(theirs), quoted(&name));
            return Err(Error::data(format!("{two} by renaming")).operand("file", store.file()));
        }
    }
    match &how.below {
        Some(front) if given.is_empty() => {
            let error = Error::value(format!("{} has nothing below {}", store.file(), quoted(front)));
            let names = store.names();
            let fronts: Vec<&str> = names.iter().filter_map(|name| Some(name.split_once('.')?.0)).collect();
            Err(match nearest(front, fronts.iter().copied()).or(fronts.first().copied()) {
                Some(near) => error.help(format!("it has names below {}", quoted(near))),
                None => error,
            })
        }
        _ => Ok(given),
    }
}

fn parts<M: Module + ?Sized>(model: &M) -> Vec<(String, &Param)> {
    let mut found = Vec::new();
    each(model, &mut |path, param| found.push((path.name(), param)));
    found
}

/// The tensor as the parameter would take it.
fn fitted(tensor: Tensor, name: &str, param: &Param, how: &Load, report: &mut LoadReport) -> Result<Tensor> {
    let (ours, theirs) = (param.dtype(), tensor.dtype());
    if how.cast && ours != theirs && ours.is_float() && theirs.is_float() && tensor.shape() == param.shape() {
        report.cast.push(name.to_string());
        return tensor.cast(ours);
    }
    param.accepts(&tensor).map(|()| tensor).map_err(|error| {
        let error = error.operand("parameter", format!("`{name}`"));
        if error.kind() == ErrorKind::DType { error.help("`Strict.cast()` and `Lenient` cast floats") } else { error }
    })
}

/// Every value was accepted before, so no set can fail; if one does, the old values return.
fn commit<M: Module + ?Sized>(model: &mut M, mut loaded: HashMap<String, Tensor>) -> Result<()> {
    let mut old: HashMap<String, Tensor> = HashMap::new();
    let mut outcome = Ok(());
    each_mut(model, &mut |path, param| {
        let name = path.name();
        if outcome.is_ok()
            && let Some(tensor) = loaded.remove(&name)
        {
            let before = param.value().clone();
            outcome = param.set(tensor);
            old.insert(name, before);
        }
    });
    if outcome.is_err() {
        each_mut(model, &mut |path, param| {
            if let Some(before) = old.remove(&path.name()) {
                param.set(before).ok();
            }
        });
    }
    outcome
}

/// What does not fit, all of it, with what was probably meant.
fn mismatch(report: &LoadReport, misshaped: &[String], store: &dyn Store, how: &Load) -> Error {
    let (missing, unexpected) = (&report.missing, &report.unexpected);
    let counts: Vec<String> = [
        (missing.len(), "missing in the file"),
        (unexpected.len(), "unexpected in the file"),
        (misshaped.len(), "of another shape"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    let kind = if missing.is_empty() && unexpected.is_empty() { ErrorKind::Shape } else { ErrorKind::Data };
    let what = format!("the weights do not fit the model: {}", counts.join(", "));
    let mut error = Error::new(kind, what).operand("file", store.file());
    let mut guess = None;
    for name in missing.iter().take(SHOWN) {
        let near = nearest(name, unexpected.iter().map(String::as_str));
        let hint = near.map(|near| format!("   perhaps {}", quoted(near))).unwrap_or_default();
        guess = guess.or(near.map(|near| (name.clone(), near.to_string())));
        error = error.operand("missing", format!("{}{hint}", quoted(name)));
    }
    for name in unexpected.iter().take(SHOWN) {
        let shape = store.shape(name).map(|shape| format!(" {shape}")).unwrap_or_default();
        error = error.operand("unexpected", format!("{}{shape}", quoted(name)));
    }
    for text in misshaped.iter().take(SHOWN) {
        error = error.operand("misshaped", text);
    }
    let hidden: usize =
        [missing.len(), unexpected.len(), misshaped.len()].map(|len| len.saturating_sub(SHOWN)).iter().sum();
    if hidden > 0 {
        error = error.operand("", format!("and {hidden} more"));
    }
    match guess {
        Some((ours, theirs)) if theirs.ends_with(&format!(".{ours}")) => {
            let front = theirs.strip_suffix(&format!(".{ours}")).unwrap_or_default();
            error.help(format!(
                "the file's names begin with `{0}`: `{1:?}.below(\"{0}\")`",
                front.escape_debug(),
                how.fit
            ))
        }
        Some((ours, theirs)) if ours.ends_with(&format!(".{theirs}")) => {
            let front = ours.strip_suffix(&format!(".{theirs}")).unwrap_or_default();
            error.help(format!("the model's names begin with `{0}`: `{1:?}.rename(\"\", \"{0}\")`", front, how.fit))
        }
        _ if kind == ErrorKind::Shape => error.help("build the model with the sizes that it was saved with"),
        _ => error.help("`Lenient` loads what fits and reports the rest; `rename` gives names to what has others"),
    }
}

/// The names of each list that an error shows.
const SHOWN: usize = 8;

impl Display for LoadReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} weights loaded", self.matched.len())?;
        if !self.cast.is_empty() {
            write!(f, " ({} with a cast)", self.cast.len())?;
        }
        for (what, names) in [("missing", &self.missing), ("unexpected", &self.unexpected)] {
            for name in names {
                write!(f, "\n  {what:10}  {}", quoted(name))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
