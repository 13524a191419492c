//! `linear_scan`: a value that decays and is fed, along an axis.
//!
//! yᵢ = dᵢ yᵢ₋₁ + xᵢ, and y₋₁ = 0; from the end: yᵢ = dᵢ yᵢ₊₁ + xᵢ. Where the value is 0, it stays so whatever dᵢ is.
//!
//! The recurrence of leaky sums, of state-space models, and of the derivatives of running products, to every order.
//!
//! * shape: that of the operands, which are equal
//! * dtypes: all numbers, both the same; integers wrap; bf16 and f16 are computed in f32, each result rounded once
//! * derivative: with λᵢ = ctᵢ + dᵢ₊₁ λᵢ₊₁, which is the same recurrence from the other end: ∂xᵢ = λᵢ and ∂dᵢ = λᵢ yᵢ₋₁

use crate::batch::Batch;
use crate::class::Class;
use crate::cost::per_element;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::{Blocks, views, with_type};
use crate::lanes::scan;
use crate::meta::{Meta, operands};
use crate::operand::{Like, Operand};
use crate::sample::{Accuracy, Entry, Sample};
use wengert_tensor::dtype::{DType, Element};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// The recurrence of first order. Its operands are x and d.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct LinearScan {
    /// The axis.
    pub axis: usize,
    /// Whether it runs from the end.
    pub reverse: bool,
}

impl Op for LinearScan {
    fn name(&self) -> &'static str {
        "linear_scan"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["input", "decay"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x, decay] = operands(inputs)?;
        if x.dtype != decay.dtype {
            return Err(Error::dtype(format!("{} beside {}", x.dtype, decay.dtype))
                .help("nothing is converted silently; convert one side first: .cast(DType::…)"));
        }
        if x.dtype == DType::Bool {
            return Err(Error::dtype("multiplies numbers, not bool").help("convert first: .cast(DType::I64)"));
        }
        if x.shape != decay.shape {
            return Err(Error::shape(format!("a decay {} for {}", decay.shape, x.shape)));
        }
        match self.axis < x.shape.rank() {
            true => Ok(x.clone()),
            false => Err(Error::axis(format!("axis {} is out of range for {}", self.axis, x.shape))),
        }
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Composite
    }

    fn pullback<'t>(&self, i: usize, x: &[Var<'t>], y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        if ct.is_empty() {
            return None;
        }
        let &LinearScan { axis, reverse } = self;
        let decay = x[1].shifted_along(axis, !reverse, 0.0);
        let fed = ct.tape.record(LinearScan { axis, reverse: !reverse }, &[ct, decay]);
        Some(match i {
            0 => fed,
            _ => fed.mul_masked(y.shifted_along(axis, reverse, 0.0)),
        })
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(LinearScan { axis: self.axis + 1, ..*self })
    }
}

impl Kernel for LinearScan {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [x, decay] = views(inputs)?;
        let around = Blocks::around(x.shape(), self.axis, 1);
        macro_rules! run {
            ($T:ty, $start:expr, $step:expr) => {{
                // The decay stands where the result will.
                let dst = out.as_mut_slice::<$T>()?;
                dst.copy_from_slice(decay.as_slice::<$T>()?);
                scan(x.as_slice::<$T>()?, dst, around, self.reverse, $start, $step);
            }};
        }
        macro_rules! float {
            ($T:ty) => {
                run!($T, 0.0, |state, x, d| {
                    *state = if *state == 0.0 { x } else { *state * d + x };
                    *state
                })
            };
        }
        match x.dtype() {
            DType::F32 => float!(f32),
            DType::F64 => float!(f64),
            DType::Bool => return Err(Error::dtype("multiplies numbers, not bool")),
            half @ (DType::BF16 | DType::F16) => with_type!(half, T => run!(T, 0f32, |state, x, d| {
                let [x, d] = [x, d].map(|v| T::from_stored(v).to_f64() as f32);
                *state = if *state == 0.0 { x } else { *state * d + x };
                T::from_f64(f64::from(*state)).to_stored()
            })),
            whole => with_type!(whole, T => run!(T, 0i64, |state, x, d| {
                let [x, d] = [x, d].map(|v| T::from_stored(v).to_i64());
                *state = state.wrapping_mul(d).wrapping_add(x);
                T::from_i64(*state).to_stored()
            })),
        }
        Ok(())
    }

    fn flops(&self, _inputs: &[&Shape], out: &Shape) -> Option<u64> {
        per_element(out, 2)
    }
}

impl<'t> Var<'t> {
    /// A value that decays and is fed along an axis: yᵢ = decayᵢ · yᵢ₋₁ + xᵢ, from y₋₁ = 0. A decay of 1 gives the running
    /// sum. The decay is a number, or is broadcast to this shape.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([8.0f32, 0.0, 4.0, 0.0]).apply(|x| x.linear_scan(0.5, 0))?;
    /// assert_eq!(y.to_vec::<f32>()?, [8.0, 4.0, 6.0, 3.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn linear_scan(self, decay: impl Operand<'t>, axis: isize) -> Var<'t> {
        let _call = self.tape.call("linear_scan");
        let decay = decay.into_var(self.tape, Like::of(self));
        let shape = self.shape();
        match shape.axis(axis) {
            Ok(axis) => self.tape.record(LinearScan { axis, reverse: false }, &[self, decay.broadcast_to(&shape)]),
            Err(error) => self.reject("linear_scan", error),
        }
    }

    /// The elements of an axis one place later, or one place earlier: `value` takes the place that is left.
    ///
    /// The axis has elements.
    #[track_caller]
    pub(crate) fn shifted_along(self, axis: usize, earlier: bool, value: f64) -> Var<'t> {
        let (axis, size) = (axis as isize, self.dim(axis as isize));
        match earlier {
            true => self.slice(axis, 1..).pad(axis, 0, 1, value),
            false => self.slice(axis, ..size.saturating_sub(1)).pad(axis, 1, 0, value),
        }
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || Tensor::from([[1.0f64, -2.0, 3.0], [0.5, 1.5, 2.0]]);
    let decay = || Tensor::from([[0.3f64, 0.5, -0.7], [2.0, 0.0, 1.1]]);
    vec![
        Entry::new(
            "linear_scan",
            "linear_scan.rs",
            vec![
                Sample::new("rows", [x(), decay()], |_, x| x[0].linear_scan(x[1], -1))
                    .gives([1., -1.5, 4.05, 0.5, 1.5, 3.65])
                    .slopes([1.15, 0.3, 1., 1., 2.1, 1.]),
                Sample::new("columns", [x(), decay()], |_, x| x[0].linear_scan(x[1], 0).exp()),
                Sample::new("from the end", [x(), decay()], |tape, x| {
                    tape.record(LinearScan { axis: 1, reverse: true }, &[x[0], x[1]]).square()
                }),
                Sample::new("a number", [x()], |_, x| x[0].linear_scan(0.5, 1))
                    .gives([1., -1.5, 2.25, 0.5, 1.75, 2.875]),
                Sample::new("one", [x(), decay()], |_, x| x[0].slice(1, ..1).linear_scan(x[1].slice(1, ..1), 1))
                    .gives([1., 0.5]),
                Sample::new("nothing", [x(), decay()], |_, x| x[0].slice(1, ..0).linear_scan(x[1].slice(1, ..0), 1))
                    .gives([])
                    .slopes([0.0; 6]),
                Sample::new("zero stays", [Tensor::from([0.0f64, 0.0, 1.0])], |_, x| {
                    x[0].linear_scan(Tensor::from([1.0f64, f64::INFINITY, f64::NAN]), 0)
                })
                .kinked()
                .gives([0., 0., 1.]),
                Sample::new("i32", [Tensor::from([1i32, 2, 3])], |_, x| x[0].linear_scan(2, 0)).gives([1., 4., 11.]),
                Sample::new("f16", [x(), decay()], |_, x| x[0].cast(DType::F16).linear_scan(x[1].cast(DType::F16), 1))
                    .kinked(),
            ],
        )
        .accuracy(Accuracy::Sum),
    ]
}
