//! The hyperbolic tangent, by h = (e²ˣ − 1) / 2 for the size of x.
//!
//! tanh x = h / (1 + h), which is h − h² / (1 + h), and 1 − 1 / (1 + h). In the first of these the errors of the quotient
//! are small beside a small h, in the second beside 1. With the smaller of h and 1 for a, both are a − a² / (1 + h).

use crate::kernels::math::poly::{fma, nearest, polynomial, power_of_two};
use crate::kernels::tile::lane::Machine;
use std::f32::consts::LOG2_E;

/// From here on, 1.
pub(crate) const FAR: f32 = 9.1;

/// ln 2 / 2, and in two parts, the first of few bits, for products that are rounded.
pub(crate) const HALF_LN_2: f32 = 0.346_573_6;
const HALF_LN_2_PARTS: [f32; 2] = [0.346_572_88, 7.143_034e-7];

/// (e²ʳ − 1 − 2r) / r² on |r| ≤ ln 2 / 4.
pub(crate) const EXP: [f32; 5] = [1.999_999_8, 1.333_321_7, 0.666_692_4, 0.267_797_95, 0.088_448_88];

/// (e²ˣ − 1) / 2 for |x|, the first half of tanh x.
#[inline(always)]
pub(crate) fn half<M: Machine>(x: f32) -> f32 {
    let size = x.abs();
    let size = if size > FAR { FAR } else { size };
    // 2x = n · ln 2 + 2r
    let (turns, biased) = nearest::<M>(size, 2.0 * LOG2_E, 126.0);
    let r = if M::FUSED {
        fma::<M, f32>(turns, -HALF_LN_2, size)
    } else {
        (size - turns * HALF_LN_2_PARTS[0]) - turns * HALF_LN_2_PARTS[1]
    };
    let p = fma::<M, f32>(r * r, polynomial::<M, f32, 5>(r, EXP), r + r);
    let scale = power_of_two(biased);
    fma::<M, f32>(scale, p, scale - 0.5)
}

/// tanh x from x and (e²ˣ − 1) / 2 for |x|.
#[inline(always)]
pub(crate) fn tanh<M: Machine>(x: f32, half: f32) -> f32 {
    let a = if half > 1.0 { 1.0 } else { half };
    fma::<M, f32>(-a, a / (1.0 + half), a).copysign(x)
}
