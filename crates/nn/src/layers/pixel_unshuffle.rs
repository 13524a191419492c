//! The inverse of pixel shuffling: elements become channels.

use wengert_autograd::Var;

use super::case::Case;
use crate::layer::Layer;
use crate::module::Module;

/// Every r × r elements as r² channels of one: `[batch, C, H · r, W · r]` becomes `[batch, C · r², H, W]`. The inverse of
/// [`PixelShuffle`](super::pixel_shuffle::PixelShuffle) and PyTorch's `PixelUnshuffle`; see [`Var::pixel_unshuffle`].
///
/// ```
/// use wengert_nn::{layer::Layer, layers::pixel_unshuffle::PixelUnshuffle};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let images = Tensor::zeros([1, 2, 10, 14], DType::F32)?;
/// assert_eq!(PixelUnshuffle::new(2).predict(&images)?.shape().dims(), [1, 8, 5, 7]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct PixelUnshuffle {
    #[module(skip)]
    factor: usize,
}

impl PixelUnshuffle {
    /// With this r.
    pub fn new(factor: usize) -> PixelUnshuffle {
        PixelUnshuffle { factor }
    }
}

impl Layer for PixelUnshuffle {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        x.pixel_unshuffle(self.factor)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("pixel_unshuffle", "two", PixelUnshuffle::new(2), [&[2, 1, 4, 6], &[2, 4, 2, 3]], &[])]
}

#[cfg(test)]
mod tests {
    use wengert_tensor::dtype::DType;
    use wengert_tensor::error::Result;
    use wengert_tensor::tensor::Tensor;

    use super::*;

    #[test]
    fn sizes_are_multiples() -> Result<()> {
        for factor in [0, 3] {
            let y = PixelUnshuffle::new(factor).predict(&Tensor::zeros([1, 1, 4, 6], DType::F32)?);
            let text = y.map_or_else(|error| error.to_string(), |_| String::new());
            assert!(text.contains("do not fall into squares of"), "{text}");
        }
        Ok(())
    }
}
