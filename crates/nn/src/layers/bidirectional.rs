//! Two cells over the same sequences, one from each end.

use std::panic::Location;

use wengert_autograd::{Operand, Var};
use wengert_tensor::error::Error;
use wengert_tensor::tensor::Tensor;

use super::case::{Applied, Case};
use super::recurrent::{Cell, Sequences, lengths_beside};
use crate::explain::blame;
use crate::layer::Layer;
use crate::module::Module;

/// A [`Cell`] that runs from the start to the end of each sequence, and another one that runs from the end to the start;
/// what they give for a step is merged. Schuster & Paliwal 1997.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, time, …]`, or `[time, batch, …]` with [`time_first`](Bidirectional::time_first), or `[time, …]`: one sequence |
/// | `lengths` | `[batch]` i64, each from 1 to time |
/// | state | a pair of those of both cells |
/// | y | as x with the merged outputs; with [`last_only`](Bidirectional::last_only) `[batch, …]` |
///
/// The name is Keras's. Its parameters are `forward.…` and `backward.…`. The cells may differ, where their outputs can be
/// merged. For layers of PyTorch's cells with PyTorch's names see [`Lstm`](super::lstm::Lstm) and its kin.
///
/// ```
/// use wengert_nn::layers::{bidirectional::{Bidirectional, MergeMode}, gru::GruCell, rnn::RnnCell};
/// use wengert_nn::{layer::Layer, module::Module};
/// use wengert_tensor::{dtype::DType, random::Seed, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let layer = Bidirectional::new(GruCell::new(3, 4), RnnCell::new(3, 4)).merge(MergeMode::Sum).init(Seed(1))?;
/// let x = Tensor::zeros([2, 5, 3], DType::F32)?;
/// assert_eq!(layer.predict(&x)?.shape().dims(), [2, 5, 4]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct Bidirectional<F, B = F> {
    /// Runs from the start to the end.
    pub forward: F,
    /// Runs from the end to the start.
    pub backward: B,
    #[module(skip)]
    merge: MergeMode,
    last_only: bool,
    time_first: bool,
}

/// How the outputs of both directions become one: Keras's `merge_mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MergeMode {
    /// Side by side: the features of both.
    #[default]
    Concat,
    /// Their sum.
    Sum,
    /// Their product, element by element.
    Multiply,
    /// Their mean.
    Average,
}

impl<F: Cell, B: Cell> Bidirectional<F, B> {
    /// One cell from the start, another from the end, side by side. Both are made anew: a clone has the same weights.
    pub fn new(forward: F, backward: B) -> Bidirectional<F, B> {
        Bidirectional { forward, backward, merge: MergeMode::Concat, last_only: false, time_first: false }
    }

    /// How the outputs become one.
    #[must_use]
    pub fn merge(self, merge: MergeMode) -> Bidirectional<F, B> {
        Bidirectional { merge, ..self }
    }

    /// `forward` gives the merged outputs of the last step that each cell runs: Keras's `return_sequences=False`.
    #[must_use]
    pub fn last_only(self) -> Bidirectional<F, B> {
        Bidirectional { last_only: true, ..self }
    }

    /// Inputs and outputs are `[time, batch, …]`: PyTorch's default.
    #[must_use]
    pub fn time_first(self) -> Bidirectional<F, B> {
        Bidirectional { time_first: true, ..self }
    }

    /// All outputs and the last states, from these states on; `None` starts as the cells say.
    #[track_caller]
    pub fn run<'t>(
        &self,
        x: Var<'t>,
        state: impl Into<Option<(F::State<'t>, B::State<'t>)>>,
    ) -> (Var<'t>, (F::State<'t>, B::State<'t>)) {
        self.over(x, None, state.into(), false)
    }

    /// [`run`](Bidirectional::run) over sequences of these lengths, `[batch]` i64: the backward cell starts at the end of
    /// each.
    #[track_caller]
    pub fn run_with_lengths<'t>(
        &self,
        x: Var<'t>,
        lengths: impl Operand<'t>,
        state: impl Into<Option<(F::State<'t>, B::State<'t>)>>,
    ) -> (Var<'t>, (F::State<'t>, B::State<'t>)) {
        self.over(x, Some(lengths_beside(x, lengths)), state.into(), false)
    }

    #[track_caller]
    fn over<'t>(
        &self,
        x: Var<'t>,
        lengths: Option<Var<'t>>,
        state: Option<(F::State<'t>, B::State<'t>)>,
        last_only: bool,
    ) -> (Var<'t>, (F::State<'t>, B::State<'t>)) {
        let (tape, here) = (x.tape(), Location::caller());
        let _scope = self.scope(tape);
        let sequences = match Sequences::of("Bidirectional", x, lengths, F::AXES, self.time_first) {
            Ok(sequences) => sequences,
            Err(poison) => return (poison, (self.forward.begin(poison), self.backward.begin(poison))),
        };
        let (first, second) = state.unzip();
        let first = first.map(|state| sequences.batched(&state));
        let second = second.map(|state| sequences.batched(&state));
        let (ahead, first) = sequences.scan(&self.forward, sequences.x, first, false);
        let (back, second) = sequences.scan(&self.backward, sequences.x, second, true);
        let y = match last_only {
            true => self.merged(sequences.last(ahead, false), sequences.last(back, true)),
            false => self.merged(sequences.given_back(ahead), sequences.given_back(back)),
        };
        tape.amend(|error| blame(error, here));
        (y, (sequences.unbatched(&first), sequences.unbatched(&second)))
    }

    #[track_caller]
    fn merged<'t>(&self, a: Var<'t>, b: Var<'t>) -> Var<'t> {
        let tape = a.tape();
        if self.merge != MergeMode::Concat && tape.error().is_none() && a.shape() != b.shape() {
            let error = Error::shape(format!("outputs {} and {} of the two cells", a.shape(), b.shape()));
            let error =
                error.help("both cells have the same number of outputs, or MergeMode::Concat takes them side by side");
            return tape.reject("Bidirectional", &[("forward", a), ("backward", b)], error);
        }
        match self.merge {
            // The features of F::AXES axes: the first of them is that of channels.
            MergeMode::Concat => tape.concat(&[a, b], -(F::AXES as isize)),
            MergeMode::Sum => a + b,
            MergeMode::Multiply => a * b,
            MergeMode::Average => (a + b) * 0.5,
        }
    }
}

impl<F: Cell, B: Cell> Layer for Bidirectional<F, B> {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.over(x, None, None, self.last_only).0
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    use super::gru::GruCell;
    use super::lstm::LstmCell;
    let names: &[&str] = &[
        "forward.weight_ih",
        "forward.weight_hh",
        "forward.bias_ih",
        "forward.bias_hh",
        "backward.weight_ih",
        "backward.weight_hh",
        "backward.bias_ih",
        "backward.bias_hh",
    ];
    let layer = || Bidirectional::new(GruCell::new(3, 2), LstmCell::new(3, 2));
    let case = |name, layer, output: &[usize]| Case::new("bidirectional", name, layer, [&[2, 4, 3], output], names);
    fn lengths<'t>(layer: &Bidirectional<GruCell, LstmCell>, x: Var<'t>) -> Var<'t> {
        let (y, (h, (_, c))) = layer.run_with_lengths(x, Tensor::from([3i64, 2]), None);
        x.tape().concat(&[y.flatten(), h.flatten(), c.flatten()], 0)
    }
    vec![
        case("concat", layer(), &[2, 4, 4]),
        case("sum", layer().merge(MergeMode::Sum), &[2, 4, 2]),
        case("multiply", layer().merge(MergeMode::Multiply), &[2, 4, 2]),
        case("average", layer().merge(MergeMode::Average), &[2, 4, 2]),
        case("last_only", layer().last_only(), &[2, 4]),
        Case::new("bidirectional", "lengths", Applied::new(layer(), lengths), [&[2, 4, 3], &[40]], names),
    ]
}
