//! An optimizer as the tests try it.

use super::optimizer::Optimizer;
use super::rule::Rule;

/// An optimizer as the laws try it.
pub struct Case {
    /// The file of this directory in which the rule lives.
    pub file: &'static str,
    /// What distinguishes the case, as the reference numbers are named.
    pub name: &'static str,
    /// True if a parameter moves although its gradient is zero.
    pub decays: bool,
    /// The optimizer, fresh.
    pub optimizer: fn() -> Optimizer<Box<dyn Rule>>,
}
