//! UnitNorm: norms of 1.

use wengert_autograd::Var;

use super::case::Case;
use super::constraint::Constraint;
use super::norms::Along;

/// w ← w / ‖w‖: what leads into one output has the norm 1. Zeros stay.
///
/// Axes are as for [`MaxNorm`](super::max_norm::MaxNorm). Keras's `UnitNorm`.
///
/// ```
/// use wengert_autograd::Apply;
/// use wengert_nn::constraints::{constraint::Constraint, unit_norm::UnitNorm};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let w = Tensor::from([[0f32, 4.0], [0.0, 0.0]]).apply(|w| UnitNorm::new().apply(w))?;
/// assert_eq!(w.to_vec::<f32>()?, [0.0, 1.0, 0.0, 0.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnitNorm {
    along: Along,
}

impl UnitNorm {
    /// Over all axes but the first.
    pub fn new() -> UnitNorm {
        UnitNorm::default()
    }

    /// Takes the norm along these axes.
    #[must_use]
    pub fn axes(mut self, axes: impl AsRef<[isize]>) -> UnitNorm {
        self.along = Along::axes(axes);
        self
    }
}

impl Constraint for UnitNorm {
    #[track_caller]
    fn apply<'t>(&self, weight: Var<'t>) -> Var<'t> {
        let _scope = weight.tape().scope("UnitNorm");
        self.along.rescale(weight, |norms| norms.ones_like())
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("unit_norm", "columns", UnitNorm::new().axes([0])), Case::new("unit_norm", "rows", UnitNorm::new())]
}
