//! Compositions: methods that are written with ops and own no kernel. They are fast because the planner fuses. To add
//! one, write it in the file of its kin, with cases in `entries()`; a new file has its line in the roll.

mod activation;
mod arrange;
mod band;
pub mod conv;
mod cumulative;
#[cfg(feature = "linalg")]
mod determinant;
pub mod distribution;
mod einsum;
#[cfg(feature = "fft")]
pub mod fourier;
mod loss;
mod mask;
#[cfg(feature = "linalg")]
pub mod matrix;
mod norm_p;
mod order;
mod patches;
pub mod pool;
pub mod product;
mod random;
pub mod resize;
mod scalar;
mod scatter;
mod softmax;
mod statistic;
pub mod surround;

use crate::graph::Var;
use crate::sample::Entry;
use wengert_tensor::dtype::DType;

/// Computes in f32 what is given in 16 bits, and rounds once at the end: a sum of many may leave the range of f16.
#[track_caller]
fn widened<'t>(x: Var<'t>, f: impl FnOnce(Var<'t>) -> Var<'t>) -> Var<'t> {
    match x.dtype() {
        half @ (DType::BF16 | DType::F16) => f(x.cast(DType::F32)).cast(half),
        _ => f(x),
    }
}

/// Every composition with its cases. The laws of the ops hold for these too.
pub fn roll() -> Vec<Entry> {
    [
        activation::entries(),
        cumulative::entries(),
        #[cfg(feature = "linalg")]
        determinant::entries(),
        distribution::entries(),
        einsum::entries(),
        #[cfg(feature = "fft")]
        fourier::entries(),
        loss::entries(),
        order::entries(),
        arrange::entries(),
        conv::entries(),
        band::entries(),
        mask::entries(),
        #[cfg(feature = "linalg")]
        matrix::entries(),
        norm_p::entries(),
        patches::entries(),
        pool::entries(),
        product::entries(),
        random::entries(),
        resize::entries(),
        scalar::entries(),
        scatter::entries(),
        softmax::entries(),
        statistic::entries(),
        surround::entries(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
