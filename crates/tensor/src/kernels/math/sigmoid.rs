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

/// 1 / (1 + e⁻ˣ) from x and p = e⁻|ˣ|.
///
/// It is 1 − p / (1 + p) for positive x, and p − p² / (1 + p) for negative x: a quotient beside something larger, so
/// that its errors count less.
#[inline(always)]
pub(crate) fn sigmoid<M: Machine>(x: f32, power: f32) -> f32 {
    let a = if x.is_sign_negative() { power } else { 1.0 };
    fma::<M, f32>(-a, power / (1.0 + power), a)
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
