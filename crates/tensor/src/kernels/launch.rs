//! Launching the steps of a checked program.

use crate::dtype::Scalar;
use crate::error::Error;
use crate::kernels::matmul::Kept;
use crate::kernels::memory::{Bindings, Memory};
use crate::kernels::threads;
use crate::program::chain::Chain;
use crate::program::view::{TensorView, TensorViewMut};
use crate::program::{Failure, Step};
use smallvec::SmallVec;
use std::cell::Cell;
use std::sync::{Mutex, PoisonError};

thread_local! {
    /// A table of buffers for the parts that this thread runs, kept between runs.
    static BINDINGS: Cell<Bindings> = Cell::default();
}

/// Runs the steps in order. Called by [`crate::program::Program`] alone, which has checked every operand of `steps` against the sizes of
/// the buffers, and that `memory` has those sizes.
pub(crate) fn run(steps: &[Step], memory: &Memory<'_>, scalars: &[Scalar]) -> Result<(), Failure> {
    for step in steps {
        match step {
            // SAFETY: `Program::new` has checked loads, stores, workspace and slots.
            Step::Loop(code) => unsafe { code.run(memory, scalars) },
            // SAFETY: `Program::new` has checked that the walks of a and b stay within their regions, that c has room for the result, that
            // it is apart from both, and that a copy has room apart from all.
            Step::MatMul { product, a, b, c, copy } => unsafe {
                let size = product.dtype.size();
                let (a, b) = (memory.ptr(&a.0).add(a.1 * size), memory.ptr(&b.0).add(b.1 * size));
                match copy {
                    None => product.run(a, b, memory.ptr(c)),
                    Some((of, copy)) => {
                        let kept = Kept { of: *of, at: memory.ptr(copy), known: memory.has_copies() };
                        product.run_with_copy(kept, a, b, memory.ptr(c));
                    }
                }
            },
            Step::Call { kernel, inputs, output, tag } => {
                let fail = |error: Error| Failure { error, tag: Some(*tag) };
                let mut views: SmallVec<[TensorView<'_>; 4]> = SmallVec::new();
                for (region, dtype, shape) in inputs {
                    // SAFETY: checked to lie in its buffer and apart from the output.
                    let bytes = unsafe { memory.bytes(region) };
                    views.push(TensorView::new(*dtype, shape, bytes).map_err(fail)?);
                }
                // SAFETY: checked to lie in a writable buffer, apart from every input of the step.
                let bytes = unsafe { memory.bytes_mut(&output.0) };
                let mut out = TensorViewMut::new(output.1, &output.2, bytes).map_err(fail)?;
                kernel.run(&views, &mut out).map_err(fail)?;
            }
            // SAFETY: `Program::new` has checked that every part of every operand lies in its buffer, that those which are written are
            // writable and apart from all others, and each step of a part against the sizes of its buffers.
            Step::Chain(chain) => unsafe { parts(chain, memory, scalars)? },
        }
    }
    Ok(())
}

/// Runs all parts of a chain.
///
/// # Safety
/// As for [`run`]: the chain is a step of a checked program, and `memory` has the sizes that it was checked against.
unsafe fn parts(chain: &Chain, memory: &Memory<'_>, scalars: &[Scalar]) -> Result<(), Failure> {
    // Parts that run in order are one unit.
    let units = chain.parts / chain.in_order;
    let workers = match chain.is_shared() {
        true => chain.rooms().min(threads::threads()).min(units),
        false => 1,
    };
    let failed = Mutex::new(None);
    let go = |room: usize, unit: usize| {
        // SAFETY: passed on; nobody else has this room or this unit.
        if let Err(failure) = unsafe { unit_of(chain, [room, unit], memory, scalars) } {
            failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        }
    };
    match workers {
        // Each step of a part may use all threads.
        0 | 1 => (0..units).for_each(|unit| go(0, unit)),
        _ => threads::with_places(workers, units, &go),
    }
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

/// Runs the parts of a unit, in order.
///
/// # Safety
/// As for [`parts`]; the room and the unit are nobody else's.
unsafe fn unit_of(
    chain: &Chain,
    [room, unit]: [usize; 2],
    memory: &Memory<'_>,
    scalars: &[Scalar],
) -> Result<(), Failure> {
    let mut bindings = BINDINGS.take();
    let mut part = Memory::new(&mut bindings);
    let mut result = Ok(());
    for i in 0..chain.in_order {
        let at = unit * chain.in_order + i;
        // SAFETY: every part lies within its operand, and the room within the arena.
        unsafe {
            part.begin(at, i > 0);
            let arena = memory.ptr(&chain.room).add(room * chain.pitch());
            part.point(arena, chain.buffers.arena, true);
            for (slices, &len) in chain.inputs().iter().zip(&chain.buffers.inputs) {
                part.point(memory.ptr(&slices.region).offset(slices.start(at)), len, false);
            }
            for (slices, &len) in chain.outputs().iter().zip(&chain.buffers.outputs) {
                part.point(memory.ptr(&slices.region).offset(slices.start(at)), len, true);
            }
        }
        result = run(&chain.steps, &part, scalars);
        if result.is_err() {
            break;
        }
    }
    part.finish(&mut bindings);
    BINDINGS.set(bindings);
    result
}
