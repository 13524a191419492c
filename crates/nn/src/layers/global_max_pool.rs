//! Global max pooling: the largest element of every channel.

use wengert_autograd::Var;

use super::case::Case;
use super::global_avg_pool::spatial;
use crate::layer::Layer;
use crate::module::Module;

/// The largest element of every channel, over all spatial axes: Keras's `GlobalMaxPooling1D`, `GlobalMaxPooling2D` and `GlobalMaxPooling3D`. Lin et al.
/// 2013, "Network in network".
///
/// | | shape |
/// |---|---|
/// | x | `[batch, channels, n…]`, of 1, 2, 3 or more spatial axes |
/// | y | `[batch, channels]`; `[batch, channels, 1…]` with [`keepdims`](GlobalMaxPool::keepdims) |
///
/// ```
/// use wengert_nn::{layer::Layer, layers::global_max_pool::GlobalMaxPool};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let images = Tensor::zeros([5, 2, 4, 4], DType::F32)?;
/// assert_eq!(GlobalMaxPool::new().predict(&images)?.shape().dims(), [5, 2]);
/// assert_eq!(GlobalMaxPool::new().keepdims(true).predict(&images)?.shape().dims(), [5, 2, 1, 1]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Module)]
pub struct GlobalMaxPool {
    keepdims: bool,
}

impl GlobalMaxPool {
    /// One number for every channel.
    pub fn new() -> GlobalMaxPool {
        GlobalMaxPool::default()
    }

    /// Whether the spatial axes stay, with size 1.
    #[must_use]
    pub fn keepdims(self, keepdims: bool) -> GlobalMaxPool {
        GlobalMaxPool { keepdims }
    }
}

impl Layer for GlobalMaxPool {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        match spatial("GlobalMaxPool", x) {
            Ok(axes) if self.keepdims => x.max_keep(axes),
            Ok(axes) => x.max_axes(axes),
            Err(poison) => poison,
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let kept = GlobalMaxPool::new().keepdims(true);
    vec![
        Case::new("global_max_pool", "line", GlobalMaxPool::new(), [&[2, 3, 4], &[2, 3]], &[]),
        Case::new("global_max_pool", "image", GlobalMaxPool::new(), [&[2, 3, 4, 5], &[2, 3]], &[]),
        Case::new("global_max_pool", "kept", kept, [&[1, 2, 3, 2, 2], &[1, 2, 1, 1, 1]], &[]),
    ]
}
