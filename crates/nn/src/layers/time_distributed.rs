//! A layer for single inputs, at every step of a sequence.

use wengert_autograd::Var;
use wengert_tensor::error::Error;

use super::case::Case;
use super::recurrent::merged;
use crate::layer::Layer;
use crate::module::Module;

/// yₜ = layer(xₜ): steps and sequences are one batch to the layer, whose weights are the same at every step.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, time, …]`, where the layer takes `[batch, …]` |
/// | y | `[batch, time, …]` with what the layer gives |
///
/// Axes of batch and time may stand in either order. The name is Keras's; the parameters are `layer.…`. A layer that works
/// on the last axis alone, as [`Dense`](super::dense::Dense), needs no wrapper.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::{conv::Conv2d, time_distributed::TimeDistributed}};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let layer = TimeDistributed::new(Conv2d::new(3, 8, 3));
/// let films = Tensor::zeros([2, 10, 3, 16, 16], DType::F32)?;
/// assert_eq!(layer.predict(&films)?.shape().dims(), [2, 10, 8, 14, 14]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct TimeDistributed<L> {
    /// What runs at every step.
    pub layer: L,
}

impl<L: Layer> TimeDistributed<L> {
    /// This layer at every step.
    pub fn new(layer: L) -> TimeDistributed<L> {
        TimeDistributed { layer }
    }
}

impl<L: Layer> Layer for TimeDistributed<L> {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        if x.rank() < 2 && tape.error().is_none() {
            let error = Error::shape(format!("takes [batch, time, …], not {}", x.shape()));
            return tape.reject("TimeDistributed", &[("input", x)], error);
        }
        merged("TimeDistributed", x, |x| self.layer.forward(x))
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    use super::conv::Conv1d;
    use super::dense::Dense;
    fn case(name: &'static str, layer: impl Layer + 'static, shapes: [&[usize]; 2]) -> Case {
        Case::new("time_distributed", name, TimeDistributed::new(layer), shapes, &["layer.weight", "layer.bias"])
    }
    vec![
        case("dense", Dense::new(3, 2), [&[2, 4, 3], &[2, 4, 2]]),
        case("conv", Conv1d::new(2, 3, 2), [&[2, 3, 2, 4], &[2, 3, 3, 3]]),
        case("one_step", Dense::new(1, 2), [&[1, 1, 1], &[1, 1, 2]]),
    ]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::layers::lambda::Lambda;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn says_what_is_wrong() {
        let vector = Tensor::zeros([3], DType::F32).unwrap();
        let error = TimeDistributed::new(Lambda::new("same", |x| x)).predict(&vector).unwrap_err().to_string();
        assert!(error.contains("takes [batch, time, …], not [3]"), "{error}");

        let x = Tensor::zeros([2, 3, 4], DType::F32).unwrap();
        let error = TimeDistributed::new(Lambda::new("sum", |x| x.sum_axes(0))).predict(&x).unwrap_err().to_string();
        assert!(error.contains("6 inputs became [4]") && error.contains("stays"), "{error}");
    }
}
