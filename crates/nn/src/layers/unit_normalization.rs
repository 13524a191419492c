//! Unit normalisation: every vector is divided by its length.

use wengert_autograd::{IntoAxes, Var};
use wengert_tensor::error::Result;

use super::case::Case;
use super::norm::{refuse, sound, wide};
use crate::layer::Layer;
use crate::module::Module;

/// y = x / max(√Σx², 1e-12), over the last axis or others.
///
/// | | shape |
/// |---|---|
/// | x | any, floats; 16 bits are summed in f32 |
/// | y | as x |
///
/// The name is Keras's. A vector of zeros stays one, and gets the gradient of a division by 1e-12.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::unit_normalization::UnitNormalization};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let y = UnitNormalization::new().predict(&Tensor::from([[3f32, 4.0], [0.0, 0.0]]))?;
/// assert_eq!(y.to_vec::<f32>()?, [0.6, 0.8, 0.0, 0.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Module)]
pub struct UnitNormalization {
    axes: Vec<isize>,
}

impl UnitNormalization {
    /// Over the last axis.
    pub fn new() -> UnitNormalization {
        UnitNormalization::over([-1])
    }

    /// Over these axes, from the end if negative. Axes that the input does not have are an error of `forward`.
    pub fn over(axes: impl IntoAxes) -> UnitNormalization {
        UnitNormalization { axes: axes.into_axes().to_vec() }
    }
}

impl Default for UnitNormalization {
    fn default() -> UnitNormalization {
        UnitNormalization::new()
    }
}

impl Layer for UnitNormalization {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        let fits = || -> Result<_> {
            sound(x, 0.0)?;
            x.shape().axes(&self.axes)
        };
        if let Err(error) = fits() {
            return refuse("UnitNormalization", x, None, error);
        }
        let values = x.cast(wide(x.dtype()));
        (values / values.norm_keep(&*self.axes).maximum(1e-12)).cast(x.dtype())
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, layer, shape: &[usize]| Case::new("unit_normalization", name, layer, [shape, shape], &[]);
    vec![case("rows", UnitNormalization::new(), &[4, 3]), case("two_axes", UnitNormalization::over([1, 2]), &[2, 3, 2])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_autograd::Tape;
    use wengert_tensor::dtype::DType;

    #[test]
    fn bad_input_is_told() {
        let told = |layer: UnitNormalization, dtype, wanted: &str| {
            let tape = Tape::new();
            layer.forward(tape.full([2, 3], 1.0, dtype));
            let text = tape.error().map(|error| error.to_string()).unwrap_or_default();
            assert!(text.contains(wanted), "{text}");
        };
        told(UnitNormalization::over([2]), DType::F32, "axis 2");
        told(UnitNormalization::new(), DType::I64, "needs floats, not i64");
    }

    #[test]
    fn zeros_have_a_finite_gradient() -> Result<()> {
        let tape = Tape::new();
        let x = tape.full([1, 3], 0.0, DType::F32);
        let [dx] = tape.grad(UnitNormalization::new().forward(x).sum(), [x]);
        assert!(!dx.value()?.has_nan());
        Ok(())
    }
}
