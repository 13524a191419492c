//! Writes a file whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use wengert_tensor::error::{Error, Result};

/// Writes `bytes` to a new file beside `path`, forces them to disk and renames it over `path`.
///
/// Whoever reads `path`, and whatever fails on the way, finds the old contents or the new ones, never a half.
/// Folders that do not exist are made.
///
/// # Errors
/// `Io` when the folder or the file cannot be written; an old file is then as it was.
pub fn write_atomic(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    let path = path.as_ref();
    write(path, bytes).map_err(|error| Error::io(format!("{} cannot be written", path.display())).caused_by(error))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let (temporary, mut file) = sibling(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    drop(file);
    match written.and_then(|()| fs::rename(&temporary, path)) {
        Ok(()) => sync_folder(folder),
        Err(error) => {
            fs::remove_file(&temporary).ok();
            Err(error)
        }
    }
}

/// A new file in the same folder: a rename across file systems would be a copy.
fn sibling(path: &Path) -> io::Result<(PathBuf, File)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut temporary = OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{}-{number}.tmp", std::process::id()));
        let temporary = path.with_file_name(temporary);
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Ok(file) => return Ok((temporary, file)),
            // What an earlier process with our number left behind.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        }
    }
}

/// The rename itself survives a power cut only when the folder is on disk too. Windows cannot open a folder, and does
/// not need it.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn replaces_whole_files_and_leaves_nothing_behind() {
        let scratch = Scratch::new("atomic");
        let path = scratch.file("deep/er/a.bin");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_leaves_no_temporary_file() {
        let scratch = Scratch::new("atomic");
        fs::create_dir_all(scratch.file("taken/inside")).unwrap();
        let error = write_atomic(scratch.file("taken"), b"x").unwrap_err();
        assert_eq!(error.kind(), wengert_tensor::error::ErrorKind::Io);
        assert_eq!(scratch.listing(), ["taken"]);
        assert!(write_atomic("", b"x").is_err());
        assert!(write_atomic("..", b"x").is_err());
    }
}
