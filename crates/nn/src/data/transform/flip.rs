//! Mirrors images at random.

use super::{Transform, each, image, probability};
use wengert_tensor::error::Result;
use wengert_tensor::random::{Key, uniform_f64};
use wengert_tensor::tensor::Tensor;

/// Mirrors an image with a probability; torchvision's `RandomHorizontalFlip` and `RandomVerticalFlip`.
///
/// ```
/// use wengert_nn::data::transform::{Transform, flip::RandomFlip};
/// use wengert_tensor::{random::Key, tensor::Tensor};
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let image = Tensor::from([[[[1.0f32, 2.0], [3.0, 4.0]]]]);
/// let always = RandomFlip::horizontal().probability(1.0);
/// assert_eq!(always.apply(&image, &[Key::new(1)])?.to_vec::<f32>()?, [2.0, 1.0, 4.0, 3.0]);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RandomFlip {
    axis: isize,
    p: f64,
}

impl RandomFlip {
    /// Left and right change places, of every second image.
    pub fn horizontal() -> RandomFlip {
        RandomFlip { axis: -1, p: 0.5 }
    }

    /// Top and bottom change places, of every second image.
    pub fn vertical() -> RandomFlip {
        RandomFlip { axis: -2, p: 0.5 }
    }

    /// How likely an image is mirrored (default 0.5).
    #[must_use]
    pub fn probability(mut self, p: f64) -> Self {
        self.p = p;
        self
    }
}

impl Transform for RandomFlip {
    fn apply(&self, batch: &Tensor, keys: &[Key]) -> Result<Tensor> {
        probability("RandomFlip", self.p)?;
        image(batch).map_err(|error| error.op("RandomFlip"))?;
        each(batch, keys, |sample, key| if uniform_f64(key, 0) < self.p { sample.flip(self.axis) } else { Ok(sample) })
    }
}
