//! Contrasting two views of each example with all views of the others.

use wengert_autograd::Var;
use wengert_tensor::dtype::DType;

use super::case::Case;
use super::info_nce::embeddings;
use super::operands::{both, unit};
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "NtXent";

/// −ln softmax(zᵢ Z / τ)\[j\] of every view i of a batch whose examples have two views each, among all other views Z, where j is
/// the other view of the same example: the normalised, temperature-scaled cross-entropy. Views are divided by their lengths;
/// the temperature τ is 0.5. Chen et al. 2020 (SimCLR).
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction: the one view of each example | `[batch, n]` | float |
/// | target: the other view | the same | the same |
/// | each: of the one view and the other | `[batch, 2]` | the same |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::nt_xent::NtXent};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let views = [[[2f32, 0.0], [0.0, 5.0]], [[1.0, 0.0], [0.0, 1.0]]];
/// let [one, other] = views.map(|view| tape.input(&Tensor::from(view)));
/// let loss = NtXent::new().temperature(1.0).loss(one, other).item::<f32>()?;
/// assert!((loss - (1.0 + 2.0 * (-1f32).exp()).ln()).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NtXent {
    temperature: f64,
    reduction: Reduction,
}

impl NtXent {
    /// The loss with a temperature of 0.5.
    pub fn new() -> NtXent {
        NtXent { temperature: 0.5, reduction: Reduction::Mean }
    }

    /// τ: how near another view has to come to count.
    #[must_use]
    pub fn temperature(self, temperature: f64) -> NtXent {
        NtXent { temperature, ..self }
    }
}

impl Default for NtXent {
    fn default() -> NtXent {
        NtXent::new()
    }
}

reducible!(NtXent);

/// ln softmax of the cosines of all embeddings, over a temperature; no one is compared with itself.
#[track_caller]
pub(super) fn log_neighbours(embeddings: Var<'_>, temperature: f64) -> Var<'_> {
    let tape = embeddings.tape();
    let z = unit(embeddings, 1e-12);
    let scores = z.matmul(z.t()) / temperature;
    let [rows, columns] = [0, 1].map(|axis| tape.iota(scores.shape(), axis, DType::I64));
    scores.masked_fill(rows.eq(columns), f64::NEG_INFINITY).log_softmax(1)
}

impl Loss for NtXent {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        embeddings(NAME, prediction, target, self.temperature);
        let [one, other] = both(NAME, prediction, target);
        let batch = one.shape().first().copied().unwrap_or_default() as isize;
        let log = log_neighbours(tape.concat(&[one, other], 0), self.temperature);
        let each = -tape.stack(&[log.diagonal(batch), log.diagonal(-batch)], 1);
        each.cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: NtXent| Case::new("nt_xent", name, loss).coupled();
    vec![case("plain", NtXent::new()), case("temperature", NtXent::new().temperature(0.1))]
}
