//! Logarithms: x = m · 2ᵏ with m in [√½, √2], and log x = k · log 2 + log m, where log m is a polynomial in m − 1.

use crate::kernels::math::poly::{fma, polynomial, power_of_two};
use crate::kernels::tile::lane::Machine;
use std::f32::consts::{LOG2_E, LOG10_E};

/// The bits of √½: the least mantissa.
const LEAST: u32 = 0x3f35_04f3;

/// What one base needs.
struct Base {
    /// log 2 in two parts, the first of so few bits that its product with k is exact.
    two: [f32; 2],
    /// log e in two parts.
    e: [f32; 2],
    /// (log(1 + f) − f · log e) / f² for 1 + f in [√½, √2].
    rest: [f32; 9],
}

const NATURAL: Base = Base {
    two: [0.693_145_75, 1.428_606_8e-6],
    e: [1.0, 0.0],
    rest: [
        -0.499_999_88,
        0.333_333_25,
        -0.250_015_97,
        0.200_019_54,
        -0.166_087_96,
        0.141_824_96,
        -0.132_459_43,
        0.128_998_04,
        -0.076_081_87,
    ],
};

const BINARY: Base = Base {
    two: [1.0, 0.0],
    e: [LOG2_E, 1.925_963e-8],
    rest: [
        -0.721_347_33,
        0.480_898_17,
        -0.360_698_46,
        0.288_573_8,
        -0.239_580_17,
        0.204_445_75,
        -0.191_199_66,
        0.187_258_57,
        -0.111_007_616,
    ],
};

const DECIMAL: Base = Base {
    two: [0.301_025_4, 4.605_039e-6],
    e: [LOG10_E, -1.010_305e-8],
    rest: [
        -0.217_147_19,
        0.144_764_78,
        -0.108_580_81,
        0.086_868_65,
        -0.072_126_46,
        0.061_565_105,
        -0.057_531_994,
        0.056_206_63,
        -0.033_256_635,
    ],
};

/// ln x of a normal x; for the others, `ODD` makes it complete.
#[inline(always)]
pub(crate) fn log<M: Machine, const ODD: bool>(x: f32) -> f32 {
    logarithm::<M, ODD>(x, &NATURAL)
}

/// log₂ x, likewise.
#[inline(always)]
pub(crate) fn log2<M: Machine, const ODD: bool>(x: f32) -> f32 {
    logarithm::<M, ODD>(x, &BINARY)
}

/// log₁₀ x, likewise.
#[inline(always)]
pub(crate) fn log10<M: Machine, const ODD: bool>(x: f32) -> f32 {
    logarithm::<M, ODD>(x, &DECIMAL)
}

/// Whether `x` is not a positive normal number: 0, negative, subnormal, ∞ or NaN.
#[inline(always)]
pub(crate) fn is_odd(x: f32) -> bool {
    !(f32::MIN_POSITIVE..f32::INFINITY).contains(&x)
}

#[inline(always)]
fn logarithm<M: Machine, const ODD: bool>(x: f32, base: &Base) -> f32 {
    if !ODD {
        let (m, k) = split(x);
        return combine::<M>(m - 1.0, k as f32, base);
    }
    let subnormal = x < f32::MIN_POSITIVE;
    let (m, k) = split(if subnormal { x * 8_388_608.0 } else { x });
    let k = if subnormal { k.wrapping_sub(23) } else { k };
    at_edges(x, combine::<M>(m - 1.0, k as f32, base))
}

/// ln(1 + x) of a normal 1 + x below 2⁶⁴; for the others, `ODD` makes it complete.
///
/// The sum only says the exponent: f = (1 + x) · 2⁻ᵏ − 1 is computed from x itself, with one rounding.
#[inline(always)]
pub(crate) fn log1p<M: Machine, const ODD: bool>(x: f32) -> f32 {
    let sum = 1.0 + x;
    let (m, k) = split(sum);
    let small = power_of_two(127u32.wrapping_sub(k as u32));
    let mut f = fma::<M, f32>(x, small, small - 1.0);
    if ODD && k > 64 {
        // 1 is less than the rounding error of x, and 2⁻ᵏ may not be a float.
        f = m - 1.0;
    }
    let y = combine::<M>(f, k as f32, &NATURAL);
    let y = if ODD { at_edges(sum, y) } else { y };
    if x == 0.0 { x } else { y }
}

/// Whether 1 + x is not a positive number below 2⁶⁴.
#[inline(always)]
pub(crate) fn is_odd_sum(x: f32) -> bool {
    !(x > -1.0 && x < 1.8e19)
}

/// The mantissa in [√½, √2] and the exponent of a positive normal float.
#[inline(always)]
fn split(x: f32) -> (f32, i32) {
    let above = x.to_bits().wrapping_sub(LEAST);
    (f32::from_bits((above & 0x007f_ffff).wrapping_add(LEAST)), above as i32 >> 23)
}

/// k · log 2 + log(1 + f), the small parts first.
#[inline(always)]
fn combine<M: Machine>(f: f32, k: f32, base: &Base) -> f32 {
    let mut low = f * f * polynomial::<M, f32, 9>(f, base.rest);
    if base.two[1] != 0.0 {
        low = fma::<M, f32>(k, base.two[1], low);
    }
    if base.e[1] != 0.0 {
        low = fma::<M, f32>(f, base.e[1], low);
    }
    fma::<M, f32>(k, base.two[0], fma::<M, f32>(f, base.e[0], low))
}

/// The logarithms that no polynomial gives: of 0, ∞, NaN and what is negative.
#[inline(always)]
fn at_edges(x: f32, y: f32) -> f32 {
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    let y = if x == f32::INFINITY { x } else { y };
    if x >= 0.0 { y } else { f32::NAN }
}
