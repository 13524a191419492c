//! Changes the colours of images at random.

use super::{Transform, between, floats, image};
use crate::explain::framed;
use wengert_autograd::Apply;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Key;
use wengert_tensor::tensor::Tensor;

/// Changes brightness, contrast and saturation of each image by factors drawn at random; torchvision's `ColorJitter`,
/// without hue and always in this order.
///
/// A strength `s` draws a factor from `[max(0, 1 − s), 1 + s)`. Brightness multiplies; contrast blends with the mean of the
/// gray image; saturation blends with the gray image, `0.2989 R + 0.587 G + 0.114 B`. Values are floats in `[0, 1]` and
/// stay there.
///
/// ```
/// use wengert_nn::data::transform::{Transform, color::ColorJitter};
/// use wengert_tensor::{random::Key, tensor::Tensor};
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let images = Tensor::full([1, 3, 2, 2], 0.5f32)?;
/// let y = ColorJitter::new().brightness(0.4).apply(&images, &[Key::new(1)])?;
/// assert!(y.to_vec::<f32>()?.iter().all(|value| (0.3..0.7).contains(value)));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ColorJitter {
    brightness: f64,
    contrast: f64,
    saturation: f64,
}

/// The weights of red, green and blue in gray, as torchvision has them.
const GRAY: [f64; 3] = [0.2989, 0.587, 0.114];

impl ColorJitter {
    /// Changes nothing yet.
    pub fn new() -> ColorJitter {
        ColorJitter::default()
    }

    /// The strength of the change of brightness.
    #[must_use]
    pub fn brightness(mut self, strength: f64) -> Self {
        self.brightness = strength;
        self
    }

    /// The strength of the change of contrast.
    #[must_use]
    pub fn contrast(mut self, strength: f64) -> Self {
        self.contrast = strength;
        self
    }

    /// The strength of the change of saturation; of images of one channel nothing changes.
    #[must_use]
    pub fn saturation(mut self, strength: f64) -> Self {
        self.saturation = strength;
        self
    }

    fn changed(&self, batch: &Tensor, keys: &[Key]) -> Result<Tensor> {
        let strengths = [self.brightness, self.contrast, self.saturation];
        if let Some(strength) = strengths.iter().find(|strength| !(strength.is_finite() && **strength >= 0.0)) {
            return Err(Error::value(format!("a strength of {strength}")));
        }
        let factors = |strength: f64, draw: u64| -> Vec<f64> {
            keys.iter().map(|&key| between(key, draw, (1.0 - strength).max(0.0), 1.0 + strength)).collect()
        };
        let [samples, channels, ..] = image(batch)?;
        floats("ColorJitter", batch)?;
        if samples != keys.len() {
            return Err(Error::data(format!("{} keys for {samples} samples", keys.len())));
        }
        let mut y = batch.clone();
        if self.brightness > 0.0 {
            y = adjust_brightness(&y, &factors(self.brightness, 0))?;
        }
        if self.contrast > 0.0 {
            y = adjust_contrast(&y, &factors(self.contrast, 1))?;
        }
        if self.saturation > 0.0 && channels != 1 {
            y = adjust_saturation(&y, &factors(self.saturation, 2))?;
        }
        Ok(y)
    }
}

/// Images `[samples, channels, height, width]` of floats in `[0, 1]`, each times its factor.
///
/// # Errors
/// What are no such images, or another number of factors.
#[track_caller]
pub fn adjust_brightness(images: &Tensor, factors: &[f64]) -> Result<Tensor> {
    let brighter = |factors: Tensor| images.apply(|x| (x * &factors).clamp(0.0, 1.0));
    framed("adjust_brightness", each_its(images, factors).and_then(brighter))
}

/// Images of one or three channels, blended with the mean of their gray image: 0 is a gray area, 1 changes nothing.
///
/// # Errors
/// What are no such images, or another number of factors.
#[track_caller]
pub fn adjust_contrast(images: &Tensor, factors: &[f64]) -> Result<Tensor> {
    framed("adjust_contrast", with_contrast(images, factors))
}

fn with_contrast(images: &Tensor, factors: &[f64]) -> Result<Tensor> {
    let (factors, weights) = (each_its(images, factors)?, gray_weights(images)?);
    images.apply(|x| {
        let factors = x.tape().input(&factors);
        let mean = (x * &weights).sum_keep(1).mean_keep([-3, -2, -1]);
        (x * factors + mean * (1.0 - factors)).clamp(0.0, 1.0)
    })
}

/// Images of one or three channels, blended with their gray image: 0 is gray, 1 changes nothing.
///
/// # Errors
/// What are no such images, or another number of factors.
#[track_caller]
pub fn adjust_saturation(images: &Tensor, factors: &[f64]) -> Result<Tensor> {
    framed("adjust_saturation", with_saturation(images, factors))
}

fn with_saturation(images: &Tensor, factors: &[f64]) -> Result<Tensor> {
    let (factors, weights) = (each_its(images, factors)?, gray_weights(images)?);
    images.apply(|x| {
        let factors = x.tape().input(&factors);
        let gray = (x * &weights).sum_keep(1);
        (x * factors + gray * (1.0 - factors)).clamp(0.0, 1.0)
    })
}

/// A factor for each image, `[samples, 1, 1, 1]`.
fn each_its(images: &Tensor, factors: &[f64]) -> Result<Tensor> {
    let [samples, ..] = image(images)?;
    floats("ColorJitter", images)?;
    match samples == factors.len() {
        true => Tensor::new(factors, [samples, 1, 1, 1])?.cast(images.dtype()),
        false => Err(Error::data(format!("{} factors for {samples} samples", factors.len()))),
    }
}

/// What each channel is in gray, `[channels, 1, 1]`.
fn gray_weights(images: &Tensor) -> Result<Tensor> {
    let [_, channels, ..] = image(images)?;
    let weights = match channels {
        1 => Tensor::new([1.0f64], [1, 1, 1]),
        3 => Tensor::new(GRAY, [3, 1, 1]),
        _ => Err(Error::shape(format!("an image of {channels} channels is neither gray nor RGB"))),
    };
    weights?.cast(images.dtype())
}

impl Transform for ColorJitter {
    fn apply(&self, batch: &Tensor, keys: &[Key]) -> Result<Tensor> {
        self.changed(batch, keys).map_err(|error| error.op("ColorJitter"))
    }
}
