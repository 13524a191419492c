//! The middle of images.

use wengert_autograd::{PerAxis, Var};
use wengert_tensor::error::{Error, Result};

use super::case::Case;
use crate::layer::Layer;
use crate::module::Module;

/// The middle of every image, in this size: Keras's `CenterCrop`, for any number of spatial axes. Where an odd number is left over, the
/// later side loses one more, as in Keras.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, channels, n…]`, n ≥ size |
/// | y | `[batch, channels, size…]` |
///
/// Keras resizes images that are too small; here that is an error, and [`Upsample`](super::upsample::Upsample) in front resizes.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::center_crop::CenterCrop};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let y = CenterCrop::new(2).predict(&Tensor::from([[[1f32, 2.0, 3.0, 4.0]]]))?;
/// assert_eq!(y.to_vec::<f32>()?, [2.0, 3.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Module)]
pub struct CenterCrop {
    #[module(skip)]
    size: PerAxis,
}

impl CenterCrop {
    /// To this size of all spatial axes, or of each.
    pub fn new(size: impl Into<PerAxis>) -> CenterCrop {
        CenterCrop { size: size.into() }
    }

    #[track_caller]
    fn cropped<'t>(&self, x: Var<'t>) -> Result<Var<'t>> {
        let shape = x.shape();
        let Some(sizes) = shape.get(2..).filter(|sizes| !sizes.is_empty()) else {
            return Err(Error::shape(format!("takes [batch, channels, n…], not {shape}")));
        };
        let mut y = x;
        for (i, (&n, size)) in sizes.iter().zip(self.size.of("the size", sizes.len())?).enumerate() {
            if size == 0 || size > n {
                let error = Error::shape(format!("the middle {size} of {n} elements of axis {}", i + 2));
                return Err(error.help("a size is at least 1 and at most that of the image"));
            }
            let start = (n - size) / 2;
            y = y.slice(i as isize + 2, start..start + size);
        }
        Ok(y)
    }
}

impl Layer for CenterCrop {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        self.cropped(x).unwrap_or_else(|error| x.tape().reject("CenterCrop", &[("input", x)], error))
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("center_crop", "image", CenterCrop::new([2, 3]), [&[2, 1, 5, 4], &[2, 1, 2, 3]], &[])]
}

#[cfg(test)]
mod tests {
    use wengert_tensor::dtype::DType;
    use wengert_tensor::tensor::Tensor;

    use super::*;

    #[test]
    fn impossible_sizes_are_refused() -> Result<()> {
        let text = |size: PerAxis, dims: &[usize]| -> Result<String> {
            let x = Tensor::zeros(dims, DType::F32)?;
            Ok(CenterCrop::new(size).predict(&x).map_or_else(|error| error.to_string(), |_| String::new()))
        };
        assert!(text(5.into(), &[1, 1, 4])?.contains("the middle 5 of 4 elements"));
        assert!(text(0.into(), &[1, 1, 4])?.contains("at least 1"));
        assert!(text([1, 1].into(), &[1, 1, 4])?.contains("the size"));
        assert!(text(1.into(), &[1, 4])?.contains("takes [batch, channels, n…]"));
        Ok(())
    }
}
