//! Gaussian noise: add noise around 0 while training.

use wengert_autograd::Var;
use wengert_tensor::error::Error;

use super::case::Case;
use super::mask::sound;
use super::norm::{refuse, wide};
use crate::layer::Layer;
use crate::module::Module;

/// In training y = x + n, with n normal of mean 0 and the given deviation; otherwise y = x.
///
/// Any shape of floats. The name is Keras's.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::gaussian_noise::GaussianNoise};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let (noise, x) = (GaussianNoise::new(0.1), Tensor::from([1f32, -2.0]));
/// assert!(noise.predict(&x)?.equals(&x));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct GaussianNoise {
    std: f64,
}

impl GaussianNoise {
    /// Noise with this deviation, which is finite and at least 0. Another number is an error of `forward`.
    pub fn new(std: f64) -> GaussianNoise {
        GaussianNoise { std }
    }

    /// The deviation.
    pub fn std(&self) -> f64 {
        self.std
    }
}

impl Layer for GaussianNoise {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        let mut fits = sound(x, 0.0);
        if !(self.std.is_finite() && self.std >= 0.0) {
            let error = Error::value(format!("noise with a deviation of {}", self.std));
            fits = Err(error.help("it is finite and at least 0"));
        }
        if let Err(error) = fits {
            return refuse("GaussianNoise", x, None, error);
        }
        if !tape.is_training() || self.std == 0.0 {
            return x;
        }
        let wide = wide(x.dtype());
        (x.cast(wide) + tape.normal(x.shape(), wide) * self.std).cast(x.dtype())
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let layer = GaussianNoise::new(0.5);
    vec![Case::new("gaussian_noise", "half", layer, [&[4, 3], &[4, 3]], &[]).alone("its noise is its own")]
}

#[cfg(test)]
mod tests {
    use super::super::mask::{assert_random, assert_told, spread};
    use super::*;
    use wengert_autograd::Tape;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::error::Result;

    #[test]
    fn the_noise_has_mean_0_and_its_deviation() -> Result<()> {
        assert_random(&GaussianNoise::new(200.0), &GaussianNoise::new(0.0))?;
        let tape = Tape::training(2u64);
        let y = GaussianNoise::new(2.0).forward(tape.full([50_000], 3.0, DType::F64)).value()?.to_f64_vec();
        let (mean, var) = spread(&y);
        assert!((mean - 3.0).abs() < 0.05 && (var - 4.0).abs() < 0.15, "{mean}, {var}");
        Ok(())
    }

    #[test]
    fn bad_input_is_told() {
        assert_told(&GaussianNoise::new(-1.0), &[4, 3], DType::F32, "noise with a deviation of -1");
        assert_told(&GaussianNoise::new(f64::NAN), &[4, 3], DType::F32, "noise with a deviation of NaN");
        assert_told(&GaussianNoise::new(1.0), &[4, 3], DType::I64, "needs floats, not i64");
    }
}
