//! A data set whose inputs or targets go through a transform.

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

/// A batch that has targets: a tuple whose second part is a tensor.
pub trait Targets: Sized {
    /// The same batch with other targets.
    ///
    /// # Errors
    /// That of `f`.
    fn map_targets(self, f: impl FnOnce(Tensor) -> Result<Tensor>) -> Result<Self>;
}

impl<X> Targets for (X, Tensor) {
    fn map_targets(self, f: impl FnOnce(Tensor) -> Result<Tensor>) -> Result<Self> {
        Ok((self.0, f(self.1)?))
    }
}

impl<X, Z> Targets for (X, Tensor, Z) {
    fn map_targets(self, f: impl FnOnce(Tensor) -> Result<Tensor>) -> Result<Self> {
        Ok((self.0, f(self.1)?, self.2))
    }
}

/// A data set of which a part of every batch goes through a transform.
macro_rules! transformed {
    ($(#[$doc:meta])* $Name:ident, $part:literal, $Batch:ident, $map:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $Name<D, T> {
            data: D,
            transform: T,
            key: Key,
        }

        impl<D: Dataset, T> $Name<D, T> {
            #[doc = concat!("The ", $part, " of `data` through `transform`.")]
            pub fn new(data: D, transform: T) -> $Name<D, T> {
                $Name { data, transform, key: Key::new(0) }
            }

            /// From what all that is random follows (a number, a `Seed` or a `Key`; default 0).
            #[must_use]
            pub fn seed(mut self, seed: impl Into<Key>) -> Self {
                self.key = seed.into();
                self
            }
        }

        impl<D: Dataset, T: Transform> Dataset for $Name<D, T>
        where
            D::Batch: $Batch,
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
                let batch = self.data.batch_in(epoch, indices)?;
                batch.$map(|rows| changed(&self.transform, &rows, self.key.fold(epoch as u64), indices))
            }

            fn check(&self) -> Result<()> {
                self.data.check()
            }
        }
    };
}

transformed! {
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
    Transformed, "inputs", Inputs, map_inputs
}

transformed! {
    /// Changes the targets of every batch by a [`Transform`], torchvision's `target_transform`: labels to one-hot rows, prices to standard scale.
    ///
    /// ```
    /// use wengert_nn::data::dataset::Dataset;
    /// use wengert_nn::data::transform::{convert::OneHot, scale::StandardScaler};
    /// use wengert_tensor::{dtype::DType, tensor::Tensor};
    ///
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let x = Tensor::zeros([3, 4], DType::F32)?;
    /// let labelled = (x.clone(), Tensor::from([2i64, 0, 1])).targets_transformed(OneHot::new(3));
    /// assert_eq!(labelled.batch(&[0])?.1.to_vec::<f32>()?, [0.0, 0.0, 1.0]);
    ///
    /// let prices = Tensor::from([[100f32], [200.0], [300.0]]);
    /// let scaler = StandardScaler::fit(&prices)?;
    /// let scaled = (x, prices).targets_transformed(scaler.clone());
    /// let (_, y) = scaled.batch(&[1, 2])?;
    /// assert_eq!(scaler.inverse(&y)?.to_vec::<f32>()?, [200.0, 300.0]);
    /// # Ok(()) }
    /// ```
    ///
    /// What is random follows from the seed, the epoch and the number of the sample, as in [`Transformed`].
    TargetsTransformed, "targets", Targets, map_targets
}

/// Rows through a transform, each with the key of its sample.
fn changed(transform: &impl Transform, rows: &Tensor, key: Key, indices: &[usize]) -> Result<Tensor> {
    let have = rows.shape().first().copied().unwrap_or(0);
    if have != indices.len() {
        return Err(Error::data(format!("{} for {}", counted(have, "row"), counted(indices.len(), "sample"))));
    }
    let keys: Vec<Key> = indices.iter().map(|&index| key.fold(index as u64)).collect();
    transform.apply(rows, &keys)
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

#[cfg(test)]
mod tests {
    use super::super::loader::DataLoader;
    use super::super::transform::convert::OneHot;
    use super::super::transform::noise::GaussianNoise;
    use super::*;
    use crate::layers::dense::Dense;
    use crate::losses::cross_entropy::CrossEntropy;
    use crate::optim::sgd::Sgd;
    use crate::train::trainer::Trainer;
    use wengert_tensor::dtype::DType;

    #[test]
    fn targets_change_and_inputs_stay() -> Result<()> {
        let x = Tensor::from_fn([5, 2], |i| i as f32)?;
        let weights = Tensor::from([1f32, 2.0, 3.0, 4.0, 5.0]);
        let data = (x.clone(), Tensor::from([0i64, 1, 2, 1, 0]), weights.clone()).targets_transformed(OneHot::new(3));
        let (inputs, targets, kept) = data.batch(&[4, 2])?;
        assert!(inputs.equals(&x.gather_rows(&[4, 2])?) && kept.equals(&weights.gather_rows(&[4, 2])?));
        assert_eq!(targets.to_vec::<f32>()?, [1.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        // Both sides of a pair, in either order.
        let pair = (x, Tensor::zeros([5, 1], DType::F32)?);
        let noisy = pair.transformed(GaussianNoise::new(0.1)).targets_transformed(GaussianNoise::new(0.1)).seed(3);
        let (a, b) = (noisy.batch_in(1, &[3, 0])?, noisy.batch_in(1, &[0])?);
        assert!(a.0.slice(0, 1..)?.equals(&b.0) && a.1.slice(0, 1..)?.equals(&b.1));
        assert!(!b.1.equals(&noisy.batch_in(2, &[0])?.1));
        Ok(())
    }

    #[test]
    fn a_trainer_and_a_loader_take_it() -> Result<()> {
        let data = (Tensor::from_fn([6, 2], |i| i as f32 / 6.0)?, Tensor::from([0i64, 1, 2, 1, 0, 2]));
        let data = data.targets_transformed(OneHot::new(3));
        let shapes: Result<Vec<usize>> =
            DataLoader::new(&data, 4)?.epoch(0).map(|batch| Ok(batch?.1.shape().dims()[0])).collect();
        assert_eq!(shapes?, [4, 2]);
        let mut trainer = Trainer::new(Sgd::new(0.1), CrossEntropy::new()).epochs(2).verbose(false);
        assert_eq!(trainer.fit(&mut Dense::new(2, 3), &data)?.len(), 2);
        let wrong = (Tensor::zeros([2, 2], DType::F32)?, Tensor::from([0i64, 7])).targets_transformed(OneHot::new(3));
        let error = trainer.fit(&mut Dense::new(2, 3), &wrong).unwrap_err();
        assert!(error.to_string().contains("label 7 at 1"), "{error}");
        Ok(())
    }
}
