//! The laws that every metric obeys.

use super::accuracy::Accuracy;
use super::binary_accuracy::BinaryAccuracy;
use super::confusion::ConfusionMatrix;
use super::metric::{Meter, Metric};
use super::roll;
use super::top_k::TopK;
use crate::loss::Loss;
use crate::losses::binary_cross_entropy::BinaryCrossEntropy;
use crate::losses::cross_entropy::CrossEntropy;
use crate::losses::mean_absolute_error::MeanAbsoluteError;
use crate::losses::mean_squared_error::MeanSquaredError;
use wengert_autograd::Tape;
use wengert_tensor::dtype::DType;
use wengert_tensor::tensor::Tensor;

fn part(tensor: &Tensor, rows: std::ops::Range<usize>) -> Tensor {
    tensor.gather_rows(&rows.collect::<Vec<_>>()).unwrap()
}

#[test]
fn the_figure_is_right_however_the_batches_are_cut() {
    for case in roll() {
        let samples = case.target.shape()[0];
        for cut in 0..=samples {
            let mut meter = Meter::new(&case.metric);
            for rows in [0..cut, cut..samples] {
                if !rows.is_empty() {
                    meter.update(&part(&case.prediction, rows.clone()), &part(&case.target, rows)).unwrap();
                }
            }
            assert!((meter.value() - case.value).abs() < 1e-6, "{}: {} for {}", case.file, meter.value(), case.value);
        }
    }
}

#[test]
fn nothing_seen_is_nan_and_reset_forgets() {
    for case in roll() {
        let mut meter = Meter::new(case.metric);
        assert!(meter.value().is_nan(), "{}", case.file);
        meter.update(&case.prediction, &case.target).unwrap();
        assert!(!meter.value().is_nan());
        meter.reset();
        assert!(meter.value().is_nan(), "{}", case.file);
    }
}

#[test]
fn what_does_not_fit_is_an_error_and_changes_nothing() {
    for case in roll() {
        let mut meter = Meter::new(case.metric);
        meter.update(&case.prediction, &case.target).unwrap();
        let flat = Tensor::from([0.5f32]);
        for (prediction, target) in [
            (&case.prediction, &part(&case.target, 0..1)),
            (&case.prediction, &flat),
            (&part(&case.prediction, 0..1), &case.target),
            (&Tensor::from(1f32), &case.target),
            (&case.prediction, &Tensor::from(1i64)),
        ] {
            assert!(meter.update(prediction, target).is_err(), "{}: {prediction} {target}", case.file);
        }
        assert!((meter.value() - case.value).abs() < 1e-6, "{}", case.file);
    }
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
    let answers: Vec<Box<dyn Metric>> = vec![Box::new(BinaryAccuracy::new())];
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
fn every_file_is_on_the_roll() {
    let mut files: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/metrics"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| !["mod", "metric", "tests"].contains(&name.as_str()))
        .collect();
    files.sort();
    let mut rolled: Vec<&str> = roll().iter().map(|case| case.file).collect();
    rolled.dedup();
    assert_eq!(files, rolled);
}
