//! The logistic function and its integral, by e⁻|ˣ|, which neither overflows nor cancels.

use crate::kernels::math::exp::exp;
use crate::kernels::math::log::log1p_of;
use crate::kernels::tile::lane::Machine;

/// 1 / (1 + e⁻ˣ), which is eˣ / (1 + eˣ) for negative x.
#[inline(always)]
pub(crate) fn sigmoid<M: Machine>(x: f32) -> f32 {
    let e = exp::<M>(-x.abs());
    (if x < 0.0 { e } else { 1.0 }) / (1.0 + e)
}

/// ln(1 + eˣ) = max(x, 0) + ln(1 + e⁻|ˣ|)
#[inline(always)]
pub(crate) fn softplus<M: Machine>(x: f32) -> f32 {
    let e = exp::<M>(-x.abs());
    (if x < 0.0 { 0.0 } else { x }) + log1p_of::<M>(e, 1.0 + e)
}

/// [`sigmoid`] in f64.
pub(crate) fn sigmoid_f64(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    (if x < 0.0 { e } else { 1.0 }) / (1.0 + e)
}

/// [`softplus`] in f64.
pub(crate) fn softplus_f64(x: f64) -> f64 {
    (if x < 0.0 { 0.0 } else { x }) + (-x.abs()).exp().ln_1p()
}
