//! A metric under another name.

use super::case::Case;
use super::metric::Metric;
use super::recall::Recall;
use wengert_autograd::Var;
use wengert_tensor::shape::Shape;

/// A metric under another name: see [`Metric::named`].
#[derive(Clone, Debug)]
pub struct Named<M> {
    metric: M,
    name: String,
}

impl<M> Named<M> {
    pub(super) fn new(metric: M, name: impl Into<String>) -> Named<M> {
        Named { metric, name: name.into() }
    }
}

impl<M: Metric> Metric for Named<M> {
    fn name(&self) -> String {
        self.name.clone()
    }

    #[track_caller]
    fn observe<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        self.metric.observe(prediction, target)
    }

    #[track_caller]
    fn observe_weighted<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Var<'t>) -> Var<'t> {
        self.metric.observe_weighted(prediction, target, weights)
    }

    fn count(&self, target: &Shape) -> usize {
        self.metric.count(target)
    }

    fn merge(&self, total: &mut [f64], batch: &[f64]) {
        self.metric.merge(total, batch);
    }

    fn value(&self, sums: &[f64], count: usize) -> f64 {
        self.metric.value(sums, count)
    }

    fn higher_is_better(&self) -> bool {
        self.metric.higher_is_better()
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("named", "recall_named", "classes", Recall::new().class(2).named("recall_cat"))]
}
