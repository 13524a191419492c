//! The share of yes-or-no answers that are right.

use super::case::Case;
use super::metric::Metric;
use super::weigh::{mean, observes, pair, ratio, thresholded};
use wengert_autograd::Var;
use wengert_tensor::dtype::DType;

/// `mean((prediction > threshold) == (target > 0.5))`.
///
/// Prediction and target have the same shape, but `[n]` fits `[n, 1]`; the target is 0 or 1 of any dtype, or a
/// probability. The threshold is 0, which is right for logits; [`threshold(0.5)`](BinaryAccuracy::threshold) is right
/// for probabilities. Keras's `BinaryAccuracy`; 1 − the Hamming loss of several labels.
///
/// ```
/// use wengert_nn::metrics::{binary_accuracy::BinaryAccuracy, metric::Meter};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut accuracy = Meter::new(BinaryAccuracy::new());
/// accuracy.update(&Tensor::from([2f32, -1.0]), &Tensor::from([1f32, 1.0]))?;
/// assert_eq!(accuracy.value(), 0.5);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct BinaryAccuracy {
    threshold: f64,
}

impl BinaryAccuracy {
    /// For logits: above 0 is a yes.
    pub fn new() -> BinaryAccuracy {
        BinaryAccuracy::default()
    }

    /// Above this is a yes.
    #[must_use]
    pub fn threshold(self, threshold: f64) -> BinaryAccuracy {
        BinaryAccuracy { threshold }
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let (prediction, target) = pair("binary_accuracy", prediction, target);
        let prediction = thresholded("binary_accuracy", prediction, self.threshold);
        let yes = target.cast(DType::F32).gt(0.5);
        mean("binary_accuracy", prediction.gt(self.threshold).eq(yes), weights)
    }
}

impl Metric for BinaryAccuracy {
    fn name(&self) -> String {
        "binary_accuracy".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        ratio(sums)
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: BinaryAccuracy| Case::new("binary_accuracy", name, data, metric);
    vec![
        case("binary_accuracy", "scores", BinaryAccuracy::new()),
        case("binary_accuracy_threshold", "chances", BinaryAccuracy::new().threshold(0.5)),
        case("binary_accuracy_labels", "labels", BinaryAccuracy::new()),
    ]
}
