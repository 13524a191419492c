//! The share of samples of which every answer is right.

use super::case::Case;
use super::metric::Metric;
use super::weigh::{mean, observes, pair, ratio, thresholded};
use wengert_autograd::Var;
use wengert_tensor::dtype::DType;

/// The share of rows `[…, labels]` in which `(prediction > threshold) == (target > 0.5)` everywhere: the subset accuracy of several labels.
///
/// Prediction and target have the same shape. The threshold is 0, which is right for logits; 0.5 is right for probabilities. The same as
/// scikit-learn's `accuracy_score` of several labels.
///
/// ```
/// use wengert_nn::metrics::{exact_match::ExactMatch, metric::Meter};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut exact = Meter::new(ExactMatch::new());
/// exact.update(&Tensor::from([[2f32, -1.0], [0.5, 0.1]]), &Tensor::from([[1i64, 0], [1, 0]]))?;
/// assert_eq!(exact.value(), 0.5);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ExactMatch {
    threshold: f64,
}

impl ExactMatch {
    /// For logits: above 0 is a yes.
    pub fn new() -> ExactMatch {
        ExactMatch::default()
    }

    /// Above this is a yes.
    #[must_use]
    pub fn threshold(self, threshold: f64) -> ExactMatch {
        ExactMatch { threshold }
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let (prediction, target) = pair("exact_match", prediction, target);
        let prediction = thresholded("exact_match", prediction, self.threshold);
        let right = prediction.gt(self.threshold).eq(target.cast(DType::F32).gt(0.5));
        mean("exact_match", if right.rank() < 2 { right } else { right.all(-1) }, weights)
    }
}

impl Metric for ExactMatch {
    fn name(&self) -> String {
        "exact_match".into()
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
    vec![Case::new("exact_match", "exact_match", "labels", ExactMatch::new())]
}
