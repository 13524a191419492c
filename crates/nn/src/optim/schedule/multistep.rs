//! A fall at given steps.

use wengert_tensor::error::Result;

use super::case::Case;
use super::{Schedule, rising, sound};

/// A fall at given steps. See [`multistep`].
#[derive(Clone, Debug, PartialEq)]
pub struct Multistep {
    milestones: Vec<u64>,
    ratio: f64,
}

/// Multiplies by `ratio` at every milestone: the step after 30 others is the first that the milestone 30 slows down.
///
/// PyTorch's `MultiStepLR`; Optax's `piecewise_constant_schedule` with one scale.
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, multistep};
/// assert_eq!([29, 30, 79, 80].map(|step| multistep([30, 80], 0.5).factor(step)), [1.0, 0.5, 0.5, 0.25]);
/// ```
#[doc(alias("MultiStepLR", "piecewise_constant_schedule"))]
pub fn multistep(milestones: impl Into<Vec<u64>>, ratio: f64) -> Multistep {
    Multistep { milestones: milestones.into(), ratio }
}

impl Schedule for Multistep {
    fn factor(&self, step: u64) -> f64 {
        self.ratio.powf(self.milestones.iter().filter(|&&milestone| step >= milestone).count() as f64)
    }
    fn check(&self) -> Result<()> {
        sound("multistep", "the ratio", self.ratio)?;
        rising("multistep", "the milestones", self.milestones.iter().copied())
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("multistep", "multistep_pytorch", multistep([10, 25, 40], 0.3))
            .refuses(multistep([10, 5], 0.3), "out of order: 10 comes before 5"),
        Case::new("multistep", "multistep_optax", multistep([20, 30], 0.5)).refuses(multistep([3], f64::NAN), "NaN"),
    ]
}
