//! Lines or waves between given points.

use wengert_tensor::error::{Error, Result};

use super::case::Case;
use super::cosine::wave;
use super::{Schedule, progress, rising, sound};

/// Lines or waves between given points. See [`piecewise_interpolate`].
#[derive(Clone, Debug, PartialEq)]
pub struct PiecewiseInterpolate {
    points: Vec<(u64, f64)>,
    cosine: bool,
}

/// Straight lines between points of step and factor; before the first point its factor, after the last point its.
///
/// Optax's `piecewise_interpolate_schedule`, whose scales multiply: factors are given here.
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, piecewise_interpolate};
/// let schedule = piecewise_interpolate([(0, 0.0), (10, 1.0), (30, 0.5)]);
/// assert_eq!([0, 5, 10, 20, 99].map(|step| schedule.factor(step)), [0.0, 0.5, 1.0, 0.75, 0.5]);
/// ```
#[doc(alias = "piecewise_interpolate_schedule")]
pub fn piecewise_interpolate(points: impl Into<Vec<(u64, f64)>>) -> PiecewiseInterpolate {
    PiecewiseInterpolate { points: points.into(), cosine: false }
}

impl PiecewiseInterpolate {
    /// Half waves of the cosine instead of straight lines.
    #[must_use]
    pub fn cosine(self) -> PiecewiseInterpolate {
        PiecewiseInterpolate { cosine: true, ..self }
    }
}

impl Schedule for PiecewiseInterpolate {
    fn factor(&self, step: u64) -> f64 {
        let next = self.points.iter().position(|&(at, _)| at > step).unwrap_or(self.points.len());
        let before = next.checked_sub(1).and_then(|before| self.points.get(before));
        match (before, self.points.get(next)) {
            (Some(&(from, start)), Some(&(to, end))) => {
                let on = progress(step - from, to - from);
                start + (end - start) * if self.cosine { 1.0 - wave(on) } else { on }
            }
            (Some(&(_, factor)), None) | (None, Some(&(_, factor))) => factor,
            (None, None) => f64::NAN,
        }
    }
    fn length(&self) -> Option<u64> {
        self.points.last().map(|&(at, _)| at)
    }
    fn check(&self) -> Result<()> {
        if self.points.is_empty() {
            return Err(Error::value("no points, and at least one is needed").op("piecewise_interpolate"));
        }
        rising("piecewise_interpolate", "the steps", self.points.iter().map(|&(at, _)| at))?;
        self.points.iter().try_for_each(|&(_, factor)| sound("piecewise_interpolate", "a factor", factor))
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let points = [(0, 1.0), (15, 0.5), (40, 0.1)];
    vec![
        Case::new("piecewise_interpolate", "piecewise_interpolate_linear", piecewise_interpolate(points))
            .refuses(piecewise_interpolate([]), "no points")
            .refuses(piecewise_interpolate([(5, 1.0), (4, 0.5)]), "out of order"),
        Case::new("piecewise_interpolate", "piecewise_interpolate_cosine", piecewise_interpolate(points).cosine())
            .refuses(piecewise_interpolate([(5, -1.0)]), "a factor is -1"),
    ]
}
