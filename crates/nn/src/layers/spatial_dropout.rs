//! Spatial dropout: silence whole channels at random while training.

use wengert_autograd::Var;

use super::case::Case;
use super::mask::{dropped, per_channel, sound};
use super::norm::refuse;
use crate::layer::Layer;
use crate::module::Module;

/// In training y = x · m / (1 − p), where m is one number for each channel of each example: 0 with probability p and
/// else 1; otherwise y = x.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, channels, n…]`, floats |
/// | m | `[batch, channels, 1…]` |
/// | y | as x |
///
/// Neighbouring places of an image say nearly the same, so that silencing single elements hides little. This is
/// PyTorch's `Dropout1d`, `Dropout2d` and `Dropout3d`, and Keras's `SpatialDropout1D` to `3D` with the channels on
/// axis 1. Tompson et al. 2015.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{layer::Layer, layers::spatial_dropout::SpatialDropout};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let (drop, images) = (SpatialDropout::new(0.5), Tensor::ones([4, 3, 8, 8], DType::F32)?);
/// let tape = Tape::training(7u64);
/// let y = drop.forward(tape.input(&images)).value()?.to_vec::<f32>()?;
/// // Each channel is silent or twice as loud.
/// assert!(y.chunks(8 * 8).all(|channel| channel == [0.0; 64] || channel == [2.0; 64]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct SpatialDropout {
    probability: f64,
}

impl SpatialDropout {
    /// Silences each channel with this probability, in `0 ≤ p < 1`. Another number is an error of `forward`.
    pub fn new(probability: f64) -> SpatialDropout {
        SpatialDropout { probability }
    }

    /// The probability with which a channel is silenced.
    pub fn probability(&self) -> f64 {
        self.probability
    }
}

impl Layer for SpatialDropout {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        match sound(x, self.probability).and_then(|()| per_channel(x)) {
            Ok(shape) if x.tape().is_training() && self.probability > 0.0 => dropped(x, self.probability, &shape),
            Ok(_) => x,
            Err(error) => refuse("SpatialDropout", x, None, error),
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, shape: &[usize]| {
        Case::new("spatial_dropout", name, SpatialDropout::new(0.3), [shape, shape], &[]).alone("its mask is its own")
    };
    vec![case("line", &[4, 3, 2]), case("images", &[2, 3, 2, 2])]
}

#[cfg(test)]
mod tests {
    use super::super::mask::{assert_random, assert_told};
    use super::*;
    use wengert_autograd::Tape;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::error::Result;

    #[test]
    fn channels_are_silent_as_often_as_was_asked() -> Result<()> {
        assert_random(&SpatialDropout::new(0.4), &SpatialDropout::new(0.0))?;
        let tape = Tape::training(5u64);
        let y = SpatialDropout::new(0.25).forward(tape.full([100, 100, 3], 3.0, DType::F64)).value()?.to_f64_vec();
        assert!(y.chunks(3).all(|channel| channel == [0.0; 3] || channel == [4.0; 3]));
        let silent = y.chunks(3).filter(|channel| channel == &[0.0; 3]).count();
        assert!((2370..2630).contains(&silent), "{silent} of 10,000 with probability ¼");
        Ok(())
    }

    #[test]
    fn bad_input_is_told() {
        assert_told(&SpatialDropout::new(0.5), &[4, 3], DType::F32, "takes [batch, channels, n…], not [4, 3]");
        assert_told(&SpatialDropout::new(1.0), &[4, 3, 2], DType::F32, "a probability of 1 to silence");
        assert_told(&SpatialDropout::new(f64::NAN), &[4, 3, 2], DType::F32, "a probability of NaN");
        assert_told(&SpatialDropout::new(0.5), &[4, 3, 2], DType::I64, "needs floats, not i64");
    }
}
