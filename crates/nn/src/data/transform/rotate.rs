//! Turns images.

use super::{Transform, between, each, floats, image};
use crate::explain::framed;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Key;
use wengert_tensor::tensor::Tensor;

/// Turns each image by an angle drawn at random, around its middle; torchvision's `RandomRotation` with
/// `InterpolationMode.BILINEAR`. What comes from outside the image is filled with a value; where a point lies partly outside, each part
/// counts by its area, while torchvision weighs the inner part by its area twice.
///
/// ```
/// use wengert_nn::data::transform::{Transform, rotate::RandomRotation};
/// use wengert_tensor::{dtype::DType, random::Key, tensor::Tensor};
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let images = Tensor::ones([2, 1, 9, 9], DType::F32)?;
/// let y = RandomRotation::new(15.0).apply(&images, &[Key::new(1), Key::new(2)])?;
/// assert_eq!(y.shape(), images.shape());
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RandomRotation {
    degrees: f64,
    fill: f64,
}

impl RandomRotation {
    /// By at most so many degrees, to either side.
    pub fn new(degrees: f64) -> RandomRotation {
        RandomRotation { degrees, fill: 0.0 }
    }

    /// What is outside of the image (default 0).
    #[must_use]
    pub fn fill(mut self, value: f64) -> Self {
        self.fill = value;
        self
    }
}

impl Transform for RandomRotation {
    fn apply(&self, batch: &Tensor, keys: &[Key]) -> Result<Tensor> {
        let framed = |error: Error| error.op("RandomRotation");
        image(batch).map_err(framed)?;
        if !(self.degrees.is_finite() && self.degrees >= 0.0) {
            return Err(framed(Error::value(format!("a rotation by up to {} degrees", self.degrees))));
        }
        each(batch, keys, |sample, key| rotate(&sample, between(key, 0, -self.degrees, self.degrees), self.fill))
            .map_err(framed)
    }
}

/// An image `[channels, height, width]` turned around its middle by an angle in degrees, against the clock.
///
/// ```
/// use wengert_nn::data::transform::rotate::rotate;
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let y = rotate(&Tensor::from([[[1.0f32, 2.0], [3.0, 4.0]]]), 90.0, 0.0)?;
/// assert_eq!(y.to_vec::<f32>()?, [2.0, 4.0, 1.0, 3.0]);
/// # Ok(()) }
/// ```
///
/// # Errors
/// What is no image of floats.
#[track_caller]
pub fn rotate(image: &Tensor, degrees: f64, fill: f64) -> Result<Tensor> {
    framed("rotate", rotated(image, degrees, fill))
}

fn rotated(image: &Tensor, degrees: f64, fill: f64) -> Result<Tensor> {
    floats("rotate", image)?;
    let &[_, height, width] = image.shape().dims() else {
        return Err(Error::shape(format!("takes [channels, height, width], not {}", image.shape())).op("rotate"));
    };
    let (sin, cos) = turn(degrees);
    let (middle_y, middle_x) = ((height as f64 - 1.0) / 2.0, (width as f64 - 1.0) / 2.0);
    let values = image.to_f64_vec();
    let mut turned = vec![0.0f64; values.len()];
    if turned.is_empty() {
        return Ok(image.clone());
    }
    for (from, to) in values.chunks(height * width).zip(turned.chunks_mut(height * width)) {
        let at = |y: f64, x: f64| {
            let inside = y >= 0.0 && x >= 0.0 && y < height as f64 && x < width as f64;
            if inside { from.get(y as usize * width + x as usize).copied().unwrap_or(fill) } else { fill }
        };
        for (i, value) in to.iter_mut().enumerate() {
            let (dy, dx) = ((i / width) as f64 - middle_y, (i % width) as f64 - middle_x);
            // Where the value comes from: turned back, the axis of rows pointing down.
            let (y, x) = (middle_y + sin * dx + cos * dy, middle_x + cos * dx - sin * dy);
            let (top, left) = (y.floor(), x.floor());
            let (below, right) = (y - top, x - left);
            let upper = at(top, left) * (1.0 - right) + at(top, left + 1.0) * right;
            let lower = at(top + 1.0, left) * (1.0 - right) + at(top + 1.0, left + 1.0) * right;
            *value = upper * (1.0 - below) + lower * below;
        }
    }
    Tensor::new(turned, image.shape())?.cast(image.dtype())
}

/// Sine and cosine, exact for quarter turns.
fn turn(degrees: f64) -> (f64, f64) {
    let turn = degrees.rem_euclid(360.0);
    match [0.0, 90.0, 180.0, 270.0].iter().position(|quarter| *quarter == turn) {
        Some(0) => (0.0, 1.0),
        Some(1) => (1.0, 0.0),
        Some(2) => (0.0, -1.0),
        Some(_) => (-1.0, 0.0),
        None => turn.to_radians().sin_cos(),
    }
}
