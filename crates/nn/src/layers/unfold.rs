//! The patches of images as columns.

use wengert_autograd::{Conv, PerAxis, Var};

use super::case::Case;
use crate::layer::Layer;
use crate::module::Module;

/// The patches that a convolution sees, as columns: `[batch, channels, n…]` becomes `[batch, channels · kernel, places]`. PyTorch's
/// `Unfold`, for any number of spatial axes; see [`Var::unfold`].
///
/// ```
/// use wengert_autograd::Conv;
/// use wengert_nn::{layer::Layer, layers::unfold::Unfold};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let images = Tensor::zeros([5, 3, 8, 8], DType::F32)?;
/// let patches = Unfold::new([4, 4], Conv::new().stride(4));
/// assert_eq!(patches.predict(&images)?.shape().dims(), [5, 48, 4]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Module)]
pub struct Unfold {
    #[module(skip)]
    kernel: PerAxis,
    #[module(skip)]
    options: Conv,
}

impl Unfold {
    /// Patches of this size, at the places where these options put the windows of a convolution.
    pub fn new(kernel: impl Into<PerAxis>, options: impl Into<Conv>) -> Unfold {
        Unfold { kernel: kernel.into(), options: options.into() }
    }
}

impl Layer for Unfold {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        x.unfold(self.kernel.clone(), &self.options)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let plain = Unfold::new(2, Conv::new());
    let apart = Unfold::new([2, 3], Conv::new().padding(1).stride([2, 1]).dilation([1, 2]));
    vec![
        Case::new("unfold", "plain", plain, [&[2, 3, 3, 4], &[2, 12, 6]], &[]),
        Case::new("unfold", "apart", apart, [&[2, 1, 4, 5], &[2, 6, 9]], &[]),
    ]
}

#[cfg(test)]
mod tests {
    use wengert_tensor::dtype::DType;
    use wengert_tensor::error::Result;
    use wengert_tensor::tensor::Tensor;

    use super::*;

    #[test]
    fn impossible_windows_are_refused() -> Result<()> {
        let x = Tensor::zeros([1, 1, 4, 4], DType::F32)?;
        let text = |layer: Unfold| layer.predict(&x).map_or_else(|error| error.to_string(), |_| String::new());
        let has = |text: String, words: &str| assert!(text.contains(words), "{text}");
        has(text(Unfold::new(5, Conv::new())), "window of 5");
        has(text(Unfold::new([2, 2, 2], Conv::new())), "spatial axes");
        has(text(Unfold::new(2, Conv::new().stride(0))), "unfold");
        has(text(Unfold::new(2, Conv::new().groups(2))), "no groups");
        Ok(())
    }
}
