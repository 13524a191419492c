//! What PyTorch's three recurrent layers have in common: their weights, and layers and directions of them.

use std::panic::Location;

use wengert_autograd::{Operand, Tape, Var, Vars};
use wengert_tensor::error::Error;
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

use super::recurrent::{Cell, Sequences, lengths_beside};
use crate::explain::blame;
use crate::init::Init;
use crate::layer::Layer;
use crate::module::{Module, Visit, VisitMut, each};
use crate::names::interned;
use crate::param::Param;

/// The weights of one cell, for so many gates that stand one behind another along the first axis.
///
/// | | shape |
/// |---|---|
/// | `weight_ih` | `[gates · hidden, inputs]` |
/// | `weight_hh` | `[gates · hidden, outputs]` |
/// | `bias_ih`, `bias_hh` | `[gates · hidden]` |
/// | `weight_hr` | `[outputs, hidden]`, where the outputs are a projection |
///
/// In a [`Stacked`] layer their names end in `_l0`, `_l0_reverse`, `_l1`, … as PyTorch's do.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Of the input.
    pub weight_ih: Param,
    /// Of the state.
    pub weight_hh: Param,
    /// Added to the product with the input.
    pub bias_ih: Option<Param>,
    /// Added to the product with the state.
    pub bias_hh: Option<Param>,
    /// Of the projection.
    pub weight_hr: Option<Param>,
    inputs: usize,
    settings: Settings,
    names: [&'static str; 5],
}

/// What the weights of a cell were asked to be, but for its inputs.
#[derive(Clone, Debug)]
struct Settings {
    layer: &'static str,
    at: &'static Location<'static>,
    fault: Option<Error>,
    gates: usize,
    hidden: usize,
    projection: Option<usize>,
    bias: bool,
    inits: [Option<Init>; 3],
    forget: Option<f64>,
}

impl Weights {
    #[track_caller]
    pub(super) fn new(layer: &'static str, gates: usize, inputs: usize, hidden: usize) -> Weights {
        let at = Location::caller();
        let (projection, inits) = (None, [None, None, None]);
        let settings = Settings { layer, at, fault: None, gates, hidden, projection, bias: true, inits, forget: None };
        Weights::made(settings, inputs, "")
    }

    fn made(settings: Settings, inputs: usize, suffix: &str) -> Weights {
        let &Settings { layer, at, gates, hidden, projection, bias, .. } = &settings;
        let outputs = projection.unwrap_or(hidden);
        let bound = 1.0 / (hidden.max(1) as f64).sqrt();
        let usual = || Init::Uniform { low: -bound, high: bound };
        let [ih, hh, offset] = settings.inits.clone().map(|init| init.unwrap_or_else(usual));
        let rows = gates.saturating_mul(hidden);
        let fault = settings.fault.clone().or_else(|| {
            let error = match (inputs.min(hidden), projection) {
                (0, _) => Error::value(format!("a layer from {inputs} to {hidden} features has no weights"))
                    .help("both numbers are at least 1"),
                (_, Some(size)) if size == 0 || size >= hidden => {
                    Error::value(format!("a projection of {hidden} features to {size}"))
                        .help("a projection has at least 1 feature, and fewer than the layer")
                }
                _ => return None,
            };
            Some(error.op(layer).at(at))
        });
        let weight_ih = match fault {
            Some(error) => Param::faulty(error),
            None => Param::draw([rows, inputs], ih),
        };
        let biases = match settings.forget {
            None => [offset.clone(), offset],
            Some(value) => [Init::Zeros, forgetting(hidden, value)],
        };
        let [bias_ih, bias_hh] = biases.map(|init| bias.then(|| Param::draw([rows], init)));
        let names = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"];
        Weights {
            weight_ih,
            weight_hh: Param::draw([rows, outputs], hh.clone()),
            bias_ih,
            bias_hh,
            weight_hr: projection.map(|size| Param::draw([size, hidden], hh)),
            inputs,
            settings,
            names: names.map(|name| interned(format!("{name}{suffix}").into())),
        }
    }

    /// Weights of the same kind for other inputs.
    fn again(&self, inputs: usize, suffix: &str) -> Weights {
        Weights::made(self.settings.clone(), inputs, suffix)
    }

    fn remade(self, change: impl FnOnce(&mut Settings)) -> Weights {
        let mut settings = self.settings;
        change(&mut settings);
        Weights::made(settings, self.inputs, "")
    }

    pub(super) fn without_bias(self) -> Weights {
        self.remade(|settings| settings.bias = false)
    }

    pub(super) fn projection(self, size: usize) -> Weights {
        self.remade(|settings| settings.projection = Some(size))
    }

    pub(super) fn forget_bias(self, value: f64) -> Weights {
        self.remade(|settings| (settings.forget, settings.bias) = (Some(value), true))
    }

    pub(super) fn weight_init(self, init: Init) -> Weights {
        self.remade(|settings| settings.inits[0] = Some(init))
    }

    pub(super) fn recurrent_init(self, init: Init) -> Weights {
        self.remade(|settings| settings.inits[1] = Some(init))
    }

    pub(super) fn bias_init(self, init: Init) -> Weights {
        self.remade(|settings| (settings.forget, settings.inits[2]) = (None, Some(init)))
    }

    /// The number of input features.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The number of features of the state that gates work on.
    pub fn hidden(&self) -> usize {
        self.settings.hidden
    }

    /// The number of output features.
    pub fn outputs(&self) -> usize {
        self.settings.projection.unwrap_or(self.settings.hidden)
    }

    /// x W_ihᵀ + b_ih.
    #[track_caller]
    pub(super) fn of_input<'t>(&self, x: Var<'t>) -> Var<'t> {
        let weight = self.weight_ih.on(x.tape());
        if self.refuses(x) {
            return x.tape().reject(
                self.settings.layer,
                &[("input", x), ("weight_ih", weight)],
                self.other_features(x),
            );
        }
        let y = x.matmul(weight.t());
        match &self.bias_ih {
            Some(bias) => y + bias,
            None => y,
        }
    }

    /// x W_ihᵀ + b_ih + b_hh, for gates that only add both products.
    #[track_caller]
    pub(super) fn of_input_and_biases<'t>(&self, x: Var<'t>) -> Var<'t> {
        let y = self.of_input(x);
        self.bias_hh.iter().fold(y, |y, bias| y + bias)
    }

    /// Whether the last axis of `x` is not the input features.
    fn refuses(&self, x: Var<'_>) -> bool {
        x.tape().error().is_none() && x.shape().last() != Some(&self.inputs)
    }

    fn other_features(&self, x: Var<'_>) -> Error {
        let &Settings { layer, hidden, .. } = &self.settings;
        match x.shape().last() {
            Some(features) => Error::shape(format!("takes {} inputs, not {features}", self.inputs))
                .help(format!("{layer}::new({features}, {hidden}) would take this one")),
            None => Error::shape("takes an axis of features, and the input is a scalar"),
        }
    }

    /// Zeros as the state before prepared inputs like `x`, with so many features.
    #[track_caller]
    pub(super) fn zeros<'t>(&self, x: Var<'t>, features: usize) -> Var<'t> {
        x.tape().full(with_last(&x.shape(), features), 0.0, x.dtype())
    }

    /// That a state stands beside prepared inputs like `x`; otherwise the tape has failed.
    #[track_caller]
    pub(super) fn fits<'t>(&self, what: &'static str, x: Var<'t>, state: Var<'t>, features: usize) -> Var<'t> {
        let (tape, wanted) = (x.tape(), with_last(&x.shape(), features));
        if tape.error().is_none() && state.shape().dims() != wanted {
            let wanted = Shape::new(&*wanted).unwrap_or_default();
            let error = Error::shape(format!("takes a state {what} of {wanted}, not {}", state.shape()));
            return tape.reject(self.settings.layer, &[("input", x), (what, state)], error);
        }
        state
    }
}

/// The parameters under the names of this cell.
impl Module for Weights {
    fn type_name(&self) -> &'static str {
        "Weights"
    }
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
        let [ih, hh, bias_ih, bias_hh, hr] = self.names;
        at.field(ih, &self.weight_ih);
        at.field(hh, &self.weight_hh);
        at.field(bias_ih, &self.bias_ih);
        at.field(bias_hh, &self.bias_hh);
        at.field(hr, &self.weight_hr);
    }
    fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
        let [ih, hh, bias_ih, bias_hh, hr] = self.names;
        at.field(ih, &mut self.weight_ih);
        at.field(hh, &mut self.weight_hh);
        at.field(bias_ih, &mut self.bias_ih);
        at.field(bias_hh, &mut self.bias_hh);
        at.field(hr, &mut self.weight_hr);
    }
}

/// The i-th of the gates, which stand one behind another on the last axis.
#[track_caller]
pub(super) fn gate(gates: Var<'_>, i: usize, size: usize) -> Var<'_> {
    gates.slice(-1, size.saturating_mul(i)..size.saturating_mul(i + 1))
}

/// Zeros, but for the second gate.
pub(super) fn forgetting(hidden: usize, value: f64) -> Init {
    Init::custom(move |_, shape, dtype| {
        if !value.is_finite() {
            return Err(Error::value(format!("a forget bias of {value}")).help("1 is the usual one"));
        }
        Tensor::from_fn(shape, |i| if i / hidden.max(1) == 1 { value } else { 0.0 })?.cast(dtype)
    })
}

fn with_last(shape: &Shape, size: usize) -> Vec<usize> {
    let mut dims = shape.to_vec();
    if let Some(last) = dims.last_mut() {
        *last = size;
    }
    dims
}

/// A cell that [`Stacked`] makes for every layer and direction: those of this library.
pub trait Repeated: Cell + Clone {
    /// The name of the layer that is made of it: `Lstm`.
    const LAYER: &'static str;

    /// A cell with the default settings.
    #[track_caller]
    fn made(inputs: usize, hidden: usize) -> Self;

    /// [`Cell::step`] whose product with `weight_hh` sees `seen(h)` in place of h.
    #[track_caller]
    fn step_seeing<'t>(
        &self,
        x: Var<'t>,
        state: Self::State<'t>,
        seen: impl FnOnce(Var<'t>) -> Var<'t>,
    ) -> (Var<'t>, Self::State<'t>);

    /// Its weights.
    fn weights(&self) -> &Weights;

    /// Its weights, to be replaced.
    fn weights_mut(&mut self) -> &mut Weights;
}

/// The settings of weights, for whatever has a `reweighed`.
macro_rules! weight_settings {
    ([$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> $type {
            /// Without `bias_ih` and `bias_hh`. As all settings of weights, it draws them anew.
            #[must_use]
            pub fn without_bias(self) -> $type {
                self.reweighed(|weights| weights.without_bias())
            }

            /// Draws the weights of inputs from another distribution. By default all weights and biases are uniform on
            /// ±1/√hidden, as PyTorch's.
            #[must_use]
            pub fn weight_init(self, init: $crate::init::Init) -> $type {
                self.reweighed(|weights| weights.weight_init(init))
            }

            /// Draws the weights of states from another distribution.
            #[must_use]
            pub fn recurrent_init(self, init: $crate::init::Init) -> $type {
                self.reweighed(|weights| weights.recurrent_init(init))
            }

            /// Draws all biases from another distribution.
            #[must_use]
            pub fn bias_init(self, init: $crate::init::Init) -> $type {
                self.reweighed(|weights| weights.bias_init(init))
            }
        }
    };
}
pub(super) use weight_settings;

/// What all cells have: the settings of their weights, and these as their parameters.
macro_rules! settings {
    ($cell:ident) => {
        $crate::layers::stacked::weight_settings!([] $cell);

        impl $cell {
            fn reweighed(mut self, change: impl FnOnce(Weights) -> Weights) -> $cell {
                self.weights = change(self.weights);
                self
            }
        }

        /// The parameters are those of its weights.
        impl $crate::module::Module for $cell {
            fn type_name(&self) -> &'static str {
                stringify!($cell)
            }
            fn visit<'a>(&'a self, at: &mut $crate::module::Visit<'a, '_>) {
                self.weights.visit(at);
            }
            fn visit_mut(&mut self, at: &mut $crate::module::VisitMut<'_>) {
                self.weights.visit_mut(at);
            }
        }
    };
}
pub(super) use settings;

/// No network has more layers than this.
const MOST_LAYERS: usize = 1024;

/// Layers of recurrent cells one above another, each in one or both directions, with PyTorch's names and shapes. See
/// [`Rnn`](super::rnn::Rnn), [`Lstm`](super::lstm::Lstm) and [`Gru`](super::gru::Gru).
///
/// | | shape |
/// |---|---|
/// | x | `[batch, time, inputs]`; `[time, batch, inputs]` with [`time_first`](Stacked::time_first); `[time, inputs]`: one sequence |
/// | `lengths` | `[batch]` i64, each from 1 to time; `[]` for one sequence |
/// | state | each part `[layers · directions, batch, size]`, without `batch` for one sequence |
/// | y | as x, with directions · outputs features; `[batch, directions · outputs]` with [`last_only`](Stacked::last_only) |
///
/// The first axis is the batch, as in Keras and everywhere in this library; PyTorch has it so with `batch_first=True`, and
/// has the axis of time first otherwise.
///
/// The step of each layer and direction is recorded and planned once, however long the sequences are, and the product of
/// the inputs with their weights is one for all steps.
///
/// To stack other cells, or several kinds, see [`Recurrent`](super::recurrent::Recurrent).
#[derive(Clone, Debug)]
pub struct Stacked<C> {
    /// By layer, and in a layer by direction.
    cells: Vec<C>,
    layers: usize,
    bidirectional: bool,
    dropout: f64,
    recurrent_dropout: f64,
    last_only: bool,
    time_first: bool,
}

impl<C: Repeated> Stacked<C> {
    /// One layer in one direction, from so many input features to so many hidden ones. Zero of either is reported by the
    /// first use.
    #[track_caller]
    pub fn new(inputs: usize, hidden: usize) -> Stacked<C> {
        let mut cell = C::made(inputs, hidden);
        let weights = cell.weights_mut();
        weights.settings.layer = C::LAYER;
        let cells = vec![cell];
        let layer = Stacked {
            cells,
            layers: 1,
            bidirectional: false,
            dropout: 0.0,
            recurrent_dropout: 0.0,
            last_only: false,
            time_first: false,
        };
        layer.remade(|cell| cell)
    }

    /// So many layers one above another. As every setting of the cells, it draws the weights anew.
    #[must_use]
    pub fn layers(self, layers: usize) -> Stacked<C> {
        Stacked { layers, ..self }.remade(|cell| cell)
    }

    /// Each layer has a second cell that runs from the end to the start, and gives the features of both.
    #[must_use]
    pub fn bidirectional(self) -> Stacked<C> {
        Stacked { bidirectional: true, ..self }.remade(|cell| cell)
    }

    /// Silences each output of a layer that another layer reads with this probability, in training.
    #[must_use]
    pub fn dropout(self, probability: f64) -> Stacked<C> {
        Stacked { dropout: probability, ..self }
    }

    /// Silences each feature of a state, where it is multiplied by `weight_hh`, with this probability, in training: the same
    /// features at every step of a sequence. Keras's `recurrent_dropout`; Gal & Ghahramani 2016.
    #[must_use]
    pub fn recurrent_dropout(self, probability: f64) -> Stacked<C> {
        Stacked { recurrent_dropout: probability, ..self }
    }

    /// `forward` gives the output of the last step of each direction, and not those of all: Keras's
    /// `return_sequences=False`.
    #[must_use]
    pub fn last_only(self) -> Stacked<C> {
        Stacked { last_only: true, ..self }
    }

    /// Inputs and outputs are `[time, batch, …]`: PyTorch's default.
    #[must_use]
    pub fn time_first(self) -> Stacked<C> {
        Stacked { time_first: true, ..self }
    }

    /// The cells, by layer, and in a layer by direction.
    pub fn cells(&self) -> &[C] {
        &self.cells
    }

    /// The number of input features.
    pub fn inputs(&self) -> usize {
        self.cells.first().map_or(0, |cell| cell.weights().inputs())
    }

    /// The number of output features: of both directions, where there are two.
    pub fn outputs(&self) -> usize {
        self.cells.first().map_or(0, |cell| cell.weights().outputs()).saturating_mul(self.directions())
    }

    fn directions(&self) -> usize {
        if self.bidirectional { 2 } else { 1 }
    }

    fn reweighed(self, change: impl FnOnce(Weights) -> Weights) -> Stacked<C> {
        self.remade(|mut cell| {
            let weights = change(cell.weights().clone());
            *cell.weights_mut() = weights;
            cell
        })
    }

    /// Makes all cells like the first one, changed.
    pub(super) fn remade(mut self, change: impl FnOnce(C) -> C) -> Stacked<C> {
        let Some(first) = self.cells.first().cloned() else { return self };
        let mut first = change(first);
        let weights = first.weights_mut();
        let Settings { layer, at, .. } = weights.settings;
        weights.settings.fault = (!(1..=MOST_LAYERS).contains(&self.layers)).then(|| {
            let error = Error::value(format!("{} layers", self.layers)).op(layer).at(at);
            error.help(format!("at least 1 and at most {MOST_LAYERS}"))
        });
        let (inputs, between) = (weights.inputs(), weights.outputs().saturating_mul(self.directions()));
        let layers = if weights.settings.fault.is_some() { 1 } else { self.layers };
        self.cells.clear();
        for layer in 0..layers {
            for direction in ["", "_reverse"].iter().take(self.directions()) {
                let mut cell = first.clone();
                let inputs = if layer == 0 { inputs } else { between };
                *cell.weights_mut() = first.weights().again(inputs, &format!("_l{layer}{direction}"));
                self.cells.push(cell);
            }
        }
        self
    }

    /// The outputs of the last layer, and the last states of all, from these states on; `None` starts from zeros.
    #[track_caller]
    pub fn run<'t>(&self, x: Var<'t>, state: impl Into<Option<C::State<'t>>>) -> (Var<'t>, C::State<'t>) {
        self.over(x, None, state.into(), false)
    }

    /// [`run`](Stacked::run) over sequences of these lengths, `[batch]` i64, each from 1 to the number of steps. Outputs
    /// behind the end of a sequence are zeros, and its last state is the one at its end: what PyTorch gives for
    /// `pack_padded_sequence`. What x holds there has no effect.
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
        each(self, &mut |_, param| {
            if let Err(error) = param.check() {
                tape.fail(error);
            }
        });
        if let Some(first) = self.cells.first().filter(|cell| cell.weights().refuses(x)) {
            tape.reject(C::LAYER, &[("input", x)], first.weights().other_features(x));
        }
        for (p, what) in [(self.dropout, "an output of a layer"), (self.recurrent_dropout, "a feature of a state")] {
            if !(0.0..1.0).contains(&p) && tape.error().is_none() {
                let error = Error::value(format!("a probability of {p} to silence {what}"));
                tape.reject(C::LAYER, &[("input", x)], error.help("it is at least 0 and below 1"));
            }
        }
        let found = Sequences::of(C::LAYER, x, lengths, C::AXES, self.time_first).map(|sequences| {
            // A single number is no state, and is refused as one.
            let axis = |var: Var<'t>| if sequences.single && var.rank() > 0 { var.unsqueeze(1) } else { var };
            (sequences, state.map(|state| state.map(axis)))
        });
        let given = match found {
            Ok((sequences, state)) => self.walk(sequences, state, last_only),
            Err(_) => None,
        };
        // The lines of a loop's step are of this library.
        tape.amend(|error| blame(error, here));
        given.unwrap_or_else(|| {
            let poison = tape.reject(C::LAYER, &[("input", x)], Error::state("a layer without cells"));
            (poison, self.nothing(poison))
        })
    }

    /// All layers over these sequences; `None` on a tape that has failed.
    #[track_caller]
    fn walk<'t>(
        &self,
        sequences: Sequences<'t>,
        state: Option<C::State<'t>>,
        last_only: bool,
    ) -> Option<(Var<'t>, C::State<'t>)> {
        let (tape, mut x) = (sequences.x.tape(), sequences.x);
        let mut lasts: Vec<C::State<'t>> = Vec::with_capacity(self.cells.len());
        let mut ends = Vec::new();
        for (layer, cells) in self.cells.chunks(self.directions()).enumerate() {
            if layer > 0 {
                x = x.dropout(self.dropout);
            }
            let mut outputs = Vec::with_capacity(cells.len());
            for (cell, reversed) in cells.iter().zip([false, true]) {
                let state = match &state {
                    Some(state) => Some(self.part(cell, sequences, x, state, lasts.len())?),
                    None => None,
                };
                // Drawn outside of the loop, so that it is the same at every step.
                let mask = (self.recurrent_dropout > 0.0 && tape.is_training()).then(|| {
                    let batch = x.shape().get(1).copied().unwrap_or(0);
                    let ones = tape.full([batch, cell.weights().outputs()], 1.0, x.dtype());
                    ones.dropout(self.recurrent_dropout)
                });
                let (y, last) = sequences.scan_by(cell, x, state, reversed, |x, state| match mask {
                    Some(mask) => cell.step_seeing(x, state, |h| h * mask),
                    None => cell.step(x, state),
                });
                outputs.push(y);
                lasts.push(last);
            }
            if tape.error().is_some() {
                return None;
            }
            ends = outputs.iter().zip([false, true]).map(|(y, reversed)| sequences.last(*y, reversed)).collect();
            x = side_by_side(tape, &outputs);
        }
        let y = if last_only { side_by_side(tape, &ends) } else { sequences.given_back(x) };
        let lists: Vec<_> = lasts.iter().map(Vars::list).collect();
        let mut parts = 0..;
        let last = lasts.first()?.map(|_| {
            let part = parts.next().unwrap_or(0);
            let all: Vec<Var<'t>> = lists.iter().filter_map(|list| list.get(part).copied()).collect();
            let all = tape.stack(&all, 0);
            if sequences.single { all.squeeze(1) } else { all }
        });
        Some((y, last))
    }

    /// The state of the cell at a place; `None` where the states have other shapes, and then the tape has failed.
    #[track_caller]
    fn part<'t>(
        &self,
        cell: &C,
        sequences: Sequences<'t>,
        x: Var<'t>,
        state: &C::State<'t>,
        place: usize,
    ) -> Option<C::State<'t>> {
        let tape = x.tape();
        let wanted = cell.begin(cell.prepare(x.at(0, 0))).list();
        let mut wanted = wanted.into_iter();
        let mut names = ["h", "c"].into_iter();
        let part = state.map(|var| {
            let wanted = wanted.next().map(Var::meta);
            let name = names.next().unwrap_or("state");
            let shape = wanted.and_then(|meta| Some((meta.shape.insert(0, self.cells.len()).ok()?, meta.dtype)));
            match shape {
                Some((shape, dtype)) if tape.error().is_none() && (var.shape() != shape || var.dtype() != dtype) => {
                    let told = |shape: Shape| if sequences.single { shape.without(&[1]) } else { shape };
                    let given = if var.rank() > 1 { told(var.shape()) } else { var.shape() };
                    let error = format!("takes a state {name} of {} {dtype}, not {given} {}", told(shape), var.dtype());
                    let error =
                        Error::shape(error).help("[layers · directions, batch, features]; no batch for one sequence");
                    tape.reject(C::LAYER, &[("input", sequences.given), (name, var)], error)
                }
                _ => var.at(0, place),
            }
        });
        tape.error().is_none().then_some(part)
    }

    /// What stands for states on a tape that has failed.
    #[track_caller]
    fn nothing<'t>(&self, poison: Var<'t>) -> C::State<'t> {
        match self.cells.first() {
            Some(cell) => cell.begin(poison),
            None => C::made(1, 1).begin(poison),
        }
    }
}

weight_settings!([C: Repeated] Stacked<C>);

/// The features of both directions.
#[track_caller]
fn side_by_side<'t>(tape: &'t Tape, parts: &[Var<'t>]) -> Var<'t> {
    match parts {
        [one] => *one,
        _ => tape.concat(parts, -1),
    }
}

impl<C: Repeated> Module for Stacked<C> {
    fn type_name(&self) -> &'static str {
        C::LAYER
    }
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
        self.cells.iter().for_each(|cell| cell.visit(at));
    }
    fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
        self.cells.iter_mut().for_each(|cell| cell.visit_mut(at));
    }
}

impl<C: Repeated> Layer for Stacked<C> {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.over(x, None, None, self.last_only).0
    }
}

/// The names that the cases of the three layers expect.
pub(super) mod names {
    macro_rules! names {
        ($($list:ident: $($suffix:literal)+, $($part:ident)+;)+) => {$(
            pub(in crate::layers) const $list: &[&str] = names!(@list [] $($suffix)+; [$($part)+]);
        )+};
        (@list [$($name:expr),*] ; $parts:tt) => { &[$($name),*] };
        (@list [$($name:expr),*] $suffix:literal $($rest:literal)*; [$($part:ident)+]) => {
            names!(@list [$($name,)* $(concat!(stringify!($part), $suffix)),+] $($rest)*; [$($part)+])
        };
    }
    names! {
        ONE: "_l0", weight_ih weight_hh bias_ih bias_hh;
        BARE: "_l0", weight_ih weight_hh;
        PROJECTED: "_l0", weight_ih weight_hh bias_ih bias_hh weight_hr;
        DEEP: "_l0" "_l1", weight_ih weight_hh bias_ih bias_hh;
        BOTH: "_l0" "_l0_reverse", weight_ih weight_hh bias_ih bias_hh;
        BOTH_PROJECTED: "_l0" "_l0_reverse", weight_ih weight_hh bias_ih bias_hh weight_hr;
        DEEP_BOTH: "_l0" "_l0_reverse" "_l1" "_l1_reverse", weight_ih weight_hh bias_ih bias_hh;
        DEEP_BOTH_BARE: "_l0" "_l0_reverse" "_l1" "_l1_reverse", weight_ih weight_hh;
        DEEP_BOTH_PROJECTED: "_l0" "_l0_reverse" "_l1" "_l1_reverse", weight_ih weight_hh bias_ih bias_hh weight_hr;
    }
}
