//! A loss: how far a prediction is from its target, as one number.

use wengert_autograd::Var;

/// How far a prediction is from its target: a scalar whose gradient trains the model.
///
/// Any function of two variables is a loss too:
///
/// ```
/// use wengert_autograd::{Tape, Var};
/// use wengert_nn::loss::Loss;
/// use wengert_tensor::tensor::Tensor;
///
/// fn pinball<'t>(prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
///     let e = target - prediction;
///     (e * 0.9).maximum(e * -0.1).mean()
/// }
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let (p, t) = (tape.input(&Tensor::from([1f32, 4.0])), tape.input(&Tensor::from([2f32, 2.0])));
/// assert!((pinball.loss(p, t).item::<f32>()? - 0.55).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
pub trait Loss: Send + Sync {
    /// The loss as a scalar on the tape of both.
    fn loss<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t>;
}

impl<F> Loss for F
where
    F: for<'t> Fn(Var<'t>, Var<'t>) -> Var<'t> + Send + Sync,
{
    fn loss<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        self(prediction, target)
    }
}
