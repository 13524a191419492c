//! What metrics of classes ask of their operands.

use super::weigh::{spread, thresholded, wide};
use crate::losses::alike::alike;
use crate::losses::classes::LABELS;
use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Error;

/// How scores and labels are read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reader {
    pub(super) axis: isize,
    pub(super) ignore: Option<i64>,
    pub(super) threshold: Option<f64>,
}

impl Default for Reader {
    fn default() -> Reader {
        Reader { axis: -1, ignore: None, threshold: None }
    }
}

/// Settings of a metric that holds a [`Reader`].
macro_rules! class_settings {
    ($metric:ident) => {
        impl $metric {
            /// The axis of the classes in the prediction. The default is the last, −1; it is 1 for `[batch, classes, height, width]`.
            #[must_use]
            pub fn axis(mut self, axis: isize) -> $metric {
                self.reader.axis = axis;
                self
            }

            /// Leaves out what has this label, as padding does: usually −100.
            #[must_use]
            pub fn ignore_index(mut self, label: i64) -> $metric {
                self.reader.ignore = Some(label);
                self
            }
        }
    };
}
pub(super) use class_settings;

/// The setting of a metric that holds a [`Reader`] and also takes one score for yes or no.
macro_rules! binary_setting {
    ($metric:ident) => {
        impl $metric {
            /// For predictions that are one score for yes or no, with targets of the same shape: yes is above the threshold, 0 for logits
            /// and 0.5 for probabilities. There are two classes then, 0 and 1.
            #[must_use]
            pub fn threshold(mut self, threshold: f64) -> $metric {
                self.reader.threshold = Some(threshold);
                self
            }
        }
    };
}
pub(super) use binary_setting;

/// A batch as it was read.
pub(super) struct Classes<'t> {
    /// `[…, classes]`, in f32 or f64.
    pub(super) scores: Var<'t>,
    /// `[…]`, i64 from 0 to classes − 1.
    pub(super) actual: Var<'t>,
    /// `[…]`, f64; 0 for what is left out.
    pub(super) weights: Var<'t>,
    pub(super) count: usize,
    threshold: Option<f64>,
}

impl Reader {
    #[track_caller]
    pub(super) fn read<'t>(
        &self,
        metric: &'static str,
        prediction: Var<'t>,
        target: Var<'t>,
        weights: Option<Var<'t>>,
    ) -> Classes<'t> {
        let prediction = wide(prediction);
        if let Some(threshold) = self.threshold {
            let prediction = thresholded(metric, prediction, threshold);
            let (actual, count) = (alike(metric, prediction, target), 2);
            let (actual, weights) = self.left_out(actual, spread(metric, weights, prediction));
            let actual = actual.cast(DType::F32).gt(0.5).cast(DType::I64);
            return Classes { scores: prediction, actual, weights, count, threshold: Some(threshold) };
        }
        let actual = labels(metric, self.axis, prediction, target);
        let scores = last(prediction, self.axis);
        let (actual, weights) = self.left_out(actual, spread(metric, weights, actual));
        let count = if scores.rank() == 0 { 0 } else { scores.dim(-1) };
        Classes { scores, actual: actual.check_index_or(count, "label", LABELS), weights, count, threshold: None }
    }

    /// The targets and weights without what is to be ignored.
    #[track_caller]
    fn left_out<'t>(&self, actual: Var<'t>, weights: Var<'t>) -> (Var<'t>, Var<'t>) {
        match self.ignore {
            None => (actual, weights),
            Some(label) => {
                let counts = actual.ne(label);
                (actual.select(counts, 0), weights.select(counts, 0.0))
            }
        }
    }
}

impl<'t> Classes<'t> {
    /// The class of the highest score, `[…]` in i64.
    #[track_caller]
    pub(super) fn chosen(&self) -> Var<'t> {
        match self.threshold {
            Some(threshold) => self.scores.gt(threshold).cast(DType::I64),
            None => self.scores.argmax(-1),
        }
    }
}

/// The axis as the last one.
#[track_caller]
pub(super) fn last(value: Var<'_>, axis: isize) -> Var<'_> {
    match axis == -1 || axis == value.rank() as isize - 1 {
        true => value,
        false => value.moved_axis(axis, -1),
    }
}

/// The logarithms of the probabilities of the classes.
#[track_caller]
pub(super) fn log_probabilities(scores: Var<'_>, are_probabilities: bool) -> Var<'_> {
    const LEAST: f64 = 1e-7;
    match are_probabilities {
        true => (scores / scores.sum_keep(-1)).maximum(LEAST).log(),
        false => scores.log_softmax(-1),
    }
}

/// The right classes as i64, one for each row of scores: labels `[…]`, or with an axis of 1 for the classes, or one-hot or probabilities of
/// the shape of the prediction, of which the largest counts.
#[track_caller]
pub(super) fn labels<'t>(metric: &'static str, axis: isize, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
    let (scores, given) = (prediction.shape(), target.shape());
    let reject = |error: Error| {
        let operands = [("prediction", prediction), ("target", target)];
        prediction.tape().reject(metric, &operands, error.help("class labels are i64: 0, 1, 2, …"))
    };
    if scores.rank() == 0 {
        return reject(Error::shape("a prediction has an axis of classes, and this one is a scalar"));
    }
    let at = match scores.axis(axis) {
        Ok(at) => at,
        Err(error) => return reject(error),
    };
    let (float, rows) = (target.dtype().is_float(), scores.without(&[at]));
    if scores == given && (float || scores.get(at).is_some_and(|&classes| classes > 1)) {
        let target = if float { target } else { target.cast(DType::I64) };
        return last(target, axis).argmax(-1);
    }
    if float {
        return reject(Error::dtype(format!("labels are whole numbers, not {}", target.dtype())));
    }
    let column = given.rank() == scores.rank() && given.get(at) == Some(&1) && given.without(&[at]) == rows;
    if given == rows || column {
        return target.cast(DType::I64).reshape(&rows);
    }
    reject(Error::shape(format!("a prediction {scores} has no labels {given}")))
}
