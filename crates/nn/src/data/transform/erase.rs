//! Erases a rectangle of images at random.

use super::{Transform, below, between, image, probability};
use wengert_autograd::Apply;
use wengert_tensor::dtype::Scalar;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::{Key, uniform_f64};
use wengert_tensor::tensor::Tensor;

/// Replaces a rectangle of an image by a value (Zhong et al. 2017); torchvision's `RandomErasing`. [`square`](Self::square)
/// is Cutout (DeVries and Taylor 2017).
///
/// The area is drawn from 2 % to 33 % of the image, the ratio of the sides from 0.3 to 3.3, evenly in its logarithm.
///
/// ```
/// use wengert_nn::data::transform::{Transform, erase::RandomErasing};
/// use wengert_tensor::{dtype::DType, random::Key, tensor::Tensor};
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let images = Tensor::ones([1, 3, 16, 16], DType::F32)?;
/// let y = RandomErasing::new().probability(1.0).apply(&images, &[Key::new(1)])?;
/// let erased = y.to_vec::<f32>()?.iter().filter(|value| **value == 0.0).count() as f64 / 768.0;
/// assert!((0.01..0.4).contains(&erased));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RandomErasing {
    p: f64,
    area: (f64, f64),
    ratio: (f64, f64),
    side: Option<usize>,
    value: f64,
}

impl Default for RandomErasing {
    fn default() -> RandomErasing {
        RandomErasing::new()
    }
}

impl RandomErasing {
    /// Every second image, with 0.
    pub fn new() -> RandomErasing {
        RandomErasing { p: 0.5, area: (0.02, 0.33), ratio: (0.3, 3.3), side: None, value: 0.0 }
    }

    /// How likely a rectangle is erased (default 0.5).
    #[must_use]
    pub fn probability(mut self, p: f64) -> Self {
        self.p = p;
        self
    }

    /// The least and the greatest part of the image that is erased (default 0.02 and 0.33).
    #[must_use]
    pub fn area(mut self, low: f64, high: f64) -> Self {
        self.area = (low, high);
        self
    }

    /// A square of this side around a point anywhere in the image, cut off at its edges.
    #[must_use]
    pub fn square(mut self, side: usize) -> Self {
        self.side = Some(side);
        self
    }

    /// What is put in its place (default 0).
    #[must_use]
    pub fn value(mut self, value: f64) -> Self {
        self.value = value;
        self
    }

    /// Top, bottom, left and right of what is erased.
    fn rectangle(&self, [height, width]: [usize; 2], key: Key) -> Option<[usize; 4]> {
        if uniform_f64(key, 0) >= self.p {
            return None;
        }
        if let Some(side) = self.side {
            let (row, column) = (below(key, 1, height), below(key, 2, width));
            let span = |center: usize, end: usize| {
                let start = center.saturating_sub(side / 2);
                (start, (center + side - side / 2).min(end))
            };
            let ((top, bottom), (left, right)) = (span(row, height), span(column, width));
            return Some([top, bottom, left, right]);
        }
        // A rectangle that is longer than the image is drawn again, ten times as there.
        (0..10).find_map(|trial| {
            let draw = |i: u64| 1 + 4 * trial + i;
            let area = (height * width) as f64 * between(key, draw(0), self.area.0, self.area.1);
            let ratio = between(key, draw(1), self.ratio.0.ln(), self.ratio.1.ln()).exp();
            let (h, w) = ((area * ratio).sqrt().round() as usize, (area / ratio).sqrt().round() as usize);
            let fits = h > 0 && w > 0 && h < height && w < width;
            fits.then(|| {
                let (top, left) = (below(key, draw(2), height - h + 1), below(key, draw(3), width - w + 1));
                [top, top + h, left, left + w]
            })
        })
    }
}

impl Transform for RandomErasing {
    fn apply(&self, batch: &Tensor, keys: &[Key]) -> Result<Tensor> {
        let framed = |error: Error| error.op("RandomErasing");
        probability("RandomErasing", self.p)?;
        let [samples, _, height, width] = image(batch).map_err(framed)?;
        if samples != keys.len() {
            return Err(framed(Error::data(format!("{} keys for {samples} samples", keys.len()))));
        }
        if !(self.area.0 > 0.0 && self.area.0 <= self.area.1 && self.area.1 <= 1.0) {
            return Err(framed(Error::value(format!("a part from {} to {} of the image", self.area.0, self.area.1))));
        }
        let mut erased = vec![false; samples * height * width];
        if erased.is_empty() {
            return Ok(batch.clone());
        }
        for (mask, &key) in erased.chunks_mut(height * width).zip(keys) {
            let Some([top, bottom, left, right]) = self.rectangle([height, width], key) else {
                continue;
            };
            for row in mask.chunks_mut(width).take(bottom).skip(top) {
                row.iter_mut().take(right).skip(left).for_each(|place| *place = true);
            }
        }
        let erased = Tensor::new(erased, [samples, 1, height, width])?;
        let value = Tensor::full(batch.shape(), Scalar::new(batch.dtype(), self.value))?;
        batch.apply(|x| x.tape().input(&value).select(&erased, x)).map_err(framed)
    }
}
