//! One cycle: up to the top, and down to almost nothing.

use wengert_tensor::error::{Error, Result};

use super::case::Case;
use super::cosine::wave;
use super::piecewise_interpolate::{PiecewiseInterpolate, piecewise_interpolate};
use super::{Schedule, some_steps};

/// Up to the top and down to almost nothing. See [`one_cycle`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneCycle {
    steps: u64,
    pct_start: f64,
    div_factor: f64,
    final_div_factor: f64,
    linear: bool,
    three_phase: bool,
}

/// Rises from 1/25 to 1 in the first 30 % of the steps, and falls to 1/250 000 in the rest, along half waves of the cosine. Smith &
/// Topin 2017.
///
/// PyTorch's `OneCycleLR`, with its `max_lr` as the learning rate of the optimizer. (It also moves the momentum, which this does not.) After
/// the steps, where PyTorch refuses, the rate stays.
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, one_cycle};
/// let schedule = one_cycle(100);
/// assert_eq!([0, 29].map(|step| schedule.factor(step)), [1.0 / 25.0, 1.0]);
/// assert!((schedule.factor(99) - 1.0 / 250_000.0).abs() < 1e-12);
/// ```
#[doc(alias = "OneCycleLR")]
pub fn one_cycle(steps: u64) -> OneCycle {
    OneCycle { steps, pct_start: 0.3, div_factor: 25.0, final_div_factor: 1e4, linear: false, three_phase: false }
}

/// Optax's `cosine_onecycle_schedule`: waves from 1/25 to 1 in 30 % of the steps, and to 1/250 000 in the rest.
///
/// It reaches its points one step later than PyTorch's [`one_cycle`].
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, cosine_onecycle};
/// assert_eq!([0, 30].map(|step| cosine_onecycle(100).factor(step)), [1.0 / 25.0, 1.0]);
/// ```
pub fn cosine_onecycle(steps: u64) -> PiecewiseInterpolate {
    let points = [(0, 1.0 / 25.0), (share(0.3, steps), 1.0), (steps, 1.0 / 250_000.0)];
    piecewise_interpolate(points).cosine()
}

/// Optax's `linear_onecycle_schedule`: lines from 1/25 to 1 in 30 % of the steps, back at 85 % of them, and to 1/250 000 at the end.
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, linear_onecycle};
/// assert_eq!([0, 30, 85].map(|step| linear_onecycle(100).factor(step)), [1.0 / 25.0, 1.0, 1.0 / 25.0]);
/// ```
pub fn linear_onecycle(steps: u64) -> PiecewiseInterpolate {
    let (start, end) = (1.0 / 25.0, 1.0 / 250_000.0);
    piecewise_interpolate([(0, start), (share(0.3, steps), 1.0), (share(0.85, steps), start), (steps, end)])
}

fn share(share: f64, steps: u64) -> u64 {
    (share * steps as f64) as u64
}

impl OneCycle {
    /// The share of the steps in which it rises.
    #[must_use]
    pub fn pct_start(self, share: f64) -> OneCycle {
        OneCycle { pct_start: share, ..self }
    }

    /// It starts at 1 / this.
    #[must_use]
    pub fn div_factor(self, divisor: f64) -> OneCycle {
        OneCycle { div_factor: divisor, ..self }
    }

    /// It ends at its start / this.
    #[must_use]
    pub fn final_div_factor(self, divisor: f64) -> OneCycle {
        OneCycle { final_div_factor: divisor, ..self }
    }

    /// Along straight lines.
    #[must_use]
    pub fn linear(self) -> OneCycle {
        OneCycle { linear: true, ..self }
    }

    /// Falls as fast as it rose, and to the end in what is left.
    #[must_use]
    pub fn three_phase(self) -> OneCycle {
        OneCycle { three_phase: true, ..self }
    }

    /// The first steps of which a phase is over, and the factors there: the start, and each phase.
    fn points(&self) -> Vec<(f64, f64)> {
        let (start, last, up) = (1.0 / self.div_factor, self.steps as f64 - 1.0, self.pct_start * self.steps as f64);
        let mut points = vec![(0.0, start), (up - 1.0, 1.0)];
        if self.three_phase {
            points.push((2.0 * up - 2.0, start));
        }
        points.push((last, start / self.final_div_factor));
        points
    }
}

impl Schedule for OneCycle {
    fn factor(&self, step: u64) -> f64 {
        let (points, step) = (self.points(), step as f64);
        let phase = points.iter().zip(points.iter().skip(1)).find(|(_, end)| step <= end.0);
        match (phase, points.last()) {
            (Some((from, to)), _) => {
                let on = if to.0 > from.0 { (step - from.0) / (to.0 - from.0) } else { 1.0 };
                from.1 + (to.1 - from.1) * if self.linear { on } else { 1.0 - wave(on) }
            }
            (None, last) => last.map_or(f64::NAN, |last| last.1),
        }
    }
    fn length(&self) -> Option<u64> {
        Some(self.steps)
    }
    fn check(&self) -> Result<()> {
        some_steps("one_cycle", "the cycle", self.steps)?;
        let most = if self.three_phase { 0.5 } else { 1.0 };
        if !(0.0..=most).contains(&self.pct_start) {
            let message = format!("the share in which it rises is {}, and must lie in 0 to {most}", self.pct_start);
            return Err(Error::value(message).op("one_cycle"));
        }
        for (name, divisor) in [("div_factor", self.div_factor), ("final_div_factor", self.final_div_factor)] {
            if !(divisor > 0.0 && divisor.is_finite()) {
                return Err(Error::value(format!("{name} is {divisor}, and must be positive")).op("one_cycle"));
            }
        }
        Ok(())
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, schedule: OneCycle| Case::new("one_cycle", name, schedule);
    vec![
        case("one_cycle_cosine", one_cycle(60)).refuses(one_cycle(0), "0 steps"),
        case("one_cycle_linear", one_cycle(60).linear().pct_start(0.25).div_factor(10.0).final_div_factor(100.0))
            .refuses(one_cycle(9).pct_start(1.5), "1.5")
            .refuses(one_cycle(9).div_factor(0.0), "div_factor is 0"),
        case("one_cycle_three_phase", one_cycle(60).three_phase())
            .refuses(one_cycle(9).three_phase().pct_start(0.7), "0 to 0.5"),
        Case::new("one_cycle", "cosine_onecycle_optax", cosine_onecycle(50))
            .refuses(cosine_onecycle(2), "out of order"),
        Case::new("one_cycle", "linear_onecycle_optax", linear_onecycle(50)),
    ]
}
