//! The hyperbolic tangent: an odd polynomial near 0, and 1 − 2 / (e²ˣ + 1) farther out.

use crate::kernels::math::exp::exp_parts;
use crate::kernels::math::poly::{fma, polynomial, power_of_two};
use crate::kernels::tile::lane::Machine;

/// Below this, the polynomial.
const NEAR: f32 = 0.625;

/// From here on, 1.
const FAR: f32 = 9.1;

/// (tanh x − x) / x³ in x².
const TANH: [f32; 5] = [-0.333_332_8, 0.133_314_12, -0.053_737_435, 0.020_632_321, -0.005_698_03];

/// tanh x
#[inline(always)]
pub(crate) fn tanh<M: Machine>(x: f32) -> f32 {
    let size = x.abs();
    let z = x * x;
    let near = fma::<M, f32>(size * z, polynomial::<M, f32, 5>(z, TANH), size);
    let (p, n) = exp_parts::<M>(2.0 * if size > FAR { FAR } else { size });
    let far = 1.0 - 2.0 / fma::<M, f32>(p, power_of_two(n), 1.0);
    (if size < NEAR { near } else { far }).copysign(x)
}
