//! Loops and choices that are part of the graph: recorded once, planned once, however often they run.

use crate::body::{Body, Input, Traced, trace, trace_with};
use crate::graph::{Tape, Var};
use crate::meta::Meta;
use crate::ops::cond::Fork;
use crate::ops::scan::Frame;
use crate::ops::while_loop::Turn;
use crate::vars::Vars;
use smallvec::SmallVec;
use std::sync::Arc;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};

/// How a step is repeated: [`Tape::scan`] with choices.
///
/// ```
/// # use wengert_autograd::{Loop, Tape};
/// # use wengert_tensor::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.input(&Tensor::from(2.0f64));
/// // x³² by squaring five times, and its slope.
/// let (y, ()) = Loop::new().length(5).call(&tape, x, (), |y, ()| (y * y, ()));
/// assert_eq!(y.item::<f64>()?, 4294967296.0);
/// assert_eq!(tape.grad(y, x).item::<f64>()?, 32.0 * 2147483648.0);
/// # Ok::<(), wengert_tensor::error::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Loop {
    length: Option<usize>,
    reverse: bool,
    segments: Option<usize>,
}

impl Loop {
    /// From the first element of axis 0 to the last.
    pub fn new() -> Loop {
        Loop::default()
    }

    /// How often the step runs; needed where no input says it.
    pub fn length(self, length: usize) -> Loop {
        Loop { length: Some(length), ..self }
    }

    /// From the last element to the first. Results stand at the place of their element.
    pub fn reverse(self) -> Loop {
        Loop { reverse: true, ..self }
    }

    /// Keeps the states at the start of so many segments of equal length for the gradient, which runs each segment again: with √T
    /// segments, memory for 2√T states instead of T, for one more run of the loop.
    pub fn segments(self, segments: usize) -> Loop {
        Loop { segments: Some(segments), ..self }
    }

    /// Records the loop: see [`Tape::scan`].
    #[track_caller]
    pub fn call<'t, C: Vars<'t>, X: Vars<'t>, D: Vars<'t>, Y: Vars<'t>>(
        &self,
        tape: &'t Tape,
        init: C,
        xs: X,
        step: impl FnOnce(C::Of<Var<'t>>, X::Of<Var<'t>>) -> (D, Y),
    ) -> (C::Of<Var<'t>>, Y::Of<Var<'t>>) {
        let call = tape.call("scan");
        let (start, elements) = (init.list(), xs.list());
        let length = match self.length_of(&elements) {
            Ok(length) => length,
            Err((operand, error)) => {
                let operands: SmallVec<[_; 1]> = operand.into_iter().map(|var| ("input", var)).collect();
                tape.reject("scan", &operands, error);
                0
            }
        };
        let (last, series, y) = self.record(tape, &start, &elements, length, |c, x| {
            let (c, y) = call.outside(|| step(refill(tape, &init, c), refill(tape, &xs, x)));
            (c.list().to_vec(), y.list().to_vec(), y)
        });
        (refill(tape, &init, &last), refill(tape, &y, &series))
    }

    /// Repeats a step while a condition on the states holds: see [`Tape::while_loop`]. With a length, no more often than that, and
    /// with derivatives.
    ///
    /// ```
    /// # use wengert_autograd::{Loop, Tape};
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from(3.0f64));
    /// // x, doubled until it is above 100.
    /// let y = Loop::new().length(50).run_while(&tape, x, |y| y.le(100.0), |y| y * 2.0);
    /// assert_eq!(y.item::<f64>()?, 192.0);
    /// assert_eq!(tape.grad(y, x).item::<f64>()?, 64.0);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn run_while<'t, C: Vars<'t>, D: Vars<'t>>(
        &self,
        tape: &'t Tape,
        init: C,
        condition: impl FnOnce(C::Of<Var<'t>>) -> Var<'t>,
        step: impl FnOnce(C::Of<Var<'t>>) -> D,
    ) -> C::Of<Var<'t>> {
        let call = tape.call("while_loop");
        let start = init.list();
        let condition = |c: &[Var<'t>]| call.outside(|| condition(refill(tape, &init, c)));
        let step = |c: &[Var<'t>]| call.outside(|| step(refill(tape, &init, c)).list().to_vec());
        let Some(length) = self.length else {
            let last = unbounded(tape, &start, condition, step);
            return refill(tape, &init, &last);
        };
        let (last, _, ()) = self.record(tape, &start, &[], length, |c, _| {
            let go = condition(c);
            if !is_condition(tape, &go.meta()) {
                return (vec![tape.poison(); c.len()], Vec::new(), ());
            }
            (fork(tape, go, c, |c| (step(c), ()), |c| (c.to_vec(), ())).0, Vec::new(), ())
        });
        refill(tape, &init, &last)
    }

    /// The number of turns.
    fn length_of<'t>(&self, elements: &[Var<'t>]) -> Result<usize, (Option<Var<'t>>, Error)> {
        let mut length = self.length;
        for &x in elements {
            let Some(&found) = x.shape().first() else {
                return Err((Some(x), Error::axis("a scan goes along axis 0, and this is a single number")));
            };
            match length {
                Some(length) if length != found => {
                    return Err((Some(x), Error::shape(format!("{found} elements along axis 0, not {length}"))));
                }
                _ => length = Some(found),
            }
        }
        length.ok_or_else(|| {
            (None, Error::value("no input says how often the step runs").help("say it: Loop::new().length(n)"))
        })
    }

    /// The last states, the results of all runs, and what else the step gave when it was recorded.
    #[track_caller]
    fn record<'t, R>(
        &self,
        tape: &'t Tape,
        start: &[Var<'t>],
        elements: &[Var<'t>],
        length: usize,
        step: impl FnOnce(&[Var<'t>], &[Var<'t>]) -> (Vec<Var<'t>>, Vec<Var<'t>>, R),
    ) -> (Vec<Var<'t>>, Vec<Var<'t>>, R) {
        if let Some(segments) = self.segments {
            if (segments == 0 || !length.is_multiple_of(segments)) && !tape.failed.get() {
                let error = format!("{length} turns are not {segments} segments of equal length");
                tape.reject("scan", &[], Error::value(error).help("segments divide the number of turns"));
            }
            let inner = length.checked_div(segments).unwrap_or_default();
            let whole = Loop { length: Some(segments), reverse: self.reverse, segments: None };
            let part = Loop { length: Some(inner), reverse: self.reverse, segments: None };
            let cut = |x: &Var<'t>| x.reshape([&[segments, inner], x.shape().get(1..).unwrap_or_default()].concat());
            let cut: Vec<Var<'t>> =
                if tape.failed.get() { elements.to_vec() } else { elements.iter().map(cut).collect() };
            let (last, series, more) =
                whole.record_plain(tape, start, &cut, segments, |c, x| part.record_plain(tape, c, x, inner, step));
            let joined = |y: &Var<'t>| y.reshape([&[length], y.shape().get(2..).unwrap_or_default()].concat());
            let joined = if tape.failed.get() { series } else { series.iter().map(joined).collect() };
            return (last, joined, more);
        }
        self.record_plain(tape, start, elements, length, step)
    }

    /// As [`Loop::record`], without segments.
    #[track_caller]
    fn record_plain<'t, R>(
        &self,
        tape: &'t Tape,
        start: &[Var<'t>],
        elements: &[Var<'t>],
        length: usize,
        step: impl FnOnce(&[Var<'t>], &[Var<'t>]) -> (Vec<Var<'t>>, Vec<Var<'t>>, R),
    ) -> (Vec<Var<'t>>, Vec<Var<'t>>, R) {
        let states = start.len();
        let element = |x: &Var<'t>| {
            let meta = x.meta();
            Input::value(meta.with_shape(meta.shape.without(&[0])))
        };
        let given: Vec<Input> =
            start.iter().map(|c| Input::value(c.meta())).chain(elements.iter().map(element)).collect();
        let (mut given_back, mut results) = (0, 0);
        let (traced, more) = trace_with(tape, "scan", &given, |v| {
            let (c, x) = v.split_at(states);
            let (next, y, more) = step(c, x);
            given_back = next.len();
            results = y.len();
            ([next, y].concat(), more)
        });
        let poison = tape.poison();
        let failed = |more| (vec![poison; states], vec![poison; results], more);
        let Some(Traced { body, captured }) = traced else { return failed(more) };
        if !keeps_states(tape, "scan", start, given_back, &body) {
            return failed(more);
        }
        let operands = [start, elements, &captured[..]].concat();
        let frame = Arc::new(Frame { body, states, xs: elements.len(), length, reverse: self.reverse });
        let history: Vec<bool> = start.iter().map(|c| c.dtype().is_float()).collect();
        let mut values = frame.record(tape, &operands, &history);
        if tape.failed.get() {
            return failed(more);
        }
        let series = values.split_off(states);
        let last = |((value, &history), &init): ((Var<'t>, &bool), &Var<'t>)| match (history, length) {
            (false, _) => value,
            (true, 0) => init,
            (true, _) => value.at(0, if self.reverse { 0 } else { length - 1 }),
        };
        let last = values.into_iter().zip(&history).zip(start).map(last).collect();
        (last, series, more)
    }
}

/// The same form with other values.
fn refill<'t, V: Vars<'t>>(tape: &'t Tape, form: &V, values: &[Var<'t>]) -> V::Of<Var<'t>> {
    let mut values = values.iter();
    form.map(|_| values.next().copied().unwrap_or(tape.poison()))
}

/// That a step gives as many states as it takes, of the same shapes and dtypes.
#[track_caller]
fn keeps_states<'t>(tape: &'t Tape, op: &'static str, start: &[Var<'t>], given_back: usize, body: &Body) -> bool {
    if start.len() != given_back {
        let error = format!("the step takes {} states and gives {given_back}", start.len());
        tape.reject(op, &[], Error::state(error));
        return false;
    }
    for (i, old) in start.iter().enumerate() {
        let meta = old.meta();
        if let Some(new) = body.output(i).filter(|new| **new != meta) {
            let error = Error::shape(format!("a state is {meta} before the step and {new} after it"));
            tape.reject(op, &[("before", *old)], error.help("a state keeps its shape and dtype"));
            return false;
        }
    }
    true
}

/// One of two functions of the same values, and what the first gave beside when it was recorded.
#[track_caller]
fn fork<'t, R, S>(
    tape: &'t Tape,
    condition: Var<'t>,
    operands: &[Var<'t>],
    first: impl FnOnce(&[Var<'t>]) -> (Vec<Var<'t>>, R),
    second: impl FnOnce(&[Var<'t>]) -> (Vec<Var<'t>>, S),
) -> (Vec<Var<'t>>, R) {
    let given: Vec<Input> = operands.iter().map(|var| Input::value(var.meta())).collect();
    let mut count = 0;
    let (first, more) = trace_with(tape, "cond", &given, |v| {
        let (results, more) = first(v);
        count = results.len();
        (results, more)
    });
    let (second, _) = trace_with(tape, "cond", &given, second);
    let (Some(first), Some(second)) = (first, second) else { return (vec![tape.poison(); count], more) };
    let all = [&[condition], operands, &first.captured[..], &second.captured[..]].concat();
    let fork = Fork { branches: [first.body, second.body], given: operands.len() };
    (Arc::new(fork).record(tape, &all), more)
}

/// That a loop can ask its condition.
#[track_caller]
fn is_condition(tape: &Tape, go: &Meta) -> bool {
    let holds = go.dtype == DType::Bool && go.shape.rank() == 0;
    if !holds {
        let error = Error::shape(format!("a condition is one bool, not {go}"));
        tape.reject("while_loop", &[], error.help("compare a single number: .sum(), .max(), .any(axes)"));
    }
    holds
}

#[track_caller]
fn unbounded<'t>(
    tape: &'t Tape,
    start: &[Var<'t>],
    condition: impl FnOnce(&[Var<'t>]) -> Var<'t>,
    step: impl FnOnce(&[Var<'t>]) -> Vec<Var<'t>>,
) -> Vec<Var<'t>> {
    let given: Vec<Input> = start.iter().map(|c| Input::value(c.meta())).collect();
    let poison = vec![tape.poison(); start.len()];
    let condition = trace(tape, "while_loop", &given, |v| vec![condition(v)]);
    let step = trace(tape, "while_loop", &given, step);
    let (Some(condition), Some(step)) = (condition, step) else { return poison };
    if !condition.body.output(0).is_some_and(|go| is_condition(tape, go)) {
        return poison;
    }
    if !keeps_states(tape, "while_loop", start, step.body.outputs.len(), &step.body) {
        return poison;
    }
    let operands = [start, &condition.captured[..], &step.captured[..]].concat();
    let turn = Turn { condition: condition.body, step: step.body, states: start.len() };
    Arc::new(turn).record(tape, &operands)
}

impl Tape {
    /// A step that runs for every element along axis 0 of `xs` and hands a state on: (c, yᵢ) = step(c, xᵢ). Gives the last state, and
    /// the results of all runs along a new axis 0.
    ///
    /// State, elements and results may each be one value, an array, a tuple, or `()`. The step is recorded once; what it reads from
    /// outside is computed once. [`Loop`] has the choices.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([1.0f64, 2.0, 4.0]));
    /// let decay = tape.input(&Tensor::from(0.5f64));
    /// let start = tape.input(&Tensor::from(8.0f64));
    /// let (last, all) = tape.scan(start, x, |c, x| {
    ///     let c = c * decay + x;
    ///     (c, c)
    /// });
    /// assert_eq!(all.value()?.to_vec::<f64>()?, [5.0, 4.5, 6.25]);
    /// assert_eq!(tape.grad(last, decay).item::<f64>()?, 3.0 * 8.0 * 0.25 + 2.0 * 0.5 + 2.0);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn scan<'t, C: Vars<'t>, X: Vars<'t>, D: Vars<'t>, Y: Vars<'t>>(
        &'t self,
        init: C,
        xs: X,
        step: impl FnOnce(C::Of<Var<'t>>, X::Of<Var<'t>>) -> (D, Y),
    ) -> (C::Of<Var<'t>>, Y::Of<Var<'t>>) {
        Loop::new().call(self, init, xs, step)
    }

    /// `first(x)` where the condition holds, else `second(x)`; the other one is not computed.
    ///
    /// The condition is a single bool; both give values of the same shapes and dtypes. Element by element, it is
    /// [`Var::select`].
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([3.0f64, 4.0]));
    /// let y = tape.cond(x.sum().gt(0.0), x, |x| x.square().sum(), |x| x.sum());
    /// assert_eq!(y.item::<f64>()?, 25.0);
    /// assert_eq!(tape.grad(y, x).value()?.to_vec::<f64>()?, [6.0, 8.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn cond<'t, V: Vars<'t>, W: Vars<'t>, U: Vars<'t>>(
        &'t self,
        condition: Var<'t>,
        x: V,
        first: impl FnOnce(V::Of<Var<'t>>) -> W,
        second: impl FnOnce(V::Of<Var<'t>>) -> U,
    ) -> W::Of<Var<'t>> {
        let call = self.call("cond");
        let (values, form) = fork(
            self,
            condition,
            &x.list(),
            |v| {
                let form = call.outside(|| first(refill(self, &x, v)));
                (form.list().to_vec(), form)
            },
            |v| (call.outside(|| second(refill(self, &x, v)).list().to_vec()), ()),
        );
        refill(self, &form, &values)
    }

    /// A step that is repeated while a condition on the state holds; the condition gives a single bool.
    ///
    /// It has no derivative: how often it runs is known only when it has. With a bound on that, [`Loop::run_while`] has one; and the
    /// solution of an equation is differentiated by the equation, see [`Tape::fixed_point`] and [`Tape::root`].
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let (a, b) = (tape.input(&Tensor::from(48i64)), tape.input(&Tensor::from(36i64)));
    /// let (gcd, _) = tape.while_loop((a, b), |(_, b)| b.ne(0), |(a, b)| (b, a.rem(b)));
    /// assert_eq!(gcd.item::<i64>()?, 12);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn while_loop<'t, C: Vars<'t>, D: Vars<'t>>(
        &'t self,
        init: C,
        condition: impl FnOnce(C::Of<Var<'t>>) -> Var<'t>,
        step: impl FnOnce(C::Of<Var<'t>>) -> D,
    ) -> C::Of<Var<'t>> {
        Loop::new().run_while(self, init, condition, step)
    }
}
