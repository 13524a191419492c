//! Whether a run goes on.

/// Whether a run goes on after an epoch or a step; what a hook and a [callback](super::callback::Callback) may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// With what comes next.
    Continue,
    /// No further.
    Stop,
}

impl From<()> for Flow {
    fn from((): ()) -> Flow {
        Flow::Continue
    }
}

impl Flow {
    /// Stop, if one of the two says so.
    pub(super) fn and(self, other: Flow) -> Flow {
        if self == Flow::Stop { self } else { other }
    }
}
