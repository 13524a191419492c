//! Named tensors in one file.

use super::atomic::replace;
use super::store::{Store, quoted, unknown};
use crate::data::bytes::{self, Kind};
use crate::explain::framed;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use smallvec::SmallVec;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::ErrorKind::IsADirectory;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::layout::Layout;
use wengert_tensor::shape::Shape;
use wengert_tensor::storage::Storage;
use wengert_tensor::tensor::Tensor;

/// More axes than any tensor has; a header may ask for millions.
const MAX_RANK: usize = 32;

/// A longer header is refused, as the format's other readers do.
const MAX_HEADER: u64 = 100_000_000;

/// A safetensors file whose header was checked and whose tensors can be read by name.
///
/// The tensors stay in the file until they are asked for, and are then read straight into their memory.
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
    source: Source,
    /// In the order of the data.
    entries: Vec<Entry>,
    by_name: HashMap<String, usize>,
    metadata: BTreeMap<String, String>,
}

/// Where the bytes are.
#[derive(Clone, Debug)]
enum Source {
    Memory(Arc<Vec<u8>>),
    File(Arc<Mutex<File>>),
}

/// What the header says of one tensor, after it was checked.
#[derive(Clone, Debug)]
struct Entry {
    name: String,
    dtype: Dtype,
    shape: Shape,
    /// The first byte, in the file.
    start: u64,
    len: usize,
}

impl Archive {
    /// Reads the header of a file and checks it: every name once, at most 32 axes, sizes that do not overflow, data that
    /// lies aligned, side by side and within the file, to its last byte.
    ///
    /// # Errors
    /// `Io` when the file cannot be read, `Format` when a check fails.
    #[track_caller]
    pub fn open(path: impl AsRef<Path>) -> Result<Archive> {
        framed("Archive::open", Archive::opened(path.as_ref()))
    }

    /// [`Archive::open`] for callers that frame the error themselves.
    pub(super) fn opened(path: &Path) -> Result<Archive> {
        let opened = File::open(path).and_then(|file| if path.is_dir() { Err(IsADirectory.into()) } else { Ok(file) });
        let file = opened.map_err(|error| unreadable(&path.display().to_string(), error))?;
        Archive::from_file(path.display().to_string(), file)
    }

    pub(super) fn from_file(name: String, file: File) -> Result<Archive> {
        let length = file.metadata().map_err(|error| unreadable(&name, error))?.len();
        Archive::read(name, Source::File(Arc::new(Mutex::new(file))), length)
    }

    /// The same for bytes in memory; `name` stands for the file in errors.
    ///
    /// # Errors
    /// `Format` when a check fails.
    #[track_caller]
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Result<Archive> {
        let length = bytes.len() as u64;
        framed("Archive::from_bytes", Archive::read(name.into(), Source::Memory(Arc::new(bytes)), length))
    }

    fn read(file: String, source: Source, length: u64) -> Result<Archive> {
        let cut = || refused(&file, "the header is cut off").help("is it a safetensors file, and all of it?");
        let mut size = [0; 8];
        if length < 8 {
            return Err(cut());
        }
        source.read(0, &mut size).map_err(|error| unreadable(&file, error))?;
        let size = u64::from_le_bytes(size);
        if size > length - 8 {
            return Err(cut());
        }
        if size > MAX_HEADER {
            return Err(refused(&file, format!("a header of {size} bytes; at most {MAX_HEADER} are read")));
        }
        let mut text = vec![0; size as usize];
        source.read(8, &mut text).map_err(|error| unreadable(&file, error))?;
        // The reader quotes what it did not understand, whatever its length.
        let header: Header = serde_json::from_slice(&text).map_err(|error| {
            let what: String = error.to_string().chars().take(300).collect();
            refused(&file, format!("the header is no JSON of tensors: {what}"))
        })?;
        drop(text);
        let entries = placed(header.tensors, 8 + size, length).map_err(|what| refused(&file, what))?;
        let by_name = entries.iter().enumerate().map(|(at, entry)| (entry.name.clone(), at)).collect();
        Ok(Archive { file, source, entries, by_name, metadata: header.metadata })
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

    /// A text that lies beside the tensors.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// Reads one tensor. i8, i16 and u16, which do not exist here, become i32; u32 and u64 become i64.
    ///
    /// # Errors
    /// `Value` when there is none of this name, `Format` for a dtype that does not exist here, a bool that is neither
    /// 0 nor 1 or a number beyond the largest i64, `Io` when the file cannot be read any more.
    #[track_caller]
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        framed("Archive::tensor", self.taken(name))
    }

    /// [`Archive::tensor`] for callers that frame the error themselves.
    pub(super) fn taken(&self, name: &str) -> Result<Tensor> {
        let entry = self.entry(name).ok_or_else(|| unknown(&self.file, name, self.names()))?;
        let Some(dtype) = ours(entry.dtype) else {
            return self.widened(entry);
        };
        let mut storage = Storage::take(entry.len)?;
        if let Some(buffer) = storage.get_mut() {
            let bytes = buffer.bytes_mut();
            self.source.read(entry.start, bytes).map_err(|error| unreadable(&self.file, error))?;
            if dtype == DType::Bool && bytes.iter().any(|&byte| byte > 1) {
                let what = format!("{} is bool and holds a byte that is neither 0 nor 1", quoted(name));
                return Err(refused(&self.file, what));
            }
            swap(bytes, dtype.size());
        }
        Tensor::from_parts(storage, dtype, Layout::contiguous(entry.shape.clone()))
    }

    /// Whole numbers of a width that does not exist here.
    fn widened(&self, entry: &Entry) -> Result<Tensor> {
        let what = |what: &str| refused(&self.file, format!("{} is {:?}{what}", quoted(&entry.name), entry.dtype));
        let kind = wider(entry.dtype).ok_or_else(|| {
            what(", which has no counterpart").help("f64 f32 f16 bf16 i64 i32 i16 i8 u64 u32 u16 u8 bool can be read")
        })?;
        let mut bytes = vec![0; entry.len];
        self.source.read(entry.start, &mut bytes).map_err(|error| unreadable(&self.file, error))?;
        bytes::tensor(&bytes, entry.shape.dims(), kind, false)
            .map_err(|error| what(&format!(": {}", error.message())).caused_by(error))
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        self.by_name.get(name).and_then(|&at| self.entries.get(at))
    }
}

impl Store for Archive {
    fn file(&self) -> &str {
        Archive::file(self)
    }

    fn names(&self) -> Vec<&str> {
        Archive::names(self).collect()
    }

    fn shape(&self, name: &str) -> Option<&Shape> {
        Archive::shape(self, name)
    }

    fn tensor(&self, name: &str) -> Result<Tensor> {
        self.taken(name)
    }
}

impl Source {
    fn read(&self, start: u64, into: &mut [u8]) -> io::Result<()> {
        match self {
            Source::Memory(bytes) => {
                let start = usize::try_from(start).unwrap_or(usize::MAX);
                let from = bytes.get(start..).and_then(|rest| rest.get(..into.len()));
                into.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
            Source::File(file) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(start))?;
                file.read_exact(into)
            }
        }
    }
}

/// Writes named tensors into one safetensors file, whole or not at all.
///
/// # Errors
/// `Value` for a name that occurs twice, `Io` when the file cannot be written (an old one is then as it was).
#[track_caller]
pub fn write_tensors(path: impl AsRef<Path>, tensors: &[(String, Tensor)]) -> Result<()> {
    framed("write_tensors", written(path.as_ref(), tensors))
}

/// [`write_tensors`] for callers that frame the error themselves.
pub(crate) fn written(path: &Path, tensors: &[(String, Tensor)]) -> Result<()> {
    let draft = Draft::new(tensors, None)?;
    replace(path, |file| draft.write(file), |_| Ok(()))
}

/// The bytes of the file that [`write_tensors`] writes.
///
/// # Errors
/// `Value` for a name that occurs twice.
pub fn to_bytes(tensors: &[(String, Tensor)]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match Draft::new(tensors, None)?.write(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => Err(Error::io("the bytes cannot be written").caused_by(error)),
    }
}

/// A file that is ready to be written.
pub(super) struct Draft {
    header: String,
    data: Vec<Tensor>,
}

impl Draft {
    /// The largest elements first, then by name, as other writers of the format do: so all data is aligned.
    pub(super) fn new(tensors: &[(String, Tensor)], metadata: Option<(&str, String)>) -> Result<Draft> {
        let mut sorted: Vec<&(String, Tensor)> = tensors.iter().collect();
        sorted.sort_by(|(a, left), (b, right)| theirs(right.dtype()).cmp(&theirs(left.dtype())).then(a.cmp(b)));
        let mut seen = HashSet::new();
        if let Some((name, _)) = tensors.iter().find(|(name, _)| name == RESERVED || !seen.insert(name)) {
            let name = quoted(name);
            return Err(Error::value(format!("{name} cannot be the name of two tensors, nor `{RESERVED}` of one")));
        }
        let mut data = Vec::with_capacity(sorted.len());
        let (mut infos, mut end) = (Vec::with_capacity(sorted.len()), 0);
        for (name, tensor) in sorted {
            let start = end;
            end += tensor.len() * tensor.dtype().size();
            let shape = tensor.shape().dims().to_vec();
            let info = TensorInfo { dtype: theirs(tensor.dtype()), shape, data_offsets: (start, end) };
            infos.push((name.clone(), info));
            data.push(flat(tensor)?);
        }
        let texts = metadata.map(|(key, text)| HashMap::from([(key.to_string(), text)]));
        let metadata = Metadata::new(texts, infos).map_err(|error| Error::state(error.to_string()))?;
        let mut header = serde_json::to_string(&metadata).map_err(|error| Error::state(error.to_string()))?;
        // The data begins at a multiple of 8.
        header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
        if header.len() as u64 > MAX_HEADER {
            return Err(Error::value(format!("names that need a header of more than {MAX_HEADER} bytes")));
        }
        Ok(Draft { header, data })
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        // Small tensors need no call of the system each; large ones pass the buffer by.
        let mut out = BufWriter::with_capacity(1 << 16, out);
        out.write_all(&(self.header.len() as u64).to_le_bytes())?;
        out.write_all(self.header.as_bytes())?;
        self.data.iter().try_for_each(|tensor| out.write_all(stored(tensor)))?;
        out.flush()
    }
}

/// The key of the texts beside the tensors.
const RESERVED: &str = "__metadata__";

/// The header as it is written; each name occurs once.
#[derive(Default)]
struct Header {
    metadata: BTreeMap<String, String>,
    tensors: Vec<(String, Info)>,
}

/// A [`TensorInfo`] whose shape cannot be long.
#[derive(serde::Deserialize)]
struct Info {
    dtype: Dtype,
    shape: Dims,
    data_offsets: (usize, usize),
}

struct Dims(SmallVec<[usize; 4]>);

impl<'de> Deserialize<'de> for Dims {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Dims, D::Error> {
        struct Sizes;
        impl<'de> Visitor<'de> for Sizes {
            type Value = Dims;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of sizes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Dims, A::Error> {
                let mut dims = SmallVec::new();
                while let Some(size) = list.next_element()? {
                    if dims.len() == MAX_RANK {
                        return Err(A::Error::custom(format!("a tensor has more than {MAX_RANK} axes")));
                    }
                    dims.push(size);
                }
                Ok(Dims(dims))
            }
        }
        from.deserialize_seq(Sizes)
    }
}

/// Read entry by entry: what is kept grows no faster than the text.
impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Header, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let (mut header, mut seen) = (Header::default(), HashSet::new());
                while let Some(name) = map.next_key::<String>()? {
                    if !seen.insert(name.clone()) {
                        return Err(A::Error::custom(format!("{} is named twice", quoted(&name))));
                    }
                    if name == RESERVED {
                        header.metadata = map.next_value::<Option<_>>()?.unwrap_or_default();
                        continue;
                    }
                    header.tensors.push((name, map.next_value()?));
                }
                Ok(header)
            }
        }
        from.deserialize_map(Entries)
    }
}

/// The entries in the order of their data, which begins at `base` and must fill the file.
fn placed(mut tensors: Vec<(String, Info)>, base: u64, length: u64) -> Result<Vec<Entry>, String> {
    tensors.sort_by(|(a, left), (b, right)| left.data_offsets.cmp(&right.data_offsets).then(a.cmp(b)));
    let mut entries = Vec::with_capacity(tensors.len());
    let mut end = 0;
    for (name, info) in tensors {
        let wrong = |what: String| format!("{}: {what}", quoted(&name));
        let shape = Shape::new(info.shape.0.as_slice()).map_err(|error| wrong(error.message().into()))?;
        let size = shape.len().checked_mul(info.dtype.bitsize()).filter(|bits| bits % 8 == 0).map(|bits| bits / 8);
        let size = size.ok_or_else(|| wrong(format!("{shape} of {:?} has no size in bytes", info.dtype)))?;
        let (from, to) = info.data_offsets;
        if from != end {
            return Err(wrong(format!("its offset is {from}, but the data before it ends at {end}")));
        }
        if to.checked_sub(from) != Some(size) {
            return Err(wrong(format!("bytes {from} to {to} are not the {size} of {shape} {:?}", info.dtype)));
        }
        end = to;
        if let Some(dtype) = ours(info.dtype)
            && from % dtype.size() != 0
        {
            return Err(wrong(format!("its data starts at byte {from}, which is not aligned for {dtype}")));
        }
        let start = base.checked_add(from as u64).ok_or_else(|| wrong(format!("an offset of {from} bytes")))?;
        entries.push(Entry { name, dtype: info.dtype, shape, start, len: size });
    }
    match length - base {
        data if data == end as u64 => Ok(entries),
        data if data < end as u64 => Err(format!("it is cut off: {end} bytes of data are named, {data} are there")),
        data => Err(format!("{} bytes at its end belong to no tensor", data - end as u64)),
    }
}

fn refused(file: &str, what: impl fmt::Display) -> Error {
    Error::format(format!("{file}: {what}"))
}

pub(super) fn unreadable(file: &str, error: io::Error) -> Error {
    Error::io(format!("{file} cannot be read")).caused_by(error)
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

/// What becomes the next wider dtype: i8 and i16 an i32, u16 an i32, u32 and u64 an i64.
fn wider(dtype: Dtype) -> Option<Kind> {
    Some(match dtype {
        Dtype::I8 => Kind::Signed(1),
        Dtype::I16 => Kind::Signed(2),
        Dtype::U16 => Kind::Unsigned(2),
        Dtype::U32 => Kind::Unsigned(4),
        Dtype::U64 => Kind::Unsigned(8),
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

/// The same elements, row by row and little-endian; a tensor that lies so already is not copied.
pub(super) fn flat(tensor: &Tensor) -> Result<Tensor> {
    let tensor = tensor.contiguous()?;
    if cfg!(target_endian = "little") {
        return Ok(tensor);
    }
    let mut storage = Storage::take(stored(&tensor).len())?;
    if let Some(buffer) = storage.get_mut() {
        buffer.bytes_mut().copy_from_slice(stored(&tensor));
        swap(buffer.bytes_mut(), tensor.dtype().size());
    }
    Tensor::from_parts(storage, tensor.dtype(), Layout::contiguous(tensor.shape().clone()))
}

/// The bytes of a tensor that lies row by row.
pub(super) fn stored(tensor: &Tensor) -> &[u8] {
    let size = tensor.dtype().size();
    let start = tensor.layout().offset() * size;
    tensor.storage().bytes().get(start..start + tensor.len() * size).unwrap_or_default()
}

/// Files are little-endian; a big-endian machine turns every element round.
fn swap(bytes: &mut [u8], size: usize) {
    if cfg!(target_endian = "big") {
        bytes.chunks_exact_mut(size.max(1)).for_each(<[u8]>::reverse);
    }
}

#[cfg(test)]
mod tests;
