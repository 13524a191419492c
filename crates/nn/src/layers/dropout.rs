//! Dropout: silence elements at random while training.

use wengert_autograd::Var;
use wengert_tensor::error::Error;

use super::case::Case;
use crate::layer::Layer;
use crate::module::Module;

/// In training y = x · m / (1 − p), where each element of m is 0 with probability p and else 1; otherwise y = x.
///
/// The mask is a function of the tape's key and of the place of this op on the tape, so a tape with the same key draws the
/// same mask, on any number of threads. Srivastava et al. 2014.
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
        let tape = x.tape();
        let _scope = tape.scope("Dropout");
        if !(0.0..1.0).contains(&self.probability) {
            let error = Error::value(format!("a probability of {} to silence an element", self.probability));
            return tape.reject("Dropout", &[("input", x)], error.help("it is at least 0 and below 1"));
        }
        x.dropout(self.probability)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("dropout", "third", Dropout::new(0.3), [&[4, 3], &[4, 3]], &[]).alone("its mask is its own")]
}
