//! aᵇ for f32 by way of f64: |a|ᵇ = exp(b · ln |a|) there has 20 bits more than the result.

use crate::kernels::math::double::{exp, log};
use crate::kernels::tile::lane::Machine;

/// The spacing of f64 is 1 here: what is added to it is rounded to an integer, whose last bit is that of the sum.
const SHIFT: f64 = 6_755_399_441_055_744.0;

/// From here on, every f32 is an even integer.
const EVEN: f64 = 33_554_432.0;

/// aᵇ, with the answers of IEEE 754 at all edges: 1 where a is 1 or b is 0, whatever the other; NaN for a negative finite a and a b
/// that is no integer; and a negative sign for a negative a, or −0, and an odd b.
#[inline(always)]
pub(crate) fn pow<M: Machine>(a: f32, b: f32) -> f32 {
    let (x, y) = (f64::from(a), f64::from(b));
    let size = x.abs();
    let power = exp::<M>(y * log::<M, true>(size));
    // ±∞ times the logarithm of 1 is no number.
    let power = if size == 1.0 && !b.is_nan() { 1.0 } else { power };
    let bounded = if y > EVEN { EVEN } else { y };
    let bounded = if bounded < -EVEN { -EVEN } else { bounded };
    let shifted = bounded + SHIFT;
    let whole = shifted - SHIFT == bounded;
    let odd = whole && shifted.to_bits() & 1 == 1;
    let signed = if odd { power.copysign(x) } else { power };
    let signed = if x < 0.0 && size < f64::INFINITY && !whole { f64::NAN } else { signed };
    (if x == 1.0 || y == 0.0 { 1.0 } else { signed }) as f32
}
