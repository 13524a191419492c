//! Figures that need all samples at once, as functions of values: they do not add up over batches.
//!
//! Each flattens its operands, and gives a scalar in f64. They are graph, and can be computed with other values of a tape; on tensors:
//!
//! ```
//! use wengert_autograd::Apply;
//! use wengert_nn::metrics::exact::roc_auc;
//! use wengert_tensor::tensor::Tensor;
//!
//! # fn main() -> wengert_tensor::error::Result<()> {
//! let (scores, labels) = (Tensor::from([0.1f32, 0.4, 0.35, 0.8]), Tensor::from([0i64, 0, 1, 1]));
//! let area = scores.apply(|scores| roc_auc(scores, scores.tape().input(&labels)))?;
//! assert_eq!(area.item::<f64>()?, 0.75);
//! # Ok(()) }
//! ```

use super::weigh::{spread, wide};
use crate::losses::alike::alike;
use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Error;

/// The area under the ROC curve: the probability that a yes has a higher score than a no, where a tie counts half. NaN without both.
/// scikit-learn's `roc_auc_score`; Hanley & McNeil 1982.
///
/// Scores of any shape, logits or probabilities; targets of the same, 0 or 1. Streaming, and from thresholds, it is
/// [`Auc`](super::auc::Auc).
#[track_caller]
pub fn roc_auc<'t>(scores: Var<'t>, target: Var<'t>) -> Var<'t> {
    area(scores, target, None)
}

/// [`roc_auc`] with a weight for each sample.
#[track_caller]
pub fn roc_auc_weighted<'t>(scores: Var<'t>, target: Var<'t>, weights: Var<'t>) -> Var<'t> {
    area(scores, target, Some(weights))
}

/// The mean over all yeses of the precision at their scores: the area under the steps of precision and recall. NaN without a yes.
/// scikit-learn's `average_precision_score`.
///
/// ```
/// use wengert_autograd::Apply;
/// use wengert_nn::metrics::exact::average_precision;
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let (scores, labels) = (Tensor::from([0.1f32, 0.4, 0.35, 0.8]), Tensor::from([0i64, 0, 1, 1]));
/// let precision = scores.apply(|scores| average_precision(scores, scores.tape().input(&labels)))?;
/// assert!((precision.item::<f64>()? - 5.0 / 6.0).abs() < 1e-12);
/// # Ok(()) }
/// ```
#[track_caller]
pub fn average_precision<'t>(scores: Var<'t>, target: Var<'t>) -> Var<'t> {
    precision(scores, target, None)
}

/// [`average_precision`] with a weight for each sample.
#[track_caller]
pub fn average_precision_weighted<'t>(scores: Var<'t>, target: Var<'t>, weights: Var<'t>) -> Var<'t> {
    precision(scores, target, Some(weights))
}

/// The correlation of the ranks of two series, where equal ones share theirs. NaN where one is constant. SciPy's `spearmanr`; Spearman 1904.
///
/// ```
/// use wengert_autograd::Apply;
/// use wengert_nn::metrics::exact::spearman;
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let (x, y) = (Tensor::from([1f32, 2.0, 3.0]), Tensor::from([1f32, 8.0, 27.0]));
/// assert!((x.apply(|x| spearman(x, x.tape().input(&y)))?.item::<f64>()? - 1.0).abs() < 1e-12);
/// # Ok(()) }
/// ```
#[track_caller]
pub fn spearman<'t>(x: Var<'t>, y: Var<'t>) -> Var<'t> {
    let Some((x, y)) = series("spearman", x, y) else { return x.tape().scalar(0.0, DType::F64) };
    let middle = (x.len() as f64 + 1.0) / 2.0;
    let (x, y) = (ranks(x) - middle, ranks(y) - middle);
    (x * y).sum() / (x.square().sum() * y.square().sum()).sqrt()
}

/// How many more pairs of samples have the same order in both series than the other one: Kendall's τ_b, where ties do not count. NaN where
/// one is constant. SciPy's `kendalltau`; Kendall 1945. It compares all pairs, n² of them.
///
/// ```
/// use wengert_autograd::Apply;
/// use wengert_nn::metrics::exact::kendall;
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let (x, y) = (Tensor::from([1f32, 2.0, 3.0]), Tensor::from([1f32, 3.0, 2.0]));
/// assert!((x.apply(|x| kendall(x, x.tape().input(&y)))?.item::<f64>()? - 1.0 / 3.0).abs() < 1e-12);
/// # Ok(()) }
/// ```
#[track_caller]
pub fn kendall<'t>(x: Var<'t>, y: Var<'t>) -> Var<'t> {
    let Some((x, y)) = series("kendall", x, y) else { return x.tape().scalar(0.0, DType::F64) };
    let order = |x: Var<'t>| (x.unsqueeze(-1) - x).sign().cast(DType::F64);
    let (x, y) = (order(x), order(y));
    (x * y).sum() / (x.square().sum() * y.square().sum()).sqrt()
}

/// Both, flat and such that they can be computed with.
#[track_caller]
fn series<'t>(name: &'static str, x: Var<'t>, y: Var<'t>) -> Option<(Var<'t>, Var<'t>)> {
    if x.shape() != y.shape() {
        let error = Error::shape(format!("a series {} beside one {}", x.shape(), y.shape()));
        x.tape().reject(name, &[("x", x), ("y", y)], error);
    }
    x.tape().error().is_none().then(|| (wide(x).flatten(), wide(y).flatten()))
}

/// How much weight lies before each place of the sorted scores.
struct Sorted<'t> {
    scores: Var<'t>,
    order: Var<'t>,
}

impl<'t> Sorted<'t> {
    #[track_caller]
    fn of(scores: Var<'t>) -> Sorted<'t> {
        let order = scores.argsort(0, false);
        Sorted { scores: scores.gather(0, order), order }
    }

    /// The weight of all scores that are below each of `scores`, and of those that are not above.
    #[track_caller]
    fn below(&self, scores: Var<'t>, weights: Var<'t>) -> (Var<'t>, Var<'t>) {
        let tape = scores.tape();
        let sums = tape.concat(&[tape.constant([1], 0f64), weights.gather(0, self.order).cumsum(0)], 0);
        (sums.gather(0, self.scores.searchsorted(scores)), sums.gather(0, self.scores.searchsorted_right(scores)))
    }
}

/// The mean of the first and the last place among equal ones, from 1.
#[track_caller]
fn ranks(x: Var<'_>) -> Var<'_> {
    let (below, upto) = Sorted::of(x).below(x, x.tape().constant([x.len()], 1f64));
    (below + upto + 1.0) * 0.5
}

#[track_caller]
fn answers<'t>(
    name: &'static str,
    scores: Var<'t>,
    target: Var<'t>,
    weights: Option<Var<'t>>,
) -> (Var<'t>, Var<'t>, Var<'t>) {
    let scores = wide(scores);
    let yes = alike(name, scores, target).cast(DType::F32).gt(0.5).flatten();
    let weights = spread(name, weights, scores).flatten();
    (scores.flatten(), weights.select(yes, 0.0), weights.select(yes.logical_not(), 0.0))
}

#[track_caller]
fn area<'t>(scores: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
    let (scores, yes, no) = answers("roc_auc", scores, target, weights);
    let (below, upto) = Sorted::of(scores).below(scores, no);
    (yes * (below + upto)).sum() / (yes.sum() * no.sum() * 2.0)
}

#[track_caller]
fn precision<'t>(scores: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
    let (scores, yes, no) = answers("average_precision", scores, target, weights);
    let sorted = Sorted::of(scores);
    let above = |weights: Var<'t>| weights.sum() - sorted.below(scores, weights).0;
    let (right, wrong) = (above(yes), above(no));
    let precision = (right / (right + wrong)).select(yes.gt(0.0), 0.0);
    (yes * precision).sum() / yes.sum()
}
