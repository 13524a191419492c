//! A warm-up, then a fall as one over the root of the time.

use wengert_tensor::error::Result;

use super::case::Case;
use super::{Schedule, some_steps};

/// A warm-up, then a fall as one over the root of the time. See [`inverse_sqrt`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InverseSqrt {
    warmup: u64,
}

/// min(n / warmup, √(warmup / n)) at the n-th step, n = step + 1: a straight line up to 1 at the end of the warm-up, then a fall. Vaswani
/// et al. 2017 (also called Noam).
///
/// The paper's rate d^(−½) · min(n^(−½), n · warmup^(−3/2)) is this one with a learning rate of (d · warmup)^(−½).
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, inverse_sqrt};
/// assert_eq!([0, 3, 15].map(|step| inverse_sqrt(4).factor(step)), [0.25, 1.0, 0.5]);
/// ```
#[doc(alias("noam", "rsqrt"))]
pub fn inverse_sqrt(warmup: u64) -> InverseSqrt {
    InverseSqrt { warmup }
}

impl Schedule for InverseSqrt {
    fn factor(&self, step: u64) -> f64 {
        let (n, warmup) = (step.saturating_add(1) as f64, self.warmup.max(1) as f64);
        (n / warmup).min((warmup / n).sqrt())
    }
    fn check(&self) -> Result<()> {
        some_steps("inverse_sqrt", "the warm-up", self.warmup)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("inverse_sqrt", "inverse_sqrt", inverse_sqrt(12)).refuses(inverse_sqrt(0), "0 steps")]
}
