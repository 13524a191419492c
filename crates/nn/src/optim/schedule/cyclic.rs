//! Up and down between two rates.

use wengert_tensor::error::{Error, Result};

use super::case::Case;
use super::{Schedule, some_steps, sound};

/// How high a cycle goes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Height {
    Triangular,
    Triangular2,
    ExpRange(f64),
}

/// Triangles between a base and 1. See [`cyclic`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cyclic {
    base: f64,
    up: u64,
    down: Option<u64>,
    height: Height,
}

/// Rises from the factor `base` to 1 in `up` steps, falls back in as many, and so on. Smith 2015.
///
/// PyTorch's `CyclicLR`, with its `max_lr` as the learning rate of the optimizer and `base = base_lr / max_lr`.
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, cyclic};
/// assert_eq!([0, 10, 20, 30].map(|step| cyclic(0.5, 10).triangular2().factor(step)), [0.5, 1.0, 0.5, 0.75]);
/// ```
#[doc(alias = "CyclicLR")]
pub fn cyclic(base: f64, up: u64) -> Cyclic {
    Cyclic { base, up, down: None, height: Height::Triangular }
}

impl Cyclic {
    /// Falls in this many steps instead of as many as it rises.
    #[must_use]
    pub fn down(self, steps: u64) -> Cyclic {
        Cyclic { down: Some(steps), ..self }
    }

    /// Every cycle is half as high above the base as the one before.
    #[must_use]
    pub fn triangular2(self) -> Cyclic {
        Cyclic { height: Height::Triangular2, ..self }
    }

    /// The height above the base shrinks by this factor at every step.
    #[must_use]
    pub fn exp_range(self, gamma: f64) -> Cyclic {
        Cyclic { height: Height::ExpRange(gamma), ..self }
    }
}

impl Schedule for Cyclic {
    fn factor(&self, step: u64) -> f64 {
        let (up, down) = (self.up.max(1), self.down.unwrap_or(self.up).max(1));
        let cycle = up.saturating_add(down);
        let on = step % cycle;
        let height = if on <= up { on as f64 / up as f64 } else { (cycle - on) as f64 / down as f64 };
        let scale = match self.height {
            Height::Triangular => 1.0,
            Height::Triangular2 => 0.5f64.powf((step / cycle) as f64),
            Height::ExpRange(gamma) => gamma.powf(step as f64),
        };
        self.base + (1.0 - self.base) * height * scale
    }
    fn check(&self) -> Result<()> {
        some_steps("cyclic", "the way up", self.up)?;
        some_steps("cyclic", "the way down", self.down.unwrap_or(self.up))?;
        sound("cyclic", "the base", self.base)?;
        match self.height {
            Height::ExpRange(gamma) => sound("cyclic", "gamma", gamma),
            _ if self.base > 1.0 => {
                let error = Error::value(format!("the base is {}, and must not be above the top, 1", self.base));
                Err(error.op("cyclic").help("the optimizer's learning rate is the top of the cycle"))
            }
            _ => Ok(()),
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, schedule: Cyclic| Case::new("cyclic", name, schedule);
    vec![
        case("cyclic_triangular", cyclic(0.1, 8)).refuses(cyclic(0.1, 0), "0 steps"),
        case("cyclic_triangular2", cyclic(0.1, 5).down(9).triangular2()).refuses(cyclic(1.5, 5), "base is 1.5"),
        case("cyclic_exp_range", cyclic(0.2, 6).exp_range(0.97)).refuses(cyclic(0.1, 5).exp_range(-1.0), "gamma is -1"),
    ]
}
