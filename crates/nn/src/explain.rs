//! Errors in the words of the model: the names of its parameters and the way to the layer.

use std::error::Error as _;
use std::io;
use std::panic::Location;
use std::sync::Arc;

use wengert_autograd::Tape;
use wengert_tensor::error::{Error, Result};

use crate::module::{Module, Visit, Visitor, each};
use crate::param::Param;
use crate::path::{Path, covers};

/// What stands before the name of a parameter in the line of an operand.
const MARK: &str = "parameter `";

/// What stands before its number where the name is not known.
const NUMBER: &str = "parameter #";

/// Tells a tape what the parts of a model are called. Errors do so by themselves; a picture or a table of what stands on the tape then has the
/// names of parameters and the places of layers: `head (Dense)`, not `Dense`.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{explain::note, layer::Layer, layers::dense::Dense};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let net = (Dense::new(2, 3), Dense::new(3, 1));
/// let tape = Tape::new();
/// let y = net.forward(tape.input(&Tensor::from([[1f32, 2.0]])));
/// note(&net, &tape);
/// let all = tape.recorded(y)?;
/// assert_eq!(all.layers[1].name, "0 (Dense)");
/// assert!(all.nodes.iter().any(|node| node.name == "1.weight"));
/// # Ok(())
/// # }
/// ```
pub fn note<M: Module + ?Sized>(model: &M, tape: &Tape) {
    each(model, &mut |path, param| {
        if !path.is_root() {
            tape.note(param.id(), path.name());
        }
    });
    let mut places = Places(vec![(model.type_name(), model.which(), String::new())]);
    model.visit(&mut Visit::new(&mut places));
    tape.note_layers(places.0);
}

/// [`note`], where somebody looks at what is computed.
pub(crate) fn note_if_wanted<M: Module + ?Sized>(model: &M, tape: &Tape) {
    if tape.wants_names() {
        note(model, tape);
    }
}

/// The error of `tape` (or else `error`), told in the names of `model`: `parameter `head.weight``, in `Net › head (Dense)`.
///
/// A tape does not know what its parameters are called, and a model is not asked until something went wrong.
pub fn explain<M: Module + ?Sized>(model: &M, tape: &Tape, error: Error) -> Error {
    note(model, tape);
    let error = named(model, tape.error().unwrap_or(error));
    let path = match (parameter(&error), tape.place_of(&error)) {
        (Some(name), _) => chain(model, owner(&name)),
        (None, Some((place, inner))) => match (chain(model, &place), inner) {
            (layer, inner) if inner.is_empty() => layer,
            (layer, inner) => format!("{layer} › {inner}"),
        },
        (None, None) => prefixed(model.type_name(), error.path()),
    };
    match error.path() == Some(&path) {
        true => error,
        false => retold(&error, error.location(), Some(&path)),
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
    let mut operands = error.operands().to_vec();
    let mut known = false;
    for (_, text) in &mut operands {
        if let Some(name) = name(text) {
            (*text, known) = (name, true);
        }
    }
    match known {
        true => reworded(&error, error.message().to_string(), operands, error.help_text().map(str::to_string)),
        false => error,
    }
}

/// The type, number and place of every part.
struct Places(Vec<(&'static str, usize, String)>);

impl<'a> Visitor<'a> for Places {
    fn enter(&mut self, path: &Path, module: &'a dyn Module) {
        self.0.push((module.type_name(), module.which(), path.name()));
    }

    fn param(&mut self, _path: &Path, _param: &'a Param) {}
}

/// The error at line `at`, when it blames no line, or one of this library: that of a layer behind a `dyn Layer`, which cannot see
/// who called it.
pub fn blame(error: Error, at: &'static Location<'static>) -> Error {
    match error.location().is_none_or(|location| ours(location.file())) {
        true => retold(&error, Some(at), error.path()),
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

/// The name of the layer that a parameter is of.
fn owner(parameter: &str) -> &str {
    parameter.rsplit_once('.').map_or("", |(owner, _)| owner)
}

/// `Net › body (Gated) › value (Dense)` for the layer `body.value`.
fn chain<M: Module + ?Sized>(model: &M, place: &str) -> String {
    let mut chain = Chain { place, text: model.type_name().to_string(), pending: String::new() };
    model.visit(&mut Visit::new(&mut chain));
    chain.text
}

struct Chain<'n> {
    place: &'n str,
    text: String,
    /// The containers since the last layer: `blocks.` before `blocks.0 (Dense)`.
    pending: String,
}

impl<'a> Visitor<'a> for Chain<'_> {
    fn enter(&mut self, path: &Path, module: &'a dyn Module) {
        if !covers(&path.name(), self.place) {
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

/// The same error at another line and in another layer.
fn retold(error: &Error, at: Option<&'static Location<'static>>, path: Option<&str>) -> Error {
    let help = error.help_text().map(str::to_string);
    made(error, error.message().to_string(), error.operands().to_vec(), at, path, help)
}

/// The same error in other words.
pub(crate) fn reworded(error: &Error, message: String, operands: Vec<(String, String)>, help: Option<String>) -> Error {
    made(error, message, operands, error.location(), error.path(), help)
}

/// How an error keeps what lies below it.
type Below = Arc<dyn std::error::Error + Send + Sync>;

/// An error of the system, of which there are no copies.
fn again(error: &io::Error) -> io::Error {
    let told = || io::Error::new(error.kind(), error.to_string());
    error.raw_os_error().map_or_else(told, io::Error::from_raw_os_error)
}

fn made(
    error: &Error,
    message: String,
    operands: Vec<(String, String)>,
    at: Option<&'static Location<'static>>,
    path: Option<&str>,
    help: Option<String>,
) -> Error {
    let below = match error.source().map(|below| below.downcast_ref::<Below>()) {
        None => None,
        Some(Some(below)) => Some(Arc::clone(below)),
        // What cannot be taken out of an error again matters more than the place.
        Some(None) => return error.clone(),
    };
    let mut told = Error::new(error.kind(), message);
    if let Some(op) = error.op_name() {
        told = told.op(op);
    }
    for (label, text) in operands {
        told = told.operand(label, text);
    }
    if let Some(at) = at {
        told = told.at(at);
    }
    if let Some(path) = path {
        told = told.within(path);
    }
    told = match (&below, below.as_ref().and_then(|below| below.downcast_ref::<io::Error>())) {
        (_, Some(below)) => told.caused_by(again(below)),
        (Some(below), None) => told.caused_by(Arc::clone(below)),
        (None, None) => told,
    };
    match help {
        Some(help) => told.help(help),
        None => told,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::Layer;
    use crate::layers;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::error::Result;

    #[derive(Module)]
    struct Pair {
        left: Box<dyn Layer>,
        right: Box<dyn Layer>,
    }

    /// Two layers of one type are told apart, whatever the type, unless there is nothing in which they could differ.
    #[test]
    fn an_error_moves_with_what_lies_below_it() {
        let old = Location::caller();
        let new = Location::caller();
        let full = io::Error::from_raw_os_error(28);
        let text = full.to_string();
        for (error, below) in [
            (Error::io("a").caused_by(full), text.as_str()),
            (Error::io("a").caused_by(io::Error::other("odd")), "odd"),
            (Error::io("a").caused_by(Error::value("deep")), "deep"),
        ] {
            let moved = blame(error.at(old), new);
            assert_eq!((moved.location(), moved.source().unwrap().to_string().as_str()), (Some(new), below));
        }
    }

    #[test]
    fn siblings_have_places_of_their_own() -> Result<()> {
        let mut tried = 0;
        for (left, right) in layers::roll().into_iter().zip(layers::roll()) {
            let (key, alike) = (left.key(), size_of_val(&*left.layer) == 0);
            let dtype = if left.below.is_some() { DType::I64 } else { DType::F32 };
            let tape = Tape::training(0u64);
            let x = tape.full(left.input, 0.0, dtype);
            let pair = Pair { left: left.layer, right: right.layer };
            pair.left.forward(x);
            let half = tape.recording()?.layers.len();
            pair.right.forward(x);
            note(&pair, &tape);
            let all = tape.recording()?.layers;
            let mut entered = false;
            for (at, layer) in all.iter().enumerate().skip(1).filter(|(_, layer)| layer.parent == 0) {
                let (side, type_name) =
                    if at < half { ("left", pair.left.type_name()) } else { ("right", pair.right.type_name()) };
                // A function of a module is told by its own name.
                if layer.name != type_name && !layer.name.ends_with(&format!("({type_name})")) {
                    continue;
                }
                let wanted = if alike { type_name.to_string() } else { format!("{side} ({type_name})") };
                assert_eq!(layer.name, wanted, "{key}");
                (entered, tried) = (true, tried + 1);
            }
            assert!(alike || !entered || all.len() == 2 * half - 1, "{key}: {all:?}");
        }
        assert!(tried > 150, "{tried}");
        Ok(())
    }
}
