//! The simple recurrent network: h = tanh(W_ih x + b_ih + W_hh h + b_hh).

use wengert_autograd::Var;

use super::case::{Applied, Case};
use super::recurrent::Cell;
use super::stacked::{Repeated, Stacked, Weights, settings};

/// One step of a simple recurrent network, hₜ = tanh(W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh). Elman 1990.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, inputs]` or `[inputs]` |
/// | h, which is the output too | `[batch, hidden]` or `[hidden]` |
/// | `weight_ih`, `weight_hh` | `[hidden, inputs]`, `[hidden, hidden]` |
/// | `bias_ih`, `bias_hh` | `[hidden]` |
///
/// The names and shapes are those of PyTorch's `RNNCell`, and so is the start: all uniform on ±1/√hidden.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::layers::{recurrent::Cell, rnn::RnnCell};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let (cell, tape) = (RnnCell::new(2, 3), Tape::new());
/// let x = tape.input(&Tensor::from([[1f32, 2.0]]));
/// let (_, h) = cell.run(x, None);
/// let (y, _) = cell.run(x, h);
/// assert_eq!(y.value()?.shape().dims(), [1, 3]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RnnCell {
    /// W and b.
    pub weights: Weights,
    relu: bool,
}

impl RnnCell {
    /// A cell from `inputs` to `hidden` features. Zero of either is reported by the first use.
    #[track_caller]
    pub fn new(inputs: usize, hidden: usize) -> RnnCell {
        RnnCell { weights: Weights::new("RnnCell", 1, inputs, hidden), relu: false }
    }

    /// max(·, 0) in place of tanh. Le et al. 2015 start it from the identity.
    #[must_use]
    pub fn relu(self) -> RnnCell {
        RnnCell { relu: true, ..self }
    }
}

settings!(RnnCell);

impl Cell for RnnCell {
    type State<'t> = Var<'t>;

    #[track_caller]
    fn prepare<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.weights.of_input_and_biases(x)
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

impl Repeated for RnnCell {
    const LAYER: &'static str = "Rnn";

    #[track_caller]
    fn made(inputs: usize, hidden: usize) -> RnnCell {
        RnnCell::new(inputs, hidden)
    }

    #[track_caller]
    fn step_seeing<'t>(&self, x: Var<'t>, h: Var<'t>, seen: impl FnOnce(Var<'t>) -> Var<'t>) -> (Var<'t>, Var<'t>) {
        let h = self.weights.fits("h", x, h, self.weights.hidden());
        let sum = x + seen(h).matmul(self.weights.weight_hh.on(x.tape()).t());
        let h = if self.relu { sum.relu() } else { sum.tanh() };
        (h, h)
    }

    fn weights(&self) -> &Weights {
        &self.weights
    }

    fn weights_mut(&mut self) -> &mut Weights {
        &mut self.weights
    }
}

/// Simple recurrent networks one above another: [`Stacked`] layers of [`RnnCell`], PyTorch's `RNN`.
///
/// | | shape |
/// |---|---|
/// | `weight_ih_l0`, `weight_hh_l0` | `[hidden, inputs]`, `[hidden, hidden]` |
/// | `bias_ih_l0`, `bias_hh_l0` | `[hidden]` |
/// | `weight_ih_l1` | `[hidden, directions · hidden]` |
/// | state h | `[layers · directions, batch, hidden]` |
///
/// and so on, with `_reverse` behind the names of the second direction.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::rnn::Rnn, module::Module};
/// use wengert_tensor::{dtype::DType, random::Seed, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let rnn = Rnn::new(3, 8).layers(2).bidirectional().relu().init(Seed(1))?;
/// let x = Tensor::zeros([4, 10, 3], DType::F32)?;
/// assert_eq!(rnn.predict(&x)?.shape().dims(), [4, 10, 16]);
/// # Ok(())
/// # }
/// ```
pub type Rnn = Stacked<RnnCell>;

impl Stacked<RnnCell> {
    /// max(·, 0) in place of tanh.
    #[must_use]
    pub fn relu(self) -> Rnn {
        self.remade(RnnCell::relu)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    use super::stacked::names;
    let case = |name, layer: Rnn, shapes, names| Case::new("rnn", name, layer, shapes, names);
    let cell: &[&str] = &["weight_ih", "weight_hh", "bias_ih", "bias_hh"];
    fn twice<'t>(cell: &RnnCell, x: Var<'t>) -> Var<'t> {
        let (_, h) = cell.run(x, None);
        cell.run(x, h).0
    }
    vec![
        Case::new("rnn", "cell", Applied::new(RnnCell::new(3, 2), twice), [&[4, 3], &[4, 2]], cell),
        case("tanh", Rnn::new(3, 2), [&[2, 4, 3], &[2, 4, 2]], names::ONE),
        case("relu", Rnn::new(3, 2).relu(), [&[2, 4, 3], &[2, 4, 2]], names::ONE),
        case("without_bias", Rnn::new(3, 2).without_bias(), [&[2, 4, 3], &[2, 4, 2]], names::BARE),
        case("deep", Rnn::new(3, 2).layers(2), [&[2, 4, 3], &[2, 4, 2]], names::DEEP),
        case("both_ways", Rnn::new(3, 2).bidirectional(), [&[2, 4, 3], &[2, 4, 4]], names::BOTH),
        case("last_only", Rnn::new(3, 2).bidirectional().last_only(), [&[2, 4, 3], &[2, 4]], names::BOTH),
        case("small", Rnn::new(1, 1), [&[1, 2, 1], &[1, 2, 1]], names::ONE),
    ]
}
