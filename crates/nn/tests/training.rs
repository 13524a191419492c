//! What a training run may be told, what it tells, and what it refuses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

extern crate wengert_nn as wengert;

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use wengert_autograd::{Tape, Var, plan_clear, plan_stats};
use wengert_nn::data::sampler::Sampler;
use wengert_nn::layer::Layer;
use wengert_nn::layers::dense::Dense;
use wengert_nn::losses::cross_entropy::CrossEntropy;
use wengert_nn::losses::mean_squared_error::MeanSquaredError;
use wengert_nn::metrics::accuracy::Accuracy;
use wengert_nn::module::Module;
use wengert_nn::optim::adam::Adam;
use wengert_nn::optim::adamw::AdamW;
use wengert_nn::optim::schedule::{Schedule, cosine, warmup};
use wengert_nn::optim::sgd::Sgd;
use wengert_nn::param::Param;
use wengert_nn::sequential::Sequential;
use wengert_nn::train::callback::{At, Callback};
use wengert_nn::train::callbacks::csv_logger::CsvLogger;
use wengert_nn::train::callbacks::early_stopping::EarlyStopping;
use wengert_nn::train::callbacks::ema_swap::EmaSwap;
use wengert_nn::train::callbacks::jsonl_logger::JsonlLogger;
use wengert_nn::train::callbacks::lambda::Lambda;
use wengert_nn::train::callbacks::learning_rate_schedule::LearningRateSchedule;
use wengert_nn::train::callbacks::reduce_on_plateau::ReduceOnPlateau;
use wengert_nn::train::callbacks::terminate_on_nan::TerminateOnNan;
use wengert_nn::train::callbacks::time_budget::TimeBudget;
use wengert_nn::train::callbacks::weight_statistics::WeightStatistics;
use wengert_nn::train::interrupt::Interrupt;
use wengert_nn::train::lr_finder::LrFinder;
use wengert_nn::train::monitor::Mode;
use wengert_nn::train::step::Step;
use wengert_nn::train::trainer::{Flow, Trainer};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::random::Seed;
use wengert_tensor::tensor::Tensor;

struct Scratch(PathBuf);

impl Scratch {
    fn new(what: &str) -> Scratch {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("wengert-training-{what}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Scratch(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Two clouds of points.
fn clouds(n: usize) -> (Tensor, Tensor) {
    let x = Tensor::from_fn([n, 2], |i| if i / 2 % 2 == 0 { 1.0 } else { -1.0 } + (i % 7) as f32 / 10.0).unwrap();
    (x, Tensor::from((0..n as i64).map(|i| i % 2).collect::<Vec<_>>()))
}

/// y = 2x + 1.
fn line(n: usize) -> (Tensor, Tensor) {
    let x = Tensor::from_fn([n, 1], |i| i as f32 / n as f32).unwrap();
    let y = Tensor::from_fn([n, 1], |i| 2.0 * i as f32 / n as f32 + 1.0).unwrap();
    (x, y)
}

fn net() -> Sequential {
    Sequential::input([2]).dense(8).relu().dense(2).build(Seed(1)).unwrap()
}

fn weights<M: Module>(model: &M) -> Vec<Tensor> {
    model.state().into_iter().map(|(_, param)| param.value().clone()).collect()
}

fn same(a: &[Tensor], b: &[Tensor]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.equals(b))
}

/// Section 7 of the programs: a run that survives.
#[cfg(feature = "files")]
#[test]
fn a_run_that_survives() -> Result<()> {
    use wengert_nn::files::weights::{Strict, Weights};
    use wengert_nn::train::keep::Keep;
    let scratch = Scratch::new("survives");
    let runs = scratch.0.join("runs/digits");
    let (train, test) = (clouds(64), clouds(20));
    let begin = || -> Result<(Sequential, usize)> {
        let mut model = net();
        let history = Trainer::new(AdamW::new(3e-4).schedule(warmup(500).then(cosine(20_000))), CrossEntropy::new())
            .validation(&test)
            .metric(Accuracy::new())
            .callback(EarlyStopping::on("val_loss").patience(5))
            .checkpoints(&runs, Keep::best("val_accuracy").and_last(2))
            .resume() // the same bits as if it had never stopped
            .verbose(false)
            .fit(&mut model, &train)?;
        Ok((model, history.len()))
    };
    let (mut model, epochs) = begin()?;
    let (again, more) = begin()?;
    assert_eq!((epochs, more), (10, 10));
    assert!(same(&weights(&model), &weights(&again)));
    let path = scratch.0.join("resnet.safetensors");
    again.save_weights(&path)?;
    let report = model.load_weights(&path, Strict)?; // PyTorch's names; a report of what matched
    assert_eq!(report.matched.len(), 4);
    Ok(())
}

#[test]
fn a_step_of_ones_own_is_the_loss_if_it_computes_the_same() -> Result<()> {
    let (train, test) = (clouds(40), clouds(12));
    let (mut one, mut other) = (net(), net());
    let a = Trainer::new(Adam::new(0.01), CrossEntropy::new())
        .metric(Accuracy::new())
        .validation(&test)
        .epochs(3)
        .batch_size(7)
        .verbose(false)
        .fit(&mut one, &train)?;
    fn step<'t>(net: &Sequential, tape: &'t Tape, (x, y): &(Tensor, Tensor)) -> Step<'t> {
        use wengert_nn::loss::Loss;
        let (p, y) = (net.forward(tape.input(x)), tape.input(y));
        Step::new(CrossEntropy::new().loss(p, y)).predicts(p, y).log("size", p.abs().mean())
    }
    let b = Trainer::with_step(Adam::new(0.01), step)
        .metric(Accuracy::new())
        .validation(&test)
        .epochs(3)
        .batch_size(7)
        .verbose(false)
        .fit(&mut other, &train)?;
    assert!(same(&weights(&one), &weights(&other)));
    assert_eq!(b.columns(), ["loss", "accuracy", "size", "val_loss", "val_accuracy", "val_size"]);
    for column in a.columns() {
        assert_eq!(a.column(column), b.column(column));
    }
    Ok(())
}

/// A generator learns where a cloud lies, from a critic alone.
#[test]
fn two_steps_on_a_batch_move_their_parts_only() -> Result<()> {
    #[derive(Module)]
    struct Gan {
        generator: Dense,
        critic: Sequential,
    }
    let real = Tensor::from_fn([64, 1], |i| 3.0 + (i % 8) as f32 / 20.0)?;
    fn made<'t>(gan: &Gan, tape: &'t Tape, n: usize) -> Var<'t> {
        gan.generator.forward(tape.normal([n, 1], DType::F32) * 0.1)
    }
    fn critic<'t>(gan: &Gan, tape: &'t Tape, real: &Tensor) -> Step<'t> {
        let (made, real) = (gan.critic.forward(made(gan, tape, real.len())), gan.critic.forward(tape.input(real)));
        let loss = made.softplus().mean() + (-real).softplus().mean();
        Step::new(loss).only("critic").log("critic", loss)
    }
    fn generator<'t>(gan: &Gan, tape: &'t Tape, real: &Tensor) -> Step<'t> {
        let loss = (-gan.critic.forward(made(gan, tape, real.len()))).softplus().mean();
        Step::new(loss).only("generator").log("generator", loss)
    }
    let fresh = || -> Result<Gan> {
        let critic = Sequential::input([1]).dense(16).tanh().dense(1).build(Seed(1))?;
        Gan { generator: Dense::new(1, 1), critic }.init(Seed(2))
    };
    let optimizer = || Adam::new(0.02);
    let mut gan = fresh()?;
    let before = (weights(&gan.generator), weights(&gan.critic));
    Trainer::with_step(optimizer(), critic).epochs(1).verbose(false).fit(&mut gan, &real)?;
    assert!(same(&before.0, &weights(&gan.generator)) && !same(&before.1, &weights(&gan.critic)));

    let mut gan = fresh()?;
    let mut trainer = Trainer::with_step(optimizer(), critic).then_step(generator).epochs(150).verbose(false);
    let history = trainer.fit(&mut gan, &real)?;
    assert_eq!(history.columns(), ["loss", "critic", "generator"]);
    let sum = history.last("critic").unwrap() + history.last("generator").unwrap();
    assert!((history.last("loss").unwrap() - sum).abs() < 1e-6);
    let offset = gan.generator.bias.as_ref().unwrap().value().to_f64_vec()[0];
    assert!(offset > 1.0, "the generator moves to the cloud at 3: {offset}\n{history}");
    fn unknown<'t>(gan: &Gan, tape: &'t Tape, real: &Tensor) -> Step<'t> {
        critic(gan, tape, real).only("critik")
    }
    let error = Trainer::with_step(optimizer(), unknown).verbose(false).fit(&mut gan, &real).unwrap_err().to_string();
    assert!(error.contains("critik") && error.contains("critic"), "{error}");
    Ok(())
}

#[test]
fn weights_of_classes_and_samples_are_a_data_set_with_copies() -> Result<()> {
    // Weight 2 is twice the loss, with the same batch: the gradient of a sum.
    use wengert_nn::loss::Reduction;
    let sum = || CrossEntropy::new().reduction(Reduction::Sum);
    let (x, y) = clouds(8);
    let twice = |t: &Tensor| -> Result<Tensor> {
        let rows: Vec<usize> = (0..8).flat_map(|i| vec![i; 1 + i % 2]).collect();
        t.gather_rows(&rows)
    };
    let copies = (twice(&x)?, twice(&y)?);
    let train = |trainer: Trainer<'_, _, CrossEntropy>, data: &(Tensor, Tensor)| -> Result<Vec<Tensor>> {
        let mut model = net();
        trainer.epochs(5).batch_size(100).shuffle(false).verbose(false).fit(&mut model, data)?;
        Ok(weights(&model))
    };
    let expected = train(Trainer::new(Sgd::new(0.1), sum()), &copies)?;
    let by_class = train(Trainer::new(Sgd::new(0.1), sum()).class_weight([(1, 2.0)]), &(x.clone(), y.clone()))?;
    let each = Tensor::from_fn([8], |i| 1.0 + (i % 2) as f32)?;
    let by_sample = train(Trainer::new(Sgd::new(0.1), sum()).sample_weight(&each), &(x.clone(), y.clone()))?;
    for (name, got) in [("class", by_class), ("sample", by_sample)] {
        for (a, b) in expected.iter().zip(&got) {
            assert!(a.max_abs_diff(b)? < 1e-5, "{name}");
        }
    }
    let wrong = Trainer::new(Sgd::new(0.1), sum()).sample_weight(&Tensor::from([1f32; 7])).verbose(false);
    let mut wrong = wrong;
    let error = wrong.fit(&mut net(), &(x, y)).unwrap_err().to_string();
    assert!(error.contains("8 samples") && error.contains("[7]"), "{error}");
    Ok(())
}

/// The first `count` samples alone, in an order that goes wrong in one epoch.
#[derive(Debug)]
struct First {
    count: usize,
    wrong: usize,
}

impl Sampler for First {
    fn order(&self, samples: usize, epoch: usize) -> Vec<usize> {
        if epoch == self.wrong { vec![samples] } else { (0..self.count).collect() }
    }
    fn len(&self, _: usize) -> usize {
        self.count
    }
}

#[test]
fn a_sampler_chooses_what_is_trained_on() -> Result<()> {
    let (x, y) = line(8);
    let trainer = || Trainer::new(Sgd::new(0.1), MeanSquaredError::new()).epochs(3).batch_size(2).verbose(false);
    let fitted = |mut trainer: Trainer<'static, _, _>, data: &(Tensor, Tensor)| -> Result<Vec<Tensor>> {
        let mut model = Dense::new(1, 1).init(Seed(4))?;
        trainer.fit(&mut model, data)?;
        Ok(weights(&model))
    };
    let part = (x.slice(0, ..4)?, y.slice(0, ..4)?);
    let first = |wrong: usize| First { count: 4, wrong };
    let chosen = fitted(trainer().sampler(first(9)), &(x.clone(), y.clone()))?;
    assert!(same(&chosen, &fitted(trainer().shuffle(false), &part)?));
    assert!(!same(&chosen, &fitted(trainer().shuffle(false), &(x.clone(), y.clone()))?));
    // What is held out has no part in it, and a split of nothing holds nothing out.
    let held_out = fitted(trainer().sampler(first(9)).validation_split(0.25), &(x.clone(), y.clone()))?;
    assert!(same(&chosen, &held_out));
    assert!(same(&chosen, &fitted(trainer().sampler(first(9)).validation_split(0.0), &(x.clone(), y.clone()))?));
    // Wrong from the start, and later.
    for wrong in [0, 2] {
        let error = fitted(trainer().sampler(first(wrong)), &(x.clone(), y.clone())).unwrap_err().to_string();
        assert!(error.contains("sample 8 of a data set of 8") && error.contains("tests/training.rs"), "{error}");
    }
    Ok(())
}

#[test]
fn the_last_samples_are_held_out() -> Result<()> {
    let (x, y) = line(10);
    let seen = |split: f64, held: &(Tensor, Tensor), rest: &(Tensor, Tensor)| -> Result<()> {
        let (mut one, mut other) = (Dense::new(1, 1).init(Seed(1))?, Dense::new(1, 1).init(Seed(1))?);
        let trainer = || Trainer::new(Sgd::new(0.1), MeanSquaredError::new()).epochs(3).batch_size(3).verbose(false);
        let a = trainer().validation_split(split).fit(&mut one, &(x.clone(), y.clone()))?;
        let b = trainer().validation(held).fit(&mut other, rest)?;
        assert_eq!(a, b);
        assert!(same(&weights(&one), &weights(&other)));
        Ok(())
    };
    let part = |range: std::ops::Range<usize>| -> Result<(Tensor, Tensor)> {
        Ok((x.slice(0, range.clone())?, y.slice(0, range)?))
    };
    seen(0.2, &part(8..10)?, &part(0..8)?)?;
    seen(0.35, &part(6..10)?, &part(0..6)?)?; // as Keras: ⌊10 · 0.65⌋ are trained on
    for wrong in [1.0, -0.5, f64::NAN, 0.999] {
        let mut trainer = Trainer::new(Sgd::new(0.1), MeanSquaredError::new()).validation_split(wrong).verbose(false);
        assert!(trainer.fit(&mut Dense::new(1, 1), &line(10)).is_err(), "{wrong}");
    }
    let held = line(3);
    let mut both = Trainer::new(Sgd::new(0.1), MeanSquaredError::new()).validation_split(0.5).verbose(false);
    both = both.validation(&held);
    assert!(both.fit(&mut Dense::new(1, 1), &line(10)).is_err());
    Ok(())
}

#[test]
fn epochs_of_any_length_go_on_in_the_data() -> Result<()> {
    let run = |epochs: usize, steps: Option<usize>| -> Result<Vec<Tensor>> {
        let mut model = Dense::new(1, 1).init(Seed(1))?;
        let mut trainer = Trainer::new(Sgd::new(0.1), MeanSquaredError::new()).epochs(epochs).batch_size(2);
        if let Some(steps) = steps {
            trainer = trainer.steps_per_epoch(steps);
        }
        trainer.verbose(false).fit(&mut model, &line(12))?;
        Ok(weights(&model))
    };
    // Nothing is drawn in the model, so only the order of the data counts: 6 batches an epoch.
    let expected = run(3, None)?;
    for (epochs, steps) in [(9, 2), (2, 9), (18, 1), (1, 18)] {
        assert!(same(&expected, &run(epochs, Some(steps))?), "{epochs} epochs of {steps}");
    }
    assert!(run(1, Some(0)).is_err());
    Ok(())
}

#[test]
fn a_later_epoch_may_be_the_first() -> Result<()> {
    let fit = |model: &mut Sequential, first: usize, last: usize| {
        let mut trainer = Trainer::new(Sgd::new(0.1), CrossEntropy::new()).batch_size(7).verbose(false);
        let epochs = RefCell::new(Vec::new());
        trainer = trainer.epochs(last).initial_epoch(first);
        let mut trainer = trainer.on_epoch(|epoch, _| epochs.borrow_mut().push(epoch));
        trainer.fit(model, &clouds(40)).unwrap();
        drop(trainer);
        epochs.into_inner()
    };
    let (mut whole, mut parts) = (net(), net());
    assert_eq!(fit(&mut whole, 0, 5), [1, 2, 3, 4, 5]);
    assert_eq!(fit(&mut parts, 0, 2), [1, 2]);
    assert_eq!(fit(&mut parts, 2, 5), [3, 4, 5]);
    assert!(same(&weights(&whole), &weights(&parts)));
    Ok(())
}

#[test]
fn validation_may_be_rare_and_short() -> Result<()> {
    let test = line(10);
    let mut trainer = Trainer::new(Sgd::new(0.0), MeanSquaredError::new()).epochs(5).batch_size(4).verbose(false);
    trainer = trainer.validation(&test).validation_freq(2).validation_steps(1);
    let model = Dense::new(1, 1).init(Seed(1))?;
    let history = trainer.fit(&mut model.clone(), &line(10))?;
    let there: Vec<bool> = history.epochs().iter().map(|logs| logs.get("val_loss").is_some()).collect();
    assert_eq!(there, [false, true, false, true, false]);
    let first = (test.0.slice(0, 0..4)?, test.1.slice(0, 0..4)?);
    assert_eq!(history.epochs()[1].get("val_loss"), trainer.evaluate(&model, &first)?.get("loss"));
    Ok(())
}

#[test]
fn a_name_that_nobody_reports_is_refused_before_the_first_epoch() -> Result<()> {
    let (mut model, test) = (net(), clouds(8));
    let before = weights(&model);
    let mut trainer = Trainer::new(Sgd::new(0.1), CrossEntropy::new())
        .metric(Accuracy::new())
        .validation(&test)
        .callback(EarlyStopping::on("val_acuracy"))
        .verbose(false);
    let error = trainer.fit(&mut model, &clouds(8)).unwrap_err().to_string();
    for what in [
        "no `val_acuracy`",
        "`early_stopping`",
        "`loss`, `accuracy`, `val_loss`, `val_accuracy`",
        "perhaps `val_accuracy`",
    ] {
        assert!(error.contains(what), "{error}\nexpected {what}");
    }
    assert!(same(&before, &weights(&model)));
    // What another callback adds may be watched.
    let trainer = Trainer::new(Sgd::new(0.1), CrossEntropy::new()).callback(WeightStatistics::new()).epochs(2);
    trainer.callback(EarlyStopping::on("weight_norm")).verbose(false).fit(&mut model, &clouds(8))?;
    Ok(())
}

/// Reports given figures as `figure`.
struct Figures(Vec<f64>);

impl Callback for Figures {
    fn name(&self) -> &str {
        "figures"
    }
    fn columns(&self, _: &dyn Module) -> Vec<String> {
        vec!["figure".into()]
    }
    fn on_epoch_end(&mut self, at: &mut At<'_>) -> Result<Flow> {
        let figure = self.0[at.epoch() - 1];
        at.logs_mut().set("figure", figure);
        Ok(Flow::Continue)
    }
}

fn figures(figures: &[f64]) -> Trainer<'static, wengert_nn::optim::sgd::SgdRule, MeanSquaredError> {
    Trainer::new(Sgd::new(0.1), MeanSquaredError::new())
        .epochs(figures.len())
        .batch_size(100)
        .verbose(false)
        .callback(Figures(figures.to_vec()))
}

/// The epochs at which Keras 3's `EarlyStopping` stops on the same figures.
#[test]
fn early_stopping_stops_where_keras_does() -> Result<()> {
    let nan = f64::NAN;
    type Set = fn(EarlyStopping) -> EarlyStopping;
    let cases: [(&[f64], Set, usize); 10] = [
        (&[3.0, 2.0, 2.0, 1.0], |e| e, 3),
        (&[3.0, 2.0, 2.5, 2.4, 2.3, 1.0], |e| e.patience(2), 4),
        (&[3.0, 2.0, 2.5, 1.0, 2.3, 2.0], |e| e.patience(2), 6),
        (&[3.0, 2.0, 1.95, 1.93, 1.0], |e| e.patience(2).min_delta(0.1), 4),
        (&[1.0, 2.0, 3.0, 2.0, 2.5], |e| e.mode(Mode::Max).patience(2), 5),
        (&[1.0, 2.0, 3.0, 2.0, 2.5], |e| e.patience(2), 3),
        (&[3.0, 2.9, 2.8, 2.7, 2.6], |e| e.baseline(1.0).patience(2), 5),
        (&[1.0, 2.0, 3.0, 2.5, 2.6, 2.7], |e| e.start_from_epoch(2), 5),
        (&[nan, 2.0, nan, 1.0], |e| e.patience(1), 3),
        (&[3.0, nan, nan, 1.0], |e| e.patience(2), 3),
    ];
    for (numbers, set, last) in cases {
        let mut trainer = figures(numbers).callback(set(EarlyStopping::on("figure")));
        let history = trainer.fit(&mut Dense::new(1, 1), &line(4))?;
        assert_eq!(history.len(), last, "{numbers:?}");
        let noted = history.notes().iter().any(|note| note.contains("ends early"));
        assert_eq!(noted, numbers != [3.0, 2.9, 2.8, 2.7, 2.6], "{numbers:?} {:?}", history.notes());
    }
    assert!(
        figures(&[1.0])
            .callback(EarlyStopping::on("figure").min_delta(-1.0))
            .fit(&mut Dense::new(1, 1), &line(4))
            .is_err()
    );
    Ok(())
}

#[test]
fn the_best_weights_come_back() -> Result<()> {
    let kept = RefCell::new(Vec::new());
    let mut model = Dense::new(1, 1);
    let mut trainer = figures(&[3.0, 1.0, 2.0, 4.0])
        .callback(EarlyStopping::on("figure").patience(9).restore_best())
        .callback(Lambda::new().epoch_end(|at| kept.borrow_mut().push(at.model().state()[0].1.value().clone())));
    trainer.fit(&mut model, &line(4))?;
    drop(trainer);
    let kept = kept.into_inner();
    assert!(model.weight.value().equals(&kept[1]) && !model.weight.value().equals(&kept[3]));
    Ok(())
}

#[test]
fn the_learning_rate_falls_where_keras_lets_it() -> Result<()> {
    let rates = |numbers: &[f64], reduce: ReduceOnPlateau| -> Result<Vec<f64>> {
        let history = figures(numbers).callback(reduce).fit(&mut Dense::new(1, 1), &line(4))?;
        Ok(history.column("learning_rate").unwrap().into_iter().map(|rate| (rate * 1e6).round() / 1e6).collect())
    };
    let on = || ReduceOnPlateau::on("figure").factor(0.5);
    assert_eq!(rates(&[3.0, 3.0, 3.0, 3.0, 3.0], on().patience(2))?, [0.1, 0.1, 0.1, 0.05, 0.05]);
    assert_eq!(rates(&[3.0, 3.0, 3.0, 3.0, 3.0], on().patience(1).min_rate(0.04))?, [0.1, 0.1, 0.05, 0.04, 0.04]);
    assert_eq!(rates(&[3.0, 3.0, 3.0, 3.0, 3.0], on().patience(1).cooldown(2))?, [0.1, 0.1, 0.05, 0.05, 0.025]);
    assert_eq!(rates(&[3.0, 4.0, 5.0, 6.0], on().patience(1).mode(Mode::Max))?, [0.1, 0.1, 0.1, 0.1]);
    assert_eq!(rates(&[3.0, 2.9, 2.8, 2.7], on().patience(1).min_delta(0.2))?, [0.1, 0.1, 0.05, 0.025]);
    for wrong in [on().factor(1.0), on().factor(-0.1), on().factor(f64::NAN), on().min_rate(-1.0)] {
        assert!(rates(&[1.0], wrong).is_err());
    }
    // It reaches the learning rates of groups, too.
    let mut trainer = Trainer::new(Sgd::new(0.1).learning_rate_of("bias", 0.5), MeanSquaredError::new()).epochs(1);
    trainer = trainer.callback(LearningRateSchedule::by(|_: u64| 0.0)).verbose(false);
    let mut model = Dense::new(1, 1).init(Seed(1))?;
    let before = weights(&model);
    trainer.fit(&mut model, &line(4))?;
    assert!(same(&before, &weights(&model)));
    Ok(())
}

#[test]
fn logs_are_written_as_the_run_goes() -> Result<()> {
    let scratch = Scratch::new("logs");
    let (csv, jsonl, test) = (scratch.0.join("deep/log.csv"), scratch.0.join("log.jsonl"), line(4));
    let run = |csv_logger: CsvLogger, jsonl_logger: JsonlLogger, epochs: usize| {
        Trainer::new(Sgd::new(0.1), MeanSquaredError::new())
            .validation(&test)
            .validation_freq(2)
            .epochs(epochs)
            .callback(csv_logger)
            .callback(jsonl_logger)
            .verbose(false)
            .fit(&mut Dense::new(1, 1), &line(4))
    };
    let history = run(CsvLogger::new(&csv), JsonlLogger::new(&jsonl), 2)?;
    let loss = history.column("loss").unwrap();
    let text = std::fs::read_to_string(&csv).unwrap();
    let val = history.last("val_loss").unwrap();
    assert_eq!(text, format!("epoch,loss,val_loss\n1,{},\n2,{},{val}\n", loss[0], loss[1]));
    let text = std::fs::read_to_string(&jsonl).unwrap();
    let expected =
        format!("{{\"epoch\":1,\"loss\":{}}}\n{{\"epoch\":2,\"loss\":{},\"val_loss\":{val}}}\n", loss[0], loss[1]);
    assert_eq!(text, expected);
    run(CsvLogger::new(&csv).append(), JsonlLogger::new(&jsonl).append(), 3)?;
    assert_eq!(std::fs::read_to_string(&csv).unwrap().lines().count(), 6);
    assert_eq!(std::fs::read_to_string(&jsonl).unwrap().lines().count(), 5);
    run(CsvLogger::new(&csv), JsonlLogger::new(&jsonl), 1)?;
    assert_eq!(std::fs::read_to_string(&csv).unwrap().lines().count(), 2);
    // Another table is not written into, and a folder is no file.
    std::fs::write(&csv, "a,b\n1,2").unwrap();
    assert!(run(CsvLogger::new(&csv).append(), JsonlLogger::new(&jsonl), 1).is_err());
    assert!(run(CsvLogger::new(&scratch.0), JsonlLogger::new(&jsonl), 1).is_err());
    Ok(())
}

#[test]
fn what_callbacks_add_is_there_for_those_before_them() -> Result<()> {
    let scratch = Scratch::new("order");
    let (csv, jsonl) = (scratch.0.join("log.csv"), scratch.0.join("log.jsonl"));
    let mut trainer = Trainer::new(Sgd::new(0.1), MeanSquaredError::new())
        .epochs(3)
        .verbose(false)
        .callback(CsvLogger::new(&csv))
        .callback(JsonlLogger::new(&jsonl))
        .callback(EarlyStopping::on("figure").patience(1))
        .callback(ReduceOnPlateau::on("figure").patience(1).factor(0.5))
        .callback(Figures(vec![0.5, 0.75, 0.25]));
    let history = trainer.fit(&mut Dense::new(1, 1), &line(4))?;
    assert_eq!(history.column("figure").unwrap(), [0.5, 0.75]);
    assert!(history.notes()[0].starts_with("epoch 2: `figure` stays at 0.5000"), "{history:?}");
    let text = std::fs::read_to_string(&csv).unwrap();
    let cells: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(cells[0], ["epoch", "loss", "learning_rate", "figure"]);
    assert!(cells.iter().flatten().all(|cell| !cell.is_empty()), "{text}");
    assert_eq!([cells[1][3], cells[2][3]], ["0.5", "0.75"]);
    let text = std::fs::read_to_string(&jsonl).unwrap();
    assert!(text.lines().all(|line| line.contains("\"figure\":0.") && line.contains("\"learning_rate\":0.")), "{text}");
    Ok(())
}

#[test]
fn a_lost_loss_may_end_a_run_cleanly() -> Result<()> {
    let mut model = Dense::new(1, 1).init(Seed(1))?;
    let mut trainer = Trainer::new(Sgd::new(1e30), MeanSquaredError::new()).epochs(50).verbose(false);
    trainer = trainer.callback(TerminateOnNan::new());
    let history = trainer.fit(&mut model, &line(10))?;
    assert!(history.len() < 50 && weights(&model).iter().all(|weight| !weight.has_nan()));
    assert!(history.notes().iter().any(|note| note.contains("not finite")), "{:?}", history.notes());
    let history = figures(&[1.0, f64::INFINITY, 1.0]).callback(TerminateOnNan::new()).fit(&mut model, &line(4));
    assert!(history.is_err() || history.is_ok_and(|history| history.len() <= 2));
    Ok(())
}

#[test]
fn the_averages_are_evaluated_and_training_goes_on() -> Result<()> {
    let (train, test) = (line(8), line(5));
    let trainer = |swaps: bool| {
        let trainer = Trainer::new(Sgd::new(0.1).ema(0.9), MeanSquaredError::new()).epochs(4).batch_size(4);
        let trainer = trainer.validation(&test).verbose(false);
        if swaps { trainer.callback(EmaSwap::new()) } else { trainer }
    };
    let (mut one, mut other) = (Dense::new(1, 1).init(Seed(1))?, Dense::new(1, 1).init(Seed(1))?);
    let mut with = trainer(true);
    let (a, b) = (with.fit(&mut one, &train)?, trainer(false).fit(&mut other, &train)?);
    assert!(same(&weights(&one), &weights(&other)), "the weights are those of training");
    assert_eq!(a.column("loss"), b.column("loss"));
    assert_ne!(a.column("val_loss"), b.column("val_loss"));
    let evaluated = with.optimizer().evaluate(&mut one, |model| with.evaluate(model, &test))?;
    assert_eq!(evaluated.get("loss"), a.last("val_loss"));
    Ok(())
}

#[test]
fn statistics_are_those_of_the_weights() -> Result<()> {
    let mut model = Dense::new(1, 1).init(Seed(1))?;
    let before: Vec<f64> = weights(&model).iter().flat_map(|weight| weight.to_f64_vec()).collect();
    let mut trainer = Trainer::new(Sgd::new(0.1), MeanSquaredError::new()).epochs(1).batch_size(100).verbose(false);
    trainer = trainer.callback(WeightStatistics::new().of_each());
    let history = trainer.fit(&mut model, &line(8))?;
    let after: Vec<f64> = weights(&model).iter().flat_map(|weight| weight.to_f64_vec()).collect();
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let weight = norm(&mut after.iter().copied());
    let update = norm(&mut after.iter().zip(&before).map(|(a, b)| a - b));
    let close = |name: &str, expected: f64| {
        let got = history.last(name).unwrap();
        assert!((got - expected).abs() < 1e-5 * (1.0 + expected), "{name}: {got}, {expected}");
    };
    close("weight_norm", weight);
    close("gradient_norm", update / 0.1);
    close("update_ratio", update / weight);
    close("weight_norm/weight", after[0].abs());
    assert!(history.last("gradient_norm/bias").is_some());
    Ok(())
}

#[test]
fn a_run_may_be_short_of_time_or_be_interrupted() -> Result<()> {
    use std::time::Duration;
    let mut trainer = Trainer::new(Sgd::new(0.1), MeanSquaredError::new()).epochs(usize::MAX).verbose(false);
    trainer = trainer.callback(TimeBudget::new(Duration::from_millis(30)));
    let history = trainer.fit(&mut Dense::new(1, 1), &line(4))?;
    assert!(!history.is_empty() && history.notes().iter().any(|note| note.contains("over")));
    let mut trainer = Trainer::new(Sgd::new(0.1), MeanSquaredError::new()).epochs(usize::MAX).verbose(false);
    trainer = trainer.callback(TimeBudget::new(Duration::ZERO).at_once());
    assert!(trainer.fit(&mut Dense::new(1, 1), &line(4))?.is_empty());

    let flag = Interrupt::new();
    let raised = flag.clone();
    let mut trainer =
        Trainer::new(Sgd::new(0.1), MeanSquaredError::new()).batch_size(1).interrupt(&flag).verbose(false);
    trainer = trainer.callback(Lambda::new().batch_end(move |at| {
        if at.steps() == 6 {
            raised.raise()
        }
    }));
    let history = trainer.fit(&mut Dense::new(1, 1), &line(4))?;
    assert!(history.len() == 1 && history.was_interrupted());
    // Two steps of four, the loss of which is no other epoch's.
    let broken = history.unfinished().unwrap().get("loss").unwrap();
    assert!(broken > 0.0 && Some(broken) != history.last("loss"), "{broken}");
    flag.clear();
    assert!(!flag.is_raised());
    Ok(())
}

#[cfg(feature = "progress")]
#[cfg(unix)]
#[test]
fn ctrl_c_raises_the_flag() -> Result<()> {
    let (flag, again) = (Interrupt::ctrl_c()?, Interrupt::ctrl_c()?);
    assert!(!flag.is_raised());
    let sent = std::process::Command::new("kill").args(["-INT", &std::process::id().to_string()]).status();
    if !sent.is_ok_and(|status| status.success()) {
        println!("skipped: there is no `kill`");
        return Ok(());
    }
    for _ in 0..1000 {
        if flag.is_raised() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert!(flag.is_raised() && again.is_raised());
    flag.clear();
    Ok(())
}

#[test]
fn what_cannot_be_learned_is_pointed_out_once() -> Result<()> {
    #[derive(Module)]
    struct Odd {
        body: Dense,
        head: Dense,
        unused: Dense,
    }
    impl Layer for Odd {
        fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
            self.head.forward(self.body.forward(x).relu())
        }
    }
    let notes = |dead: bool, rate: f64, checks: bool| -> Result<Vec<String>> {
        let mut model =
            Odd { body: Dense::new(2, 4), head: Dense::new(4, 2), unused: Dense::new(2, 2) }.init(Seed(1))?;
        if dead {
            let low = Param::new(Tensor::from([0f32, -100.0, -100.0, 0.0]));
            model.body.bias.as_mut().unwrap().set(low.value().clone())?;
        }
        let mut trainer = Trainer::new(Sgd::new(rate), CrossEntropy::new()).epochs(3).checks(checks).verbose(false);
        Ok(trainer.fit(&mut model, &clouds(64))?.notes().to_vec())
    };
    let found = notes(true, 0.1, true)?;
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("no gradient reaches `unused.weight`, `unused.bias`"), "{found:?}");
    assert!(found[1].contains("2 of 4 units of `body.bias` are dead"), "{found:?}");
    assert_eq!(notes(false, 0.1, true)?.len(), 1);
    assert!(notes(true, 0.1, false)?.is_empty());

    // Labels without any relation to the inputs.
    let x = Tensor::zeros([60, 2], DType::F32)?;
    let data = (x, Tensor::from((0..60i64).map(|i| i % 3).collect::<Vec<_>>()));
    let mut model = Sequential::input([2]).dense(3).build(Seed(1))?;
    let mut trainer = Trainer::new(Sgd::new(1e-3), CrossEntropy::new()).epochs(2).verbose(false);
    let history = trainer.fit(&mut model, &data)?;
    assert!(history.notes().iter().any(|note| note.contains("guessing among 3 classes")), "{:?}", history.notes());

    // A gradient that is far larger than the weights.
    let (x, y) = line(40);
    let data = (x, Tensor::from(y.to_vec::<f32>()?.iter().map(|y| [y * 1e6]).collect::<Vec<_>>()));
    let mut trainer = Trainer::new(Sgd::new(1e-9), MeanSquaredError::new()).epochs(1).verbose(false);
    let history = trainer.fit(&mut Dense::new(1, 1), &data)?;
    assert!(history.notes().iter().any(|note| note.contains("explode")), "{:?}", history.notes());
    Ok(())
}

#[test]
fn a_steady_step_is_one_plan() -> Result<()> {
    let compiled = |checks: bool| -> Result<_> {
        let mut model = net();
        plan_clear();
        let before = plan_stats().compiled;
        let mut trainer = Trainer::new(Adam::new(0.01).schedule(warmup(3).then(cosine(50))), CrossEntropy::new());
        trainer = trainer.metric(Accuracy::new()).epochs(4).batch_size(8).checks(checks).verbose(false);
        trainer.fit(&mut model, &clouds(40))?;
        Ok(plan_stats().compiled - before)
    };
    assert_eq!(compiled(false)?, 1);
    assert_eq!(compiled(true)?, 2, "the look at the gradients after the first epoch is one more");
    Ok(())
}

#[test]
fn a_trial_of_learning_rates_leaves_no_trace() -> Result<()> {
    let model = || Sequential::input([2]).dense(8).batch_norm().relu().dropout(0.2).dense(2).build(Seed(3));
    let trainer = || {
        Trainer::new(Adam::new(0.01).schedule(warmup(3)).ema(0.9), CrossEntropy::new())
            .batch_size(7)
            .epochs(2)
            .verbose(false)
    };
    let data = clouds(40);
    let (mut one, mut other) = (model()?, model()?);
    let (mut plain, mut tried) = (trainer(), trainer());
    plain.fit(&mut one, &data)?;
    let fresh = tried.find_learning_rate(&mut other, &data, &LrFinder::new())?;
    tried.fit(&mut other, &data)?;
    assert!(same(&weights(&one), &weights(&other)), "before the first step");
    let later = tried.find_learning_rate(&mut other, &data, &LrFinder::new().between(1e-6, 1e3))?;
    plain.fit(&mut one, &data)?;
    tried.fit(&mut other, &data)?;
    assert!(same(&weights(&one), &weights(&other)), "between two runs");
    assert_eq!(tried.optimizer().steps(), plain.optimizer().steps());
    assert_eq!(fresh.rates().len(), fresh.losses().len());
    assert!((fresh.rates()[0] - 1e-7).abs() < 1e-12);
    assert!(later.to_string().contains("steepest"), "{later}");
    for wrong in [
        LrFinder::new().between(1.0, 0.1),
        LrFinder::new().steps(1),
        LrFinder::new().smoothing(1.0),
        LrFinder::new().divergence(1.0),
    ] {
        let error = tried.find_learning_rate(&mut other, &data, &wrong).unwrap_err().to_string();
        assert!(error.contains("training.rs:"), "{error}");
    }
    Ok(())
}

/// A parabola diverges at a rate that is known: 2 ÷ its curvature.
#[test]
fn the_learning_rate_that_is_found_is_a_good_one() -> Result<()> {
    let (x, y) = (Tensor::ones([64, 1], DType::F32)?, Tensor::full([64, 1], 5.0f32)?);
    let mut model = Dense::new(1, 1).init(Seed(1))?;
    let mut trainer = Trainer::new(Sgd::new(1e-3), MeanSquaredError::new()).batch_size(8);
    let found = trainer.find_learning_rate(&mut model, &(x, y), &LrFinder::new())?;
    assert!(found.diverged());
    // The loss is (w + b − 5)²: its curvature along (1, 1) is 4, so 0.5 diverges.
    let (steepest, minimum) = (found.steepest().unwrap(), found.minimum().unwrap());
    assert!((1e-3..0.5).contains(&steepest) && (1e-3..0.5).contains(&minimum), "{found}");
    Ok(())
}

#[test]
fn the_worst_samples_are_found() -> Result<()> {
    let (x, y) = line(10);
    let mut answers = y.to_vec::<f32>()?;
    (answers[3], answers[7]) = (99.0, -50.0);
    let data = (x, Tensor::new(answers, [10, 1])?);
    let mut model = Dense::new(1, 1);
    model.weight.set(Tensor::from([[2f32]]))?;
    model.bias.as_mut().unwrap().set(Tensor::from([1f32]))?;
    let trainer = Trainer::new(Sgd::new(0.1), MeanSquaredError::new()).batch_size(4);
    let worst = trainer.top_losses(&model, &data, 3)?;
    assert_eq!(worst.iter().map(|one| one.index).take(2).collect::<Vec<_>>(), [3, 7]);
    assert_eq!(worst.len(), 3);
    assert!(worst[2].loss < 1e-6);
    Ok(())
}
