//! Schedules: how the learning rate changes from step to step.
//!
//! A schedule is a factor on every learning rate of an optimizer, so learning rates of single layers keep their ratio:
//! `AdamW::new(3e-4).schedule(warmup(500).then(cosine(20_000)))`.

use std::f64::consts::PI;

/// A factor on the learning rate, as a function of the number of steps taken before. A closure `|step: u64| …` is one.
pub trait Schedule: Send + Sync + 'static {
    /// The factor for the step after `step` others.
    fn factor(&self, step: u64) -> f64;

    /// After how many steps a schedule chained by [`then`](Schedule::then) takes over; `None` is never.
    fn length(&self) -> Option<u64> {
        None
    }

    /// This schedule for its length, then `next` from its start.
    fn then<S: Schedule>(self, next: S) -> Then<Self, S>
    where
        Self: Sized,
    {
        Then { first: self, next }
    }
}

impl<F: Fn(u64) -> f64 + Send + Sync + 'static> Schedule for F {
    fn factor(&self, step: u64) -> f64 {
        self(step)
    }
}

/// The same factor for ever. See [`constant`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constant(f64);

/// The same factor for ever.
pub fn constant(factor: f64) -> Constant {
    Constant(factor)
}

impl Schedule for Constant {
    fn factor(&self, _step: u64) -> f64 {
        self.0
    }
}

/// A straight line from 0 to 1. See [`warmup`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Warmup(u64);

/// Rises to 1 in `steps` equal parts: 1/steps at the first step, 1 at the last and after it.
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, warmup};
/// assert_eq!([0, 1, 3, 9].map(|step| warmup(4).factor(step)), [0.25, 0.5, 1.0, 1.0]);
/// ```
pub fn warmup(steps: u64) -> Warmup {
    Warmup(steps)
}

impl Schedule for Warmup {
    fn factor(&self, step: u64) -> f64 {
        if step >= self.0 { 1.0 } else { (step + 1) as f64 / self.0 as f64 }
    }
    fn length(&self) -> Option<u64> {
        Some(self.0)
    }
}

/// Half a wave of the cosine from 1 to 0. See [`cosine`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cosine(u64);

/// Falls from 1 to 0 in `steps` steps along (1 + cos(π · step / steps)) / 2, and stays there. Loshchilov & Hutter 2016.
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, cosine, warmup};
/// let schedule = warmup(10).then(cosine(100));
/// assert_eq!(schedule.factor(10), 1.0);
/// assert!((schedule.factor(60) - 0.5).abs() < 1e-12);
/// assert_eq!(schedule.factor(500), 0.0);
/// ```
pub fn cosine(steps: u64) -> Cosine {
    Cosine(steps)
}

impl Schedule for Cosine {
    fn factor(&self, step: u64) -> f64 {
        if step >= self.0 { 0.0 } else { 0.5 * (1.0 + (PI * step as f64 / self.0 as f64).cos()) }
    }
    fn length(&self) -> Option<u64> {
        Some(self.0)
    }
}

/// A fall by a constant ratio. See [`exponential`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exponential {
    ratio: f64,
    every: u64,
}

/// Multiplies by `ratio` after every `every` steps.
///
/// ```
/// use wengert_nn::optim::schedule::{Schedule, exponential};
/// assert_eq!([0, 9, 10, 25].map(|step| exponential(0.5, 10).factor(step)), [1.0, 1.0, 0.5, 0.25]);
/// ```
pub fn exponential(ratio: f64, every: u64) -> Exponential {
    Exponential { ratio, every: every.max(1) }
}

impl Schedule for Exponential {
    fn factor(&self, step: u64) -> f64 {
        self.ratio.powf((step / self.every) as f64)
    }
}

/// One schedule after another. See [`Schedule::then`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Then<A, B> {
    first: A,
    next: B,
}

impl<A: Schedule, B: Schedule> Schedule for Then<A, B> {
    fn factor(&self, step: u64) -> f64 {
        match self.first.length() {
            Some(length) if step >= length => self.next.factor(step - length),
            _ => self.first.factor(step),
        }
    }
    fn length(&self) -> Option<u64> {
        Some(self.first.length()?.saturating_add(self.next.length()?))
    }
}
