//! The share of samples whose right class is among the k highest scores.

use super::Case;
use super::metric::{Metric, hits, labels, share};
use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::tensor::Tensor;

/// `mean(#{c : prediction[c] > prediction[target]} < k)`, in the logs as `top3` for k = 3.
///
/// The prediction is `[…, classes]`; the target is `[…]` or `[…, 1]` in whole numbers, or probabilities `[…, classes]`,
/// of which the largest is right. Equal scores count in favour of the model; NaN counts against it.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, top_k::TopK};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut top = Meter::new(TopK::new(2));
/// top.update(&Tensor::from([[0.5f32, 0.3, 0.2], [0.5, 0.3, 0.2]]), &Tensor::from([1i64, 2]))?;
/// assert_eq!(top.value(), 0.5);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TopK {
    k: usize,
}

impl TopK {
    /// Among the `k` highest scores. With k = 0 nothing is ever right.
    pub fn new(k: usize) -> TopK {
        TopK { k }
    }
}

impl Metric for TopK {
    fn name(&self) -> String {
        format!("top{}", self.k)
    }

    #[track_caller]
    fn observe<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let target = labels("top k", prediction, target);
        let own = prediction.take_along(-1, target.unsqueeze(-1));
        // Counted from below, so that a NaN score is not among the best.
        let beaten = prediction.le(own).cast(DType::F32).sum_axes(-1);
        hits(beaten.gt(prediction.dim(-1) as f64 - self.k as f64))
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
    let prediction = Tensor::from([[0.1f32, 0.7, 0.2], [3.0, 2.0, 1.0], [f32::NAN, 0.0, 5.0], [-1.0, -2.0, -2.0]]);
    let labels = Tensor::from([2i64, 2, 0, 1]);
    let shares = Tensor::from([[0f32, 0.1, 0.9], [0.2, 0.3, 0.5], [0.5, 0.2, 0.3], [0.0, 1.0, 0.0]]);
    let case = |k, target: &Tensor, value| Case {
        file: "top_k",
        metric: Box::new(TopK::new(k)),
        prediction: prediction.clone(),
        target: target.clone(),
        value,
    };
    let ks = [(0, 0.0), (1, 0.0), (2, 0.5), (3, 0.75), (9, 1.0)];
    ks.iter().flat_map(|&(k, value)| [case(k, &labels, value), case(k, &shares, value)]).collect()
}
