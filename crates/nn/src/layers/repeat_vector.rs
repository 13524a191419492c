//! RepeatVector: the same vector at every step.

use wengert_autograd::Var;
use wengert_tensor::error::Error;

use super::case::Case;
use crate::layer::Layer;
use crate::module::Module;

/// `[batch, features]` becomes `[batch, n, features]`: n times the same vector, such as the start of a decoder. Keras's `RepeatVector`.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::repeat_vector::RepeatVector};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let y = RepeatVector::new(2).predict(&Tensor::from([[1f32, 2.0]]))?;
/// assert_eq!(y.shape().dims(), [1, 2, 2]);
/// assert_eq!(y.to_vec::<f32>()?, [1.0, 2.0, 1.0, 2.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Module)]
pub struct RepeatVector {
    times: usize,
}

impl RepeatVector {
    /// So many times.
    pub fn new(times: usize) -> RepeatVector {
        RepeatVector { times }
    }
}

impl Layer for RepeatVector {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        match x.shape().dims() {
            _ if self.times == 0 => {
                let error = Error::value("repeats a vector 0 times").help("the number is at least 1");
                tape.reject("RepeatVector", &[("input", x)], error)
            }
            &[batch, features] => x.unsqueeze(1).broadcast_to([batch, self.times, features]),
            _ => {
                let error = Error::shape(format!("takes [batch, features], not {}", x.shape()));
                tape.reject("RepeatVector", &[("input", x)], error)
            }
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("repeat_vector", "three", RepeatVector::new(3), [&[2, 4], &[2, 3, 4]], &[]),
        Case::new("repeat_vector", "one", RepeatVector::new(1), [&[1, 4], &[1, 1, 4]], &[]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn what_does_not_fit_is_refused() {
        let text = RepeatVector::new(2).predict(&Tensor::from([1f32])).unwrap_err().to_string();
        assert!(text.contains("takes [batch, features], not [1]"), "{text}");
        let text = RepeatVector::new(0).predict(&Tensor::from([[1f32]])).unwrap_err().to_string();
        assert!(text.contains("repeats a vector 0 times"), "{text}");
    }
}
