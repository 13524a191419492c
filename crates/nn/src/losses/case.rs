//! A loss as the tests try it.

use wengert_tensor::tensor::Tensor;

use crate::loss::Loss;

/// A loss with operands and its value there: what the laws try.
pub struct Case {
    /// The file of this directory in which the loss lives.
    pub file: &'static str,
    /// What distinguishes the case, as the reference numbers are named.
    pub name: &'static str,
    /// The loss.
    pub loss: Box<dyn Loss>,
    /// The prediction, f64.
    pub prediction: Tensor,
    /// The target.
    pub target: Tensor,
}
