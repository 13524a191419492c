//! What metrics share: operands side by side, and sums with or without weights.

use crate::losses::alike::alike;
use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Error;

/// Both ways to observe, for a metric that has `sums(prediction, target, weights)`.
macro_rules! observes {
    () => {
        #[track_caller]
        fn observe<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
            self.sums(prediction, target, None)
        }

        #[track_caller]
        fn observe_weighted<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Var<'t>) -> Var<'t> {
            self.sums(prediction, target, Some(weights))
        }
    };
}
pub(super) use observes;

/// A number that can be computed with: 16 bits become f32, so that nothing is rounded on the way; whole numbers become f64.
#[track_caller]
pub(super) fn wide(value: Var<'_>) -> Var<'_> {
    match value.dtype() {
        DType::F32 | DType::F64 => value,
        DType::BF16 | DType::F16 => value.cast(DType::F32),
        _ => value.cast(DType::F64),
    }
}

/// Prediction and target side by side, of one shape and one dtype in which they can be computed with.
#[track_caller]
pub(super) fn pair<'t>(metric: &'static str, prediction: Var<'t>, target: Var<'t>) -> (Var<'t>, Var<'t>) {
    let prediction = wide(prediction);
    let target = if target.dtype().is_float() { wide(target) } else { target };
    (prediction, alike(metric, prediction, target))
}

/// The scores, if there is a threshold that they can be above.
#[track_caller]
pub(super) fn thresholded<'t>(metric: &'static str, scores: Var<'t>, threshold: f64) -> Var<'t> {
    match threshold.is_nan() {
        true => scores.tape().reject(metric, &[("prediction", scores)], Error::value("the threshold is NaN")),
        false => scores,
    }
}

/// A weight in f64 for every element of `like`: 1, or what was given for the leading axes.
#[track_caller]
pub(super) fn spread<'t>(metric: &'static str, weights: Option<Var<'t>>, like: Var<'t>) -> Var<'t> {
    let (tape, wanted) = (like.tape(), like.shape());
    let Some(weights) = weights else { return tape.constant(&wanted, 1f64) };
    let given = weights.shape();
    let leading = |given: &[usize]| given.len() <= wanted.rank() && !given.is_empty() && wanted.starts_with(given);
    let given = match given.split_last() {
        _ if leading(&given) => given.to_vec(),
        Some((1, rest)) if leading(rest) => rest.to_vec(),
        _ => {
            let error = Error::shape(format!("weights {given} do not fit samples {wanted}"));
            return tape.reject(metric, &[("weights", weights)], error.help("one weight for each sample: [batch]"));
        }
    };
    let ones = wanted.rank() - given.len();
    weights.cast(DType::F64).reshape([given, vec![1; ones]].concat()).broadcast_to(&wanted)
}

/// What is weighed with 0 counts as 0, whatever it is.
#[track_caller]
pub(super) fn kept<'t>(values: Var<'t>, weights: Var<'t>) -> Var<'t> {
    values.cast(DType::F64).select(weights.ne(0.0), 0.0)
}

/// Σ weight · value and Σ weight, in f64: the sums of a metric that is a mean.
#[track_caller]
pub(super) fn mean<'t>(metric: &'static str, values: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
    let tape = values.tape();
    let (total, weight) = match weights {
        None => (values.cast(DType::F64).sum(), tape.scalar(values.len() as f64, DType::F64)),
        Some(_) => {
            let weights = spread(metric, weights, values);
            ((weights * kept(values, weights)).sum(), weights.sum())
        }
    };
    tape.stack(&[total, weight], 0)
}

/// The mean that follows from added [`mean`]s.
pub(super) fn ratio(sums: &[f64]) -> f64 {
    match sums {
        [total, weight, ..] => total / weight,
        _ => f64::NAN,
    }
}
