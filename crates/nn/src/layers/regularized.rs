//! Regularized: a layer whose weights and outputs have a price.

use wengert_autograd::Var;

use super::case::{Applied, Case};
use super::dense::Dense;
use crate::layer::Layer;
use crate::module::{Module, Visit, VisitMut};
use crate::regularizers::l1::L1;
use crate::regularizers::l2::L2;
use crate::regularizers::penalty::Penalty;
use crate::regularizers::regularizer::Regularizer;

/// A layer, or a whole model, that adds the price of its weights and of its output to the loss wherever it is used; the names of its
/// parameters are those of the layer alone. What Keras's layers take as `kernel_regularizer`, `bias_regularizer` and `activity_regularizer`.
///
/// The price counts when the loss takes it up. [`Trainer`](crate::train::trainer::Trainer) sees to that, in training and in evaluation; a
/// loop of one's own says [`loss.with_added_losses()`](Var::with_added_losses). A layer that is used twice in one step pays twice.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::layers::{dense::Dense, regularized::Regularized};
/// use wengert_nn::{layer::Layer, module::Module, regularizers::l2::L2};
/// use wengert_tensor::{random::Seed, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let head = Regularized::new(Dense::new(3, 2)).weights("weight", L2::new(1e-2)).init(Seed(1))?;
/// let tape = Tape::training(0u64);
/// let loss = head.forward(tape.input(&Tensor::from([[1f32, 2.0, 3.0]]))).square().mean();
/// let price = loss.with_added_losses() - loss;
/// let sum: f64 = head.inner().weight.value().to_f64_vec().iter().map(|w| w * w).sum();
/// assert!((f64::from(price.item::<f32>()?) - 1e-2 * sum).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Regularized<L> {
    inner: L,
    penalty: Penalty,
    activity: Option<Box<dyn Regularizer>>,
}

impl<L: Layer> Regularized<L> {
    /// The layer, without a price yet.
    pub fn new(layer: L) -> Regularized<L> {
        Regularized { inner: layer, penalty: Penalty::new(), activity: None }
    }

    /// Prices the parameter of this name in the layer, and whatever lies below it; the empty name means all.
    #[must_use]
    pub fn weights(mut self, name: impl Into<String>, regularizer: impl Regularizer) -> Regularized<L> {
        self.penalty = self.penalty.of(name, regularizer);
        self
    }

    /// Prices the output.
    #[must_use]
    pub fn activity(mut self, regularizer: impl Regularizer) -> Regularized<L> {
        self.activity = Some(Box::new(regularizer));
        self
    }

    /// The layer alone.
    pub fn inner(&self) -> &L {
        &self.inner
    }

    /// The layer alone.
    pub fn into_inner(self) -> L {
        self.inner
    }
}

/// The tree is that of the layer inside.
impl<L: Layer> Module for Regularized<L> {
    fn type_name(&self) -> &'static str {
        self.inner.type_name()
    }
    fn which(&self) -> usize {
        self.inner.which()
    }
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
        self.inner.visit(at);
    }
    fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
        self.inner.visit_mut(at);
    }
}

impl<L: Layer> Layer for Regularized<L> {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let y = self.inner.forward(x);
        if !self.penalty.is_empty() {
            tape.add_loss(self.penalty.over(&self.inner, tape));
        }
        if let Some(activity) = &self.activity {
            match activity.check() {
                Ok(()) => tape.add_loss(activity.penalty(y)),
                Err(error) => tape.fail(error),
            }
        }
        y
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    fn priced<'t>(layer: &Regularized<Dense>, x: Var<'t>) -> Var<'t> {
        layer.forward(x).sum().with_added_losses().reshape([1])
    }
    let layer = || Regularized::new(Dense::new(3, 2)).weights("weight", L2::new(0.3)).weights("bias", L1::new(0.2));
    vec![
        Case::new(
            "regularized",
            "price",
            Applied::new(layer().activity(L1::new(0.1)), priced),
            [&[4, 3], &[1]],
            &["weight", "bias"],
        ),
        Case::new("regularized", "output", layer(), [&[4, 3], &[4, 2]], &["weight", "bias"]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::mean_squared_error::MeanSquaredError;
    use crate::optim::sgd::Sgd;
    use crate::sequential::Sequential;
    use crate::train::trainer::Trainer;
    use wengert_autograd::Tape;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::error::Result;
    use wengert_tensor::random::Seed;
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn names_and_factors_without_meaning_are_refused() {
        let x = Tensor::from([[1f32, 2.0, 3.0]]);
        let text =
            Regularized::new(Dense::new(3, 2)).weights("kernel", L2::new(1.0)).predict(&x).unwrap_err().to_string();
        assert!(text.contains("`Dense` has no parameter `kernel`") && text.contains("`weight`, `bias`"), "{text}");
        let text = Regularized::new(Dense::new(3, 2)).weights("weight", L2::new(f64::NAN)).predict(&x).unwrap_err();
        assert!(text.to_string().contains("a factor of NaN has no meaning"), "{text}");
        let text = Regularized::new(Dense::new(3, 2)).activity(L1::new(-1.0)).predict(&x).unwrap_err();
        assert!(text.to_string().contains("a factor of -1 has no meaning"), "{text}");
    }

    #[test]
    fn the_trainer_takes_the_price_up() -> Result<()> {
        let data = (Tensor::from([[1f32], [-1.0]]), Tensor::from([[2f32], [-2.0]]));
        let fit = |factor: f64| -> Result<(f64, f64, f64)> {
            let head = Regularized::new(Dense::new(1, 1).without_bias()).weights("", L2::new(factor));
            let mut model = Sequential::of([Box::new(head) as Box<dyn Layer>]).init(Seed(1))?;
            let mut trainer = Trainer::new(Sgd::new(0.1), MeanSquaredError::new()).epochs(100).verbose(false);
            let history = trainer.fit(&mut model, &data)?;
            let logs = trainer.evaluate(&model, &data)?;
            let weight = model.parameters()[0].1.value().item::<f32>()?;
            Ok((f64::from(weight), history.last("loss").unwrap(), logs.get("loss").unwrap()))
        };
        // (2 − w)² + λ w² is least at w = 2 / (1 + λ), where it is 4 λ / (1 + λ).
        for (factor, weight, loss) in [(0.0, 2.0, 0.0), (1.0, 1.0, 2.0)] {
            let (found, trained, evaluated) = fit(factor)?;
            assert!((found - weight).abs() < 1e-5, "{factor}: {found}");
            assert!(
                (trained - loss).abs() < 1e-5 && (evaluated - loss).abs() < 1e-5,
                "{factor}: {trained} {evaluated}"
            );
        }
        Ok(())
    }

    #[test]
    fn frozen_weights_have_no_price_and_16_bits_are_summed_in_32() -> Result<()> {
        let mut dense = Dense::new(2, 2).with_dtype(DType::BF16)?;
        let tape = Tape::new();
        assert_eq!(L2::new(1.0).over("", &dense, &tape).dtype(), DType::F32);
        dense.freeze();
        assert_eq!(L2::new(1.0).over("", &dense, &tape).item::<f32>()?, 0.0);
        Ok(())
    }
}
