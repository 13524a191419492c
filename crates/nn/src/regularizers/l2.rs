//! L2: the sum of squares.

use wengert_autograd::Var;
use wengert_tensor::error::Result;

use super::case::Case;
use super::regularizer::{Regularizer, sound, wide};

/// factor · Σ w², which keeps weights small: ridge regression, also known as weight decay. Its derivative is 2 · factor · w, so PyTorch's
/// `weight_decay=d` is a factor of d / 2. Krogh & Hertz 1992; Keras's `L2`.
///
/// ```
/// use wengert_autograd::Apply;
/// use wengert_nn::regularizers::{l2::L2, regularizer::Regularizer};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let price = Tensor::from([3f32, -1.0]).apply(|w| L2::new(0.5).penalty(w))?;
/// assert_eq!(price.item::<f32>()?, 5.0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct L2 {
    factor: f64,
}

impl L2 {
    /// With this factor, at least 0.
    pub fn new(factor: f64) -> L2 {
        L2 { factor }
    }
}

impl Regularizer for L2 {
    fn check(&self) -> Result<()> {
        sound("L2", self.factor)
    }

    #[track_caller]
    fn penalty<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = x.tape().scope("L2");
        wide(x).square().sum() * self.factor
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("l2", "l2", L2::new(0.3))]
}
