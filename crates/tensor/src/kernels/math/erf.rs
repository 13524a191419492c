//! The error function: an odd polynomial near 0, and 1 − exp(−q(x)) farther out, where q = −ln erfc.

use crate::kernels::math::exp::exp_normal;
use crate::kernels::math::poly::{fma, polynomial};
use crate::kernels::tile::lane::Machine;

/// Below this, the polynomial.
const NEAR: f32 = 0.92;

/// From here on, 1.
const FAR: f32 = 4.0;

/// erf(x) / x − 1 in x².
const ERF: [f32; 7] =
    [0.128_379_17, -0.376_126_3, 0.112_836_26, -0.026_855_73, 0.005_192_39, -0.000_804_942_8, 7.994_27e-5];

/// (−ln erfc(x) − x) / x
const FALL: [f32; 7] =
    [0.128_648_52, 0.635_151_2, 0.106_237_04, -0.023_762_183, 0.003_642_506, -0.000_322_812_67, 1.123_189_2e-5];

/// erfc |x|, the first half of erf x.
#[inline(always)]
pub(crate) fn complement<M: Machine>(x: f32) -> f32 {
    let size = x.abs();
    let size = if size > FAR { FAR } else { size };
    exp_normal::<M>(-fma::<M, f32>(size, polynomial::<M, f32, 7>(size, FALL), size))
}

/// 2/√π · ∫₀ˣ exp(−t²) dt, from x and erfc |x|.
#[inline(always)]
pub(crate) fn erf<M: Machine>(x: f32, complement: f32) -> f32 {
    let size = x.abs();
    let near = fma::<M, f32>(size, polynomial::<M, f32, 7>(x * x, ERF), size);
    (if size < NEAR { near } else { 1.0 - complement }).copysign(x)
}
