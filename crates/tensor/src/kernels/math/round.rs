//! Rounding to integral floats.

use crate::kernels::tile::lane::Machine;

macro_rules! rounding {
    ($t:ty, $limit:expr, $round:ident, $floor:ident, $ceil:ident, $trunc:ident) => {
        /// To the nearest integer, ties to even.
        #[inline(always)]
        pub(crate) fn $round<M: Machine>(a: $t) -> $t {
            if M::ROUNDS {
                return a.round_ties_even();
            }
            // From here on the spacing of floats is 1: adding it rounds. Larger floats are integers already.
            const LIMIT: $t = $limit;
            let size = a.abs();
            let near = (size + LIMIT) - LIMIT;
            (if size < LIMIT { near } else { size }).copysign(a)
        }

        /// The largest integer that is not above `a`.
        #[inline(always)]
        pub(crate) fn $floor<M: Machine>(a: $t) -> $t {
            if M::ROUNDS {
                return a.floor();
            }
            let near = $round::<M>(a);
            if near > a { near - 1.0 } else { near }
        }

        /// The smallest integer that is not below `a`.
        #[inline(always)]
        pub(crate) fn $ceil<M: Machine>(a: $t) -> $t {
            if M::ROUNDS {
                return a.ceil();
            }
            let near = $round::<M>(a);
            (if near < a { near + 1.0 } else { near }).copysign(a)
        }

        /// The integer part.
        #[inline(always)]
        pub(crate) fn $trunc<M: Machine>(a: $t) -> $t {
            if M::ROUNDS {
                return a.trunc();
            }
            $floor::<M>(a.abs()).copysign(a)
        }
    };
}

rounding!(f32, 8_388_608.0, round_f32, floor_f32, ceil_f32, trunc_f32);
rounding!(f64, 4_503_599_627_370_496.0, round_f64, floor_f64, ceil_f64, trunc_f64);
