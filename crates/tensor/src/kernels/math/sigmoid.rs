//! The logistic function and its integral, by e⁻|ˣ|, which neither overflows nor cancels.

use crate::kernels::math::exp::exp;
use crate::kernels::math::poly::{fma, polynomial};
use crate::kernels::tile::lane::Machine;

/// (ln(1 + p) / s − 2) / z for s = p / (2 + p), z = s² and p in [0, 1].
const LOG1P: [f32; 4] = [0.666_664_2, 0.400_214_34, 0.280_030_85, 0.280_065_03];

/// e⁻|ˣ|, the first half of both.
#[inline(always)]
pub(crate) fn power<M: Machine>(x: f32) -> f32 {
    exp::<M>(-x.abs())
}

/// 1 / (1 + e⁻ˣ), which is eˣ / (1 + eˣ) for negative x, from x and e⁻|ˣ|.
#[inline(always)]
pub(crate) fn sigmoid<M: Machine>(x: f32, power: f32) -> f32 {
    let above = if x < 0.0 { power } else { 1.0 };
    let below = 1.0 + power;
    let quotient = above / below;
    // What the rounded sum and the rounded quotient have lost, divided by a rough 1 / (1 + e⁻|ˣ|).
    let lost = power - (below - 1.0);
    let left = if M::FUSED { fma::<M, f32>(-quotient, below, above) } else { 0.0 };
    let left = fma::<M, f32>(-quotient, lost, left);
    fma::<M, f32>(left, fma::<M, f32>(power, -0.47, 0.94), quotient)
}

/// ln(1 + eˣ) = max(x, 0) + ln(1 + e⁻|ˣ|), from x and e⁻|ˣ|.
///
/// The logarithm is p − s · (p − z · R(z)) with s = p / (2 + p) and z = s².
#[inline(always)]
pub(crate) fn softplus<M: Machine>(x: f32, power: f32) -> f32 {
    let s = power / (2.0 + power);
    let z = s * s;
    let bent = fma::<M, f32>(-z, polynomial::<M, f32, 4>(z, LOG1P), power);
    (if x < 0.0 { 0.0 } else { x }) + fma::<M, f32>(-s, bent, power)
}
