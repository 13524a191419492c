//! Files of `torch.save`: tensors, and nothing that runs.
//!
//! Such a file (since PyTorch 1.6, `.pt` or `.pth`) is a zip archive of uncompressed entries: `NAME/data.pkl`, a pickle
//! that says how the values fit together, and `NAME/data/KEY`, the elements of each storage. A pickle is a program that
//! may call whatever Python can import, so none is ever run here: a small machine (`pickle`) knows dicts, lists,
//! numbers, texts and the functions that make tensors, and any other name in a file is an error that says it.
//!
//! What is nested is read under its path: `{"model": state_dict, "epoch": 3}` has `model.0.weight` and `epoch`. Numbers
//! and texts are tensors too, of rank 0 (i64, f64, bool) and of u8; those in lists are left out. int8 and int16, which
//! do not exist here, become i32.
//!
//! Format: `torch/serialization.py` and `torch/_utils.py` of PyTorch, and Python's `pickletools`.

use super::archive::unreadable;
use super::store::{Store, quoted, unknown};
use crate::explain::framed;
use pickle::{Id, Node, Pickle, StorageRef, View};
use std::collections::HashMap;
use std::fmt::{self, Debug, Formatter};
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::panic::Location;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::layout::Layout;
use wengert_tensor::shape::Shape;
use wengert_tensor::storage::Storage;
use wengert_tensor::tensor::Tensor;
use zip::{CompressionMethod, ZipArchive};

/// Reads all tensors, numbers and texts of a file of `torch.save`.
///
/// ```
/// use wengert_nn::files::torch::read_torch;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/torch_checkpoint.pt");
/// // torch.save({"model": model.state_dict(), "epoch": 3}, path)
/// let values = read_torch(path)?;
/// let epoch = values.iter().find(|(name, _)| name == "epoch").map(|(_, value)| value.item::<i64>());
/// assert_eq!(epoch.transpose()?, Some(3));
/// # Ok(()) }
/// ```
///
/// # Errors
/// Those of [`TorchFile::open`], and `Io` or `Format` for a storage that cannot be read.
#[track_caller]
pub fn read_torch(path: impl AsRef<Path>) -> Result<Vec<(String, Tensor)>> {
    let here = Location::caller();
    let read = TorchFile::opened(path.as_ref()).and_then(|file| {
        file.entries.iter().map(|(name, leaf)| Ok((name.clone(), file.value(leaf)?))).collect::<Result<_>>()
    });
    read.map_err(|error| error.op("read_torch").at(here))
}

/// A file of `torch.save` whose pickle was read and whose tensors can be read by name.
pub struct TorchFile {
    file: String,
    zip: Mutex<Zip>,
    /// The folder within the archive.
    folder: String,
    /// Written on a machine of the other byte order.
    big_endian: bool,
    entries: Vec<(String, Leaf)>,
    by_name: HashMap<String, usize>,
    storages: Vec<StorageRef>,
    /// Storages of several tensors, as they are read.
    shared: Mutex<HashMap<usize, Option<Storage>>>,
}

type Zip = ZipArchive<Box<dyn ReadSeek + Send>>;

trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

/// A value that is no container.
#[derive(Clone, Debug)]
enum Leaf {
    Tensor(View),
    Other(Tensor),
}

impl TorchFile {
    /// Opens a file and reads its pickle.
    ///
    /// # Errors
    /// `Io` when it cannot be read; `Format` when it is damaged, was written before PyTorch 1.6, or asks for anything but
    /// tensors, dicts, lists, numbers and texts.
    #[track_caller]
    pub fn open(path: impl AsRef<Path>) -> Result<TorchFile> {
        framed("TorchFile::open", TorchFile::opened(path.as_ref()))
    }

    /// [`TorchFile::open`] for callers that frame the error themselves.
    pub(super) fn opened(path: &Path) -> Result<TorchFile> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| unreadable(&name, error))?;
        TorchFile::read(name, Box::new(BufReader::new(file)))
    }

    /// The same for bytes in memory; `name` stands for the file in errors.
    ///
    /// # Errors
    /// As [`TorchFile::open`].
    #[track_caller]
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Result<TorchFile> {
        framed("TorchFile::from_bytes", TorchFile::read(name.into(), Box::new(Cursor::new(bytes))))
    }

    fn read(file: String, mut reader: Box<dyn ReadSeek + Send>) -> Result<TorchFile> {
        let refused = |what: &str| Error::format(format!("{file}: {what}"));
        let mut begin = Vec::new();
        let begun = reader.by_ref().take(16).read_to_end(&mut begin).and_then(|_| reader.seek(SeekFrom::Start(0)));
        begun.map_err(|error| unreadable(&file, error))?;
        match begin.as_slice() {
            // A pickle of the number that the old format begins with.
            [0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, ..] => {
                return Err(refused("the format of torch.save before PyTorch 1.6 is not read")
                    .help("write it again in Python: `torch.save(torch.load(path), path)`"));
            }
            [0x80, 1..=5, ..] => {
                return Err(refused("a bare pickle, not a file of torch.save")
                    .help("save the weights: `torch.save(model.state_dict(), path)`"));
            }
            _ => {}
        }
        let mut zip = ZipArchive::new(reader).map_err(|error| refused(&format!("no zip archive: {error}")))?;
        let overlap = zip.has_overlapping_entries().map_err(|error| refused(&error.to_string()))?;
        if overlap || zip.has_duplicate_names() {
            return Err(refused("entries of the archive overlap or have one name"));
        }
        let names: Vec<String> = zip.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
        // As PyTorch has it: the archive lies in one folder, which is that of its first entry, and its pickle right below.
        let own = names.first().and_then(|name| name.split_once('/')).map_or("", |(folder, _)| folder);
        let folder = format!("{own}/");
        let pickles = || names.iter().filter_map(|name| name.strip_suffix("/data.pkl"));
        match pickles().any(|folder| folder == own) {
            true if pickles().filter(|folder| !folder.contains('/')).count() == 1 => {}
            true => return Err(refused("an archive with several `data.pkl`")),
            false => {
                return Err(refused("a zip archive without `data.pkl` in its own folder, not a file of torch.save"));
            }
        }
        if names.iter().any(|name| *name == format!("{folder}constants.pkl")) {
            return Err(refused("a TorchScript program, which cannot run here")
                .help("save the weights: `torch.save(model.state_dict(), path)`"));
        }
        let big_endian = match names.iter().any(|name| *name == format!("{folder}byteorder")) {
            false => false,
            true => match entry(&file, &mut zip, &format!("{folder}byteorder"))?.as_slice() {
                b"little" => false,
                b"big" => true,
                _ => return Err(refused("an unknown byte order")),
            },
        };
        let text = entry(&file, &mut zip, &format!("{folder}data.pkl"))?;
        let pickle = pickle::run(&file, &text)?;
        let entries = leaves(&file, &pickle, 16 * text.len() + (1 << 16))?;
        let by_name: HashMap<String, usize> =
            entries.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect();
        if by_name.len() != entries.len() {
            return Err(refused("two of its values have one name"));
        }
        let mut uses = HashMap::new();
        for (_, leaf) in &entries {
            if let Leaf::Tensor(view) = leaf {
                *uses.entry(view.storage).or_insert(0) += 1;
            }
        }
        let shared = uses.into_iter().filter(|&(_, count)| count > 1).map(|(storage, _)| (storage, None)).collect();
        let (storages, zip, shared) = (pickle.storages, Mutex::new(zip), Mutex::new(shared));
        Ok(TorchFile { file, zip, folder, big_endian, entries, by_name, storages, shared })
    }

    fn value(&self, leaf: &Leaf) -> Result<Tensor> {
        let view = match leaf {
            Leaf::Other(tensor) => return Ok(tensor.clone()),
            Leaf::Tensor(view) => view,
        };
        let about = self.storages.get(view.storage).ok_or_else(|| Error::state("a storage is not there"))?;
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let storage = match shared.get_mut(&view.storage) {
            Some(Some(storage)) => storage.clone(),
            Some(kept) => kept.insert(self.storage(about)?).clone(),
            None => self.storage(about)?,
        };
        let tensor = Tensor::from_parts(storage, about.kind.dtype, view.layout.clone())?;
        // A view of a part would keep all of it.
        match tensor.is_contiguous() && tensor.len() == about.len {
            true => Ok(tensor),
            false => copied(&tensor),
        }
    }

    /// Reads the elements that tensors are views of, all of them, so that the archive's checksum is compared.
    fn storage(&self, about: &StorageRef) -> Result<Storage> {
        let name = format!("{}data/{}", self.folder, about.key);
        let refused = |what: String| Error::format(format!("{}: {} {what}", self.file, quoted(&name)));
        let mut zip = self.zip.lock().unwrap_or_else(PoisonError::into_inner);
        let (stored, wide) = (about.kind.size, about.kind.dtype.size());
        let mut reader = stored_entry(&self.file, &mut zip, &name)?;
        let bytes = about.len.checked_mul(stored).filter(|&bytes| bytes as u64 == reader.size());
        let Some(bytes) = bytes else {
            let (len, size) = (about.len, reader.size());
            return Err(refused(format!("has {size} bytes, which are not {len} elements of {stored}")));
        };
        let mut storage = Storage::take(about.len * wide)?;
        if let Some(buffer) = storage.get_mut() {
            let all = buffer.bytes_mut();
            let (target, _) = all.split_at_mut(bytes.min(all.len()));
            let read = reader.read_exact(target).and_then(|()| io::copy(&mut reader, &mut io::sink()));
            read.map_err(|error| refused("cannot be read".into()).caused_by(error))?;
            if about.kind.dtype == DType::Bool && target.iter().any(|&byte| byte > 1) {
                return Err(refused("is bool and holds a byte that is neither 0 nor 1".into()));
            }
            if self.big_endian == cfg!(target_endian = "little") {
                target.chunks_exact_mut(stored.max(1)).for_each(<[u8]>::reverse);
            }
            if stored < wide {
                widen(all, stored);
            }
        }
        Ok(storage)
    }
}

impl Store for TorchFile {
    fn file(&self) -> &str {
        &self.file
    }

    /// The tensors alone: numbers and texts are no weights.
    fn names(&self) -> Vec<&str> {
        let tensors = self.entries.iter().filter(|(_, leaf)| matches!(leaf, Leaf::Tensor(_)));
        tensors.map(|(name, _)| name.as_str()).collect()
    }

    fn shape(&self, name: &str) -> Option<&Shape> {
        match self.entries.get(*self.by_name.get(name)?)? {
            (_, Leaf::Tensor(view)) => Some(view.layout.shape()),
            (_, Leaf::Other(tensor)) => Some(tensor.shape()),
        }
    }

    fn tensor(&self, name: &str) -> Result<Tensor> {
        match self.by_name.get(name).and_then(|&at| self.entries.get(at)) {
            Some((_, leaf)) => self.value(leaf),
            None => Err(unknown(&self.file, name, self.entries.iter().map(|(name, _)| name.as_str()))),
        }
    }
}

impl Debug for TorchFile {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "TorchFile({}, {} values)", self.file, self.entries.len())
    }
}

/// An entry as it lies in the file, which then is as large as it says.
fn stored_entry<'a>(
    file: &str,
    zip: &'a mut Zip,
    name: &str,
) -> Result<zip::read::ZipFile<'a, Box<dyn ReadSeek + Send>>> {
    let refused = |what: &dyn fmt::Display| Error::format(format!("{file}: {}: {what}", quoted(name)));
    let entry = zip.by_name(name).map_err(|error| refused(&error))?;
    match entry.compression() == CompressionMethod::Stored && entry.size() == entry.compressed_size() {
        true => Ok(entry),
        false => Err(refused(&"is compressed, which torch.save never does")),
    }
}

/// The bytes of a small entry.
fn entry(file: &str, zip: &mut Zip, name: &str) -> Result<Vec<u8>> {
    let mut entry = stored_entry(file, zip, name)?;
    let mut bytes = Vec::new();
    match entry.read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(Error::format(format!("{file}: {} cannot be read", quoted(name))).caused_by(error)),
    }
}

/// The values that are no containers, under their paths, in the order of the pickle. A dict may lie in many others, so
/// that the list of them alone could fill the memory: it may have `budget` bytes.
fn leaves(file: &str, pickle: &Pickle, mut budget: usize) -> Result<Vec<(String, Leaf)>> {
    const DEEPEST: usize = 64;
    let refused = |what: &str| Error::format(format!("{file}: {what}"));
    let spend = |budget: &mut usize, name: &str| match budget.checked_sub(name.len() + 48) {
        Some(left) => {
            *budget = left;
            Ok(())
        }
        None => Err(refused("its values are nested too often in one another")),
    };
    let node = |id: Id| pickle.nodes.get(id as usize).unwrap_or(&Node::None);
    let mut found = Vec::new();
    let mut rest = vec![(String::new(), pickle.root, 0, false)];
    while let Some((name, id, depth, in_list)) = rest.pop() {
        if depth > DEEPEST {
            return Err(refused("its values are nested too deep"));
        }
        let below = |key: &str| if name.is_empty() { key.to_string() } else { format!("{name}.{key}") };
        let other = |tensor: Tensor| if in_list { None } else { Some(Leaf::Other(tensor)) };
        let leaf = match node(id) {
            Node::Tensor(view) => Some(Leaf::Tensor((**view).clone())),
            Node::Int(value) => other(Tensor::from(*value)),
            Node::Float(value) => other(Tensor::from(*value)),
            Node::Bool(value) => other(Tensor::from(*value)),
            Node::Text(text) if !in_list => Some(Leaf::Other(Tensor::from(text.as_bytes().to_vec()))),
            Node::List(items) => {
                for (at, &value) in items.iter().enumerate().rev() {
                    if matches!(node(value), Node::Tensor(_) | Node::List(_) | Node::Dict(_)) {
                        let name = below(&at.to_string());
                        spend(&mut budget, &name)?;
                        rest.push((name, value, depth + 1, true));
                    }
                }
                None
            }
            Node::Dict(pairs) => {
                for &(key, value) in pairs.iter().rev() {
                    let name = match node(key) {
                        Node::Text(text) => below(text),
                        Node::Int(number) => below(&number.to_string()),
                        _ => return Err(refused("a dict has a key that is neither text nor whole number")),
                    };
                    spend(&mut budget, &name)?;
                    rest.push((name, value, depth + 1, false));
                }
                None
            }
            _ => None,
        };
        found.extend(leaf.map(|leaf| (name, leaf)));
    }
    Ok(found)
}

/// The same elements in memory of their own, row by row.
fn copied(view: &Tensor) -> Result<Tensor> {
    let flat = view.contiguous()?;
    if !flat.storage().same(view.storage()) {
        return Ok(flat);
    }
    let bytes = super::archive::stored(&flat);
    let mut storage = Storage::take(bytes.len())?;
    if let Some(buffer) = storage.get_mut() {
        buffer.bytes_mut().copy_from_slice(bytes);
    }
    Tensor::from_parts(storage, flat.dtype(), Layout::contiguous(flat.shape().clone()))
}

/// Signed whole numbers of `size` bytes, at the front, become i32 in their place, from the last to the first.
fn widen(bytes: &mut [u8], size: usize) {
    for at in (0..bytes.len() / 4).rev() {
        let narrow = bytes.get(at * size..(at + 1) * size).unwrap_or_default();
        let wide = match *narrow {
            [a] => i32::from(i8::from_ne_bytes([a])),
            [a, b] => i32::from(i16::from_ne_bytes([a, b])),
            _ => 0,
        };
        if let Some(place) = bytes.get_mut(at * 4..at * 4 + 4) {
            place.copy_from_slice(&wide.to_ne_bytes());
        }
    }
}

mod pickle;
