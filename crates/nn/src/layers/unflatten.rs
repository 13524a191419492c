//! Unflatten: one axis as several.

use wengert_autograd::Var;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::Shape;

use super::case::Case;
use super::reshape::filled;
use crate::layer::Layer;
use crate::module::Module;

/// One axis as several: `[batch, a · b, …]` becomes `[batch, a, b, …]`. One size may be −1: what is left. PyTorch's `Unflatten`.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::unflatten::Unflatten};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let codes = Tensor::zeros([5, 48], DType::F32)?;
/// assert_eq!(Unflatten::new(1, [3, 4, -1]).predict(&codes)?.shape().dims(), [5, 3, 4, 4]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Module)]
pub struct Unflatten {
    axis: isize,
    #[module(skip)]
    sizes: Vec<isize>,
}

impl Unflatten {
    /// The axis with this number (a negative one counts from the end) as axes of these sizes.
    pub fn new(axis: isize, sizes: impl AsRef<[isize]>) -> Unflatten {
        Unflatten { axis, sizes: sizes.as_ref().to_vec() }
    }

    /// The shape that the input becomes.
    fn target(&self, x: &Shape) -> Result<Vec<usize>> {
        let axis = x.axis(self.axis)?;
        if axis == 0 {
            return Err(
                Error::axis("axis 0 counts the examples and stays one").help("the axes of an example start at 1")
            );
        }
        let (front, rest) = x.split_at(axis);
        let (n, back) = rest.split_first().map_or((0, &[][..]), |(n, back)| (*n, back));
        if self.sizes.is_empty() {
            return Err(Error::shape(format!("the {n} elements of axis {} in no axis", self.axis))
                .help("say at least one size: [2, -1]"));
        }
        let sizes = filled(&self.sizes, n, || format!("the {n} elements of axis {}", self.axis))?;
        Ok([front, &sizes, back].concat())
    }
}

impl Layer for Unflatten {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        match self.target(&x.shape()) {
            Ok(dims) => x.reshape(dims),
            Err(error) => x.tape().reject("Unflatten", &[("input", x)], error),
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let (features, last) = (Unflatten::new(1, [2, 3]), Unflatten::new(-1, [2, 1, 2]));
    let rest = Unflatten::new(1, [2, -1]);
    vec![
        Case::new("unflatten", "features", features, [&[4, 6, 2], &[4, 2, 3, 2]], &[]),
        Case::new("unflatten", "last", last, [&[2, 3, 4], &[2, 3, 2, 1, 2]], &[]),
        Case::new("unflatten", "rest", rest, [&[2, 6, 3], &[2, 2, 3, 3]], &[]),
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
        assert!(text(Unflatten::new(1, [2, 4])).contains("the 6 elements of axis 1 do not fit into [2, 4]"));
        assert!(text(Unflatten::new(0, [2])).contains("counts the examples"));
        assert!(text(Unflatten::new(2, [2])).contains("axis 2"));
        assert!(text(Unflatten::new(1, [isize::MAX, 3])).contains("do not fit"));
        assert!(text(Unflatten::new(1, [4, -1])).contains("do not fit into [4, -1]"));
        assert!(text(Unflatten::new(1, [])).contains("say at least one size"));
        Ok(())
    }
}
