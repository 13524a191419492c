//! `+ - * / %` and `-x`, so that mathematics reads as mathematics. A number or a tensor may stand on either side.

use crate::graph::Var;
use crate::operand::{Like, Operand};
use std::ops::{Add, Div, Mul, Neg, Rem, Sub};
use wengert_tensor::tensor::Tensor;

macro_rules! operator {
    ($($trait:ident $method:ident;)+) => {$(
        impl<'t, R: Operand<'t>> $trait<R> for Var<'t> {
            type Output = Var<'t>;

            #[track_caller]
            fn $method(self, other: R) -> Var<'t> {
                Var::$method(self, other)
            }
        }

        operator!(left $trait $method: f64, f32, i32, i64, &Tensor, Tensor);
    )+};
    (left $trait:ident $method:ident: $($left:ty),+) => {$(
        impl<'t> $trait<Var<'t>> for $left {
            type Output = Var<'t>;

            #[track_caller]
            fn $method(self, other: Var<'t>) -> Var<'t> {
                Var::$method(self.into_var(other.tape(), Like::of(other)), other)
            }
        }
    )+};
}

operator! {
    Add add;
    Sub sub;
    Mul mul;
    Div div;
    Rem rem;
}

impl<'t> Neg for Var<'t> {
    type Output = Var<'t>;

    #[track_caller]
    fn neg(self) -> Var<'t> {
        Var::neg(self)
    }
}
