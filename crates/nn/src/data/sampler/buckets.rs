//! Samples of about the same length in one batch.

use super::{Sampler, one_each};
use std::panic::Location;
use std::sync::Arc;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::{Key, permutation};

/// Sorts the order of another sampler by length within pools of many batches, and then shuffles the batches: padding
/// wastes little, and the order is still random.
///
/// Longest first within a pool, so that the largest batch is met early. What does not fill a batch comes last, so the
/// number of batches is that of the plain order.
///
/// ```
/// use wengert_nn::data::sampler::{Sampler, buckets::LengthBuckets};
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let lengths: Vec<usize> = (0..100).map(|i| i * 37 % 100).collect();
/// let order = LengthBuckets::new(lengths.clone(), 10, 7)?.order(100, 0);
/// for batch in order.chunks(10) {
///     let of = |&index: &usize| lengths[index];
///     assert!(batch.iter().map(of).max().unwrap() - batch.iter().map(of).min().unwrap() < 10);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct LengthBuckets {
    lengths: Vec<usize>,
    batch_size: usize,
    pool: usize,
    key: Key,
    inner: Arc<dyn Sampler>,
}

impl LengthBuckets {
    /// The length of every sample, the samples of a batch, and a seed.
    ///
    /// # Errors
    /// A batch size of 0.
    #[track_caller]
    pub fn new(lengths: impl Into<Vec<usize>>, batch_size: usize, seed: impl Into<Key>) -> Result<LengthBuckets> {
        if batch_size == 0 {
            let error = Error::value("a batch needs at least one sample");
            return Err(error.op("LengthBuckets").at(Location::caller()));
        }
        let key = seed.into();
        let inner = Arc::new(super::random::RandomSampler::new(key.fold(ORDER)));
        Ok(LengthBuckets { lengths: lengths.into(), batch_size, pool: 100, key, inner })
    }

    /// How many batches are sorted together (default 100): more waste less, fewer are more random.
    #[must_use]
    pub fn pool(mut self, batches: usize) -> Self {
        self.pool = batches.max(1);
        self
    }

    /// The order that is sorted (default: all samples shuffled).
    #[must_use]
    pub fn of(mut self, sampler: impl Sampler + 'static) -> Self {
        self.inner = Arc::new(sampler);
        self
    }
}

impl Sampler for LengthBuckets {
    fn order(&self, samples: usize, epoch: usize) -> Vec<usize> {
        let mut order = self.inner.order(samples, epoch);
        let length = |index: &usize| self.lengths.get(*index).copied().unwrap_or(0);
        for pool in order.chunks_mut(self.batch_size.saturating_mul(self.pool)) {
            pool.sort_by_key(|index| std::cmp::Reverse(length(index)));
        }
        let full = order.len() / self.batch_size;
        let batch = |at: usize| order.get(at * self.batch_size..(at + 1) * self.batch_size).unwrap_or(&[]);
        let shuffled = permutation(self.key.fold(BATCHES).fold(epoch as u64), full);
        let rest = order.get(full * self.batch_size..).unwrap_or(&[]);
        shuffled.into_iter().flat_map(batch).chain(rest).copied().collect()
    }

    fn len(&self, samples: usize) -> usize {
        self.inner.len(samples)
    }

    fn check(&self, samples: usize) -> Result<()> {
        one_each("lengths", self.lengths.len(), samples)?;
        self.inner.check(samples)
    }
}

/// The streams of the seed.
const ORDER: u64 = 0;
const BATCHES: u64 = 1;

#[cfg(test)]
mod tests {
    use super::super::sequential::SequentialSampler;
    use super::*;

    #[test]
    fn every_sample_comes_once_and_the_rest_last() {
        let lengths: Vec<usize> = (0..103).map(|i| i * 7 % 31).collect();
        let buckets = LengthBuckets::new(lengths, 10, 3).unwrap().pool(4);
        for epoch in 0..3 {
            let mut order = buckets.order(103, epoch);
            assert_ne!(order, buckets.order(103, epoch + 1));
            order.sort_unstable();
            assert_eq!(order, (0..103).collect::<Vec<_>>());
        }
        // The order within a pool is that of the lengths.
        let plain = LengthBuckets::new([3, 1, 2, 9, 5], 2, 3).unwrap().of(SequentialSampler);
        let order = plain.order(5, 0);
        assert_eq!(order[4], 1);
        assert!(order[..4] == [3, 4, 0, 2] || order[..4] == [0, 2, 3, 4], "{order:?}");
        assert!(plain.check(6).is_err() && LengthBuckets::new([1], 0, 1).is_err());
    }
}
