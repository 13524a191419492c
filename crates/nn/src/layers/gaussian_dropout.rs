//! Gaussian dropout: multiply by noise around 1 while training.

use wengert_autograd::Var;

use super::case::Case;
use super::mask::sound;
use super::norm::{refuse, wide};
use crate::layer::Layer;
use crate::module::Module;

/// In training y = x · n, with n normal of mean 1 and deviation √(p / (1 − p)); otherwise y = x.
///
/// The noise has the mean and the variance of the mask of a [`Dropout`](super::dropout::Dropout) with the same p, and
/// silences nothing for good. Any shape of floats. The name is Keras's. Srivastava et al. 2014, section 10.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::gaussian_dropout::GaussianDropout};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let (noise, x) = (GaussianDropout::new(0.5), Tensor::from([1f32, -2.0]));
/// assert!(noise.predict(&x)?.equals(&x));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct GaussianDropout {
    probability: f64,
}

impl GaussianDropout {
    /// As noisy as a dropout with this probability, in `0 ≤ p < 1`. Another number is an error of `forward`.
    pub fn new(probability: f64) -> GaussianDropout {
        GaussianDropout { probability }
    }

    /// The probability of the dropout with the same variance.
    pub fn probability(&self) -> f64 {
        self.probability
    }
}

impl Layer for GaussianDropout {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        let p = self.probability;
        if let Err(error) = sound(x, p) {
            return refuse("GaussianDropout", x, None, error);
        }
        if !tape.is_training() || p == 0.0 {
            return x;
        }
        let wide = wide(x.dtype());
        let noise = tape.normal(x.shape(), wide) * (p / (1.0 - p)).sqrt() + 1.0;
        (x.cast(wide) * noise).cast(x.dtype())
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let layer = GaussianDropout::new(0.3);
    vec![Case::new("gaussian_dropout", "third", layer, [&[4, 3], &[4, 3]], &[]).alone("its noise is its own")]
}

#[cfg(test)]
mod tests {
    use super::super::mask::{assert_random, assert_told, spread};
    use super::*;
    use wengert_autograd::Tape;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::error::Result;

    #[test]
    fn the_noise_has_mean_1_and_the_variance_of_a_mask() -> Result<()> {
        assert_random(&GaussianDropout::new(0.4), &GaussianDropout::new(0.0))?;
        let tape = Tape::training(2u64);
        let y = GaussianDropout::new(0.2).forward(tape.full([50_000], 2.0, DType::F64)).value()?.to_f64_vec();
        let (mean, var) = spread(&y);
        assert!((mean - 2.0).abs() < 0.03 && (var - 1.0).abs() < 0.05, "{mean}, {var}");
        Ok(())
    }

    #[test]
    fn bad_input_is_told() {
        assert_told(&GaussianDropout::new(1.0), &[4, 3], DType::F32, "a probability of 1 to silence");
        assert_told(&GaussianDropout::new(0.5), &[4, 3], DType::I64, "needs floats, not i64");
    }
}
