//! Two arithmetic operations in one pass over the tile, each rounded by itself: the bits are those of two kernels, the result
//! of the first never leaves the registers.

use crate::dtype::DType;
use crate::kernels::level::Level;
use crate::kernels::scalar::ScalarFn;
use crate::kernels::tile::arith::{Add, Div, Mul, Sub};
use crate::kernels::tile::lane::Machine;
use crate::kernels::tile::{Map, TileFn, entry};
use std::marker::PhantomData;

/// `second(first(a, b), c)`.
struct Left<F, G>(PhantomData<(F, G)>);
/// `second(c, first(a, b))`.
struct Right<F, G>(PhantomData<(F, G)>);

macro_rules! pair {
    ($name:ident |$f:ident, $c:ident| $first:expr, $second:expr) => {
        impl<T, F, G> Map for $name<F, G>
        where
            T: crate::kernels::tile::lane::Lane,
            F: Map<A = T, B = T, C = (), Out = T>,
            G: Map<A = T, B = T, C = (), Out = T>,
        {
            type A = T;
            type B = T;
            type C = T;
            type Out = T;

            #[inline(always)]
            fn map<M: Machine>(a: T, b: T, $c: T) -> T {
                let $f = F::map::<M>(a, b, ());
                G::map::<M>($first, $second, ())
            }
        }
    };
}
pair!(Left | f, c | f, c);
pair!(Right | f, c | c, f);

/// The kernel of `second(first(a, b), c)`, or of `second(c, first(a, b))` when `right`; `None` for what is not paired.
///
/// Sums, differences and products are paired with each other and with a division behind them, for f32 and f64.
pub fn tile_pair(first: ScalarFn, second: ScalarFn, right: bool, dtype: DType, level: Level) -> Option<TileFn> {
    macro_rules! second {
        ($t:ty, $f:ident) => {
            match (second, right) {
                (ScalarFn::Add, _) => entry::<Left<$f<$t>, Add<$t>>>(level),
                (ScalarFn::Mul, _) => entry::<Left<$f<$t>, Mul<$t>>>(level),
                (ScalarFn::Sub, false) => entry::<Left<$f<$t>, Sub<$t>>>(level),
                (ScalarFn::Sub, true) => entry::<Right<$f<$t>, Sub<$t>>>(level),
                (ScalarFn::Div, false) => entry::<Left<$f<$t>, Div<$t>>>(level),
                (ScalarFn::Div, true) => entry::<Right<$f<$t>, Div<$t>>>(level),
                _ => return None,
            }
        };
    }
    macro_rules! first {
        ($t:ty) => {
            match first {
                ScalarFn::Add => second!($t, Add),
                ScalarFn::Sub => second!($t, Sub),
                ScalarFn::Mul => second!($t, Mul),
                _ => return None,
            }
        };
    }
    match dtype {
        DType::F32 => Some(first!(f32)),
        DType::F64 => Some(first!(f64)),
        _ => None,
    }
}
