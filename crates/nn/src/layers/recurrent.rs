//! A cell repeated over time: the layer that makes a sequence of what a cell does in one step.

use std::panic::Location;

use wengert_autograd::{Like, Loop, Operand, Var, Vars};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Error;
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

use super::case::{Applied, Case};
use crate::explain::blame;
use crate::layer::Layer;
use crate::module::Module;

/// One step of a recurrence: (yₜ, sₜ) = step(xₜ, sₜ₋₁). The cells of this library are made of nothing else, so a cell of
/// one's own is as good as they are: [`Recurrent`] and [`Bidirectional`](super::bidirectional::Bidirectional) run any.
///
/// The state is one `Var`, or an array or tuple of them; each has the batch as its first axis. What is drawn at random in
/// [`begin`](Cell::begin) is drawn once for a sequence, so a mask that all steps share is a part of the state that stays;
/// what is drawn in [`step`](Cell::step) is drawn anew at each.
///
/// ```
/// # extern crate wengert_nn as wengert;
/// use wengert_autograd::Var;
/// use wengert_nn::layers::{dense::Dense, recurrent::{Cell, Recurrent}};
/// use wengert_nn::{layer::Layer, module::Module};
/// use wengert_tensor::{dtype::DType, random::Seed, tensor::Tensor};
///
/// /// hₜ = f ⊙ hₜ₋₁ + (1 − f) ⊙ tanh(V xₜ), where the gate f sees xₜ alone.
/// #[derive(Module)]
/// struct Leaky { value: Dense, forget: Dense }
///
/// impl Cell for Leaky {
///     type State<'t> = Var<'t>;
///
///     fn begin<'t>(&self, x: Var<'t>) -> Var<'t> {
///         self.value.forward(x).zeros_like()
///     }
///
///     fn step<'t>(&self, x: Var<'t>, h: Var<'t>) -> (Var<'t>, Var<'t>) {
///         let (new, f) = (self.value.forward(x).tanh(), self.forget.forward(x).sigmoid());
///         let h = f * h + (1.0 - f) * new;
///         (h, h)
///     }
/// }
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let layer = Recurrent::new(Leaky { value: Dense::new(3, 8), forget: Dense::new(3, 8) }).init(Seed(1))?;
/// let x = Tensor::zeros([2, 5, 3], DType::F32)?;
/// assert_eq!(layer.predict(&x)?.shape().dims(), [2, 5, 8]);
/// # Ok(())
/// # }
/// ```
pub trait Cell: Module {
    /// What one step hands to the next.
    type State<'t>: Vars<'t, Of<Var<'t>> = Self::State<'t>>;

    /// The number of axes of one input, without batch and time: 1 for features.
    const AXES: usize = 1;

    /// What can be computed of the inputs of all steps at once, since it does not depend on the state: the product with
    /// the input's weights, usually. `x` is `[n, …]`, where n counts steps and sequences together.
    #[track_caller]
    fn prepare<'t>(&self, x: Var<'t>) -> Var<'t> {
        x
    }

    /// The state before the first step, for prepared inputs of one step like `x`, `[batch, …]`.
    #[track_caller]
    fn begin<'t>(&self, x: Var<'t>) -> Self::State<'t>;

    /// The output and the next state, for the prepared inputs of one step.
    #[track_caller]
    fn step<'t>(&self, x: Var<'t>, state: Self::State<'t>) -> (Var<'t>, Self::State<'t>);

    /// One step from the inputs `[batch, …]` themselves; from the first state where none is given.
    #[track_caller]
    fn run<'t>(&self, x: Var<'t>, state: impl Into<Option<Self::State<'t>>>) -> (Var<'t>, Self::State<'t>)
    where
        Self: Sized,
    {
        let _scope = self.scope(x.tape());
        let x = self.prepare(x);
        let state = match state.into() {
            Some(state) => state,
            None => self.begin(x),
        };
        self.step(x, state)
    }
}

/// Cells one above another as one cell, a tuple: each step runs them all. Keras calls it `StackedRNNCells`.
macro_rules! tuple {
    ($first:ident $a:ident; $($cell:ident $b:ident $index:tt),+) => {
        impl<$first: Cell, $($cell: Cell),+> Cell for ($first, $($cell),+) {
            type State<'t> = ($first::State<'t>, $($cell::State<'t>),+);

            const AXES: usize = $first::AXES;

            #[track_caller]
            fn prepare<'t>(&self, x: Var<'t>) -> Var<'t> {
                self.0.prepare(x)
            }

            #[track_caller]
            fn begin<'t>(&self, x: Var<'t>) -> Self::State<'t> {
                // What the cells above are given is what those below would give; nobody asks for its value.
                let $a = self.0.begin(x);
                let (x, _) = self.0.step(x, self.0.begin(x));
                $(
                    let x = self.$index.prepare(x);
                    let $b = self.$index.begin(x);
                    let (x, _) = self.$index.step(x, self.$index.begin(x));
                )+
                let _ = x;
                ($a, $($b),+)
            }

            #[track_caller]
            fn step<'t>(&self, x: Var<'t>, state: Self::State<'t>) -> (Var<'t>, Self::State<'t>) {
                let ($a, $($b),+) = state;
                let (x, $a) = self.0.step(x, $a);
                $(let (x, $b) = self.$index.step(self.$index.prepare(x), $b);)+
                (x, ($a, $($b),+))
            }
        }
    };
}
tuple!(A a; B b 1);
tuple!(A a; B b 1, C c 2);
tuple!(A a; B b 1, C c 2, D d 3);

/// A [`Cell`] that runs over every sequence of a batch: yₜ, sₜ = cell(xₜ, sₜ₋₁). Keras calls it `RNN`.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, time, …]`, or `[time, batch, …]` with [`time_first`](Recurrent::time_first), or `[time, …]`: one sequence |
/// | `lengths` | `[batch]` i64, each from 1 to time |
/// | state | as the cell has it |
/// | y | as x with the outputs of the cell; with [`last_only`](Recurrent::last_only) `[batch, …]` |
///
/// With lengths, the outputs behind the end of a sequence are zeros, the last state is the one at its end, and what x holds
/// there has no effect: what PyTorch's `pack_padded_sequence` does.
///
/// The step is recorded and planned once, however long the sequences are; [`Cell::prepare`] runs for all steps at once. A
/// long sequence is trained in pieces by giving `stop_gradient` of the last state of one piece to the next (truncated
/// backpropagation through time). Its parameters are `cell.…`.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{layers::{gru::GruCell, recurrent::Recurrent}, module::Module};
/// use wengert_tensor::{random::Seed, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let layer = Recurrent::new(GruCell::new(2, 4)).init(Seed(1))?;
/// let tape = Tape::new();
/// let x = tape.input(&Tensor::from_fn([3, 5, 2], |i| i as f32 / 10.0)?);
/// let (y, h) = layer.run_with_lengths(x, &Tensor::from([5i64, 2, 3]), None);
/// let [y, h] = tape.eval([y.slice(0, 1..2).slice(1, 1..3), h.slice(0, 1..2)])?;
/// assert_eq!(y.to_vec::<f32>()?[..4], h.to_vec::<f32>()?);
/// assert_eq!(y.to_vec::<f32>()?[4..], [0.0; 4]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct Recurrent<C> {
    /// What runs in each step.
    pub cell: C,
    reversed: bool,
    last_only: bool,
    time_first: bool,
}

impl<C: Cell> Recurrent<C> {
    /// Runs this cell from the first step to the last.
    pub fn new(cell: C) -> Recurrent<C> {
        Recurrent { cell, reversed: false, last_only: false, time_first: false }
    }

    /// From the end of each sequence to its start. The outputs stand at the places of their inputs. (Keras's
    /// `go_backwards` gives them in the order in which they were made.)
    #[must_use]
    pub fn reversed(self) -> Recurrent<C> {
        Recurrent { reversed: true, ..self }
    }

    /// `forward` gives the output of the last step that runs, and not those of all: Keras's `return_sequences=False`.
    #[must_use]
    pub fn last_only(self) -> Recurrent<C> {
        Recurrent { last_only: true, ..self }
    }

    /// Inputs and outputs are `[time, batch, …]`: PyTorch's default.
    #[must_use]
    pub fn time_first(self) -> Recurrent<C> {
        Recurrent { time_first: true, ..self }
    }

    /// All outputs and the last state, from this state on; `None` starts as the cell says.
    #[track_caller]
    pub fn run<'t>(&self, x: Var<'t>, state: impl Into<Option<C::State<'t>>>) -> (Var<'t>, C::State<'t>) {
        self.over(x, None, state.into(), false)
    }

    /// [`run`](Recurrent::run) over sequences of these lengths, `[batch]` i64, each from 1 to the number of steps.
    #[track_caller]
    pub fn run_with_lengths<'t>(
        &self,
        x: Var<'t>,
        lengths: impl Operand<'t>,
        state: impl Into<Option<C::State<'t>>>,
    ) -> (Var<'t>, C::State<'t>) {
        self.over(x, Some(lengths_beside(x, lengths)), state.into(), false)
    }

    #[track_caller]
    fn over<'t>(
        &self,
        x: Var<'t>,
        lengths: Option<Var<'t>>,
        state: Option<C::State<'t>>,
        last_only: bool,
    ) -> (Var<'t>, C::State<'t>) {
        let (tape, here) = (x.tape(), Location::caller());
        let _scope = self.scope(tape);
        let sequences = match Sequences::of("Recurrent", x, lengths, C::AXES, self.time_first) {
            Ok(sequences) => sequences,
            Err(poison) => return (poison, self.cell.begin(poison)),
        };
        let state = state.map(|state| sequences.batched(&state));
        let (y, last) = sequences.scan(&self.cell, sequences.x, state, self.reversed);
        let last = sequences.unbatched(&last);
        let y = if last_only { sequences.last(y, self.reversed) } else { sequences.given_back(y) };
        // The lines of a loop's step are of this library, unless the cell is another's.
        tape.amend(|error| blame(error, here));
        (y, last)
    }
}

impl<C: Cell> Layer for Recurrent<C> {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.over(x, None, None, self.last_only).0
    }
}

/// Sequences in the order of time, and what their layout was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sequences<'t> {
    /// `[time, batch, …]`, zeros behind the ends.
    pub(super) x: Var<'t>,
    /// What was given.
    pub(super) given: Var<'t>,
    /// Which steps belong to their sequence: bool, `[time, batch]`.
    real: Option<Var<'t>>,
    /// There was no axis of sequences.
    pub(super) single: bool,
    time_first: bool,
}

impl<'t> Sequences<'t> {
    /// The sequences of `x`, each of whose inputs has so many axes; otherwise the tape has failed.
    #[track_caller]
    pub(super) fn of(
        layer: &'static str,
        given: Var<'t>,
        lengths: Option<Var<'t>>,
        axes: usize,
        time_first: bool,
    ) -> Result<Sequences<'t>, Var<'t>> {
        let (tape, rank) = (given.tape(), given.rank());
        let single = rank == axes + 1;
        if tape.error().is_none() && !single && rank != axes + 2 {
            let order = if time_first { "[time, batch, …]" } else { "[batch, time, …]" };
            let error =
                format!("takes {order} with {} axes, or [time, …] with {}, not {}", axes + 2, axes + 1, given.shape());
            return Err(tape.reject(layer, &[("input", given)], Error::shape(error)));
        }
        let x = match (single, time_first) {
            (true, _) => given.unsqueeze(1),
            (false, true) => given,
            (false, false) => given.moved_axis(0, 1),
        };
        let (time, batch) = extents(&x.shape());
        if tape.error().is_none() && time == 0 {
            let error = Error::shape("a sequence without a step").help("every sequence has at least one");
            return Err(tape.reject(layer, &[("input", given)], error));
        }
        let Some(lengths) = lengths else { return Ok(Sequences { x, given, real: None, single, time_first }) };
        let wanted: &[usize] = if single { &[] } else { &[batch] };
        let meta = lengths.meta();
        if tape.error().is_none() && (meta.dtype != DType::I64 || meta.shape.dims() != wanted) {
            let wanted = Shape::new(wanted).unwrap_or_default();
            let error = Error::shape(format!("takes lengths {wanted} i64, not {meta}"));
            let error =
                error.help("a length is the number of steps of a sequence, from 1 to the size of the axis of time");
            return Err(tape.reject(layer, &[("input", given), ("lengths", lengths)], error));
        }
        // The last step of each sequence, which is there.
        let last = (lengths - 1).check_index(time, "length - 1 =").reshape([1, batch]);
        let real = tape.iota([time, batch], 0, DType::I64).le(last);
        // What lies behind an end may be anything, and must not reach a gradient.
        let x = x.select(beside(real, x.rank()), 0.0);
        match tape.error() {
            None => Ok(Sequences { x, given, real: Some(real), single, time_first }),
            Some(_) => Err(x),
        }
    }

    /// Runs a cell over `x`, `[time, batch, …]`: its outputs and its last state.
    #[track_caller]
    pub(super) fn scan<C: Cell>(
        &self,
        cell: &C,
        x: Var<'t>,
        state: Option<C::State<'t>>,
        reversed: bool,
    ) -> (Var<'t>, C::State<'t>) {
        self.scan_by(cell, x, state, reversed, |x, state| cell.step(x, state))
    }

    /// [`scan`](Sequences::scan) with a step of the caller's.
    #[track_caller]
    pub(super) fn scan_by<C: Cell>(
        &self,
        cell: &C,
        x: Var<'t>,
        state: Option<C::State<'t>>,
        reversed: bool,
        step: impl FnOnce(Var<'t>, C::State<'t>) -> (Var<'t>, C::State<'t>),
    ) -> (Var<'t>, C::State<'t>) {
        let tape = x.tape();
        let prepared = merged(cell.type_name(), x, |x| cell.prepare(x));
        let state = match state {
            Some(state) => state,
            None => cell.begin(prepared.at(0, 0)),
        };
        let turns = if reversed { Loop::new().reverse() } else { Loop::new() };
        let step = |state, x| {
            let (y, next) = step(x, state);
            (next, y)
        };
        let (last, y) = match self.real {
            None => turns.call(tape, state, prepared, step),
            Some(real) => turns.call(tape, state, (prepared, real), |state: C::State<'t>, (x, real)| {
                let old = state.list();
                let (next, y) = step(state, x);
                let mut old = old.into_iter();
                // A sequence that has ended keeps its state; one that has not begun, from the end, keeps the first.
                let next = next.map(|next| match old.next() {
                    Some(old) => next.select(beside(real, next.rank()), old),
                    None => next,
                });
                (next, y.select(beside(real, y.rank()), 0.0))
            }),
        };
        (y, last)
    }

    /// A state with the axis of sequences, for one sequence, too.
    #[track_caller]
    pub(super) fn batched<V: Vars<'t>>(&self, state: &V) -> V::Of<Var<'t>> {
        state.map(|var| if self.single { var.unsqueeze(0) } else { var })
    }

    /// A state as the caller has it.
    #[track_caller]
    pub(super) fn unbatched<V: Vars<'t>>(&self, state: &V) -> V::Of<Var<'t>> {
        state.map(|var| if self.single { var.squeeze(0) } else { var })
    }

    /// Outputs in the layout in which the inputs came.
    #[track_caller]
    pub(super) fn given_back(&self, y: Var<'t>) -> Var<'t> {
        match (self.single, self.time_first) {
            (true, _) => y.squeeze(1),
            (false, true) => y,
            (false, false) => y.moved_axis(0, 1),
        }
    }

    /// The outputs of the last step that ran.
    #[track_caller]
    pub(super) fn last(&self, y: Var<'t>, reversed: bool) -> Var<'t> {
        let steps = y.shape().first().copied().unwrap_or(0);
        let last = y.at(0, if reversed { 0 } else { steps.saturating_sub(1) });
        if self.single { last.squeeze(0) } else { last }
    }
}

/// `function` of the first two axes as one, which are two again in the result.
#[track_caller]
pub(super) fn merged<'t>(layer: &'static str, x: Var<'t>, function: impl FnOnce(Var<'t>) -> Var<'t>) -> Var<'t> {
    let tape = x.tape();
    let shape = x.shape();
    let (first, second) = extents(&shape);
    let count = first.saturating_mul(second);
    let y = function(x.reshape([&[count], shape.get(2..).unwrap_or_default()].concat()));
    let shape = y.shape();
    if tape.error().is_none() && shape.first() != Some(&count) {
        let error = Error::shape(format!("{count} inputs became {shape}"));
        return tape.reject(layer, &[("result", y)], error.help("the first axis counts the inputs and stays"));
    }
    y.reshape([&[first, second], shape.get(1..).unwrap_or_default()].concat())
}

/// The lengths that were given beside `x`.
#[track_caller]
pub(super) fn lengths_beside<'t>(x: Var<'t>, lengths: impl Operand<'t>) -> Var<'t> {
    lengths.into_var(x.tape(), Like::of(x).with_dtype(DType::I64).single())
}

/// The sizes of the first two axes.
fn extents(shape: &Shape) -> (usize, usize) {
    (shape.first().copied().unwrap_or(0), shape.get(1).copied().unwrap_or(0))
}

/// A mask with ones behind its axes, to stand beside a value with so many axes.
#[track_caller]
fn beside(mask: Var<'_>, rank: usize) -> Var<'_> {
    (mask.rank()..rank).fold(mask, |mask, _| mask.unsqueeze(-1))
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    use super::gru::GruCell;
    use super::lstm::LstmCell;
    use super::rnn::RnnCell;

    fn case<C: Cell + 'static>(
        name: &'static str,
        layer: Recurrent<C>,
        output: &[usize],
        names: &'static [&'static str],
    ) -> Case {
        Case::new("recurrent", name, layer, [&[2, 4, 3], output], names)
    }
    let weights: &[&str] = &["cell.weight_ih", "cell.weight_hh", "cell.bias_ih", "cell.bias_hh"];
    let two: &[&str] = &[
        "cell.0.weight_ih",
        "cell.0.weight_hh",
        "cell.0.bias_ih",
        "cell.0.bias_hh",
        "cell.1.weight_ih",
        "cell.1.weight_hh",
    ];
    let cells = (LstmCell::new(3, 2), RnnCell::new(2, 3).without_bias());
    fn lengths<'t>(layer: &Recurrent<GruCell>, x: Var<'t>) -> Var<'t> {
        layer.run_with_lengths(x, Tensor::from([2i64, 4]), None).0
    }
    vec![
        case("forward", Recurrent::new(GruCell::new(3, 2)), &[2, 4, 2], weights),
        case("reversed", Recurrent::new(GruCell::new(3, 2)).reversed(), &[2, 4, 2], weights),
        case("last_only", Recurrent::new(GruCell::new(3, 2)).last_only(), &[2, 2], weights),
        case("last_reversed", Recurrent::new(GruCell::new(3, 2)).reversed().last_only(), &[2, 2], weights),
        case("stacked_cells", Recurrent::new(cells), &[2, 4, 3], two),
        Case::new(
            "recurrent",
            "lengths",
            Applied::new(Recurrent::new(GruCell::new(3, 2)).reversed(), lengths),
            [&[2, 4, 3], &[2, 4, 2]],
            weights,
        ),
    ]
}
