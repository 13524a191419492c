//! Images of another size.

use super::{Transform, floats, image};
use wengert_autograd::{Apply, Resize};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Key;
use wengert_tensor::tensor::Tensor;

/// Images in one size, between elements linear in both axes; torchvision's `Resize` without antialiasing.
///
/// ```
/// use wengert_nn::data::transform::{Transform, resize::ResizeImage};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let image = Tensor::from([[[[0.0f32, 4.0]]]]);
/// assert_eq!(ResizeImage::new(1, 4).apply(&image, &[])?.to_vec::<f32>()?, [0.0, 1.0, 3.0, 4.0]);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ResizeImage {
    height: usize,
    width: usize,
    nearest: bool,
}

impl ResizeImage {
    /// To this size.
    pub fn new(height: usize, width: usize) -> ResizeImage {
        ResizeImage { height, width, nearest: false }
    }

    /// The nearest element instead: for masks of classes, and for bytes.
    #[must_use]
    pub fn nearest(mut self) -> Self {
        self.nearest = true;
        self
    }
}

impl Transform for ResizeImage {
    fn apply(&self, batch: &Tensor, _keys: &[Key]) -> Result<Tensor> {
        let framed = |error: Error| error.op("ResizeImage");
        image(batch).map_err(framed)?;
        let to = Resize::to([self.height, self.width]);
        if self.nearest {
            return batch.apply(|x| x.interpolate(to.nearest())).map_err(framed);
        }
        floats("ResizeImage", batch)?;
        batch.apply(|x| x.interpolate(to.linear())).map_err(framed)
    }
}
