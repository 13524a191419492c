//! Upsampling: images in another size.

use wengert_autograd::{Resize, Var};

use super::case::Case;
use crate::layer::Layer;
use crate::module::Module;

/// Images `[batch, channels, n…]` in another size, with what lies between their elements: [`Var::interpolate`].
///
/// All modes of PyTorch's `Upsample` and `interpolate`: nearest, [`nearest_exact`](Resize::nearest_exact), linear (bilinear, trilinear), cubic,
/// [`area`](Resize::area), with [`align_corners`](Resize::align_corners). Keras's `Resizing` is `Resize::to([h, w]).linear()`.
///
/// ```
/// use wengert_autograd::Resize;
/// use wengert_nn::{layer::Layer, layers::upsample::Upsample};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let images = Tensor::zeros([1, 2, 5, 7], DType::F32)?;
/// assert_eq!(Upsample::new(Resize::by(2.0).linear()).predict(&images)?.shape().dims(), [1, 2, 10, 14]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Module)]
pub struct Upsample {
    #[module(skip)]
    resize: Resize,
}

impl Upsample {
    /// To the size that it says, by the rule that it says.
    pub fn new(resize: Resize) -> Upsample {
        Upsample { resize }
    }
}

impl Layer for Upsample {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        x.interpolate(self.resize.clone())
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let (nearest, cubic) = (Upsample::new(Resize::by(2.0)), Upsample::new(Resize::to([3, 5]).cubic()));
    let corners = Upsample::new(Resize::to([5, 4]).linear().align_corners(true));
    vec![
        Case::new("upsample", "nearest", nearest, [&[2, 3, 2, 4], &[2, 3, 4, 8]], &[]),
        Case::new(
            "upsample",
            "exact",
            Upsample::new(Resize::to([3, 5]).nearest_exact()),
            [&[2, 1, 4, 3], &[2, 1, 3, 5]],
            &[],
        ),
        Case::new(
            "upsample",
            "exact_by",
            Upsample::new(Resize::by(1.7).nearest_exact()),
            [&[2, 1, 4], &[2, 1, 6]],
            &[],
        ),
        Case::new("upsample", "area", Upsample::new(Resize::to([2, 3]).area()), [&[2, 1, 5, 4], &[2, 1, 2, 3]], &[]),
        Case::new("upsample", "linear", Upsample::new(Resize::by(1.5).linear()), [&[2, 1, 4], &[2, 1, 6]], &[]),
        Case::new("upsample", "corners", corners, [&[2, 1, 3, 2], &[2, 1, 5, 4]], &[]),
        Case::new("upsample", "cubic", cubic, [&[2, 1, 2, 3], &[2, 1, 3, 5]], &[]),
    ]
}
