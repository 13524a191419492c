//! Compositions: methods that are written with ops and own no kernel. They are fast because the planner fuses.

mod activation;
mod loss;
mod random;
mod softmax;
mod statistic;

use crate::graph::Var;
use wengert_tensor::dtype::DType;

/// Computes in f32 what is given in 16 bits, and rounds once at the end: a sum of many may leave the range of f16.
#[track_caller]
fn widened<'t>(x: Var<'t>, f: impl FnOnce(Var<'t>) -> Var<'t>) -> Var<'t> {
    match x.dtype() {
        half @ (DType::BF16 | DType::F16) => f(x.cast(DType::F32)).cast(half),
        _ => f(x),
    }
}
