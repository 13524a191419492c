//! Metrics: what a person wants to know of a model, batch by batch.
//!
//! A [`Metric`] is a pure rule: sums of one batch as graph ops, and the figure that follows from the
//! sums of all batches. So it runs in the plan of the training step, and batches of different sizes weigh right.
//! A [`Meter`](metric::Meter) adds the sums up. A new metric is its own file and two lines here.

use metric::Metric;
use wengert_tensor::tensor::Tensor;

pub mod accuracy;
pub mod binary_accuracy;
pub mod confusion;
pub mod mean_absolute_error;
pub mod mean_squared_error;
pub mod metric;
pub mod top_k;

/// A metric as the laws try it.
pub struct Case {
    /// The file of this directory in which the metric lives.
    pub file: &'static str,
    /// The metric.
    pub metric: Box<dyn Metric>,
    /// Predictions of a few samples.
    pub prediction: Tensor,
    /// What was right.
    pub target: Tensor,
    /// The figure.
    pub value: f64,
}

/// The cases of every file of this directory that holds a metric.
pub fn roll() -> Vec<Case> {
    [
        accuracy::cases as fn() -> Vec<Case>,
        binary_accuracy::cases,
        confusion::cases,
        mean_absolute_error::cases,
        mean_squared_error::cases,
        top_k::cases,
    ]
    .iter()
    .flat_map(|cases| cases())
    .collect()
}

#[cfg(test)]
mod tests;
