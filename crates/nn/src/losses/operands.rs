//! What losses ask of their operands and settings.

use wengert_autograd::{Tape, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Error;
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

use super::alike::alike;
use crate::loss::wide;

/// Prediction and target for a loss that compares element by element: floats of one shape and dtype, as [`alike`] makes them,
/// in f32 where the prediction has 16 bits.
#[track_caller]
pub fn both<'t>(name: &'static str, prediction: Var<'t>, target: Var<'t>) -> [Var<'t>; 2] {
    match floats("prediction", prediction).and_then(|()| beside(prediction, target)) {
        Ok(()) => [wide(prediction), wide(alike(name, prediction, target))],
        Err(error) => [reject(name, prediction, target, error); 2],
    }
}

/// Two operands of one shape and dtype that are both predicted.
#[track_caller]
pub fn pair<'t>(name: &'static str, labels: [&'static str; 2], x: [Var<'t>; 2]) -> [Var<'t>; 2] {
    let ([first, second], [a, b]) = (labels, x);
    let error = match floats(first, a).and_then(|()| floats(second, b)) {
        Err(error) => error,
        Ok(()) if a.dtype() != b.dtype() => {
            Error::dtype(format!("`{first}` is {} and `{second}` {}", a.dtype(), b.dtype()))
        }
        Ok(()) if a.shape() != b.shape() => {
            Error::shape(format!("`{first}` {} and `{second}` {} are predictions of one shape", a.shape(), b.shape()))
        }
        Ok(()) => return [wide(a), wide(b)],
    };
    [a.tape().reject(name, &[(first, a), (second, b)], error); 2]
}

/// The labels of two classes as 1 and −1: 0, −1 and false are the one class, 1 and true the other; others are an error when they are
/// computed. They have the shape of what they are labels of.
#[track_caller]
pub fn signs<'t>(name: &'static str, of: Var<'t>, shape: &Shape, labels: Var<'t>) -> Var<'t> {
    let given = labels.shape();
    if given != *shape && given.split_last() != Some((&1, shape)) && shape.split_last() != Some((&1, &given)) {
        return reject(
            name,
            of,
            labels,
            Error::shape(format!("a prediction {} takes labels {shape}, not {given}", of.shape())),
        );
    }
    let labels = match labels.dtype().is_float() {
        true => wide(labels),
        false => labels.cast(wide(of).dtype()),
    };
    let labels = labels.reshape(shape);
    within(labels.select(labels.ne(0.0), -1.0), labels, [-1.0, 1.0], "label")
}

/// A score of every element and the sign of its label.
#[track_caller]
pub fn signed<'t>(name: &'static str, prediction: Var<'t>, target: Var<'t>) -> [Var<'t>; 2] {
    match floats("prediction", prediction) {
        Ok(()) => [wide(prediction), signs(name, prediction, &prediction.shape(), target)],
        Err(error) => [reject(name, prediction, target, error); 2],
    }
}

/// That a setting has a meaning: it is a number, and `holds`.
#[track_caller]
pub fn setting(tape: &Tape, name: &'static str, what: &str, value: f64, holds: bool, range: &str) {
    if value.is_nan() || !holds {
        tape.reject(name, &[], Error::value(format!("the {what} is {value}, and must be {range}")));
    }
}

/// That a setting is a finite number above 0.
#[track_caller]
pub fn positive(tape: &Tape, name: &'static str, what: &str, value: f64) {
    setting(tape, name, what, value, value > 0.0 && value.is_finite(), "a positive number");
}

/// That a setting is a finite number, 0 at least.
#[track_caller]
pub fn not_negative(tape: &Tape, name: &'static str, what: &str, value: f64) {
    setting(tape, name, what, value, value >= 0.0 && value.is_finite(), "a number that is at least 0");
}

/// That a setting is a finite number.
#[track_caller]
pub fn finite(tape: &Tape, name: &'static str, what: &str, value: f64) {
    setting(tape, name, what, value, value.is_finite(), "a number");
}

/// That the part of a target that is spread over all classes is one.
#[track_caller]
pub fn label_smoothing(tape: &Tape, name: &'static str, value: f64) {
    setting(tape, name, "label smoothing", value, (0.0..=1.0).contains(&value), "in 0 ≤ s ≤ 1");
}

/// The weights of classes as a vector in the dtype of the prediction.
#[track_caller]
pub fn weights<'t>(name: &'static str, prediction: Var<'t>, classes: usize, weights: &[f64]) -> Var<'t> {
    let tape = prediction.tape();
    if weights.len() != classes {
        let error = Error::shape(format!("{} class weights for {classes} classes", weights.len()));
        return tape.reject(name, &[("prediction", prediction)], error.help("there is one weight for each class"));
    }
    if let Some(odd) = weights.iter().find(|weight| !weight.is_finite() || **weight < 0.0) {
        let error = Error::value(format!("a class weight is {odd}, and must be a number that is at least 0"));
        return tape.reject(name, &[("prediction", prediction)], error);
    }
    match Tensor::from(weights.to_vec()).cast(prediction.dtype()) {
        Ok(weights) => tape.input(&weights),
        Err(error) => tape.reject(name, &[("prediction", prediction)], error),
    }
}

/// The cosine of the angle between rows: Σxy / √((Σx² + ε)(Σy² + ε)) along the last axis.
#[track_caller]
pub fn cosine<'t>(x: Var<'t>, y: Var<'t>, epsilon: f64) -> Var<'t> {
    let [xx, yy] = [x, y].map(|v| v.square().sum_axes(-1) + epsilon);
    (x * y).sum_axes(-1) / (xx.sqrt() * yy.sqrt())
}

/// Rows over their length, or over ε where they are shorter.
#[track_caller]
pub fn unit(x: Var<'_>, epsilon: f64) -> Var<'_> {
    let squares = x.square().sum_keep(-1);
    // The slope of a square root is infinite at 0; not choosing it there makes the gradient finite.
    let long = squares.gt(epsilon * epsilon);
    x * squares.select(long, 1.0).rsqrt().select(long, 1.0 / epsilon)
}

/// ln p, but never below −100, for probabilities p. Its slope is 1 / p, and not beyond 10¹²: that of PyTorch's `BCELoss`, which
/// leads back from probabilities of 0.
#[track_caller]
pub fn log_probability(p: Var<'_>) -> Var<'_> {
    p.custom_jvp(|p| p.log().maximum(-100.0), |p, _, v| v / p.maximum(1e-12))
}

/// The range of rates and counts, give or take a rounding.
pub const AT_LEAST_0: [f64; 2] = [-0.01, f64::INFINITY];

/// The loss as it is, or an error when it is computed and a value is outside `low..=high`: values of the shape of the loss, or one for
/// all. `what` they are stands in the error.
#[track_caller]
pub fn within<'t>(each: Var<'t>, value: Var<'t>, [low, high]: [f64; 2], what: &'static str) -> Var<'t> {
    let value = value.stop_gradient();
    // Within, 0 is added; a value that is not finite has made the loss what it is.
    let nothing = value.check_range(low, high, what) - value;
    each + nothing.select(value.is_finite(), 0.0).cast(each.dtype())
}

/// Prediction and target, which holds the labels of two classes or their probabilities: 0 to 1, give or take a rounding, or else an error
/// when it is computed.
#[track_caller]
pub fn binary<'t>(name: &'static str, prediction: Var<'t>, target: Var<'t>) -> [Var<'t>; 2] {
    let [p, t] = both(name, prediction, target);
    [p, within(t, t, [-0.01, 1.01], "target")]
}

/// The loss as it is, or an error when it is computed and something of `p` is no probability.
#[track_caller]
pub fn of_probabilities<'t>(each: Var<'t>, p: Var<'t>) -> Var<'t> {
    if p.is_empty() {
        return each;
    }
    let odd = p.select(p.lt(0.0).or(p.gt(1.0)), 0.0);
    [odd.min(), odd.max()].into_iter().fold(each, |each, worst| within(each, worst, [0.0, 1.0], "probability"))
}

/// Writes an error with prediction and target on the tape.
#[track_caller]
pub fn reject<'t>(name: &'static str, prediction: Var<'t>, target: Var<'t>, error: Error) -> Var<'t> {
    prediction.tape().reject(name, &[("prediction", prediction), ("target", target)], error)
}

/// That an operand holds floats.
pub fn floats(label: &str, x: Var<'_>) -> Result<(), Error> {
    match x.dtype().is_float() {
        true => Ok(()),
        false => Err(Error::dtype(format!("the {label} is {}, and must be a float", x.dtype()))
            .help(format!("`{label}.cast(DType::F32)`"))),
    }
}

/// That a target of floats has the dtype of the prediction.
pub fn beside(prediction: Var<'_>, target: Var<'_>) -> Result<(), Error> {
    let (wanted, given): (DType, DType) = (prediction.dtype(), target.dtype());
    match !given.is_float() || wanted == given {
        true => Ok(()),
        false => Err(Error::dtype(format!("the prediction is {wanted} and the target {given}"))
            .help(format!("`target.cast(DType::{wanted:?})`"))),
    }
}
