//! Root mean square normalisation: the features of every example are divided by their size.

use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::{IntoShape, Shape};

use super::case::Case;
use super::norm::{affine, parameter, refuse, sound, trailing, wide};
use crate::init::Init;
use crate::layer::Layer;
use crate::module::Module;
use crate::param::Param;

/// y = x / √(Σx² / n + ε) · weight, over the last axes of the input.
///
/// | | shape |
/// |---|---|
/// | x | `[…, features…]`, floats; 16 bits are summed in f32 |
/// | `weight` | `[features…]`, from ones |
/// | y | as x |
///
/// The names are those of PyTorch's `RMSNorm`, and so is the default of ε: the distance from 1 to the next number, of
/// f64 for f64 and of f32 for all others. Llama and its kin have ε = 1e-5 or 1e-6. Zhang & Sennrich 2019.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::rms_norm::RmsNorm};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let y = RmsNorm::new([2]).epsilon(0.0).predict(&Tensor::from([[1f32, 7.0]]))?;
/// assert_eq!(y.to_vec::<f32>()?, [0.2, 1.4]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct RmsNorm {
    /// The scale, `[features…]`, unless the layer was made [`without_affine`](RmsNorm::without_affine).
    pub weight: Option<Param>,
    #[module(skip)]
    shape: Result<Shape>,
    epsilon: Option<f64>,
}

impl RmsNorm {
    /// A layer over the last axes, of these sizes: a number for the last axis alone, or an array. What is wrong is
    /// reported by the first use.
    #[track_caller]
    pub fn new(shape: impl IntoShape) -> RmsNorm {
        let shape = shape.into_shape();
        let weight = match &shape {
            Ok(shape) => parameter("RmsNorm", shape, Init::Ones),
            Err(error) => Param::faulty(error.clone()),
        };
        RmsNorm { weight: Some(weight), shape, epsilon: None }
    }

    /// Without a scale.
    #[must_use]
    pub fn without_affine(mut self) -> RmsNorm {
        self.weight = None;
        self
    }

    /// What is added to the mean of the squares, so that nothing is divided by zero.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> RmsNorm {
        self.epsilon = Some(epsilon);
        self
    }

    /// Draws the scale from another distribution.
    #[must_use]
    pub fn weight_init(mut self, init: Init) -> RmsNorm {
        if let Some(weight) = &mut self.weight {
            weight.set_init(init);
        }
        self
    }
}

impl Layer for RmsNorm {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        let epsilon = self.epsilon.unwrap_or(match x.dtype() {
            DType::F64 => f64::EPSILON,
            _ => f64::from(f32::EPSILON),
        });
        let fits = || -> Result<_> {
            let shape = self.shape.as_ref().map_err(Error::clone)?;
            sound(x, epsilon)?;
            Ok((shape, trailing("RmsNorm", x, shape)?))
        };
        match fits() {
            Ok((shape, axes)) => {
                let values = x.cast(wide(x.dtype()));
                let y = values * (values.square().mean_keep(axes) + epsilon).rsqrt();
                affine(x, y, self.weight.as_ref(), None, shape.dims())
            }
            Err(error) => refuse("RmsNorm", x, self.weight.as_ref(), error),
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, layer, shape: &[usize], names| Case::new("rms_norm", name, layer, [shape, shape], names);
    vec![
        case("rows", RmsNorm::new([5]), &[4, 5], &["weight"]),
        case("two_axes", RmsNorm::new([3, 4]).epsilon(1e-2), &[2, 3, 4], &["weight"]),
        case("without_affine", RmsNorm::new(5).without_affine(), &[1, 5], &[]),
        case("one_example", RmsNorm::new([3]), &[3], &["weight"]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_autograd::Tape;
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn bad_input_is_told() {
        let told = |layer: RmsNorm, wanted: &str| {
            let tape = Tape::new();
            layer.forward(tape.full([4, 3], 1.0, DType::F32));
            let text = tape.error().map(|error| error.to_string()).unwrap_or_default();
            assert!(text.contains(wanted), "{text}");
        };
        told(RmsNorm::new([0, 3]), "nothing to normalise in [0, 3]");
        told(RmsNorm::new([5]), "RmsNorm::new([3]) would take this one");
        told(RmsNorm::new([3]).epsilon(-1e-5), "ε = -0.00001");
    }

    /// The default ε of PyTorch, which for 16 bits is that of f32.
    #[test]
    fn the_default_epsilon_is_that_of_the_sums() -> Result<()> {
        for (dtype, expected) in
            [(DType::BF16, 0.2793), (DType::F16, 0.2783), (DType::F32, 0.2782), (DType::F64, 0.9999989)]
        {
            let x = Tensor::full([1, 4], 1e-4f64)?.cast(dtype)?;
            let y = RmsNorm::new(4).with_dtype(dtype)?.predict(&x)?.to_f64_vec();
            assert!(y.iter().all(|y| (y - expected).abs() < 1e-4), "{dtype}: {y:?}");
        }
        Ok(())
    }
}
