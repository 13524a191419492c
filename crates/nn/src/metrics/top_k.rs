//! The share of samples whose right class is among the k highest scores.

use super::case::Case;
use super::classes::{Reader, class_settings};
use super::metric::Metric;
use super::weigh::{mean, observes, ratio};
use wengert_autograd::Var;
use wengert_tensor::dtype::DType;

/// `mean(#{c : prediction[c] > prediction[target]} < k)`, in the logs as `top3` for k = 3.
///
/// The prediction is `[…, classes]`; the target is `[…]` or `[…, 1]` in whole numbers, or one-hot or probabilities `[…, classes]`,
/// of which the largest is right. Equal scores count in favour of the model; NaN counts against it. Keras's
/// `SparseTopKCategoricalAccuracy` and `TopKCategoricalAccuracy`.
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
#[doc(alias("TopKCategoricalAccuracy", "SparseTopKCategoricalAccuracy"))]
#[derive(Clone, Copy, Debug)]
pub struct TopK {
    k: usize,
    reader: Reader,
}

impl TopK {
    /// Among the `k` highest scores. With k = 0 nothing is ever right.
    pub fn new(k: usize) -> TopK {
        TopK { k, reader: Reader::default() }
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let classes = self.reader.read("top_k", prediction, target, weights);
        let own = classes.scores.take_along(-1, classes.actual.unsqueeze(-1));
        // Counted from below, so that a NaN score is not among the best.
        let beaten = classes.scores.le(own).cast(DType::F32).sum_axes(-1);
        mean("top_k", beaten.gt(classes.count as f64 - self.k as f64), Some(classes.weights))
    }
}

class_settings!(TopK);

impl Metric for TopK {
    fn name(&self) -> String {
        format!("top{}", self.k)
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
    let case = |name, data, k| Case::new("top_k", name, data, TopK::new(k));
    vec![
        case("top_0", "classes", 0),
        case("top_1", "classes", 1),
        case("top_2", "classes", 2),
        case("top_3", "one_hot", 3),
        case("top_9", "classes", 9),
        Case::new("top_k", "top_2_ignore", "ignored", TopK::new(2).ignore_index(-100)),
        Case::new("top_k", "top_2_axis", "pixels", TopK::new(2).axis(1)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::metric::Meter;
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn equal_scores_are_for_the_model_and_nan_is_against_it() {
        let prediction = Tensor::from([[f32::NAN, 0.0, 5.0], [-1.0, -2.0, -2.0]]);
        for (k, value) in [(1, 0.0), (2, 0.5), (3, 0.5)] {
            let mut top = Meter::new(TopK::new(k));
            top.update(&prediction, &Tensor::from([0i64, 1])).unwrap();
            assert_eq!(top.value(), value, "{k}");
        }
    }
}
