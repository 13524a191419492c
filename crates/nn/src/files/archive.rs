//! Named tensors in one file.

use super::atomic::write_atomic;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use std::collections::HashMap;
use std::path::Path;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, ErrorKind, Result};
use wengert_tensor::layout::Layout;
use wengert_tensor::shape::Shape;
use wengert_tensor::storage::Storage;
use wengert_tensor::tensor::Tensor;

/// More axes than any tensor has; a header may ask for millions.
const MAX_RANK: usize = 32;

/// A safetensors file whose header was checked and whose tensors can be read by name.
///
/// ```
/// use wengert_nn::files::archive::{Archive, write_tensors};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let path = std::env::temp_dir().join(format!("wengert-doc-archive-{}.safetensors", std::process::id()));
/// write_tensors(&path, &[("scale".to_string(), Tensor::from([1.0f32, 2.0]))])?;
/// let archive = Archive::open(&path)?;
/// assert_eq!(archive.names().collect::<Vec<_>>(), ["scale"]);
/// assert_eq!(archive.tensor("scale")?.to_vec::<f32>()?, [1.0, 2.0]);
/// # std::fs::remove_file(&path).ok();
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Archive {
    file: String,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    by_name: HashMap<String, usize>,
}

/// What the header says of one tensor, after it was checked.
#[derive(Clone, Debug)]
struct Entry {
    name: String,
    dtype: Dtype,
    shape: Shape,
    start: usize,
    end: usize,
}

impl Archive {
    /// Reads a file and checks its header: every name once, at most 32 axes, sizes that do not overflow, data that lies
    /// aligned, side by side and within the file, to its last byte.
    ///
    /// # Errors
    /// `Io` when the file cannot be read, `Format` when a check fails.
    pub fn open(path: impl AsRef<Path>) -> Result<Archive> {
        let file = path.as_ref().display().to_string();
        let bytes = std::fs::read(path.as_ref())
            .map_err(|error| Error::io(format!("{file} cannot be read")).caused_by(error))?;
        Archive::parse(file, bytes)
    }

    /// The same for bytes in memory; `name` stands for the file in errors.
    ///
    /// # Errors
    /// `Format` when a check fails.
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Result<Archive> {
        Archive::parse(name.into(), bytes)
    }

    fn parse(file: String, bytes: Vec<u8>) -> Result<Archive> {
        let format = |what: String| Error::new(ErrorKind::Format, format!("{file}: {what}"));
        let (header, metadata) = SafeTensors::read_metadata(&bytes).map_err(|error| refused(&file, error))?;
        let text = bytes.get(8..8 + header).unwrap_or(&[]);
        let names = metadata.offset_keys();
        if keys(text) != names.len() + usize::from(metadata.metadata().is_some()) {
            return Err(format("the header names a tensor twice".into()));
        }
        let mut entries = Vec::with_capacity(names.len());
        let mut by_name = HashMap::with_capacity(names.len());
        for name in names {
            let info = metadata.info(&name).ok_or_else(|| format(format!("{} has no entry", quoted(&name))))?;
            if info.shape.len() > MAX_RANK {
                return Err(format(format!(
                    "{} has {} axes, at most {MAX_RANK} are read",
                    quoted(&name),
                    info.shape.len()
                )));
            }
            let shape = Shape::new(info.shape.as_slice())
                .map_err(|error| format(format!("{}: {}", quoted(&name), error.message())).caused_by(error))?;
            let (start, end) = info.data_offsets;
            if let Some(dtype) = ours(info.dtype)
                && start % dtype.size() != 0
            {
                return Err(format(format!(
                    "the data of {} starts at byte {start}, which is not aligned for {dtype}",
                    quoted(&name)
                )));
            }
            by_name.insert(name.clone(), entries.len());
            entries.push(Entry { name, dtype: info.dtype, shape, start: start + 8 + header, end: end + 8 + header });
        }
        Ok(Archive { file, bytes, entries, by_name })
    }

    /// The names, in the order of the data.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    /// The file's name, for messages.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The shape of a tensor, when there is one of this name.
    pub fn shape(&self, name: &str) -> Option<&Shape> {
        self.entry(name).map(|entry| &entry.shape)
    }

    /// Reads one tensor.
    ///
    /// # Errors
    /// `Value` when there is none of this name, `Format` for a dtype that does not exist here or a bool that is neither
    /// 0 nor 1.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        let entry = self.entry(name).ok_or_else(|| {
            let error = Error::value(format!("{} holds no tensor {}", self.file, quoted(name)));
            match crate::names::nearest(name, self.names()) {
                Some(near) => error.help(format!("did you mean {}?", quoted(near))),
                None => error,
            }
        })?;
        let format = |what: String| Error::new(ErrorKind::Format, format!("{}: {} {what}", self.file, quoted(name)));
        let dtype = ours(entry.dtype).ok_or_else(|| {
            format(format!("is {:?}, which has no counterpart", entry.dtype))
                .help("f64 f32 f16 bf16 i64 i32 u8 bool can be read")
        })?;
        let bytes = self.bytes.get(entry.start..entry.end).unwrap_or(&[]);
        if dtype == DType::Bool && bytes.iter().any(|&byte| byte > 1) {
            return Err(format("is bool and holds a byte that is neither 0 nor 1".into()));
        }
        tensor_of(bytes, dtype, &entry.shape)
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        self.by_name.get(name).and_then(|&at| self.entries.get(at))
    }
}

/// Writes named tensors into one safetensors file, whole or not at all.
///
/// # Errors
/// `Value` for a name that occurs twice, `Io` when the file cannot be written (an old one is then as it was).
pub fn write_tensors(path: impl AsRef<Path>, tensors: &[(String, Tensor)]) -> Result<()> {
    write_atomic(path, &to_bytes(tensors)?)
}

/// The bytes of the file that [`write_tensors`] writes.
///
/// # Errors
/// `Value` for a name that occurs twice.
pub fn to_bytes(tensors: &[(String, Tensor)]) -> Result<Vec<u8>> {
    let mut seen = HashMap::new();
    for (name, _) in tensors {
        if name == "__metadata__" || seen.insert(name, ()).is_some() {
            return Err(Error::value(format!(
                "{} cannot be the name of two tensors, nor `__metadata__` of one",
                quoted(name)
            )));
        }
    }
    let data: Vec<Vec<u8>> = tensors.iter().map(|(_, tensor)| bytes_of(tensor)).collect::<Result<_>>()?;
    let views = tensors
        .iter()
        .zip(&data)
        .map(|((name, tensor), data)| Ok((name.as_str(), view(tensor, data)?)))
        .collect::<Result<Vec<_>>>()?;
    // The number formats and names were ours, so only a header beyond its limit can be refused.
    safetensors::serialize(views, None).map_err(|error| refused("safetensors", error))
}

fn view<'a>(tensor: &Tensor, data: &'a [u8]) -> Result<TensorView<'a>> {
    TensorView::new(theirs(tensor.dtype()), tensor.shape().dims().to_vec(), data)
        .map_err(|error| refused("safetensors", error))
}

fn refused(file: &str, error: SafeTensorError) -> Error {
    let help = match &error {
        SafeTensorError::HeaderTooSmall
        | SafeTensorError::InvalidHeaderLength
        | SafeTensorError::MetadataIncompleteBuffer => Some("is the file cut off, or not a safetensors file?"),
        _ => None,
    };
    // The reader quotes what it did not understand, whatever its length.
    let what: String = error.to_string().chars().take(300).collect();
    let error = Error::new(ErrorKind::Format, format!("{file}: {what}"));
    match help {
        Some(help) => error.help(help),
        None => error,
    }
}

/// The keys of the outermost object of a text that is valid JSON.
///
/// The reader of the format keeps the last of two equal keys without a word; comparing the counts finds them.
fn keys(json: &[u8]) -> usize {
    let (mut depth, mut keys) = (0usize, 0);
    let (mut string, mut escaped) = (false, false);
    for &byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if string => escaped = true,
            b'"' => string = !string,
            _ if string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b':' if depth == 1 => keys += 1,
            _ => {}
        }
    }
    keys
}

/// A name from a file, fit to be printed.
pub(super) fn quoted(name: &str) -> String {
    let name: String =
        if name.chars().count() > 80 { name.chars().take(77).chain("...".chars()).collect() } else { name.into() };
    format!("`{}`", name.escape_debug())
}

fn ours(dtype: Dtype) -> Option<DType> {
    Some(match dtype {
        Dtype::F64 => DType::F64,
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::I64 => DType::I64,
        Dtype::I32 => DType::I32,
        Dtype::U8 => DType::U8,
        Dtype::BOOL => DType::Bool,
        _ => return None,
    })
}

fn theirs(dtype: DType) -> Dtype {
    match dtype {
        DType::F64 => Dtype::F64,
        DType::F32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::I64 => Dtype::I64,
        DType::I32 => Dtype::I32,
        DType::U8 => Dtype::U8,
        DType::Bool => Dtype::BOOL,
    }
}

/// A tensor of these little-endian bytes.
fn tensor_of(bytes: &[u8], dtype: DType, shape: &Shape) -> Result<Tensor> {
    let mut storage = Storage::take(bytes.len())?;
    if let Some(buffer) = storage.get_mut() {
        buffer.bytes_mut().copy_from_slice(bytes);
        swap(buffer.bytes_mut(), dtype.size());
    }
    Tensor::from_parts(storage, dtype, Layout::contiguous(shape.clone()))
}

/// The elements of a tensor, row by row, as little-endian bytes.
fn bytes_of(tensor: &Tensor) -> Result<Vec<u8>> {
    let size = tensor.dtype().size();
    let tensor = tensor.contiguous()?;
    let start = tensor.layout().offset() * size;
    let stored = tensor.storage().bytes().get(start..start + tensor.len() * size);
    let mut bytes = stored.ok_or_else(|| Error::state("a tensor reaches beyond its storage"))?.to_vec();
    swap(&mut bytes, size);
    Ok(bytes)
}

/// Files are little-endian; a big-endian machine turns every element round.
fn swap(bytes: &mut [u8], size: usize) {
    if cfg!(target_endian = "big") {
        bytes.chunks_exact_mut(size.max(1)).for_each(<[u8]>::reverse);
    }
}

#[cfg(test)]
mod tests;
