//! A regularizer as the tests try it.

use super::regularizer::Regularizer;

/// A regularizer as the laws try it.
pub struct Case {
    /// The file of this directory in which the regularizer lives.
    pub file: &'static str,
    /// What distinguishes the case in its file; the reference numbers are those of `file/name`.
    pub name: &'static str,
    /// The regularizer.
    pub regularizer: Box<dyn Regularizer>,
}

impl Case {
    /// A regularizer of weights.
    pub fn new(file: &'static str, name: &'static str, regularizer: impl Regularizer) -> Case {
        Case { file, name, regularizer: Box::new(regularizer) }
    }
}
