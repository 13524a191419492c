//! Right and wrong answers at many thresholds.

use super::answers::{Columns, columns};
use super::average::{Counts, over};
use super::classes::Reader;
use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

/// Where a curve is measured.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Curve {
    pub(super) reader: Reader,
    pub(super) class: Option<usize>,
    pub(super) probabilities: bool,
    /// Rising, from at most 0 to at least 1.
    pub(super) thresholds: Vec<f64>,
    /// Whether each column has a curve of its own.
    pub(super) apart: bool,
}

/// Settings of a metric that holds a [`Curve`].
macro_rules! curve_settings {
    ($metric:ident) => {
        impl $metric {
            /// The predictions are probabilities. By default they are logits.
            #[must_use]
            pub fn probabilities(mut self) -> $metric {
                self.curve.probabilities = true;
                self
            }

            /// Measures this class against the others.
            #[must_use]
            pub fn class(mut self, class: usize) -> $metric {
                self.curve.class = Some(class);
                self
            }

            /// The axis of the classes in the prediction. The default is the last, −1; it is 1 for `[batch, classes, height, width]`.
            #[must_use]
            pub fn axis(mut self, axis: isize) -> $metric {
                self.curve.reader.axis = axis;
                self
            }

            /// Leaves out what has this target, as padding does: usually −100.
            #[must_use]
            pub fn ignore_index(mut self, label: i64) -> $metric {
                self.curve.reader.ignore = Some(label);
                self
            }
        }
    };
}
pub(super) use curve_settings;

/// So many thresholds evenly from 0 to 1, the first and the last a little outside: Keras's.
pub(super) fn evenly(count: usize, outside: f64) -> Vec<f64> {
    match count {
        0 => Vec::new(),
        1 => vec![0.5],
        _ => (0..count)
            .map(|i| match i {
                0 => -outside,
                i if i + 1 == count => 1.0 + outside,
                i => i as f64 / (count - 1) as f64,
            })
            .collect(),
    }
}

impl Curve {
    pub(super) fn at(thresholds: Vec<f64>) -> Curve {
        Curve { reader: Reader::default(), class: None, probabilities: false, thresholds, apart: false }
    }

    /// For each column, how much no and yes lies above so many thresholds: `[columns · 2 · (thresholds + 1)]`.
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
        let (mut scores, mut yes, mut weights) = (self.scores(&columns), columns.yes, columns.weights);
        let mut count = columns.count;
        if let Some(class) = self.class {
            let only = |value: Var<'t>| value.slice(-1, class..class + 1);
            (scores, yes, weights, count) = (only(scores), only(yes), only(weights), 1);
        } else if !self.apart && !columns.labelled {
            let all = |value: Var<'t>| value.reshape([value.len(), 1]);
            (scores, yes, weights, count) = (all(scores), all(yes), all(weights), 1);
        }
        let thresholds = Tensor::from(self.thresholds.clone());
        // NaN is above no threshold.
        let numbers = scores.select(scores.eq(scores), -1.0);
        let above = tape.input(&thresholds).cast(scores.dtype()).searchsorted(numbers);
        let places = self.thresholds.len() + 1;
        let column = tape.iota([count], 0, DType::I64) * 2;
        let place = (column + yes.cast(DType::I64)) * places as i64 + above;
        tape.constant([count * 2 * places], 0f64).index_add(0, place.flatten(), weights.flatten())
    }

    #[track_caller]
    fn scores<'t>(&self, columns: &Columns<'t>) -> Var<'t> {
        match columns.scores {
            scores if self.probabilities => scores,
            scores if columns.labelled => scores.softmax(-1),
            scores => scores.sigmoid(),
        }
    }

    fn check(&self, classes: usize) -> Result<()> {
        let mut pairs = self.thresholds.iter().zip(self.thresholds.iter().skip(1));
        if let Some(class) = self.class.filter(|&class| class >= classes) {
            let last = classes.max(1) - 1;
            return Err(Error::value(format!("class {class} of a prediction of {classes} classes, 0 to {last}")));
        }
        if self.thresholds.is_empty() || self.thresholds.iter().any(|threshold| threshold.is_nan()) {
            return Err(Error::value(format!(
                "{} thresholds, and at least one number is needed",
                self.thresholds.len()
            )));
        }
        match pairs.find(|(a, b)| a >= b) {
            Some((a, b)) => Err(Error::value(format!("thresholds out of order: {a} comes before {b}"))),
            None => Ok(()),
        }
    }

    /// For each column, the answers at each threshold.
    pub(super) fn points(&self, sums: &[f64]) -> Vec<Vec<Counts>> {
        let places = self.thresholds.len() + 1;
        let column = |sums: &[f64]| {
            let (no, yes) = sums.split_at(places.min(sums.len()));
            let mut now = Counts { fn_: yes.iter().sum(), tn: no.iter().sum(), ..Counts::default() };
            let all = now;
            // From the highest threshold down, so that nothing is subtracted from what was added.
            let mut points: Vec<Counts> = (1..places)
                .rev()
                .map(|place| {
                    now.tp += yes.get(place).copied().unwrap_or(0.0);
                    now.fp += no.get(place).copied().unwrap_or(0.0);
                    Counts { fn_: (all.fn_ - now.tp).max(0.0), tn: (all.tn - now.fp).max(0.0), ..now }
                })
                .collect();
            points.reverse();
            points
        };
        sums.chunks(2 * places).map(column).collect()
    }

    /// The largest `wanted` where `bound` is at least `least`, 0 where it nowhere is; of several columns the mean.
    pub(super) fn best(
        &self,
        sums: &[f64],
        least: f64,
        bound: impl Fn(&Counts) -> f64,
        wanted: impl Fn(&Counts) -> f64,
    ) -> f64 {
        let columns = self.points(sums);
        let best =
            |points: &Vec<Counts>| points.iter().filter(|point| bound(point) >= least).map(&wanted).fold(0.0, f64::max);
        columns.iter().map(best).sum::<f64>() / columns.len() as f64
    }
}

/// tp / (tp + fn), 0 where there is nothing to find.
pub(super) fn recall(counts: &Counts) -> f64 {
    over(counts.tp, counts.tp + counts.fn_, 0.0)
}

/// tp / (tp + fp), 0 where nothing was found.
pub(super) fn precision(counts: &Counts) -> f64 {
    over(counts.tp, counts.tp + counts.fp, 0.0)
}

/// tn / (tn + fp), 0 where there is nothing to refuse.
pub(super) fn specificity(counts: &Counts) -> f64 {
    over(counts.tn, counts.tn + counts.fp, 0.0)
}

/// That a bound is a share.
pub(super) fn a_share(what: &str, bound: f64) -> Result<()> {
    match (0.0..=1.0).contains(&bound) {
        true => Ok(()),
        false => Err(Error::value(format!("{what} of at least {bound}, and it lies in 0 to 1"))),
    }
}
