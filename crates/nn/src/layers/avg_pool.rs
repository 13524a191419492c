//! Average pooling: the mean of every window.

use wengert_autograd::{Pool, Var};

use super::case::Case;
use crate::layer::Layer;
use crate::module::Module;

/// The mean of every window of images `[batch, channels, n…]`, of any number of spatial axes: PyTorch's `AvgPool1d`, `AvgPool2d`
/// and `AvgPool3d`. An axis of n becomes one of ⌊(n + 2 · padding − size) / stride⌋ + 1. See [`Var::avg_pool`].
///
/// ```
/// use wengert_nn::{layer::Layer, layers::avg_pool::AvgPool};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let images = Tensor::zeros([1, 2, 4, 4], DType::F32)?;
/// assert_eq!(AvgPool::new(2).predict(&images)?.shape().dims(), [1, 2, 2, 2]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Module)]
pub struct AvgPool {
    #[module(skip)]
    options: Pool,
}

impl AvgPool {
    /// Windows of this size, side by side, or as the options say.
    pub fn new(options: impl Into<Pool>) -> AvgPool {
        AvgPool { options: options.into() }
    }
}

impl Layer for AvgPool {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        x.avg_pool(&self.options)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let inside = Pool::new(3).stride(2).padding(1).count_include_pad(false);
    let ceil = Pool::new(2).ceil_mode(true);
    vec![
        Case::new("avg_pool", "two", AvgPool::new(2), [&[2, 3, 4, 6], &[2, 3, 2, 3]], &[]),
        Case::new("avg_pool", "inside", AvgPool::new(inside), [&[2, 1, 5], &[2, 1, 3]], &[]),
        Case::new("avg_pool", "ceil", AvgPool::new(ceil), [&[1, 1, 2, 4, 3], &[1, 1, 1, 2, 2]], &[]),
    ]
}
