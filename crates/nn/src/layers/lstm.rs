//! Long short-term memory.

use wengert_autograd::Var;

use super::case::{Applied, Case};
use super::recurrent::Cell;
use super::stacked::{Repeated, Stacked, Weights, gate, settings};

/// One step of long short-term memory:
///
/// i = σ(W_ii x + b_ii + W_hi h + b_hi),
/// f = σ(W_if x + b_if + W_hf h + b_hf),
/// g = tanh(W_ig x + b_ig + W_hg h + b_hg),
/// o = σ(W_io x + b_io + W_ho h + b_ho),
/// c′ = f ⊙ c + i ⊙ g,
/// h′ = o ⊙ tanh c′.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, inputs]` or `[inputs]` |
/// | state (h, c); h is the output too | `[batch, hidden]` each, or `[hidden]` |
/// | `weight_ih`, `weight_hh` | `[4 · hidden, inputs]`, `[4 · hidden, hidden]`; in the order i, f, g, o |
/// | `bias_ih`, `bias_hh` | `[4 · hidden]` |
///
/// With a [`projection`](LstmCell::projection) to fewer features, h′ = W_hr (o ⊙ tanh c′) with `weight_hr`
/// `[projection, hidden]`, and h and the columns of `weight_hh` are so many (Sak et al. 2014).
///
/// The names and shapes are those of PyTorch's `LSTMCell`. Hochreiter & Schmidhuber 1997, with the forget gate of Gers et
/// al. 2000.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::layers::{lstm::LstmCell, recurrent::Cell};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let (cell, tape) = (LstmCell::new(2, 3).forget_bias(1.0), Tape::new());
/// let x = tape.input(&Tensor::from([[1f32, 2.0]]));
/// let (_, state) = cell.run(x, None);
/// let (y, (h, c)) = cell.run(x, state);
/// assert_eq!(y.value()?.shape(), c.value()?.shape());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct LstmCell {
    /// W and b.
    pub weights: Weights,
}

impl LstmCell {
    /// A cell from `inputs` to `hidden` features. Zero of either is reported by the first use.
    #[track_caller]
    pub fn new(inputs: usize, hidden: usize) -> LstmCell {
        LstmCell { weights: Weights::new("LstmCell", 4, inputs, hidden) }
    }

    /// h has this many features, fewer than c: PyTorch's `proj_size`.
    #[must_use]
    pub fn projection(self, size: usize) -> LstmCell {
        LstmCell { weights: self.weights.projection(size) }
    }

    /// The sum of both biases starts from this value for the forget gate and from zero for the others. With 1, the cell
    /// remembers before it has learnt to: Keras's `unit_forget_bias`. Jozefowicz et al. 2015.
    #[must_use]
    pub fn forget_bias(self, value: f64) -> LstmCell {
        LstmCell { weights: self.weights.forget_bias(value) }
    }
}

settings!(LstmCell);

impl Cell for LstmCell {
    type State<'t> = (Var<'t>, Var<'t>);

    #[track_caller]
    fn prepare<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.weights.of_input_and_biases(x)
    }

    #[track_caller]
    fn begin<'t>(&self, x: Var<'t>) -> (Var<'t>, Var<'t>) {
        (self.weights.zeros(x, self.weights.outputs()), self.weights.zeros(x, self.weights.hidden()))
    }

    #[track_caller]
    fn step<'t>(&self, x: Var<'t>, state: (Var<'t>, Var<'t>)) -> (Var<'t>, (Var<'t>, Var<'t>)) {
        self.step_seeing(x, state, |h| h)
    }
}

impl Repeated for LstmCell {
    const LAYER: &'static str = "Lstm";

    #[track_caller]
    fn made(inputs: usize, hidden: usize) -> LstmCell {
        LstmCell::new(inputs, hidden)
    }

    #[track_caller]
    fn step_seeing<'t>(
        &self,
        x: Var<'t>,
        (h, c): (Var<'t>, Var<'t>),
        seen: impl FnOnce(Var<'t>) -> Var<'t>,
    ) -> (Var<'t>, (Var<'t>, Var<'t>)) {
        let (tape, size) = (x.tape(), self.weights.hidden());
        let h = self.weights.fits("h", x, h, self.weights.outputs());
        let c = self.weights.fits("c", x, c, size);
        let gates = x + seen(h).matmul(self.weights.weight_hh.on(tape).t());
        let [i, f, o] = [0, 1, 3].map(|i| gate(gates, i, size).sigmoid());
        let c = f * c + i * gate(gates, 2, size).tanh();
        let h = o * c.tanh();
        let h = match &self.weights.weight_hr {
            Some(weight) => h.matmul(weight.on(tape).t()),
            None => h,
        };
        (h, (h, c))
    }

    fn weights(&self) -> &Weights {
        &self.weights
    }

    fn weights_mut(&mut self) -> &mut Weights {
        &mut self.weights
    }
}

/// Long short-term memory, layers one above another: [`Stacked`] layers of [`LstmCell`], PyTorch's `LSTM`.
///
/// | | shape |
/// |---|---|
/// | `weight_ih_l0`, `weight_hh_l0` | `[4 · hidden, inputs]`, `[4 · hidden, outputs]`; in the order i, f, g, o |
/// | `bias_ih_l0`, `bias_hh_l0` | `[4 · hidden]` |
/// | `weight_hr_l0`, with a projection to so many outputs | `[outputs, hidden]` |
/// | `weight_ih_l1` | `[4 · hidden, directions · outputs]` |
/// | state (h, c) | `[layers · directions, batch, outputs]`, `[layers · directions, batch, hidden]` |
///
/// and so on, with `_reverse` behind the names of the second direction. Without a projection there are as many outputs as
/// hidden features.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{layers::lstm::Lstm, module::Module};
/// use wengert_tensor::{random::Seed, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let lstm = Lstm::new(3, 8).layers(2).dropout(0.1).init(Seed(1))?;
/// let tape = Tape::new();
/// let x = tape.input(&Tensor::from_fn([4, 10, 3], |i| i as f32 / 100.0)?);
/// let (y, state) = lstm.run(x, None);
/// let (more, (h, c)) = lstm.run(x, state);
/// let [more, h] = tape.eval([more.slice(1, 9..), h.slice(0, 1..)])?;
/// assert_eq!((more.shape().dims(), h.shape().dims()), (&[4, 1, 8][..], &[1, 4, 8][..]));
/// assert_eq!(more.to_vec::<f32>()?, h.to_vec::<f32>()?);
/// # Ok(())
/// # }
/// ```
pub type Lstm = Stacked<LstmCell>;

impl Stacked<LstmCell> {
    /// h has this many features, fewer than c: PyTorch's `proj_size`.
    #[must_use]
    pub fn projection(self, size: usize) -> Lstm {
        self.remade(|cell| cell.projection(size))
    }

    /// The sum of both biases starts from this value for the forget gates and from zero for the others: see
    /// [`LstmCell::forget_bias`].
    #[must_use]
    pub fn forget_bias(self, value: f64) -> Lstm {
        self.remade(|cell| cell.forget_bias(value))
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    use super::stacked::names;
    use wengert_tensor::tensor::Tensor;
    let case = |name, layer: Lstm, shapes, names| Case::new("lstm", name, layer, shapes, names);
    let cell: &[&str] = &["weight_ih", "weight_hh", "bias_ih", "bias_hh"];
    fn twice<'t>(cell: &LstmCell, x: Var<'t>) -> Var<'t> {
        let (y, (h, c)) = cell.run(x, None);
        cell.run(x, (h, c)).0 + y * c
    }
    // Outputs and both last states side by side, so that one number tries them all.
    fn all<'t>(parts: [Var<'t>; 3]) -> Var<'t> {
        parts[0].tape().concat(&parts.map(Var::flatten), 0)
    }
    fn lengths<'t>(lstm: &Lstm, x: Var<'t>) -> Var<'t> {
        let (y, (h, c)) = lstm.run_with_lengths(x, Tensor::from([2i64, 4, 1]), None);
        all([y, h, c])
    }
    fn states<'t>(lstm: &Lstm, x: Var<'t>) -> Var<'t> {
        let h = x.slice(1, ..2).moved_axis(0, 1);
        let (y, (h, c)) = lstm.run_with_lengths(x, Tensor::from([3i64, 1]), (h.slice(2, ..1), h.slice(2, 1..) * 2.0));
        all([y, h, c])
    }
    let deep = || Lstm::new(3, 2).layers(2).bidirectional();
    vec![
        Case::new("lstm", "cell", Applied::new(LstmCell::new(3, 2), twice), [&[4, 3], &[4, 2]], cell),
        case("plain", Lstm::new(3, 2), [&[2, 4, 3], &[2, 4, 2]], names::ONE),
        case("without_bias", Lstm::new(3, 2).without_bias(), [&[2, 4, 3], &[2, 4, 2]], names::BARE),
        case("deep", Lstm::new(3, 2).layers(2), [&[2, 4, 3], &[2, 4, 2]], names::DEEP),
        case("both_ways", Lstm::new(3, 2).bidirectional(), [&[2, 4, 3], &[2, 4, 4]], names::BOTH),
        case("deep_both_ways", deep(), [&[2, 4, 3], &[2, 4, 4]], names::DEEP_BOTH),
        case("deep_both_ways_bare", deep().without_bias(), [&[2, 4, 3], &[2, 4, 4]], names::DEEP_BOTH_BARE),
        case("last_only", deep().last_only(), [&[2, 4, 3], &[2, 4]], names::DEEP_BOTH),
        case("projection", Lstm::new(3, 3).projection(2), [&[2, 4, 3], &[2, 4, 2]], names::PROJECTED),
        case("deep_projection", deep().projection(1), [&[2, 4, 3], &[2, 4, 2]], names::DEEP_BOTH_PROJECTED),
        case("time_first", Lstm::new(3, 2).time_first(), [&[4, 2, 3], &[4, 2, 2]], names::ONE),
        case("one_sequence", Lstm::new(3, 2).bidirectional(), [&[4, 3], &[4, 4]], names::BOTH),
        case("small", Lstm::new(1, 1), [&[1, 2, 1], &[1, 2, 1]], names::ONE),
        Case::new("lstm", "lengths", Applied::new(deep(), lengths), [&[3, 4, 3], &[96]], names::DEEP_BOTH),
        Case::new(
            "lstm",
            "states",
            Applied::new(Lstm::new(3, 2).projection(1).bidirectional(), states),
            [&[2, 3, 3], &[24]],
            names::BOTH_PROJECTED,
        ),
    ]
}
