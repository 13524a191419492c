//! The same factor at every step.

use wengert_tensor::error::Result;

use super::case::Case;
use super::{Schedule, sound};

/// The same factor. See [`constant`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constant {
    factor: f64,
    steps: Option<u64>,
}

/// The same factor for ever, or for some [`steps`](Constant::steps) and 1 after them. PyTorch's `ConstantLR`.
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, constant};
/// assert_eq!(constant(0.5).factor(1_000_000), 0.5);
/// assert_eq!([0, 4, 5].map(|step| constant(0.1).steps(5).factor(step)), [0.1, 0.1, 1.0]);
/// ```
#[doc(alias = "ConstantLR")]
pub fn constant(factor: f64) -> Constant {
    Constant { factor, steps: None }
}

impl Constant {
    /// For this many steps, and 1 after them; what is chained by [`then`](Schedule::then) takes over there.
    #[must_use]
    pub fn steps(self, steps: u64) -> Constant {
        Constant { steps: Some(steps), ..self }
    }
}

impl Schedule for Constant {
    fn factor(&self, step: u64) -> f64 {
        if self.steps.is_some_and(|steps| step >= steps) { 1.0 } else { self.factor }
    }
    fn length(&self) -> Option<u64> {
        self.steps
    }
    fn check(&self) -> Result<()> {
        sound("constant", "the factor", self.factor)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("constant", "constant", constant(0.25)).refuses(constant(-1.0), "factor is -1"),
        Case::new("constant", "constant_steps", constant(1.0 / 3.0).steps(5)).refuses(constant(f64::NAN), "NaN"),
    ]
}
