//! `cumprod`: the running product along an axis.
//!
//! yᵢ = x₀ · … · xᵢ. The products are taken one after another.
//!
//! * shape: unchanged
//! * dtypes: all numbers; integers wrap; f32 is multiplied in f64, bf16 and f16 in f32, each rounded once a result
//! * derivative: ∂xᵢ = x₀ … xᵢ₋₁ · λᵢ with λᵢ = ctᵢ + xᵢ₊₁ λᵢ₊₁. Nothing is divided, so it is exact where elements are
//!   zero, to any order

use crate::batch::Batch;
use crate::class::Class;
use crate::cost::per_element;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::{Blocks, views, with_type};
use crate::lanes::scan;
use crate::meta::{Meta, operands};
use crate::ops::linear_scan::LinearScan;
use crate::sample::{Accuracy, Entry, Sample};
use wengert_tensor::dtype::{DType, Element};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// The running product.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct CumProd {
    /// The axis.
    pub axis: usize,
}

impl Op for CumProd {
    fn name(&self) -> &'static str {
        "cumprod"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        if x.dtype == DType::Bool {
            return Err(Error::dtype("multiplies numbers, not bool").help("convert first: .cast(DType::I64)"));
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

    fn pullback<'t>(&self, _i: usize, x: &[Var<'t>], y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        if ct.is_empty() {
            return None;
        }
        let axis = self.axis;
        let later = x[0].shifted_along(axis, true, 0.0);
        let fed = ct.tape.record(LinearScan { axis, reverse: true }, &[ct, later]);
        Some(fed.mul_masked(y.shifted_along(axis, false, 1.0)))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(CumProd { axis: self.axis + 1 })
    }
}

impl Kernel for CumProd {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [x] = views(inputs)?;
        let around = Blocks::around(x.shape(), self.axis, 1);
        macro_rules! run {
            ($T:ty, $start:expr, $step:expr) => {
                scan(x.as_slice::<$T>()?, out.as_mut_slice::<$T>()?, around, false, $start, $step)
            };
        }
        match x.dtype() {
            DType::F32 => run!(f32, 1f64, |product, x, _| {
                *product *= f64::from(x);
                *product as f32
            }),
            DType::F64 => run!(f64, 1f64, |product, x, _| {
                *product *= x;
                *product
            }),
            DType::Bool => return Err(Error::dtype("multiplies numbers, not bool")),
            half @ (DType::BF16 | DType::F16) => with_type!(half, T => run!(T, 1f32, |product, x, _| {
                *product *= T::from_stored(x).to_f64() as f32;
                T::from_f64(f64::from(*product)).to_stored()
            })),
            whole => with_type!(whole, T => run!(T, 1i64, |product, x, _| {
                *product = product.wrapping_mul(T::from_stored(x).to_i64());
                T::from_i64(*product).to_stored()
            })),
        }
        Ok(())
    }

    fn flops(&self, _inputs: &[&Shape], out: &Shape) -> Option<u64> {
        per_element(out, 1)
    }
}

impl<'t> Var<'t> {
    /// The running product along an axis.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([2.0f32, 0.0, 4.0]));
    /// let y = x.cumprod(0);
    /// let [dx] = tape.grad(y.sum(), [x]);
    /// assert_eq!(y.value()?.to_vec::<f32>()?, [2.0, 0.0, 0.0]);
    /// assert_eq!(dx.value()?.to_vec::<f32>()?, [1.0, 10.0, 0.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn cumprod(self, axis: isize) -> Var<'t> {
        match self.shape().axis(axis) {
            Ok(axis) => self.then(CumProd { axis }),
            Err(error) => self.reject("cumprod", error),
        }
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[1.0f64, -2.0, 3.0], [0.5, 1.5, 2.0]])];
    let row = |row: [f64; 5]| [Tensor::from(row)];
    vec![
        Entry::new(
            "cumprod",
            "cumprod.rs",
            vec![
                Sample::new("rows", x(), |_, x| x[0].cumprod(-1))
                    .gives([1., -2., -6., 0.5, 0.75, 1.5])
                    .slopes([-7., 4., -2., 5.5, 1.5, 0.75]),
                Sample::new("columns", x(), |_, x| x[0].cumprod(0).exp()),
                Sample::new("one zero", row([1., 2., 0., 3., 4.]), |_, x| x[0].cumprod(0))
                    .slopes([3., 1., 32., 0., 0.]),
                Sample::new("two zeros", row([1., 0., 0., 3., 4.]), |_, x| x[0].cumprod(0))
                    .slopes([1., 1., 0., 0., 0.]),
                Sample::new("two zeros, of higher order", row([1., 0., 0., 3., 4.]), |_, x| x[0].cumprod(0).exp()),
                Sample::new("ends of the numbers", row([2., f64::INFINITY, 3., f64::NAN, 0.]), |_, x| x[0].cumprod(0))
                    .kinked(),
                Sample::new("nothing", x(), |_, x| x[0].slice(0, ..0).cumprod(0)).gives([]).slopes([0.0; 6]),
                Sample::new("size 1", x(), |_, x| x[0].slice(1, ..1).cumprod(1).square()).gives([1., 0.25]),
                Sample::new("i64", [Tensor::from([2i64, 3, -4])], |_, x| x[0].cumprod(0)).gives([2., 6., -24.]),
                Sample::new("f16", x(), |_, x| x[0].cast(DType::F16).cumprod(1)).kinked(),
            ],
        )
        .accuracy(Accuracy::Product),
    ]
}
