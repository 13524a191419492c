//! L1: the sum of absolute values.

use wengert_autograd::Var;
use wengert_tensor::error::Result;

use super::case::Case;
use super::regularizer::{Regularizer, sound, wide};

/// factor · Σ |w|, which makes many weights 0. Its derivative at 0 is 0. Tibshirani 1996; Keras's `L1`.
///
/// ```
/// use wengert_autograd::Apply;
/// use wengert_nn::regularizers::{l1::L1, regularizer::Regularizer};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let price = Tensor::from([3f32, -1.0]).apply(|w| L1::new(0.5).penalty(w))?;
/// assert_eq!(price.item::<f32>()?, 2.0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct L1 {
    factor: f64,
}

impl L1 {
    /// With this factor, at least 0.
    pub fn new(factor: f64) -> L1 {
        L1 { factor }
    }
}

impl Regularizer for L1 {
    fn check(&self) -> Result<()> {
        sound("L1", self.factor)
    }

    #[track_caller]
    fn penalty<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = x.tape().scope("L1");
        wide(x).abs().sum() * self.factor
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("l1", "l1", L1::new(0.3))]
}
