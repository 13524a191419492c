//! Some samples of a data set.

use super::dataset::{Dataset, InMemory, out_of_range};
use std::panic::Location;
use wengert_tensor::error::Result;

/// The samples of chosen indices as a data set of their own: a fold of a cross-validation, the first thousand, one class.
/// PyTorch's `Subset`. Nothing is copied before a batch is asked for.
///
/// ```
/// use wengert_nn::data::dataset::Dataset;
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let data = Tensor::from([10.0f32, 11.0, 12.0, 13.0]);
/// let odd = (&data).subset([3, 1])?;
/// assert_eq!(odd.len(), 2);
/// assert_eq!(odd.batch(&[0])?.to_vec::<f32>()?, [13.0]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Subset<D> {
    data: D,
    indices: Vec<usize>,
}

impl<D: Dataset> Subset<D> {
    /// The samples of `indices`, in this order; one may come often.
    ///
    /// # Errors
    /// An index that is not below the length of `data`.
    #[track_caller]
    pub fn new(data: D, indices: impl Into<Vec<usize>>) -> Result<Subset<D>> {
        let (indices, samples) = (indices.into(), data.len());
        match indices.iter().find(|&&index| index >= samples) {
            Some(&index) => Err(out_of_range(index, samples).op("Subset").at(Location::caller())),
            None => Ok(Subset { data, indices }),
        }
    }

    /// The indices in the whole data set.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    fn inner(&self, indices: &[usize]) -> Result<Vec<usize>> {
        let inner =
            |&index: &usize| self.indices.get(index).copied().ok_or_else(|| out_of_range(index, self.indices.len()));
        indices.iter().map(inner).collect()
    }
}

impl<D: Dataset> Dataset for Subset<D> {
    type Batch = D::Batch;

    fn len(&self) -> usize {
        self.indices.len()
    }

    fn batch(&self, indices: &[usize]) -> Result<D::Batch> {
        self.data.batch(&self.inner(indices)?)
    }

    fn batch_in(&self, epoch: usize, indices: &[usize]) -> Result<D::Batch> {
        self.data.batch_in(epoch, &self.inner(indices)?)
    }

    fn check(&self) -> Result<()> {
        self.data.check()
    }
}

impl<D: InMemory> InMemory for Subset<D> {}
