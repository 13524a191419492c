//! Leaves: the values that a plan is given when it runs.
//!
//! A leaf has no operands and no derivative rule: gradients end here. Its value is no part of the graph's structure, so
//! the same plan runs for every batch, and for every learning rate.

use crate::class::Class;
use crate::graph::{Derivative, Op};
use crate::meta::{Meta, operands};
use crate::sample::{Entry, Sample};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// A tensor of the caller.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Input;

/// A number in a slot, which fills the node's shape.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Full;

/// One of the examples of a batch, inside a closure that is recorded for all of them: see [`crate::transform`].
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Example {
    /// The shape of one example.
    pub shape: Shape,
    /// Its element type.
    pub dtype: DType,
}

impl Op for Example {
    fn name(&self) -> &'static str {
        "example"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [] = operands(inputs)?;
        Ok(Meta::new(self.shape.clone(), self.dtype))
    }

    fn class(&self) -> Class<'_> {
        Class::Leaf
    }

    fn derivative(&self) -> Derivative {
        Derivative::None("it is a leaf")
    }
}

impl Op for Input {
    fn name(&self) -> &'static str {
        "input"
    }

    fn infer(&self, _inputs: &[&Meta]) -> Result<Meta> {
        Err(Error::state("a leaf comes with its tensor").help("record it with tape.input(&tensor)"))
    }

    fn class(&self) -> Class<'_> {
        Class::Leaf
    }

    fn derivative(&self) -> Derivative {
        Derivative::None("it is a leaf")
    }
}

impl Op for Full {
    fn name(&self) -> &'static str {
        "full"
    }

    fn infer(&self, _inputs: &[&Meta]) -> Result<Meta> {
        Err(Error::state("a slot comes with its number").help("record it with tape.full(shape, value, dtype)"))
    }

    fn class(&self) -> Class<'_> {
        Class::Leaf
    }

    fn derivative(&self) -> Derivative {
        Derivative::None("it is a leaf")
    }
}

pub(super) fn entries() -> Vec<Entry> {
    vec![
        Entry::new(
            "input",
            "leaf.rs",
            vec![
                Sample::new("itself", [Tensor::from([1.0f64, 2.0])], |_, x| x[0]).gives([1., 2.]).slopes([1., 1.]),
                Sample::new("strided", [], |tape, _| match Tensor::from([[1.0f64, 2.0], [3.0, 4.0]]).t() {
                    Ok(turned) => tape.input(&turned) + 1.0,
                    Err(error) => tape.reject("input", &[], error),
                })
                .kinked()
                .gives([2., 4., 3., 5.]),
            ],
        ),
        Entry::new(
            "full",
            "leaf.rs",
            vec![
                Sample::new("slot", [], |tape, _| tape.full([2, 2], 0.5, DType::F32)).gives([0.5; 4]),
                Sample::new("single", [], |tape, _| tape.scalar(3.0, DType::I64)).gives([3.0]),
            ],
        ),
    ]
}
