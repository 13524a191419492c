//! ActivityRegularization: a price of what passes by.

use wengert_autograd::Var;

use super::case::Case;
use crate::layer::Layer;
use crate::module::Module;
use crate::regularizers::l1_l2::L1L2;
use crate::regularizers::regularizer::Regularizer;

/// y = x, at the price l1 · Σ |x| + l2 · Σ x², a sum over all examples, which is added to the loss: activities that are mostly 0.
///
/// The price counts when the loss takes it up. [`Trainer`](crate::train::trainer::Trainer) sees to that; a loop of one's own says
/// [`loss.with_added_losses()`](Var::with_added_losses). Keras's `ActivityRegularization`. For another price, or that of another layer's
/// output, see [`Regularized::activity`](super::regularized::Regularized::activity).
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{layer::Layer, layers::activity_regularization::ActivityRegularization};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::training(0u64);
/// let y = ActivityRegularization::new(0.5, 0.0).forward(tape.input(&Tensor::from([3f32, -1.0])));
/// let loss = y.sum().with_added_losses();
/// assert_eq!(loss.item::<f32>()?, 2.0 + 0.5 * 4.0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct ActivityRegularization {
    #[module(skip)]
    price: L1L2,
}

impl ActivityRegularization {
    /// With these factors of the absolute values and of the squares, each at least 0.
    pub fn new(l1: f64, l2: f64) -> ActivityRegularization {
        ActivityRegularization { price: L1L2::new(l1, l2) }
    }
}

impl Layer for ActivityRegularization {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        if let Err(error) = self.price.check() {
            return tape.reject("ActivityRegularization", &[("input", x)], error);
        }
        tape.add_loss(self.price.penalty(x));
        x
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    fn priced<'t>(layer: &ActivityRegularization, x: Var<'t>) -> Var<'t> {
        layer.forward(x).sum().with_added_losses().reshape([1])
    }
    let layer = super::case::Applied::new(ActivityRegularization::new(0.3, 0.2), priced);
    vec![Case::new("activity_regularization", "both", layer, [&[4, 3], &[1]], &[])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn a_factor_without_meaning_is_refused() {
        let text = ActivityRegularization::new(-1.0, 0.0).predict(&Tensor::from([1f32])).unwrap_err().to_string();
        assert!(text.contains("a factor of -1 has no meaning") && text.contains("at least 0"), "{text}");
    }
}
