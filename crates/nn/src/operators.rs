//! `&Param` and `&Buffer` where a `Var` may stand: `x.matmul(&self.w) + &self.b`, `&self.scale * x`, `grads[&model.w]`.
//!
//! A parameter takes the tape of the variable beside it, so one side of every operator is a `Var`. Where there is none,
//! `param.on(tape)` names the tape.

use std::ops::{Add, Div, Index, Mul, Rem, Sub};

use wengert_autograd::{Gradients, Like, Operand, Tape, Var};

use crate::param::{Buffer, Param};

impl<'t> Operand<'t> for &Param {
    #[track_caller]
    fn into_var(self, tape: &'t Tape, _like: Like<'t>) -> Var<'t> {
        self.on(tape)
    }
}

impl<'t> Operand<'t> for &Buffer {
    #[track_caller]
    fn into_var(self, tape: &'t Tape, _like: Like<'t>) -> Var<'t> {
        self.on(tape)
    }
}

/// The left side. (The right side is every operand's.)
macro_rules! operators {
    ($($trait:ident $method:ident),+) => {$(
        impl<'t> $trait<Var<'t>> for &Param {
            type Output = Var<'t>;
            #[track_caller]
            fn $method(self, right: Var<'t>) -> Var<'t> {
                $trait::$method(self.on(right.tape()), right)
            }
        }
        impl<'t> $trait<Var<'t>> for &Buffer {
            type Output = Var<'t>;
            #[track_caller]
            fn $method(self, right: Var<'t>) -> Var<'t> {
                $trait::$method(self.on(right.tape()), right)
            }
        }
    )+};
}
operators!(Add add, Sub sub, Mul mul, Div div, Rem rem);

/// The gradient of a parameter: `grads[&model.w]`.
///
/// A parameter that was not used on the tape fails the tape.
impl<'t> Index<&Param> for Gradients<'t> {
    type Output = Var<'t>;

    #[track_caller]
    fn index(&self, param: &Param) -> &Var<'t> {
        self.at(param.id())
    }
}
