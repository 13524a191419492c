//! The best weights of a run, in a file.

use crate::files::weights::Weights;
use crate::tensors::{Named, float};
use crate::train::callback::{At, Callback};
use crate::train::flow::Flow;
use crate::train::monitor::{Mode, Monitor};
use std::path::PathBuf;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

/// Writes the weights and buffers to a file after every epoch that was the best so far, whole or not at all. Keras's
/// `ModelCheckpoint(save_best_only=True, save_weights_only=True)`.
///
/// ```
/// use wengert_nn::files::weights::{Strict, Weights};
/// use wengert_nn::train::callbacks::best_weights::BestWeights;
/// # use wengert_nn::{layers::dense::Dense, losses::mean_squared_error::MeanSquaredError};
/// # use wengert_nn::{optim::sgd::Sgd, train::trainer::Trainer};
/// # use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let data = (Tensor::from([[0f32], [1.0]]), Tensor::from([[1f32], [3.0]]));
/// # let path = std::env::temp_dir().join(format!("wengert-doc-best-{}.safetensors", std::process::id()));
/// let mut trainer = Trainer::new(Sgd::new(0.1), MeanSquaredError::new()).callback(BestWeights::on("loss", &path));
/// # trainer = trainer.verbose(false);
/// let mut model = Dense::new(1, 1);
/// trainer.fit(&mut model, &data)?;
/// model.load_weights(&path, Strict)?;
/// # std::fs::remove_file(&path).ok();
/// # Ok(()) }
/// ```
///
/// To go on with a run there are [checkpoints](crate::train::trainer::Trainer::checkpoints).
#[doc(alias = "ModelCheckpoint")]
#[derive(Clone, Debug)]
pub struct BestWeights {
    monitor: Monitor,
    path: PathBuf,
    best: f64,
}

impl BestWeights {
    /// Watches this column, and writes to this file. Folders that do not exist are made.
    pub fn on(monitor: impl Into<String>, path: impl Into<PathBuf>) -> BestWeights {
        BestWeights { monitor: Monitor::on(monitor), path: path.into(), best: f64::NAN }
    }

    /// Whether smaller or larger figures are better (default: as the metric says).
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> BestWeights {
        self.monitor.mode = mode;
        self
    }
}

impl Callback for BestWeights {
    fn name(&self) -> &str {
        "best_weights"
    }

    fn monitors(&self) -> Vec<String> {
        vec![self.monitor.name.clone()]
    }

    fn on_begin(&mut self, at: &mut At<'_>) -> Result<()> {
        if !at.resumed() {
            self.best = f64::NAN;
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, at: &mut At<'_>) -> Result<Flow> {
        if let Some(figure) = at.logs().get(&self.monitor.name)
            && self.monitor.is_better(at.columns(), figure, self.best)
        {
            at.model().save_weights(&self.path)?;
            self.best = figure;
        }
        Ok(Flow::Continue)
    }

    fn state(&self) -> Named {
        vec![("best".to_string(), Tensor::from(self.best))]
    }

    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        self.best = float(state, "best")?;
        Ok(())
    }
}
