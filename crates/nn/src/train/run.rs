//! Data through a model, batch by batch: the sums that a training or evaluation epoch reports.

use super::logs::Logs;
use crate::metrics::metric::{Meter, Metric};
use wengert_autograd::Var;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// Loss and metrics of the batches so far. A batch counts with its number of samples.
pub(super) struct Totals<'a> {
    loss: f64,
    samples: usize,
    meters: Vec<Meter<&'a dyn Metric>>,
}

impl<'a> Totals<'a> {
    pub(super) fn new(metrics: &'a [Box<dyn Metric + 'a>]) -> Totals<'a> {
        let meters = metrics.iter().map(|metric| Meter::new(&**metric as &dyn Metric)).collect();
        Totals { loss: 0.0, samples: 0, meters }
    }

    /// What every metric wants to know of a batch.
    pub(super) fn observe<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Vec<Var<'t>> {
        self.meters.iter().map(|meter| meter.metric().observe(prediction, target)).collect()
    }

    pub(super) fn add(&mut self, samples: usize, loss: f64, sums: &[Tensor], target: &Shape) {
        self.loss += loss * samples as f64;
        self.samples += samples;
        for (meter, sums) in self.meters.iter_mut().zip(sums) {
            meter.add(sums, target);
        }
    }

    pub(super) fn logs(&self) -> Logs {
        let mut logs = Logs::from([("loss", self.loss / self.samples as f64)]);
        for meter in &self.meters {
            // Two metrics of one name are both shown.
            let name = meter.metric().name();
            let taken = (2..).map(|n| format!("{name}_{n}"));
            let free = std::iter::once(name.clone()).chain(taken).find(|name| logs.get(name).is_none());
            logs.set(free.unwrap_or(name), meter.value());
        }
        logs
    }
}

/// The loss, which a step can descend if it is one number.
#[track_caller]
pub(super) fn descended(loss: Var<'_>) -> Var<'_> {
    if loss.rank() == 0 {
        return loss;
    }
    let error = Error::shape(format!("a step descends one number, and the loss has the shape {}", loss.shape()));
    loss.tape().reject("loss", &[("loss", loss)], error.help("reduce it: `.reduction(Reduction::Mean)`"))
}

/// The first number of a tensor: the loss.
pub(super) fn number(value: &Tensor) -> f64 {
    value.to_f64_vec().first().copied().unwrap_or(f64::NAN)
}

/// Says in which batch an error arose.
pub(super) fn in_batch(error: Error, step: usize, indices: &[usize]) -> Error {
    const SHOWN: usize = 6;
    let mut samples: String = indices.iter().take(SHOWN).map(usize::to_string).collect::<Vec<_>>().join(", ");
    if indices.len() > SHOWN {
        samples.push_str(", …");
    }
    error.operand("batch", format!("{} of its epoch: samples {samples}", step + 1))
}

/// A loss that is no number says nothing, and its gradients would destroy the weights.
pub(super) fn finite(loss: f64) -> Result<()> {
    if loss.is_finite() {
        return Ok(());
    }
    Err(Error::value(format!("the loss became {loss}"))
        .help("a smaller learning rate, `clip_global_norm`, or inputs of a smaller scale (`standardize`)"))
}
