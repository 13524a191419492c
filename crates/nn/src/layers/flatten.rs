//! Flatten: one axis of features per example.

use wengert_autograd::Var;

use super::case::Case;
use crate::layer::Layer;
use crate::module::Module;

/// `[batch, a, b, …]` becomes `[batch, a · b · …]`, without a copy where the layout allows. PyTorch's and Keras's
/// `Flatten` with its defaults.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::flatten::Flatten};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let images = Tensor::zeros([5, 28, 28], DType::F32)?;
/// assert_eq!(Flatten.predict(&images)?.shape().dims(), [5, 784]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Module)]
pub struct Flatten;

impl Layer for Flatten {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        x.flatten_from(1)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("flatten", "rank_3", Flatten, [&[4, 3, 2], &[4, 6]], &[]),
        Case::new("flatten", "rank_2", Flatten, [&[4, 3], &[4, 3]], &[]),
        Case::new("flatten", "rank_4", Flatten, [&[4, 2, 3, 2], &[4, 12]], &[]),
    ]
}
