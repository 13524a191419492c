//! A file of named tensors, whatever its format.

use super::archive::{Archive, unreadable};
use super::torch::TorchFile;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// Named tensors that can be read one by one.
///
/// A format of one's own implements it and is loaded by [`load`](super::weights::load).
pub trait Store {
    /// The file's name, for messages.
    fn file(&self) -> &str;

    /// The names of the tensors.
    fn names(&self) -> Vec<&str>;

    /// The shape of a tensor, when there is one of this name.
    fn shape(&self, name: &str) -> Option<&Shape>;

    /// Reads one tensor.
    ///
    /// # Errors
    /// `Value` when there is none of this name; `Format` or `Io` when it cannot be read.
    fn tensor(&self, name: &str) -> Result<Tensor>;
}

/// Opens a safetensors file or one of `torch.save`; its first bytes say which.
///
/// # Errors
/// `Io` when it cannot be read, `Format` when it is damaged, or neither.
pub fn open(path: impl AsRef<Path>) -> Result<Box<dyn Store>> {
    let path = path.as_ref();
    let name = path.display().to_string();
    let mut begin = Vec::new();
    File::open(path)
        .and_then(|file| if path.is_dir() { Err(ErrorKind::IsADirectory.into()) } else { Ok(file) })
        .and_then(|file| file.take(16).read_to_end(&mut begin))
        .map_err(|error| unreadable(&name, error))?;
    match begin.as_slice() {
        [b'P', b'K', ..] | [0x80, 1..=5, ..] => Ok(Box::new(TorchFile::opened(path)?)),
        [0x89, b'H', b'D', b'F', ..] => Err(Error::format(format!("{name}: an HDF5 file, which is not read here"))
            .help("in Keras: `safetensors.numpy.save_file({w.path: w.numpy() for w in model.weights}, path)`; what is called a kernel is [.., in, out] there, and [out, in, ..] here")),
        _ => Ok(Box::new(Archive::opened(path)?)),
    }
}

/// That there is no tensor of this name, with the one that was probably meant.
pub(super) fn unknown<'a>(file: &str, name: &str, names: impl Iterator<Item = &'a str>) -> Error {
    let error = Error::value(format!("{file} holds no tensor {}", quoted(name)));
    match crate::names::nearest(name, names) {
        Some(near) => error.help(format!("did you mean {}?", quoted(near))),
        None => error,
    }
}

/// A name from a file, fit to be printed.
pub(super) fn quoted(name: &str) -> String {
    let name: String =
        if name.chars().count() > 80 { name.chars().take(77).chain("...".chars()).collect() } else { name.into() };
    format!("`{}`", name.escape_debug())
}
