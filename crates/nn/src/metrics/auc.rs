//! The area under a curve of right and wrong answers.

use super::average::{Counts, over};
use super::case::Case;
use super::curve::{Curve, curve_settings, evenly, precision, recall};
use super::metric::Metric;
use super::weigh::observes;
use wengert_autograd::Var;
use wengert_tensor::error::{Error, Result};

/// How far the first and the last threshold lie outside of 0 to 1, so that 0 and 1 themselves are right of one and left of the other.
const OUTSIDE: f64 = 1e-7;

/// Which curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Roc,
    Pr,
    PrGain,
}

/// How the area between two points is summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Summation {
    /// By the line between them; for precision and recall as Davis & Goadrich 2006 say.
    Interpolation,
    /// By the lower of both: a lower bound.
    Minoring,
    /// By the higher of both: an upper bound.
    Majoring,
}

/// The area under the curve of sensitivity over false alarms (ROC), or of precision over recall (PR), from many thresholds.
///
/// | | prediction | target | |
/// |---|---|---|---|
/// | yes or no | any shape | the same shape, 0 or 1 | one curve |
/// | several labels | `[…, labels]` | the same shape, 0 or 1 | with [`multi_label`](Auc::multi_label) the mean of a curve for each |
/// | classes | `[…, classes]` | labels `[…]` or `[…, 1]` | the mean of each class against the others, or one [`class`](Auc::class) |
///
/// Predictions are logits, or [`probabilities`](Auc::probabilities). The thresholds lie evenly on the scale of probabilities. A curve
/// without a yes or without a no does not count; if there is no other the figure is NaN. Keras's `AUC`. The exact area, of all samples at once,
/// is [`exact::roc_auc`](super::exact::roc_auc).
///
/// ```
/// use wengert_nn::metrics::{auc::Auc, metric::Meter};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut auc = Meter::new(Auc::roc());
/// auc.update(&Tensor::from([-2f32, 0.5, -0.5, 2.0]), &Tensor::from([0i64, 0, 1, 1]))?;
/// assert!((auc.value() - 0.75).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[doc(alias("AUC", "AUROC"))]
#[derive(Clone, Debug)]
pub struct Auc {
    curve: Curve,
    kind: Kind,
    summation: Summation,
    label_weights: Option<Vec<f64>>,
}

impl Auc {
    /// Of sensitivity over false alarms, from 200 thresholds.
    pub fn roc() -> Auc {
        Auc::of(Kind::Roc)
    }

    /// Of precision over recall, from 200 thresholds.
    pub fn pr() -> Auc {
        Auc::of(Kind::Pr)
    }

    /// Of the gains of precision and recall, from 200 thresholds. Flach & Kull 2015.
    pub fn pr_gain() -> Auc {
        Auc::of(Kind::PrGain)
    }

    fn of(kind: Kind) -> Auc {
        let curve = Curve::at(evenly(200, OUTSIDE));
        Auc { curve, kind, summation: Summation::Interpolation, label_weights: None }
    }

    /// Tries so many thresholds, at least 2.
    #[must_use]
    pub fn thresholds(mut self, count: usize) -> Auc {
        self.curve.thresholds = if !(2..=1 << 24).contains(&count) { Vec::new() } else { evenly(count, OUTSIDE) };
        self
    }

    /// Tries these thresholds, rising between 0 and 1, and those that let everything and nothing pass.
    #[must_use]
    pub fn at_thresholds(mut self, thresholds: impl Into<Vec<f64>>) -> Auc {
        self.curve.thresholds = [vec![-OUTSIDE], thresholds.into(), vec![1.0 + OUTSIDE]].concat();
        self
    }

    /// How the area is summed.
    #[must_use]
    pub fn summation(mut self, summation: Summation) -> Auc {
        self.summation = summation;
        self
    }

    /// Each column of the last axis has a curve of its own, and the figure is their mean.
    #[must_use]
    pub fn multi_label(mut self) -> Auc {
        self.curve.apart = true;
        self
    }

    /// As [`multi_label`](Auc::multi_label), with weights for the mean.
    #[must_use]
    pub fn label_weights(mut self, weights: impl Into<Vec<f64>>) -> Auc {
        self.label_weights = Some(weights.into());
        self.multi_label()
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let name = "auc";
        let sums = self.curve.counts(name, prediction, target, weights);
        if prediction.tape().error().is_some() {
            return sums;
        }
        match self.check(sums.len() / (2 * (self.curve.thresholds.len() + 1))) {
            Ok(()) => sums,
            Err(error) => prediction.tape().reject(name, &[("prediction", prediction)], error),
        }
    }

    fn check(&self, columns: usize) -> Result<()> {
        let refuse = |message| Err(Error::value(message));
        match &self.label_weights {
            Some(weights) if weights.len() != columns => {
                refuse(format!("{} label weights for {columns} labels", weights.len()))
            }
            Some(weights) if weights.iter().any(|weight| !(*weight >= 0.0 && weight.is_finite())) => {
                refuse(format!("the label weights are {weights:?}, and must not be negative"))
            }
            _ => Ok(()),
        }
    }

    /// The area under one curve, from the lowest threshold to the highest.
    fn area(&self, points: &[Counts]) -> f64 {
        let pairs = points.iter().zip(points.iter().skip(1));
        if (self.kind, self.summation) == (Kind::Pr, Summation::Interpolation) {
            return pairs.map(|(a, b)| between(a, b)).sum();
        }
        let xy = |counts: &Counts| match self.kind {
            Kind::Roc => (over(counts.fp, counts.fp + counts.tn, 0.0), recall(counts)),
            Kind::Pr => (recall(counts), precision(counts)),
            Kind::PrGain => gains(counts),
        };
        pairs
            .map(|(a, b)| {
                let ((x, y), (next_x, next_y)) = (xy(a), xy(b));
                let height = match self.summation {
                    Summation::Interpolation => 0.5 * (y + next_y),
                    Summation::Minoring => y.min(next_y),
                    Summation::Majoring => y.max(next_y),
                };
                (x - next_x) * height
            })
            .sum()
    }
}

/// The area of precision over recall between two points, in which right and wrong finds change evenly. Davis & Goadrich 2006.
fn between(a: &Counts, b: &Counts) -> f64 {
    let (found, next) = (a.tp + a.fp, b.tp + b.fp);
    let rise = a.tp - b.tp;
    let slope = over(rise, (found - next).max(0.0), 0.0);
    let start = b.tp - slope * next;
    let ratio = if found > 0.0 && next > 0.0 { found / next } else { 1.0 };
    over(slope * (rise + start * ratio.ln()), b.positives(), 0.0)
}

/// The gains of recall and precision over those of a model that always says yes.
fn gains(counts: &Counts) -> (f64, f64) {
    let scale = over(counts.positives(), counts.fp + counts.tn, 0.0);
    if counts.tp == 0.0 {
        return (0.0, 1.0);
    }
    ((1.0 - scale * counts.fn_ / counts.tp).max(0.0), 1.0 - scale * counts.fp / counts.tp)
}

curve_settings!(Auc);

impl Metric for Auc {
    fn name(&self) -> String {
        match self.kind {
            Kind::Roc => "auc".into(),
            Kind::Pr => "pr_auc".into(),
            Kind::PrGain => "pr_gain_auc".into(),
        }
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        let (mut total, mut weights) = (0.0, 0.0);
        for (column, points) in self.curve.points(sums).iter().enumerate() {
            let weight = self.label_weights.as_ref().map_or(1.0, |weights| weights.get(column).copied().unwrap_or(0.0));
            let whole = points.first().is_some_and(|first| first.positives() > 0.0 && first.fp + first.tn > 0.0);
            if whole {
                total += weight * self.area(points);
                weights += weight;
            }
        }
        total / weights
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: Auc| Case::new("auc", name, data, metric);
    vec![
        case("auc", "scores", Auc::roc()),
        case("auc_probabilities", "chances", Auc::roc().probabilities().thresholds(21)),
        case("auc_minoring", "chances", Auc::roc().probabilities().summation(Summation::Minoring)),
        case("auc_majoring", "chances", Auc::roc().probabilities().summation(Summation::Majoring)),
        case("auc_at", "chances", Auc::roc().probabilities().at_thresholds([0.2, 0.5, 0.6])),
        case("auc_labels", "labels", Auc::roc()),
        case("auc_multi_label", "labels", Auc::roc().multi_label()),
        case("auc_label_weights", "labels", Auc::roc().label_weights([0.5, 0.2, 0.3])),
        case("auc_classes", "chance_classes", Auc::roc().probabilities()),
        case("auc_class", "chance_classes", Auc::roc().probabilities().class(2)),
        case("pr_auc", "scores", Auc::pr()),
        case("pr_auc_probabilities", "chances", Auc::pr().probabilities()),
        case("pr_auc_minoring", "chances", Auc::pr().probabilities().summation(Summation::Minoring)),
        case("pr_auc_majoring", "chances", Auc::pr().probabilities().summation(Summation::Majoring)),
        case("pr_auc_multi_label", "labels", Auc::pr().multi_label()),
        case("pr_gain_auc", "chances", Auc::pr_gain().probabilities()),
    ]
}
