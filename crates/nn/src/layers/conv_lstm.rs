//! Long short-term memory whose products are convolutions.

use wengert_autograd::{Operand, PadMode, Padding, PerAxis, Var};
use wengert_tensor::error::Error;
use wengert_tensor::tensor::Tensor;

use super::case::{Applied, Case};
use super::conv::ConvNd;
use super::recurrent::{Cell, Recurrent};
use super::stacked::forgetting;
use crate::init::Init;
use crate::layer::Layer;
use crate::module::{Module, Visit, VisitMut};

/// One step of long short-term memory over images, for as many spatial axes as `AXES` says: with ∗ a convolution,
///
/// i = σ(W_i ∗ x + b_i + U_i ∗ h),
/// f = σ(W_f ∗ x + b_f + U_f ∗ h),
/// g = tanh(W_g ∗ x + b_g + U_g ∗ h),
/// o = σ(W_o ∗ x + b_o + U_o ∗ h),
/// c′ = f ⊙ c + i ⊙ g,
/// h′ = o ⊙ tanh c′.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, inputs, n…]` |
/// | state (h, c); h is the output too | `[batch, hidden, m…]` each, where m is what the convolution makes of n |
/// | `input.weight` W | `[4 · hidden, inputs, kernel…]`, in the order i, f, g, o |
/// | `input.bias` b | `[4 · hidden]` |
/// | `hidden.weight` U | `[4 · hidden, hidden, kernel…]`, in the same order |
///
/// Shi et al. 2015, as Keras has it: without the paper's weights from c to the gates. PyTorch has no such layer; the order of the
/// gates is that of Keras and of PyTorch's LSTM, channels come first, and each part is named as its
/// [`Conv2d`](super::conv::Conv2d) is. The convolution of h keeps its size; that of x is as
/// its options say.
///
#[derive(Clone, Debug, Module)]
pub struct ConvLstmCell<const AXES: usize> {
    /// The convolution of x.
    pub input: ConvNd<AXES>,
    /// The convolution of h.
    pub hidden: ConvNd<AXES>,
    channels: usize,
}

impl<const AXES: usize> ConvLstmCell<AXES> {
    /// A cell from `inputs` to `hidden` channels with kernels of this size, a number for all axes or one for each. What is
    /// wrong is reported by the first use.
    #[track_caller]
    pub fn new(inputs: usize, hidden: usize, kernel: impl Into<PerAxis>) -> ConvLstmCell<AXES> {
        let (kernel, gates) = (kernel.into(), hidden.saturating_mul(4));
        ConvLstmCell {
            input: ConvNd::new(inputs, gates, kernel.clone()),
            hidden: ConvNd::new(hidden, gates, kernel).padding(Padding::Same).without_bias(),
            channels: hidden,
        }
    }

    /// The i-th of the gates, which stand one behind another on the axis of channels.
    #[track_caller]
    fn gate<'t>(&self, gates: Var<'t>, i: usize) -> Var<'t> {
        gates.slice(-1 - AXES as isize, self.channels.saturating_mul(i)..self.channels.saturating_mul(i + 1))
    }

    /// That a state is what it would be at first; otherwise the tape has failed.
    #[track_caller]
    fn fits<'t>(&self, what: &'static str, wanted: Var<'t>, state: Var<'t>) -> Var<'t> {
        let tape = state.tape();
        if tape.error().is_none() && state.shape() != wanted.shape() {
            let error = Error::shape(format!("takes a state {what} of {}, not {}", wanted.shape(), state.shape()));
            return tape.reject("ConvLstmCell", &[(what, state)], error);
        }
        state
    }
}

impl<const AXES: usize> Cell for ConvLstmCell<AXES> {
    type State<'t> = (Var<'t>, Var<'t>);

    const AXES: usize = 1 + AXES;

    #[track_caller]
    fn prepare<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.input.forward(x)
    }

    #[track_caller]
    fn begin<'t>(&self, x: Var<'t>) -> (Var<'t>, Var<'t>) {
        let zeros = self.gate(x, 0).zeros_like();
        (zeros, zeros)
    }

    #[track_caller]
    fn step<'t>(&self, x: Var<'t>, (h, c): (Var<'t>, Var<'t>)) -> (Var<'t>, (Var<'t>, Var<'t>)) {
        let wanted = self.gate(x, 0);
        let (h, c) = (self.fits("h", wanted, h), self.fits("c", wanted, c));
        let gates = x + self.hidden.forward(h);
        let [i, f, o] = [0, 1, 3].map(|i| self.gate(gates, i).sigmoid());
        let c = f * c + i * self.gate(gates, 2).tanh();
        let h = o * c.tanh();
        (h, (h, c))
    }
}

/// Long short-term memory over films: a [`ConvLstmCell`] at every step. Shi et al. 2015.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, time, inputs, n…]`; `[time, batch, …]` with [`time_first`](ConvLstmNd::time_first); `[time, inputs, n…]`: one film |
/// | state (h, c) | `[batch, hidden, m…]` each |
/// | y | `[batch, time, hidden, m…]`; with [`last_only`](ConvLstmNd::last_only) `[batch, hidden, m…]` |
///
/// The parameters `input.weight`, `input.bias` and `hidden.weight` are those of the cell, drawn as those of
/// [`Conv2d`](super::conv::Conv2d).
///
/// ```
/// use wengert_autograd::Padding;
/// use wengert_nn::{layer::Layer, layers::conv_lstm::ConvLstm2d, module::Module};
/// use wengert_tensor::{dtype::DType, random::Seed, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let layer = ConvLstm2d::new(3, 8, 3).padding(Padding::Same).last_only().init(Seed(1))?;
/// let films = Tensor::zeros([2, 4, 3, 10, 12], DType::F32)?;
/// assert_eq!(layer.predict(&films)?.shape().dims(), [2, 8, 10, 12]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ConvLstmNd<const AXES: usize> {
    /// The cell over time.
    pub recurrent: Recurrent<ConvLstmCell<AXES>>,
}

/// Over sequences of signals `[batch, time, channels, n]`: Keras's `ConvLSTM1D`. See [`ConvLstmNd`].
pub type ConvLstm1d = ConvLstmNd<1>;
/// Over films `[batch, time, channels, height, width]`: Keras's `ConvLSTM2D`. See [`ConvLstmNd`].
pub type ConvLstm2d = ConvLstmNd<2>;
/// Over sequences of volumes `[batch, time, channels, depth, height, width]`: Keras's `ConvLSTM3D`. See [`ConvLstmNd`].
pub type ConvLstm3d = ConvLstmNd<3>;

type States<'t> = (Var<'t>, Var<'t>);

impl<const AXES: usize> ConvLstmNd<AXES> {
    /// A layer from `inputs` to `hidden` channels with kernels of this size, a number for all axes or one for each. What
    /// is wrong is reported by the first use.
    #[track_caller]
    pub fn new(inputs: usize, hidden: usize, kernel: impl Into<PerAxis>) -> ConvLstmNd<AXES> {
        ConvLstmNd { recurrent: Recurrent::new(ConvLstmCell::new(inputs, hidden, kernel)) }
    }

    /// Changes the convolution of x.
    fn input(mut self, change: impl FnOnce(ConvNd<AXES>) -> ConvNd<AXES>) -> ConvLstmNd<AXES> {
        self.recurrent.cell.input = change(self.recurrent.cell.input);
        self
    }

    /// How far the next window of x is.
    #[must_use]
    pub fn stride(self, stride: impl Into<PerAxis>) -> ConvLstmNd<AXES> {
        self.input(|input| input.stride(stride))
    }

    /// How many zeros surround x: a number for both sides, `[(before, after), …]`, [`Padding::Same`]. None by default.
    #[must_use]
    pub fn padding(self, padding: impl Into<Padding>) -> ConvLstmNd<AXES> {
        self.input(|input| input.padding(padding))
    }

    /// What surrounds x and h are their own elements, not zeros.
    #[must_use]
    pub fn pad_mode(mut self, mode: PadMode) -> ConvLstmNd<AXES> {
        self.recurrent.cell.hidden = self.recurrent.cell.hidden.pad_mode(mode);
        self.input(|input| input.pad_mode(mode))
    }

    /// How far the next element of a window of x is.
    #[must_use]
    pub fn dilation(self, dilation: impl Into<PerAxis>) -> ConvLstmNd<AXES> {
        self.input(|input| input.dilation(dilation))
    }

    /// Without `input.bias`.
    #[must_use]
    pub fn without_bias(self) -> ConvLstmNd<AXES> {
        self.input(ConvNd::without_bias)
    }

    /// Draws `input.weight` from another distribution.
    #[must_use]
    pub fn weight_init(self, init: Init) -> ConvLstmNd<AXES> {
        self.input(|input| input.weight_init(init))
    }

    /// Draws `hidden.weight` from another distribution.
    #[must_use]
    pub fn recurrent_init(mut self, init: Init) -> ConvLstmNd<AXES> {
        self.recurrent.cell.hidden = self.recurrent.cell.hidden.weight_init(init);
        self
    }

    /// Draws `input.bias` from another distribution.
    #[must_use]
    pub fn bias_init(self, init: Init) -> ConvLstmNd<AXES> {
        self.input(|input| input.bias_init(init))
    }

    /// The bias starts from this value for the forget gate, and from zero for the others. Keras does so with 1.
    #[must_use]
    pub fn forget_bias(self, value: f64) -> ConvLstmNd<AXES> {
        let channels = self.recurrent.cell.channels;
        self.bias_init(forgetting(channels, value))
    }

    /// From the end of each film to its start. The outputs stand at the places of their inputs.
    #[must_use]
    pub fn reversed(self) -> ConvLstmNd<AXES> {
        ConvLstmNd { recurrent: self.recurrent.reversed() }
    }

    /// `forward` gives the output of the last step that runs, and not those of all: Keras's `return_sequences=False`.
    #[must_use]
    pub fn last_only(self) -> ConvLstmNd<AXES> {
        ConvLstmNd { recurrent: self.recurrent.last_only() }
    }

    /// Inputs and outputs are `[time, batch, …]`.
    #[must_use]
    pub fn time_first(self) -> ConvLstmNd<AXES> {
        ConvLstmNd { recurrent: self.recurrent.time_first() }
    }

    /// All outputs and the last state, from this state on; `None` starts from zeros.
    #[track_caller]
    pub fn run<'t>(&self, x: Var<'t>, state: impl Into<Option<States<'t>>>) -> (Var<'t>, States<'t>) {
        let _scope = self.scope(x.tape());
        self.recurrent.run(x, state)
    }

    /// [`run`](ConvLstmNd::run) over films of these lengths, `[batch]` i64, each from 1 to the number of steps.
    #[track_caller]
    pub fn run_with_lengths<'t>(
        &self,
        x: Var<'t>,
        lengths: impl Operand<'t>,
        state: impl Into<Option<States<'t>>>,
    ) -> (Var<'t>, States<'t>) {
        let _scope = self.scope(x.tape());
        self.recurrent.run_with_lengths(x, lengths, state)
    }
}

/// The parameters are those of the cell.
impl<const AXES: usize> Module for ConvLstmNd<AXES> {
    fn type_name(&self) -> &'static str {
        const NAMES: [&str; 4] = ["ConvLstm", "ConvLstm1d", "ConvLstm2d", "ConvLstm3d"];
        NAMES.get(AXES).copied().unwrap_or(NAMES[0])
    }
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
        self.recurrent.cell.visit(at);
    }
    fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
        self.recurrent.cell.visit_mut(at);
    }
}

impl<const AXES: usize> Layer for ConvLstmNd<AXES> {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        self.recurrent.forward(x)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let names: &[&str] = &["input.weight", "input.bias", "hidden.weight"];
    fn case<const AXES: usize>(name: &'static str, layer: ConvLstmNd<AXES>, shapes: [&[usize]; 2]) -> Case {
        Case::new("conv_lstm", name, layer, shapes, &["input.weight", "input.bias", "hidden.weight"])
    }
    fn lengths<'t>(layer: &ConvLstm1d, x: Var<'t>) -> Var<'t> {
        let (y, (h, c)) = layer.run_with_lengths(x, Tensor::from([1i64, 2]), None);
        x.tape().concat(&[y.flatten(), h.flatten(), c.flatten()], 0)
    }
    let strided = ConvLstm2d::new(2, 2, [3, 2]).stride([2, 1]);
    let bare = Case::new(
        "conv_lstm",
        "without_bias",
        ConvLstm1d::new(1, 2, 3).without_bias(),
        [&[1, 3, 1, 4], &[1, 3, 2, 2]],
        &["input.weight", "hidden.weight"],
    );
    let lengths = Applied::new(ConvLstm1d::new(1, 2, 2), lengths);
    vec![
        case("images", ConvLstm2d::new(2, 2, 3).padding(Padding::Same), [&[2, 3, 2, 3, 4], &[2, 3, 2, 3, 4]]),
        case("strided", strided, [&[1, 2, 2, 5, 3], &[1, 2, 2, 2, 2]]),
        case("last_only", ConvLstm1d::new(2, 1, 3).last_only(), [&[2, 3, 2, 5], &[2, 1, 3]]),
        case("volumes", ConvLstm3d::new(1, 1, 2), [&[1, 2, 1, 3, 2, 2], &[1, 2, 1, 2, 1, 1]]),
        bare,
        Case::new("conv_lstm", "lengths", lengths, [&[2, 2, 1, 3], &[32]], names)
            .alone("Keras masks steps, and holds outputs where PyTorch has zeros"),
    ]
}
