//! The share of yes-or-no answers that are right.

use super::Case;
use super::metric::Metric;
use crate::losses::alike::alike;
use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::tensor::Tensor;

/// `mean((prediction > threshold) == (target > 0.5))`.
///
/// Prediction and target have the same shape, but `[n]` fits `[n, 1]`; the target is 0 or 1 of any dtype, or a
/// probability. The threshold is 0, which is right for logits; [`threshold(0.5)`](BinaryAccuracy::threshold) is right
/// for probabilities.
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
    pub fn threshold(self, threshold: f64) -> BinaryAccuracy {
        BinaryAccuracy { threshold }
    }
}

impl Metric for BinaryAccuracy {
    fn name(&self) -> String {
        "accuracy".into()
    }

    #[track_caller]
    fn observe<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let yes = alike("binary accuracy", prediction, target).cast(DType::F32).gt(0.5);
        prediction.gt(self.threshold).eq(yes).cast(DType::F32).sum()
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let target = Tensor::from([[1.0f32], [0.0], [0.0], [1.0]]);
    let case = |metric, prediction, target: &Tensor, value| Case {
        file: "binary_accuracy",
        metric: Box::new(metric),
        prediction,
        target: target.clone(),
        value,
    };
    let logits = Tensor::from([[0.3f32], [-0.1], [2.0], [9.0]]);
    vec![
        case(BinaryAccuracy::new(), logits.clone(), &target, 0.75),
        case(BinaryAccuracy::new(), logits, &Tensor::from([true, false, false, true]), 0.75),
        case(BinaryAccuracy::new().threshold(0.5), Tensor::from([[0.3f32], [0.1], [0.6], [0.9]]), &target, 0.5),
    ]
}
