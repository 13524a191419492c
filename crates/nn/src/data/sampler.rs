//! In which order the samples of an epoch come.
//!
//! | sampler | an epoch |
//! |---|---|
//! | [`SequentialSampler`](sequential::SequentialSampler) | all samples in their order |
//! | [`RandomSampler`](random::RandomSampler) | all samples shuffled, or some, or with replacement |
//! | [`WeightedSampler`](weighted::WeightedSampler) | drawn in proportion to weights |
//! | [`BalancedSampler`](balanced::BalancedSampler) | drawn so that every class comes equally often |
//! | [`LengthBuckets`](buckets::LengthBuckets) | so that samples of about the same length share a batch |

pub mod balanced;
pub mod buckets;
pub mod random;
pub mod sequential;
pub mod weighted;

use std::fmt::Debug;
use std::sync::Arc;
use wengert_tensor::error::{Error, Result};

/// An order for every epoch, as a function of the epoch's number alone: a run can be repeated and resumed.
///
/// ```
/// use wengert_nn::data::loader::DataLoader;
/// use wengert_nn::data::sampler::Sampler;
/// use wengert_tensor::tensor::Tensor;
///
/// #[derive(Debug)]
/// struct Backwards;
///
/// impl Sampler for Backwards {
///     fn order(&self, samples: usize, _epoch: usize) -> Vec<usize> {
///         (0..samples).rev().collect()
///     }
/// }
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let loader = DataLoader::new(Tensor::from([1.0f32, 2.0, 3.0]), 2)?.sampler(Backwards)?;
/// assert_eq!(loader.order(0), [2, 1, 0]);
/// # Ok(()) }
/// ```
pub trait Sampler: Debug + Send + Sync {
    /// The indices of an epoch of a data set of `samples`, each below that number.
    fn order(&self, samples: usize, epoch: usize) -> Vec<usize>;

    /// How many indices [`order`](Sampler::order) gives.
    fn len(&self, samples: usize) -> usize {
        samples
    }

    /// That this sampler fits a data set of so many samples.
    ///
    /// # Errors
    /// Weights or labels of another number.
    fn check(&self, samples: usize) -> Result<()> {
        let _ = samples;
        Ok(())
    }
}

impl<S: Sampler + ?Sized> Sampler for Arc<S> {
    fn order(&self, samples: usize, epoch: usize) -> Vec<usize> {
        (**self).order(samples, epoch)
    }

    fn len(&self, samples: usize) -> usize {
        (**self).len(samples)
    }

    fn check(&self, samples: usize) -> Result<()> {
        (**self).check(samples)
    }
}

/// That a list belongs to these samples.
pub(super) fn one_each(what: &str, have: usize, samples: usize) -> Result<()> {
    match have == samples {
        true => Ok(()),
        false => Err(Error::data(format!("{have} {what} for {samples} samples")).help("each sample needs one")),
    }
}
