//! A closure over values, applied to a tensor: for a computation that needs no tape of its own.

use crate::graph::{Tape, Var};
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

/// See [`Apply::apply`].
pub trait Apply {
    /// The result of `f`, computed on a tape that is made for it.
    ///
    /// ```
    /// use wengert_autograd::Apply;
    /// use wengert_tensor::tensor::Tensor;
    /// let p = Tensor::from([0.0f32, 0.0]).apply(|v| v.softmax(-1))?;
    /// assert_eq!(p.to_vec::<f32>()?, [0.5, 0.5]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// What went wrong while `f` was recorded or computed.
    #[track_caller]
    fn apply(&self, f: impl for<'t> FnOnce(Var<'t>) -> Var<'t>) -> Result<Tensor>;
}

impl Apply for Tensor {
    #[track_caller]
    fn apply(&self, f: impl for<'t> FnOnce(Var<'t>) -> Var<'t>) -> Result<Tensor> {
        let tape = Tape::new();
        let y = f(tape.input(self));
        tape.eval(y)
    }
}
