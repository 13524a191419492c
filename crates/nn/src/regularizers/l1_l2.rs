//! L1L2: absolute values and squares.

use wengert_autograd::Var;
use wengert_tensor::error::Result;

use super::case::Case;
use super::regularizer::{Regularizer, sound, wide};

/// l1 · Σ |w| + l2 · Σ w², the elastic net. Zou & Hastie 2005; Keras's `L1L2`.
///
/// ```
/// use wengert_autograd::Apply;
/// use wengert_nn::regularizers::{l1_l2::L1L2, regularizer::Regularizer};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let price = Tensor::from([3f32, -1.0]).apply(|w| L1L2::new(0.5, 0.1).penalty(w))?;
/// assert_eq!(price.item::<f32>()?, 3.0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct L1L2 {
    l1: f64,
    l2: f64,
}

impl L1L2 {
    /// With these factors of the absolute values and of the squares, each at least 0.
    pub fn new(l1: f64, l2: f64) -> L1L2 {
        L1L2 { l1, l2 }
    }
}

impl Regularizer for L1L2 {
    fn check(&self) -> Result<()> {
        sound("L1L2", self.l1).and_then(|()| sound("L1L2", self.l2))
    }

    #[track_caller]
    fn penalty<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = x.tape().scope("L1L2");
        let x = wide(x);
        x.abs().sum() * self.l1 + x.square().sum() * self.l2
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("l1_l2", "both", L1L2::new(0.3, 0.2))]
}
