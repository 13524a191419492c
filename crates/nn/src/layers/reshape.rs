//! Reshape: the elements of an example in another shape.

use wengert_autograd::Var;
use wengert_tensor::error::{Error, Result};

use super::case::Case;
use crate::layer::Layer;
use crate::module::Module;

/// `[batch, …]` becomes `[batch, sizes…]`, with the elements in their order. One size may be −1: what is left.
///
/// Keras's `Reshape`; what PyTorch's `Unflatten` does to one axis, [`Reshape::unflatten`] does here.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::reshape::Reshape};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let x = Tensor::zeros([5, 12], DType::F32)?;
/// assert_eq!(Reshape::new([3, -1]).predict(&x)?.shape().dims(), [5, 3, 4]);
/// assert_eq!(Reshape::unflatten(1, [2, 6]).predict(&x)?.shape().dims(), [5, 2, 6]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Module)]
pub struct Reshape {
    #[module(skip)]
    sizes: Vec<isize>,
    /// The axis that is replaced; `None` for all but the first.
    #[module(skip)]
    axis: Option<isize>,
}

impl Reshape {
    /// All axes but that of the examples become these.
    pub fn new(sizes: impl AsRef<[isize]>) -> Reshape {
        Reshape { sizes: sizes.as_ref().to_vec(), axis: None }
    }

    /// One axis of the input becomes these. PyTorch's `Unflatten`.
    pub fn unflatten(axis: isize, sizes: impl AsRef<[isize]>) -> Reshape {
        Reshape { sizes: sizes.as_ref().to_vec(), axis: Some(axis) }
    }

    /// The shape that the input becomes.
    fn target(&self, x: Var<'_>) -> Result<Vec<usize>> {
        let shape = x.shape();
        let (before, replaced, after) = match self.axis {
            Some(axis) => {
                let place = shape.axis(axis)?;
                let (before, rest) = shape.dims().split_at(place);
                (before, rest.get(..1).unwrap_or_default(), rest.get(1..).unwrap_or_default())
            }
            None if shape.rank() == 0 => {
                return Err(Error::shape("takes an axis of examples, and the input is a scalar"));
            }
            None => (shape.dims().get(..1).unwrap_or_default(), shape.dims().get(1..).unwrap_or_default(), &[][..]),
        };
        if let Some(size) = self.sizes.iter().find(|size| **size < -1) {
            return Err(Error::value(format!("a size of {size}")).help("sizes are at least 0; −1 is what is left"));
        }
        if self.sizes.iter().filter(|size| **size == -1).count() > 1 {
            return Err(Error::value(format!("more than one −1 in {:?}", self.sizes))
                .help("one size may follow from the others"));
        }
        let elements = replaced.iter().product::<usize>();
        let known = self.sizes.iter().filter_map(|size| usize::try_from(*size).ok());
        let known = known.fold(1usize, |product, size| product.saturating_mul(size));
        let rest = elements.checked_div(known).unwrap_or(0);
        let sizes: Vec<usize> = self.sizes.iter().map(|size| usize::try_from(*size).unwrap_or(rest)).collect();
        match sizes.iter().fold(1usize, |product, size| product.saturating_mul(*size)) == elements {
            true => Ok([before, &sizes, after].concat()),
            false => Err(Error::shape(format!(
                "{elements} elements of an example ({shape}) do not fit into {:?}",
                self.sizes
            ))),
        }
    }
}

impl Layer for Reshape {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        match self.target(x) {
            Ok(shape) => x.reshape(shape),
            Err(error) => tape.reject("Reshape", &[("input", x)], error),
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("reshape", "sizes", Reshape::new([3, 2]), [&[4, 6], &[4, 3, 2]], &[]),
        Case::new("reshape", "rest", Reshape::new([-1, 2]), [&[4, 3, 4], &[4, 6, 2]], &[]),
        Case::new("reshape", "scalar", Reshape::new([]), [&[4, 1], &[4]], &[]),
        Case::new("reshape", "unflatten", Reshape::unflatten(1, [2, -1]), [&[2, 6, 3], &[2, 2, 3, 3]], &[]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn what_does_not_fit_is_refused() {
        let x = Tensor::zeros([5, 12], DType::F32).unwrap();
        for (layer, words) in [
            (Reshape::new([5, 3]), "12 elements of an example ([5, 12]) do not fit into [5, 3]"),
            (Reshape::new([5, -1]), "do not fit into [5, -1]"),
            (Reshape::new([0, -1]), "do not fit into [0, -1]"),
            (Reshape::new([-1, -1]), "more than one −1"),
            (Reshape::new([-2, 6]), "a size of -2"),
            (Reshape::unflatten(2, [3, 4]), "axis 2"),
            (Reshape::unflatten(0, [2, 2]), "do not fit into [2, 2]"),
        ] {
            let text = layer.predict(&x).unwrap_err().to_string();
            assert!(text.contains(words) && text.contains("Reshape"), "{words}\n{text}");
        }
        let text = Reshape::new([1]).predict(&Tensor::from(1f32)).unwrap_err().to_string();
        assert!(text.contains("the input is a scalar"), "{text}");
    }
}
