//! Scores of classes and the labels that go with them: what cross-entropy and its kin share.

use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};

use super::operands::{beside, floats, reject, weights, within};
use crate::loss::wide;

/// What to do about a label that is none of the classes.
pub const LABELS: &str = "the prediction scores {size} classes, counted from 0: give the last layer as many outputs as there are classes, \
    `labels - 1` counts labels that start at 1 from 0, and `CrossEntropy::ignore_index` leaves some out";

/// The scores of a prediction, in f32 where they have 16 bits, and what is right of them.
#[derive(Clone, Copy)]
pub struct Classes<'t> {
    /// The scores.
    pub scores: Var<'t>,
    /// The axis of the classes.
    pub axis: isize,
    /// How many classes there are.
    pub classes: usize,
    /// What is right.
    pub target: Target<'t>,
}

/// What is right of classes.
#[derive(Clone, Copy)]
pub enum Target<'t> {
    /// A label for each example.
    Labels {
        /// i64, in range, without the axis of the classes.
        labels: Var<'t>,
        /// Of the shape of the scores: true at the place of the label.
        marks: Var<'t>,
        /// Where the label is not ignored; `None`: everywhere.
        valid: Option<Var<'t>>,
    },
    /// Probabilities of all classes, of the shape of the scores.
    Probabilities(Var<'t>),
}

/// How targets are read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// The axis of the classes: PyTorch's `[batch, classes, d1, …]`, if `None`.
    pub axis: Option<isize>,
    /// The label that is left out.
    pub ignored: Option<i64>,
    /// Labels alone, no probabilities.
    pub only_labels: bool,
}

impl Reading {
    /// Prediction and target, if they fit each other. On a mistake the error is on the tape.
    #[track_caller]
    pub fn of<'t>(self, name: &'static str, prediction: Var<'t>, target: Var<'t>) -> Option<Classes<'t>> {
        match self.fit(prediction, target) {
            Err(error) => {
                reject(name, prediction, target, error);
                None
            }
            Ok((axis, classes, true)) => {
                let target = Target::Probabilities(wide(target));
                Some(Classes { scores: wide(prediction), axis, classes, target })
            }
            Ok((axis, classes, false)) => {
                let whole = prediction.shape();
                let rows = whole.without(&[axis as usize]);
                let labels = target.cast(DType::I64).reshape(rows);
                let valid = self.ignored.map(|ignored| labels.ne(ignored));
                let labels = match valid {
                    Some(valid) => labels.select(valid, 0),
                    None => labels,
                };
                let labels = labels.check_index_or(classes, "label", LABELS);
                let tape = prediction.tape();
                let marks = labels.unsqueeze(axis).eq(tape.iota(&whole, axis, DType::I64));
                let target = Target::Labels { labels, marks, valid };
                Some(Classes { scores: wide(prediction), axis, classes, target })
            }
        }
    }

    /// The axis of the classes, their number, and whether the target holds probabilities.
    fn fit(self, prediction: Var<'_>, target: Var<'_>) -> Result<(isize, usize, bool)> {
        let (scores, given) = (prediction.shape(), target.shape());
        floats("prediction", prediction)?;
        if scores.rank() == 0 {
            return Err(Error::shape("a prediction is [batch, classes], and this one is a single number"));
        }
        let axis = scores.axis(self.axis.unwrap_or(if scores.rank() == 1 { 0 } else { 1 }))?;
        let classes = scores.get(axis).copied().unwrap_or_default();
        if classes == 0 {
            return Err(Error::shape(format!("a prediction {scores} has no classes")));
        }
        let rows = scores.without(&[axis]);
        let labelled = given == rows || given.split_last() == Some((&1, &*rows));
        let axis = axis as isize;
        if !target.dtype().is_float() {
            return match labelled {
                true => Ok((axis, classes, false)),
                false => Err(Error::shape(format!("a prediction {scores} takes labels {rows}, not {given}"))),
            };
        }
        if self.only_labels {
            let error = Error::dtype(format!("labels of a prediction are integers, not {}", target.dtype()));
            return Err(error.help("`labels.cast(DType::I64)`"));
        }
        if given != scores {
            return Err(Error::shape(format!("probabilities {given} do not fit a prediction {scores}"))
                .help("labels are integers, one for each example: `labels.cast(DType::I64)`"));
        }
        beside(prediction, target)?;
        Ok((axis, classes, true))
    }
}

impl<'t> Classes<'t> {
    /// ln softmax of the scores.
    #[track_caller]
    pub fn log_softmax(&self) -> Var<'t> {
        self.scores.log_softmax(self.axis)
    }

    /// ln of scores that are probabilities, or nearly: they are divided by their sum, and count as at least 10⁻⁷, as in Keras.
    #[track_caller]
    pub fn log_normalised(&self) -> Var<'t> {
        let sum = self.scores.sum_keep(self.axis);
        (self.scores / sum.select(sum.ne(0.0), 1.0)).clamp(1e-7, 1.0 - 1e-7).log()
    }

    /// Class weights, ready to be multiplied with the scores.
    #[track_caller]
    pub fn weights(&self, name: &'static str, given: &[f64]) -> Var<'t> {
        let weights = weights(name, self.scores, self.classes, given);
        let mut dims = vec![1; self.scores.rank()];
        if let Some(dim) = dims.get_mut(self.axis as usize) {
            *dim = self.classes;
        }
        weights.reshape(dims).broadcast_to(self.scores.shape())
    }

    /// The loss of each example as it is, or an error when it is computed and probabilities in the target are off by a percent:
    /// one is negative, or they do not sum to 1.
    #[track_caller]
    pub fn proper(&self, each: Var<'t>) -> Var<'t> {
        let Target::Probabilities(p) = self.target else { return each };
        if p.is_empty() {
            return each;
        }
        let negative = p.select(p.lt(-0.01), 0.0).min_axes(self.axis);
        let each = within(each, negative, [-0.01, 1.01], "probability");
        within(each, p.sum_axes(self.axis), [0.99, 1.01], "sum of probabilities")
    }

    /// What is right as the share of each class, of the shape of the scores.
    #[track_caller]
    pub fn shares(&self) -> Var<'t> {
        match self.target {
            Target::Labels { marks, .. } => marks.cast(self.scores.dtype()),
            Target::Probabilities(p) => p,
        }
    }
}

impl<'t> Target<'t> {
    /// How much each label counts in a mean: the weight of its class, or 1, and 0 for one that is ignored. `None`: 1 each.
    #[track_caller]
    pub fn counts(&self, axis: isize, weights: Option<Var<'t>>, dtype: DType) -> Option<Var<'t>> {
        let Target::Labels { marks, valid, .. } = *self else { return None };
        let weighed = weights.map(|weights| weights.select(marks, 0.0).sum_axes(axis));
        match (weighed, valid) {
            (Some(weighed), Some(valid)) => Some(weighed.select(valid, 0.0)),
            (None, Some(valid)) => Some(valid.cast(dtype)),
            (weighed, None) => weighed,
        }
    }

    /// The losses, with 0 for labels that are ignored.
    #[track_caller]
    pub fn kept(&self, each: Var<'t>) -> Var<'t> {
        match *self {
            Target::Labels { valid: Some(valid), .. } => each.select(valid, 0.0),
            _ => each,
        }
    }
}
