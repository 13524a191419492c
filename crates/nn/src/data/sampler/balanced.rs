//! Samples drawn so that every class comes equally often.

use super::Sampler;
use super::weighted::WeightedSampler;
use crate::explain::framed;
use std::collections::BTreeMap;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Key;
use wengert_tensor::tensor::Tensor;

/// Draws with replacement, a sample of a class of `n` samples with weight `1 / n`: a rare class comes as often as a
/// common one. An epoch has as many draws as there are samples.
///
/// ```
/// use wengert_nn::data::sampler::{Sampler, balanced::BalancedSampler};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let labels: Vec<i64> = (0..1000).map(|i| i64::from(i < 10)).collect();
/// let order = BalancedSampler::new(&Tensor::from(labels), 7)?.order(1000, 0);
/// let rare = order.iter().filter(|&&index| index < 10).count();
/// assert!((400..600).contains(&rare));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct BalancedSampler(WeightedSampler);

impl BalancedSampler {
    /// Of class labels `[samples]` i64, by a seed.
    ///
    /// # Errors
    /// Labels that are no i64 or not of rank 1, or none at all.
    #[track_caller]
    pub fn new(labels: &Tensor, seed: impl Into<Key>) -> Result<BalancedSampler> {
        let labels = framed("BalancedSampler", labels_of(labels))?;
        let mut counts = BTreeMap::new();
        labels.iter().for_each(|label| *counts.entry(label).or_insert(0u64) += 1);
        let weights: Vec<f64> =
            labels.iter().map(|label| 1.0 / counts.get(label).copied().unwrap_or(1) as f64).collect();
        WeightedSampler::new(weights, seed).map(BalancedSampler)
    }

    /// So many draws an epoch.
    ///
    /// # Errors
    /// 0.
    #[track_caller]
    pub fn samples(self, samples: usize) -> Result<Self> {
        self.0.samples(samples).map(BalancedSampler)
    }
}

impl Sampler for BalancedSampler {
    fn order(&self, samples: usize, epoch: usize) -> Vec<usize> {
        self.0.order(samples, epoch)
    }

    fn len(&self, samples: usize) -> usize {
        self.0.len(samples)
    }

    fn check(&self, samples: usize) -> Result<()> {
        self.0.check(samples)
    }
}

/// Class labels as numbers.
pub(in crate::data) fn labels_of(labels: &Tensor) -> Result<Vec<i64>> {
    if labels.rank() != 1 {
        return Err(Error::shape(format!("labels are [samples], not {}", labels.shape())));
    }
    if labels.is_empty() {
        return Err(Error::data("there are no labels"));
    }
    labels.to_vec::<i64>()
}
