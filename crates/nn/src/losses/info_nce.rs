//! Contrasting each pair with all others of the batch.

use wengert_autograd::Var;
use wengert_tensor::error::Error;

use super::case::Case;
use super::operands::{both, positive, reject, unit};
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "InfoNce";

/// −ln softmax(q K / τ)\[i\] of every query q = qᵢ among the keys K of all examples: each query should find its own key. Queries
/// and keys are divided by their lengths, so that the products are cosines; the temperature τ is 0.07. Van den Oord et al. 2018;
/// He et al. 2020 (MoCo). With [`symmetric`](InfoNce::symmetric) also the keys look for their queries, as in CLIP (Radford et al.
/// 2021).
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction: queries | `[batch, n]` | float |
/// | target: keys | the same | the same |
/// | each | `[batch]` | the same |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::info_nce::InfoNce};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let queries = tape.input(&Tensor::from([[2f32, 0.0], [0.0, 5.0]]));
/// let keys = tape.input(&Tensor::from([[1f32, 0.0], [0.0, 1.0]]));
/// let loss = InfoNce::new().temperature(1.0).loss(queries, keys).item::<f32>()?;
/// assert!((loss - (1.0 + (-1f32).exp()).ln()).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InfoNce {
    temperature: f64,
    symmetric: bool,
    normalised: bool,
    reduction: Reduction,
}

impl InfoNce {
    /// The loss with a temperature of 0.07.
    pub fn new() -> InfoNce {
        InfoNce { temperature: 0.07, symmetric: false, normalised: true, reduction: Reduction::Mean }
    }

    /// τ: how near another key has to come to count.
    #[must_use]
    pub fn temperature(self, temperature: f64) -> InfoNce {
        InfoNce { temperature, ..self }
    }

    /// The mean of both directions: queries among keys and keys among queries.
    #[must_use]
    pub fn symmetric(self) -> InfoNce {
        InfoNce { symmetric: true, ..self }
    }

    /// The products of queries and keys as they are.
    #[must_use]
    pub fn without_normalization(self) -> InfoNce {
        InfoNce { normalised: false, ..self }
    }
}

impl Default for InfoNce {
    fn default() -> InfoNce {
        InfoNce::new()
    }
}

reducible!(InfoNce);

/// That a prediction is a batch of embeddings, and a temperature one.
#[track_caller]
pub(super) fn embeddings<'t>(name: &'static str, prediction: Var<'t>, target: Var<'t>, temperature: f64) {
    positive(prediction.tape(), name, "temperature", temperature);
    let shape = prediction.shape();
    if shape.rank() != 2 || shape.is_empty() {
        let error = Error::shape(format!("a prediction is [batch, n], and no part of it 0, not {shape}"));
        reject(name, prediction, target, error);
    }
}

impl Loss for InfoNce {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        embeddings(NAME, prediction, target, self.temperature);
        let [q, k] = both(NAME, prediction, target);
        let [q, k] = if self.normalised { [q, k].map(|x| unit(x, 1e-12)) } else { [q, k] };
        let scores = q.matmul(k.t()) / self.temperature;
        let own = |axis| -scores.log_softmax(axis).diagonal(0);
        let each = if self.symmetric { (own(1) + own(0)) * 0.5 } else { own(1) };
        each.cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: InfoNce| Case::new("info_nce", name, loss).coupled();
    let new = InfoNce::new;
    vec![
        case("plain", new()),
        case("symmetric", new().symmetric().temperature(0.5)),
        case("products", new().without_normalization().temperature(1.0)),
    ]
}
