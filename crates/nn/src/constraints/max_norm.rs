//! MaxNorm: norms with an upper bound.

use wengert_autograd::Var;
use wengert_tensor::error::Result;

use super::case::Case;
use super::constraint::{Constraint, not_negative};
use super::norms::Along;

/// w ← w · min(‖w‖, bound) / ‖w‖: what leads into one output has at most this norm.
///
/// The norm is taken over all axes but the first, since weights are `[outputs, inputs, kernel…]` here, and over a vector as a whole.
/// Keras's `MaxNorm`, whose kernels are `[inputs, outputs]`, takes it over the first axis unless told; and Keras divides by ‖w‖ + 1e-7, while
/// here weights within the bound keep their bits. Srebro et al. 2005; Srivastava et al. 2014.
///
/// ```
/// use wengert_autograd::Apply;
/// use wengert_nn::constraints::{constraint::Constraint, max_norm::MaxNorm};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let w = Tensor::from([[3f32, 4.0], [0.3, 0.4]]).apply(|w| MaxNorm::new(2.5).apply(w))?;
/// assert_eq!(w.to_vec::<f32>()?, [1.5, 2.0, 0.3, 0.4]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MaxNorm {
    bound: f64,
    along: Along,
}

impl MaxNorm {
    /// At most this norm.
    pub fn new(bound: f64) -> MaxNorm {
        MaxNorm { bound, along: Along::default() }
    }

    /// Takes the norm along these axes.
    #[must_use]
    pub fn axes(mut self, axes: impl AsRef<[isize]>) -> MaxNorm {
        self.along = Along::axes(axes);
        self
    }
}

impl Constraint for MaxNorm {
    fn check(&self) -> Result<()> {
        not_negative("MaxNorm", "bound", self.bound)
    }

    #[track_caller]
    fn apply<'t>(&self, weight: Var<'t>) -> Var<'t> {
        let _scope = weight.tape().scope("MaxNorm");
        self.along.rescale(weight, |norms| norms.minimum(self.bound))
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("max_norm", "columns", MaxNorm::new(1.5).axes([0])),
        Case::new("max_norm", "rows", MaxNorm::new(1.5)),
        Case::new("max_norm", "all", MaxNorm::new(2.0).axes([0, 1])),
    ]
}
