//! Unflatten: one axis as several.

use wengert_autograd::Var;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::{IntoShape, Shape};

use super::case::Case;
use crate::layer::Layer;
use crate::module::Module;

/// One axis as several: `[batch, a · b, …]` becomes `[batch, a, b, …]`. PyTorch's `Unflatten`.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::unflatten::Unflatten};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let codes = Tensor::zeros([5, 48], DType::F32)?;
/// assert_eq!(Unflatten::new(1, [3, 4, 4]).predict(&codes)?.shape().dims(), [5, 3, 4, 4]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct Unflatten {
    axis: isize,
    #[module(skip)]
    sizes: Result<Shape>,
}

impl Unflatten {
    /// The axis with this number (a negative one counts from the end) as axes of these sizes.
    pub fn new(axis: isize, sizes: impl IntoShape) -> Unflatten {
        Unflatten { axis, sizes: sizes.into_shape() }
    }

    fn dims(&self, x: &Shape) -> Result<Vec<usize>> {
        let sizes = self.sizes.clone()?;
        let axis = x.axis(self.axis)?;
        if axis == 0 {
            return Err(Error::axis("axis 0 counts the examples and stays one"));
        }
        let n = x.get(axis).copied().unwrap_or_default();
        if sizes.rank() == 0 || sizes.len() != n {
            let error = Error::shape(format!("the {n} elements of axis {} are no {sizes}", self.axis));
            return Err(error.help("the product of the sizes is the size of the axis"));
        }
        let (front, back) = (x.get(..axis).unwrap_or_default(), x.get(axis + 1..).unwrap_or_default());
        Ok([front, sizes.dims(), back].concat())
    }
}

impl Layer for Unflatten {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        match self.dims(&x.shape()) {
            Ok(dims) => x.reshape(dims),
            Err(error) => x.tape().reject("Unflatten", &[("input", x)], error),
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let (features, last) = (Unflatten::new(1, [2, 3]), Unflatten::new(-1, [2, 1, 2]));
    vec![
        Case::new("unflatten", "features", features, [&[4, 6, 2], &[4, 2, 3, 2]], &[]),
        Case::new("unflatten", "last", last, [&[2, 3, 4], &[2, 3, 2, 1, 2]], &[]),
    ]
}

#[cfg(test)]
mod tests {
    use wengert_tensor::dtype::DType;
    use wengert_tensor::tensor::Tensor;

    use super::*;

    #[test]
    fn sizes_that_do_not_fit_are_refused() -> Result<()> {
        let x = Tensor::zeros([2, 6], DType::F32)?;
        let text = |layer: Unflatten| layer.predict(&x).map_or_else(|error| error.to_string(), |_| String::new());
        assert!(text(Unflatten::new(1, [2, 4])).contains("the 6 elements of axis 1 are no [2, 4]"));
        assert!(text(Unflatten::new(0, [2])).contains("counts the examples"));
        assert!(text(Unflatten::new(2, [2])).contains("axis 2"));
        assert!(text(Unflatten::new(1, [usize::MAX, 2])).contains("overflows"));
        Ok(())
    }
}
