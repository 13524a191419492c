//! Permute: the axes of an example in another order.

use wengert_autograd::Var;
use wengert_tensor::error::{Error, Result};

use super::case::Case;
use crate::layer::Layer;
use crate::module::Module;

/// Axis i of the output is the axis of the input that stands at place i of `axes`, counted from 1: axis 0, of the examples, stays.
///
/// Keras's `Permute`.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::permute::Permute};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let images = Tensor::zeros([5, 28, 32, 3], DType::F32)?; // height, width, channels
/// assert_eq!(Permute::new([3, 1, 2]).predict(&images)?.shape().dims(), [5, 3, 28, 32]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Module)]
pub struct Permute {
    #[module(skip)]
    axes: Vec<usize>,
}

impl Permute {
    /// In this order; each axis from 1 stands in it once.
    pub fn new(axes: impl AsRef<[usize]>) -> Permute {
        Permute { axes: axes.as_ref().to_vec() }
    }

    fn check(&self, x: Var<'_>) -> Result<Vec<isize>> {
        let mut sorted = self.axes.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(1..=self.axes.len()) {
            let (axes, n) = (&self.axes, self.axes.len());
            let error = Error::axis(format!("{axes:?} is no order of the axes 1 to {n}"));
            return Err(error.help("each axis stands in it once; axis 0, of the examples, stays where it is"));
        }
        if x.rank() != self.axes.len() + 1 {
            let (shape, n) = (x.shape(), self.axes.len());
            return Err(Error::shape(format!("takes {n} axes beside that of the examples, not {shape}")));
        }
        Ok([0].into_iter().chain(self.axes.iter().map(|axis| *axis as isize)).collect())
    }
}

impl Layer for Permute {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        match self.check(x) {
            Ok(axes) => x.permute(&axes),
            Err(error) => tape.reject("Permute", &[("input", x)], error),
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("permute", "two", Permute::new([2, 1]), [&[2, 3, 4], &[2, 4, 3]], &[]),
        Case::new("permute", "three", Permute::new([3, 1, 2]), [&[2, 3, 4, 5], &[2, 5, 3, 4]], &[]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn what_is_no_order_is_refused() {
        let x = Tensor::zeros([2, 3, 4], DType::F32).unwrap();
        for (axes, words) in [
            (&[0, 1][..], "[0, 1] is no order of the axes 1 to 2"),
            (&[1, 1], "is no order of the axes 1 to 2"),
            (&[3, 1, 2], "takes 3 axes beside that of the examples, not [2, 3, 4]"),
        ] {
            let text = Permute::new(axes).predict(&x).unwrap_err().to_string();
            assert!(text.contains(words), "{words}\n{text}");
        }
    }
}
