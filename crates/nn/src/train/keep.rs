//! Which checkpoints a run writes, and which it keeps.

use super::monitor::Mode;

/// Which checkpoints are written and which are kept: `Keep::best("val_accuracy").and_last(2)`.
///
/// One is written at the end of every epoch unless something else is said, and when the run ends, early or by an interruption. Two always stay, so that a
/// damaged one has another beside it.
///
/// ```
/// use wengert_nn::train::keep::Keep;
/// let keep = Keep::best("val_loss").and_last(3).every_steps(500);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    pub(super) best: Option<(String, Mode)>,
    pub(super) last: usize,
    pub(super) epochs: usize,
    pub(super) steps: Option<u64>,
}

impl Keep {
    /// The one of the epoch whose figure was the best, and the newest two.
    pub fn best(monitor: impl Into<String>) -> Keep {
        Keep { best: Some((monitor.into(), Mode::Auto)), ..Keep::last(2) }
    }

    /// The newest ones.
    pub fn last(count: usize) -> Keep {
        Keep { best: None, last: count, epochs: 1, steps: None }
    }

    /// All of them.
    pub fn all() -> Keep {
        Keep::last(usize::MAX)
    }

    /// The newest ones beside the best.
    #[must_use]
    pub fn and_last(self, count: usize) -> Keep {
        Keep { last: count, ..self }
    }

    /// The one of the best epoch beside the newest.
    #[must_use]
    pub fn and_best(self, monitor: impl Into<String>) -> Keep {
        Keep { best: Some((monitor.into(), Mode::Auto)), ..self }
    }

    /// Whether smaller or larger figures are the best (default: as the metric says).
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Keep {
        if let Some((_, old)) = &mut self.best {
            *old = mode;
        }
        self
    }

    /// Writes one at the end of every so many epochs (default: 1). Those that are the best are written in any case.
    #[must_use]
    pub fn every_epochs(self, epochs: usize) -> Keep {
        Keep { epochs, ..self }
    }

    /// Writes one after every so many steps too.
    #[must_use]
    pub fn every_steps(self, steps: u64) -> Keep {
        Keep { steps: Some(steps), ..self }
    }
}
