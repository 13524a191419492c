//! Schedules: how the learning rate changes from step to step. A file each, and the roll that the tests loop over.
//!
//! A schedule is a factor on every learning rate of an optimizer, so learning rates of single layers keep their ratio:
//! `AdamW::new(3e-4).schedule(warmup(500).then(cosine(20_000)))`. Where PyTorch, Keras or Optax name learning rates, divide them by that
//! of the optimizer: `eta_min = 1e-6` beside `AdamW::new(1e-3)` is a factor of `1e-3`. PyTorch counts epochs where it is called once an
//! epoch; here steps are counted, so multiply by the steps of an epoch.
//!
//! | here | PyTorch | Keras | Optax |
//! |---|---|---|---|
//! | [`constant`](constant()) | `ConstantLR` | | `constant_schedule` |
//! | [`linear`](linear()), [`warmup`](warmup()) | `LinearLR` | | `linear_schedule`, `warmup_constant_schedule` |
//! | [`exponential`](exponential()) | `StepLR`, `ExponentialLR` | `ExponentialDecay` | `exponential_decay` |
//! | [`multistep`](multistep()) | `MultiStepLR` | | `piecewise_constant_schedule` |
//! | [`piecewise_constant`](piecewise_constant()) | | `PiecewiseConstantDecay` | |
//! | [`piecewise_interpolate`](piecewise_interpolate()) | | | `piecewise_interpolate_schedule` |
//! | [`polynomial`](polynomial()) | `PolynomialLR` | `PolynomialDecay` | `polynomial_schedule` |
//! | [`inverse_time`](inverse_time()) | | `InverseTimeDecay` | |
//! | [`natural_exponential`](natural_exponential()) | | (TensorFlow's `natural_exp_decay`) | |
//! | [`cosine`](cosine()) | `CosineAnnealingLR` | `CosineDecay` | `cosine_decay_schedule` |
//! | [`cosine_restarts`](cosine_restarts()) | `CosineAnnealingWarmRestarts` | `CosineDecayRestarts` | |
//! | [`one_cycle`](one_cycle()) | `OneCycleLR` | | |
//! | [`cosine_onecycle`], [`linear_onecycle`] | | | `cosine_onecycle_schedule`, `linear_onecycle_schedule` |
//! | [`cyclic`](cyclic()) | `CyclicLR` | | |
//! | [`warmup_cosine`](warmup_cosine()) | | `CosineDecay` with `warmup_steps` | `warmup_cosine_decay_schedule` |
//! | [`warmup_exponential`](warmup_exponential()) | | | `warmup_exponential_decay_schedule` |
//! | [`inverse_sqrt`](inverse_sqrt()) | (Noam) | | |
//! | [`join`](join()), [`Schedule::then`] | `SequentialLR` | | `join_schedules`, `sgdr_schedule` |
//! | [`Schedule::times`] | `ChainedScheduler` | | |
//! | [`Plateau`] | `ReduceLROnPlateau` | `ReduceLROnPlateau` | `contrib.reduce_on_plateau` |
//! | a closure `\|step\| …` | `LambdaLR` | | a function |
//!
//! Warm-up, stable, decay is `warmup(500).then(constant(1.0).steps(8_000)).then(linear(1.0, 0.0, 1_500))`.

use std::fmt;

use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

use crate::tensors::{Named, under, within};

use case::Case;

pub mod case;
pub mod constant;
pub mod cosine;
pub mod cosine_restarts;
pub mod cyclic;
pub mod exponential;
pub mod inverse_sqrt;
pub mod inverse_time;
pub mod join;
pub mod linear;
pub mod multistep;
pub mod natural_exponential;
pub mod one_cycle;
pub mod piecewise_constant;
pub mod piecewise_interpolate;
pub mod plateau;
pub mod polynomial;
pub mod then;
pub mod times;
pub mod warmup;
pub mod warmup_cosine;
pub mod warmup_exponential;

pub use constant::{Constant, constant};
pub use cosine::{Cosine, cosine};
pub use cosine_restarts::{CosineRestarts, cosine_restarts};
pub use cyclic::{Cyclic, cyclic};
pub use exponential::{Exponential, exponential};
pub use inverse_sqrt::{InverseSqrt, inverse_sqrt};
pub use inverse_time::{InverseTime, inverse_time};
pub use join::{Join, join};
pub use linear::{Linear, linear};
pub use multistep::{Multistep, multistep};
pub use natural_exponential::{NaturalExponential, natural_exponential};
pub use one_cycle::{OneCycle, cosine_onecycle, linear_onecycle, one_cycle};
pub use piecewise_constant::{PiecewiseConstant, piecewise_constant};
pub use piecewise_interpolate::{PiecewiseInterpolate, piecewise_interpolate};
pub use plateau::Plateau;
pub use polynomial::{Polynomial, polynomial};
pub use then::Then;
pub use times::Times;
pub use warmup::{Warmup, warmup};
pub use warmup_cosine::{WarmupCosine, warmup_cosine};
pub use warmup_exponential::{WarmupExponential, warmup_exponential};

/// A factor on the learning rate, as a function of the number of steps taken before. A closure `|step: u64| …` is one.
pub trait Schedule: Send + Sync + 'static {
    /// The factor for the step after `step` others.
    fn factor(&self, step: u64) -> f64;

    /// After how many steps a schedule chained by [`then`](Schedule::then) takes over; `None` is never.
    fn length(&self) -> Option<u64> {
        None
    }

    /// Whether the settings have a meaning. An optimizer asks before its first step.
    ///
    /// # Errors
    /// The setting that has none.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// What it remembers besides the number of the step, to be saved: nothing, unless it watches something as [`Plateau`] does.
    fn state(&self) -> Vec<(String, Tensor)> {
        Vec::new()
    }

    /// Goes on from what [`state`](Schedule::state) gave.
    ///
    /// # Errors
    /// What is missing, or is not what it should be. The schedule is then as it was.
    fn load_state(&self, state: &[(String, Tensor)]) -> Result<()> {
        let _ = state;
        Ok(())
    }

    /// This schedule for its length, then `next` from its start.
    fn then<S: Schedule>(self, next: S) -> Then<Self, S>
    where
        Self: Sized,
    {
        Then::new(self, next)
    }

    /// The product of two schedules: both run from the first step on.
    fn times<S: Schedule>(self, other: S) -> Times<Self, S>
    where
        Self: Sized,
    {
        Times::new(self, other)
    }
}

impl<F: Fn(u64) -> f64 + Send + Sync + 'static> Schedule for F {
    fn factor(&self, step: u64) -> f64 {
        self(step)
    }
}

impl Schedule for Box<dyn Schedule> {
    fn factor(&self, step: u64) -> f64 {
        (**self).factor(step)
    }
    fn length(&self) -> Option<u64> {
        (**self).length()
    }
    fn check(&self) -> Result<()> {
        (**self).check()
    }
    fn state(&self) -> Vec<(String, Tensor)> {
        (**self).state()
    }
    fn load_state(&self, state: &[(String, Tensor)]) -> Result<()> {
        (**self).load_state(state)
    }
}

impl fmt::Debug for dyn Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schedule").field("length", &self.length()).finish_non_exhaustive()
    }
}

/// What several schedules remember, by their places.
fn states<'s>(parts: impl IntoIterator<Item = &'s dyn Schedule>) -> Vec<(String, Tensor)> {
    let named = |(place, part): (usize, &dyn Schedule)| under(&format!("{place}."), part.state()).collect::<Vec<_>>();
    parts.into_iter().enumerate().flat_map(named).collect()
}

/// Takes up what [`states`] gave: all of it, or none.
fn load_states<'s>(parts: impl IntoIterator<Item = &'s dyn Schedule>, state: &[(String, Tensor)]) -> Result<()> {
    let mut before: Vec<(&dyn Schedule, Named)> = Vec::new();
    for (place, part) in parts.into_iter().enumerate() {
        let old = part.state();
        if let Err(error) = part.load_state(&within(&format!("{place}."), state)) {
            before.into_iter().for_each(|(part, old)| _ = part.load_state(&old));
            return Err(error);
        }
        before.push((part, old));
    }
    Ok(())
}

/// How far `step` is on a way of `steps`: from 0 to 1.
fn progress(step: u64, steps: u64) -> f64 {
    if step >= steps { 1.0 } else { step as f64 / steps as f64 }
}

/// That a way is longer than nothing.
fn some_steps(schedule: &str, what: &str, steps: u64) -> Result<()> {
    match steps {
        0 => Err(Error::value(format!("{what} is 0 steps, and must be at least 1")).op(schedule)),
        _ => Ok(()),
    }
}

/// That a number can be a factor of a learning rate.
fn sound(schedule: &str, what: &str, factor: f64) -> Result<()> {
    match factor >= 0.0 && factor.is_finite() {
        true => Ok(()),
        false => {
            let message = format!("{what} is {factor}, and must be finite and not negative");
            Err(Error::value(message).op(schedule).help("it is a factor of the learning rate, which keeps its sign"))
        }
    }
}

/// That boundaries rise.
fn rising(schedule: &str, what: &str, mut boundaries: impl Iterator<Item = u64> + Clone) -> Result<()> {
    match boundaries.clone().zip(boundaries.by_ref().skip(1)).find(|(a, b)| a >= b) {
        None => Ok(()),
        Some((a, b)) => {
            let message =
                format!("{what} are out of order: {a} comes before {b}, and each must be larger than the last");
            Err(Error::value(message).op(schedule))
        }
    }
}

/// The cases of every file of this directory.
pub fn roll() -> Vec<Case> {
    [
        constant::cases as fn() -> Vec<Case>,
        cosine::cases,
        cosine_restarts::cases,
        cyclic::cases,
        exponential::cases,
        inverse_sqrt::cases,
        inverse_time::cases,
        join::cases,
        linear::cases,
        multistep::cases,
        natural_exponential::cases,
        one_cycle::cases,
        piecewise_constant::cases,
        piecewise_interpolate::cases,
        plateau::cases,
        polynomial::cases,
        then::cases,
        times::cases,
        warmup::cases,
        warmup_cosine::cases,
        warmup_exponential::cases,
    ]
    .iter()
    .flat_map(|cases| cases())
    .collect()
}
