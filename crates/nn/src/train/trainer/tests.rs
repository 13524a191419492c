use super::*;
use crate::layers::dense::Dense;
use crate::loss::Reduction;
use crate::losses::cross_entropy::CrossEntropy;
use crate::losses::mean_squared_error::MeanSquaredError;
use crate::metrics::accuracy::Accuracy;
use crate::module::Module;
use crate::optim::adam::Adam;
use crate::optim::sgd::Sgd;
use crate::sequential::Sequential;
use std::cell::RefCell;
use wengert_autograd::Apply;
use wengert_tensor::dtype::DType;
use wengert_tensor::random::Seed;

/// y = 2x + 1 at ten places.
fn line() -> (Tensor, Tensor) {
    let x = Tensor::from_fn([10, 1], |i| i as f32 / 5.0 - 1.0).unwrap();
    let y = Tensor::from_fn([10, 1], |i| 2.0 * (i as f32 / 5.0 - 1.0) + 1.0).unwrap();
    (x, y)
}

/// Two clouds of points, left and right.
fn clouds() -> (Tensor, Tensor) {
    let x = Tensor::from_fn([40, 2], |i| if i / 2 % 2 == 0 { 1.0 } else { -1.0 } + (i % 7) as f32 / 10.0).unwrap();
    (x, Tensor::from((0..40i64).map(|i| i % 2).collect::<Vec<_>>()))
}

fn weights<M: Module>(model: &M) -> Vec<Tensor> {
    model.state().into_iter().map(|(_, param)| param.value().clone()).collect()
}

fn same(a: &[Tensor], b: &[Tensor]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.equals(b))
}

fn net() -> Sequential {
    Sequential::input([2]).dense(8).relu().dropout(0.1).dense(2).build(Seed(1)).unwrap()
}

#[test]
fn a_line_is_learned() {
    let mut model = Dense::new(1, 1).init(Seed(1)).unwrap();
    let mut trainer = Trainer::new(Sgd::new(0.2), MeanSquaredError::new()).epochs(100).batch_size(4).verbose(false);
    let history = trainer.metric(MeanSquaredError::new()).fit(&mut model, &line()).unwrap();
    assert_eq!(history.len(), 100);
    assert!(history.last("loss").unwrap() < 1e-6, "{history}");
    assert!((model.weight.value().to_f64_vec()[0] - 2.0).abs() < 1e-3);
    trainer = Trainer::new(Sgd::new(0.2), MeanSquaredError::new());
    assert!(trainer.evaluate(&model, &line()).unwrap().get("loss").unwrap() < 1e-6);
}

#[test]
fn a_loss_that_is_not_reduced_is_refused() {
    let mut model = Dense::new(1, 1);
    let loss = MeanSquaredError::new().reduction(Reduction::None);
    let error = Trainer::new(Sgd::new(0.2), loss).verbose(false).fit(&mut model, &line()).unwrap_err().to_string();
    assert!(error.contains("a step descends one number, and the loss has the shape [10, 1]"), "{error}");
    assert!(error.contains("Reduction::Mean"), "{error}");
    // A box will do, and a sum.
    let loss: Box<dyn Loss> = Box::new(MeanSquaredError::new().reduction(Reduction::Sum));
    let history = Trainer::new(Sgd::new(0.02), loss).epochs(50).verbose(false).fit(&mut model, &line()).unwrap();
    assert!(history.last("loss").unwrap() < 1e-3, "{history}");
}

#[test]
fn classes_are_learned_and_watched() {
    let (mut model, data) = (net(), clouds());
    let mut trainer = Trainer::new(Adam::new(0.05), CrossEntropy::new())
        .metric(Accuracy::new())
        .validation(&data)
        .epochs(30)
        .batch_size(16)
        .verbose(false);
    let history = trainer.fit(&mut model, &data).unwrap();
    assert_eq!(history.columns(), ["loss", "accuracy", "val_loss", "val_accuracy"]);
    assert_eq!(history.last("val_accuracy"), Some(1.0), "{history}");
    let logs = trainer.evaluate(&model, &data).unwrap();
    assert_eq!(logs.get("accuracy"), history.last("val_accuracy"));
    assert_eq!(logs.get("loss"), history.last("val_loss"));
}

#[test]
fn a_smaller_last_batch_weighs_less() {
    // Nothing moves, so the loss of the epoch must be the loss of the whole data, for any batch size.
    let model = Dense::new(1, 1).init(Seed(1)).unwrap();
    let whole = Trainer::new(Sgd::new(0.0), MeanSquaredError::new()).batch_size(10).evaluate(&model, &line()).unwrap();
    for batch_size in [1, 3, 4, 7, 10, 100] {
        let mut trainer = Trainer::new(Sgd::new(0.0), MeanSquaredError::new())
            .metric(MeanSquaredError::new())
            .epochs(1)
            .batch_size(batch_size)
            .verbose(false);
        let history = trainer.fit(&mut model.clone(), &line()).unwrap();
        for figure in
            [history.last("loss"), history.last("mse"), trainer.evaluate(&model, &line()).unwrap().get("loss")]
        {
            assert!((figure.unwrap() - whole.get("loss").unwrap()).abs() < 1e-6, "{batch_size}: {figure:?}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_and_two_halves_are_a_whole() {
    let run = |seed: u64, parts: &[usize]| {
        let mut model = net();
        let mut trainer = Trainer::new(Adam::new(0.01), CrossEntropy::new()).batch_size(7).seed(seed).verbose(false);
        for &epochs in parts {
            trainer = trainer.epochs(epochs);
            trainer.fit(&mut model, &clouds()).unwrap();
        }
        weights(&model)
    };
    let whole = run(1, &[6]);
    assert!(same(&whole, &run(1, &[6])));
    assert!(same(&whole, &run(1, &[2, 4])));
    assert!(!same(&whole, &run(2, &[6])));
}

#[test]
fn predictions_in_batches_are_the_predictions() {
    let (model, (x, _)) = (net(), clouds());
    let whole = model.predict(&x).unwrap();
    for batch_size in [1, 7, 40, 100] {
        assert!(predict(&model, &x, batch_size).unwrap().equals(&whole), "{batch_size}");
    }
    assert!(predict(&model, &x, 0).is_err());
}

#[test]
fn hooks_see_every_epoch_and_may_stop() {
    let seen = RefCell::new(Vec::new());
    let mut trainer = Trainer::new(Sgd::new(0.1), MeanSquaredError::new())
        .epochs(9)
        .verbose(false)
        .on_epoch(|epoch, logs| seen.borrow_mut().push((epoch, logs.get("loss"))))
        .on_epoch(|epoch, _| if epoch == 4 { Flow::Stop } else { Flow::Continue });
    let history = trainer.fit(&mut Dense::new(1, 1), &line()).unwrap();
    drop(trainer);
    let expected: Vec<_> =
        history.column("loss").unwrap().into_iter().map(Some).zip(1..).map(|(l, e)| (e, l)).collect();
    assert_eq!(seen.into_inner(), expected);
    assert_eq!(history.len(), 4);
}

#[test]
fn epochs_without_end_last_until_a_hook_stops() {
    for verbose in [Verbose::Auto, Verbose::Silent, Verbose::Lines, Verbose::Bar] {
        let mut trainer = Trainer::new(Sgd::new(0.1), MeanSquaredError::new())
            .epochs(usize::MAX)
            .batch_size(4)
            .verbose(verbose)
            .on_epoch(|epoch, _| if epoch == 2 { Flow::Stop } else { Flow::Continue });
        assert_eq!(trainer.fit(&mut Dense::new(1, 1), &line()).unwrap().len(), 2, "{verbose:?}");
    }
}

#[test]
fn bad_data_is_refused_before_a_weight_moves() {
    let (x, y) = clouds();
    let mut nan = x.to_vec::<f32>().unwrap();
    nan[7] = f32::NAN;
    let cases: Vec<((Tensor, Tensor), &str)> = vec![
        ((x.clone(), y.slice(0, 0..39).unwrap()), "the inputs have 40 samples, the targets 39"),
        ((Tensor::new(nan, [40, 2]).unwrap(), y.clone()), "sample 3, feature 1 is NaN"),
        ((x.slice(0, 0..0).unwrap(), y.slice(0, 0..0).unwrap()), "the data set has no samples"),
        ((Tensor::from([[1f32, 2.0, 3.0]]), Tensor::from([1i64])), "[1, 3]"),
        ((x.cast(DType::F64).unwrap(), y.clone()), "f64"),
        ((x.clone(), y.cast(DType::F32).unwrap()), "labels"),
        ((x.clone(), y.apply(|y| y + 5).unwrap()), "label"),
        ((x.clone(), y.apply(|y| y - 1).unwrap()), "label"),
    ];
    for (data, expected) in cases {
        let mut model = net();
        let before = weights(&model);
        let mut trainer = Trainer::new(Adam::new(0.1), CrossEntropy::new()).verbose(false);
        let error = trainer.fit(&mut model, &data).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}\nexpected {expected}");
        assert!(error.contains("tests.rs:"), "the line of the call: {error}");
        assert!(same(&before, &weights(&model)), "{error}");
        let error = Trainer::new(Adam::new(0.1), CrossEntropy::new()).validation(&data).verbose(false);
        if !expected.contains("label") {
            let mut error = error;
            let error = error.fit(&mut model, &(x.clone(), y.clone())).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("validation"), "{error}");
            assert!(same(&before, &weights(&model)), "validation is looked at first");
        }
    }
}

#[test]
fn settings_without_meaning_are_errors() {
    let trainer = || Trainer::new(Sgd::new(0.1), MeanSquaredError::new()).verbose(false);
    let mut model = Dense::new(1, 1);
    assert!(trainer().batch_size(0).fit(&mut model, &line()).is_err());
    assert!(trainer().batch_size(0).evaluate(&model, &line()).is_err());
    assert!(trainer().drop_last(true).fit(&mut model, &line()).unwrap_err().to_string().contains("drop_last"));
    assert!(trainer().epochs(0).fit(&mut model, &line()).unwrap().is_empty());
}

#[test]
fn a_loss_that_is_no_number_stops_before_the_weights_are_lost() {
    let mut model = Dense::new(1, 1).init(Seed(1)).unwrap();
    let mut trainer = Trainer::new(Sgd::new(1e30), MeanSquaredError::new()).epochs(50).verbose(false);
    let error = trainer.fit(&mut model, &line()).unwrap_err().to_string();
    assert!(error.contains("the loss became") && error.contains("epoch") && error.contains("batch"), "{error}");
    assert!(weights(&model).iter().all(|weight| !weight.has_nan()));
}

/// A batch whose loss is not finite stops a run, unless the optimizer skips it.
#[test]
fn what_is_not_finite_is_skipped_on_request() -> Result<()> {
    let x = Tensor::from([[1f32], [2.0], [f32::MAX], [3.0]]);
    let data = (x, Tensor::from([[1f32], [2.0], [0.0], [3.0]]));
    let run = |sgd: Sgd| {
        let mut model = Dense::new(1, 1).init(Seed(1))?;
        let mut trainer = Trainer::new(sgd, MeanSquaredError::new()).epochs(3).batch_size(1).verbose(false);
        trainer.fit(&mut model, &data).map(|history| (history, trainer.optimizer().skipped(), model))
    };
    assert!(run(Sgd::new(1e-2)).is_err());
    let (history, skipped, model) = run(Sgd::new(1e-2).skip_non_finite())?;
    assert_eq!(skipped, 3);
    assert!(history.last("loss").is_some_and(f64::is_finite));
    assert!(model.weight.value().to_f64_vec()[0].is_finite());
    Ok(())
}
