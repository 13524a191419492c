//! The samples that a model is worst at.

use super::run::in_batch;
use super::trainer::Trainer;
use crate::data::dataset::Dataset;
use crate::data::loader::DataLoader;
use crate::explain::{blame, explain};
use crate::layer::Layer;
use crate::loss::Loss;
use crate::optim::rule::Rule;
use std::panic::Location;
use wengert_autograd::{Tape, Var};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

/// A sample, and how much it costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TopLoss {
    /// Its place in the data set.
    pub index: usize,
    /// Its loss; where it has several, their mean.
    pub loss: f64,
}

impl<R: Rule, L: Loss> Trainer<'_, R, L> {
    /// The samples with the largest losses, the worst first: wrong labels are often among them. fastai's `top_losses`. A loss that is not a number
    /// counts as the worst. For the classes that are taken for each other see
    /// [`most_confused`](crate::metrics::confusion::ConfusionTable::most_confused).
    ///
    /// ```
    /// use wengert_nn::losses::mean_squared_error::MeanSquaredError;
    /// # use wengert_nn::{layers::dense::Dense, optim::sgd::Sgd, train::trainer::Trainer};
    /// # use wengert_tensor::tensor::Tensor;
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let data = (Tensor::from([[0f32], [1.0], [2.0]]), Tensor::from([[0.5f32], [1.0], [5.0]]));
    /// let worst = Trainer::new(Sgd::new(0.1), MeanSquaredError::new()).top_losses(&Vec::<Dense>::new(), &data, 2)?;
    /// assert_eq!((worst[0].index, worst[0].loss, worst[1].index), (2, 9.0, 0));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of [`evaluate`](Trainer::evaluate); a loss that is one number for all samples.
    #[track_caller]
    pub fn top_losses<M, D>(&self, model: &M, data: &D, count: usize) -> Result<Vec<TopLoss>>
    where
        M: Layer + ?Sized,
        D: Dataset<Batch = (Tensor, Tensor)> + ?Sized,
    {
        let here = Location::caller();
        self.losses(model, data)
            .map(|mut losses| {
                let size = |one: &TopLoss| if one.loss.is_nan() { f64::INFINITY } else { one.loss };
                losses.sort_by(|a, b| size(b).total_cmp(&size(a)).then(a.index.cmp(&b.index)));
                losses.truncate(count);
                losses
            })
            .map_err(|error| blame(error.op("top_losses"), here).at(here))
    }

    fn losses<M, D>(&self, model: &M, data: &D) -> Result<Vec<TopLoss>>
    where
        M: Layer + ?Sized,
        D: Dataset<Batch = (Tensor, Tensor)> + ?Sized,
    {
        DataLoader::checked(data, self.set.batch_size)?;
        let order: Vec<usize> = (0..data.len()).collect();
        let mut losses = Vec::with_capacity(order.len());
        for (step, indices) in order.chunks(self.set.batch_size).enumerate() {
            let placed = |error| in_batch(error, step, indices);
            let (x, y) = data.batch(indices).map_err(placed)?;
            let tape = Tape::new();
            let each = self.objective.each(model.forward(tape.input(&x)), tape.input(&y));
            let means = samples(each, indices.len());
            let values = means.value().map_err(|error| placed(explain(model, &tape, error)))?;
            let numbered = indices.iter().zip(values.to_f64_vec());
            losses.extend(numbered.map(|(&index, loss)| TopLoss { index, loss }));
        }
        Ok(losses)
    }
}

/// The mean loss of each sample.
#[track_caller]
fn samples(each: Var<'_>, samples: usize) -> Var<'_> {
    if each.shape().first() == Some(&samples) {
        let rest = each.len() / samples.max(1);
        return each.reshape([samples, rest]).mean_axes(-1);
    }
    let error = Error::shape(format!("{samples} samples have losses of the shape {}", each.shape()));
    each.tape().reject("top_losses", &[("losses", each)], error.help("`Loss::each` gives a number for each sample"))
}
