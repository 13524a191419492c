//! What the functions are made of: polynomials, nearest integers, powers of two.

use crate::kernels::tile::lane::Machine;
use num_traits::Float;

/// a · b + c, with one rounding where the machine has the instruction.
#[inline(always)]
pub(crate) fn fma<M: Machine, T: Float>(a: T, b: T, c: T) -> T {
    if M::FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// c₀ + c₁x + c₂x² + …
///
/// Neighbours are joined first: (c₀ + c₁x) + x² · (c₂ + c₃x) + …. One coefficient after the other (Horner's scheme)
/// would be a chain of operations twice as long, and the machine would wait for it.
#[inline(always)]
pub(crate) fn polynomial<M: Machine, T: Float, const N: usize>(x: T, c: [T; N]) -> T {
    let square = x * x;
    let last = (N - 1) / 2 * 2;
    let mut y = if N % 2 == 1 { c[last] } else { fma::<M, T>(c[N - 1], x, c[last]) };
    for i in (0..last / 2).rev() {
        let i = 2 * i;
        y = fma::<M, T>(y, square, fma::<M, T>(c[i + 1], x, c[i]));
    }
    y
}

/// The spacing of floats is 1 here: what is added to it is rounded to an integer.
pub(crate) const SHIFT: f32 = 12_582_912.0;

/// The integer nearest to `x · scale` for results within ±2²¹, as float, and in the low bits of the other float.
///
/// Those bits are larger by `bias`.
#[inline(always)]
pub(crate) fn nearest<M: Machine>(x: f32, scale: f32, bias: f32) -> (f32, u32) {
    let shifted = fma::<M, f32>(x, scale, SHIFT + bias);
    (shifted - (SHIFT + bias), shifted.to_bits())
}

/// 2ⁿ for n in −126 ..= 127, from bits that end in n + 127.
#[inline(always)]
pub(crate) fn power_of_two(biased: u32) -> f32 {
    f32::from_bits(biased << 23)
}

/// `x` within bounds; NaN stays NaN.
#[inline(always)]
pub(crate) fn clamp(x: f32, low: f32, high: f32) -> f32 {
    let x = if x > high { high } else { x };
    if x < low { low } else { x }
}
