//! Pixel shuffling: channels become elements.

use wengert_autograd::Var;

use super::case::Case;
use crate::layer::Layer;
use crate::module::Module;

/// Every r² channels as r × r elements of one: `[batch, C · r², H, W]` becomes `[batch, C, H · r, W · r]`. PyTorch's
/// `PixelShuffle`; Shi et al. 2016. See [`Var::pixel_shuffle`].
///
/// ```
/// use wengert_nn::{layer::Layer, layers::pixel_shuffle::PixelShuffle};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let images = Tensor::zeros([1, 8, 5, 7], DType::F32)?;
/// assert_eq!(PixelShuffle::new(2).predict(&images)?.shape().dims(), [1, 2, 10, 14]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct PixelShuffle {
    #[module(skip)]
    factor: usize,
}

impl PixelShuffle {
    /// With this r.
    pub fn new(factor: usize) -> PixelShuffle {
        PixelShuffle { factor }
    }
}

impl Layer for PixelShuffle {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        x.pixel_shuffle(self.factor)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("pixel_shuffle", "two", PixelShuffle::new(2), [&[2, 4, 2, 3], &[2, 1, 4, 6]], &[])]
}
