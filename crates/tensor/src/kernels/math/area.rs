//! The inverse hyperbolic functions, by the standard library's logarithm: its own inverses overflow for large
//! numbers, and lose digits near −1.

use std::f64::consts::LN_2;

/// From here on 1 is lost beside x².
const LARGE: f64 = 268_435_456.0;

/// arsinh x
#[inline(always)]
pub(crate) fn asinh(x: f64) -> f64 {
    let size = x.abs();
    let y = if size > LARGE { size.ln() + LN_2 } else { (size + size * size / (1.0 + size.hypot(1.0))).ln_1p() };
    y.copysign(x)
}

/// arcosh x, NaN below 1.
#[inline(always)]
pub(crate) fn acosh(x: f64) -> f64 {
    let above = x - 1.0;
    if above < 0.0 {
        f64::NAN
    } else if x > LARGE {
        x.ln() + LN_2
    } else {
        (above + (above * (above + 2.0)).sqrt()).ln_1p()
    }
}

/// artanh x, NaN outside of [−1, 1].
#[inline(always)]
pub(crate) fn atanh(x: f64) -> f64 {
    let size = x.abs();
    let double = size + size;
    let ratio = if size < 0.5 { double + double * size / (1.0 - size) } else { double / (1.0 - size) };
    (0.5 * ratio.ln_1p()).copysign(x)
}
