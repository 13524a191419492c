//! A constraint as the tests try it.

use super::constraint::Constraint;

/// A constraint with a weight that it takes.
pub struct Case {
    /// The file of this directory in which the constraint lives.
    pub file: &'static str,
    /// What distinguishes the case in its file; the reference numbers are those of `file/name`.
    pub name: &'static str,
    /// The constraint.
    pub constraint: Box<dyn Constraint>,
}

impl Case {
    /// A constraint on weights.
    pub fn new(file: &'static str, name: &'static str, constraint: impl Constraint) -> Case {
        Case { file, name, constraint: Box::new(constraint) }
    }
}
