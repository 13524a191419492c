//! MinMaxNorm: norms between two bounds.

use wengert_autograd::Var;
use wengert_tensor::error::{Error, Result};

use super::case::Case;
use super::constraint::{Constraint, not_negative};
use super::norms::Along;

/// w ← w · n / ‖w‖ with n = rate · min(max(‖w‖, low), high) + (1 − rate) · ‖w‖: norms between two bounds, or nearer to them by a rate.
///
/// Axes and zeros are as for [`MaxNorm`](super::max_norm::MaxNorm). Keras's `MinMaxNorm`.
///
/// ```
/// use wengert_autograd::Apply;
/// use wengert_nn::constraints::{constraint::Constraint, min_max_norm::MinMaxNorm};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let rule = MinMaxNorm::new(1.0, 2.5).rate(0.5); // half of the way
/// let w = Tensor::from([[3f32, 4.0], [0.0, 0.5]]).apply(|w| rule.apply(w))?;
/// assert_eq!(w.to_vec::<f32>()?, [2.25, 3.0, 0.0, 0.75]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MinMaxNorm {
    low: f64,
    high: f64,
    rate: f64,
    along: Along,
}

impl MinMaxNorm {
    /// Norms between these bounds.
    pub fn new(low: f64, high: f64) -> MinMaxNorm {
        MinMaxNorm { low, high, rate: 1.0, along: Along::default() }
    }

    /// Which part of the way to the bounds one step goes; all of it, 1, unless set.
    #[must_use]
    pub fn rate(mut self, rate: f64) -> MinMaxNorm {
        self.rate = rate;
        self
    }

    /// Takes the norm along these axes.
    #[must_use]
    pub fn axes(mut self, axes: impl AsRef<[isize]>) -> MinMaxNorm {
        self.along = Along::axes(axes);
        self
    }
}

impl Constraint for MinMaxNorm {
    fn check(&self) -> Result<()> {
        not_negative("MinMaxNorm", "low", self.low)?;
        not_negative("MinMaxNorm", "high", self.high)?;
        if self.low > self.high {
            let error = Error::value(format!("norms between {} and {} do not exist", self.low, self.high));
            return Err(error.op("MinMaxNorm").help("`low` is at most `high`"));
        }
        match (0.0..=1.0).contains(&self.rate) {
            true => Ok(()),
            false => Err(Error::value(format!("rate = {} has no meaning", self.rate))
                .op("MinMaxNorm")
                .help("the rate lies between 0 and 1")),
        }
    }

    #[track_caller]
    fn apply<'t>(&self, weight: Var<'t>) -> Var<'t> {
        let _scope = weight.tape().scope("MinMaxNorm");
        self.along.rescale(weight, |norms| {
            let bounded = norms.clamp(self.low, self.high);
            // Within the bounds the sum below may round; what is allowed stays.
            if self.rate == 1.0 { bounded } else { norms + (bounded - norms) * self.rate }
        })
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("min_max_norm", "columns", MinMaxNorm::new(1.2, 1.8).axes([0])),
        Case::new("min_max_norm", "rate", MinMaxNorm::new(1.2, 1.8).rate(0.3).axes([1])),
    ]
}
