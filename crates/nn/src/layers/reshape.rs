//! Reshape: the elements of an example in another shape.

use wengert_autograd::Var;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::Shape;

use super::case::Case;
use crate::layer::Layer;
use crate::module::Module;

/// `[batch, …]` becomes `[batch, sizes…]`, with the elements in their order. One size may be −1: what is left.
///
/// Keras's `Reshape`. For one axis among others see [`Unflatten`](super::unflatten::Unflatten).
///
/// ```
/// use wengert_nn::{layer::Layer, layers::reshape::Reshape};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let x = Tensor::zeros([5, 12], DType::F32)?;
/// assert_eq!(Reshape::new([3, -1]).predict(&x)?.shape().dims(), [5, 3, 4]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Module)]
pub struct Reshape {
    #[module(skip)]
    sizes: Vec<isize>,
}

impl Reshape {
    /// All axes but that of the examples become these.
    pub fn new(sizes: impl AsRef<[isize]>) -> Reshape {
        Reshape { sizes: sizes.as_ref().to_vec() }
    }

    /// The shape that the input becomes.
    fn target(&self, x: &Shape) -> Result<Vec<usize>> {
        let Some((&examples, rest)) = x.split_first() else {
            return Err(Error::shape("takes an axis of examples, and the input is a scalar"));
        };
        let elements = rest.iter().product();
        let sizes = filled(&self.sizes, elements, || format!("{elements} elements of an example ({x})"))?;
        Ok([&[examples], &*sizes].concat())
    }
}

/// These sizes, one of which may be −1, for so many elements.
pub(super) fn filled(sizes: &[isize], elements: usize, what: impl FnOnce() -> String) -> Result<Vec<usize>> {
    if let Some(size) = sizes.iter().find(|size| **size < -1) {
        return Err(Error::value(format!("a size of {size}")).help("sizes are at least 0; −1 is what is left"));
    }
    if sizes.iter().filter(|size| **size == -1).count() > 1 {
        return Err(Error::value(format!("more than one −1 in {sizes:?}")).help("one size may follow from the others"));
    }
    let product = |sizes: &mut dyn Iterator<Item = usize>| sizes.fold(1usize, usize::saturating_mul);
    let known = product(&mut sizes.iter().filter_map(|size| usize::try_from(*size).ok()));
    let rest = elements.checked_div(known).unwrap_or(0);
    let found: Vec<usize> = sizes.iter().map(|size| usize::try_from(*size).unwrap_or(rest)).collect();
    match product(&mut found.iter().copied()) == elements {
        true => Ok(found),
        false => Err(Error::shape(format!("{} do not fit into {sizes:?}", what()))
            .help("the product of the sizes is the number of elements; one size may be −1, what is left")),
    }
}

impl Layer for Reshape {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        match self.target(&x.shape()) {
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
        ] {
            let text = layer.predict(&x).unwrap_err().to_string();
            assert!(text.contains(words) && text.contains("Reshape"), "{words}\n{text}");
        }
        let text = Reshape::new([1]).predict(&Tensor::from(1f32)).unwrap_err().to_string();
        assert!(text.contains("the input is a scalar"), "{text}");
    }
}
