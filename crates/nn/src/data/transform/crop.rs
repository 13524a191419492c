//! Cuts a part out of images.

use super::{Transform, below, each, image};
use wengert_autograd::Apply;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Key;
use wengert_tensor::tensor::Tensor;

/// A part of an image at a place drawn at random, after a border was added; torchvision's `RandomCrop`.
///
/// ```
/// use wengert_nn::data::transform::{Transform, crop::RandomCrop};
/// use wengert_tensor::{dtype::DType, random::Key, tensor::Tensor};
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let images = Tensor::ones([1, 3, 8, 8], DType::F32)?;
/// let y = RandomCrop::new(8, 8).padding(2).apply(&images, &[Key::new(1)])?;
/// assert_eq!(y.shape().dims(), [1, 3, 8, 8]);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RandomCrop {
    height: usize,
    width: usize,
    padding: usize,
    value: f64,
}

impl RandomCrop {
    /// Parts of this size.
    pub fn new(height: usize, width: usize) -> RandomCrop {
        RandomCrop { height, width, padding: 0, value: 0.0 }
    }

    /// Adds a border of so many elements on all sides first.
    #[must_use]
    pub fn padding(mut self, padding: usize) -> Self {
        self.padding = padding;
        self
    }

    /// What the border is made of (default 0).
    #[must_use]
    pub fn value(mut self, value: f64) -> Self {
        self.value = value;
        self
    }
}

impl Transform for RandomCrop {
    fn apply(&self, batch: &Tensor, keys: &[Key]) -> Result<Tensor> {
        let framed = |error: Error| error.op("RandomCrop");
        image(batch).map_err(framed)?;
        let (border, value) = (self.padding, self.value);
        let padded = match border {
            0 => batch.clone(),
            _ => batch.apply(|x| x.pad(-1, border, border, value).pad(-2, border, border, value)).map_err(framed)?,
        };
        let [_, _, height, width] = image(&padded)?;
        let (down, right) = room([height, width], [self.height, self.width]).map_err(framed)?;
        each(&padded, keys, |sample, key| {
            let (top, left) = (below(key, 0, down + 1), below(key, 1, right + 1));
            sample.slice(1, top..top + self.height)?.slice(2, left..left + self.width)
        })
    }
}

/// The part in the middle of an image; torchvision's `CenterCrop`, which rounds to even where the rest is odd.
///
/// ```
/// use wengert_nn::data::transform::{Transform, crop::CenterCrop};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let images = Tensor::arange(16, DType::F32)?.reshape([1, 1, 4, 4])?;
/// assert_eq!(CenterCrop::new(2, 2).apply(&images, &[])?.to_vec::<f32>()?, [5.0, 6.0, 9.0, 10.0]);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CenterCrop {
    height: usize,
    width: usize,
}

impl CenterCrop {
    /// The part of this size.
    pub fn new(height: usize, width: usize) -> CenterCrop {
        CenterCrop { height, width }
    }
}

impl Transform for CenterCrop {
    fn apply(&self, batch: &Tensor, _keys: &[Key]) -> Result<Tensor> {
        let framed = |error: Error| error.op("CenterCrop");
        let [_, _, height, width] = image(batch).map_err(framed)?;
        let (down, right) = room([height, width], [self.height, self.width]).map_err(framed)?;
        let half = |rest: usize| (rest as f64 / 2.0).round_ties_even() as usize;
        let (top, left) = (half(down), half(right));
        batch.slice(2, top..top + self.height)?.slice(3, left..left + self.width)?.contiguous()
    }
}

/// How far a part can move in an image.
fn room(image: [usize; 2], part: [usize; 2]) -> Result<(usize, usize)> {
    let [height, width] = image;
    match (height.checked_sub(part[0]), width.checked_sub(part[1])) {
        (Some(down), Some(right)) if !part.contains(&0) => Ok((down, right)),
        _ => Err(Error::shape(format!("a part of {} × {} out of an image of {height} × {width}", part[0], part[1]))
            .help("`.padding(n)` adds a border")),
    }
}
