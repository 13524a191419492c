//! What the roll of ops says of each member: a name, its file, and cases. The tests are loops over these.

use crate::graph::{Tape, Var};
use std::fmt;
use wengert_tensor::kernels::scalar::ScalarFn;
use wengert_tensor::tensor::Tensor;

/// Records a case on a tape, from leaves for its inputs.
pub type Run = for<'t> fn(&'t Tape, &[Var<'t>]) -> Var<'t>;

/// One case of an op.
#[derive(Clone)]
pub struct Sample {
    /// What is special about it.
    pub name: &'static str,
    /// The values of the leaves.
    pub inputs: Vec<Tensor>,
    /// The case itself.
    pub run: Run,
    /// To which order derivatives may be compared with differences: 0 where a kink or a jump is sampled.
    pub smooth: u32,
    /// The result, where it is known by heart.
    pub expected: Option<Vec<f64>>,
    /// The gradient of the sum of the result by the first input, where a convention fixes it.
    pub gradient: Option<Vec<f64>>,
}

impl Sample {
    /// A smooth case.
    pub fn new(name: &'static str, inputs: impl Into<Vec<Tensor>>, run: Run) -> Sample {
        Sample { name, inputs: inputs.into(), run, smooth: 3, expected: None, gradient: None }
    }

    /// A case whose derivatives may not be compared with differences.
    pub fn kinked(self) -> Sample {
        Sample { smooth: 0, ..self }
    }

    /// Says what the result is.
    pub fn gives(self, expected: impl Into<Vec<f64>>) -> Sample {
        Sample { expected: Some(expected.into()), ..self }
    }

    /// Says what the gradient of the sum of the result is, by the first input.
    pub fn slopes(self, gradient: impl Into<Vec<f64>>) -> Sample {
        Sample { gradient: Some(gradient.into()), ..self }
    }
}

impl fmt::Debug for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sample").field("name", &self.name).field("inputs", &self.inputs.len()).finish_non_exhaustive()
    }
}

/// How far the result of an op may be from the exact one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Accuracy {
    /// It is the number of its dtype that is nearest, or a move of numbers.
    Nearest,
    /// That of a scalar function: [`ScalarFn::ulps`] units in the last place.
    Function(ScalarFn),
    /// A sum of n products or numbers: n·ε times the sum of the sizes of its terms.
    Sum,
    /// A product of n factors: n·ε times its size.
    Product,
    /// What the ops of its body have.
    Body,
    /// As this says. The tests of the op check it against the definition.
    Stated(&'static str),
}

/// A member of the roll.
#[derive(Debug)]
pub struct Entry {
    /// The op's name.
    pub op: &'static str,
    /// The file that holds all that is known of it.
    pub file: &'static str,
    /// How close it is, in every dtype that it takes.
    pub accuracy: Accuracy,
    /// Its cases.
    pub samples: Vec<Sample>,
}

impl Entry {
    /// A member with its cases.
    pub fn new(op: &'static str, file: &'static str, samples: impl Into<Vec<Sample>>) -> Entry {
        Entry { op, file, accuracy: Accuracy::Nearest, samples: samples.into() }
    }

    /// Says how close it is.
    pub fn accuracy(self, accuracy: Accuracy) -> Entry {
        Entry { accuracy, ..self }
    }
}
