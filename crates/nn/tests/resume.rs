//! A run that was stopped anywhere and taken up again ends with the bits of one that never was.
#![cfg(feature = "files")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use wengert_nn::files::weights::Weights;
use wengert_nn::losses::cross_entropy::CrossEntropy;
use wengert_nn::metrics::accuracy::Accuracy;
use wengert_nn::module::Module;
use wengert_nn::optim::adamw::AdamW;
use wengert_nn::optim::optimizer::Optimizer;
use wengert_nn::optim::rule::Rule;
use wengert_nn::optim::scale::LossScale;
use wengert_nn::optim::schedule::{Plateau, Schedule, cosine, warmup};
use wengert_nn::optim::sgd::Sgd;
use wengert_nn::sequential::Sequential;
use wengert_nn::train::callbacks::csv_logger::CsvLogger;
use wengert_nn::train::callbacks::early_stopping::EarlyStopping;
use wengert_nn::train::callbacks::ema_swap::EmaSwap;
use wengert_nn::train::callbacks::jsonl_logger::JsonlLogger;
use wengert_nn::train::callbacks::learning_rate_schedule::LearningRateSchedule;
use wengert_nn::train::callbacks::reduce_on_plateau::ReduceOnPlateau;
use wengert_nn::train::callbacks::weight_statistics::WeightStatistics;
use wengert_nn::train::history::History;
use wengert_nn::train::interrupt::Interrupt;
use wengert_nn::train::keep::Keep;
use wengert_nn::train::trainer::{Flow, Trainer};
use wengert_tensor::error::Result;
use wengert_tensor::random::{Key, Seed, uniform_f64};
use wengert_tensor::tensor::Tensor;

struct Scratch(PathBuf);

impl Scratch {
    fn new(what: &str) -> Scratch {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("wengert-resume-{what}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Scratch(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Two clouds that overlap.
fn data() -> (Tensor, Tensor) {
    let x =
        Tensor::from_fn([46, 3], |i| ((i * 7919 % 97) as f32 / 48.0 - 1.0) + if i / 3 % 2 == 0 { 0.4 } else { -0.4 });
    (x.unwrap(), Tensor::from((0..46i64).map(|i| i % 2).collect::<Vec<_>>()))
}

/// All that remembers something: noise, running means.
fn net() -> Sequential {
    Sequential::input([3]).dense(8).batch_norm().relu().dropout(0.2).dense(2).build(Seed(3)).unwrap()
}

fn weights<M: Module>(model: &M) -> Vec<(String, Tensor)> {
    model.state().into_iter().map(|(name, param)| (name, param.value().clone())).collect()
}

fn assert_same(a: &[(String, Tensor)], b: &[(String, Tensor)], what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    for ((name, a), (_, b)) in a.iter().zip(b) {
        assert_eq!(a.to_le_bytes().unwrap(), b.to_le_bytes().unwrap(), "{what}: {name}");
    }
}

/// A run in a folder, which an interruption after `stop` steps may end.
type Case = (&'static str, fn(&Path, Option<u64>) -> Result<(History, Vec<(String, Tensor)>)>);

fn run<R: Rule>(
    optimizer: Optimizer<R>,
    stop: Option<u64>,
    set: impl for<'a> FnOnce(Trainer<'a, R, CrossEntropy>) -> Trainer<'a, R, CrossEntropy>,
) -> Result<(History, Vec<(String, Tensor)>)> {
    let (flag, mut model) = (Interrupt::new(), net());
    let raised = flag.clone();
    let trainer = Trainer::new(optimizer, CrossEntropy::new())
        .metric(Accuracy::new())
        .epochs(3)
        .batch_size(10)
        .seed(11)
        .verbose(false)
        .interrupt(&flag)
        .callback(wengert_nn::train::callbacks::lambda::Lambda::new().batch_end(move |at| {
            if Some(at.steps()) == stop {
                raised.raise();
            }
        }));
    let history = set(trainer).fit(&mut model, &data())?;
    Ok((history, weights(&model)))
}

fn cases() -> Vec<Case> {
    vec![
        ("adamw", |folder, stop| {
            run(AdamW::new(0.02).schedule(warmup(4).then(cosine(30))), stop, |trainer| {
                trainer.validation_split(0.2).checkpoints(folder, Keep::best("val_accuracy").and_last(2)).resume()
            })
        }),
        ("accumulate", |folder, stop| {
            run(Sgd::new(0.1).accumulate(3).ema(0.9).clip_global_norm(0.5), stop, |trainer| {
                let trainer = trainer.validation_split(0.3).callback(EmaSwap::new().keep_averages());
                trainer.checkpoints(folder, Keep::last(2)).resume()
            })
        }),
        ("callbacks", |folder, stop| {
            run(Sgd::new(0.5).loss_scale(LossScale::dynamic().growth(2.0, 3)).swa(2, 2), stop, |trainer| {
                trainer
                    .steps_per_epoch(7)
                    .epochs(4)
                    .callback(LearningRateSchedule::new(|_, rate| rate * 0.9))
                    .callback(ReduceOnPlateau::on("accuracy").patience(1).min_delta(0.5).factor(0.7))
                    .callback(WeightStatistics::new())
                    .callback(CsvLogger::new(folder.join("log.csv")))
                    .callback(JsonlLogger::new(folder.join("log.jsonl")))
                    .callback(EarlyStopping::on("loss").patience(2).restore_best())
                    .checkpoints(folder.join("runs"), Keep::all())
                    .resume()
            })
        }),
        ("plateau", |folder, stop| {
            let plateau = Plateau::new().patience(0).ratio(0.5);
            run(Sgd::new(0.2).schedule(warmup(3).times(plateau.clone())), stop, |trainer| {
                let plateau = plateau.clone();
                let trainer = trainer.on_epoch(move |epoch, _| _ = plateau.observe(epoch as f64));
                trainer.checkpoints(folder, Keep::last(3).every_epochs(2)).resume()
            })
        }),
    ]
}

/// Interrupted after every one of its steps.
#[test]
fn stopped_at_any_step_it_ends_with_the_same_bits() -> Result<()> {
    for (name, run) in cases() {
        let whole = Scratch::new(name);
        let (history, expected) = run(&whole.0, None)?;
        assert!(!history.was_interrupted());
        let logs = |scratch: &Scratch| {
            ["log.csv", "log.jsonl"].map(|file| std::fs::read_to_string(scratch.0.join(file)).unwrap_or_default())
        };
        for stop in 1..30 {
            let scratch = Scratch::new(name);
            let (begun, _) = run(&scratch.0, Some(stop))?;
            let (resumed, weights) = run(&scratch.0, None)?;
            assert_same(&expected, &weights, &format!("{name} stopped after {stop}"));
            assert_eq!(history.epochs(), resumed.epochs(), "{name} stopped after {stop}");
            assert_eq!(history.notes(), resumed.notes(), "{name} stopped after {stop}");
            assert_eq!(logs(&whole), logs(&scratch), "{name} stopped after {stop}");
            assert_eq!(resumed.unfinished(), None);
            if !begun.was_interrupted() {
                // The run was over before, and is not run again.
                assert_eq!(begun, resumed);
                assert!(stop > 10, "{name}");
                break;
            }
        }
    }
    Ok(())
}

/// An interruption in the last step of an epoch lets it end: it is evaluated, reported and among the others.
#[test]
fn an_epoch_that_is_over_is_no_broken_one() -> Result<()> {
    let (name, run) = cases()[0];
    let scratch = Scratch::new(name);
    // 36 of 46 samples in batches of 10.
    let (middle, _) = run(&scratch.0.join("middle"), Some(6))?;
    assert_eq!((middle.len(), middle.was_interrupted(), middle.unfinished().is_some()), (1, true, true));
    let names: Vec<&str> = middle.unfinished().unwrap().iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["loss", "accuracy"]);
    let (end, _) = run(&scratch.0.join("end"), Some(8))?;
    assert_eq!((end.len(), end.was_interrupted(), end.unfinished()), (2, true, None));
    assert!(end.last("val_loss").is_some());
    Ok(())
}

/// Interrupted again and again, a step at a time.
#[test]
fn a_run_of_single_steps_is_the_run() -> Result<()> {
    for (name, run) in cases() {
        let (whole, scratch) = (Scratch::new(name), Scratch::new(name));
        let (history, expected) = run(&whole.0, None)?;
        for stop in 1..100 {
            let (part, weights) = run(&scratch.0, Some(stop))?;
            if !part.was_interrupted() {
                assert_same(&expected, &weights, name);
                assert_eq!(history, part, "{name}");
                break;
            }
            assert!(stop < 99, "{name} never ends");
        }
    }
    Ok(())
}

#[test]
fn other_settings_are_refused_before_anything_changes() -> Result<()> {
    let scratch = Scratch::new("settings");
    let (x, y) = data();
    let (x, y) = (&x, &y);
    let trainer = || Trainer::new(Sgd::new(0.1), CrossEntropy::new()).epochs(1).batch_size(10).verbose(false);
    let keep = || Keep::last(2);
    trainer().checkpoints(&scratch.0, keep()).fit(&mut net(), &(x.clone(), y.clone()))?;
    let refused = |mut trainer: Trainer<'_, _, _>, data: &(Tensor, Tensor), model: &mut Sequential, what: &[&str]| {
        let before = weights(model);
        let error = trainer.fit(model, data).unwrap_err().to_string();
        what.iter().for_each(|what| assert!(error.contains(what), "{error}\nexpected {what}"));
        assert!(error.contains("resume.rs:"), "the line of the call: {error}");
        assert_same(&before, &weights(model), "refused");
    };
    let all = (x.clone(), y.clone());
    let resumed = |trainer: Trainer<'static, _, CrossEntropy>| trainer.checkpoints(&scratch.0, keep()).resume();
    refused(resumed(trainer().batch_size(12)), &all, &mut net(), &["other settings", "batch_size", "10 then, 12 now"]);
    refused(resumed(trainer().seed(5)), &all, &mut net(), &["seed", "0 then, 5 now"]);
    refused(resumed(trainer().metric(Accuracy::new())), &all, &mut net(), &["metrics"]);
    refused(resumed(trainer().sample_weight(&Tensor::from([1f32; 46]))), &all, &mut net(), &["sample_weight"]);
    let fewer = (x.slice(0, 0..40)?, y.slice(0, 0..40)?);
    refused(resumed(trainer()), &fewer, &mut net(), &["samples", "46 then, 40 now"]);
    let mut other = Sequential::input([3]).dense(4).relu().dense(2).build(Seed(1))?;
    refused(resumed(trainer()), &all, &mut other, &["parameter"]);
    // Without `resume` a folder with a run in it is left alone.
    refused(trainer().checkpoints(&scratch.0, keep()), &all, &mut net(), &["another run", "resume"]);
    refused(trainer().resume(), &all, &mut net(), &["nothing to resume from"]);
    refused(trainer().checkpoints(&scratch.0, Keep::best("val_accuracy")), &all, &mut net(), &["no `val_accuracy`"]);
    refused(trainer().checkpoints(&scratch.0, keep().every_epochs(0)), &all, &mut net(), &["every 0"]);
    let another =
        Trainer::new(Sgd::new(0.1).momentum(0.9), CrossEntropy::new()).epochs(1).batch_size(10).verbose(false);
    refused(resumed(another), &all, &mut net(), &["missing"]);
    // A file in place of the folder.
    let file = scratch.0.join("file");
    std::fs::write(&file, b"x").unwrap();
    refused(trainer().checkpoints(&file, keep()), &all, &mut net(), &["file"]);
    Ok(())
}

/// More epochs are no other settings.
#[test]
fn a_finished_run_goes_on_with_more_epochs() -> Result<()> {
    let (whole, scratch) = (Scratch::new("more"), Scratch::new("more"));
    let run = |folder: &Path, epochs| {
        let mut model = net();
        let mut trainer =
            Trainer::new(AdamW::new(0.01), CrossEntropy::new()).epochs(epochs).batch_size(10).verbose(false);
        trainer = trainer.checkpoints(folder, Keep::last(2)).resume();
        trainer.fit(&mut model, &data()).map(|history| (history, weights(&model)))
    };
    let (history, expected) = run(&whole.0, 5)?;
    run(&scratch.0, 2)?;
    let (resumed, weights) = run(&scratch.0, 5)?;
    assert_same(&expected, &weights, "more epochs");
    assert_eq!(history, resumed);
    Ok(())
}

/// The newest checkpoint is damaged: the one before it serves, and it is said.
#[test]
fn a_damaged_checkpoint_is_passed_over() -> Result<()> {
    let (whole, scratch) = (Scratch::new("damaged"), Scratch::new("damaged"));
    let run = |folder: &Path, epochs| {
        let mut model = net();
        let mut trainer =
            Trainer::new(AdamW::new(0.01), CrossEntropy::new()).epochs(epochs).batch_size(10).verbose(false);
        trainer = trainer.checkpoints(folder, Keep::last(3)).resume();
        trainer.fit(&mut model, &data()).map(|history| (history, weights(&model)))
    };
    let (_, expected) = run(&whole.0, 4)?;
    run(&scratch.0, 3)?;
    let folder = wengert_nn::files::checkpoint::Checkpoints::open(&scratch.0)?;
    let newest = folder.path(*folder.list()?.last().unwrap());
    let mut bytes = std::fs::read(&newest).unwrap();
    let last = bytes.len() - 3;
    bytes[last] ^= 1;
    std::fs::write(newest, bytes).unwrap();
    let (resumed, weights) = run(&scratch.0, 4)?;
    assert_same(&expected, &weights, "damaged");
    assert_eq!(resumed.len(), 4);
    assert!(resumed.notes().iter().any(|note| note.contains("damaged")), "{:?}", resumed.notes());
    Ok(())
}

#[test]
fn the_best_and_the_last_are_kept() -> Result<()> {
    let scratch = Scratch::new("kept");
    let figures = [3.0, 1.0, 2.0, 4.0, 5.0];
    let mut trainer = Trainer::new(Sgd::new(0.01), CrossEntropy::new()).epochs(5).batch_size(46).verbose(false);
    trainer = trainer.callback(Figures(figures)).checkpoints(&scratch.0, Keep::best("figure").and_last(2));
    trainer.fit(&mut net(), &data())?;
    let folder = wengert_nn::files::checkpoint::Checkpoints::open(&scratch.0)?;
    assert_eq!(folder.list()?, [2, 4, 5]);
    Ok(())
}

/// Reports given figures.
struct Figures([f64; 5]);

impl wengert_nn::train::callback::Callback for Figures {
    fn name(&self) -> &str {
        "figures"
    }
    fn columns(&self, _: &dyn Module) -> Vec<String> {
        vec!["figure".into()]
    }
    fn on_epoch_end(&mut self, at: &mut wengert_nn::train::callback::At<'_>) -> Result<Flow> {
        let figure = self.0[at.epoch() - 1];
        at.logs_mut().set("figure", figure);
        Ok(Flow::Continue)
    }
}

/// The run that is killed: a process of its own. It writes its weights when it is done.
const FOLDER: &str = "WENGERT_RESUME_TEST_FOLDER";

#[test]
fn child() -> Result<()> {
    let Ok(folder) = std::env::var(FOLDER) else { return Ok(()) };
    let folder = PathBuf::from(folder);
    let mut model = net();
    Trainer::new(AdamW::new(0.02).schedule(warmup(4).then(cosine(60))).accumulate(2).ema(0.9), CrossEntropy::new())
        .metric(Accuracy::new())
        .epochs(4)
        .batch_size(4)
        .validation_split(0.2)
        .callback(EarlyStopping::on("val_loss").patience(9).restore_best())
        .callback(CsvLogger::new(folder.join("log.csv")))
        .checkpoints(folder.join("runs"), Keep::best("val_accuracy").and_last(2).every_steps(1))
        .resume()
        .verbose(false)
        .fit(&mut model, &data())?;
    model.save_weights(folder.join("weights.safetensors"))
}

fn spawn(folder: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--test-threads", "1"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Fifty times a process is killed in the middle of whatever it does, and another one takes over.
#[test]
fn killed_at_random_moments_it_ends_with_the_same_bits() -> Result<()> {
    let whole = Scratch::new("whole");
    let begun = Instant::now();
    assert!(spawn(&whole.0).wait().unwrap().success());
    let length = begun.elapsed();
    let result = |scratch: &Scratch| std::fs::read(scratch.0.join("weights.safetensors"));
    let log = |scratch: &Scratch| std::fs::read_to_string(scratch.0.join("log.csv")).unwrap();
    let expected = result(&whole).unwrap();

    let (mut kills, mut finished, mut draws) = (0, 0, 0);
    while kills < 50 {
        let scratch = Scratch::new("killed");
        loop {
            let mut child = spawn(&scratch.0);
            draws += 1;
            // Some come far, some hardly begin.
            let wait = length.mul_f64(0.05 + 0.6 * uniform_f64(Key::new(9), draws));
            let deadline = Instant::now() + if kills < 50 { wait } else { Duration::from_secs(600) };
            let mut status = None;
            while status.is_none() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(1));
                status = child.try_wait().unwrap();
            }
            if let Some(status) = status {
                assert!(status.success());
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
        }
        finished += 1;
        assert!(result(&scratch).unwrap() == expected, "the weights after {kills} kills");
        assert_eq!(log(&scratch), log(&whole), "the log after {kills} kills");
    }
    assert!(finished > 0);
    Ok(())
}
