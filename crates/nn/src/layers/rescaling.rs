//! Rescaling: a fixed scale and offset.

use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Error;

use super::case::Case;
use crate::layer::Layer;
use crate::module::Module;

/// y = x · scale + offset, such as bytes to numbers from 0 to 1. Whole numbers become f32. Keras's `Rescaling`.
///
/// Numbers that come from the data are those of [`Standardize`](super::standardize::Standardize).
///
/// ```
/// use wengert_nn::{layer::Layer, layers::rescaling::Rescaling};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let y = Rescaling::new(1.0 / 127.5).offset(-1.0).predict(&Tensor::from([0u8, 255]))?;
/// assert_eq!(y.to_vec::<f32>()?, [-1.0, 1.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct Rescaling {
    scale: f64,
    offset: f64,
}

impl Rescaling {
    /// With this scale and no offset. Numbers that are not finite are an error of `forward`.
    pub fn new(scale: f64) -> Rescaling {
        Rescaling { scale, offset: 0.0 }
    }

    /// What is added to the product.
    #[must_use]
    pub fn offset(mut self, offset: f64) -> Rescaling {
        self.offset = offset;
        self
    }
}

impl Layer for Rescaling {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        if !self.scale.is_finite() || !self.offset.is_finite() {
            let error = Error::value(format!("a scale of {} and an offset of {}", self.scale, self.offset));
            return tape.reject("Rescaling", &[("input", x)], error.help("both are finite numbers"));
        }
        let x = if x.dtype().is_float() { x } else { x.cast(DType::F32) };
        x * self.scale + self.offset
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("rescaling", "both", Rescaling::new(0.25).offset(-1.0), [&[4, 3], &[4, 3]], &[])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn what_is_not_finite_is_refused() {
        let text = Rescaling::new(f64::NAN).predict(&Tensor::from([1f32])).unwrap_err().to_string();
        assert!(text.contains("a scale of NaN and an offset of 0"), "{text}");
    }
}
