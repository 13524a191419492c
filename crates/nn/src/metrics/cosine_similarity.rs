//! The mean cosine of the angle between prediction and target.

use super::case::Case;
use super::metric::Metric;
use super::weigh::{mean, observes, pair, ratio};
use wengert_autograd::Var;

/// `mean(x · y / (‖x‖ ‖y‖))` over the vectors along the last axis.
///
/// Prediction and target have the same shape, but `[n]` fits `[n, 1]`.
/// A vector of zeros has the cosine 0. Keras's `CosineSimilarity`.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, cosine_similarity::CosineSimilarity};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(CosineSimilarity::new());
/// meter.update(&Tensor::from([[1f32, 0.0], [3.0, 4.0]]), &Tensor::from([[1f32, 0.0], [4.0, 3.0]]))?;
/// assert!((meter.value() - 0.98).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct CosineSimilarity;

impl CosineSimilarity {
    /// The metric.
    pub fn new() -> CosineSimilarity {
        CosineSimilarity
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let (prediction, target) = pair("cosine_similarity", prediction, target);
        mean("cosine_similarity", cosine(prediction, target), weights)
    }
}

impl Metric for CosineSimilarity {
    fn name(&self) -> String {
        "cosine_similarity".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        ratio(sums)
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// The cosines along the last axis.
#[track_caller]
fn cosine<'t>(x: Var<'t>, y: Var<'t>) -> Var<'t> {
    let unit = |x: Var<'t>| x / x.norm_keep(-1).maximum(1e-12);
    (unit(x) * unit(y)).sum_axes(-1)
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("cosine_similarity", "cosine_similarity", "numbers", CosineSimilarity::new())]
}
