//! What a classifier is worth at every threshold, and points by their class: charts that are made of curves and points.

use super::line::LineChart;
use std::panic::Location;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

/// A curve over all thresholds, and the area below it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Curve {
    /// Points from left to right.
    pub points: Vec<(f64, f64)>,
    /// The area.
    pub area: f64,
}

/// The share of positives that are found over the share of negatives that are mistaken for one, from a threshold above all scores down to one
/// below: the receiver operating characteristic. The area is the probability that a positive has the higher score, ties counted half.
/// Scikit-learn's `roc_curve`, with a point for each distinct score.
///
/// ```
/// use wengert_nn::plot::curves::roc_curve;
/// use wengert_tensor::tensor::Tensor;
/// let scores = Tensor::from([0.1f32, 0.4, 0.35, 0.8]);
/// let roc = roc_curve(&scores, &Tensor::from([0i64, 0, 1, 1]))?;
/// assert_eq!(roc.points, [(0.0, 0.0), (0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0)]);
/// assert_eq!(roc.area, 0.75);
/// # Ok::<(), wengert_tensor::error::Error>(())
/// ```
///
/// # Errors
/// `Shape` unless there is a truth for each score, `Data` for a truth that is neither 0 nor 1, a score that is NaN, or one class only.
#[track_caller]
pub fn roc_curve(scores: &Tensor, truth: &Tensor) -> Result<Curve> {
    let counts = told("roc_curve", scores, truth, thresholds)?;
    let (yes, no) = total(&counts);
    let points: Vec<(f64, f64)> = std::iter::once((0.0, 0.0))
        .chain(counts.iter().map(|&(found, mistaken)| (mistaken as f64 / no as f64, found as f64 / yes as f64)))
        .collect();
    let area = points.windows(2).map(|pair| match pair {
        [(x0, y0), (x1, y1)] => (x1 - x0) * (y0 + y1) / 2.0,
        _ => 0.0,
    });
    Ok(Curve { area: area.sum(), points })
}

/// The share of what was found that is right over the share of positives that were found. The area is the average precision
/// Σ (Rₙ − Rₙ₋₁) Pₙ, without interpolation. Scikit-learn's `precision_recall_curve` and `average_precision_score`.
///
/// ```
/// use wengert_nn::plot::curves::precision_recall_curve;
/// use wengert_tensor::tensor::Tensor;
/// let scores = Tensor::from([0.1f32, 0.4, 0.35, 0.8]);
/// let curve = precision_recall_curve(&scores, &Tensor::from([0i64, 0, 1, 1]))?;
/// assert!((curve.area - 0.8333333333333333).abs() < 1e-12);
/// # Ok::<(), wengert_tensor::error::Error>(())
/// ```
///
/// # Errors
/// As [`roc_curve`].
#[track_caller]
pub fn precision_recall_curve(scores: &Tensor, truth: &Tensor) -> Result<Curve> {
    let counts = told("precision_recall_curve", scores, truth, thresholds)?;
    let (yes, _) = total(&counts);
    let at = |&(found, mistaken): &(usize, usize)| {
        (found as f64 / yes as f64, found as f64 / (found + mistaken).max(1) as f64)
    };
    let points: Vec<(f64, f64)> = std::iter::once((0.0, 1.0)).chain(counts.iter().map(at)).collect();
    let area = points.windows(2).map(|pair| match pair {
        [(r0, _), (r1, precision)] => (r1 - r0) * precision,
        _ => 0.0,
    });
    Ok(Curve { area: area.sum(), points })
}

/// For bins of equal width, the mean probability that was given and the share of what came true. The area is the mean distance of the two,
/// weighted by the bins: the expected calibration error.
///
/// # Errors
/// As [`roc_curve`]; `Data` for a probability outside 0 to 1, `Value` for no bin.
#[track_caller]
pub fn calibration_curve(probabilities: &Tensor, truth: &Tensor, bins: usize) -> Result<Curve> {
    told("calibration_curve", probabilities, truth, |scores, truth| {
        if bins == 0 {
            return Err(Error::value("no bins"));
        }
        if let Some(odd) = scores.iter().find(|p| !(0.0..=1.0).contains(*p)) {
            return Err(Error::data(format!("a probability of {odd}")).help("these are probabilities, not logits"));
        }
        let mut sums = vec![(0usize, 0.0, 0.0); bins.min(scores.len().max(1) * 1024)];
        let last = sums.len() - 1;
        for (&p, &yes) in scores.iter().zip(truth) {
            if let Some((n, given, came)) = sums.get_mut(((p * bins as f64) as usize).min(last)) {
                (*n, *given, *came) = (*n + 1, *given + p, *came + f64::from(u8::from(yes)));
            }
        }
        sums.retain(|bin| bin.0 > 0);
        let all = scores.len() as f64;
        let area = sums.iter().map(|(_, given, came)| (given - came).abs() / all).sum();
        let points = sums.iter().map(|(n, given, came)| (given / *n as f64, came / *n as f64)).collect();
        Ok(Curve { points, area })
    })
}

impl LineChart {
    /// The chart of [`roc_curve`], with the line of a classifier that guesses.
    ///
    /// # Errors
    /// As [`roc_curve`].
    #[track_caller]
    pub fn roc(title: impl Into<String>, scores: &Tensor, truth: &Tensor) -> Result<LineChart> {
        let Curve { points, area } = roc_curve(scores, truth)?;
        let chart = LineChart::new(title).x_label("false positive rate").y_label("true positive rate").size(520, 480);
        Ok(chart.line(format!("area {area:.4}"), points).dashes("", [(0.0, 0.0), (1.0, 1.0)]))
    }

    /// The chart of [`precision_recall_curve`].
    ///
    /// # Errors
    /// As [`roc_curve`].
    #[track_caller]
    pub fn precision_recall(title: impl Into<String>, scores: &Tensor, truth: &Tensor) -> Result<LineChart> {
        let Curve { points, area } = precision_recall_curve(scores, truth)?;
        let chart = LineChart::new(title).x_label("recall").y_label("precision").size(520, 480);
        Ok(chart.line(format!("average precision {area:.4}"), points))
    }

    /// The chart of [`calibration_curve`], with the line of a classifier whose probabilities are right.
    ///
    /// # Errors
    /// As [`calibration_curve`].
    #[track_caller]
    pub fn calibration(
        title: impl Into<String>,
        probabilities: &Tensor,
        truth: &Tensor,
        bins: usize,
    ) -> Result<LineChart> {
        let Curve { points, area } = calibration_curve(probabilities, truth, bins)?;
        let chart = LineChart::new(title).x_label("probability given").y_label("share that came true").size(520, 480);
        let chart = chart.line(format!("calibration error {area:.4}"), points.clone());
        Ok(chart.dashes("", [(0.0, 0.0), (1.0, 1.0)]).points("", points))
    }

    /// Points `[n, 2]` in the colours of their classes; labels are whole numbers `[n]`.
    ///
    /// ```
    /// use wengert_nn::plot::line::LineChart;
    /// use wengert_tensor::tensor::Tensor;
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let points = Tensor::from([[0.0f32, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    /// let chart = LineChart::scatter("three points", &points, &Tensor::from([0i64, 1, 0]), &["blue", "red"])?;
    /// assert!(chart.to_svg()?.contains("blue"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Shape` for other shapes.
    #[track_caller]
    pub fn scatter(title: impl Into<String>, points: &Tensor, labels: &Tensor, names: &[&str]) -> Result<LineChart> {
        let (n, here) = (labels.len(), Location::caller());
        if points.shape().dims() != [n, 2] || labels.rank() != 1 || labels.dtype().is_float() {
            let message = format!("points [n, 2] and whole numbers [n], not {} and {}", points.shape(), labels.shape());
            return Err(Error::shape(message).op("LineChart::scatter").at(here));
        }
        let (points, labels) = (points.to_f64_vec(), labels.cast(DType::I64)?.to_vec::<i64>()?);
        let mut classes: Vec<i64> = labels.clone();
        classes.sort_unstable();
        classes.dedup();
        let chart = classes.into_iter().fold(LineChart::new(title), |chart, class| {
            let of = points.chunks_exact(2).zip(&labels).filter(|(_, label)| **label == class);
            let of: Vec<(f64, f64)> = of.filter_map(|(at, _)| Some((*at.first()?, *at.get(1)?))).collect();
            let name = usize::try_from(class).ok().and_then(|class| names.get(class));
            chart.points(name.map_or(class.to_string(), |name| name.to_string()), of)
        });
        Ok(chart)
    }
}

/// Checks scores and truth, and adds to errors what they were.
#[track_caller]
fn told<T>(
    op: &'static str,
    scores: &Tensor,
    truth: &Tensor,
    of: impl FnOnce(&[f64], &[bool]) -> Result<T>,
) -> Result<T> {
    let here = Location::caller();
    let checked = || {
        if scores.shape() != truth.shape() || scores.is_empty() {
            return Err(Error::shape("one true answer for each score, and at least one"));
        }
        let (scores, answers) = (scores.to_f64_vec(), truth.to_f64_vec());
        if scores.iter().any(|score| score.is_nan()) {
            return Err(Error::data("a score is NaN"));
        }
        if let Some(odd) = answers.iter().find(|answer| **answer != 0.0 && **answer != 1.0) {
            return Err(Error::data(format!("a true answer of {odd}")).help("0 is no, 1 is yes"));
        }
        let answers: Vec<bool> = answers.iter().map(|answer| *answer == 1.0).collect();
        of(&scores, &answers)
    };
    checked().map_err(|error| {
        let [scores, truth] = [scores, truth].map(|of| format!("{} {}", of.shape(), of.dtype()));
        error.op(op).operand("scores", scores).operand("truth", truth).at(here)
    })
}

/// For each distinct score from the highest down, how many yes and how many no have at least that score.
fn thresholds(scores: &[f64], truth: &[bool]) -> Result<Vec<(usize, usize)>> {
    let mut order: Vec<(f64, bool)> = scores.iter().copied().zip(truth.iter().copied()).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut counts: Vec<(usize, usize)> = Vec::new();
    let (mut yes, mut no, mut last) = (0, 0, f64::NAN);
    for (score, answer) in order {
        if answer {
            yes += 1
        } else {
            no += 1
        }
        match counts.last_mut() {
            Some(count) if score == last => *count = (yes, no),
            _ => counts.push((yes, no)),
        }
        last = score;
    }
    match yes > 0 && no > 0 {
        true => Ok(counts),
        false => Err(Error::data("all true answers are the same")),
    }
}

fn total(counts: &[(usize, usize)]) -> (usize, usize) {
    counts.last().copied().unwrap_or((1, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_count_half() {
        let truth = Tensor::from([0i64, 1, 0, 1]);
        let same = roc_curve(&Tensor::from([0.5f32; 4]), &truth).unwrap();
        assert_eq!((same.points.as_slice(), same.area), (&[(0.0, 0.0), (1.0, 1.0)][..], 0.5));
        let right = roc_curve(&Tensor::from([0.0f32, 1.0, -1.0, 2.0]), &truth).unwrap();
        assert_eq!(right.area, 1.0);
        assert_eq!(precision_recall_curve(&Tensor::from([0.0f32, 1.0, -1.0, 2.0]), &truth).unwrap().area, 1.0);
    }

    #[test]
    fn calibration_compares_what_was_given_with_what_came() {
        let given = Tensor::from([0.75f32, 0.75, 0.25, 1.0]);
        let curve = calibration_curve(&given, &Tensor::from([1i64, 0, 0, 1]), 2).unwrap();
        assert_eq!(curve.points, [(0.25, 0.0), (2.5 / 3.0, 2.0 / 3.0)]);
        assert!((curve.area - (0.25 + 0.5) / 4.0).abs() < 1e-12);
        assert!(LineChart::calibration("t", &given, &Tensor::from([1i64, 0, 0, 1]), 10).unwrap().to_svg().is_ok());
    }

    #[test]
    fn what_has_no_curve_is_an_error() {
        let scores = Tensor::from([0.5f32, 0.25]);
        for truth in [Tensor::from([1i64, 1]), Tensor::from([0i64, 2]), Tensor::from([0i64, 1, 0])] {
            assert!(roc_curve(&scores, &truth).is_err());
            assert!(LineChart::precision_recall("t", &scores, &truth).is_err());
        }
        let truth = Tensor::from([0i64, 1]);
        assert!(roc_curve(&Tensor::from([f32::NAN, 1.0]), &truth).is_err());
        assert!(calibration_curve(&Tensor::from([0.5f32, 1.5]), &truth, 4).is_err());
        assert!(calibration_curve(&scores, &truth, 0).is_err());
        assert!(calibration_curve(&scores, &truth, usize::MAX).is_ok());
        assert!(LineChart::scatter("t", &scores, &truth, &[]).is_err());
        let roc = LineChart::roc("t", &scores, &truth).unwrap().to_svg().unwrap();
        assert!(roc.contains("area 0.0000"));
    }
}
