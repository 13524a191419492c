//! One transform after another.

use super::Transform;
use wengert_tensor::error::Result;
use wengert_tensor::random::{Key, uniform_f64};
use wengert_tensor::tensor::Tensor;

/// Transforms in a row; torchvision's `Compose`. Each draws from keys of its own.
///
/// ```
/// use wengert_nn::data::transform::compose::Compose;
/// use wengert_nn::data::transform::{Transform, convert::ToFloat, crop::RandomCrop, flip::RandomFlip};
/// use wengert_tensor::{dtype::DType, random::Key, tensor::Tensor};
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let augment = Compose::new().then(ToFloat).then(RandomCrop::new(32, 32).padding(4)).then(RandomFlip::horizontal());
/// let images = Tensor::zeros([2, 3, 32, 32], DType::U8)?;
/// assert_eq!(augment.apply(&images, &[Key::new(1), Key::new(2)])?.dtype(), DType::F32);
/// # Ok(()) }
/// ```
#[derive(Debug, Default)]
pub struct Compose(Vec<Box<dyn Transform>>);

impl Compose {
    /// Changes nothing yet.
    pub fn new() -> Compose {
        Compose::default()
    }

    /// And then this one.
    #[must_use]
    pub fn then(mut self, transform: impl Transform + 'static) -> Self {
        self.0.push(Box::new(transform));
        self
    }
}

impl Transform for Compose {
    fn apply(&self, batch: &Tensor, keys: &[Key]) -> Result<Tensor> {
        let mut batch = batch.clone();
        for (at, transform) in self.0.iter().enumerate() {
            let keys: Vec<Key> = keys.iter().map(|key| key.fold(at as u64)).collect();
            batch = transform.apply(&batch, &keys)?;
        }
        Ok(batch)
    }
}

/// A transform of some samples, drawn with a probability; torchvision's `RandomApply`. It must keep the shape.
///
/// ```
/// use wengert_nn::data::transform::compose::RandomApply;
/// use wengert_nn::data::transform::{Transform, noise::GaussianNoise};
/// use wengert_tensor::{dtype::DType, random::Key, tensor::Tensor};
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let batch = Tensor::zeros([2, 3], DType::F32)?;
/// let never = RandomApply::new(0.0, GaussianNoise::new(1.0)).apply(&batch, &[Key::new(1), Key::new(2)])?;
/// assert!(never.equals(&batch));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct RandomApply<T> {
    p: f64,
    transform: T,
}

impl<T: Transform> RandomApply<T> {
    /// The transform with probability `p`.
    pub fn new(p: f64, transform: T) -> RandomApply<T> {
        RandomApply { p, transform }
    }
}

impl<T: Transform> Transform for RandomApply<T> {
    fn apply(&self, batch: &Tensor, keys: &[Key]) -> Result<Tensor> {
        super::probability("RandomApply", self.p)?;
        super::each(batch, keys, |sample, key| {
            if uniform_f64(key.fold(0), 0) >= self.p {
                return Ok(sample);
            }
            self.transform.apply(&sample.unsqueeze(0)?, &[key.fold(1)])?.select(0, 0)
        })
    }
}
