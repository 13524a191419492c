//! NumPy's arrays on disk: `.npy`, one array, and `.npz`, a zip archive of them.
//!
//! A `.npy` file is the magic `\x93NUMPY`, a version, the length of the header, the header, and the elements. The header is
//! the text of a Python dict with exactly the keys `descr`, `fortran_order` and `shape`; it is read by a grammar of its
//! own, and nothing is evaluated. Versions 1 to 3 are read, and 1 is written. See
//! [the specification](https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
//!
//! | in the file | becomes |
//! |---|---|
//! | `f2` `f4` `f8` | f16, f32, f64 |
//! | `i1` `i2` `i4` | i32 |
//! | `i8` | i64 |
//! | `u1` | u8 |
//! | `u2` | i32 |
//! | `u4` `u8` | i64; a number beyond it is an error |
//! | `b1` | bool |
//!
//! Complex numbers, texts, dates, records and Python objects are errors. A declared size is never trusted: memory is
//! bounded by the bytes of the file, and of an archive by what they can unpack to.

use super::bytes::{self, Kind, limited, product, quoted, too_large};
use crate::explain::framed;
use crate::files::atomic::write_atomic;
use header::Header;
use std::io::{Cursor, Read, Write};
use std::path::Path;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

mod header;

const MAGIC: &[u8] = b"\x93NUMPY";

/// Reads one array, as `numpy.load` does. A file of more than 4 GiB is refused; [`NpyReader`] has the limit.
///
/// ```
/// use wengert_nn::data::npy::{read_npy, write_npy};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let path = std::env::temp_dir().join(format!("wengert-doc-npy-{}.npy", std::process::id()));
/// write_npy(&path, &Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]))?;
/// assert_eq!(read_npy(&path)?.to_string(), "[[1.0, 2.0],\n [3.0, 4.0]]");
/// # std::fs::remove_file(&path).ok();
/// # Ok(()) }
/// ```
///
/// # Errors
/// `Io` for a file that cannot be read; `Format` for one that is no array of numbers, is cut off, or goes on after its
/// elements; `Data` for one beyond the limit.
#[track_caller]
pub fn read_npy(path: impl AsRef<Path>) -> Result<Tensor> {
    NpyReader::new().read(path)
}

/// Reads the arrays of an archive by name, in their order, as `numpy.load` does.
///
/// ```
/// use wengert_nn::data::npy::{read_npz, write_npz};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let path = std::env::temp_dir().join(format!("wengert-doc-npz-{}.npz", std::process::id()));
/// write_npz(&path, &[("x".into(), Tensor::from([1.0f32])), ("y".into(), Tensor::from([1i64, 2]))])?;
/// let arrays = read_npz(&path)?;
/// assert_eq!((arrays[0].0.as_str(), arrays[1].0.as_str()), ("x", "y"));
/// assert_eq!(arrays[1].1.to_vec::<i64>()?, [1, 2]);
/// # std::fs::remove_file(&path).ok();
/// # Ok(()) }
/// ```
///
/// # Errors
/// Those of [`read_npy`], and `Format` for an archive whose members overlap, share a name, or are no arrays.
#[track_caller]
pub fn read_npz(path: impl AsRef<Path>) -> Result<Vec<(String, Tensor)>> {
    NpyReader::new().read_archive(path)
}

/// Writes one array, whole or not at all, as `numpy.save` does.
///
/// # Errors
/// A tensor of bf16, which NumPy does not have; `Io` when the file cannot be written.
#[track_caller]
pub fn write_npy(path: impl AsRef<Path>, tensor: &Tensor) -> Result<()> {
    let written = npy_bytes(tensor).and_then(|bytes| write_atomic(path, &bytes));
    framed("write_npy", written)
}

/// Writes arrays by name, whole or not at all, as `numpy.savez` does.
///
/// # Errors
/// A name that comes twice, a tensor of bf16; `Io` when the file cannot be written.
#[track_caller]
pub fn write_npz(path: impl AsRef<Path>, arrays: &[(String, Tensor)]) -> Result<()> {
    let written = npz_bytes(arrays, CompressionMethod::Stored).and_then(|bytes| write_atomic(path, &bytes));
    framed("write_npz", written)
}

/// Writes arrays by name and compresses them, as `numpy.savez_compressed` does.
///
/// # Errors
/// Those of [`write_npz`].
#[track_caller]
pub fn write_npz_compressed(path: impl AsRef<Path>, arrays: &[(String, Tensor)]) -> Result<()> {
    let written = npz_bytes(arrays, CompressionMethod::Deflated).and_then(|bytes| write_atomic(path, &bytes));
    framed("write_npz_compressed", written)
}

limited! {
    /// How to read arrays; a builder.
    ///
    /// ```
    /// use wengert_nn::data::npy::{NpyReader, npy_bytes};
    /// use wengert_tensor::tensor::Tensor;
    ///
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let bytes = npy_bytes(&Tensor::from([1u8, 2]))?;
    /// assert_eq!(NpyReader::new().parse("two.npy", &bytes)?.to_vec::<u8>()?, [1, 2]);
    /// assert!(NpyReader::new().parse("torn.npy", &bytes[..bytes.len() - 1]).is_err());
    /// # Ok(()) }
    /// ```
    NpyReader,
    /// Refuses a larger file, and an archive that unpacks to more.
}

impl NpyReader {
    /// One array of a file.
    ///
    /// # Errors
    /// Those of [`read_npy`].
    #[track_caller]
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Tensor> {
        bytes::open("read_npy", path, self.max_bytes, array)
    }

    /// One array of bytes in memory; `name` stands for the file in errors.
    ///
    /// # Errors
    /// Those of [`read_npy`].
    #[track_caller]
    pub fn parse(&self, name: &str, bytes: &[u8]) -> Result<Tensor> {
        framed("read_npy", array(name, bytes))
    }

    /// The arrays of an archive.
    ///
    /// # Errors
    /// Those of [`read_npz`].
    #[track_caller]
    pub fn read_archive(&self, path: impl AsRef<Path>) -> Result<Vec<(String, Tensor)>> {
        bytes::open("read_npz", path, self.max_bytes, |file, bytes| self.arrays(file, bytes))
    }

    /// The arrays of an archive in memory; `name` stands for the file in errors.
    ///
    /// # Errors
    /// Those of [`read_npz`].
    #[track_caller]
    pub fn parse_archive(&self, name: &str, bytes: &[u8]) -> Result<Vec<(String, Tensor)>> {
        framed("read_npz", self.arrays(name, bytes))
    }

    fn arrays(&self, file: &str, bytes: &[u8]) -> Result<Vec<(String, Tensor)>> {
        let refused = |what: String| Error::format(format!("{file}: {what}"));
        let broken =
            |error: zip::result::ZipError| Error::format(format!("{file} is no whole zip archive")).caused_by(error);
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
        // Members that share bytes would unpack to more than the file can hold; of two with one name, one is lost.
        if archive.has_overlapping_entries().map_err(broken)? || archive.has_duplicate_names() {
            return Err(refused("members overlap or share a name".into()));
        }
        let mut left = self.max_bytes;
        let mut arrays = Vec::new();
        for index in 0..archive.len() {
            let member = archive.by_index(index).map_err(broken)?;
            let name = member.name().map_err(broken)?.into_owned();
            let Some(array_name) = name.strip_suffix(".npy") else {
                return Err(refused(format!("{} is no array", quoted(&name))).help("an archive of `numpy.savez`"));
            };
            let what = format!("{file}: {}", quoted(&name));
            let most = member.compressed_size().saturating_mul(bytes::DEFLATE_RATIO);
            let mut content = Vec::new();
            let limit = most.min(left);
            let read = member.take(limit.saturating_add(1)).read_to_end(&mut content);
            read.map_err(|error| Error::format(format!("{what} is damaged")).caused_by(error))?;
            if content.len() as u64 > limit {
                return Err(too_large(&format!("{what} goes on after {limit} bytes"), self.max_bytes));
            }
            left -= content.len() as u64;
            arrays.push((array_name.to_string(), array(&what, &content)?));
        }
        Ok(arrays)
    }
}

/// The bytes of the file that [`write_npy`] writes.
///
/// # Errors
/// A tensor of bf16, which NumPy does not have.
pub fn npy_bytes(tensor: &Tensor) -> Result<Vec<u8>> {
    let kind = match tensor.dtype() {
        DType::F64 => "<f8",
        DType::F32 => "<f4",
        DType::F16 => "<f2",
        DType::I64 => "<i8",
        DType::I32 => "<i4",
        DType::U8 => "|u1",
        DType::Bool => "|b1",
        DType::BF16 => {
            return Err(Error::dtype("NumPy has no bf16").help("convert first: .cast(DType::F32)"));
        }
    };
    let sizes: Vec<String> = tensor.shape().iter().map(usize::to_string).collect();
    let comma = if sizes.len() == 1 { "," } else { "" };
    let mut text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({}{comma}), }}", sizes.join(", "));
    // The elements begin at a multiple of 64, so that they can be mapped into memory.
    let front = MAGIC.len() + 4;
    text.push_str(&" ".repeat((64 - (front + text.len() + 1) % 64) % 64));
    text.push('\n');
    let length = u16::try_from(text.len()).map_err(|_| Error::shape(format!("{} axes are too many", tensor.rank())))?;
    let mut bytes = [MAGIC, &[1, 0], &length.to_le_bytes(), text.as_bytes()].concat();
    bytes.extend(tensor.to_le_bytes()?);
    Ok(bytes)
}

fn npz_bytes(arrays: &[(String, Tensor)], method: CompressionMethod) -> Result<Vec<u8>> {
    let mut names = std::collections::HashSet::new();
    if let Some((name, _)) = arrays.iter().find(|(name, _)| !names.insert(name)) {
        return Err(Error::value(format!("two arrays have the name {}", quoted(name))));
    }
    let failed = |error: zip::result::ZipError| Error::io("the archive cannot be written").caused_by(error);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, tensor) in arrays {
        let bytes = npy_bytes(tensor)?;
        let options = options.large_file(bytes.len() as u64 >= u64::from(u32::MAX));
        writer.start_file(format!("{name}.npy"), options).map_err(failed)?;
        let written = writer.write_all(&bytes);
        written.map_err(|error| Error::io("the archive cannot be written").caused_by(error))?;
    }
    Ok(writer.finish().map_err(failed)?.into_inner())
}

fn array(file: &str, bytes: &[u8]) -> Result<Tensor> {
    let refused = |what: String| Error::format(format!("{file}: {what}"));
    let Some(rest) = bytes.strip_prefix(MAGIC) else {
        return Err(refused("is no .npy file: it does not begin with its magic".into()));
    };
    let cut = || refused("ends inside of its header".into());
    let (text, data) = match rest {
        [1, _, rest @ ..] => {
            let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
            rest.split_at_checked(u16::from_le_bytes(*length).into()).ok_or_else(cut)?
        }
        [2 | 3, _, rest @ ..] => {
            let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
            rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(cut)?
        }
        [version, _, ..] => return Err(refused(format!("version {version} is not read"))),
        _ => return Err(cut()),
    };
    let Header { descr, fortran, shape } = Header::parse(text).map_err(&refused)?;
    let (kind, big_endian) = element(&descr).map_err(|error| error.operand("file", file))?;
    let size = product(&shape).and_then(|count| count.checked_mul(kind.size()));
    if size != Some(data.len()) {
        let wanted = size.map_or("more than there can be".to_string(), |size| format!("{size}"));
        return Err(refused(format!(
            "{} bytes of elements, and {shape:?} of {} take {wanted}",
            data.len(),
            quoted(&descr)
        ))
        .help(if size.is_some_and(|size| size < data.len()) {
            "are there several arrays in one file? `numpy.savez` keeps them apart"
        } else {
            "is the file cut off?"
        }));
    }
    let framed = |error: Error| refused(error.message().to_string()).caused_by(error);
    if !fortran {
        return bytes::tensor(data, &shape, kind, big_endian).map_err(framed);
    }
    // Columns first: the elements row by row are those of the axes turned round.
    let turned: Vec<usize> = shape.iter().rev().copied().collect();
    let axes: Vec<isize> = (0..shape.len() as isize).rev().collect();
    bytes::tensor(data, &turned, kind, big_endian)
        .and_then(|tensor| tensor.permute(&axes)?.contiguous())
        .map_err(framed)
}

/// What `<f8` means: the elements, and whether they are big endian.
fn element(descr: &str) -> Result<(Kind, bool)> {
    let unknown = || {
        Error::dtype(format!("elements {} are not read", quoted(descr)))
            .help("floats, integers and bools are; in Python: `array.astype('float32')`")
    };
    let (order, rest) = descr.split_at_checked(1).ok_or_else(unknown)?;
    let kind = match rest {
        "f2" => Kind::Float(2),
        "f4" => Kind::Float(4),
        "f8" => Kind::Float(8),
        "i1" => Kind::Signed(1),
        "i2" => Kind::Signed(2),
        "i4" => Kind::Signed(4),
        "i8" => Kind::Signed(8),
        "u1" => Kind::Unsigned(1),
        "u2" => Kind::Unsigned(2),
        "u4" => Kind::Unsigned(4),
        "u8" => Kind::Unsigned(8),
        "b1" => Kind::Bool,
        _ => return Err(unknown()),
    };
    match order {
        "<" => Ok((kind, false)),
        ">" => Ok((kind, true)),
        "|" if kind.size() == 1 => Ok((kind, false)),
        "=" => Ok((kind, cfg!(target_endian = "big"))),
        _ => Err(unknown()),
    }
}

#[cfg(test)]
mod tests;
