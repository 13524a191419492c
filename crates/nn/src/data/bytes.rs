//! Reads files that nothing is known of: whole, and never more than a limit.

use crate::explain::framed;
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use wengert_tensor::error::{Error, Result};

/// What a reader takes at most, unless it is told otherwise: 4 GiB.
pub(super) const MAX_BYTES: u64 = 4 << 30;

/// A reader whose one setting is how much it takes.
macro_rules! limited {
    ($(#[$doc:meta])* $reader:ident, $(#[$limit:meta])*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $reader {
            max_bytes: u64,
        }

        impl Default for $reader {
            fn default() -> $reader {
                $reader::new()
            }
        }

        impl $reader {
            /// Takes up to 4 GiB.
            pub fn new() -> $reader {
                $reader { max_bytes: $crate::data::bytes::MAX_BYTES }
            }

            $(#[$limit])*
            #[must_use]
            pub fn max_bytes(mut self, bytes: u64) -> Self {
                self.max_bytes = bytes;
                self
            }
        }
    };
}
pub(super) use limited;

/// What `parse` makes of the name and the bytes of a file, for the reader that is called `op`.
#[track_caller]
pub(super) fn open<T>(
    op: &'static str,
    path: impl AsRef<Path>,
    max_bytes: u64,
    parse: impl FnOnce(&str, &[u8]) -> Result<T>,
) -> Result<T> {
    let path = path.as_ref();
    framed(op, read(path, max_bytes).and_then(|bytes| parse(&path.display().to_string(), &bytes)))
}

/// Deflate cannot shrink anything to less than one byte of 1032.
pub(super) const DEFLATE_RATIO: u64 = 1032;

/// The bytes of a file that has at most so many.
pub(super) fn read(path: &Path, max_bytes: u64) -> Result<Vec<u8>> {
    let name = path.display();
    let failed = |error: std::io::Error| Error::io(format!("{name} cannot be read")).caused_by(error);
    let file = File::open(path).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    if meta.is_dir() {
        return Err(Error::io(format!("{name} is a folder")));
    }
    if meta.len() > max_bytes {
        return Err(too_large(&format!("{name} has {} bytes", meta.len()), max_bytes));
    }
    // A pipe has no length, and a file may grow while it is read.
    let mut bytes = Vec::new();
    let limit = max_bytes.saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() as u64 > max_bytes {
        true => Err(too_large(&format!("{name} goes on after {max_bytes} bytes"), max_bytes)),
        false => Ok(bytes),
    }
}

pub(super) fn too_large(what: &str, limit: u64) -> Error {
    Error::data(format!("{what}, the limit is {limit}")).help("`max_bytes` raises the limit")
}

/// Whether these are the bytes of a gzip file.
pub(super) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// A gzip file whose header says how much is in it, so that no more than that is unpacked.
pub(super) fn unpack(
    name: &str,
    bytes: &[u8],
    mut size_of: impl FnMut(&[u8]) -> Result<Option<u64>>,
) -> Result<Vec<u8>> {
    let torn = |error: std::io::Error| Error::format(format!("{name} is no whole gzip file")).caused_by(error);
    let most = (bytes.len() as u64).saturating_mul(DEFLATE_RATIO);
    let mut reader = MultiGzDecoder::new(bytes);
    let mut out = Vec::new();
    // Byte by byte until the header is complete; it is short.
    let size = loop {
        if let Some(size) = size_of(&out)? {
            break size;
        }
        if reader.by_ref().take(1).read_to_end(&mut out).map_err(torn)? == 0 {
            return Err(Error::format(format!("{name} ends inside of its header")));
        }
    };
    if size > most {
        return Err(Error::format(format!("{name} says that {} bytes hold {size}", bytes.len())));
    }
    let rest = size.saturating_sub(out.len() as u64);
    // One byte more finds out whether there is more.
    reader.take(rest.saturating_add(1)).read_to_end(&mut out).map_err(torn)?;
    Ok(out)
}

/// The product of the sizes, where it can be counted.
pub(super) fn product(sizes: &[usize]) -> Option<usize> {
    sizes.iter().filter(|&&size| size > 0).try_fold(1usize, |product, &size| product.checked_mul(size))?;
    Some(sizes.iter().product())
}

/// What a file says that is no text of ours, fit to be printed.
pub(super) fn quoted(text: &str) -> String {
    let long = text.chars().count() > 60;
    let short: String = text.chars().take(if long { 57 } else { 60 }).collect();
    format!("`{}{}`", short.escape_debug(), if long { "..." } else { "" })
}

/// Elements of a file as a format describes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Signed(usize),
    Unsigned(usize),
    Float(usize),
}

impl Kind {
    /// The bytes of one.
    pub(super) fn size(self) -> usize {
        match self {
            Kind::Bool => 1,
            Kind::Signed(size) | Kind::Unsigned(size) | Kind::Float(size) => size,
        }
    }
}

/// A tensor of these bytes, which are as many as the shape takes. What has no dtype of its own becomes the next wider one.
pub(crate) fn tensor(
    bytes: &[u8],
    shape: &[usize],
    kind: Kind,
    big_endian: bool,
) -> Result<wengert_tensor::tensor::Tensor> {
    use wengert_tensor::dtype::DType;
    use wengert_tensor::tensor::Tensor;

    let same = |dtype: DType| match big_endian && kind.size() > 1 {
        false => Tensor::from_le_bytes(bytes, shape, dtype),
        true => {
            let mut turned = bytes.to_vec();
            turned.chunks_exact_mut(kind.size()).for_each(<[u8]>::reverse);
            Tensor::from_le_bytes(&turned, shape, dtype)
        }
    };
    // A number of up to 8 bytes, filled up by zeros or by its sign.
    let whole = |bytes: &[u8], signed: bool| -> u64 {
        let mut value = 0u64;
        let mut add = |&byte: &u8| value = value << 8 | u64::from(byte);
        if big_endian {
            bytes.iter().for_each(&mut add)
        } else {
            bytes.iter().rev().for_each(&mut add)
        }
        let unused = 64 - 8 * bytes.len().clamp(1, 8) as u32;
        if signed { ((value << unused) as i64 >> unused) as u64 } else { value }
    };
    let elements = bytes.chunks_exact(kind.size().max(1));
    match kind {
        Kind::Bool => same(DType::Bool),
        Kind::Unsigned(1) => same(DType::U8),
        Kind::Signed(4) => same(DType::I32),
        Kind::Signed(8) => same(DType::I64),
        Kind::Float(2) => same(DType::F16),
        Kind::Float(4) => same(DType::F32),
        Kind::Float(8) => same(DType::F64),
        Kind::Signed(_) => Tensor::new(elements.map(|e| whole(e, true) as i32).collect::<Vec<_>>(), shape),
        Kind::Unsigned(2) => Tensor::new(elements.map(|e| whole(e, false) as i32).collect::<Vec<_>>(), shape),
        Kind::Unsigned(_) => {
            let values = elements.map(|e| i64::try_from(whole(e, false)).ok()).collect::<Option<Vec<i64>>>();
            let values = values.ok_or_else(|| Error::data("an unsigned number is beyond the largest i64"))?;
            Tensor::new(values, shape)
        }
        Kind::Float(size) => Err(Error::dtype(format!("floats of {size} bytes have no counterpart"))),
    }
}
