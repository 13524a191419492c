//! Max pooling: the largest element of every window.

use wengert_autograd::{Pool, Var};

use super::case::Case;
use crate::layer::Layer;
use crate::module::Module;

/// The largest element of every window of images `[batch, channels, n…]`, of any number of spatial axes: [`Var::max_pool`].
///
/// ```
/// use wengert_nn::{layer::Layer, layers::max_pool::MaxPool};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let images = Tensor::zeros([1, 2, 4, 4], DType::F32)?;
/// assert_eq!(MaxPool::new(2).predict(&images)?.shape().dims(), [1, 2, 2, 2]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Module)]
pub struct MaxPool {
    #[module(skip)]
    options: Pool,
}

impl MaxPool {
    /// Windows of this size, side by side, or as the options say.
    pub fn new(options: impl Into<Pool>) -> MaxPool {
        MaxPool { options: options.into() }
    }
}

impl Layer for MaxPool {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = x.tape().scope("MaxPool");
        x.max_pool(&self.options)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let wide = Pool::new(3).stride(2).padding(1);
    vec![
        Case::new("max_pool", "two", MaxPool::new(2), [&[2, 3, 4, 6], &[2, 3, 2, 3]], &[]),
        Case::new("max_pool", "padded", MaxPool::new(wide), [&[2, 1, 5], &[2, 1, 3]], &[]),
        Case::new("max_pool", "volume", MaxPool::new([1, 2, 2]), [&[1, 1, 2, 4, 3], &[1, 1, 2, 2, 1]], &[]),
    ]
}
