//! Launching the steps of a checked program.

use crate::dtype::Scalar;
use crate::error::Error;
use crate::kernels::memory::Memory;
use crate::program::view::{TensorView, TensorViewMut};
use crate::program::{Failure, Step};
use smallvec::SmallVec;

/// Runs the steps in order. Called by [`crate::program::Program`] alone, which has checked every operand of `steps` against the sizes of
/// the buffers, and that `memory` has those sizes.
pub(crate) fn run(steps: &[Step], memory: &Memory<'_>, scalars: &[Scalar]) -> Result<(), Failure> {
    for step in steps {
        match step {
            // SAFETY: `Program::new` has checked loads, stores, workspace and slots.
            Step::Loop(code) => unsafe { code.run(memory, scalars) },
            // SAFETY: `Program::new` has checked that the walks of a and b stay within their regions, that c has room for the result, and
            // that c is apart from both.
            Step::MatMul { product, a, b, c } => unsafe {
                let size = product.dtype.size();
                product.run(memory.ptr(&a.0).add(a.1 * size), memory.ptr(&b.0).add(b.1 * size), memory.ptr(c));
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
        }
    }
    Ok(())
}
