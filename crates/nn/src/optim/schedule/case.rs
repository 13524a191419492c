//! A schedule as the tests try it.

use super::Schedule;

/// A schedule as the laws try it.
pub struct Case {
    /// The file of this directory in which the schedule lives.
    pub file: &'static str,
    /// What distinguishes the case, as the reference numbers are named.
    pub name: &'static str,
    /// The schedule.
    pub schedule: Box<dyn Schedule>,
    /// Settings without meaning, each with a word of its error.
    pub faults: Vec<(Box<dyn Schedule>, &'static str)>,
}

impl Case {
    /// A case.
    pub(super) fn new(file: &'static str, name: &'static str, schedule: impl Schedule) -> Case {
        Case { file, name, schedule: Box::new(schedule), faults: Vec::new() }
    }

    /// Settings that have no meaning, with a word of the error.
    pub(super) fn refuses(mut self, schedule: impl Schedule, word: &'static str) -> Case {
        self.faults.push((Box::new(schedule), word));
        self
    }
}
