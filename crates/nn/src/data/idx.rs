//! The IDX format, in which [MNIST](http://yann.lecun.com/exdb/mnist/) and its kin come; plain, or packed by gzip.
//!
//! Two bytes 0, a code of the elements, the number of axes, the size of each axis as a big-endian u32, and the elements,
//! big-endian and row by row. Codes: `08` u8, `09` i8, `0b` i16, `0c` i32, `0d` f32, `0e` f64; i8 and i16 become i32.

use super::bytes::{self, Kind, is_gzip, limited, product, too_large};
use super::transform::Transform;
use super::transform::convert::ToFloat;
use crate::explain::framed;
use std::path::{Path, PathBuf};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

/// Reads one file, of at most 4 GiB unpacked; [`IdxReader`] has the limit.
///
/// ```
/// use wengert_nn::data::idx::read_idx;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let path = std::env::temp_dir().join(format!("wengert-doc-idx-{}", std::process::id()));
/// std::fs::write(&path, [0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]).ok();
/// assert_eq!(read_idx(&path)?.to_vec::<u8>()?, [7, 8, 9]);
/// # std::fs::remove_file(&path).ok();
/// # Ok(()) }
/// ```
///
/// # Errors
/// `Io` for a file that cannot be read; `Format` for one that is no IDX file or has fewer or more elements than it says;
/// `Data` for one beyond the limit.
#[track_caller]
pub fn read_idx(path: impl AsRef<Path>) -> Result<Tensor> {
    IdxReader::new().read(path)
}

limited! {
    /// How to read a file; a builder.
    IdxReader,
    /// Refuses a larger file, and one that says that it unpacks to more.
}

impl IdxReader {
    /// The elements of a file.
    ///
    /// # Errors
    /// Those of [`read_idx`].
    #[track_caller]
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Tensor> {
        framed("read_idx", self.file(path.as_ref()))
    }

    fn file(&self, path: &Path) -> Result<Tensor> {
        self.array(&path.display().to_string(), &bytes::read(path, self.max_bytes)?)
    }

    /// The elements of bytes in memory; `name` stands for the file in errors.
    ///
    /// # Errors
    /// Those of [`read_idx`].
    #[track_caller]
    pub fn parse(&self, name: &str, bytes: &[u8]) -> Result<Tensor> {
        framed("read_idx", self.array(name, bytes))
    }

    fn array(&self, name: &str, bytes: &[u8]) -> Result<Tensor> {
        let refused = |what: &str| Error::format(format!("{name} {what}"));
        let unpacked = match is_gzip(bytes) {
            false => None,
            true => Some(bytes::unpack(name, bytes, |start| {
                let size = Header::parse(start).map_err(|what| refused(&what))?.map(|header| header.bytes);
                match size {
                    Some(size) if size > self.max_bytes => {
                        Err(too_large(&format!("{name} says that it holds {size} bytes"), self.max_bytes))
                    }
                    size => Ok(size),
                }
            })?),
        };
        let bytes = unpacked.as_deref().unwrap_or(bytes);
        let header = Header::parse(bytes).map_err(|what| refused(&what))?;
        let header = header.ok_or_else(|| refused("ends inside of its header"))?;
        if header.bytes != bytes.len() as u64 {
            let (wanted, have) = (header.bytes, bytes.len() as u64);
            let text = format!("{name}: {:?} {:?} take {wanted} bytes", header.shape, header.kind);
            return Err(match have < wanted {
                true => Error::format(format!("{text}, there are {have}")).help("is the file cut off?"),
                false => Error::format(format!("{text}, there are more")),
            });
        }
        let elements = bytes.get(header.start..).unwrap_or(&[]);
        bytes::tensor(elements, &header.shape, header.kind, true)
            .map_err(|error| Error::format(format!("{name}: {}", error.message())).caused_by(error))
    }
}

struct Header {
    kind: Kind,
    shape: Vec<usize>,
    /// Where the elements begin.
    start: usize,
    /// The bytes of the whole file.
    bytes: u64,
}

impl Header {
    /// `None` where more bytes are needed.
    fn parse(bytes: &[u8]) -> Result<Option<Header>, String> {
        if bytes.iter().take(2).any(|&byte| byte != 0) {
            return Err("is no IDX file: it does not begin with two zeros".into());
        }
        let &[_, _, code, rank, ref rest @ ..] = bytes else {
            return Ok(None);
        };
        let kind = match code {
            0x08 => Kind::Unsigned(1),
            0x09 => Kind::Signed(1),
            0x0b => Kind::Signed(2),
            0x0c => Kind::Signed(4),
            0x0d => Kind::Float(4),
            0x0e => Kind::Float(8),
            _ => return Err(format!("is no IDX file: no elements have the code {code:#04x}")),
        };
        let rank = usize::from(rank);
        let Some(sizes) = rest.get(..4 * rank) else {
            return Ok(None);
        };
        let sizes = sizes.as_chunks::<4>().0;
        let shape: Vec<usize> = sizes.iter().map(|&size| u32::from_be_bytes(size) as usize).collect();
        let start = 4 + 4 * rank;
        let bytes = product(&shape).and_then(|count| count.checked_mul(kind.size())?.checked_add(start));
        let bytes = bytes.ok_or_else(|| format!("says that it holds {shape:?} elements, more than there can be"))?;
        Ok(Some(Header { kind, shape, start, bytes: bytes as u64 }))
    }
}

/// MNIST or a data set of the same files, such as Fashion-MNIST, in memory.
///
/// ```no_run
/// use wengert_nn::data::idx::Mnist;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mnist = Mnist::read("data/mnist")?;
/// let (images, labels) = &mnist.train;
/// assert_eq!(images.shape().dims(), [60_000, 1, 28, 28]);
/// assert_eq!(labels.shape().dims(), [60_000]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Mnist {
    /// Images `[samples, 1, height, width]` f32 in `[0, 1]`, and labels `[samples]` i64.
    pub train: (Tensor, Tensor),
    /// The same for the test.
    pub test: (Tensor, Tensor),
}

impl Mnist {
    /// The four files of a folder under their usual names, `train-images-idx3-ubyte` or `train-images.idx3-ubyte`, with
    /// `.gz` or without.
    ///
    /// # Errors
    /// A file that is not there, and those of [`read_labelled`].
    #[track_caller]
    pub fn read(folder: impl AsRef<Path>) -> Result<Mnist> {
        let folder = folder.as_ref();
        let part = |name: &str| -> Result<(Tensor, Tensor)> {
            let images = find(folder, &format!("{name}-images"), "idx3-ubyte")?;
            labelled(&images, &find(folder, &format!("{name}-labels"), "idx1-ubyte")?)
        };
        let read = || Ok(Mnist { train: part("train")?, test: part("t10k")? });
        framed("Mnist::read", read())
    }
}

/// Images `[samples, 1, height, width]` f32 in `[0, 1]` and labels `[samples]` i64 of two files.
///
/// # Errors
/// Those of [`read_idx`]; `Format` for images that are not `[samples, height, width]` u8, labels that are not `[samples]`
/// u8, or another number of them.
#[track_caller]
pub fn read_labelled(images: impl AsRef<Path>, labels: impl AsRef<Path>) -> Result<(Tensor, Tensor)> {
    framed("read_labelled", labelled(images.as_ref(), labels.as_ref()))
}

fn labelled(images_path: &Path, labels_path: &Path) -> Result<(Tensor, Tensor)> {
    let reader = IdxReader::new();
    let (images, labels) = (reader.file(images_path)?, reader.file(labels_path)?);
    let wrong = |path: &Path, what: &str, found: &Tensor| {
        Error::format(format!("{} holds {} {}, not {what}", path.display(), found.shape(), found.dtype()))
    };
    let &[samples, height, width] = images.shape().dims() else {
        return Err(wrong(images_path, "images [samples, height, width] u8", &images));
    };
    if images.dtype() != DType::U8 {
        return Err(wrong(images_path, "images [samples, height, width] u8", &images));
    }
    if labels.rank() != 1 || labels.dtype() != DType::U8 {
        return Err(wrong(labels_path, "labels [samples] u8", &labels));
    }
    if labels.len() != samples {
        let text = format!("{samples} images in {}", images_path.display());
        return Err(Error::format(format!("{text}, {} labels in {}", labels.len(), labels_path.display())));
    }
    let images = images.reshape([samples, 1, height, width])?;
    Ok((ToFloat.apply(&images, &[])?, labels.cast(DType::I64)?))
}

fn find(folder: &Path, name: &str, kind: &str) -> Result<PathBuf> {
    let spellings = [format!("{name}-{kind}"), format!("{name}.{kind}")];
    let candidates = spellings.iter().flat_map(|name| [name.clone(), format!("{name}.gz")]);
    candidates.map(|name| folder.join(name)).find(|path| path.is_file()).ok_or_else(|| {
        Error::io(format!("{} has no file `{}`", folder.display(), spellings[0])).help("the name may end in `.gz`")
    })
}

#[cfg(test)]
mod tests;
