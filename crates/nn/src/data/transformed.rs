//! A data set whose inputs go through a transform.

use super::dataset::{Dataset, counted};
use super::transform::Transform;
use super::transform::mix::Mix;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Key;
use wengert_tensor::tensor::Tensor;

/// A batch that has inputs: a tensor, or a tuple that begins with one.
pub trait Inputs: Sized {
    /// The same batch with other inputs.
    ///
    /// # Errors
    /// That of `f`.
    fn map_inputs(self, f: impl FnOnce(Tensor) -> Result<Tensor>) -> Result<Self>;
}

impl Inputs for Tensor {
    fn map_inputs(self, f: impl FnOnce(Tensor) -> Result<Tensor>) -> Result<Self> {
        f(self)
    }
}

impl<Y> Inputs for (Tensor, Y) {
    fn map_inputs(self, f: impl FnOnce(Tensor) -> Result<Tensor>) -> Result<Self> {
        Ok((f(self.0)?, self.1))
    }
}

impl<Y, Z> Inputs for (Tensor, Y, Z) {
    fn map_inputs(self, f: impl FnOnce(Tensor) -> Result<Tensor>) -> Result<Self> {
        Ok((f(self.0)?, self.1, self.2))
    }
}

impl<Y, Z, W> Inputs for (Tensor, Y, Z, W) {
    fn map_inputs(self, f: impl FnOnce(Tensor) -> Result<Tensor>) -> Result<Self> {
        Ok((f(self.0)?, self.1, self.2, self.3))
    }
}

/// Changes the inputs of every batch by a [`Transform`].
///
/// What is random follows from the seed, the epoch and the number of the sample: the same whatever batch a sample is in,
/// and whichever thread makes it; another one in every epoch. A sample that a sampler draws twice in one epoch is changed
/// in the same way twice.
///
/// ```
/// use wengert_nn::data::dataset::Dataset;
/// use wengert_nn::data::transform::noise::GaussianNoise;
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let data = (Tensor::zeros([10, 4], DType::F32)?, Tensor::zeros([10], DType::I64)?);
/// let noisy = data.transformed(GaussianNoise::new(0.1)).seed(7);
/// let (a, b) = (noisy.batch_in(0, &[3, 5])?.0, noisy.batch_in(0, &[5])?.0);
/// assert!(a.slice(0, 1..)?.equals(&b));
/// assert!(!b.equals(&noisy.batch_in(1, &[5])?.0));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Transformed<D, T> {
    data: D,
    transform: T,
    key: Key,
}

impl<D: Dataset, T> Transformed<D, T> {
    /// The inputs of `data` through `transform`.
    pub fn new(data: D, transform: T) -> Transformed<D, T> {
        Transformed { data, transform, key: Key::new(0) }
    }

    /// From what all that is random follows (a number, a `Seed` or a `Key`; default 0).
    #[must_use]
    pub fn seed(mut self, seed: impl Into<Key>) -> Self {
        self.key = seed.into();
        self
    }
}

impl<D: Dataset, T: Transform> Dataset for Transformed<D, T>
where
    D::Batch: Inputs,
{
    type Batch = D::Batch;

    fn len(&self) -> usize {
        self.data.len()
    }

    /// The samples as they are in epoch 0.
    fn batch(&self, indices: &[usize]) -> Result<D::Batch> {
        self.batch_in(0, indices)
    }

    fn batch_in(&self, epoch: usize, indices: &[usize]) -> Result<D::Batch> {
        let key = self.key.fold(epoch as u64);
        let keys: Vec<Key> = indices.iter().map(|&index| key.fold(index as u64)).collect();
        self.data.batch_in(epoch, indices)?.map_inputs(|inputs| {
            let have = inputs.shape().first().copied().unwrap_or(0);
            if have != keys.len() {
                return Err(Error::data(format!("{} for {}", counted(have, "row"), counted(keys.len(), "sample"))));
            }
            self.transform.apply(&inputs, &keys)
        })
    }

    fn check(&self) -> Result<()> {
        self.data.check()
    }
}

/// Mixes the samples of every batch with each other, their targets too, by a [`Mix`].
///
/// What is random follows from the seed, the epoch and the samples of the batch.
///
/// ```
/// use wengert_nn::data::dataset::Dataset;
/// use wengert_nn::data::transform::mix::Mixup;
/// use wengert_nn::data::transformed::Mixed;
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let data = (Tensor::zeros([4, 2], DType::F32)?, Tensor::from([0i64, 1, 2, 0]));
/// let (_, targets) = Mixed::new(data, Mixup::new(0.2).classes(3)).batch(&[0, 1, 2])?;
/// assert_eq!(targets.shape().dims(), [3, 3]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Mixed<D, M> {
    data: D,
    mix: M,
    key: Key,
}

impl<D, M> Mixed<D, M> {
    /// The batches of `data` through `mix`.
    pub fn new(data: D, mix: M) -> Mixed<D, M> {
        Mixed { data, mix, key: Key::new(0) }
    }

    /// From what all that is random follows (a number, a `Seed` or a `Key`; default 0).
    #[must_use]
    pub fn seed(mut self, seed: impl Into<Key>) -> Self {
        self.key = seed.into();
        self
    }
}

impl<D: Dataset<Batch = (Tensor, Tensor)>, M: Mix> Dataset for Mixed<D, M> {
    type Batch = (Tensor, Tensor);

    fn len(&self) -> usize {
        self.data.len()
    }

    /// The batch as it is in epoch 0.
    fn batch(&self, indices: &[usize]) -> Result<Self::Batch> {
        self.batch_in(0, indices)
    }

    fn batch_in(&self, epoch: usize, indices: &[usize]) -> Result<Self::Batch> {
        let key = indices.iter().fold(self.key.fold(epoch as u64), |key, &index| key.fold(index as u64));
        let (inputs, targets) = self.data.batch_in(epoch, indices)?;
        self.mix.mix(&inputs, &targets, key)
    }

    fn check(&self) -> Result<()> {
        self.data.check()
    }
}
