//! How far confidence is from the share of right answers.

use super::answers::columns;
use super::case::Case;
use super::classes::{Reader, class_settings};
use super::metric::Metric;
use super::weigh::{kept, observes};
use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Error;

/// How the gaps of the bins become one figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Norm {
    #[default]
    Mean,
    RootMeanSquare,
    Max,
}

/// `Σ n_b / n · |share of right answers in b − mean confidence in b|` over bins b of equal width: the expected calibration error. Naeini et
/// al. 2015, Guo et al. 2017.
///
/// | | prediction | target | confidence | right answers |
/// |---|---|---|---|---|
/// | classes | `[…, classes]` | labels `[…]` or `[…, 1]`, whole numbers | the highest probability | its class is right |
/// | yes or no | any shape | the same shape, 0 or 1 | the probability of yes | yes is right |
///
/// Predictions are logits, or [`probabilities`](CalibrationError::probabilities). A confidence on a boundary is in the bin below.
///
/// ```
/// use wengert_nn::metrics::{calibration_error::CalibrationError, metric::Meter};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut error = Meter::new(CalibrationError::new().probabilities().bins(10));
/// error.update(&Tensor::from([[0.75f32, 0.25], [0.25, 0.75]]), &Tensor::from([0i64, 0]))?;
/// assert!((error.value() - 0.25).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[doc(alias("ECE", "MCE"))]
#[derive(Clone, Copy, Debug)]
pub struct CalibrationError {
    reader: Reader,
    probabilities: bool,
    bins: usize,
    norm: Norm,
}

impl Default for CalibrationError {
    fn default() -> CalibrationError {
        CalibrationError::new()
    }
}

impl CalibrationError {
    /// For logits, with 15 bins.
    pub fn new() -> CalibrationError {
        CalibrationError { reader: Reader::default(), probabilities: false, bins: 15, norm: Norm::Mean }
    }

    /// The predictions are probabilities. By default they are logits.
    #[must_use]
    pub fn probabilities(self) -> CalibrationError {
        CalibrationError { probabilities: true, ..self }
    }

    /// The number of bins.
    #[must_use]
    pub fn bins(self, bins: usize) -> CalibrationError {
        CalibrationError { bins, ..self }
    }

    /// The root of the mean squared gap.
    #[must_use]
    pub fn root_mean_square(self) -> CalibrationError {
        CalibrationError { norm: Norm::RootMeanSquare, ..self }
    }

    /// The largest gap of all bins: the maximum calibration error.
    #[must_use]
    pub fn max(self) -> CalibrationError {
        CalibrationError { norm: Norm::Max, ..self }
    }

    /// For each bin the weight, the sum of the confidences, and the weight of the right answers: `[bins · 3]`.
    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        const NAME: &str = "calibration_error";
        let tape = prediction.tape();
        let columns = columns(NAME, &self.reader, prediction, target, weights);
        if tape.error().is_some() {
            return columns.weights;
        }
        if self.bins == 0 || columns.count == 0 {
            let message =
                format!("{} bins for {} classes, and at least one of each is needed", self.bins, columns.count);
            return tape.reject(NAME, &[("prediction", prediction)], Error::value(message));
        }
        let chances = match (self.probabilities, columns.labelled) {
            (true, _) => columns.scores,
            (false, true) => columns.scores.softmax(-1),
            (false, false) => columns.scores.sigmoid(),
        };
        let (confidence, right, weights) = match columns.labelled {
            true => {
                let best = chances.argmax(-1).unsqueeze(-1);
                let right = columns.yes.cast(DType::I64).take_along(-1, best).flatten();
                (chances.max_axes(-1), right.ne(0), columns.weights.at(-1, 0))
            }
            false => (chances.flatten(), columns.yes.flatten(), columns.weights.flatten()),
        };
        let bins = self.bins as f64;
        let place = ((confidence * bins).ceil() - 1.0).clamp(0.0, bins - 1.0).cast(DType::I64);
        let parts = [weights, weights * kept(confidence, weights), weights.select(right, 0.0)];
        tape.constant([self.bins, 3], 0f64).index_add(0, place, tape.stack(&parts, -1)).flatten()
    }
}

class_settings!(CalibrationError);

impl Metric for CalibrationError {
    fn name(&self) -> String {
        match self.norm {
            Norm::Mean => "calibration_error".into(),
            Norm::RootMeanSquare => "rms_calibration_error".into(),
            Norm::Max => "max_calibration_error".into(),
        }
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        let bins = sums.as_chunks::<3>().0.iter().filter(|[n, ..]| *n > 0.0);
        let gaps = bins.map(|[n, confidence, right]| (n, (right - confidence).abs() / n));
        let (total, n) = gaps.fold((0.0, 0.0), |(total, all), (n, gap)| match self.norm {
            Norm::Mean => (total + n * gap, all + n),
            Norm::RootMeanSquare => (total + n * gap * gap, all + n),
            Norm::Max => (f64::max(total, gap), 1.0),
        });
        if self.norm == Norm::RootMeanSquare { (total / n).sqrt() } else { total / n }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: CalibrationError| Case::new("calibration_error", name, data, metric);
    vec![
        case("calibration_error", "classes", CalibrationError::new()),
        case("calibration_error_probabilities", "chance_classes", CalibrationError::new().probabilities().bins(7)),
        case("calibration_error_binary", "chances", CalibrationError::new().probabilities().bins(5)),
        case("calibration_error_rms", "classes", CalibrationError::new().root_mean_square()),
        case("calibration_error_max", "classes", CalibrationError::new().max()),
        case("calibration_error_ignore", "ignored", CalibrationError::new().ignore_index(-100)),
    ]
}
