//! Programs: a function of tensors that is recorded once and run many times.

use crate::compiled::{Argument, Compiled};
use crate::graph::{NodeId, Tape, Var};
use smallvec::SmallVec;
use std::fmt;
use std::panic::Location;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

/// A function of tensors, recorded once and run many times: `(y₁ … y_N) = f(x₁ … x_M)`.
///
/// A loop that records anew in each step finds its plan by the structure of the graph. That is cheap, and it is nothing beside the work on
/// large tensors; where a step takes a few microseconds, recording is most of it. A program records no more: it binds its arguments and runs.
///
/// ```
/// use wengert_autograd::Program;
/// use wengert_tensor::tensor::Tensor;
///
/// let (x, mut w) = (Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]), Tensor::from([[0.5f32], [-0.5]]));
/// let mut step = Program::new((&x, &w, 0.01), |tape, [x, w, rate]| {
///     let loss = x.matmul(w).square().mean();
///     let [dw] = tape.grad(loss, [w]);
///     [loss, w - rate * dw]
/// })?;
/// let mut losses = Vec::new();
/// for i in 0..10 {
///     let [loss, next] = step.run((&x, &w, 0.02 / (1.0 + i as f64)))?;
///     losses.push(loss.item::<f32>()?);
///     w = next;
/// }
/// assert!(losses[9] < losses[0]);
/// # Ok::<(), wengert_tensor::error::Error>(())
/// ```
///
/// The bits are those of the same closure on a tape of its own. Every argument is a tensor of the shape and dtype that the program was
/// made for, or a number, which the closure sees as a slot of f32 without axes. An argument that is a [`Key`](wengert_tensor::random::Key)
/// is what random ops draw from. All else that the closure reads is fixed when it is recorded, and it must not ask for values.
pub struct Program<const M: usize, const N: usize> {
    compiled: Compiled,
    results: Vec<Tensor>,
}

impl<const M: usize, const N: usize> Program<M, N> {
    /// Records `f` for arguments like these.
    ///
    /// # Errors
    /// Whatever was recorded; a closure that asked for a value.
    #[track_caller]
    pub fn new<'a>(
        like: impl Arguments<'a, M>,
        f: impl for<'t> FnOnce(&'t Tape, [Var<'t>; M]) -> [Var<'t>; N],
    ) -> Result<Program<M, N>> {
        let here = Location::caller();
        let like = like.list();
        let key = like.iter().find_map(|argument| match argument {
            Argument::Key(key) => Some(*key),
            _ => None,
        });
        let tape = key.map_or_else(Tape::new, Tape::with_key);
        let mut dense = Vec::with_capacity(M);
        for argument in &like {
            dense.push(match argument {
                Argument::Tensor(tensor) => Some(tensor.contiguous()?),
                Argument::Given(tensor) => Some(tensor.contiguous()?),
                Argument::Number(_) | Argument::Key(_) => None,
            });
        }
        let mut keyed = false;
        let mut dense = dense.iter();
        let inputs = like.map(|argument| match (argument, dense.next().and_then(Option::as_ref)) {
            (_, Some(tensor)) => tape.input(tensor),
            (Argument::Number(number), _) => tape.scalar(number, DType::F32),
            _ => {
                if std::mem::replace(&mut keyed, true) {
                    tape.fail(Error::state("a program draws from one key").op("Program"));
                }
                tape.key_var().unwrap_or(tape.poison())
            }
        });
        let outputs = f(&tape, inputs);
        if !outputs.iter().all(|output| tape.owns(*output)) {
            return Err(crate::tape::foreign().op("Program").at(here));
        }
        let (inputs, outputs): ([NodeId; M], [NodeId; N]) = (inputs.map(Var::id), outputs.map(Var::id));
        let compiled = tape.compile(&inputs, &outputs).map_err(|error| located(error, here))?;
        Ok(Program { compiled, results: Vec::with_capacity(N) })
    }

    /// The results for these arguments.
    ///
    /// # Errors
    /// An argument of another shape or dtype than the program was made for; whatever goes wrong while the results are computed.
    #[track_caller]
    pub fn run<'a>(&mut self, arguments: impl Arguments<'a, M>) -> Result<[Tensor; N]> {
        let here = Location::caller();
        let mut arguments = arguments.list();
        let outcome = self.compiled.run(&mut arguments, &mut self.results);
        outcome.map_err(|error| {
            let error = located(error, here);
            match error.op_name() {
                Some(_) => error,
                None => error
                    .op("Program::run")
                    .help("what has another shape or dtype needs a program of its own: Program::new"),
            }
        })?;
        let results: SmallVec<[Tensor; N]> = self.results.drain(..).collect();
        results.into_inner().map_err(|_| Error::state("other results than were recorded").op("Program::run").at(here))
    }
}

/// The error, at this line if it has none.
fn located(error: Error, here: &'static Location<'static>) -> Error {
    match error.location() {
        Some(_) => error,
        None => error.at(here),
    }
}

impl<const M: usize, const N: usize> fmt::Debug for Program<M, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.compiled, f)
    }
}

/// What a [`Program`] is given: an array `[&x, &y]`, or a tuple `(&x, &y, 0.1)` of tensors, numbers and keys.
pub trait Arguments<'a, const M: usize> {
    /// The arguments in order.
    fn list(self) -> [Argument<'a>; M];
}

impl<'a, A: Into<Argument<'a>>, const M: usize> Arguments<'a, M> for [A; M] {
    fn list(self) -> [Argument<'a>; M] {
        self.map(Into::into)
    }
}

macro_rules! tuples {
    ($($count:literal: ($($T:ident $x:ident),+);)+) => {
        $(impl<'a, $($T: Into<Argument<'a>>),+> Arguments<'a, $count> for ($($T,)+) {
            fn list(self) -> [Argument<'a>; $count] {
                let ($($x,)+) = self;
                [$($x.into()),+]
            }
        })+
    };
}

tuples! {
    1: (A a);
    2: (A a, B b);
    3: (A a, B b, C c);
    4: (A a, B b, C c, D d);
    5: (A a, B b, C c, D d, E e);
    6: (A a, B b, C c, D d, E e, F f);
    7: (A a, B b, C c, D d, E e, F f, G g);
    8: (A a, B b, C c, D d, E e, F f, G g, H h);
}
