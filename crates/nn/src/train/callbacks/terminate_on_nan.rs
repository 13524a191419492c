//! A clean end of a run that has lost its numbers.

use crate::train::callback::{At, Callback};
use crate::train::flow::Flow;
use wengert_tensor::error::Result;

/// Ends a run cleanly when its loss, or a figure of an epoch, is NaN or infinite: `fit` returns the history so far, with a note, and the
/// weights are those before the step. Keras's `TerminateOnNaN`.
///
/// Without it a loss that is not finite is an error of `fit`, and an optimizer that
/// [skips](crate::optim::optimizer::Optimizer::skip_non_finite) such steps goes on.
///
/// ```
/// use wengert_nn::train::callbacks::terminate_on_nan::TerminateOnNan;
/// # use wengert_nn::{layers::dense::Dense, losses::mean_squared_error::MeanSquaredError};
/// # use wengert_nn::{optim::sgd::Sgd, train::trainer::Trainer};
/// # use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let data = (Tensor::from([[0f32], [1.0]]), Tensor::from([[1f32], [3.0]]));
/// let mut trainer = Trainer::new(Sgd::new(1e30), MeanSquaredError::new()).callback(TerminateOnNan::new());
/// # trainer = trainer.verbose(false);
/// let history = trainer.fit(&mut Dense::new(1, 1), &data)?;
/// assert!(history.len() < 10 && history.notes().iter().any(|note| note.contains("not finite")));
/// # Ok(()) }
/// ```
#[doc(alias = "TerminateOnNaN")]
#[derive(Clone, Copy, Debug, Default)]
pub struct TerminateOnNan;

impl TerminateOnNan {
    /// For all runs.
    pub fn new() -> TerminateOnNan {
        TerminateOnNan
    }
}

impl Callback for TerminateOnNan {
    fn name(&self) -> &str {
        "terminate_on_nan"
    }

    fn ends_at_non_finite(&self) -> bool {
        true
    }

    fn on_epoch_end(&mut self, at: &mut At<'_>) -> Result<Flow> {
        let lost = at.logs().iter().find(|(_, figure)| !figure.is_finite());
        let text = lost.map(|(name, figure)| format!("`{name}` is not finite but {figure}: the run ends early"));
        Ok(match text {
            Some(text) => {
                at.note(text);
                Flow::Stop
            }
            None => Flow::Continue,
        })
    }
}
