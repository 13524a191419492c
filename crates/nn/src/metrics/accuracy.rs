//! The share of samples whose highest score is the right class.

use super::Case;
use super::metric::{Metric, hits, labels, share};
use wengert_autograd::Var;
use wengert_tensor::tensor::Tensor;

/// `mean(argmax(prediction, -1) == target)`.
///
/// The prediction is `[…, classes]`, logits or probabilities; the target is `[…]` or `[…, 1]` in whole numbers, or
/// probabilities `[…, classes]`, of which the largest is right. Of two equal ones the first counts as the largest.
///
/// ```
/// use wengert_nn::metrics::{accuracy::Accuracy, metric::Meter};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut accuracy = Meter::new(Accuracy::new());
/// accuracy.update(&Tensor::from([[2f32, -1.0], [0.0, 3.0], [1.0, 0.0]]), &Tensor::from([0i64, 1, 1]))?;
/// assert!((accuracy.value() - 2.0 / 3.0).abs() < 1e-12);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Accuracy;

impl Accuracy {
    /// The share of right classes.
    pub fn new() -> Accuracy {
        Accuracy
    }
}

impl Metric for Accuracy {
    fn name(&self) -> String {
        "accuracy".into()
    }

    #[track_caller]
    fn observe<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let target = labels("accuracy", prediction, target);
        hits(prediction.argmax(-1).eq(target))
    }

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        share(sums)
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let prediction = Tensor::from([[0.1f32, 0.7, 0.2], [3.0, 2.0, 1.0], [0.0, 0.0, 5.0], [-1.0, -2.0, -3.0]]);
    let case = |target| Case {
        file: "accuracy",
        metric: Box::new(Accuracy::new()),
        prediction: prediction.clone(),
        target,
        value: 0.75,
    };
    let shares = Tensor::from([[0.0f32, 0.9, 0.1], [0.5, 0.2, 0.3], [0.3, 0.4, 0.3], [1.0, 0.0, 0.0]]);
    vec![case(Tensor::from([1i64, 0, 1, 0])), case(Tensor::from([[1u8], [0], [1], [0]])), case(shares)]
}
