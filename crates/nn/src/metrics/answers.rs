//! Yes and no, for each class: what precision, recall and their kin count.

use super::average::{Average, Counts, over};
use super::classes::{Reader, last};
use super::weigh::{spread, wide};
use crate::losses::alike::alike;
use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};

/// Scores and answers with a column for each class.
pub(super) struct Columns<'t> {
    /// `[rows, classes]`, in f32 or f64.
    pub(super) scores: Var<'t>,
    /// `[rows, classes]`, bool.
    pub(super) yes: Var<'t>,
    /// `[rows, classes]`, f64; 0 for what is left out.
    pub(super) weights: Var<'t>,
    pub(super) count: usize,
    /// Whether the targets were labels, of which one is right for each row.
    pub(super) labelled: bool,
}

/// Whether a target answers yes or no to each score, as against a label for each row of scores.
pub(super) fn is_elementwise(prediction: Var<'_>, target: Var<'_>) -> bool {
    let (scores, given) = (prediction.shape(), target.shape());
    let column = |longer: &[usize], shorter: &[usize]| longer.split_last() == Some((&1, shorter));
    scores == given || column(&scores, &given) || column(&given, &scores)
}

#[track_caller]
pub(super) fn columns<'t>(
    metric: &'static str,
    reader: &Reader,
    prediction: Var<'t>,
    target: Var<'t>,
    weights: Option<Var<'t>>,
) -> Columns<'t> {
    let scores = wide(prediction);
    let flat = |value: Var<'t>, count: usize| value.reshape([value.len() / count.max(1), count]);
    if prediction.rank() < 2 || is_elementwise(prediction, target) {
        let target = alike(metric, scores, target);
        let mut weights = spread(metric, weights, scores);
        if let Some(label) = reader.ignore {
            weights = weights.select(target.ne(label as f64), 0.0);
        }
        let axis =
            |value: Var<'t>| if value.rank() < 2 { value.reshape([value.len(), 1]) } else { last(value, reader.axis) };
        let (scores, target, weights) = (axis(scores), axis(target), axis(weights));
        let (count, yes) = (scores.dim(-1), target.cast(DType::F32).gt(0.5));
        let (scores, yes, weights) = (flat(scores, count), flat(yes, count), flat(weights, count));
        return Columns { scores, yes, weights, count, labelled: false };
    }
    let read = Reader { threshold: None, ..*reader }.read(metric, prediction, target, weights);
    let count = read.count;
    let scores = flat(read.scores, count);
    let places = scores.tape().iota([count], 0, DType::I64);
    let yes = read.actual.flatten().unsqueeze(-1).eq(places);
    let weights = read.weights.flatten().unsqueeze(-1).broadcast_to(scores.shape());
    Columns { scores, yes, weights, count, labelled: true }
}

/// What counts as a yes, and how the classes become one figure.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub(super) struct Answers {
    pub(super) reader: Reader,
    pub(super) top_k: Option<usize>,
    pub(super) class: Option<usize>,
    pub(super) average: Option<Average>,
    pub(super) zero: f64,
}

/// Settings of a metric that holds [`Answers`].
macro_rules! answer_settings {
    ($metric:ident) => {
        impl $metric {
            /// A score above this is a yes. The default is 0 for yes or no, which is right for logits; 0.5 is right for probabilities.
            #[must_use]
            pub fn threshold(mut self, threshold: f64) -> $metric {
                self.answers.reader.threshold = Some(threshold);
                self
            }

            /// The k highest scores of a row are a yes; with a threshold, those of them that are above it. The default is the highest for
            /// labels; `top_k(1)` is also right for one-hot targets.
            #[must_use]
            pub fn top_k(mut self, k: usize) -> $metric {
                self.answers.top_k = Some(k);
                self
            }

            /// Counts this class alone. Of two classes that is usually class 1.
            #[must_use]
            pub fn class(mut self, class: usize) -> $metric {
                self.answers.class = Some(class);
                self
            }

            /// How the figures of the classes become one. The default is macro for labels, and micro for yes or no.
            #[must_use]
            pub fn average(mut self, average: Average) -> $metric {
                self.answers.average = Some(average);
                self
            }

            /// The figure where it would be 0 / 0: 0 by default.
            #[must_use]
            pub fn zero_division(mut self, value: f64) -> $metric {
                self.answers.zero = value;
                self
            }

            /// The axis of the classes in the prediction. The default is the last, −1; it is 1 for `[batch, classes, height, width]`.
            #[must_use]
            pub fn axis(mut self, axis: isize) -> $metric {
                self.answers.reader.axis = axis;
                self
            }

            /// Leaves out what has this target, as padding does: usually −100.
            #[must_use]
            pub fn ignore_index(mut self, label: i64) -> $metric {
                self.answers.reader.ignore = Some(label);
                self
            }
        }
    };
}
pub(super) use answer_settings;

impl Answers {
    /// True and false positives, false and true negatives: `[classes · 4]`, or `[4]` of all together.
    #[track_caller]
    pub(super) fn counts<'t>(
        &self,
        metric: &'static str,
        prediction: Var<'t>,
        target: Var<'t>,
        weights: Option<Var<'t>>,
    ) -> Var<'t> {
        let tape = prediction.tape();
        let columns = columns(metric, &self.reader, prediction, target, weights);
        if tape.error().is_some() {
            return columns.weights;
        }
        if let Err(error) = self.check(columns.count) {
            return tape.reject(metric, &[("prediction", prediction)], error);
        }
        let (mut chosen, mut yes, mut weights) = (self.chosen(&columns), columns.yes, columns.weights);
        if let Some(class) = self.class {
            let only = |value: Var<'t>| value.slice(-1, class..class + 1);
            (chosen, yes, weights) = (only(chosen), only(yes), only(weights));
        } else if self.is_micro(columns.labelled) {
            let all = |value: Var<'t>| value.reshape([value.len(), 1]);
            (chosen, yes, weights) = (all(chosen), all(yes), all(weights));
        }
        let (refused, no) = (chosen.logical_not(), yes.logical_not());
        let sum = |mask: Var<'t>| weights.select(mask, 0.0).sum_axes(0);
        let counts = [sum(chosen.and(yes)), sum(chosen.and(no)), sum(refused.and(yes)), sum(refused.and(no))];
        tape.stack(&counts, -1).flatten()
    }

    fn is_micro(&self, labelled: bool) -> bool {
        match self.average {
            Some(average) => average == Average::Micro,
            None => !labelled,
        }
    }

    #[track_caller]
    fn chosen<'t>(&self, columns: &Columns<'t>) -> Var<'t> {
        let (scores, threshold) = (columns.scores, self.reader.threshold);
        let best = match (self.top_k, threshold) {
            (Some(k), _) => k,
            (None, None) if columns.labelled => 1,
            (None, _) => return scores.gt(threshold.unwrap_or(0.0)),
        };
        let classes = scores.tape().iota([columns.count], 0, DType::I64);
        let among = match best {
            1 => scores.argmax(-1).unsqueeze(-1).eq(classes),
            _ => scores.top_k(best.min(columns.count), -1).1.unsqueeze(-1).eq(classes).any(-2),
        };
        threshold.map_or(among, |threshold| among.and(scores.gt(threshold)))
    }

    fn check(&self, classes: usize) -> Result<()> {
        match (self.class, self.top_k, self.reader.threshold) {
            (Some(class), ..) if class >= classes => Err(Error::value(format!(
                "class {class} of a prediction of {classes} classes, 0 to {}",
                classes.max(1) - 1
            ))),
            (_, Some(0), _) => Err(Error::value("the 0 highest scores, and at least 1 is needed")),
            (.., Some(threshold)) if threshold.is_nan() => Err(Error::value("the threshold is NaN")),
            _ => Ok(()),
        }
    }

    /// One figure from the counts of the classes.
    pub(super) fn figure(&self, sums: &[f64], figure: impl Fn(&Counts) -> f64) -> f64 {
        let weight = |counts: &Counts| match self.average {
            Some(Average::Weighted) => counts.positives(),
            _ => f64::from(u8::from(counts.occurs())),
        };
        if sums.len() == 4 {
            return Counts::each(sums).next().map_or(f64::NAN, |counts| figure(&counts));
        }
        let (total, weights) = Counts::each(sums).fold((0.0, 0.0), |(total, weights), counts| {
            let weight = weight(&counts);
            // What does not count may be undefined.
            (total + if weight == 0.0 { 0.0 } else { weight * figure(&counts) }, weights + weight)
        });
        over(total, weights, self.zero)
    }
}
