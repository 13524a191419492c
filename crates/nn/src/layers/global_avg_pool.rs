//! Global average pooling: the mean of every channel.

use wengert_autograd::Var;
use wengert_tensor::error::Error;

use super::case::Case;
use crate::layer::Layer;
use crate::module::Module;

/// The mean of every channel, over all spatial axes: Keras's `GlobalAveragePooling1D`, `GlobalAveragePooling2D` and `GlobalAveragePooling3D`. Lin et al.
/// 2013, "Network in network".
///
/// | | shape |
/// |---|---|
/// | x | `[batch, channels, n…]`, of 1, 2, 3 or more spatial axes |
/// | y | `[batch, channels]`; `[batch, channels, 1…]` with [`keepdims`](GlobalAvgPool::keepdims) |
///
/// ```
/// use wengert_nn::{layer::Layer, layers::global_avg_pool::GlobalAvgPool};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let images = Tensor::zeros([5, 2, 4, 4], DType::F32)?;
/// assert_eq!(GlobalAvgPool::new().predict(&images)?.shape().dims(), [5, 2]);
/// assert_eq!(GlobalAvgPool::new().keepdims(true).predict(&images)?.shape().dims(), [5, 2, 1, 1]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Module)]
pub struct GlobalAvgPool {
    keepdims: bool,
}

impl GlobalAvgPool {
    /// One number for every channel.
    pub fn new() -> GlobalAvgPool {
        GlobalAvgPool::default()
    }

    /// Whether the spatial axes stay, with size 1.
    #[must_use]
    pub fn keepdims(self, keepdims: bool) -> GlobalAvgPool {
        GlobalAvgPool { keepdims }
    }
}

impl Layer for GlobalAvgPool {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        match spatial("GlobalAvgPool", x) {
            Ok(axes) if self.keepdims => x.mean_keep(axes),
            Ok(axes) => x.mean_axes(axes),
            Err(poison) => poison,
        }
    }
}

/// The spatial axes of images that have elements; otherwise the tape has failed.
#[track_caller]
pub(super) fn spatial<'t>(name: &'static str, x: Var<'t>) -> Result<Vec<isize>, Var<'t>> {
    let shape = x.shape();
    if shape.rank() < 3 || shape.iter().skip(2).any(|size| *size == 0) {
        let error = Error::shape(format!("takes [batch, channels, n…] with elements, not {shape}"));
        return Err(x.tape().reject(name, &[("input", x)], error.help("examples lie on axis 0, channels on axis 1")));
    }
    Ok((2..shape.rank() as isize).collect())
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let kept = GlobalAvgPool::new().keepdims(true);
    vec![
        Case::new("global_avg_pool", "line", GlobalAvgPool::new(), [&[2, 3, 4], &[2, 3]], &[]),
        Case::new("global_avg_pool", "image", GlobalAvgPool::new(), [&[2, 3, 4, 5], &[2, 3]], &[]),
        Case::new("global_avg_pool", "kept", kept, [&[1, 2, 3, 2, 2], &[1, 2, 1, 1, 1]], &[]),
    ]
}

#[cfg(test)]
mod tests {
    use wengert_tensor::dtype::DType;
    use wengert_tensor::error::Result;
    use wengert_tensor::tensor::Tensor;

    use super::super::global_max_pool::GlobalMaxPool;
    use super::*;

    #[test]
    fn images_have_elements() -> Result<()> {
        for dims in [&[2, 3][..], &[2, 3, 0], &[2]] {
            let x = Tensor::zeros(dims, DType::F32)?;
            for y in [GlobalAvgPool::new().predict(&x), GlobalMaxPool::new().predict(&x)] {
                let text = y.map_or_else(|error| error.to_string(), |_| String::new());
                assert!(text.contains("takes [batch, channels, n…] with elements"), "{text}");
            }
        }
        Ok(())
    }
}
