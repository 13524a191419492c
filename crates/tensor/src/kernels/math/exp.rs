//! Exponentials: x = n · ln 2 + r with |r| ≤ ln 2 / 2, and eˣ = 2ⁿ · eʳ.

use crate::kernels::math::poly::{clamp, fma, nearest, polynomial, power_of_two};
use crate::kernels::tile::lane::Machine;
use std::f32::consts::{LN_2, LOG2_E};

/// ln 2 in two parts. The first has 15 bits: its product with n is exact.
pub(crate) const LN_2_HIGH: f32 = 0.693_145_75;
pub(crate) const LN_2_LOW: f32 = 1.428_606_8e-6;

/// Up to here, eˣ rounds to zero,
pub(crate) const TINY: f32 = -104.0;
/// and from here on it is ∞.
pub(crate) const HUGE: f32 = 89.0;

/// (eʳ − 1 − r) / r² on |r| ≤ ln 2 / 2.
pub(crate) const EXP: [f32; 5] = [0.499_999_94, 0.166_665_21, 0.041_668_273, 0.008_368_686, 0.001_382_013_8];

/// (2ʳ − 1) / r on |r| ≤ 1 / 2.
pub(crate) const EXP2: [f32; 6] = [LN_2, 0.240_226_48, 0.055_503_596, 0.009_618_503, 0.001_339_099_7, 0.000_153_278_28];

/// Beyond these, 2ˣ is 0 or ∞.
pub(crate) const EXP2_BOUNDS: [f32; 2] = [-151.0, 129.0];

/// Beyond these, eˣ − 1 is −1 or ∞.
pub(crate) const EXPM1_BOUNDS: [f32; 2] = [-25.0, 89.0];

/// eˣ
#[inline(always)]
pub(crate) fn exp<M: Machine>(x: f32) -> f32 {
    // Results that round to zero are not computed: to find that out takes a processor as long as a hundred products.
    let tiny = x <= TINY;
    let x = if tiny { 0.0 } else { x };
    let (r, n) = reduced::<M>(if x > HUGE { HUGE } else { x }, 254.0);
    let y = scale(1.0 + remainder::<M>(r), n);
    if tiny { 0.0 } else { y }
}

/// eˣ for −87 ≤ x ≤ 88, where 2ⁿ is a float.
#[inline(always)]
pub(crate) fn exp_normal<M: Machine>(x: f32) -> f32 {
    let (r, n) = reduced::<M>(x, 127.0);
    (1.0 + remainder::<M>(r)) * power_of_two(n)
}

/// x − n · ln 2, and n in bits that are larger by `bias`.
#[inline(always)]
fn reduced<M: Machine>(x: f32, bias: f32) -> (f32, u32) {
    let (turns, n) = nearest::<M>(x, LOG2_E, bias);
    let r = fma::<M, f32>(turns, -LN_2_LOW, fma::<M, f32>(turns, -LN_2_HIGH, x));
    (r, n)
}

/// eʳ − 1
#[inline(always)]
fn remainder<M: Machine>(r: f32) -> f32 {
    fma::<M, f32>(r * r, polynomial::<M, f32, 5>(r, EXP), r)
}

/// p · 2ⁿ from bits that end in n + 254.
///
/// In two factors, since n may be below the smallest exponent, or one above the largest. Halved, the bits are the
/// biased exponents of both.
#[inline(always)]
fn scale(p: f32, n: u32) -> f32 {
    let half = n >> 1;
    p * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// 2ˣ
#[inline(always)]
pub(crate) fn exp2<M: Machine>(x: f32) -> f32 {
    let [low, high] = EXP2_BOUNDS;
    let x = clamp(x, low, high);
    let (turns, n) = nearest::<M>(x, 1.0, 254.0);
    let r = x - turns;
    scale(fma::<M, f32>(r, polynomial::<M, f32, 6>(r, EXP2), 1.0), n)
}

/// eˣ − 1 = 2ⁿ · (eʳ − 1) + (2ⁿ − 1)
#[inline(always)]
pub(crate) fn expm1<M: Machine>(x: f32) -> f32 {
    // Half of everything: 2¹²⁸ is no float.
    let [low, high] = EXPM1_BOUNDS;
    let (r, n) = reduced::<M>(clamp(x, low, high), 126.0);
    let half = power_of_two(n);
    let y = 2.0 * fma::<M, f32>(half, remainder::<M>(r), half - 0.5);
    if x == 0.0 { x } else { y }
}
