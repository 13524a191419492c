//! NonNegative: no weight below zero.

use wengert_autograd::Var;

use super::case::Case;
use super::constraint::Constraint;

/// w ← max(w, 0). Keras's `NonNeg`.
///
/// ```
/// use wengert_autograd::Apply;
/// use wengert_nn::constraints::{constraint::Constraint, non_negative::NonNegative};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let w = Tensor::from([-1f32, 2.0]).apply(|w| NonNegative.apply(w))?;
/// assert_eq!(w.to_vec::<f32>()?, [0.0, 2.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NonNegative;

impl Constraint for NonNegative {
    #[track_caller]
    fn apply<'t>(&self, weight: Var<'t>) -> Var<'t> {
        let _scope = weight.tape().scope("NonNegative");
        weight.relu()
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("non_negative", "all", NonNegative)]
}
