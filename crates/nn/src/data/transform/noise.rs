//! Adds noise.

use super::{Transform, floats};
use wengert_autograd::Apply;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Key;
use wengert_tensor::tensor::Tensor;

/// Adds normal numbers of mean 0 and a deviation to every element; torchvision's `GaussianNoise` without clipping.
///
/// ```
/// use wengert_nn::data::transform::{Transform, noise::GaussianNoise};
/// use wengert_tensor::{dtype::DType, random::Key, tensor::Tensor};
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let y = GaussianNoise::new(0.1).apply(&Tensor::zeros([1, 1000], DType::F32)?, &[Key::new(1)])?;
/// let mean = y.to_f64_vec().iter().map(|value| value * value).sum::<f64>() / 1000.0;
/// assert!((mean.sqrt() - 0.1).abs() < 0.01);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct GaussianNoise {
    deviation: f64,
}

impl GaussianNoise {
    /// Noise of this standard deviation.
    pub fn new(deviation: f64) -> GaussianNoise {
        GaussianNoise { deviation }
    }
}

impl Transform for GaussianNoise {
    fn apply(&self, batch: &Tensor, keys: &[Key]) -> Result<Tensor> {
        floats("GaussianNoise", batch)?;
        if !(self.deviation.is_finite() && self.deviation >= 0.0) {
            return Err(Error::value(format!("a deviation of {}", self.deviation)).op("GaussianNoise"));
        }
        let noise = super::each(batch, keys, |sample, key| Tensor::normal(sample.shape(), batch.dtype(), key))?;
        batch.apply(|x| x + self.deviation * x.tape().input(&noise))
    }
}
