//! Cosine waves, each from its top.

use wengert_tensor::error::{Error, Result};

use super::case::Case;
use super::cosine::wave;
use super::{Schedule, some_steps, sound};

/// Half waves of the cosine, one after another. See [`cosine_restarts`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosineRestarts {
    first: u64,
    t_mul: f64,
    m_mul: f64,
    alpha: f64,
}

/// Falls from 1 to 0 along a cosine in `first` steps, jumps back to 1 and falls again, and so on: SGDR, stochastic gradient descent with
/// warm restarts. Loshchilov & Hutter 2016.
///
/// PyTorch's `CosineAnnealingWarmRestarts` and Keras's `CosineDecayRestarts`; but by default the waves are of one length, as PyTorch's,
/// where Keras's grow by 2.
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, cosine_restarts};
/// let schedule = cosine_restarts(10).t_mul(2.0).m_mul(0.5);
/// assert_eq!([0, 10, 30].map(|step| schedule.factor(step)), [1.0, 0.5, 0.25]);
/// ```
#[doc(alias("CosineAnnealingWarmRestarts", "CosineDecayRestarts"))]
pub fn cosine_restarts(first: u64) -> CosineRestarts {
    CosineRestarts { first, t_mul: 1.0, m_mul: 1.0, alpha: 0.0 }
}

impl CosineRestarts {
    /// Every wave is this many times as long as the one before, at least 1.
    #[must_use]
    pub fn t_mul(self, t_mul: f64) -> CosineRestarts {
        CosineRestarts { t_mul, ..self }
    }

    /// Every wave is this many times as high as the one before.
    #[must_use]
    pub fn m_mul(self, m_mul: f64) -> CosineRestarts {
        CosineRestarts { m_mul, ..self }
    }

    /// Falls to this factor instead of 0.
    #[must_use]
    pub fn alpha(self, alpha: f64) -> CosineRestarts {
        CosineRestarts { alpha, ..self }
    }
}

impl Schedule for CosineRestarts {
    fn factor(&self, step: u64) -> f64 {
        let waves = step as f64 / self.first.max(1) as f64;
        let (number, on) = match self.t_mul == 1.0 {
            true => (waves.floor(), waves.fract()),
            false => {
                // Waves 0 to i − 1 are (1 − tⁱ) / (1 − t) first waves long.
                let before = |number: f64| (1.0 - self.t_mul.powf(number)) / (1.0 - self.t_mul);
                let guess = ((1.0 - waves * (1.0 - self.t_mul)).ln() / self.t_mul.ln()).floor().max(0.0);
                // The logarithm may miss a boundary by a rounding.
                let number = if before(guess + 1.0) <= waves { guess + 1.0 } else { guess };
                (number, ((waves - before(number)) / self.t_mul.powf(number)).max(0.0))
            }
        };
        (1.0 - self.alpha) * wave(on) * self.m_mul.powf(number) + self.alpha
    }
    fn check(&self) -> Result<()> {
        some_steps("cosine_restarts", "the first wave", self.first)?;
        sound("cosine_restarts", "alpha", self.alpha)?;
        sound("cosine_restarts", "m_mul", self.m_mul)?;
        match self.t_mul >= 1.0 && self.t_mul.is_finite() {
            true => Ok(()),
            false => {
                Err(Error::value(format!("t_mul is {}, and must be at least 1", self.t_mul)).op("cosine_restarts"))
            }
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, schedule: CosineRestarts| Case::new("cosine_restarts", name, schedule);
    vec![
        case("cosine_restarts_pytorch", cosine_restarts(7).alpha(0.1)).refuses(cosine_restarts(0), "0 steps"),
        case("cosine_restarts_pytorch_longer", cosine_restarts(7).t_mul(2.0))
            .refuses(cosine_restarts(7).t_mul(0.5), "t_mul is 0.5"),
        case("cosine_restarts_keras", cosine_restarts(9).t_mul(1.5).m_mul(0.8).alpha(0.05))
            .refuses(cosine_restarts(7).m_mul(-1.0), "m_mul is -1"),
    ]
}
