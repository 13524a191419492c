//! Adaptive average pooling: images of any size to one size.

use wengert_autograd::{PerAxis, Var};

use super::case::Case;
use crate::layer::Layer;
use crate::module::Module;

/// The mean in each of so many parts of every spatial axis: `[batch, channels, n…]` of any size becomes `[batch, channels, parts…]`. One
/// part is the whole image. Part i of p, along an axis of n, goes from ⌊i · n / p⌋ up to ⌈(i + 1) · n / p⌉, which is left out. PyTorch's
/// `AdaptiveAvgPool1d`, `AdaptiveAvgPool2d` and `AdaptiveAvgPool3d`. See [`Var::adaptive_avg_pool`].
///
/// ```
/// use wengert_nn::{layer::Layer, layers::adaptive_avg_pool::AdaptiveAvgPool};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let images = Tensor::zeros([1, 2, 5, 7], DType::F32)?;
/// assert_eq!(AdaptiveAvgPool::new(1).predict(&images)?.shape().dims(), [1, 2, 1, 1]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Module)]
pub struct AdaptiveAvgPool {
    #[module(skip)]
    parts: PerAxis,
}

impl AdaptiveAvgPool {
    /// So many parts of all axes, or of each.
    pub fn new(parts: impl Into<PerAxis>) -> AdaptiveAvgPool {
        AdaptiveAvgPool { parts: parts.into() }
    }
}

impl Layer for AdaptiveAvgPool {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        x.adaptive_avg_pool(self.parts.clone())
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("adaptive_avg_pool", "one", AdaptiveAvgPool::new(1), [&[2, 3, 5, 4], &[2, 3, 1, 1]], &[]),
        Case::new("adaptive_avg_pool", "parts", AdaptiveAvgPool::new([3, 2]), [&[2, 1, 5, 4], &[2, 1, 3, 2]], &[]),
    ]
}
