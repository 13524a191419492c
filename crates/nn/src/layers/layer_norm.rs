//! Layer normalisation: the features of every example have mean 0 and variance 1.

use wengert_autograd::Var;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::{IntoShape, Shape};

use super::case::Case;
use super::norm::{affine, affine_settings, parameter, refuse, sound, standardized, trailing, wide};
use crate::init::Init;
use crate::layer::Layer;
use crate::module::Module;
use crate::param::Param;

/// y = (x − mean) / √(var + ε) · weight + bias, with mean and variance over the last axes of the input.
///
/// | | shape |
/// |---|---|
/// | x | `[…, features…]`, floats; statistics of 16 bits are taken in f32 |
/// | `weight`, `bias` | `[features…]`, from ones and zeros |
/// | y | as x |
///
/// var = Σ(x − mean)² / n. The same in training and evaluation. The names and defaults (ε = 1e-5) are those of
/// PyTorch's `LayerNorm`. Ba, Kiros & Hinton 2016.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::layer_norm::LayerNorm};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let norm = LayerNorm::new([2]).epsilon(0.0);
/// let y = norm.predict(&Tensor::from([[1f32, 3.0], [20.0, 10.0]]))?;
/// assert_eq!(y.to_vec::<f32>()?, [-1.0, 1.0, 1.0, -1.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct LayerNorm {
    /// The scale, `[features…]`, unless the layer was made [`without_affine`](LayerNorm::without_affine).
    pub weight: Option<Param>,
    /// The offset, `[features…]`.
    pub bias: Option<Param>,
    #[module(skip)]
    shape: Result<Shape>,
    epsilon: f64,
}

impl LayerNorm {
    /// A layer over the last axes, of these sizes: a number for the last axis alone, or an array. What is wrong is
    /// reported by the first use.
    #[track_caller]
    pub fn new(shape: impl IntoShape) -> LayerNorm {
        let shape = shape.into_shape();
        let of = |init| match &shape {
            Ok(shape) => parameter("LayerNorm", shape, init),
            Err(error) => Param::faulty(error.clone()),
        };
        let (weight, bias) = (Some(of(Init::Ones)), Some(of(Init::Zeros)));
        LayerNorm { weight, bias, shape, epsilon: 1e-5 }
    }
}

affine_settings!(LayerNorm);

impl Layer for LayerNorm {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        let fits = || -> Result<_> {
            let shape = self.shape.as_ref().map_err(Error::clone)?;
            sound(x, self.epsilon)?;
            Ok((shape, trailing("LayerNorm", x, shape)?))
        };
        match fits() {
            Ok((shape, axes)) => {
                let y = standardized(x.cast(wide(x.dtype())), &axes, self.epsilon);
                affine(x, y, self.weight.as_ref(), self.bias.as_ref(), shape.dims())
            }
            Err(error) => refuse("LayerNorm", x, self.weight.as_ref(), error),
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, layer, shape: &[usize], names| Case::new("layer_norm", name, layer, [shape, shape], names);
    let both: &[&str] = &["weight", "bias"];
    vec![
        case("rows", LayerNorm::new([5]), &[4, 5], both),
        case("two_axes", LayerNorm::new([3, 4]).epsilon(1e-2), &[2, 3, 4], both),
        case("sequence", LayerNorm::new(4), &[2, 3, 4], both),
        case("without_bias", LayerNorm::new([5]).without_bias(), &[4, 5], &["weight"]),
        case("without_affine", LayerNorm::new([5]).without_affine(), &[1, 5], &[]),
        case("one_example", LayerNorm::new([3]), &[3], both),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_autograd::Tape;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::random::{Key, normal_f32};
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn bad_input_is_told() {
        let told = |layer: LayerNorm, x: DType, wanted: &str| {
            let tape = Tape::new();
            layer.forward(tape.full([4, 3], 1.0, x));
            let text = tape.error().map(|error| error.to_string()).unwrap_or_default();
            assert!(text.contains(wanted), "{text}");
        };
        told(LayerNorm::new([0]), DType::F32, "nothing to normalise in [0]");
        told(LayerNorm::new([]), DType::F32, "nothing to normalise in []");
        told(LayerNorm::new([5]), DType::F32, "takes inputs whose last axes are [5], not [4, 3]");
        told(LayerNorm::new([5]), DType::F32, "LayerNorm::new([3]) would take this one");
        told(LayerNorm::new([2, 4, 3]), DType::F32, "takes inputs whose last axes are [2, 4, 3], not [4, 3]");
        told(LayerNorm::new([usize::MAX, 2]), DType::F32, "overflow");
        told(LayerNorm::new([3]).epsilon(f64::INFINITY), DType::F32, "ε = inf");
        told(LayerNorm::new([3]).without_affine(), DType::I64, "needs floats, not i64");
        told(LayerNorm::new([3]), DType::F64, "f32");
    }

    #[test]
    fn a_large_mean_costs_no_digits_and_16_bits_are_summed_in_32() -> Result<()> {
        let draw = |i: usize| normal_f32(Key::new(1), i as u64);
        let far = Tensor::from_fn([2, 4096], |i| 1e4 + draw(i))?;
        let wide = Tensor::from_fn([2, 4096], |i| 300.0 + 200.0 * draw(i))?;
        for x in [far, wide.cast(DType::F16)?, wide.cast(DType::BF16)?] {
            let y = LayerNorm::new([4096]).predict(&x)?;
            assert_eq!(y.dtype(), x.dtype());
            for row in y.to_f64_vec().chunks(4096) {
                let mean = row.iter().sum::<f64>() / 4096.0;
                let var = row.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / 4096.0;
                assert!(mean.abs() < 2e-3 && (var - 1.0).abs() < 4e-3, "{}: {mean}, {var}", x.dtype());
            }
        }
        Ok(())
    }
}
