//! How many answers are right and wrong, in which way.

use super::answers::{Answers, answer_settings};
use super::average::{Average, Counts};
use super::case::Case;
use super::metric::Metric;
use super::weigh::observes;
use wengert_autograd::Var;

/// A metric that is one of the four counts.
macro_rules! count {
    ($metric:ident, $name:literal, $field:ident, $higher:literal) => {
        impl $metric {
            /// The metric.
            pub fn new() -> $metric {
                $metric::default()
            }

            #[track_caller]
            fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
                self.answers.counts($name, prediction, target, weights)
            }
        }

        impl Metric for $metric {
            fn name(&self) -> String {
                $name.into()
            }

            observes!();

            fn value(&self, sums: &[f64], _count: usize) -> f64 {
                Counts::total(sums).$field
            }

            fn higher_is_better(&self) -> bool {
                $higher
            }
        }
    };
}

/// How many are yes and were found.
///
/// Read as [`Precision`](super::precision::Precision) reads; of several classes the sum, if none is chosen. Keras's `TruePositives`.
///
/// ```
/// use wengert_nn::metrics::{confusion_counts::TruePositives, metric::Meter};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(TruePositives::new());
/// meter.update(&Tensor::from([2f32, 1.0, -1.0, -3.0]), &Tensor::from([1i64, 0, 1, 0]))?;
/// assert_eq!(meter.value(), 1.0);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TruePositives {
    answers: Answers,
}

answer_settings!(TruePositives);
count!(TruePositives, "true_positives", tp, true);

/// How many are no and were taken for yes.
///
/// Read as [`Precision`](super::precision::Precision) reads; of several classes the sum, if none is chosen. Keras's `FalsePositives`.
///
/// ```
/// use wengert_nn::metrics::{confusion_counts::FalsePositives, metric::Meter};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(FalsePositives::new());
/// meter.update(&Tensor::from([2f32, 1.0, -1.0, -3.0]), &Tensor::from([1i64, 0, 1, 0]))?;
/// assert_eq!(meter.value(), 1.0);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct FalsePositives {
    answers: Answers,
}

answer_settings!(FalsePositives);
count!(FalsePositives, "false_positives", fp, false);

/// How many are yes and were not found.
///
/// Read as [`Precision`](super::precision::Precision) reads; of several classes the sum, if none is chosen. Keras's `FalseNegatives`.
///
/// ```
/// use wengert_nn::metrics::{confusion_counts::FalseNegatives, metric::Meter};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(FalseNegatives::new());
/// meter.update(&Tensor::from([2f32, 1.0, -1.0, -3.0]), &Tensor::from([1i64, 0, 1, 0]))?;
/// assert_eq!(meter.value(), 1.0);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct FalseNegatives {
    answers: Answers,
}

answer_settings!(FalseNegatives);
count!(FalseNegatives, "false_negatives", fn_, false);

/// How many are no and were refused.
///
/// Read as [`Precision`](super::precision::Precision) reads; of several classes the sum, if none is chosen. Keras's `TrueNegatives`.
///
/// ```
/// use wengert_nn::metrics::{confusion_counts::TrueNegatives, metric::Meter};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(TrueNegatives::new());
/// meter.update(&Tensor::from([2f32, 1.0, -1.0, -3.0]), &Tensor::from([1i64, 0, 1, 0]))?;
/// assert_eq!(meter.value(), 1.0);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TrueNegatives {
    answers: Answers,
}

answer_settings!(TrueNegatives);
count!(TrueNegatives, "true_negatives", tn, true);

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: Box<dyn Metric>| Case::new("confusion_counts", name, data, metric);
    vec![
        case("true_positives", "scores", Box::new(TruePositives::new())),
        case("false_positives", "chances", Box::new(FalsePositives::new().threshold(0.3))),
        case("false_negatives", "labels", Box::new(FalseNegatives::new())),
        case("true_negatives", "classes", Box::new(TrueNegatives::new().class(1))),
        case("false_positives_classes", "classes", Box::new(FalsePositives::new())),
    ]
}
