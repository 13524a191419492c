//! From bytes and labels to floats.

use super::Transform;
use wengert_autograd::Apply;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Key;
use wengert_tensor::tensor::Tensor;

/// Bytes as f32 in `[0, 1]`, other numbers as f32 of the same value; torchvision's `ToTensor` without the turning of axes.
///
/// ```
/// use wengert_nn::data::transform::{Transform, convert::ToFloat};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// assert_eq!(ToFloat.apply(&Tensor::from([0u8, 51, 255]), &[])?.to_vec::<f32>()?, [0.0, 0.2, 1.0]);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ToFloat;

impl Transform for ToFloat {
    fn apply(&self, batch: &Tensor, _keys: &[Key]) -> Result<Tensor> {
        match batch.dtype() {
            DType::U8 => batch.apply(|x| x.cast(DType::F32) / 255.0),
            _ => batch.cast(DType::F32),
        }
    }
}

/// Labels i64 as f32 that are 1 at the label and 0 elsewhere, along a new last axis.
///
/// ```
/// use wengert_nn::data::transform::{Transform, convert::OneHot};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let y = OneHot::new(3).apply(&Tensor::from([2i64, 0]), &[])?;
/// assert_eq!(y.to_vec::<f32>()?, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct OneHot {
    classes: usize,
}

impl OneHot {
    /// Of so many classes.
    pub fn new(classes: usize) -> OneHot {
        OneHot { classes }
    }
}

impl Transform for OneHot {
    fn apply(&self, batch: &Tensor, _keys: &[Key]) -> Result<Tensor> {
        if self.classes == 0 {
            return Err(Error::value("labels of no classes").op("OneHot"));
        }
        batch.apply(|labels| labels.one_hot(self.classes))
    }
}
