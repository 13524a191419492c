//! Samples drawn in proportion to weights.

use super::{Sampler, one_each};
use crate::explain::framed;
use std::panic::Location;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::{Key, uniform_f64};

/// Draws sample `i` with probability `wᵢ / Σw`; PyTorch's `WeightedRandomSampler`.
///
/// With replacement (the default) each draw is independent. Without, a sample that was drawn has weight 0 for the rest of
/// the epoch. A tree of sums finds a draw in O(log n), with additions only, so that the order is the same on every machine.
///
/// ```
/// use wengert_nn::data::sampler::{Sampler, weighted::WeightedSampler};
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let order = WeightedSampler::new([1.0, 0.0, 3.0], 7)?.samples(4000)?.order(3, 0);
/// let count = |sample| order.iter().filter(|&&index| index == sample).count();
/// assert_eq!(count(1), 0);
/// assert!((2800..3200).contains(&count(2)));
/// let some = WeightedSampler::new([1.0, 0.0, 3.0], 7)?.samples(2)?.without_replacement()?;
/// let mut order = some.order(3, 0);
/// order.sort();
/// assert_eq!(order, [0, 2]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct WeightedSampler {
    key: Key,
    tree: Vec<f64>,
    weights: usize,
    drawable: usize,
    samples: usize,
    replacement: bool,
}

impl WeightedSampler {
    /// A weight for each sample, of any sum, and a seed. An epoch has as many draws as there are weights.
    ///
    /// # Errors
    /// A weight that is negative or not finite, or weights that are all 0.
    #[track_caller]
    pub fn new(weights: impl AsRef<[f64]>, seed: impl Into<Key>) -> Result<WeightedSampler> {
        let (here, weights) = (Location::caller(), weights.as_ref());
        let refuse = |error: Error| Err(error.op("WeightedSampler").at(here));
        if let Some((at, weight)) = weights.iter().enumerate().find(|(_, w)| !(w.is_finite() && **w >= 0.0)) {
            return refuse(Error::value(format!("the weight of sample {at} is {weight}")));
        }
        let tree = sums(weights);
        match tree.get(1) {
            Some(total) if *total > 0.0 && total.is_finite() => Ok(WeightedSampler {
                key: seed.into(),
                weights: weights.len(),
                drawable: weights.iter().filter(|weight| **weight > 0.0).count(),
                samples: weights.len(),
                replacement: true,
                tree,
            }),
            Some(total) if *total > 0.0 => refuse(Error::value("the sum of the weights is not finite")),
            _ => refuse(Error::value("no sample has a weight above 0")),
        }
    }

    /// So many draws an epoch.
    ///
    /// # Errors
    /// 0, or without replacement more than there are weights above 0.
    #[track_caller]
    pub fn samples(mut self, samples: usize) -> Result<Self> {
        self.samples = samples;
        framed("WeightedSampler", self.drawn())
    }

    /// A sample comes at most once an epoch.
    ///
    /// # Errors
    /// More draws than there are weights above 0.
    #[track_caller]
    pub fn without_replacement(mut self) -> Result<Self> {
        self.replacement = false;
        framed("WeightedSampler", self.drawn())
    }

    fn drawn(self) -> Result<Self> {
        if self.samples == 0 {
            return Err(Error::value("an epoch needs at least one sample"));
        }
        if !self.replacement && self.samples > self.drawable {
            let text = format!(
                "{} draws without replacement, and {} samples have a weight above 0",
                self.samples, self.drawable
            );
            return Err(Error::value(text).help("`.samples(n)` draws fewer"));
        }
        Ok(self)
    }
}

impl Sampler for WeightedSampler {
    fn order(&self, _samples: usize, epoch: usize) -> Vec<usize> {
        let key = self.key.fold(epoch as u64);
        let mut tree = self.tree.clone();
        let mut draw = |i| {
            let leaf = descend(&tree, uniform_f64(key, i));
            if !self.replacement {
                remove(&mut tree, leaf);
            }
            leaf - tree.len() / 2
        };
        (0..self.samples as u64).map(&mut draw).collect()
    }

    fn len(&self, _samples: usize) -> usize {
        self.samples
    }

    fn check(&self, samples: usize) -> Result<()> {
        one_each("weights", self.weights, samples)
    }
}

/// A binary tree in an array: node `i` is the sum of nodes `2i` and `2i + 1`, and the second half are the weights.
fn sums(weights: &[f64]) -> Vec<f64> {
    let leaves = weights.len().next_power_of_two();
    let mut tree = vec![0.0; leaves];
    tree.extend_from_slice(weights);
    tree.resize(2 * leaves, 0.0);
    (1..leaves).rev().for_each(|node| add_children(&mut tree, node));
    tree
}

fn at(tree: &[f64], node: usize) -> f64 {
    tree.get(node).copied().unwrap_or(0.0)
}

fn add_children(tree: &mut [f64], node: usize) {
    let sum = at(tree, 2 * node) + at(tree, 2 * node + 1);
    if let Some(place) = tree.get_mut(node) {
        *place = sum;
    }
}

/// The leaf at a fraction of the sum of all weights. Its weight is above 0, whatever was rounded on the way.
fn descend(tree: &[f64], fraction: f64) -> usize {
    let mut rest = fraction * at(tree, 1);
    let mut node = 1;
    while 2 * node < tree.len() {
        let (left, right) = (at(tree, 2 * node), at(tree, 2 * node + 1));
        let goes_right = left <= 0.0 || (rest >= left && right > 0.0);
        rest -= if goes_right { left } else { 0.0 };
        node = 2 * node + usize::from(goes_right);
    }
    node
}

/// Sets a leaf to 0. The sums above are added anew: a difference would leave a rest of rounding behind.
fn remove(tree: &mut [f64], leaf: usize) {
    if let Some(weight) = tree.get_mut(leaf) {
        *weight = 0.0;
    }
    let mut node = leaf / 2;
    while node > 0 {
        add_children(tree, node);
        node /= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_the_weights() {
        for n in [1, 2, 3, 5, 8, 13] {
            let weights: Vec<f64> = (0..n).map(|i| if i % 3 == 1 { 0.0 } else { (i + 1) as f64 }).collect();
            let total: f64 = weights.iter().sum();
            let draws = 20_000;
            let sampler = WeightedSampler::new(&weights, 3).unwrap().samples(draws).unwrap();
            let mut counts = vec![0usize; n];
            sampler.order(n, 5).iter().for_each(|&index| counts[index] += 1);
            for (count, weight) in counts.iter().zip(&weights) {
                let p = weight / total;
                let slack = 5.0 * (draws as f64 * p * (1.0 - p)).sqrt();
                assert!((*count as f64 - draws as f64 * p).abs() <= slack, "{counts:?} for {weights:?}");
            }
        }
    }

    #[test]
    fn without_replacement_every_sample_of_weight_comes_once() {
        let weights: Vec<f64> = (0..100).map(|i| if i % 4 == 0 { 0.0 } else { 10f64.powi(i % 30 - 15) }).collect();
        let sampler = WeightedSampler::new(&weights, 1).unwrap().samples(75).unwrap().without_replacement().unwrap();
        let mut order = sampler.order(100, 0);
        assert_ne!(order, sampler.order(100, 1));
        order.sort_unstable();
        assert_eq!(order, (0..100).filter(|i| i % 4 != 0).collect::<Vec<_>>());
        // The heavy ones come first nearly always: the first draw of many epochs.
        let first: Vec<usize> = (0..200).map(|epoch| sampler.order(100, epoch)[0]).collect();
        assert!(first.iter().filter(|&&i| weights[i] >= 1e12).count() > 190, "{first:?}");
    }

    #[test]
    fn bad_weights_are_refused() {
        for bad in [vec![], vec![0.0, 0.0], vec![1.0, -1.0], vec![f64::NAN], vec![f64::INFINITY], vec![f64::MAX; 2]] {
            assert!(WeightedSampler::new(&bad, 1).is_err(), "{bad:?}");
        }
        let sampler = WeightedSampler::new([1.0, 0.0], 1).unwrap();
        assert!(sampler.clone().without_replacement().is_err());
        assert!(sampler.clone().samples(0).is_err());
        assert!(sampler.check(3).unwrap_err().to_string().contains("2 weights for 3 samples"));
    }
}
