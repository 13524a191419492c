//! Samples in random order.

use super::Sampler;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::{Key, permutation, uniform_f64};

/// All samples in an order that follows from the seed and the epoch; PyTorch's `RandomSampler`.
///
/// ```
/// use wengert_nn::data::sampler::{Sampler, random::RandomSampler};
///
/// let few = RandomSampler::new(7).samples(3);
/// assert_eq!(few.order(100, 0).len(), 3);
/// assert_ne!(few.order(100, 0), few.order(100, 1));
/// let drawn = RandomSampler::new(7).replacement(true).samples(1000);
/// assert!(drawn.order(2, 0).iter().all(|&index| index < 2));
/// ```
#[derive(Clone, Debug)]
pub struct RandomSampler {
    key: Key,
    samples: Option<usize>,
    replacement: bool,
}

impl RandomSampler {
    /// Every sample once an epoch, by a number, a `Seed` or a `Key`.
    pub fn new(seed: impl Into<Key>) -> RandomSampler {
        RandomSampler { key: seed.into(), samples: None, replacement: false }
    }

    /// So many samples an epoch (default: as many as there are).
    #[must_use]
    pub fn samples(mut self, samples: usize) -> Self {
        self.samples = Some(samples);
        self
    }

    /// Whether a sample may come again in the same epoch (default: no).
    #[must_use]
    pub fn replacement(mut self, replacement: bool) -> Self {
        self.replacement = replacement;
        self
    }
}

impl Sampler for RandomSampler {
    fn order(&self, samples: usize, epoch: usize) -> Vec<usize> {
        let (key, count) = (self.key.fold(epoch as u64), self.len(samples));
        if self.replacement {
            // Rounding may reach the end of the range, which is no sample.
            let last = samples.saturating_sub(1);
            let draw = |i| ((uniform_f64(key, i as u64) * samples as f64) as usize).min(last);
            return (0..count).map(draw).collect();
        }
        let mut order = permutation(key, samples);
        order.truncate(count);
        order
    }

    fn len(&self, samples: usize) -> usize {
        self.samples.unwrap_or(samples)
    }

    fn check(&self, samples: usize) -> Result<()> {
        match self.samples {
            Some(0) => Err(Error::value("an epoch needs at least one sample")),
            Some(wanted) if wanted > samples && !self.replacement => {
                Err(Error::value(format!("{wanted} of {samples} samples cannot be drawn without replacement"))
                    .help("`.replacement(true)` lets a sample come again"))
            }
            _ => Ok(()),
        }
    }
}
