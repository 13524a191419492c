//! Laws of all metrics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use support::{assert_close, assert_on_roll, tensors};
use wengert_autograd::{Apply, Tape, Var, plan_clear, plan_stats};
use wengert_nn::layer::Layer;
use wengert_nn::layers::dense::Dense;
use wengert_nn::loss::Loss;
use wengert_nn::losses::binary_cross_entropy::BinaryCrossEntropy;
use wengert_nn::losses::cross_entropy::CrossEntropy;
use wengert_nn::losses::mean_absolute_error::MeanAbsoluteError;
use wengert_nn::losses::mean_squared_error::MeanSquaredError;
use wengert_nn::metrics::accuracy::Accuracy;
use wengert_nn::metrics::auc::Auc;
use wengert_nn::metrics::average::Average;
use wengert_nn::metrics::binary_accuracy::BinaryAccuracy;
use wengert_nn::metrics::binary_iou::BinaryIoU;
use wengert_nn::metrics::calibration_error::CalibrationError;
use wengert_nn::metrics::case::Case;
use wengert_nn::metrics::cohen_kappa::CohenKappa;
use wengert_nn::metrics::confusion::ConfusionMatrix;
use wengert_nn::metrics::exact;
use wengert_nn::metrics::exact_match::ExactMatch;
use wengert_nn::metrics::f_beta::FBeta;
use wengert_nn::metrics::iou::IoU;
use wengert_nn::metrics::mean::Mean;
use wengert_nn::metrics::metric::{Meter, Metric};
use wengert_nn::metrics::pearson_correlation::PearsonCorrelation;
use wengert_nn::metrics::precision::Precision;
use wengert_nn::metrics::r2_score::R2Score;
use wengert_nn::metrics::recall::Recall;
use wengert_nn::metrics::recall_at_precision::RecallAtPrecision;
use wengert_nn::metrics::roll;
use wengert_nn::metrics::specificity::Specificity;
use wengert_nn::metrics::top_k::TopK;
use wengert_nn::optim::adam::Adam;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

/// The samples of a case: prediction, target and weights.
struct Samples([Tensor; 3]);

impl Samples {
    fn of(reference: &BTreeMap<String, Tensor>, data: &str) -> Samples {
        let part = |part| reference.get(&format!("data.{data}/{part}")).expect(data).clone();
        Samples(["prediction", "target", "weights"].map(part))
    }

    fn len(&self) -> usize {
        self.0[1].shape()[0]
    }

    fn rows(&self, rows: Range<usize>) -> Samples {
        let rows: Vec<usize> = rows.collect();
        Samples(self.0.each_ref().map(|tensor| tensor.gather_rows(&rows).unwrap()))
    }

    fn watch(&self, meter: &mut Meter<&dyn Metric>, weighted: bool) -> Result<()> {
        let [prediction, target, weights] = &self.0;
        match weighted {
            false => meter.update(prediction, target),
            true => meter.update_weighted(prediction, target, weights),
        }
    }
}

/// Both ways that a case is tried, with their figures.
fn ways(reference: &BTreeMap<String, Tensor>, case: &Case) -> Vec<(bool, f64)> {
    let figure = |way| reference.get(&format!("{}/{way}", case.name)).expect(case.name).to_f64_vec()[0];
    let ways = [(false, "whole"), (true, "weighted")];
    ways.into_iter()
        .filter(|(weighted, _)| !weighted || case.file != "mean_loss")
        .map(|(w, way)| (w, figure(way)))
        .collect()
}

/// Keras divides masks in f32.
fn tolerance(case: &Case) -> f64 {
    if case.file.contains("iou") { 1e-6 } else { 1e-9 }
}

fn meter(case: &Case) -> Meter<&dyn Metric> {
    Meter::new(&*case.metric)
}

#[test]
fn every_file_is_on_the_roll() {
    let besides = ["answers", "average", "case", "classes", "curve", "exact", "metric", "moments", "weigh"];
    assert_on_roll("metrics", &besides, roll().iter().map(|case| case.file));
    let names: BTreeSet<&str> = roll().iter().map(|case| case.name).collect();
    assert_eq!(names.len(), roll().len(), "two cases of one name");
}

/// The logs have a column for each.
#[test]
fn two_kinds_of_metrics_have_two_names() {
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for case in roll() {
        let owner = owners.entry(case.metric.name()).or_insert(case.file);
        assert_eq!(*owner, case.file, "{}", case.metric.name());
        assert!(!case.metric.name().contains(char::is_whitespace));
    }
}

#[test]
fn figures_are_those_of_the_reference() -> Result<()> {
    let reference = tensors("metrics");
    for case in roll() {
        let samples = Samples::of(&reference, case.data);
        for (weighted, figure) in ways(&reference, &case) {
            let mut meter = meter(&case);
            samples.watch(&mut meter, weighted)?;
            assert_close(meter.value(), figure, tolerance(&case), case.name);
        }
    }
    Ok(())
}

#[test]
fn the_figure_is_right_however_the_batches_are_cut_and_merged() -> Result<()> {
    let reference = tensors("metrics");
    for case in roll() {
        let samples = Samples::of(&reference, case.data);
        let n = samples.len();
        for (weighted, figure) in ways(&reference, &case) {
            for cut in [0, 1, n / 3, n - 1, n] {
                let (mut whole, mut one, mut other) = (meter(&case), meter(&case), meter(&case));
                for (rows, part) in [(0..cut, &mut one), (cut..n, &mut other)] {
                    if !rows.is_empty() {
                        samples.rows(rows.clone()).watch(&mut whole, weighted)?;
                        samples.rows(rows).watch(part, weighted)?;
                    }
                }
                // Either order, and a meter that has seen nothing.
                let mut turned = other.clone();
                turned.merge(&one)?;
                one.merge(&other)?;
                one.merge(&meter(&case))?;
                for meter in [whole, one, turned] {
                    assert_close(meter.value(), figure, tolerance(&case), &format!("{} cut at {cut}", case.name));
                }
            }
            let mut single = meter(&case);
            for row in 0..n {
                samples.rows(row..row + 1).watch(&mut single, weighted)?;
            }
            assert_close(single.value(), figure, tolerance(&case), &format!("{} one by one", case.name));
        }
    }
    Ok(())
}

#[test]
fn merging_is_associative() -> Result<()> {
    let reference = tensors("metrics");
    for case in roll() {
        let samples = Samples::of(&reference, case.data);
        let parts = [0..1, 1..3, 3..samples.len()].map(|rows| {
            let mut meter = meter(&case);
            samples.rows(rows).watch(&mut meter, false).unwrap();
            meter
        });
        let [a, b, c] = parts;
        let (mut left, mut right, mut inner) = (a.clone(), a, b.clone());
        left.merge(&b)?;
        left.merge(&c)?;
        inner.merge(&c)?;
        right.merge(&inner)?;
        assert_close(left.value(), right.value(), 1e-9, case.name);
    }
    Ok(())
}

#[test]
fn nothing_seen_is_nan_and_reset_forgets() -> Result<()> {
    let reference = tensors("metrics");
    for case in roll() {
        let samples = Samples::of(&reference, case.data);
        let mut meter = meter(&case);
        assert!(meter.value().is_nan(), "{}", case.name);
        samples.watch(&mut meter, false)?;
        assert!(!meter.value().is_nan(), "{}", case.name);
        meter.reset();
        assert!(meter.value().is_nan() && meter.sums().is_empty(), "{}", case.name);
    }
    Ok(())
}

/// What is padded may hold anything, as long as it weighs nothing.
#[test]
fn a_sample_without_weight_is_left_out_whatever_it_is() -> Result<()> {
    let reference = tensors("metrics");
    for case in roll().iter().filter(|case| case.file != "mean_loss") {
        let samples = Samples::of(&reference, case.data);
        let [prediction, target, weights] = &samples.0;
        let (row, n) = (2, samples.len());
        assert_eq!(weights.to_f64_vec()[row], 0.0);
        let each = prediction.len() / n;
        let spoiled = prediction.to_f64_vec().into_iter().enumerate();
        let spoiled: Vec<f64> = spoiled.map(|(i, x)| if i / each == row { f64::NAN } else { x }).collect();
        let spoiled = Tensor::new(spoiled, prediction.shape())?;
        let (mut clean, mut meter) = (meter(case), meter(case));
        clean.update_weighted(prediction, target, weights)?;
        meter.update_weighted(&spoiled, target, weights)?;
        assert_close(meter.value(), clean.value(), 1e-12, case.name);
    }
    Ok(())
}

#[test]
fn a_batch_without_samples_changes_nothing() -> Result<()> {
    let reference = tensors("metrics");
    for case in roll() {
        let samples = Samples::of(&reference, case.data);
        let mut meter = meter(&case);
        samples.rows(0..0).watch(&mut meter, false)?;
        assert!(meter.value().is_nan(), "{}", case.name);
        samples.watch(&mut meter, false)?;
        let before = meter.value();
        samples.rows(0..0).watch(&mut meter, false)?;
        assert_eq!(meter.value(), before, "{}", case.name);
    }
    Ok(())
}

#[test]
fn what_does_not_fit_is_an_error_and_changes_nothing() -> Result<()> {
    let reference = tensors("metrics");
    // What fits a function of one's own is its own affair.
    for case in roll().into_iter().filter(|case| case.file != "mean") {
        let samples = Samples::of(&reference, case.data);
        let [prediction, target, _] = &samples.0;
        let (one, flat) = (samples.rows(0..1), Tensor::from([0.5f64]));
        let mut meter = meter(&case);
        meter.update(prediction, target)?;
        let before = meter.value();
        for (prediction, target) in [
            (prediction, &one.0[1]),
            (prediction, &flat),
            (&one.0[0], target),
            (&Tensor::from(1f64), target),
            (prediction, &Tensor::from(1i64)),
        ] {
            assert!(meter.update(prediction, target).is_err(), "{}: {prediction} {target}", case.name);
        }
        if case.file != "mean_loss" {
            let error = meter.update_weighted(prediction, target, &flat).expect_err(case.name).to_string();
            assert!(error.contains("weights [1]"), "{}: {error}", case.name);
        }
        assert_eq!(meter.value(), before, "{}", case.name);
    }
    Ok(())
}

/// What a perfect model would have said.
fn perfect(data: &str, target: &Tensor) -> Result<Tensor> {
    fn sure(x: Var<'_>) -> Var<'_> {
        (x.cast(DType::F64) - 0.5) * 40.0
    }
    let classes = |target: &Tensor, n| target.apply(|y| sure(y.maximum(0).one_hot(n)));
    match data {
        "classes" | "ignored" => classes(target, 5),
        "pixels" => classes(target, 3)?.apply(|x| x.moved_axis(-1, 1)),
        "chance_classes" => classes(target, 5)?.apply(|x| x.softmax(-1)),
        "one_hot" | "scores" | "labels" => target.apply(sure),
        "shares" => target.apply(|x| x.log()),
        _ => target.cast(DType::F64),
    }
}

#[test]
fn a_perfect_prediction_is_better_in_the_direction_that_is_said() -> Result<()> {
    let reference = tensors("metrics");
    for case in roll() {
        // A bias has no direction; the logarithm of 0 is not finite; a lower bound is low where all scores are alike.
        if ["mean_bias", "poisson_log", "pr_auc_minoring"].contains(&case.name) {
            continue;
        }
        let samples = Samples::of(&reference, case.data);
        let [prediction, target, _] = &samples.0;
        let (mut ours, mut best) = (meter(&case), meter(&case));
        ours.update(prediction, target)?;
        best.update(&perfect(case.data, target)?, target)?;
        let sign = if case.metric.higher_is_better() { 1.0 } else { -1.0 };
        let gain = sign * (best.value() - ours.value());
        let full = ours.value() == best.value();
        assert!(gain > 0.0 || full, "{}: {} is no better than {}", case.name, best.value(), ours.value());
    }
    Ok(())
}

#[test]
fn the_second_batch_compiles_nothing() -> Result<()> {
    let reference = tensors("metrics");
    for case in roll() {
        let samples = Samples::of(&reference, case.data);
        for weighted in ways(&reference, &case).into_iter().map(|(weighted, _)| weighted) {
            let mut meter = meter(&case);
            samples.rows(0..samples.len() / 2).watch(&mut meter, weighted)?;
            let before = plan_stats().compiled;
            samples.rows(samples.len() / 2..samples.len()).watch(&mut meter, weighted)?;
            assert_eq!(plan_stats().compiled, before, "{}", case.name);
        }
    }
    Ok(())
}

#[test]
fn predictions_may_be_of_any_float() -> Result<()> {
    let reference = tensors("metrics");
    for case in roll() {
        // 16 bits cannot tell a million from a million and one; losses and functions of one's own do not mix dtypes.
        if case.data == "far" || case.file.starts_with("mean_loss") || case.file == "mean" {
            continue;
        }
        let samples = Samples::of(&reference, case.data);
        let [prediction, target, _] = &samples.0;
        let figure = ways(&reference, &case)[0].1;
        for (dtype, tolerance) in [(DType::F32, 1e-5), (DType::F16, 0.2), (DType::BF16, 0.5)] {
            let prediction = prediction.cast(dtype)?;
            let targets = match target.dtype().is_float() {
                true => vec![target.cast(DType::F32)?],
                false => vec![target.clone(), target.cast(DType::I32)?],
            };
            for target in targets {
                let mut meter = meter(&case);
                meter.update(&prediction, &target)?;
                assert_close(meter.value(), figure, tolerance, &format!("{} in {dtype}", case.name));
            }
        }
    }
    Ok(())
}

/// Metrics run in the plan of the training step, and do not change it from step to step.
#[test]
fn ten_steps_with_all_metrics_compile_one_plan() -> Result<()> {
    let x = Tensor::from([[1f32, 2.0, 3.0], [0.5, -1.0, 0.0], [0.1, 0.2, -0.3], [1.0, 1.0, -1.0]]);
    let y = Tensor::from([0i64, 1, 1, 2]);
    let mut meters: Vec<Meter<Box<dyn Metric>>> = vec![
        Meter::new(Box::new(Accuracy::new())),
        Meter::new(Box::new(Recall::new())),
        Meter::new(Box::new(Auc::roc())),
        Meter::new(Box::new(CalibrationError::new())),
        Meter::new(Box::new(ConfusionMatrix::new())),
        Meter::new(Box::new(TopK::new(2))),
    ];
    let mut net = Dense::new(3, 3);
    let mut optimizer = Adam::new(0.01);
    plan_clear();
    let before = plan_stats().compiled;
    for step in 0..10 {
        let tape = Tape::training(step);
        let (input, target) = (tape.input(&x), tape.input(&y));
        let prediction = net.forward(input);
        let loss = CrossEntropy::new().loss(prediction, target);
        let sums: Vec<Var> = meters.iter().map(|meter| meter.metric().observe(prediction, target)).collect();
        let (_, sums) = optimizer.step_with(&mut net, loss.backward(), &sums, |_| Ok(()))?;
        for (meter, sums) in meters.iter_mut().zip(&sums) {
            meter.add(sums, y.shape());
        }
    }
    assert_eq!(plan_stats().compiled - before, 1);
    assert!(meters.iter().all(|meter| meter.value().is_finite()));
    Ok(())
}

/// Whoever trains with a loss watches the metrics of its kin on the same targets.
#[test]
fn a_metric_takes_what_its_loss_takes_and_says_the_same_of_it() {
    let logits = Tensor::from([[0.1f32, 0.7, 0.2], [3.0, 2.0, 1.0], [0.0, 0.0, 5.0], [-1.0, -2.0, -3.0]]);
    let labels = Tensor::from([1i64, 0, 1, 0]);
    let sure = Tensor::from([[0f32, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]);
    let column = |tensor: &Tensor| tensor.reshape([4, 1]).unwrap();
    let cast = |tensor: &Tensor, dtype| tensor.cast(dtype).unwrap();
    let classes: Vec<Box<dyn Metric>> =
        vec![Box::new(Accuracy::new()), Box::new(TopK::new(2)), Box::new(ConfusionMatrix::new())];
    let answers: Vec<Box<dyn Metric>> = vec![Box::new(BinaryAccuracy::new()), Box::new(Precision::new())];
    let distances =
        || -> Vec<Box<dyn Metric>> { vec![Box::new(MeanSquaredError::new()), Box::new(MeanAbsoluteError::new())] };
    let numbers =
        || vec![cast(&labels, DType::F32), column(&cast(&labels, DType::F32)), column(&labels), labels.clone()];
    let scores = column(&logits.slice(1, 0..1).unwrap());
    let bits = cast(&labels, DType::Bool);
    let mut yes = numbers();
    yes.extend([bits.clone(), column(&bits)]);
    let whole = vec![labels.clone(), column(&labels), cast(&labels, DType::U8), bits, sure];
    type Family<'a> = (Box<dyn Loss>, Vec<Box<dyn Metric>>, &'a Tensor, Vec<Tensor>);
    let families: Vec<Family> = vec![
        (Box::new(CrossEntropy::new()), classes, &logits, whole),
        (Box::new(BinaryCrossEntropy::new()), answers, &scores, yes),
        (Box::new(MeanSquaredError::new()), distances(), &scores, numbers()),
        (Box::new(MeanAbsoluteError::new()), distances(), &scores, numbers()),
    ];
    for (loss, metrics, prediction, targets) in families {
        let mut known: Option<(f64, Vec<f64>)> = None;
        for target in targets {
            let tape = Tape::new();
            let value = loss.loss(tape.input(prediction), tape.input(&target)).item::<f32>().unwrap();
            let figures = metrics.iter().map(|metric| {
                let mut meter = Meter::new(metric);
                meter.update(prediction, &target).unwrap();
                meter.value()
            });
            let now = (f64::from(value), figures.collect::<Vec<f64>>());
            let (value, figures) = known.get_or_insert_with(|| now.clone());
            assert!((*value - now.0).abs() < 1e-6, "{target}");
            assert_eq!(*figures, now.1, "{target}");
        }
    }
}

#[test]
fn exact_figures_are_those_of_the_reference() -> Result<()> {
    type Exact = for<'t> fn(Var<'t>, Var<'t>) -> Var<'t>;
    type Weighted = for<'t> fn(Var<'t>, Var<'t>, Var<'t>) -> Var<'t>;
    let reference = tensors("metrics");
    let figure = |name: &str| reference.get(&format!("exact_{name}")).expect(name).to_f64_vec()[0];
    let areas: [(&str, Exact, Weighted); 2] = [
        ("roc_auc", exact::roc_auc, exact::roc_auc_weighted),
        ("average_precision", exact::average_precision, exact::average_precision_weighted),
    ];
    let Samples([scores, target, weights]) = Samples::of(&reference, "scores");
    for (name, whole, weighted) in areas {
        let ours = scores.apply(|x| whole(x, x.tape().input(&target)))?.item::<f64>()?;
        assert_close(ours, figure(&format!("{name}/whole")), 1e-12, name);
        let ours = scores.apply(|x| weighted(x, x.tape().input(&target), x.tape().input(&weights)))?.item::<f64>()?;
        assert_close(ours, figure(&format!("{name}/weighted")), 1e-12, name);
        // One class alone has no curve.
        let none = Tensor::zeros(target.shape(), DType::I64)?;
        assert!(scores.apply(|x| whole(x, x.tape().input(&none)))?.item::<f64>()?.is_nan(), "{name}");
        let error = scores.apply(|x| whole(x, x.tape().input(&Tensor::from([1i64])))).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
    let Samples([x, y, _]) = Samples::of(&reference, "numbers");
    let tenths = |tensor: &Tensor| tensor.apply(|x| (x * 10.0).round() / 10.0);
    let (x, y) = (tenths(&x)?, tenths(&y)?);
    let ranks: [(&str, Exact); 2] = [("spearman", exact::spearman), ("kendall", exact::kendall)];
    for (name, correlation) in ranks {
        let ours = x.apply(|x| correlation(x, x.tape().input(&y)))?.item::<f64>()?;
        assert_close(ours, figure(&format!("{name}/whole")), 1e-12, name);
        let error = x.apply(|x| correlation(x, x.tape().input(&Tensor::from([1f64])))).unwrap_err().to_string();
        assert!(error.contains("beside one [1]"), "{error}");
    }
    Ok(())
}

/// Raw sums would lose all digits here.
#[test]
fn a_large_mean_hides_no_spread() -> Result<()> {
    let (near, far) = (|i: usize| (i % 7) as f64, 1e9);
    let x = Tensor::from_fn([70], |i| far + near(i))?;
    let y = Tensor::from_fn([70], |i| far + near(i) + if i % 2 == 0 { 0.5 } else { -0.5 })?;
    let (mut r2, mut pearson) = (Meter::new(R2Score::new()), Meter::new(PearsonCorrelation::new()));
    for rows in [0..1, 1..33, 33..70] {
        let rows: Vec<usize> = rows.collect();
        let (x, y) = (x.gather_rows(&rows)?, y.gather_rows(&rows)?);
        r2.update(&y, &x)?;
        pearson.update(&y, &x)?;
    }
    // Var of 0 … 6 is 4, and the error is ½ everywhere.
    assert_close(r2.value(), 1.0 - 0.25 / 4.0, 1e-9, "r2");
    assert_close(pearson.value(), 2.0 / 4.25f64.sqrt(), 1e-6, "pearson");
    Ok(())
}

#[test]
fn what_is_undefined_is_as_documented() -> Result<()> {
    let no = (Tensor::from([-1f32, -2.0]), Tensor::from([0i64, 0]));
    let value = |metric: &dyn Metric, (prediction, target): &(Tensor, Tensor)| -> Result<f64> {
        let mut meter = Meter::new(metric);
        meter.update(prediction, target)?;
        Ok(meter.value())
    };
    assert_eq!(value(&Precision::new(), &no)?, 0.0);
    assert_eq!(value(&Precision::new().zero_division(1.0), &no)?, 1.0);
    assert!(value(&Recall::new().zero_division(f64::NAN), &no)?.is_nan());
    assert_eq!(value(&Specificity::new(), &no)?, 1.0);
    assert!(value(&Auc::roc(), &no)?.is_nan());
    assert!(value(&R2Score::new(), &(Tensor::from([1f32]), Tensor::from([1f32])))?.is_nan());
    let mut shares = Meter::new(R2Score::new());
    shares.update_weighted(&Tensor::from([1f32, 2.0]), &Tensor::from([1f32, 3.0]), &Tensor::from([0.5f32, 0.5]))?;
    assert_eq!(shares.value(), 0.5);
    assert_eq!(value(&R2Score::new(), &(Tensor::from([1f32, 1.0]), Tensor::from([1f32, 1.0])))?, 1.0);
    assert_eq!(value(&R2Score::new(), &(Tensor::from([1f32, 2.0]), Tensor::from([1f32, 1.0])))?, 0.0);
    assert!(value(&R2Score::new().adjusted(1), &(Tensor::from([1f32, 2.0]), Tensor::from([1f32, 3.0])))?.is_nan());
    Ok(())
}

#[test]
fn settings_and_targets_without_a_meaning_say_what_is_right() {
    let rows = Tensor::from([[0.5f32, 0.1, 0.4], [0.2, 0.3, 0.5]]);
    let labels = Tensor::from([0i64, 2]);
    let refused = |metric: &dyn Metric, prediction: &Tensor, target: &Tensor, word: &str| {
        let error = Meter::new(metric).update(prediction, target).unwrap_err().to_string();
        assert!(error.contains(word), "`{word}` is not in {error}");
    };
    refused(&Precision::new().class(3), &rows, &labels, "class 3 of a prediction of 3 classes, 0 to 2");
    refused(&Recall::new().top_k(0), &rows, &labels, "at least 1");
    refused(&Recall::new().threshold(f64::NAN), &rows, &labels, "threshold is NaN");
    refused(&FBeta::new(-1.0), &rows, &labels, "β is -1");
    refused(&IoU::of([5]), &rows, &labels, "class 5 of a prediction of 3 classes");
    refused(&IoU::of([]), &rows, &labels, "no class of a prediction of 3 classes");
    let answers = Tensor::from([[0f32, 1.0, 0.0], [1.0, 0.0, 0.0]]);
    for metric in [
        &BinaryAccuracy::new().threshold(f64::NAN) as &dyn Metric,
        &BinaryIoU::new().threshold(f64::NAN),
        &ExactMatch::new().threshold(f64::NAN),
        &CohenKappa::new().threshold(f64::NAN),
    ] {
        refused(metric, &rows, &answers, "threshold is NaN");
    }
    refused(&Auc::roc().thresholds(1), &rows, &labels, "0 thresholds");
    refused(&Auc::roc().at_thresholds([0.5, 0.2]), &rows, &labels, "out of order: 0.5 comes before 0.2");
    refused(&Auc::roc().label_weights([1.0]), &rows, &labels, "1 label weights for 3 labels");
    refused(&Auc::pr().class(7), &rows, &labels, "class 7");
    refused(&RecallAtPrecision::new(1.5), &rows, &labels, "precision of at least 1.5");
    refused(&CalibrationError::new().bins(0), &rows, &labels, "0 bins");
    refused(&Accuracy::new().axis(2), &rows, &labels, "axis");
    refused(&Accuracy::new(), &rows, &Tensor::from([0i64, 3]), "label 3");
    refused(&Accuracy::new(), &rows, &Tensor::from([0i64, -100]), "label -100");
    refused(&Accuracy::new(), &rows, &Tensor::from([0f32, 1.0]), "whole numbers, not f32");
    refused(&Accuracy::new(), &Tensor::from(1f32), &labels, "scalar");
    refused(&Precision::new().average(Average::Macro), &rows, &Tensor::from([0i64, 1, 1]), "has no labels [3]");
}

/// A metric of one's own that knows nothing of weights says so.
#[test]
fn weights_that_a_metric_does_not_know_are_an_error() {
    struct Bias;
    impl Metric for Bias {
        fn name(&self) -> String {
            "bias".into()
        }
        fn observe<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
            (prediction - target).sum()
        }
    }
    let one = Tensor::from([1f32]);
    let error = Meter::new(Bias).update_weighted(&one, &one, &one).unwrap_err().to_string();
    assert!(error.contains("`bias` takes no weights") && error.contains("observe_weighted"), "{error}");
}

#[test]
fn meters_of_other_sizes_do_not_mix() -> Result<()> {
    let (two, three) = (Tensor::from([[1f32, 0.0]]), Tensor::from([[1f32, 0.0, 0.0]]));
    let label = Tensor::from([0i64]);
    let mut meter = Meter::new(ConfusionMatrix::new());
    meter.update(&two, &label)?;
    let error = meter.update(&three, &label).unwrap_err().to_string();
    assert!(error.contains("9 sums do not fit the 4"), "{error}");
    let mut other = Meter::new(ConfusionMatrix::new());
    other.update(&three, &label)?;
    assert!(meter.merge(&other).is_err());
    assert_eq!(meter.value(), 1.0);
    meter.add(&Tensor::ones([3, 3], DType::F32)?, label.shape());
    assert!(meter.value().is_nan());
    Ok(())
}

#[test]
fn weights_fit_samples_and_elements() -> Result<()> {
    let (x, zero) = (Tensor::from([[1f32, 2.0], [3.0, 4.0]]), Tensor::zeros([2, 2], DType::F32)?);
    let value = |weights: &Tensor| -> Result<f64> {
        let mut mean = Meter::new(Mean::new("mean", |prediction, _| prediction));
        mean.update_weighted(&x, &zero, weights)?;
        Ok(mean.value())
    };
    assert_eq!(value(&Tensor::from([1f32, 0.0]))?, 1.5);
    assert_eq!(value(&Tensor::from([[0f64], [2.0]]))?, 3.5);
    assert_eq!(value(&Tensor::from([[0i64, 1], [0, 1]]))?, 3.0);
    assert_eq!(value(&Tensor::from([true, true]))?, 2.5);
    assert!(value(&Tensor::from([0f32, 0.0]))?.is_nan());
    assert!(value(&Tensor::from([1f32, 0.0, 1.0])).is_err());
    assert!(value(&Tensor::from(1f32)).is_err());
    Ok(())
}
