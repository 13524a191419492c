//! aᵇ for f32 by way of f64: |a|ᵇ = 2ᵗ with t = b · log₂ |a|, where both have some ten bits more than the result.

use crate::kernels::math::double::{SHIFT, power_of_two, split};
use crate::kernels::math::poly::{fma, polynomial};
use crate::kernels::tile::lane::Machine;

/// log₂ m / s in s², for s = (m − 1) / (m + 1) and m in [√½, √2]: within 2⁻⁴⁵ of it (Remez).
const LOG2: [f64; 6] = [
    2.885_390_081_777_85,
    0.961_796_694_113_306_6,
    0.577_077_942_376_801_8,
    0.412_209_251_053_476_1,
    0.319_905_755_106_243_23,
    0.282_899_281_459_652,
];

/// 2ʳ on |r| ≤ 1 / 2, within 2⁻³⁴ of it (Remez).
const EXP2: [f64; 8] = [
    0.999_999_999_961_681_8,
    0.693_147_180_728_444_6,
    0.240_226_511_981_578_9,
    0.055_504_103_534_569_235,
    0.009_618_027_253_643_81,
    0.001_333_392_255_629_435_2,
    0.000_154_692_911_488_946_33,
    1.520_192_322_788_691_7e-5,
];

/// Beyond these powers of two, f32 has 0 or ∞.
const MOST: f64 = 160.0;

/// From here on, every f32 is an even integer.
const EVEN: f64 = 33_554_432.0;

/// `x` within ±`most`; NaN stays NaN.
#[inline(always)]
fn within(x: f64, most: f64) -> f64 {
    let x = if x > most { most } else { x };
    if x < -most { -most } else { x }
}

/// aᵇ, with the answers of IEEE 754 at all edges: 1 where a is 1 or b is 0, whatever the other; NaN for a negative finite a and a b
/// that is no integer; and a negative sign for a negative a, or −0, and an odd b.
#[inline(always)]
pub(crate) fn pow<M: Machine>(a: f32, b: f32) -> f32 {
    let (x, y) = (f64::from(a), f64::from(b));
    let size = x.abs();
    // Every f32 but zero is a normal f64.
    let (m, k) = split(size);
    let s = (m - 1.0) / (m + 1.0);
    let log = fma::<M, f64>(s, polynomial::<M, f64, 6>(s * s, LOG2), k);
    let log = if size == 0.0 { f64::NEG_INFINITY } else { log };
    let log = if size == f64::INFINITY { size } else { log };
    let t = within(y * log, MOST);
    let shifted = t + SHIFT;
    let r = t - (shifted - SHIFT);
    let power = polynomial::<M, f64, 8>(r, EXP2) * power_of_two(shifted.to_bits().wrapping_add(1023));
    // ±∞ times the logarithm of 1 is no number.
    let power = if size == 1.0 && !b.is_nan() { 1.0 } else { power };
    let bounded = within(y, EVEN);
    let shifted = bounded + SHIFT;
    let whole = shifted - SHIFT == bounded;
    let odd = whole && shifted.to_bits() & 1 == 1;
    let signed = if odd { power.copysign(x) } else { power };
    let lost = a.is_nan() || (x < 0.0 && size < f64::INFINITY && !whole);
    let signed = if lost { f64::NAN } else { signed };
    (if x == 1.0 || y == 0.0 { 1.0 } else { signed }) as f32
}
