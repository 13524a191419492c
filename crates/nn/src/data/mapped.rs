//! A data set whose batches are a function of another's.

use super::dataset::Dataset;
use wengert_tensor::error::Result;

/// Applies a function to every batch, when it is asked for.
///
/// For a function of one sample at a time, map the list: `samples.into_iter().map(f).collect()`. Random changes that
/// differ in every epoch are a [`Transform`](super::transform::Transform).
///
/// ```
/// use wengert_nn::data::dataset::Dataset;
/// use wengert_tensor::dtype::DType;
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let words = vec!["a", "list", "of", "words"];
/// let lengths = words.mapped(|words| {
///     let lengths: Vec<i64> = words.iter().map(|word| word.len() as i64).collect();
///     Tensor::new(lengths, [words.len()])
/// });
/// assert_eq!(lengths.batch(&[1, 0])?.to_vec::<i64>()?, [4, 1]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Mapped<D, F> {
    data: D,
    f: F,
}

impl<D: Dataset, F> Mapped<D, F> {
    /// The batches of `data` through `f`.
    pub fn new<B>(data: D, f: F) -> Mapped<D, F>
    where
        F: Fn(D::Batch) -> Result<B>,
    {
        Mapped { data, f }
    }
}

impl<D: Dataset, B, F: Fn(D::Batch) -> Result<B>> Dataset for Mapped<D, F> {
    type Batch = B;

    fn len(&self) -> usize {
        self.data.len()
    }

    fn batch(&self, indices: &[usize]) -> Result<B> {
        (self.f)(self.data.batch(indices)?)
    }

    fn batch_in(&self, epoch: usize, indices: &[usize]) -> Result<B> {
        (self.f)(self.data.batch_in(epoch, indices)?)
    }

    fn check(&self) -> Result<()> {
        self.data.check()
    }
}
