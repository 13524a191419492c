//! `cumsum`: the running sum along an axis.
//!
//! yᵢ = x₀ + … + xᵢ, or xᵢ + … + xₙ₋₁ from the end. The sums are taken one after another.
//!
//! * shape: unchanged
//! * dtypes: all numbers; integers wrap; f32 is summed in f64, bf16 and f16 in f32, each rounded once a result
//! * derivative: linear; the cotangent is summed from the other end

use crate::batch::Batch;
use crate::class::Class;
use crate::cost::per_element;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::{Blocks, views, with_type};
use crate::lanes::scan;
use crate::meta::{Meta, operands};
use crate::sample::{Accuracy, Entry, Sample};
use wengert_tensor::dtype::{DType, Element};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// The running sum.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct CumSum {
    /// The axis.
    pub axis: usize,
    /// Whether it runs from the end.
    pub reverse: bool,
}

impl Op for CumSum {
    fn name(&self) -> &'static str {
        "cumsum"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        if x.dtype == DType::Bool {
            return Err(Error::dtype("adds numbers, not bool").help("convert first: .cast(DType::I64) counts"));
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
        Derivative::Linear
    }

    fn transpose<'t>(&self, _i: usize, _x: &[Var<'t>], ct: Var<'t>) -> Option<Var<'t>> {
        Some(ct.then(CumSum { axis: self.axis, reverse: !self.reverse }))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(CumSum { axis: self.axis + 1, ..*self })
    }
}

impl Kernel for CumSum {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [x] = views(inputs)?;
        let around = Blocks::around(x.shape(), self.axis, 1);
        macro_rules! run {
            ($T:ty, $start:expr, $step:expr) => {
                scan(x.as_slice::<$T>()?, out.as_mut_slice::<$T>()?, around, self.reverse, $start, $step)
            };
        }
        match x.dtype() {
            DType::F32 => run!(f32, 0f64, |sum, x, _| {
                *sum += f64::from(x);
                *sum as f32
            }),
            DType::F64 => run!(f64, 0f64, |sum, x, _| {
                *sum += x;
                *sum
            }),
            DType::Bool => return Err(Error::dtype("adds numbers, not bool")),
            half @ (DType::BF16 | DType::F16) => with_type!(half, T => run!(T, 0f32, |sum, x, _| {
                *sum += T::from_stored(x).to_f64() as f32;
                T::from_f64(f64::from(*sum)).to_stored()
            })),
            whole => with_type!(whole, T => run!(T, 0i64, |sum, x, _| {
                *sum = sum.wrapping_add(T::from_stored(x).to_i64());
                T::from_i64(*sum).to_stored()
            })),
        }
        Ok(())
    }

    fn flops(&self, _inputs: &[&Shape], out: &Shape) -> Option<u64> {
        per_element(out, 1)
    }
}

impl<'t> Var<'t> {
    /// The running sum along an axis.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[1i64, 2, 3], [4, 5, 6]]).apply(|x| x.cumsum(-1))?;
    /// assert_eq!(y.to_vec::<i64>()?, [1, 3, 6, 4, 9, 15]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn cumsum(self, axis: isize) -> Var<'t> {
        match self.shape().axis(axis) {
            Ok(axis) => self.then(CumSum { axis, reverse: false }),
            Err(error) => self.reject("cumsum", error),
        }
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[1.0f64, -2.0, 3.0], [0.5, 1.5, 2.0]])];
    let big = [Tensor::from([1.0f64, f64::INFINITY, 2.0, f64::NAN, 3.0])];
    vec![
        Entry::new(
            "cumsum",
            "cumsum.rs",
            vec![
                Sample::new("rows", x(), |_, x| x[0].cumsum(-1))
                    .gives([1., -1., 2., 0.5, 2., 4.])
                    .slopes([3., 2., 1., 3., 2., 1.]),
                Sample::new("columns", x(), |_, x| x[0].cumsum(0).exp()),
                Sample::new("middle axis, from the end", x(), |_, x| {
                    x[0].reshape([1, 3, 2]).then(CumSum { axis: 1, reverse: true })
                })
                .gives([5.5, 0.5, 4.5, 2.5, 1.5, 2.])
                .slopes([1., 1., 2., 2., 3., 3.]),
                Sample::new("ends of the numbers", big, |_, x| x[0].cumsum(0))
                    .kinked()
                    .gives([1., f64::INFINITY, f64::INFINITY, f64::NAN, f64::NAN])
                    .slopes([5., 4., 3., 2., 1.]),
                Sample::new("nothing", x(), |_, x| x[0].slice(1, ..0).cumsum(1)).gives([]).slopes([0.0; 6]),
                Sample::new("size 1", x(), |_, x| x[0].slice(1, ..1).cumsum(1).square()).gives([1., 0.25]),
                Sample::new("u8", [Tensor::from([200u8, 100, 1])], |_, x| x[0].cumsum(0)).gives([200., 44., 45.]),
                Sample::new("bf16", x(), |_, x| x[0].cast(DType::BF16).cumsum(1)).kinked(),
                Sample::new("f32", [], |tape, _| tape.iota([100_000], 0, DType::F32).cumsum(0).at(0, 99_999))
                    .gives([f64::from(4_999_950_000f32)]),
            ],
        )
        .accuracy(Accuracy::Sum),
    ]
}
