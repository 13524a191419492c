//! Dropout: silence elements at random while training.

use wengert_autograd::Var;

use super::case::Case;
use super::mask::sound;
use super::norm::refuse;
use crate::layer::Layer;
use crate::module::Module;

/// In training y = x · m / (1 − p), where each element of m is 0 with probability p and else 1; otherwise y = x.
///
/// The mask is a function of the tape's key and of the place of this op on the tape, so a tape with the same key
/// draws the same mask, on any number of threads. Srivastava et al. 2014.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{layer::Layer, layers::dropout::Dropout};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let (drop, x) = (Dropout::new(0.5), Tensor::from(vec![1f32; 100]));
/// assert!(drop.predict(&x)?.equals(&x));
///
/// let tape = Tape::training(7u64);
/// let y = drop.forward(tape.input(&x)).value()?;
/// assert!(y.to_vec::<f32>()?.iter().all(|&v| v == 0.0 || v == 2.0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct Dropout {
    probability: f64,
}

impl Dropout {
    /// Silences each element with this probability, in `0 ≤ p < 1`. Another number is an error of `forward`.
    pub fn new(probability: f64) -> Dropout {
        Dropout { probability }
    }

    /// The probability with which an element is silenced.
    pub fn probability(&self) -> f64 {
        self.probability
    }
}

impl Layer for Dropout {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        match sound(x, self.probability) {
            Ok(()) => x.dropout(self.probability),
            Err(error) => refuse("Dropout", x, None, error),
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("dropout", "third", Dropout::new(0.3), [&[4, 3], &[4, 3]], &[]).alone("its mask is its own")]
}

#[cfg(test)]
mod tests {
    use super::super::mask::{assert_random, assert_told, spread};
    use super::*;
    use wengert_autograd::Tape;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::error::Result;

    #[test]
    fn elements_are_silent_as_often_as_was_asked() -> Result<()> {
        assert_random(&Dropout::new(0.4), &Dropout::new(0.0))?;
        let tape = Tape::training(5u64);
        let y = Dropout::new(0.25).forward(tape.full([100, 100], 3.0, DType::F64)).value()?.to_f64_vec();
        assert!(y.iter().all(|&y| y == 0.0 || y == 4.0));
        let silent = y.iter().filter(|&&y| y == 0.0).count();
        assert!((2370..2630).contains(&silent), "{silent} of 10,000 with probability ¼");
        let (mean, var) = spread(&y);
        assert!((mean - 3.0).abs() < 0.06 && (var - 3.0).abs() < 0.1, "{mean}, {var}");
        Ok(())
    }

    /// No row, no column and no pair of neighbours is favoured.
    #[test]
    fn the_mask_has_no_pattern() -> Result<()> {
        let tape = Tape::training(9u64);
        let y = Dropout::new(0.5).forward(tape.full([256, 256], 1.0, DType::F32)).value()?.to_f64_vec();
        let kept: Vec<bool> = y.iter().map(|&y| y > 0.0).collect();
        let half = |count: usize, of: usize| {
            let deviations = (count as f64 - of as f64 / 2.0).abs() / (of as f64 / 4.0).sqrt();
            assert!(deviations < 5.0, "{count} of {of}");
        };
        for line in 0..256 {
            half(kept[line * 256..][..256].iter().filter(|&&kept| kept).count(), 256);
            half(kept.iter().skip(line).step_by(256).filter(|&&kept| kept).count(), 256);
        }
        for apart in [1, 2, 4, 16, 256] {
            half(kept.iter().zip(&kept[apart..]).filter(|(a, b)| a == b).count(), kept.len() - apart);
        }
        Ok(())
    }

    #[test]
    fn bad_input_is_told() {
        assert_told(&Dropout::new(1.0), &[4, 3], DType::F32, "a probability of 1 to silence");
        assert_told(&Dropout::new(f64::NAN), &[4, 3], DType::F32, "a probability of NaN");
        assert_told(&Dropout::new(0.5), &[4, 3], DType::I64, "needs floats, not i64");
    }
}
