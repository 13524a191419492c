//! Checkpoints survive whatever happens to the process that saves them: it is killed at random moments and stopped at
//! random bytes of a file, in a process of its own, which is this test again.
#![cfg(all(feature = "files", unix))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use wengert_nn::files::archive::write_tensors;
use wengert_nn::files::checkpoint::{Checkpoints, read_checkpoint, write_checkpoint};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::ErrorKind;
use wengert_tensor::random::Seed;
use wengert_tensor::tensor::Tensor;

/// What the process of its own is to do, and where.
const TASK: &str = "WENGERT_CRASH_TASK";
const FOLDER: &str = "WENGERT_CRASH_FOLDER";
/// So many bytes may a file have.
const LIMIT: &str = "WENGERT_CRASH_LIMIT";

const TRIALS: u64 = 50;

/// A folder that is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let folder = std::env::temp_dir().join(format!("wengert-crash-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Scratch(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// A state that depends on the step in every tensor; about half a megabyte.
fn state(step: u64) -> Vec<(String, Tensor)> {
    vec![
        ("train/step".into(), Tensor::from(step as i64)),
        ("model/weight".into(), Tensor::normal([300, 200], DType::F32, Seed(step)).unwrap()),
        ("model/mask".into(), Tensor::from(vec![step.is_multiple_of(2); 999])),
        ("optimizer/m".into(), Tensor::normal([30_000], DType::F64, Seed(step + 1_000_000)).unwrap()),
    ]
}

fn same(a: &[(String, Tensor)], b: &[(String, Tensor)]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|((a, left), (b, right))| a == b && left.equals(right))
}

/// The state of the newest checkpoint, which must be whole; none may be damaged.
fn newest(folder: &Path) -> Option<u64> {
    let found = Checkpoints::open(folder).unwrap().newest().unwrap()?;
    assert!(same(&found.state, &state(found.step)), "step {} is not whole", found.step);
    assert!(found.damaged.is_empty(), "{:?}", found.damaged);
    Some(found.step)
}

fn child(task: &str, folder: &Path, limit: Option<u64>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "in_a_process_of_its_own", "--nocapture"]);
    command.env(TASK, task).env(FOLDER, folder).stdout(Stdio::piped()).stderr(Stdio::null());
    if let Some(limit) = limit {
        command.env(LIMIT, limit.to_string());
    }
    command
}

/// No test by itself: what the processes of the other tests do.
#[test]
fn in_a_process_of_its_own() {
    let Ok(task) = std::env::var(TASK) else { return };
    let folder = PathBuf::from(std::env::var(FOLDER).unwrap());
    if let Ok(limit) = std::env::var(LIMIT) {
        let limit = Some(limit.parse().unwrap());
        setrlimit(Resource::Fsize, Rlimit { current: limit, maximum: limit }).unwrap();
    }
    match task.as_str() {
        "save" => save_for_ever(&folder),
        "full" => save_on_a_full_disk(&folder),
        "disk" => fill_a_disk(&folder),
        _ => panic!("{task}"),
    }
}

/// Goes on where the newest checkpoint ends, and says what it has saved.
fn save_for_ever(folder: &Path) {
    let checkpoints = Checkpoints::open(folder).unwrap();
    let mut step = newest(folder).unwrap_or(0);
    for _ in 0..10_000 {
        step += 1;
        checkpoints.save(step, &state(step)).unwrap();
        println!("saved {step}");
        std::io::stdout().flush().unwrap();
        checkpoints.remove_but(&[]).unwrap();
    }
}

/// Runs the child; `stop` is asked with each step that it has saved. Gives the last one that it told of.
fn run(mut command: Command, mut stop: impl FnMut(&mut std::process::Child, u64)) -> (Option<u64>, ExitStatus) {
    let mut child = command.spawn().unwrap();
    let mut last = None;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        // The harness may print in front of it on the same line.
        if let Some((_, step)) = line.rsplit_once("saved ") {
            last = step.parse().ok();
            stop(&mut child, last.unwrap());
        }
    }
    (last, child.wait().unwrap())
}

/// Evenly spread numbers below 1, always the same.
fn spread(trial: u64) -> f64 {
    (trial as f64 * 0.618_033_988_75).fract()
}

#[test]
fn killed_at_random_moments() {
    let scratch = Scratch::new("kill");
    let folder = scratch.0.join("run");
    // How long a save takes here.
    let (start, mut saves) = (Instant::now(), 0);
    run(child("save", &folder, None), |child, _| {
        saves += 1;
        if saves == 6 {
            child.kill().unwrap();
        }
    });
    let each = start.elapsed() / 6;
    let mut between = 0;
    for trial in 0..TRIALS {
        let before = newest(&folder).unwrap();
        let after = 1 + trial % 3;
        let (told, status) = run(child("save", &folder, None), |child, step| {
            if step == before + after {
                std::thread::sleep(each.mul_f64(1.5 * spread(trial)).min(Duration::from_secs(1)));
                child.kill().unwrap();
            }
        });
        assert_eq!(status.signal(), Some(Signal::KILL.as_raw()));
        let told = told.unwrap();
        between += u64::from(fs::read_dir(&folder).unwrap().count() != 2);
        let found = newest(&folder).unwrap();
        // What was told is on disk; the next may be, if the process did not come to tell of it.
        assert!(found == told || found == told + 1, "trial {trial}: told {told}, found {found}");
        let checkpoints = Checkpoints::open(&folder).unwrap();
        let steps = checkpoints.list().unwrap();
        // One more for each of two kills in a row that came before the old ones were removed.
        assert!((2..=4).contains(&steps.len()), "{steps:?}");
        for step in steps {
            assert!(same(&checkpoints.load(step).unwrap(), &state(step)));
        }
        assert!(
            fs::read_dir(&folder).unwrap().all(|entry| entry
                .unwrap()
                .path()
                .extension()
                .is_some_and(|end| end != "tmp"))
        );
    }
    println!("{between} of {TRIALS} processes died with a third file there");
}

#[test]
fn stopped_at_random_bytes_of_a_file() {
    let scratch = Scratch::new("bytes");
    let folder = scratch.0.join("run");
    let checkpoints = Checkpoints::open(&folder).unwrap();
    for step in [1, 2] {
        checkpoints.save(step, &state(step)).unwrap();
    }
    let whole = fs::metadata(checkpoints.path(2)).unwrap().len();
    for trial in 0..TRIALS {
        // The first bytes, the header, the borders between buffers, and the last byte.
        let limit = match trial {
            0 => 0,
            1 => 8,
            2 => 65_536,
            3 => whole - 1,
            _ => (whole as f64 * spread(trial)) as u64,
        };
        let (told, status) = run(child("save", &folder, Some(limit)), |_, _| {});
        assert_eq!((told, status.signal()), (None, Some(Signal::XFSZ.as_raw())), "{limit} of {whole} bytes");
        let left: Vec<u64> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_name().to_string_lossy().ends_with(".tmp"))
            .map(|entry| entry.metadata().unwrap().len())
            .collect();
        assert_eq!(left, [limit], "the process died at that byte");
        assert_eq!(newest(&folder), Some(2));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "what it left behind is removed");
    }
    // With one byte more, it would have been saved.
    let (told, _) = run(child("save", &folder, Some(whole)), |child, _| child.kill().unwrap());
    assert!(told >= Some(3));
}

/// A write that is refused, as on a full disk: the signal is ignored, so that `write` fails.
fn save_on_a_full_disk(folder: &Path) {
    let checkpoints = Checkpoints::open(folder).unwrap();
    let (path, before) = (folder.join("old.safetensors"), fs::read(folder.join("old.safetensors")).unwrap());
    for error in [
        checkpoints.save(3, &state(3)).map(drop).unwrap_err(),
        checkpoints.save(2, &state(2)).map(drop).unwrap_err(),
        write_checkpoint(&path, &state(9)).unwrap_err(),
        write_tensors(&path, &state(9)).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("cannot be written") && error.help_text().is_some(), "{error}");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(newest(folder), Some(2));
    println!("saved 1");
}

#[test]
fn a_full_disk_is_an_error_and_the_old_files_stay() {
    let scratch = Scratch::new("full");
    let checkpoints = Checkpoints::open(&scratch.0).unwrap();
    for step in [1, 2] {
        checkpoints.save(step, &state(step)).unwrap();
    }
    write_checkpoint(scratch.0.join("old.safetensors"), &state(7)).unwrap();
    for limit in [0, 1, 70_000, 400_000] {
        let inner = child("full", &scratch.0, Some(limit));
        let mut command = Command::new("sh");
        command.args(["-c", r#"trap "" XFSZ; exec "$@""#, "sh"]).arg(inner.get_program()).args(inner.get_args());
        inner.get_envs().for_each(|(key, value)| _ = command.env(key, value.unwrap()));
        command.stdout(Stdio::piped()).stderr(Stdio::inherit());
        let (told, status) = run(command, |_, _| {});
        assert!(told == Some(1) && status.success(), "{limit}: {status}");
        let mut left: Vec<_> = fs::read_dir(&scratch.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["old.safetensors", "step-000000001.safetensors", "step-000000002.safetensors"]);
    }
    assert!(same(&read_checkpoint(scratch.0.join("old.safetensors")).unwrap(), &state(7)));
}

/// A file system with room for two checkpoints and a half.
fn fill_a_disk(folder: &Path) {
    let checkpoints = Checkpoints::open(folder).unwrap();
    for step in [1, 2] {
        checkpoints.save(step, &state(step)).unwrap();
    }
    for error in [
        checkpoints.save(3, &state(3)).map(drop).unwrap_err(),
        write_tensors(folder.join("weights.safetensors"), &state(9)).unwrap_err(),
    ] {
        assert!(error.kind() == ErrorKind::Io && error.to_string().contains("No space left"), "{error}");
        assert_eq!(error.help_text(), Some("free some space on that disk"));
    }
    assert_eq!(newest(folder), Some(2));
    assert_eq!(fs::read_dir(folder).unwrap().count(), 2, "what was begun is gone");
    // Once there is room again, the run goes on.
    fs::remove_file(checkpoints.path(1)).unwrap();
    checkpoints.save(3, &state(3)).unwrap();
    assert_eq!(newest(folder), Some(3));
    println!("saved 3");
}

/// On a real file system that is full: a small one in memory, which a user may mount in a name space of its own.
#[test]
fn a_disk_that_fills_up_loses_nothing() {
    let scratch = Scratch::new("disk");
    let mounted = |then: &Command| {
        let mut command = Command::new("unshare");
        let script = r#"mount -t tmpfs -o size=1200k none "$1" && shift && exec "$@""#;
        command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(&scratch.0);
        command.arg(then.get_program()).args(then.get_args()).stdout(Stdio::piped());
        then.get_envs().for_each(|(key, value)| _ = command.env(key, value.unwrap()));
        command
    };
    if !mounted(&Command::new("true")).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        println!("skipped: this system does not let a user mount a file system");
        return;
    }
    let (told, status) = run(mounted(&child("disk", &scratch.0, None)), |_, _| {});
    assert!(told == Some(3) && status.success(), "{status}");
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new("closed");
    let folder = scratch.0.join("run");
    let checkpoints = Checkpoints::open(&folder).unwrap();
    checkpoints.save(1, &state(1)).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(folder.join("probe"), b"").is_ok() {
        fs::remove_file(folder.join("probe")).unwrap();
        println!("skipped: this user may write everywhere");
    } else {
        let error = checkpoints.save(2, &state(2)).unwrap_err();
        assert_eq!((error.kind(), error.op_name()), (ErrorKind::Io, Some("save")));
        assert!(error.help_text().is_some_and(|help| help.contains("folder that may be written")), "{error}");
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(newest(&folder), Some(1));
    // A folder that nobody may write to, and paths that name folders.
    if cfg!(target_os = "linux") {
        assert_eq!(write_checkpoint("/proc/a.safetensors", &state(1)).unwrap_err().kind(), ErrorKind::Io);
    }
    fs::create_dir(checkpoints.path(5)).unwrap();
    let error = checkpoints.save(5, &state(5)).unwrap_err();
    assert!(error.kind() == ErrorKind::Io && error.to_string().contains("that of a folder"), "{error}");
    assert_eq!(Checkpoints::open(&folder).unwrap().newest().unwrap().unwrap().step, 1);
}
