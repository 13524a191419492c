//! Given factors between given steps.

use wengert_tensor::error::{Error, Result};

use super::case::Case;
use super::{Schedule, rising, sound};

/// Given factors between given steps. See [`piecewise_constant`].
#[derive(Clone, Debug, PartialEq)]
pub struct PiecewiseConstant {
    boundaries: Vec<u64>,
    factors: Vec<f64>,
}

/// The first factor before the first boundary, the second from there to the second one, and so on: one factor more than boundaries.
///
/// Keras's `PiecewiseConstantDecay`, whose boundary belongs to the piece before it: its boundary b is b + 1 here.
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, piecewise_constant};
/// let schedule = piecewise_constant([10, 20], [1.0, 0.5, 0.1]);
/// assert_eq!([9, 10, 19, 20].map(|step| schedule.factor(step)), [1.0, 0.5, 0.5, 0.1]);
/// ```
#[doc(alias = "PiecewiseConstantDecay")]
pub fn piecewise_constant(boundaries: impl Into<Vec<u64>>, factors: impl Into<Vec<f64>>) -> PiecewiseConstant {
    PiecewiseConstant { boundaries: boundaries.into(), factors: factors.into() }
}

impl Schedule for PiecewiseConstant {
    fn factor(&self, step: u64) -> f64 {
        let piece = self.boundaries.iter().filter(|&&boundary| step >= boundary).count();
        self.factors.get(piece).or(self.factors.last()).copied().unwrap_or(f64::NAN)
    }
    fn check(&self) -> Result<()> {
        let (boundaries, factors) = (self.boundaries.len(), self.factors.len());
        if factors != boundaries + 1 {
            let message =
                format!("{factors} factors for {boundaries} boundaries, which have {} pieces", boundaries + 1);
            return Err(Error::value(message).op("piecewise_constant"));
        }
        rising("piecewise_constant", "the boundaries", self.boundaries.iter().copied())?;
        self.factors.iter().try_for_each(|&factor| sound("piecewise_constant", "a factor", factor))
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let keras = piecewise_constant([11, 31], [1.0, 0.5, 0.1]);
    vec![
        Case::new("piecewise_constant", "piecewise_constant_keras", keras)
            .refuses(piecewise_constant([11], [1.0]), "1 factors for 1 boundaries")
            .refuses(piecewise_constant([], []), "0 factors for 0 boundaries")
            .refuses(piecewise_constant([11, 11], [1.0, 0.5, 0.1]), "out of order")
            .refuses(piecewise_constant([11], [1.0, -0.5]), "a factor is -0.5"),
    ]
}
