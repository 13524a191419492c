//! Sample after sample.

use super::Sampler;

/// All samples in the order of the data; the default of a loader.
#[derive(Clone, Copy, Debug, Default)]
pub struct SequentialSampler;

impl Sampler for SequentialSampler {
    fn order(&self, samples: usize, _epoch: usize) -> Vec<usize> {
        (0..samples).collect()
    }
}
