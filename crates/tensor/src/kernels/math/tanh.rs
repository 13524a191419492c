//! The hyperbolic tangent: an odd polynomial near 0, and 1 − 2 / (e²ˣ + 1) farther out.

use crate::kernels::math::poly::{fma, nearest, polynomial, power_of_two};
use crate::kernels::tile::lane::Machine;
use std::f32::consts::LOG2_E;

/// Below this, the polynomial.
const NEAR: f32 = 0.6;

/// From here on, 1.
const FAR: f32 = 9.1;

/// (tanh x − x) / x³ in x².
const TANH: [f32; 5] = [-0.333_333, 0.133_319_36, -0.053_784_717, 0.020_798_625, -0.005_897_966_7];

/// ln 2 / 2 in two parts, the first of few bits.
const HALF_LN_2: [f32; 2] = [0.346_572_88, 7.143_034e-7];

/// (e²ʳ − 1 − 2r) / r² on |r| ≤ ln 2 / 4.
const EXP: [f32; 5] = [1.999_999_8, 1.333_321_7, 0.666_692_4, 0.267_797_95, 0.088_448_88];

/// tanh |x| where it is not small, the first half of tanh x.
///
/// With e²ˣ = 2ⁿ · (1 + p), it is 1 − 2 · 2⁻ⁿ / (p + (1 + 2⁻ⁿ)).
#[inline(always)]
pub(crate) fn far<M: Machine>(x: f32) -> f32 {
    let size = x.abs();
    let size = if size > FAR { FAR } else { size };
    let (minus_n, biased) = nearest::<M>(size, -2.0 * LOG2_E, 127.0);
    let r = fma::<M, f32>(minus_n, HALF_LN_2[1], fma::<M, f32>(minus_n, HALF_LN_2[0], size));
    let p = fma::<M, f32>(r * r, polynomial::<M, f32, 5>(r, EXP), r + r);
    let scale = power_of_two(biased);
    1.0 - (scale + scale) / (p + (1.0 + scale))
}

/// tanh x from x and what it is where x is not small.
#[inline(always)]
pub(crate) fn tanh<M: Machine>(x: f32, far: f32) -> f32 {
    let size = x.abs();
    let z = x * x;
    let near = fma::<M, f32>(size * z, polynomial::<M, f32, 5>(z, TANH), size);
    (if size < NEAR { near } else { far }).copysign(x)
}
