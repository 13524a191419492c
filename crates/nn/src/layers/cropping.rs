//! Cropping: images without their edges.

use wengert_autograd::{Padding, Var};
use wengert_tensor::error::Error;

use super::case::Case;
use super::surround::sides;
use crate::layer::Layer;
use crate::module::Module;

/// Images without so many elements at their sides: Keras's `Cropping1D`, `Cropping2D` and `Cropping3D`.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, channels, n…]`, of 1, 2, 3 or more spatial axes |
/// | y | `[batch, channels, n − before − after…]`, each at least 1 |
///
/// ```
/// use wengert_nn::{layer::Layer, layers::cropping::Cropping};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let y = Cropping::new([(1, 2)]).predict(&Tensor::from([[[1f32, 2.0, 3.0, 4.0]]]))?;
/// assert_eq!(y.to_vec::<f32>()?, [2.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Module)]
pub struct Cropping {
    #[module(skip)]
    sides: Padding,
}

impl Cropping {
    /// So many elements less: a number for all sides, `[2, 1]` for both sides of each axis, `[(0, 1), (2, 2)]` before and after each.
    pub fn new(sides: impl Into<Padding>) -> Cropping {
        Cropping { sides: sides.into() }
    }
}

impl Layer for Cropping {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        let sides = match sides(x, &self.sides) {
            Ok(sides) => sides,
            Err(error) => return tape.reject("Cropping", &[("input", x)], error),
        };
        let mut y = x;
        for (axis, (before, after)) in (2..).zip(sides) {
            let n = y.dim(axis);
            match n.checked_sub(before).and_then(|n| n.checked_sub(after)) {
                Some(left) if left > 0 => y = y.slice(axis, before..before + left),
                _ => {
                    let message =
                        format!("{before} before and {after} after leave nothing of the {n} elements of axis {axis}");
                    return tape.reject("Cropping", &[("input", x)], Error::shape(message));
                }
            }
        }
        y
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let image = Cropping::new([(1, 0), (1, 2)]);
    vec![
        Case::new("cropping", "line", Cropping::new(1), [&[2, 2, 5], &[2, 2, 3]], &[]),
        Case::new("cropping", "image", image, [&[2, 1, 3, 5], &[2, 1, 2, 2]], &[]),
        Case::new("cropping", "volume", Cropping::new([1, 0, 1]), [&[1, 1, 3, 2, 4], &[1, 1, 1, 2, 2]], &[]),
    ]
}

#[cfg(test)]
mod tests {
    use wengert_tensor::dtype::DType;
    use wengert_tensor::error::Result;
    use wengert_tensor::tensor::Tensor;

    use super::*;

    #[test]
    fn nothing_left_is_refused() -> Result<()> {
        let x = Tensor::zeros([1, 1, 4], DType::F32)?;
        let text = |layer: Cropping| layer.predict(&x).map_or_else(|error| error.to_string(), |_| String::new());
        let all = text(Cropping::new(2));
        assert!(all.contains("2 before and 2 after leave nothing of the 4 elements of axis 2"), "{all}");
        assert!(text(Cropping::new([(usize::MAX, usize::MAX)])).contains("leave nothing"));
        assert!(text(Cropping::new([1, 1])).contains("2 spatial axes"));
        Ok(())
    }
}
