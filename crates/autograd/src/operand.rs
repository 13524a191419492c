//! What may stand beside a `Var`: another one, a tensor, a number.

use crate::graph::{Tape, Var};
use crate::meta::Meta;
use wengert_tensor::dtype::{DType, Scalar};
use wengert_tensor::error::Error;
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// The value beside an operand: a number takes its shape, and its element type unless the op wants another.
#[derive(Clone, Copy, Debug)]
pub struct Like<'t> {
    var: Var<'t>,
    dtype: Option<DType>,
    single: bool,
}

impl<'t> Like<'t> {
    /// Shape and element type of `var`.
    pub fn of(var: Var<'t>) -> Like<'t> {
        Like { var, dtype: None, single: false }
    }

    /// The same shape with another element type.
    pub fn with_dtype(self, dtype: DType) -> Like<'t> {
        Like { dtype: Some(dtype), ..self }
    }

    /// A single number instead of one that fills the shape.
    pub fn single(self) -> Like<'t> {
        Like { single: true, ..self }
    }

    /// The shape.
    pub fn shape(self) -> Shape {
        match self.single {
            true => Shape::scalar(),
            false => self.var.shape(),
        }
    }

    /// The element type.
    pub fn dtype(self) -> DType {
        self.dtype.unwrap_or_else(|| self.var.dtype())
    }

    /// Both.
    pub fn meta(self) -> Meta {
        Meta::new(self.shape(), self.dtype())
    }
}

/// What may be written where an op takes a value: `Var`, `&Tensor`, `Tensor`, `f64`, `f32`, `i32`, `i64`, `bool`, and in
/// the crate above `&Param`.
///
/// A number takes the other side's element type. It must be a value of that type: `x + 0.5` is an error where `x` holds
/// integers. Nothing else is converted: f32 beside f64 is an error.
///
/// ```
/// use wengert_autograd::Apply;
/// use wengert_tensor::tensor::Tensor;
/// assert_eq!(Tensor::from([1i64, 2]).apply(|x| x + 3)?.to_vec::<i64>()?, [4, 5]);
/// assert!(Tensor::from([1i64, 2]).apply(|x| x + 0.5).is_err());
/// # Ok::<(), wengert_tensor::error::Error>(())
/// ```
pub trait Operand<'t> {
    /// The value on `tape`, beside `like`.
    #[track_caller]
    fn into_var(self, tape: &'t Tape, like: Like<'t>) -> Var<'t>;
}

impl<'t> Operand<'t> for Var<'t> {
    fn into_var(self, _tape: &'t Tape, _like: Like<'t>) -> Var<'t> {
        self
    }
}

impl<'t> Operand<'t> for &Var<'t> {
    fn into_var(self, _tape: &'t Tape, _like: Like<'t>) -> Var<'t> {
        *self
    }
}

impl<'t> Operand<'t> for &Tensor {
    #[track_caller]
    fn into_var(self, tape: &'t Tape, _like: Like<'t>) -> Var<'t> {
        tape.input(self)
    }
}

impl<'t> Operand<'t> for Tensor {
    #[track_caller]
    fn into_var(self, tape: &'t Tape, _like: Like<'t>) -> Var<'t> {
        tape.input(&self)
    }
}

impl<'t> Operand<'t> for f64 {
    #[track_caller]
    fn into_var(self, tape: &'t Tape, like: Like<'t>) -> Var<'t> {
        let dtype = like.dtype();
        match number(self, dtype) {
            Some(value) if like.single => tape.slot(Shape::scalar(), value),
            Some(value) => tape.slot_beside(like.var, value),
            None => refuse(tape, like, self),
        }
    }
}

impl<'t> Operand<'t> for f32 {
    #[track_caller]
    fn into_var(self, tape: &'t Tape, like: Like<'t>) -> Var<'t> {
        f64::from(self).into_var(tape, like)
    }
}

impl<'t> Operand<'t> for i64 {
    #[track_caller]
    fn into_var(self, tape: &'t Tape, like: Like<'t>) -> Var<'t> {
        let dtype = like.dtype();
        let value = Scalar::from_i64(dtype, self);
        match dtype.is_float() || value.cast(DType::I64) == Scalar::of(self) {
            true => tape.slot(like.shape(), value),
            false => refuse(tape, like, self),
        }
    }
}

impl<'t> Operand<'t> for i32 {
    #[track_caller]
    fn into_var(self, tape: &'t Tape, like: Like<'t>) -> Var<'t> {
        i64::from(self).into_var(tape, like)
    }
}

impl<'t> Operand<'t> for bool {
    #[track_caller]
    fn into_var(self, tape: &'t Tape, like: Like<'t>) -> Var<'t> {
        i64::from(self).into_var(tape, like)
    }
}

/// What stands in place of an op where a number is none of its dtype.
pub(crate) const NUMBER: &str = "number";

/// A number as one of a dtype: floats round, integers are exact. `None` where there is none.
pub(crate) fn number(value: f64, dtype: DType) -> Option<Scalar> {
    let scalar = Scalar::new(dtype, value);
    // 2⁶³ is the f64 that the largest i64 rounds to.
    let exact = scalar.to_f64() == value && !(dtype == DType::I64 && value >= 2f64.powi(63));
    (dtype.is_float() || exact).then_some(scalar)
}

#[track_caller]
fn refuse<'t>(tape: &'t Tape, like: Like<'t>, value: impl std::fmt::Display) -> Var<'t> {
    let dtype = like.dtype();
    let error = Error::dtype(format!("{value} is no {dtype}, and a number takes the type of the value beside it"));
    let help = match dtype {
        DType::Bool => "where a mask is needed, compare first, as in x.gt(0.0)",
        _ => "convert the other side first: .cast(DType::F32)",
    };
    tape.reject(NUMBER, &[("beside", like.var)], error.help(help))
}
