//! A metric as the tests try it.

use super::metric::Metric;

/// A metric as the laws try it, on samples and against figures of the reference file.
pub struct Case {
    /// The file of this directory in which the metric lives.
    pub file: &'static str,
    /// What distinguishes the case, as the reference figures are named.
    pub name: &'static str,
    /// The name of the samples in the reference file.
    pub data: &'static str,
    /// The metric.
    pub metric: Box<dyn Metric>,
}

impl Case {
    /// A case.
    pub(super) fn new(
        file: &'static str,
        name: &'static str,
        data: &'static str,
        metric: impl Metric + 'static,
    ) -> Case {
        Case { file, name, data, metric: Box::new(metric) }
    }
}
