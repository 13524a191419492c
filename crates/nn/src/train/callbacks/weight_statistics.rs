//! How large weights, gradients and updates are.

use crate::module::Module;
use crate::tensors::{Named, count, counted, find, float, under, within};
use crate::train::callback::{At, Callback};
use crate::train::flow::Flow;
use crate::train::weights::taken;
use std::collections::HashMap;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

/// Reports for every epoch the norm of all weights (`weight_norm`), the mean over its steps of the norm of all gradients (`gradient_norm`), and
/// the norm of what the epoch changed relative to that of the weights (`update_ratio`); with [`of_each`](WeightStatistics::of_each) also for each
/// parameter: `weight_norm/head.weight`.
///
/// An update ratio of about 1e-3 a step is common; a gradient norm that grows from epoch to epoch wants
/// [clipping](crate::optim::optimizer::Optimizer::clip_global_norm).
///
/// ```
/// use wengert_nn::train::callbacks::weight_statistics::WeightStatistics;
/// # use wengert_nn::{layers::dense::Dense, losses::mean_squared_error::MeanSquaredError};
/// # use wengert_nn::{optim::sgd::Sgd, train::trainer::Trainer};
/// # use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let data = (Tensor::from([[0f32], [1.0]]), Tensor::from([[1f32], [3.0]]));
/// let mut trainer = Trainer::new(Sgd::new(0.1), MeanSquaredError::new()).callback(WeightStatistics::new());
/// # trainer = trainer.verbose(false);
/// let history = trainer.fit(&mut Dense::new(1, 1), &data)?;
/// assert_eq!(history.columns(), ["loss", "weight_norm", "gradient_norm", "update_ratio"]);
/// # Ok(()) }
/// ```
///
/// The norms of the gradients are computed by the plan of the step, before any clipping; those of the weights once an epoch.
#[derive(Clone, Debug, Default)]
pub struct WeightStatistics {
    each: bool,
    names: Vec<String>,
    before: Named,
    /// Sums of gradient norms over steps: of all together, and of each.
    total: f64,
    gradients: HashMap<String, f64>,
    steps: usize,
}

impl WeightStatistics {
    /// For all weights together.
    pub fn new() -> WeightStatistics {
        WeightStatistics::default()
    }

    /// Also for each parameter.
    #[must_use]
    pub fn of_each(self) -> WeightStatistics {
        WeightStatistics { each: true, ..self }
    }
}

/// What is reported for all weights, and with the name of a parameter for each.
const COLUMNS: [&str; 3] = ["weight_norm", "gradient_norm", "update_ratio"];

/// The square of the Euclidean norm.
fn square(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum()
}

impl Callback for WeightStatistics {
    fn name(&self) -> &str {
        "weight_statistics"
    }

    fn columns(&self, model: &dyn Module) -> Vec<String> {
        let mut columns: Vec<String> = COLUMNS.map(String::from).into();
        let names = model.parameters().into_iter().map(|(name, _)| name).filter(|_| self.each);
        columns.extend(names.flat_map(|name| COLUMNS.map(|column| format!("{column}/{name}"))));
        columns
    }

    fn wants_gradient_norms(&self) -> bool {
        true
    }

    fn on_begin(&mut self, at: &mut At<'_>) -> Result<()> {
        self.names = at.model().parameters().into_iter().map(|(name, _)| name).collect();
        Ok(())
    }

    fn on_epoch_begin(&mut self, at: &mut At<'_>) -> Result<()> {
        self.before = taken(at.model());
        self.before.retain(|(name, _)| self.names.contains(name));
        (self.total, self.steps) = (0.0, 0);
        self.gradients.clear();
        Ok(())
    }

    fn on_batch_end(&mut self, at: &mut At<'_>) -> Result<Flow> {
        self.total += square(at.gradient_norms().iter().map(|(_, norm)| *norm)).sqrt();
        self.steps += 1;
        for (name, norm) in at.gradient_norms().iter().filter(|_| self.each) {
            *self.gradients.entry(name.clone()).or_default() += norm;
        }
        Ok(Flow::Continue)
    }

    fn on_epoch_end(&mut self, at: &mut At<'_>) -> Result<Flow> {
        let mean = |sum: f64| sum / self.steps.max(1) as f64;
        let (mut weights, mut updates, mut each) = (0.0, 0.0, Vec::new());
        for (name, param) in &at.model().parameters() {
            let now = param.value().to_f64_vec();
            let before = find(&self.before, name).map_or_else(|| now.clone(), Tensor::to_f64_vec);
            let norm = square(now.iter().copied());
            let update = square(now.iter().zip(&before).map(|(now, before)| now - before));
            (weights, updates) = (weights + norm, updates + update);
            if self.each {
                each.push((format!("weight_norm/{name}"), norm.sqrt()));
                let gradient = self.gradients.get(name).copied();
                each.extend(gradient.map(|sum| (format!("gradient_norm/{name}"), mean(sum))));
                each.push((format!("update_ratio/{name}"), ratio(update, norm)));
            }
        }
        let total = mean(self.total);
        let logs = at.logs_mut();
        logs.set("weight_norm", weights.sqrt());
        logs.set("gradient_norm", total);
        logs.set("update_ratio", ratio(updates, weights));
        each.into_iter().for_each(|(name, figure)| logs.set(name, figure));
        Ok(Flow::Continue)
    }

    fn state(&self) -> Named {
        let mut state =
            vec![("total".to_string(), Tensor::from(self.total)), ("steps".to_string(), counted(self.steps))];
        state.extend(under("before/", self.before.clone()));
        state.extend(self.gradients.iter().map(|(name, sum)| (format!("gradient/{name}"), Tensor::from(*sum))));
        state
    }

    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        let (total, steps) = (float(state, "total")?, count(state, "steps")?);
        let mut gradients = HashMap::new();
        for (name, sum) in within("gradient/", state) {
            gradients.insert(name, sum.item::<f64>()?);
        }
        (self.total, self.steps, self.gradients, self.before) = (total, steps, gradients, within("before/", state));
        Ok(())
    }
}

/// The ratio of two norms from their squares; 0 where nothing changed.
fn ratio(update: f64, weights: f64) -> f64 {
    if update == 0.0 { 0.0 } else { (update / weights).sqrt() }
}
