//! A fall as one over the time.

use wengert_tensor::error::Result;

use super::case::Case;
use super::{Schedule, some_steps, sound};

/// A fall as one over the time. See [`inverse_time`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InverseTime {
    rate: f64,
    every: u64,
    staircase: bool,
}

/// 1 / (1 + rate · step / every). Keras's `InverseTimeDecay`.
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, inverse_time};
/// assert_eq!([0, 10, 30].map(|step| inverse_time(1.0, 10).factor(step)), [1.0, 0.5, 0.25]);
/// ```
#[doc(alias = "InverseTimeDecay")]
pub fn inverse_time(rate: f64, every: u64) -> InverseTime {
    InverseTime { rate, every, staircase: false }
}

impl InverseTime {
    /// Falls only after every `every` steps.
    #[must_use]
    pub fn staircase(self) -> InverseTime {
        InverseTime { staircase: true, ..self }
    }
}

impl Schedule for InverseTime {
    fn factor(&self, step: u64) -> f64 {
        let times = step as f64 / self.every.max(1) as f64;
        1.0 / (1.0 + self.rate * if self.staircase { times.floor() } else { times })
    }
    fn check(&self) -> Result<()> {
        sound("inverse_time", "the rate", self.rate)?;
        some_steps("inverse_time", "`every`", self.every)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, schedule: InverseTime| Case::new("inverse_time", name, schedule);
    vec![
        case("inverse_time", inverse_time(0.5, 7)).refuses(inverse_time(-0.4, 10), "rate is -0.4"),
        case("inverse_time_staircase", inverse_time(0.5, 7).staircase()).refuses(inverse_time(0.4, 0), "0 steps"),
    ]
}
