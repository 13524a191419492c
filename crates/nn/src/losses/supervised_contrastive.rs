//! Contrasting each embedding with all others, where labels say which are alike.

use wengert_autograd::Var;

use super::case::Case;
use super::info_nce::embeddings;
use super::nt_xent::log_neighbours;
use super::operands::{floats, reject};
use crate::loss::{Loss, Reduction, reducible, wide};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Error;

const NAME: &str = "SupervisedContrastive";

/// The mean of −ln softmax(zᵢ Z / τ)\[j\] over all j with the label of i, of every embedding zᵢ among all others Z of the batch.
/// Embeddings are divided by their lengths; the temperature τ is 0.07. Khosla et al. 2020.
///
/// An embedding whose label is unique has the loss 0, and the mean does not count it.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction: embeddings | `[batch, n]` | float |
/// | target: labels | `[batch]` | integers |
/// | each | `[batch]` | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::supervised_contrastive::SupervisedContrastive};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let embeddings = tape.input(&Tensor::from([[2f32, 0.0], [1.0, 0.0], [0.0, 1.0]]));
/// let labels = tape.input(&Tensor::from([7i64, 7, 3]));
/// let loss = SupervisedContrastive::new().temperature(1.0).loss(embeddings, labels).item::<f32>()?;
/// assert!((loss - (1.0 + (-1f32).exp()).ln()).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SupervisedContrastive {
    temperature: f64,
    reduction: Reduction,
}

impl SupervisedContrastive {
    /// The loss with a temperature of 0.07.
    pub fn new() -> SupervisedContrastive {
        SupervisedContrastive { temperature: 0.07, reduction: Reduction::Mean }
    }

    /// τ: how near another embedding has to come to count.
    #[must_use]
    pub fn temperature(self, temperature: f64) -> SupervisedContrastive {
        SupervisedContrastive { temperature, ..self }
    }
}

impl Default for SupervisedContrastive {
    fn default() -> SupervisedContrastive {
        SupervisedContrastive::new()
    }
}

reducible!(SupervisedContrastive);

/// Which embeddings have one label, itself included.
#[track_caller]
pub(super) fn same<'t>(name: &'static str, prediction: Var<'t>, labels: Var<'t>) -> Var<'t> {
    let (shape, given) = (prediction.shape(), labels.shape());
    let batch = shape.first().copied().unwrap_or_default();
    let error = match floats("prediction", prediction) {
        Err(error) => error,
        _ if given.dims() != [batch] && given.dims() != [batch, 1] => {
            Error::shape(format!("a prediction {shape} takes labels [{batch}], not {given}"))
        }
        _ if labels.dtype().is_float() => {
            Error::dtype(format!("labels of a prediction are integers, not {}", labels.dtype()))
                .help("`labels.cast(DType::I64)`")
        }
        Ok(()) => {
            let labels = labels.reshape([batch]);
            return labels.unsqueeze(1).eq(labels.unsqueeze(0));
        }
    };
    reject(name, prediction, labels, error)
}

/// `same`, but of none with itself.
#[track_caller]
pub(super) fn others(same: Var<'_>) -> Var<'_> {
    let [rows, columns] = [0, 1].map(|axis| same.tape().iota(same.shape(), axis, DType::I64));
    same.and(rows.ne(columns))
}

impl Loss for SupervisedContrastive {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        embeddings(NAME, prediction, target, self.temperature);
        let friends = others(same(NAME, prediction, target));
        let log = log_neighbours(wide(prediction), self.temperature);
        let count = friends.cast(log.dtype()).sum_axes(1).maximum(1.0);
        (-log.select(friends, 0.0).sum_axes(1) / count).cast(prediction.dtype())
    }

    #[track_caller]
    fn counts<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Option<Var<'t>> {
        let friends = others(same(NAME, prediction, target));
        Some(friends.any(1).cast(wide(prediction).dtype()))
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: SupervisedContrastive| Case::new("supervised_contrastive", name, loss).coupled();
    vec![case("plain", SupervisedContrastive::new().temperature(0.5))]
}
