//! `+ - * / %` and `-x`, so that mathematics reads as mathematics. A number or a tensor may stand on either side; on the left side numbers
//! are f64 or i64, so that the type of `(1.0 - x).sqrt()` is known (an f32 `a` is `f64::from(a)` there).
//! `& | ^ !` join masks, and with `<<` and `>>` bits of whole numbers.
//!
//! ```
//! # use wengert_autograd::Tape;
//! # use wengert_tensor::tensor::Tensor;
//! let tape = Tape::new();
//! let x = tape.input(&Tensor::from([-1f32, 0.5, 2.0]));
//! let inside = x.gt(0.0) & !x.gt(1.0);
//! assert_eq!(inside.value()?.to_vec::<bool>()?, [false, true, false]);
//! # Ok::<(), wengert_tensor::error::Error>(())
//! ```

use crate::graph::Var;
use crate::operand::{Like, Operand};
use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Rem, Shl, Shr, Sub};
use wengert_tensor::tensor::Tensor;

macro_rules! operator {
    ($($trait:ident $method:ident = $op:ident;)+) => {$(
        impl<'t, R: Operand<'t>> $trait<R> for Var<'t> {
            type Output = Var<'t>;

            #[track_caller]
            fn $method(self, other: R) -> Var<'t> {
                Var::$op(self, other)
            }
        }

        operator!(left $trait $method $op: f64, i64, &Tensor, Tensor);
    )+};
    (left $trait:ident $method:ident $op:ident: $($left:ty),+) => {$(
        impl<'t> $trait<Var<'t>> for $left {
            type Output = Var<'t>;

            #[track_caller]
            fn $method(self, other: Var<'t>) -> Var<'t> {
                Var::$op(self.into_var(other.tape(), Like::of(other)), other)
            }
        }
    )+};
}

operator! {
    Add add = add;
    Sub sub = sub;
    Mul mul = mul;
    Div div = div;
    Rem rem = rem;
    BitAnd bitand = and;
    BitOr bitor = or;
    BitXor bitxor = xor;
    Shl shl = shift_left;
    Shr shr = shift_right;
}

/// `!mask`, and the bits that a whole number lacks.
impl<'t> Not for Var<'t> {
    type Output = Var<'t>;

    #[track_caller]
    fn not(self) -> Var<'t> {
        self.bitwise_not()
    }
}

impl<'t> Neg for Var<'t> {
    type Output = Var<'t>;

    #[track_caller]
    fn neg(self) -> Var<'t> {
        Var::neg(self)
    }
}
