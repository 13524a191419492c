//! `iota`: the index along an axis.
//!
//! y[…, i, …] = i
//!
//! * shape: as given
//! * dtypes: all numbers
//! * derivative: there is no operand

use crate::class::{Class, IndexFn};
use crate::graph::{Derivative, Op, Tape, Var};
use crate::meta::{Meta, operands};
use crate::operand::number;
use crate::sample::{Entry, Sample};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::{IntoShape, Shape};

/// Counts along an axis.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Iota {
    /// The shape.
    pub shape: Shape,
    /// The counted axis.
    pub axis: usize,
    /// The element type.
    pub dtype: DType,
}

impl Op for Iota {
    fn name(&self) -> &'static str {
        "iota"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [] = operands(inputs)?;
        match self.dtype {
            DType::Bool => Err(Error::dtype("counts in numbers, not in bool").help("compare a count: .lt(n)")),
            dtype => {
                let last = self.shape.get(self.axis).map_or(0, |size| size.saturating_sub(1)) as f64;
                // In floats that have no place for the units it is rounded.
                match number(last, dtype).filter(|last| last.to_f64().is_finite()) {
                    Some(_) => Ok(Meta::new(self.shape.clone(), dtype)),
                    None => {
                        Err(Error::dtype(format!("counts to {last}, which is no {dtype}")).help("count in DType::I64"))
                    }
                }
            }
        }
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Index(IndexFn::Iota { axis: self.axis })
    }

    fn derivative(&self) -> Derivative {
        Derivative::None("it has no operand")
    }
}

impl Tape {
    /// The index along an axis, at every place of a shape.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::dtype::DType;
    /// let tape = Tape::new();
    /// assert_eq!(tape.iota([2, 3], -1, DType::I64).value()?.to_vec::<i64>()?, [0, 1, 2, 0, 1, 2]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "arange")]
    #[track_caller]
    pub fn iota(&self, shape: impl IntoShape, axis: isize, dtype: DType) -> Var<'_> {
        let resolved = shape.into_shape().and_then(|shape| Ok((shape.axis(axis)?, shape)));
        match resolved {
            Ok((axis, shape)) => self.record(Iota { shape, axis, dtype }, &[]),
            Err(error) => self.reject("iota", &[], error),
        }
    }
}

pub(super) fn entries() -> Vec<Entry> {
    vec![Entry::new(
        "iota",
        "iota.rs",
        vec![
            Sample::new("first axis", [], |tape, _| tape.iota([2, 3], 0, DType::F32)).gives([0., 0., 0., 1., 1., 1.]),
            Sample::new("last axis", [], |tape, _| tape.iota([2, 3], 1, DType::I64)).gives([0., 1., 2., 0., 1., 2.]),
            Sample::new("middle axis", [], |tape, _| tape.iota([1, 2, 2], 1, DType::U8)).gives([0., 0., 1., 1.]),
            Sample::new("bf16", [], |tape, _| tape.iota([3], 0, DType::BF16)).gives([0., 1., 2.]),
        ],
    )]
}
