//! The weights of a model, saved and loaded by their names.

use super::archive::{Archive, quoted, write_tensors};
use crate::module::{Module, each, each_mut};
use crate::names::nearest;
use crate::param::Param;
use std::collections::{HashMap, HashSet};
use std::fmt::{self, Display, Formatter};
use std::panic::Location;
use std::path::Path;
use wengert_tensor::error::{Error, ErrorKind, Result};
use wengert_tensor::tensor::Tensor;

/// How closely a file must fit the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// The same names, shapes and dtypes, none missing, none left over.
    Strict,
    /// Names may be missing or left over, and floats of another width are cast. A shape must still fit.
    Lenient,
}

pub use Fit::{Lenient, Strict};

/// What a file and a model had in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Names that were loaded.
    pub matched: Vec<String>,
    /// Names of the model that the file lacks; these weights stayed as they were.
    pub missing: Vec<String>,
    /// Names in the file that the model lacks.
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
        write_tensors(path, &tensors).map_err(framed)
    }

    /// Reads the weights and buffers from a safetensors file.
    ///
    /// Everything is checked before anything is changed: after an error the model is as it was.
    ///
    /// # Errors
    /// `Io` for a file that cannot be read, `Format` for one that is damaged or hostile, `Shape` and `DType` for a
    /// tensor that does not fit, `Data` for names that do not fit; the last one lists them and guesses what was meant.
    #[track_caller]
    fn load_weights(&mut self, path: impl AsRef<Path>, fit: Fit) -> Result<LoadReport> {
        let here = Location::caller();
        let loaded = Archive::open(path).and_then(|archive| load(self, &archive, fit));
        loaded.map_err(|error| error.op("load_weights").at(here))
    }
}

impl<M: Module + ?Sized> Weights for M {}

/// Loads a model from an archive; see [`Weights::load_weights`].
///
/// # Errors
/// Those of [`Weights::load_weights`].
pub fn load<M: Module + ?Sized>(model: &mut M, archive: &Archive, fit: Fit) -> Result<LoadReport> {
    crate::module::check(model)?;
    let mut report = LoadReport::default();
    let mut loaded: HashMap<String, Tensor> = HashMap::new();
    for (name, param) in parts(model) {
        if archive.shape(&name).is_none() {
            report.missing.push(name);
            continue;
        }
        let tensor = fitted(archive.tensor(&name)?, &name, param, fit, &mut report)
            .map_err(|error| error.operand("file", archive.file()))?;
        report.matched.push(name.clone());
        loaded.insert(name, tensor);
    }
    let known: HashSet<&str> = report.matched.iter().map(String::as_str).collect();
    report.unexpected = archive.names().filter(|name| !known.contains(name)).map(String::from).collect();
    if fit == Strict && !(report.missing.is_empty() && report.unexpected.is_empty()) {
        return Err(mismatch(&report, archive));
    }
    if report.matched.is_empty() && !report.missing.is_empty() {
        return Err(mismatch(&report, archive));
    }
    commit(model, loaded)?;
    Ok(report)
}

fn parts<M: Module + ?Sized>(model: &M) -> Vec<(String, &Param)> {
    let mut found = Vec::new();
    each(model, &mut |path, param| found.push((path.name(), param)));
    found
}

/// The tensor as the parameter would take it.
fn fitted(tensor: Tensor, name: &str, param: &Param, fit: Fit, report: &mut LoadReport) -> Result<Tensor> {
    let (ours, theirs) = (param.dtype(), tensor.dtype());
    if fit == Lenient && ours != theirs && ours.is_float() && theirs.is_float() && tensor.shape() == param.shape() {
        report.cast.push(name.to_string());
        return tensor.cast(ours);
    }
    param.accepts(&tensor).map(|()| tensor).map_err(|error| {
        let error = error.operand("parameter", format!("`{name}`"));
        if error.kind() == ErrorKind::DType { error.help("`Lenient` casts floats") } else { error }
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
                let _ = param.set(before);
            }
        });
    }
    outcome
}

fn mismatch(report: &LoadReport, archive: &Archive) -> Error {
    let mut error = Error::data(format!(
        "{} names of the model are missing in {}, {} names in it are unexpected",
        report.missing.len(),
        archive.file(),
        report.unexpected.len()
    ));
    let mut guess = None;
    for name in report.missing.iter().take(SHOWN) {
        let near = nearest(name, report.unexpected.iter().map(String::as_str));
        let hint = near.map(|near| format!("   perhaps {}", quoted(near))).unwrap_or_default();
        guess = guess.or(near.map(|near| (name.clone(), near.to_string())));
        error = error.operand("missing", format!("{}{hint}", quoted(name)));
    }
    for name in report.unexpected.iter().take(SHOWN) {
        let shape = archive.shape(name).map(|shape| format!(" {shape}")).unwrap_or_default();
        error = error.operand("unexpected", format!("{}{shape}", quoted(name)));
    }
    let hidden = report.missing.len().saturating_sub(SHOWN) + report.unexpected.len().saturating_sub(SHOWN);
    if hidden > 0 {
        error = error.operand("", format!("and {hidden} more"));
    }
    match guess {
        Some((ours, theirs)) if theirs.ends_with(&format!(".{ours}")) => {
            let front = theirs.strip_suffix(&format!(".{ours}")).unwrap_or_default().to_string();
            error.help(format!(
                "the file's names begin with {}: load the part of the model that lies there",
                quoted(&front)
            ))
        }
        _ => error.help("`Lenient` loads what fits and reports the rest"),
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
