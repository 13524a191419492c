//! Errors in the words of the model: the names of its parameters and the way to the layer.

use std::error::Error as _;
use std::panic::Location;

use wengert_autograd::Tape;
use wengert_tensor::error::{Error, Result};

use crate::module::{Module, Visit, Visitor, each};
use crate::param::Param;
use crate::path::{Path, covers};

/// What stands before the name of a parameter in the line of an operand.
const MARK: &str = "parameter `";

/// What stands before its number where the name is not known.
const NUMBER: &str = "parameter #";

/// The error of `tape` (or else `error`), told in the names of `model`: `parameter `head.weight``, `in Net › head (Dense)`.
///
/// A tape does not know what its parameters are called, and a model is not asked until something went wrong.
pub fn explain<M: Module + ?Sized>(model: &M, tape: &Tape, error: Error) -> Error {
    each(model, &mut |path, param| {
        if !path.is_root() {
            tape.note(param.id(), path.name());
        }
    });
    let error = named(model, tape.error().unwrap_or(error));
    let path = match parameter(&error) {
        Some(name) => chain(model, &name),
        None => prefixed(model.type_name(), error.path()),
    };
    match error.path() == Some(&path) {
        true => error,
        false => retold(&error, error.location(), Some(&path), &[]),
    }
}

/// With the names of parameters in place of their numbers: what fails when it is computed is told before anybody knows them.
fn named<M: Module + ?Sized>(model: &M, error: Error) -> Error {
    let name = |text: &str| {
        let (before, number) = text.split_once(NUMBER)?;
        let mut found = None;
        each(model, &mut |path, param| {
            if !path.is_root() && number == param.id().0.to_string() {
                found = Some(format!("{before}{MARK}{path}`"));
            }
        });
        found
    };
    let names: Vec<Option<String>> = error.operands().iter().map(|(_, text)| name(text)).collect();
    match names.iter().any(Option::is_some) {
        true => retold(&error, error.location(), error.path(), &names),
        false => error,
    }
}

/// The error at line `at`, when it blames no line, or one of this library: that of a layer behind a `dyn Layer`, which cannot see
/// who called it.
pub fn blame(error: Error, at: &'static Location<'static>) -> Error {
    match error.location().is_none_or(|location| ours(location.file())) {
        true => retold(&error, Some(at), error.path(), &[]),
        false => error,
    }
}

/// The result of a public function: its error gets the function's name and the line of its caller. A closure does not inherit
/// `#[track_caller]`, so that `map_err(|error| … Location::caller())` would blame this library.
#[track_caller]
pub(crate) fn framed<T>(name: &str, result: Result<T>) -> Result<T> {
    let here = Location::caller();
    result.map_err(|error| blame(error.op(name), here).at(here))
}

/// True for the files of this crate, by the folder of this one.
fn ours(file: &str) -> bool {
    file!().strip_suffix("explain.rs").is_some_and(|folder| file.starts_with(folder))
}

/// The first parameter of the model among the operands.
fn parameter(error: &Error) -> Option<String> {
    error.operands().iter().find_map(|(_, text)| {
        let (_, rest) = text.split_once(MARK)?;
        rest.split_once('`').map(|(name, _)| name.to_string())
    })
}

/// `Net`, or `Net › ` and the path that the scopes gave.
fn prefixed(type_name: &str, path: Option<&str>) -> String {
    match path {
        None => type_name.to_string(),
        Some(path) if path == type_name || path.starts_with(&format!("{type_name} › ")) => path.to_string(),
        Some(path) => format!("{type_name} › {path}"),
    }
}

/// `Net › body (Gated) › value (Dense)` for the parameter `body.value.weight`.
fn chain<M: Module + ?Sized>(model: &M, name: &str) -> String {
    let mut chain = Chain { name, text: model.type_name().to_string(), pending: String::new() };
    model.visit(&mut Visit::new(&mut chain));
    chain.text
}

struct Chain<'n> {
    name: &'n str,
    text: String,
    /// The containers since the last layer: `blocks.` before `blocks.0 (Dense)`.
    pending: String,
}

impl<'a> Visitor<'a> for Chain<'_> {
    fn enter(&mut self, path: &Path, module: &'a dyn Module) {
        let here = path.name();
        if here == self.name || !covers(&here, self.name) {
            return;
        }
        let Some(segment) = path.segments().last() else { return };
        match module.type_name() {
            "Vec" | "array" | "tuple" => self.pending.push_str(&format!("{segment}.")),
            type_name => {
                self.text.push_str(&format!(" › {}{segment} ({type_name})", self.pending));
                self.pending.clear();
            }
        }
    }

    fn param(&mut self, _path: &Path, _param: &'a Param) {}
}

/// The same error at another line and in another layer, with other texts for the operands that have one in `names`.
fn retold(
    error: &Error,
    at: Option<&'static Location<'static>>,
    path: Option<&str>,
    names: &[Option<String>],
) -> Error {
    // What lies below an error cannot be taken out of it again, and matters more than the place.
    if error.source().is_some() {
        return error.clone();
    }
    let mut told = Error::new(error.kind(), error.message());
    if let Some(op) = error.op_name() {
        told = told.op(op);
    }
    for (place, (label, text)) in error.operands().iter().enumerate() {
        let name = names.get(place).and_then(Option::as_ref);
        told = told.operand(label, name.unwrap_or(text));
    }
    if let Some(at) = at {
        told = told.at(at);
    }
    if let Some(path) = path {
        told = told.within(path);
    }
    if let Some(help) = error.help_text() {
        told = told.help(help);
    }
    told
}
