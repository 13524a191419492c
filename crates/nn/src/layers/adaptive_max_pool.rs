//! Adaptive max pooling: images of any size to one size.

use wengert_autograd::{PerAxis, Var};

use super::case::Case;
use crate::layer::Layer;
use crate::module::Module;

/// The largest element in each of so many parts of every spatial axis: `[batch, channels, n…]` of any size becomes `[batch, channels,
/// parts…]`. Part i of p, along an axis of n, goes from ⌊i · n / p⌋ up to ⌈(i + 1) · n / p⌉, which is left out. PyTorch's
/// `AdaptiveMaxPool1d`, `AdaptiveMaxPool2d` and `AdaptiveMaxPool3d`. See [`Var::adaptive_max_pool`].
///
/// ```
/// use wengert_nn::{layer::Layer, layers::adaptive_max_pool::AdaptiveMaxPool};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let images = Tensor::zeros([1, 2, 5, 7], DType::F32)?;
/// assert_eq!(AdaptiveMaxPool::new(2).predict(&images)?.shape().dims(), [1, 2, 2, 2]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Module)]
pub struct AdaptiveMaxPool {
    #[module(skip)]
    parts: PerAxis,
}

impl AdaptiveMaxPool {
    /// So many parts of all axes, or of each.
    pub fn new(parts: impl Into<PerAxis>) -> AdaptiveMaxPool {
        AdaptiveMaxPool { parts: parts.into() }
    }
}

impl Layer for AdaptiveMaxPool {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        x.adaptive_max_pool(self.parts.clone())
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("adaptive_max_pool", "one", AdaptiveMaxPool::new(1), [&[2, 3, 5, 4], &[2, 3, 1, 1]], &[]),
        Case::new("adaptive_max_pool", "parts", AdaptiveMaxPool::new([3, 2]), [&[2, 1, 5, 4], &[2, 1, 3, 2]], &[]),
    ]
}
