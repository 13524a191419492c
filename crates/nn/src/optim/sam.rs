//! SAM: gradients from the worst place nearby.

use std::panic::Location;

use wengert_autograd::{Gradients, LeafId, Tape, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Key;
use wengert_tensor::tensor::Tensor;

use super::average::place;
use super::optimizer::{Optimizer, working};
use super::rule::Rule;
use crate::explain::{blame, explain};
use crate::module::Module;

/// Sharpness-aware minimization: a step by the gradient at the worst place within `radius` of the weights.
///
/// ```text
/// e = ρ · g / (‖g‖ + 1e-12)             adaptive: e = ρ · w² g / (‖|w| g‖ + 1e-12)
/// step of the optimizer from w, by the gradient at w + e
/// ```
///
/// Two gradients, and two plans, a step. Foret et al. 2020 with ρ = 0.05; adaptive: Kwon et al. 2021 with ρ near 2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sam {
    radius: f64,
    adaptive: bool,
}

impl Sam {
    /// Looks this far for the worst place; a positive number.
    pub fn new(radius: f64) -> Sam {
        Sam { radius, adaptive: false }
    }

    /// Measures distance by the size of each weight.
    #[must_use]
    pub fn adaptive(self) -> Sam {
        Sam { adaptive: true, ..self }
    }

    /// One step of `optimizer` on the loss that `loss` records on a training tape with this key, the same for both gradients. Gives the loss
    /// at the weights. Side results of layers are those of the second pass.
    ///
    /// ```
    /// use wengert_nn::{optim::{sam::Sam, sgd::Sgd}, param::Param};
    /// use wengert_tensor::tensor::Tensor;
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let (mut weight, mut sgd) = (Param::new(Tensor::from(3f32)), Sgd::new(0.25));
    /// // The gradient is taken at 4, where it is 8.
    /// let loss = Sam::new(1.0).step(&mut sgd, &mut weight, 0u64, |weight, tape| weight.on(tape).square())?;
    /// assert_eq!((loss, weight.value().item::<f32>()?), (9.0, 1.0));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A radius that is not positive; those of [`Optimizer::step`]. After an error the model and the optimizer are as they were.
    #[track_caller]
    pub fn step<M, R, F>(
        &self,
        optimizer: &mut Optimizer<R>,
        model: &mut M,
        key: impl Into<Key>,
        loss: F,
    ) -> Result<f64>
    where
        M: Module + ?Sized,
        R: Rule,
        F: for<'t> Fn(&M, &'t Tape) -> Var<'t>,
    {
        let (here, key) = (Location::caller(), key.into());
        if !(self.radius > 0.0 && self.radius.is_finite()) {
            let error = Error::value(format!("the radius is {}, and must be finite and positive", self.radius));
            return Err(blame(error.op("Sam"), here));
        }
        optimizer.know(model).map_err(|error| blame(error, here))?;
        let tape = Tape::training(key);
        let gradients = optimizer.backward(loss(model, &tape));
        let (before, climbed) =
            self.climb(optimizer, model, &gradients).map_err(|error| blame(explain(model, &tape, error), here))?;
        let origins: Vec<(String, Tensor)> =
            model.parameters().into_iter().map(|(name, param)| (name, param.value().clone())).collect();
        let ids: Vec<LeafId> = model.parameters().into_iter().map(|(_, param)| param.id()).collect();
        optimizer.origins = ids.into_iter().zip(origins.iter().map(|(_, value)| value.clone())).collect();
        let tape = Tape::training(key);
        let outcome = place(model, climbed).and_then(|()| {
            let gradients = optimizer.backward(loss(model, &tape));
            optimizer.step(model, gradients)
        });
        optimizer.origins.clear();
        match outcome {
            // The step has moved some of them, and what it left alone goes back.
            Ok(_) => back(optimizer, model, &origins, &tape).map(|()| before),
            Err(error) => {
                place(model, origins)?;
                Err(blame(error, here))
            }
        }
    }

    /// The loss, and the weights at the worst place.
    fn climb<M: Module + ?Sized, R: Rule>(
        &self,
        optimizer: &Optimizer<R>,
        model: &M,
        gradients: &Gradients<'_>,
    ) -> Result<(f64, Vec<(String, Tensor)>)> {
        let tape = gradients.tape();
        let parameters = model.parameters();
        let found: Vec<_> = parameters
            .iter()
            .map(|(_, param)| {
                let (now, dtype) = (param.on(tape), working(param.dtype()));
                let gradient = gradients.get(param.id()).filter(|_| optimizer.moves(param)).map(|g| g.cast(dtype));
                (now, now.cast(dtype), gradient)
            })
            .collect();
        let wide = found.iter().any(|(_, weight, _)| weight.dtype() == DType::F64);
        let dtype = if wide { DType::F64 } else { DType::F32 };
        let parts = found.iter().filter_map(|(_, weight, g)| {
            let scaled = if self.adaptive { weight.abs() * (*g)? } else { (*g)? };
            Some(scaled.cast(dtype).square().sum())
        });
        let norm = parts.reduce(|a, b| a + b).map(|total| total.sqrt());
        let mut wanted = vec![gradients.loss()];
        for (now, weight, g) in &found {
            wanted.push(match (g, norm) {
                (Some(g), Some(norm)) => {
                    let way = if self.adaptive { weight.square() * *g } else { *g };
                    let climbed = *weight + way * (self.radius / (norm + 1e-12)).cast(weight.dtype());
                    climbed.cast(now.dtype())
                }
                _ => *now,
            });
        }
        let mut values = tape.eval(&wanted[..])?.into_iter();
        let loss = values.next().and_then(|loss| loss.to_f64_vec().first().copied()).unwrap_or(f64::NAN);
        Ok((loss, parameters.into_iter().map(|(name, _)| name).zip(values).collect()))
    }
}

/// Puts weights that the step did not move back to where they were.
fn back<M: Module + ?Sized, R: Rule>(
    optimizer: &Optimizer<R>,
    model: &mut M,
    origins: &[(String, Tensor)],
    tape: &Tape,
) -> Result<()> {
    let read: Vec<LeafId> = tape.parameters().into_iter().map(|(id, _)| id).collect();
    let values = model.parameters().into_iter().zip(origins).map(|((name, param), (_, origin))| {
        let moved = read.contains(&param.id()) && optimizer.moves(param);
        (name, if moved { param.value().clone() } else { origin.clone() })
    });
    let values = values.collect();
    place(model, values)
}
