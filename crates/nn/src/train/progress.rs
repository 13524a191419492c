//! How far a run is.

use super::columns::Columns;
use super::history::History;

/// How far a run is, and what it has reported.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// The number of the epoch that is made, from 1.
    pub(super) epoch: usize,
    /// The epoch that callbacks are told of.
    pub(super) shown: usize,
    /// The batches of this epoch that are done.
    pub(super) step: usize,
    /// The batches of the run that are done.
    pub(super) steps: u64,
    /// Ended early.
    pub(super) stopped: bool,
    pub(super) resumed: bool,
    pub(super) history: History,
    pub(super) columns: Columns,
    /// Norms of gradients in the last step.
    pub(super) norms: Vec<(String, f64)>,
    /// What was noted and not yet shown.
    pub(super) notes: Vec<String>,
}
