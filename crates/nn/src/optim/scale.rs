//! Steps that are not finite, and the scale of the loss that keeps 16 bits from losing small gradients.

use std::collections::HashMap;
use std::rc::Rc;

use wengert_autograd::{Gradients, Var};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

use super::optimizer::{Optimizer, working};
use super::rule::{Numbers, Rule};
use super::state::{count, missing};

/// The factor by which a loss is multiplied before its gradients are computed, and by which they are divided, in f32, before anything else
/// sees them: gradients below 6e-8 are 0 in f16, those of the scaled loss are not.
///
/// [`LossScale::dynamic`] halves the factor in every step whose gradients are not finite, which is skipped, and doubles it after 2000 steps
/// in a row that were. Micikevicius et al. 2017; the numbers of PyTorch's `GradScaler`.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{optim::{scale::LossScale, sgd::Sgd}, param::Param};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut weight = Param::new(Tensor::from(1f32).cast(DType::F16)?);
/// let mut sgd = Sgd::new(1e6).loss_scale(LossScale::dynamic());
/// let tape = Tape::new();
/// // The gradient of 1e-4 · (1e-4 · w) is 0 in f16, unless the loss is scaled.
/// let loss = (weight.on(&tape) * 1e-4).cast(DType::F32) * 1e-4;
/// let gradients = sgd.backward(loss);
/// sgd.step(&mut weight, gradients)?;
/// assert!((weight.value().to_f64_vec()[0] - 0.99).abs() < 1e-3);
/// # Ok(())
/// # }
/// ```
///
/// Defaults: a factor of 65536, growth by 2 every 2000 steps, backoff to one half.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossScale {
    scale: f64,
    growth: f64,
    backoff: f64,
    interval: u64,
    /// Sound steps since the last change.
    since: u64,
}

impl LossScale {
    /// The same factor in every step.
    pub fn fixed(scale: f64) -> LossScale {
        LossScale { scale, growth: 1.0, backoff: 1.0, interval: u64::MAX, since: 0 }
    }

    /// A factor that follows what the gradients allow.
    pub fn dynamic() -> LossScale {
        LossScale { scale: 65536.0, growth: 2.0, backoff: 0.5, interval: 2000, since: 0 }
    }

    /// Starts from this factor.
    #[must_use]
    pub fn start(self, scale: f64) -> LossScale {
        LossScale { scale, ..self }
    }

    /// Multiplies the factor by `growth`, at least 1, after `interval` steps in a row that were finite.
    #[must_use]
    pub fn growth(self, growth: f64, interval: u64) -> LossScale {
        LossScale { growth, interval, ..self }
    }

    /// Multiplies the factor by `backoff`, in `0 < backoff ≤ 1`, after a step that was not.
    #[must_use]
    pub fn backoff(self, backoff: f64) -> LossScale {
        LossScale { backoff, ..self }
    }

    fn check(&self) -> Result<()> {
        let fault = |what: String| Err(Error::value(what).op("loss_scale"));
        match self {
            LossScale { scale, .. } if !(*scale > 0.0 && scale.is_finite()) => {
                fault(format!("the scale is {scale}, and must be finite and positive"))
            }
            LossScale { growth, .. } if !(*growth >= 1.0 && growth.is_finite()) => {
                fault(format!("growth is {growth}, and must be finite and at least 1"))
            }
            LossScale { backoff, .. } if !(*backoff > 0.0 && *backoff <= 1.0) => {
                fault(format!("backoff is {backoff}, and must lie in 0 < backoff ≤ 1"))
            }
            LossScale { interval: 0, .. } => fault("growth every 0 steps has no meaning".to_string()),
            _ => Ok(()),
        }
    }
}

impl<R: Rule> Optimizer<R> {
    /// The gradients of a loss: `loss.backward()`, computed by way of the scaled loss if there is a [`LossScale`].
    #[track_caller]
    pub fn backward<'t>(&self, loss: Var<'t>) -> Gradients<'t> {
        self.scaled(loss, None)
    }

    /// [`Optimizer::backward`] whose numbers are noted.
    #[track_caller]
    pub(super) fn scaled<'t>(&self, loss: Var<'t>, numbers: Option<&Rc<Numbers>>) -> Gradients<'t> {
        if self.guard.is_none_or(|guard| guard.scale.is_none()) || loss.len() != 1 {
            return loss.backward();
        }
        let number = |shape, value, dtype, inverse: bool| {
            let slot = loss.tape().full(shape, value, dtype);
            if let Some(numbers) = numbers {
                let formula =
                    move |now: super::rule::Moment| if inverse { now.loss_scale.recip() } else { now.loss_scale };
                numbers.formulas.borrow_mut().push((0, slot.id(), Box::new(formula)));
            }
            slot
        };
        let scale = self.scale_now();
        let gradients = loss.backward_with(number(loss.shape(), scale, loss.dtype(), false));
        gradients.map(|gradient| {
            let wide = gradient.cast(working(gradient.dtype()));
            wide * number(wide.shape(), scale.recip(), wide.dtype(), true)
        })
    }

    /// The factor by which [`Optimizer::backward`] scales the next loss; 1 without a [`LossScale`].
    pub fn scale_now(&self) -> f64 {
        self.guard.and_then(|guard| guard.scale).map_or(1.0, |scale| scale.scale)
    }
}

/// What watches over steps that are not finite.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Guard {
    pub(super) skipped: u64,
    pub(super) scale: Option<LossScale>,
}

impl Guard {
    pub(super) fn check(&self) -> Result<()> {
        self.scale.map_or(Ok(()), |scale| scale.check())
    }

    /// Counts a step that was taken, or skipped since it was not sound.
    pub(super) fn judge(&mut self, sound: bool) {
        self.skipped += u64::from(!sound);
        let Some(scale) = &mut self.scale else { return };
        scale.since = if sound { scale.since + 1 } else { 0 };
        // Within what f32 and its reciprocal can hold, so that it finds its way back.
        let (floor, ceiling) = (2f64.powi(-100).min(scale.scale), 2f64.powi(126).max(scale.scale));
        if !sound {
            scale.scale = (scale.scale * scale.backoff).max(floor);
        } else if scale.since >= scale.interval {
            (scale.scale, scale.since) = ((scale.scale * scale.growth).min(ceiling), 0);
        }
    }

    /// Adds what is saved.
    pub(super) fn state(&self, state: &mut Vec<(String, Tensor)>) {
        state.push(("skipped".to_string(), Tensor::from(self.skipped as i64)));
        if let Some(scale) = self.scale {
            state.push(("loss_scale".to_string(), Tensor::from(scale.scale)));
            state.push(("loss_scale.since".to_string(), Tensor::from(scale.since as i64)));
        }
    }

    /// The guard as it was saved.
    pub(super) fn loaded(&self, given: &mut HashMap<&str, &Tensor>) -> Result<Guard> {
        let mut guard = Guard { skipped: count(given.remove("skipped"), "skipped")?, ..*self };
        if let Some(scale) = &mut guard.scale {
            scale.scale = given.remove("loss_scale").ok_or_else(|| missing("loss_scale"))?.item::<f64>()?;
            scale.since = count(given.remove("loss_scale.since"), "loss_scale.since")?;
            scale.check()?;
        }
        Ok(guard)
    }
}
