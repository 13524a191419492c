//! Columns back into images.

use wengert_autograd::{Conv, PerAxis, Var};
use wengert_tensor::error::Result;
use wengert_tensor::shape::{IntoShape, Shape};

use super::case::Case;
use crate::layer::Layer;
use crate::module::Module;

/// The transpose of [`Unfold`](super::unfold::Unfold): columns `[batch, channels · kernel, places]` become images `[batch, channels, n…]`, and
/// what overlaps is added up. PyTorch's `Fold`, for any number of spatial axes; see [`Var::fold`].
///
/// ```
/// use wengert_autograd::Conv;
/// use wengert_nn::{layer::Layer, layers::fold::Fold};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let columns = Tensor::zeros([5, 48, 4], DType::F32)?;
/// let fold = Fold::new([8, 8], [4, 4], Conv::new().stride(4));
/// assert_eq!(fold.predict(&columns)?.shape().dims(), [5, 3, 8, 8]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct Fold {
    #[module(skip)]
    sizes: Result<Shape>,
    #[module(skip)]
    kernel: PerAxis,
    #[module(skip)]
    options: Conv,
}

impl Fold {
    /// Images of these sizes, from patches of the size of the kernel at the places where these options put the windows of a convolution.
    pub fn new(sizes: impl IntoShape, kernel: impl Into<PerAxis>, options: impl Into<Conv>) -> Fold {
        Fold { sizes: sizes.into_shape(), kernel: kernel.into(), options: options.into() }
    }
}

impl Layer for Fold {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        match &self.sizes {
            Ok(sizes) => x.fold(sizes, self.kernel.clone(), &self.options),
            Err(error) => x.tape().reject("Fold", &[("input", x)], error.clone()),
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let plain = Fold::new([3, 4], 2, Conv::new());
    let apart = Fold::new([4, 5], [2, 3], Conv::new().padding(1).stride([2, 1]).dilation([1, 2]));
    vec![
        Case::new("fold", "plain", plain, [&[2, 12, 6], &[2, 3, 3, 4]], &[]),
        Case::new("fold", "apart", apart, [&[2, 6, 9], &[2, 1, 4, 5]], &[]),
    ]
}

#[cfg(test)]
mod tests {
    use wengert_tensor::dtype::DType;
    use wengert_tensor::tensor::Tensor;

    use super::*;

    #[test]
    fn columns_fit_the_images() -> Result<()> {
        let x = Tensor::zeros([1, 4, 6], DType::F32)?;
        let text = |layer: Fold| layer.predict(&x).map_or_else(|error| error.to_string(), |_| String::new());
        let has = |text: String, words: &str| assert!(text.contains(words), "{text}");
        has(text(Fold::new([4, 4], 2, Conv::new())), "have 9 places, and there are 6 columns");
        has(text(Fold::new([4, 4], 3, Conv::new())), "4 rows are no channels with 9 elements");
        has(text(Fold::new([usize::MAX, 4], 2, Conv::new())), "overflows");
        Ok(())
    }
}
