//! Checkpoints: the state of a run in one file, and a folder of them that survives a crash at any moment.
//!
//! A checkpoint is a [safetensors](https://github.com/huggingface/safetensors) file, so that every reader of the format
//! opens it. Its metadata has one text, `checkpoint`, a JSON object:
//!
//! ```json
//! {"digest": "xxh3-128", "tensors": [["model/0.weight", "6c0b…"], …], "version": 1}
//! ```
//!
//! It lists all tensors in the order in which they were given, each with the digest of its name, dtype, shape and bytes.
//! XXH3 is read at the speed of memory; its 128 bits find any accident. They are no seal against a forger, who could
//! write digests of his own.
//!
//! A save writes a temporary file beside the new one, forces it to disk, reads it back and compares the digests, renames
//! it, and forces the folder to disk. An old checkpoint is removed only by [`Checkpoints::remove_but`], after that.
//! (Pillai et al., *All File Systems Are Not Created Equal*, OSDI 2014, on why each of these steps is there.)

use super::archive::{Archive, Draft, flat, stored};
use super::atomic::{replace, sweep, sync_folder};
use super::store::quoted;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::{self, Debug, Formatter};
use std::fs;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;
use xxhash_rust::xxh3::Xxh3Default;

/// Writes a list of named tensors with a digest for each, whole or not at all, and verifies what was written.
///
/// ```
/// use wengert_nn::files::checkpoint::{read_checkpoint, write_checkpoint};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let path = std::env::temp_dir().join(format!("wengert-doc-checkpoint-{}.safetensors", std::process::id()));
/// let state = vec![("model/weight".to_string(), Tensor::from([1.0f32, 2.0])), ("train/epoch".to_string(), Tensor::from(3i64))];
/// write_checkpoint(&path, &state)?;
/// let read = read_checkpoint(&path)?;
/// assert_eq!(read[1].0, "train/epoch");
/// assert_eq!(read[1].1.item::<i64>()?, 3);
/// # std::fs::remove_file(&path).ok();
/// # Ok(()) }
/// ```
///
/// # Errors
/// `Value` for a name that occurs twice; `Io` when the file cannot be written, `Data` when the disk gives back other
/// bytes than it was given. An old file is then as it was.
#[track_caller]
pub fn write_checkpoint(path: impl AsRef<Path>, state: &[(String, Tensor)]) -> Result<()> {
    let here = Location::caller();
    write(path.as_ref(), state).map_err(|error| error.op("write_checkpoint").at(here))
}

/// Reads the tensors that [`write_checkpoint`] was given, in their order, if every one is whole.
///
/// # Errors
/// `Io` for a file that cannot be read; `Format` for one that is no checkpoint, is cut off, or has a tensor whose digest
/// differs.
#[track_caller]
pub fn read_checkpoint(path: impl AsRef<Path>) -> Result<Vec<(String, Tensor)>> {
    let here = Location::caller();
    Archive::opened(path.as_ref())
        .and_then(|archive| read(&archive))
        .map_err(|error| error.op("read_checkpoint").at(here))
}

/// A folder of checkpoints, `step-000000123.safetensors`, of which the newest whole one wins.
///
/// Several processes may read it; temporary files that dead processes left behind are removed when it is opened.
///
/// ```
/// use wengert_nn::files::checkpoint::Checkpoints;
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let folder = std::env::temp_dir().join(format!("wengert-doc-checkpoints-{}", std::process::id()));
/// let checkpoints = Checkpoints::open(&folder)?;
/// assert!(checkpoints.newest()?.is_none());
/// for step in [100, 200, 300] {
///     checkpoints.save(step, &[("train/step".to_string(), Tensor::from(step as i64))])?;
/// }
/// assert_eq!(checkpoints.remove_but(&[300])?, [100]);      // two whole ones always stay
///
/// // A crash of the machine may leave anything behind.
/// std::fs::write(checkpoints.path(300), b"half of a file").expect("a file may be written");
/// let newest = checkpoints.newest()?.expect("one is whole");
/// assert_eq!((newest.step, newest.damaged.len()), (200, 1));
/// # std::fs::remove_dir_all(&folder).ok();
/// # Ok(()) }
/// ```
pub struct Checkpoints {
    folder: PathBuf,
    /// What was whole when it was last looked at, by step.
    whole: Mutex<BTreeMap<u64, Stamp>>,
}

/// The newest checkpoint that is whole.
#[derive(Clone, Debug)]
pub struct Found {
    /// The step that it was saved at.
    pub step: u64,
    /// The file.
    pub path: PathBuf,
    /// What was saved.
    pub state: Vec<(String, Tensor)>,
    /// Newer ones that were passed over, the newest first.
    pub damaged: Vec<Damaged>,
}

/// A checkpoint that is not whole.
#[derive(Clone, Debug)]
pub struct Damaged {
    /// The step in its name.
    pub step: u64,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub error: Error,
}

impl Checkpoints {
    /// Opens a folder, which is made if there is none.
    ///
    /// # Errors
    /// `Io` when it is a file, or cannot be made or read.
    #[track_caller]
    pub fn open(folder: impl AsRef<Path>) -> Result<Checkpoints> {
        let folder = folder.as_ref().to_path_buf();
        let here = Location::caller();
        fs::create_dir_all(&folder)
            .map_err(|error| self::folder(&folder, "be made", error))
            .and_then(|()| steps(&folder))
            .map_err(|error| error.op("Checkpoints").at(here))?;
        sweep(&folder, |name| step_of(name).is_some());
        Ok(Checkpoints { folder, whole: Mutex::default() })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of a step, whether it exists or not.
    pub fn path(&self, step: u64) -> PathBuf {
        self.folder.join(name_of(step))
    }

    /// Saves a state; one of the same step is replaced.
    ///
    /// # Errors
    /// Those of [`write_checkpoint`].
    #[track_caller]
    pub fn save(&self, step: u64, state: &[(String, Tensor)]) -> Result<PathBuf> {
        let (path, here) = (self.path(step), Location::caller());
        write(&path, state).map_err(|error| error.op("save").at(here))?;
        self.remember(step, stamp(&path));
        Ok(path)
    }

    /// Reads the newest checkpoint that is whole; nothing if the folder has none at all. Damaged ones are passed over and
    /// listed.
    ///
    /// # Errors
    /// `Io` when the folder cannot be read; `Data` when there are checkpoints and none is whole: to begin anew would be a
    /// surprise.
    #[track_caller]
    pub fn newest(&self) -> Result<Option<Found>> {
        let here = Location::caller();
        self.find().map_err(|error| error.op("newest").at(here))
    }

    /// The steps that there are checkpoints of, whole or not, in ascending order.
    ///
    /// # Errors
    /// `Io` when the folder cannot be read.
    #[track_caller]
    pub fn list(&self) -> Result<Vec<u64>> {
        let here = Location::caller();
        steps(&self.folder).map_err(|error| error.op("list").at(here))
    }

    /// Reads the checkpoint of one step.
    ///
    /// # Errors
    /// `Value` when there is none of this step, with those that there are; and those of [`read_checkpoint`].
    #[track_caller]
    pub fn load(&self, step: u64) -> Result<Vec<(String, Tensor)>> {
        let here = Location::caller();
        self.state(step).map_err(|error| error.op("load").at(here))
    }

    /// Removes all checkpoints but those of these steps, and gives the steps that were removed.
    ///
    /// Never fewer than two whole ones stay: where `keep` has fewer, the newest others stay too, and while the folder
    /// has fewer than two, nothing is removed.
    ///
    /// # Errors
    /// `Io` when the folder cannot be read or a file cannot be removed.
    #[track_caller]
    pub fn remove_but(&self, keep: &[u64]) -> Result<Vec<u64>> {
        let here = Location::caller();
        self.remove(keep).map_err(|error| error.op("remove_but").at(here))
    }

    fn find(&self) -> Result<Option<Found>> {
        let mut damaged = Vec::new();
        for step in steps(&self.folder)?.into_iter().rev() {
            let path = self.path(step);
            let before = stamp(&path);
            match Archive::opened(&path).and_then(|archive| read(&archive)) {
                Ok(state) => {
                    self.remember(step, before);
                    return Ok(Some(Found { step, path, state, damaged }));
                }
                Err(error) => damaged.push(Damaged { step, path, error }),
            }
        }
        if damaged.is_empty() {
            return Ok(None);
        }
        let what = format!("none of the {} checkpoints in {} is whole", damaged.len(), self.folder.display());
        let error = damaged.iter().take(8).fold(Error::data(what), |error, damaged| {
            error.operand(format!("step {}", damaged.step), damaged.error.message())
        });
        Err(error.help("move them away to begin anew"))
    }

    fn state(&self, step: u64) -> Result<Vec<(String, Tensor)>> {
        let path = self.path(step);
        if !path.exists() {
            let there: Vec<String> = steps(&self.folder)?.iter().map(u64::to_string).collect();
            let error = Error::value(format!("{} has no checkpoint of step {step}", self.folder.display()));
            return Err(match there.as_slice() {
                [] => error.help("it has none at all"),
                _ => error.help(format!("it has those of steps {}", there.join(", "))),
            });
        }
        read(&Archive::opened(&path)?)
    }

    fn remove(&self, keep: &[u64]) -> Result<Vec<u64>> {
        const AT_LEAST: usize = 2;
        let steps = steps(&self.folder)?;
        let mut stay: BTreeSet<u64> = steps.iter().copied().filter(|step| keep.contains(step)).collect();
        let mut whole = stay.iter().rev().filter(|&&step| self.is_whole(step)).take(AT_LEAST).count();
        for &step in steps.iter().rev() {
            if whole < AT_LEAST && !stay.contains(&step) && self.is_whole(step) {
                stay.insert(step);
                whole += 1;
            }
        }
        if whole < AT_LEAST {
            return Ok(Vec::new());
        }
        let gone: Vec<u64> = steps.into_iter().filter(|step| !stay.contains(step)).collect();
        for &step in &gone {
            let path = self.path(step);
            match fs::remove_file(&path) {
                // Another process may have been faster.
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io(format!("{} cannot be removed", path.display())).caused_by(error));
                }
                _ => self.remember(step, None),
            }
        }
        sync_folder(&self.folder).map_err(|error| folder(&self.folder, "be written", error))?;
        Ok(gone)
    }

    /// Reads a file only if it changed since it was last found whole.
    fn is_whole(&self, step: u64) -> bool {
        let path = self.path(step);
        let now = stamp(&path);
        if now.is_some() && self.lock().get(&step) == now.as_ref() {
            return true;
        }
        let whole = Archive::opened(&path).and_then(|archive| verify(&archive)).is_ok();
        self.remember(step, now.filter(|_| whole));
        whole
    }

    fn remember(&self, step: u64, stamp: Option<Stamp>) {
        let mut whole = self.lock();
        match stamp {
            Some(stamp) => whole.insert(step, stamp),
            None => whole.remove(&step),
        };
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Stamp>> {
        self.whole.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Debug for Checkpoints {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Checkpoints in {}", self.folder.display())
    }
}

/// The length of a file, and when it was written.
type Stamp = (u64, SystemTime);

fn stamp(path: &Path) -> Option<Stamp> {
    let about = fs::metadata(path).ok()?;
    Some((about.len(), about.modified().ok()?))
}

fn name_of(step: u64) -> String {
    format!("step-{step:09}.safetensors")
}

fn step_of(name: &str) -> Option<u64> {
    let step = name.strip_prefix("step-")?.strip_suffix(".safetensors")?.parse().ok()?;
    (name_of(step) == name).then_some(step)
}

/// The steps of a folder in ascending order; what has another name is not ours.
fn steps(path: &Path) -> Result<Vec<u64>> {
    let entries = fs::read_dir(path).map_err(|error| folder(path, "be read", error))?;
    let mut steps = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| folder(path, "be read", error))?;
        steps.extend(entry.file_name().to_str().and_then(step_of));
    }
    steps.sort_unstable();
    Ok(steps)
}

fn folder(path: &Path, what: &str, error: std::io::Error) -> Error {
    Error::io(format!("the folder {} cannot {what}", path.display())).caused_by(error)
}

/// The key of the digests in the metadata.
const KEY: &str = "checkpoint";
/// The digest's name there.
const DIGEST: &str = "xxh3-128";
/// Which way of writing digests down this is.
const VERSION: u64 = 1;

fn write(path: &Path, state: &[(String, Tensor)]) -> Result<()> {
    let digests = state.iter().map(|(name, tensor)| Ok((name, digest(name, tensor)?))).collect::<Result<Vec<_>>>()?;
    let about = json!({ "version": VERSION, "digest": DIGEST, "tensors": digests }).to_string();
    let draft = Draft::new(state, Some((KEY, about)))?;
    replace(
        path,
        |file| draft.write(file),
        |file| {
            let name = path.display().to_string();
            let again = file.try_clone().map_err(|error| super::archive::unreadable(&name, error))?;
            Archive::from_file(name, again).and_then(|archive| verify(&archive)).map_err(|error| {
                Error::data(format!("{}: the disk gave back other bytes than it was given", path.display()))
                    .caused_by(error)
            })
        },
    )
}

fn read(archive: &Archive) -> Result<Vec<(String, Tensor)>> {
    digests(archive)?.into_iter().map(|(name, digest)| Ok((name.clone(), whole(archive, &name, &digest)?))).collect()
}

/// One tensor after the other: no more than the largest one is in memory.
fn verify(archive: &Archive) -> Result<()> {
    digests(archive)?.iter().try_for_each(|(name, digest)| whole(archive, name, digest).map(drop))
}

fn whole(archive: &Archive, name: &str, expected: &str) -> Result<Tensor> {
    let tensor = archive.taken(name)?;
    match digest(name, &tensor)? == expected {
        true => Ok(tensor),
        false => Err(Error::format(format!("{}: {} is damaged: its digest differs", archive.file(), quoted(name)))),
    }
}

/// The names and digests, in the order in which they were given; all tensors of the file and no others.
fn digests(archive: &Archive) -> Result<Vec<(String, String)>> {
    let refused = |what: &str| Error::format(format!("{}: {what}", archive.file()));
    let text = archive.metadata(KEY).ok_or_else(|| {
        refused("a safetensors file without digests is no checkpoint").help("`load_weights` reads it")
    })?;
    let mut about: Value = serde_json::from_str(text).map_err(|_| refused("the list of digests is damaged"))?;
    match (about["version"].as_u64(), about["digest"].as_str()) {
        (Some(VERSION), Some(DIGEST)) => {}
        (Some(version), Some(digest)) => {
            let what = format!("a checkpoint of version {version} with digest {}", quoted(digest));
            return Err(refused(&what).help(format!("version {VERSION} with `{DIGEST}` is read here")));
        }
        _ => return Err(refused("the list of digests is damaged")),
    }
    let digests: Vec<(String, String)> =
        serde_json::from_value(about["tensors"].take()).map_err(|_| refused("the list of digests is damaged"))?;
    let named: HashSet<&str> = digests.iter().map(|(name, _)| name.as_str()).collect();
    let here: HashSet<&str> = archive.names().collect();
    if named.len() != digests.len() || named != here {
        return Err(refused("the digests are not those of its tensors"));
    }
    Ok(digests)
}

/// XXH3, 128 bits, of all that a tensor is: name, dtype, shape and little-endian bytes, each after its length.
fn digest(name: &str, tensor: &Tensor) -> Result<String> {
    let mut hash = Xxh3Default::new();
    let mut part = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(name.as_bytes());
    part(tensor.dtype().name().as_bytes());
    let dims = tensor.shape().dims();
    part(&dims.iter().flat_map(|&size| (size as u64).to_le_bytes()).collect::<Vec<u8>>());
    part(stored(&flat(tensor)?));
    Ok(format!("{:032x}", hash.digest128()))
}

#[cfg(test)]
mod tests;
