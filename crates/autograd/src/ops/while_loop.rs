//! `while_loop`: a step that is repeated for as long as a condition holds.
//!
//! * operands: the states, what the condition reads from outside, and what the step reads from outside
//! * result: flat; the last states, one behind the other
//! * derivative: none, in either mode: how often the step runs is known only when it has, and nothing is kept. A bound on the number of
//!   turns makes it a `scan`, which has one.
//! * batches: the step runs until no example goes on; those that are done keep their states

use crate::batch::{Batch, stacked};
use crate::body::{Body, Input, Role, trace};
use crate::class::Class;
use crate::graph::{Derivative, Op, Tape, Var};
use crate::meta::Meta;
use crate::packing::{Packing, record_packed};
use crate::sample::{Accuracy, Entry, Sample};
use crate::transform::Vmap;
use smallvec::SmallVec;
use std::sync::Arc;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::storage::Storage;
use wengert_tensor::tensor::Tensor;

/// A condition and a step.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Turn {
    /// From the states to one bool.
    pub(crate) condition: Body,
    /// From the states to the states.
    pub(crate) step: Body,
    pub(crate) states: usize,
}

/// The last states of one dtype.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct While {
    turn: Arc<Turn>,
    packing: Packing,
}

impl Turn {
    fn conditions(&self) -> usize {
        self.condition.inputs.len() - self.states
    }

    /// What each operand is.
    fn inputs(&self) -> impl Iterator<Item = &Input> {
        self.condition.inputs.iter().chain(self.step.inputs.iter().skip(self.states))
    }

    /// Records the loop: one op for each dtype among the states. Gives the last states.
    #[track_caller]
    pub(crate) fn record<'t>(self: &Arc<Self>, tape: &'t Tape, operands: &[Var<'t>]) -> Vec<Var<'t>> {
        let metas = self.step.metas();
        record_packed(tape, "while_loop", &metas, operands, |packing| While { turn: Arc::clone(self), packing }.into())
    }
}

impl Op for While {
    fn name(&self) -> &'static str {
        "while_loop"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["operand", "operand"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let wanted: Vec<&Input> = self.turn.inputs().collect();
        let fits =
            inputs.len() == wanted.len() && inputs.iter().zip(wanted).all(|(given, input)| **given == input.meta);
        match fits {
            true => self.packing.meta(),
            false => Err(Error::state("the operands are not those of the step")),
        }
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::None("how often it runs is not known before; bound it: Loop::new().length(n).run_while(…)")
    }

    fn key(&self) -> Option<usize> {
        self.turn.inputs().position(|input| input.role == Role::Key)
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        let (tape, size, turn) = (x.tape(), x.size(), &*self.turn);
        let (states, conditions) = (turn.states, turn.conditions());
        // Every example has its own states from the first turn on.
        let is_mapped = |i: usize| i < states || x.operand(i).is_some_and(|(_, mapped)| mapped);
        let of_step = |i: usize| if i < states { i } else { i + conditions };
        let inputs = |body: &Body, place: &dyn Fn(usize) -> usize| -> Option<Vec<Input>> {
            let one = |(i, input): (usize, &Input)| match is_mapped(place(i)) {
                true => Some(Input::value(input.meta.with_shape(stacked(size, &input.meta.shape)?))),
                false => Some(input.clone()),
            };
            body.inputs.iter().enumerate().map(one).collect()
        };
        let all = |body: &Body, v: &[Var<'t>], place: &dyn Fn(usize) -> usize| {
            let axes: Vec<Option<isize>> = (0..v.len()).map(|i| is_mapped(place(i)).then_some(0)).collect();
            Vmap::new().axes(&axes).randomness(x.randomness()).call(tape, v, |one| body.replay(tape, &one))
        };
        let go = |v: &[Var<'t>]| all(&turn.condition, v, &|i| i).first().copied().unwrap_or(tape.poison());
        let condition = trace(tape, "while_loop", &inputs(&turn.condition, &|i| i)?, |v| vec![go(v).any(0)])?;
        // The step asks the condition of each example again, to leave alone those that are done.
        let mut given = inputs(&turn.step, &of_step)?;
        let own = given.len();
        given.extend(inputs(&turn.condition, &|i| i)?.into_iter().skip(states));
        let step = trace(tape, "while_loop", &given, |v| {
            let (inner, rest) = v.split_at(own);
            let asked: Vec<Var<'t>> = inner.iter().take(states).chain(rest).copied().collect();
            let go = go(&asked);
            let next = all(&turn.step, inner, &of_step);
            let choose = |(next, &old): (Var<'t>, &Var<'t>)| {
                let ones = vec![1; old.rank().saturating_sub(1)];
                next.select(go.reshape([&[size], &ones[..]].concat()), old)
            };
            next.into_iter().zip(inner).map(choose).collect()
        })?;
        let operand = |i: usize| if is_mapped(i) { x.mapped(i) } else { x.operand(i).map(|(var, _)| var) };
        let range = |range: std::ops::Range<usize>| range.map(operand).collect::<Option<Vec<_>>>();
        let total = turn.inputs().count();
        let mut operands = range(0..states + conditions)?;
        operands.extend(&condition.captured);
        operands.extend(range(states + conditions..total)?);
        operands.extend(range(states..states + conditions)?);
        operands.extend(&step.captured);
        let turn = Turn { condition: condition.body, step: step.body, states };
        let results = Arc::new(turn).record(tape, &operands);
        self.packing.batch(tape, size, &results)
    }
}

impl Kernel for While {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let Turn { condition, step, states } = &*self.turn;
        let lost = || Error::state("a loop without its memory");
        let conditions = self.turn.conditions();
        let (mut asks, mut runs) = (condition.runner(*states)?, step.runner(*states)?);
        let mut now: Vec<Storage> = Vec::with_capacity(*states);
        let mut next: Vec<Storage> = Vec::with_capacity(*states);
        for input in inputs.iter().take(*states) {
            let mut start = Storage::take(input.bytes().len())?;
            start.get_mut().ok_or_else(lost)?.bytes_mut().copy_from_slice(input.bytes());
            now.push(start);
            next.push(Storage::take(input.bytes().len())?);
        }
        for turn in 0.. {
            let mut go = [0u8];
            let mut read: SmallVec<[&[u8]; 16]> = now.iter().map(Storage::bytes).collect();
            inputs.iter().skip(*states).take(conditions).for_each(|input| read.push(input.bytes()));
            asks.run(turn, &read, &mut [&mut go])?;
            if go == [0] {
                break;
            }
            read.truncate(*states);
            inputs.iter().skip(states + conditions).for_each(|input| read.push(input.bytes()));
            let mut written: SmallVec<[&mut [u8]; 16]> = SmallVec::new();
            for storage in &mut next {
                written.push(storage.get_mut().ok_or_else(lost)?.bytes_mut());
            }
            runs.run(turn, &read, &mut written)?;
            drop((read, written));
            std::mem::swap(&mut now, &mut next);
        }
        for (part, bytes) in self.packing.parts.iter().zip(self.packing.split(out.bytes_mut())) {
            let last = now.get(part.output).and_then(|state| state.bytes().get(..bytes.len())).ok_or_else(lost)?;
            bytes.copy_from_slice(last);
        }
        Ok(())
    }
}

pub(super) fn entries() -> Vec<Entry> {
    vec![
        Entry::new(
            "while_loop",
            "while_loop.rs",
            vec![
                Sample::new("Newton's square root", [Tensor::from(2.0f64)], |tape, x| {
                    let x = x[0].stop_gradient();
                    tape.while_loop(x, |y| (y * y - x).abs().gt(1e-13), |y| (y + x / y) * 0.5)
                })
                .kinked()
                .gives([std::f64::consts::SQRT_2]),
                Sample::new("no turn", [Tensor::from([2.0f64, 3.0])], |tape, x| {
                    tape.while_loop(x[0].stop_gradient(), |y| y.sum().lt(0.0), |y| y * 2.0)
                })
                .kinked()
                .gives([2., 3.]),
                Sample::new("Collatz", [Tensor::from(27i64)], |tape, x| {
                    tape.while_loop(
                        (x[0], x[0].zeros_like()),
                        |(n, _)| n.gt(1),
                        |(n, count)| ((n / 2).select(n.rem(2).eq(0), n * 3 + 1), count + 1),
                    )
                    .1
                })
                .gives([111.]),
            ],
        )
        .accuracy(Accuracy::Body),
    ]
}
