//! Writes a file whole or not at all.

#[cfg(feature = "files")]
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use wengert_tensor::error::{Error, Result};

/// Writes `bytes` to a new file beside `path`, forces them to disk and renames it over `path`.
///
/// Whoever reads `path`, and whatever fails on the way, finds the old contents or the new ones, never a half.
/// Folders that do not exist are made. A link stays a link: the file that it names is replaced. A new file has the permissions of the old
/// one, and a file that is read-only stays.
///
/// # Errors
/// `Io` when the folder or the file cannot be written, or `path` is a device, a pipe or a socket; an old file is then as it was.
pub fn write_atomic(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    replace(path.as_ref(), |file| file.write_all(bytes), |_| Ok(()))
}

/// The same for contents that `write` puts into the file. When they are on disk, `check` reads them again, and only
/// what it accepts takes the place of the old file.
pub(super) fn replace(
    path: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
    check: impl FnOnce(&mut File) -> Result<()>,
) -> Result<()> {
    let refused = |error| refused(path, error);
    let path = &place(path).map_err(refused)?;
    // The rename would refuse a folder only after everything was written, and anything else never.
    let old = fs::metadata(path).ok();
    match &old {
        Some(old) if old.is_dir() => return Err(refused(ErrorKind::IsADirectory.into())),
        Some(old) if !old.is_file() => return Err(refused(io::Error::other("it is no file but a device or a pipe"))),
        Some(old) if old.permissions().readonly() => return Err(refused(io::Error::other("it is read-only"))),
        _ => {}
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder).map_err(refused)?;
    let (temporary, mut file) = sibling(path).map_err(refused)?;
    if let Some(old) = old {
        // What was private is so from the start. Some file systems have no permissions to keep.
        file.set_permissions(old.permissions()).ok();
    }
    let written = write(&mut file).and_then(|()| file.sync_all()).map_err(refused).and_then(|()| check(&mut file));
    match written.and_then(|()| fs::rename(&temporary, path).map_err(refused)) {
        Ok(()) => sync_folder(folder).map_err(refused),
        Err(error) => {
            fs::remove_file(&temporary).ok();
            Err(error)
        }
    }
}

/// What is to be replaced: at the end of a link, also of one to what is not there yet.
fn place(path: &Path) -> io::Result<PathBuf> {
    let mut place = path.to_path_buf();
    // Linux follows as many.
    for _ in 0..40 {
        match fs::read_link(&place) {
            Ok(target) => place = place.with_file_name("").join(target),
            Err(_) => return Ok(place),
        }
    }
    Err(io::Error::other("its links go in a circle"))
}

fn refused(path: &Path, error: io::Error) -> Error {
    let help = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some("free some space on that disk"),
        ErrorKind::FileTooLarge => Some("the file is larger than the file system or `ulimit -f` permits"),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Some("choose a folder that may be written"),
        ErrorKind::IsADirectory => Some("the path is that of a folder: add the name of a file"),
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => Some("a part of the path is a file, not a folder"),
        _ => None,
    };
    let error = Error::io(format!("{} cannot be written", path.display())).caused_by(error);
    match help {
        Some(help) => error.help(help),
        None => error,
    }
}

/// A new file in the same folder, locked: a rename across file systems would be a copy.
fn sibling(path: &Path) -> io::Result<(PathBuf, File)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "the path names no file"))?;
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut temporary = OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{}-{number}.tmp", std::process::id()));
        let temporary = path.with_file_name(temporary);
        match OpenOptions::new().read(true).write(true).create_new(true).open(&temporary) {
            Ok(file) => {
                // File systems without locks exist; there, nothing is swept.
                file.lock().ok();
                // Who sweeps may have come between the two.
                if temporary.exists() {
                    return Ok((temporary, file));
                }
            }
            // What an earlier process with our number left behind.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        }
    }
}

/// Removes the temporary files that dead processes left in `folder`, of files whose name `ours` accepts.
///
/// A process that writes holds a lock on its file, and the system frees it however the process ends.
#[cfg(feature = "files")]
pub(super) fn sweep(folder: &Path, ours: impl Fn(&str) -> bool) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if !target(&entry.file_name()).is_some_and(&ours) {
            continue;
        }
        if let Ok(file) = OpenOptions::new().read(true).write(true).open(entry.path())
            && file.try_lock().is_ok()
        {
            fs::remove_file(entry.path()).ok();
        }
    }
}

/// The name of the file that a temporary one was to become.
#[cfg(feature = "files")]
fn target(name: &OsStr) -> Option<&str> {
    let (target, number) = name.to_str()?.strip_prefix('.')?.strip_suffix(".tmp")?.rsplit_once('.')?;
    let (process, count) = number.split_once('-')?;
    (process.parse::<u32>().is_ok() && count.parse::<u64>().is_ok()).then_some(target)
}

/// The rename itself survives a power cut only when the folder is on disk too. Windows cannot open a folder, and does
/// not need it.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
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
        assert!(error.to_string().contains("the path is that of a folder"), "{error}");
        assert_eq!(scratch.listing(), ["taken"]);
        assert!(write_atomic("", b"x").is_err());
        assert!(write_atomic("..", b"x").is_err());

        write_atomic(scratch.file("a"), b"old").unwrap();
        let full = || io::Error::from(ErrorKind::StorageFull);
        let failed = replace(&scratch.file("a"), |file| file.write_all(b"ne").and_then(|()| Err(full())), |_| Ok(()));
        assert!(failed.unwrap_err().to_string().contains("free some space"));
        assert!(replace(&scratch.file("a"), |_| Ok(()), |_| Err(Error::data("not what it was"))).is_err());
        assert!(write_atomic(scratch.file("a/b"), b"x").unwrap_err().help_text().is_some());
        assert_eq!(fs::read(scratch.file("a")).unwrap(), b"old");
        assert_eq!(scratch.listing(), ["a", "taken"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_permissions_and_what_is_no_file_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let scratch = Scratch::new("atomic");
        let mode = |name: &str| fs::metadata(scratch.file(name)).unwrap().permissions().mode() & 0o777;
        let allow =
            |name: &str, mode| fs::set_permissions(scratch.file(name), PermissionsExt::from_mode(mode)).unwrap();
        fs::create_dir(scratch.file("run")).unwrap();
        fs::write(scratch.file("run/a"), b"one").unwrap();
        allow("run/a", 0o600);
        symlink("run/a", scratch.file("latest")).unwrap();
        symlink(scratch.file("latest"), scratch.file("twice")).unwrap();
        symlink("run/new", scratch.file("dangling")).unwrap();
        write_atomic(scratch.file("twice"), b"two").unwrap();
        write_atomic(scratch.file("dangling"), b"new").unwrap();
        assert_eq!(fs::read_link(scratch.file("latest")).unwrap(), Path::new("run/a"));
        assert_eq!((fs::read(scratch.file("run/a")).unwrap(), mode("run/a")), (b"two".to_vec(), 0o600));
        assert_eq!(fs::read(scratch.file("run/new")).unwrap(), b"new");

        allow("run/a", 0o400);
        let error = write_atomic(scratch.file("run/a"), b"three").unwrap_err().to_string();
        assert!(error.contains("read-only") && fs::read(scratch.file("run/a")).unwrap() == b"two", "{error}");

        let socket = std::os::unix::net::UnixListener::bind(scratch.file("socket")).unwrap();
        let error = write_atomic(scratch.file("socket"), b"x").unwrap_err().to_string();
        assert!(error.contains("no file") && !fs::metadata(scratch.file("socket")).unwrap().is_file(), "{error}");
        drop(socket);
        symlink("circle", scratch.file("circle")).unwrap();
        assert!(write_atomic(scratch.file("circle"), b"x").unwrap_err().to_string().contains("circle"));
        assert_eq!(scratch.listing(), ["circle", "dangling", "latest", "run", "socket", "twice"]);
    }

    #[cfg(feature = "files")]
    #[test]
    fn what_dead_processes_left_is_swept() {
        let scratch = Scratch::new("atomic");
        for name in [".a.1-0.tmp", ".b.1-0.tmp", ".a.1.tmp", ".a.x-0.tmp", "a", "a.1-0.tmp"] {
            fs::write(scratch.file(name), b"half").unwrap();
        }
        let (alive, file) = sibling(&scratch.file("a")).unwrap();
        sweep(&scratch.file(""), |name| name == "a");
        assert!(alive.exists(), "what is being written stays");
        assert!(!scratch.file(".a.1-0.tmp").exists());
        assert_eq!(scratch.listing().len(), 6);
        drop(file);
        sweep(&scratch.file(""), |name| name == "a");
        assert!(!alive.exists());
        sweep(&scratch.file("none"), |_| true);
    }
}
