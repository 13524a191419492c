//! A loss, watched as a metric.

use super::case::Case;
use super::metric::Metric;
use super::weigh::ratio;
use crate::loss::Loss;
use crate::losses::cross_entropy::CrossEntropy;
use std::fmt;
use wengert_autograd::Var;
use wengert_tensor::dtype::DType;

/// The mean of a loss over all samples, for a loss that is itself the mean over the samples of a batch.
///
/// So every loss can be watched, with all its settings, while another one trains. A batch counts with the size of its first axis.
///
/// ```
/// use wengert_nn::losses::cross_entropy::CrossEntropy;
/// use wengert_nn::metrics::{mean_loss::MeanLoss, metric::Meter};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut smooth = Meter::new(MeanLoss::new("smooth", CrossEntropy::new().label_smoothing(0.1)));
/// smooth.update(&Tensor::from([[0f32, 0.0]]), &Tensor::from([1i64]))?;
/// assert!((smooth.value() - 2f64.ln()).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct MeanLoss<L> {
    name: String,
    loss: L,
}

impl<L: Loss> MeanLoss<L> {
    /// This loss, in the logs under this name.
    pub fn new(name: impl Into<String>, loss: L) -> MeanLoss<L> {
        MeanLoss { name: name.into(), loss }
    }
}

impl<L: Loss> Metric for MeanLoss<L> {
    fn name(&self) -> String {
        self.name.clone()
    }

    #[track_caller]
    fn observe<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let (tape, samples) = (prediction.tape(), if prediction.rank() == 0 { 1 } else { prediction.dim(0) });
        let number = |value| tape.scalar(value, DType::F64);
        // The mean of nothing is no number.
        let total = match samples {
            0 => number(0.0),
            _ => self.loss.loss(prediction, target).cast(DType::F64) * samples as f64,
        };
        tape.stack(&[total, number(samples as f64)], 0)
    }

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        ratio(sums)
    }
}

impl<L> fmt::Debug for MeanLoss<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeanLoss").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("mean_loss", "mean_loss", "classes", MeanLoss::new("cross_entropy", CrossEntropy::new()))]
}
