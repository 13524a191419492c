//! The gradient by the parameters of one model: `loss.grad_of(&net)`.

use crate::module::Module;
use std::collections::HashSet;
use wengert_autograd::{Gradients, LeafId, Var};

/// See [`GradOf::grad_of`].
pub trait GradOf<'t> {
    /// ∂loss/∂w for every parameter w of a model, and of no other. Inside of a batched closure these are the gradients of one
    /// example.
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_nn::{grad_of::GradOf, layer::Layer, layers::dense::Dense};
    /// use wengert_tensor::tensor::Tensor;
    ///
    /// let net = Dense::new(2, 3);
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]]));
    /// let y = tape.input(&Tensor::from([0i64, 2, 1]));
    /// // The norm of the gradient of every example.
    /// let norms = tape.vmap((x, y), |(x, y)| {
    ///     let loss = net.forward(x).cross_entropy(y);
    ///     loss.grad_of(&net).map(|g| g.square()).sum().sqrt()
    /// });
    /// assert_eq!(norms.value()?.shape().dims(), [3]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    fn grad_of(self, model: &dyn Module) -> Gradients<'t>;
}

impl<'t> GradOf<'t> for Var<'t> {
    #[track_caller]
    fn grad_of(self, model: &dyn Module) -> Gradients<'t> {
        let own: HashSet<LeafId> = model.parameters().into_iter().map(|(_, param)| param.id()).collect();
        self.backward().only(|id| own.contains(&id))
    }
}
