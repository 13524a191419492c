//! The mean of whatever a function says of prediction and target.

use super::case::Case;
use super::metric::Metric;
use super::weigh::{mean, observes, ratio};
use std::fmt;
use wengert_autograd::Var;

/// The mean of the values of a function, over all of its elements in all batches. Keras's `MeanMetricWrapper`.
///
/// ```
/// use wengert_nn::metrics::{mean::Mean, metric::Meter};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut bias = Meter::new(Mean::new("bias", |prediction, target| prediction - target));
/// bias.update(&Tensor::from([2f32, 3.0]), &Tensor::from([1f32, 1.0]))?;
/// assert_eq!(bias.value(), 1.5);
/// # Ok(()) }
/// ```
///
/// A mean of a weighted batch is Σ weight · value / Σ weight; a weight for each sample counts for all its values.
#[doc(alias("MeanMetricWrapper"))]
#[derive(Clone)]
pub struct Mean<F> {
    name: String,
    function: F,
    higher_is_better: bool,
}

impl<F> Mean<F>
where
    F: for<'t> Fn(Var<'t>, Var<'t>) -> Var<'t> + Send + Sync,
{
    /// The mean of `function(prediction, target)`, in the logs under this name.
    pub fn new(name: impl Into<String>, function: F) -> Mean<F> {
        Mean { name: name.into(), function, higher_is_better: false }
    }

    /// A larger figure is a better one.
    #[must_use]
    pub fn maximize(self) -> Mean<F> {
        Mean { higher_is_better: true, ..self }
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        mean("mean", (self.function)(prediction, target), weights)
    }
}

impl<F> Metric for Mean<F>
where
    F: for<'t> Fn(Var<'t>, Var<'t>) -> Var<'t> + Send + Sync,
{
    fn name(&self) -> String {
        self.name.clone()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        ratio(sums)
    }

    fn higher_is_better(&self) -> bool {
        self.higher_is_better
    }
}

impl<F> fmt::Debug for Mean<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mean").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("mean", "mean_bias", "numbers", Mean::new("bias", |prediction, target| prediction - target))]
}
