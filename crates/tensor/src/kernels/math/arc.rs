//! The inverses of the trigonometric functions for f32, and the hyperbolic sine and cosine, by way of f64: there nothing
//! cancels, and one rounding is left.

use crate::kernels::math::double::exp;
use crate::kernels::math::poly::{fma, polynomial};
use crate::kernels::tile::lane::Machine;
use std::f64::consts::{FRAC_PI_2, PI};

/// arctan t / t by powers of t², on 0 ≤ t ≤ 1: within 4e-10 of it, which is a hundredth of a unit of f32 (Remez).
const ARCTAN: [f64; 11] = [
    0.999_999_999_628_233_4,
    -0.333_333_239_352_873_3,
    0.199_996_046_367_515_8,
    -0.142_791_596_386_512_73,
    0.110_545_013_022_342_53,
    -0.087_987_726_747_948_75,
    0.067_161_096_867_947_55,
    -0.044_357_535_038_976_895,
    0.022_274_395_177_716_497,
    -0.007_199_405_315_430_632,
    0.001_091_115_467_419_592_3,
];

/// Below this, x + x³ / 6 is nearer to sinh x than a difference of exponentials.
const SMALL: f64 = 1e-3;

/// The angle of (x, y), in −π ..= π.
#[inline(always)]
fn angle<M: Machine>(y: f64, x: f64) -> f64 {
    let (tall, wide) = (y.abs(), x.abs());
    let steep = tall > wide;
    let (low, high) = if steep { (wide, tall) } else { (tall, wide) };
    // 0 / 0 and ∞ / ∞ are those of the axes and of the diagonals; NaN equals nothing.
    let same = if high == 0.0 { 0.0 } else { 1.0 };
    let t = if low == high { same } else { low / high };
    let angle = polynomial::<M, f64, 11>(t * t, ARCTAN) * t;
    let angle = if steep { FRAC_PI_2 - angle } else { angle };
    let angle = if x.is_sign_negative() { PI - angle } else { angle };
    angle.copysign(y)
}

/// arctan (y / x) in the quadrant of (x, y)
#[inline(always)]
pub(crate) fn atan2<M: Machine>(y: f32, x: f32) -> f32 {
    angle::<M>(f64::from(y), f64::from(x)) as f32
}

/// arctan x
#[inline(always)]
pub(crate) fn atan<M: Machine>(x: f32) -> f32 {
    angle::<M>(f64::from(x), 1.0) as f32
}

/// √(1 − x²)
#[inline(always)]
fn other_side(x: f64) -> f64 {
    ((1.0 - x) * (1.0 + x)).sqrt()
}

/// arcsin x
#[inline(always)]
pub(crate) fn asin<M: Machine>(x: f32) -> f32 {
    let x = f64::from(x);
    angle::<M>(x, other_side(x)) as f32
}

/// arccos x
#[inline(always)]
pub(crate) fn acos<M: Machine>(x: f32) -> f32 {
    let x = f64::from(x);
    angle::<M>(other_side(x), x) as f32
}

/// (eˣ − e⁻ˣ) / 2
#[inline(always)]
pub(crate) fn sinh<M: Machine>(x: f32) -> f32 {
    let x = f64::from(x);
    let small = fma::<M, f64>(x * x, x / 6.0, x);
    (if x.abs() < SMALL { small } else { 0.5 * exp::<M>(x) - 0.5 * exp::<M>(-x) }) as f32
}

/// (eˣ + e⁻ˣ) / 2
#[inline(always)]
pub(crate) fn cosh<M: Machine>(x: f32) -> f32 {
    let x = f64::from(x);
    (0.5 * exp::<M>(x) + 0.5 * exp::<M>(-x)) as f32
}
