//! The laws that every metric obeys.

use super::metric::Meter;
use super::roll;
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
