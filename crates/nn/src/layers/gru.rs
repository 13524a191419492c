//! The gated recurrent unit.

use wengert_autograd::Var;

use super::case::{Applied, Case};
use super::recurrent::Cell;
use super::stacked::{Repeated, Stacked, Weights, gate, settings};

/// One step of a gated recurrent unit:
///
/// r = σ(W_ir x + b_ir + W_hr h + b_hr),
/// z = σ(W_iz x + b_iz + W_hz h + b_hz),
/// n = tanh(W_in x + b_in + r ⊙ (W_hn h + b_hn)),
/// h′ = (1 − z) ⊙ n + z ⊙ h.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, inputs]` or `[inputs]` |
/// | h, which is the output too | `[batch, hidden]` or `[hidden]` |
/// | `weight_ih`, `weight_hh` | `[3 · hidden, inputs]`, `[3 · hidden, hidden]`; in the order r, z, n |
/// | `bias_ih`, `bias_hh` | `[3 · hidden]` |
///
/// The names, shapes and the formula are those of PyTorch's `GRUCell`, which resets after the product, as cuDNN and Keras
/// do; [`reset_before`](GruCell::reset_before) has the one of the paper. Cho et al. 2014.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::layers::{gru::GruCell, recurrent::Cell};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let (cell, tape) = (GruCell::new(2, 3), Tape::new());
/// let (y, h) = cell.run(tape.input(&Tensor::from([1f32, 2.0])), None);
/// assert_eq!(y.value()?.shape().dims(), [3]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct GruCell {
    /// W and b.
    pub weights: Weights,
    reset_before: bool,
}

impl GruCell {
    /// A cell from `inputs` to `hidden` features. Zero of either is reported by the first use.
    #[track_caller]
    pub fn new(inputs: usize, hidden: usize) -> GruCell {
        GruCell { weights: Weights::new("GruCell", 3, inputs, hidden), reset_before: false }
    }

    /// n = tanh(W_in x + b_in + W_hn (r ⊙ h) + b_hn): Keras's `reset_after=False`.
    #[must_use]
    pub fn reset_before(self) -> GruCell {
        GruCell { reset_before: true, ..self }
    }
}

settings!(GruCell);

impl Cell for GruCell {
    type State<'t> = Var<'t>;

    #[track_caller]
    fn prepare<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.weights.of_input(x)
    }

    #[track_caller]
    fn begin<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.weights.zeros(x, self.weights.hidden())
    }

    #[track_caller]
    fn step<'t>(&self, x: Var<'t>, h: Var<'t>) -> (Var<'t>, Var<'t>) {
        self.step_seeing(x, h, |h| h)
    }
}

impl Repeated for GruCell {
    const LAYER: &'static str = "Gru";

    #[track_caller]
    fn made(inputs: usize, hidden: usize) -> GruCell {
        GruCell::new(inputs, hidden)
    }

    #[track_caller]
    fn step_seeing<'t>(&self, x: Var<'t>, h: Var<'t>, seen: impl FnOnce(Var<'t>) -> Var<'t>) -> (Var<'t>, Var<'t>) {
        let (tape, size) = (x.tape(), self.weights.hidden());
        let two = size.saturating_mul(2);
        let h = self.weights.fits("h", x, h, size);
        let visible = seen(h);
        let weight = self.weights.weight_hh.on(tape);
        let bias = self.weights.bias_hh.as_ref().map(|bias| bias.on(tape));
        let product = |h: Var<'t>, weight: Var<'t>, bias: Option<Var<'t>>| match bias {
            Some(bias) => h.matmul(weight.t()) + bias,
            None => h.matmul(weight.t()),
        };
        let sum = |i, gates| (gate(x, i, size) + gate(gates, i, size)).sigmoid();
        let (z, n) = if self.reset_before {
            let gates = product(visible, weight.slice(0, ..two), bias.map(|bias| bias.slice(0, ..two)));
            let kept = sum(0, gates) * visible;
            (sum(1, gates), product(kept, weight.slice(0, two..), bias.map(|bias| bias.slice(0, two..))))
        } else {
            let gates = product(visible, weight, bias);
            (sum(1, gates), sum(0, gates) * gate(gates, 2, size))
        };
        let n = (gate(x, 2, size) + n).tanh();
        let h = (1.0 - z) * n + z * h;
        (h, h)
    }

    fn weights(&self) -> &Weights {
        &self.weights
    }

    fn weights_mut(&mut self) -> &mut Weights {
        &mut self.weights
    }
}

/// Gated recurrent units one above another: [`Stacked`] layers of [`GruCell`], PyTorch's `GRU`.
///
/// | | shape |
/// |---|---|
/// | `weight_ih_l0`, `weight_hh_l0` | `[3 · hidden, inputs]`, `[3 · hidden, hidden]`; in the order r, z, n |
/// | `bias_ih_l0`, `bias_hh_l0` | `[3 · hidden]` |
/// | `weight_ih_l1` | `[3 · hidden, directions · hidden]` |
/// | state h | `[layers · directions, batch, hidden]` |
///
/// and so on, with `_reverse` behind the names of the second direction.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::gru::Gru, module::Module};
/// use wengert_tensor::{dtype::DType, random::Seed, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let gru = Gru::new(3, 8).bidirectional().last_only().init(Seed(1))?;
/// let x = Tensor::zeros([4, 10, 3], DType::F32)?;
/// assert_eq!(gru.predict(&x)?.shape().dims(), [4, 16]);
/// # Ok(())
/// # }
/// ```
pub type Gru = Stacked<GruCell>;

impl Stacked<GruCell> {
    /// n = tanh(W_in x + b_in + W_hn (r ⊙ h) + b_hn): Keras's `reset_after=False`.
    #[must_use]
    pub fn reset_before(self) -> Gru {
        self.remade(GruCell::reset_before)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    use super::stacked::names;
    use wengert_tensor::tensor::Tensor;
    let case = |name, layer: Gru, shapes, names| Case::new("gru", name, layer, shapes, names);
    let cell: &[&str] = &["weight_ih", "weight_hh", "bias_ih", "bias_hh"];
    fn twice<'t>(cell: &GruCell, x: Var<'t>) -> Var<'t> {
        let (_, h) = cell.run(x, None);
        cell.run(x, h).0
    }
    fn lengths<'t>(gru: &Gru, x: Var<'t>) -> Var<'t> {
        let (y, h) = gru.run_with_lengths(x, Tensor::from([2i64, 4, 1]), None);
        x.tape().concat(&[y.flatten(), h.flatten()], 0)
    }
    let deep = || Gru::new(3, 2).layers(2).bidirectional();
    vec![
        Case::new("gru", "cell", Applied::new(GruCell::new(3, 2), twice), [&[4, 3], &[4, 2]], cell),
        case("plain", Gru::new(3, 2), [&[2, 4, 3], &[2, 4, 2]], names::ONE),
        case("reset_before", Gru::new(3, 2).reset_before(), [&[2, 4, 3], &[2, 4, 2]], names::ONE),
        case("without_bias", Gru::new(3, 2).without_bias(), [&[2, 4, 3], &[2, 4, 2]], names::BARE),
        case("deep", Gru::new(3, 2).layers(2), [&[2, 4, 3], &[2, 4, 2]], names::DEEP),
        case("both_ways", Gru::new(3, 2).bidirectional(), [&[2, 4, 3], &[2, 4, 4]], names::BOTH),
        case("deep_both_ways", deep(), [&[2, 4, 3], &[2, 4, 4]], names::DEEP_BOTH),
        Case::new("gru", "lengths", Applied::new(deep(), lengths), [&[3, 4, 3], &[72]], names::DEEP_BOTH),
        case("time_first", Gru::new(3, 2).time_first(), [&[4, 2, 3], &[4, 2, 2]], names::ONE),
        case("one_sequence", Gru::new(3, 2), [&[4, 3], &[4, 2]], names::ONE),
        case("small", Gru::new(1, 1), [&[1, 2, 1], &[1, 2, 1]], names::ONE),
    ]
}
