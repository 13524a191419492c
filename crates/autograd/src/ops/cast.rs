//! `cast`: the same elements in another element type.
//!
//! * shape: unchanged
//! * dtypes: any to any. Floats become integers by truncation, saturating, and NaN becomes 0; what is not 0 is `true`.
//! * derivative: linear between floats; the cotangent is cast back. Integers and masks have none.

use crate::class::Class;
use crate::graph::{Derivative, Op, OpRef, Var};
use crate::meta::{Meta, operands};
use crate::sample::{Entry, Sample};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

/// Converts to a dtype.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Cast(pub DType);

/// One for each dtype, in the order of their declaration, so that recording allocates nothing.
static CASTS: [Cast; 8] = [
    Cast(DType::F32),
    Cast(DType::F64),
    Cast(DType::BF16),
    Cast(DType::F16),
    Cast(DType::I64),
    Cast(DType::I32),
    Cast(DType::U8),
    Cast(DType::Bool),
];

impl Op for Cast {
    fn name(&self) -> &'static str {
        "cast"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        Ok(x.with_dtype(self.0))
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Cast(self.0)
    }

    fn derivative(&self) -> Derivative {
        match self.0.is_float() {
            true => Derivative::Linear,
            false => Derivative::None("its result is no float"),
        }
    }

    fn transpose<'t>(&self, _i: usize, x: &[Var<'t>], ct: Var<'t>) -> Option<Var<'t>> {
        Some(ct.cast(x[0].dtype()))
    }
}

impl<'t> Var<'t> {
    /// The elements as another dtype.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::{dtype::DType, tensor::Tensor};
    /// let y = Tensor::from([1.9f32, -1.9, f32::NAN]).apply(|x| x.cast(DType::I64))?;
    /// assert_eq!(y.to_vec::<i64>()?, [1, -1, 0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias("astype", "to_dtype", "convert_element_type"))]
    #[track_caller]
    pub fn cast(self, dtype: DType) -> Var<'t> {
        match CASTS.iter().find(|cast| cast.0 == dtype) {
            Some(cast) if self.dtype() != dtype => self.then(OpRef::Static(cast)),
            _ => self,
        }
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([1.5f64, -2.25, 0.0])];
    vec![Entry::new(
        "cast",
        "cast.rs",
        vec![
            Sample::new("to f32", x(), |_, x| x[0].cast(DType::F32)).kinked().slopes([1.0, 1.0, 1.0]),
            Sample::new("to bf16", x(), |_, x| x[0].cast(DType::BF16)).kinked().slopes([1.0, 1.0, 1.0]),
            Sample::new("to f16", x(), |_, x| x[0].cast(DType::F16)).kinked(),
            Sample::new("to i64", x(), |_, x| x[0].cast(DType::I64)).gives([1.0, -2.0, 0.0]).slopes([0.0; 3]),
            Sample::new("to i32", x(), |_, x| x[0].cast(DType::I32)).gives([1.0, -2.0, 0.0]),
            Sample::new("to u8", x(), |_, x| x[0].cast(DType::U8)).gives([1.0, 0.0, 0.0]),
            Sample::new("to bool", x(), |_, x| x[0].cast(DType::Bool)).gives([1.0, 1.0, 0.0]),
            Sample::new("to f16, rounded once", [Tensor::from([65519.99999999f64, 1.0])], |_, x| x[0].cast(DType::F16))
                .kinked()
                .gives([65504.0, 1.0]),
            Sample::new("integers to bf16, rounded once", [Tensor::from([(1i64 << 30) + (1 << 22) + 1])], |_, x| {
                x[0].cast(DType::BF16)
            })
            .gives([1_082_130_432.0]),
            Sample::new("back and forth", x(), |_, x| x[0].cast(DType::I32).cast(DType::F64)).kinked(),
        ],
    )]
}
