//! Sine and cosine: x = n · π/2 + r with |r| ≤ π/4; n mod 4 says which of the two polynomials, and its sign.

use crate::kernels::math::poly::{fma, nearest, polynomial};
use crate::kernels::tile::lane::Machine;
use std::f32::consts::FRAC_2_PI;

/// Up to here the reduction has all its digits.
const LARGEST: f32 = 131_072.0;

/// π/2 in three parts of 24 bits, for fused products.
const HALF_PI: [f32; 3] = [std::f32::consts::FRAC_PI_2, -4.371_139e-8, -1.715_124_5e-15];

/// π/2 in two parts. The first has 25 bits: its product with n is exact.
const HALF_PI_F64: [f64; 2] = [1.570_796_310_901_641_8, 1.589_325_477_352_819_7e-8];

/// The spacing of f64 is 1 here.
const SHIFT: f64 = 6_755_399_441_055_744.0;

/// (sin r − r) / r³ in r².
const SIN: [f32; 3] = [-0.166_666_54, 0.008_332_111, -0.000_195_089_73];

/// (cos r − 1 + r²/2) / r⁴ in r².
const COS: [f32; 3] = [0.041_666_646, -0.001_388_730_5, 2.443_142_5e-5];

/// sin x for |x| ≤ [`LARGEST`].
#[inline(always)]
pub(crate) fn sin<M: Machine>(x: f32) -> f32 {
    let (r, n) = reduced::<M>(x);
    let y = turned::<M>(r, n);
    if x == 0.0 { x } else { y }
}

/// cos x for |x| ≤ [`LARGEST`].
#[inline(always)]
pub(crate) fn cos<M: Machine>(x: f32) -> f32 {
    let (r, n) = reduced::<M>(x);
    turned::<M>(r, n.wrapping_add(1))
}

/// Whether the functions above have no digits left for `x`.
#[inline(always)]
pub(crate) fn is_large(x: f32) -> bool {
    x.abs() > LARGEST
}

/// x − n · π/2 and n.
#[inline(always)]
fn reduced<M: Machine>(x: f32) -> (f32, u32) {
    if M::FUSED {
        let (turns, n) = nearest::<M>(x, FRAC_2_PI, 0.0);
        let r = fma::<M, f32>(turns, -HALF_PI[0], x);
        let r = fma::<M, f32>(turns, -HALF_PI[1], r);
        (fma::<M, f32>(turns, -HALF_PI[2], r), n)
    } else {
        let x = f64::from(x);
        let shifted = x * std::f64::consts::FRAC_2_PI + SHIFT;
        let turns = shifted - SHIFT;
        ((x - turns * HALF_PI_F64[0] - turns * HALF_PI_F64[1]) as f32, shifted.to_bits() as u32)
    }
}

/// sin(r + n · π/2)
#[inline(always)]
fn turned<M: Machine>(r: f32, n: u32) -> f32 {
    let z = r * r;
    let sin = fma::<M, f32>(r * z, polynomial::<M, f32, 3>(z, SIN), r);
    let cos = fma::<M, f32>(z * z, polynomial::<M, f32, 3>(z, COS), fma::<M, f32>(z, -0.5, 1.0));
    let y = if n & 1 == 0 { sin } else { cos };
    f32::from_bits(y.to_bits() ^ ((n & 2) << 30))
}
