//! Evaluation with averaged weights.

use crate::tensors::Named;
use crate::train::callback::{At, Callback};
use crate::train::weights::{put, taken};
use wengert_tensor::error::Result;

/// Evaluates the validation data with the averages of the weights, and trains on with the weights themselves. Keras's `SwapEMAWeights`.
///
/// The averages are kept by the optimizer: [`ema`](crate::optim::optimizer::Optimizer::ema),
/// [`swa`](crate::optim::optimizer::Optimizer::swa), Lookahead, and so on.
///
/// ```
/// use wengert_nn::train::callbacks::ema_swap::EmaSwap;
/// # use wengert_nn::{layers::dense::Dense, losses::mean_squared_error::MeanSquaredError};
/// # use wengert_nn::{optim::sgd::Sgd, train::trainer::Trainer};
/// # use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let data = (Tensor::from([[0f32], [1.0]]), Tensor::from([[1f32], [3.0]]));
/// let mut trainer = Trainer::new(Sgd::new(0.1).ema(0.9), MeanSquaredError::new())
///     .validation(&data)
///     .callback(EmaSwap::new().keep_averages());
/// # trainer = trainer.verbose(false);
/// let mut model = Dense::new(1, 1);
/// let history = trainer.fit(&mut model, &data)?;
/// // The model is left with the averages, which are what was evaluated last.
/// assert_eq!(trainer.evaluate(&model, &data)?.get("loss"), history.last("val_loss"));
/// # Ok(()) }
/// ```
///
/// Buffers, as the running means of a batch norm, are not averaged.
#[derive(Debug, Default)]
pub struct EmaSwap {
    keep: bool,
    /// The weights of training, while they are replaced.
    trained: Option<Named>,
}

impl EmaSwap {
    /// For the averages that the optimizer keeps.
    pub fn new() -> EmaSwap {
        EmaSwap::default()
    }

    /// Leaves the model with the averages when the run has ended. Keras's `swap_on_epoch`. A callback that comes later, as one that restores the best
    /// weights, has the last word.
    #[must_use]
    pub fn keep_averages(self) -> EmaSwap {
        EmaSwap { keep: true, ..self }
    }
}

impl Callback for EmaSwap {
    fn name(&self) -> &str {
        "ema_swap"
    }

    fn on_validation_begin(&mut self, at: &mut At<'_>) -> Result<()> {
        let averages = at.optimizer().averages(at.model())?;
        let trained = taken(at.model());
        put(at.model_mut(), &averages)?;
        self.trained = Some(trained);
        Ok(())
    }

    fn on_validation_end(&mut self, at: &mut At<'_>) -> Result<()> {
        self.trained.take().map_or(Ok(()), |trained| put(at.model_mut(), &trained))
    }

    fn on_end(&mut self, at: &mut At<'_>) -> Result<()> {
        if !self.keep {
            return Ok(());
        }
        let averages = at.optimizer().averages(at.model())?;
        put(at.model_mut(), &averages)
    }
}
