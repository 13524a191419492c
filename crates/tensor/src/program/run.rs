//! Running a program over bound buffers.

use crate::dtype::Scalar;
use crate::error::Error;
use crate::kernels::launch;
use crate::kernels::memory::Memory;
use crate::program::{Bound, Failure, Program, Step};
use smallvec::SmallVec;
use std::time::{Duration, Instant};

impl Program {
    /// Runs every step: reads `inputs` and `scalars`, writes `outputs`, uses `arena` for what lies between.
    ///
    /// # Errors
    /// When the sizes are not those that were planned, or a kernel refuses a value; outputs are then unspecified.
    pub fn run<'a, I: Into<Bound<'a>>>(
        &mut self,
        arena: &'a mut [u8],
        inputs: impl Iterator<Item = I>,
        outputs: impl Iterator<Item = &'a mut [u8]>,
        scalars: &[Scalar],
    ) -> Result<(), Failure> {
        self.run_on(false, arena, inputs, outputs, scalars)
    }

    /// As [`Program::run`]; `later`: the run before this one was over this arena, with the same bytes in the inputs that are fixed (see
    /// [`Program::keeping_copies`]), and nobody has written there since.
    ///
    /// # Errors
    /// As [`Program::run`].
    pub fn run_on<'a, I: Into<Bound<'a>>>(
        &mut self,
        later: bool,
        arena: &'a mut [u8],
        inputs: impl Iterator<Item = I>,
        outputs: impl Iterator<Item = &'a mut [u8]>,
        scalars: &[Scalar],
    ) -> Result<(), Failure> {
        self.bound(later, arena, inputs, outputs, scalars, |steps, memory| launch::run(steps, memory, scalars))
    }

    /// As [`Program::run`], and lowers each of `least` to the time that its step took, where that is less.
    ///
    /// # Errors
    /// As [`Program::run`].
    pub fn time<'a, I: Into<Bound<'a>>>(
        &mut self,
        arena: &'a mut [u8],
        inputs: impl Iterator<Item = I>,
        outputs: impl Iterator<Item = &'a mut [u8]>,
        scalars: &[Scalar],
        least: &mut [Duration],
    ) -> Result<(), Failure> {
        self.bound(false, arena, inputs, outputs, scalars, |steps, memory| {
            for (step, least) in steps.iter().zip(least) {
                let start = Instant::now();
                launch::run(std::slice::from_ref(step), memory, scalars)?;
                *least = (*least).min(start.elapsed());
            }
            Ok(())
        })
    }

    /// Calls `go` with the steps and the memory that they run over.
    fn bound<'a, I: Into<Bound<'a>>>(
        &mut self,
        later: bool,
        arena: &'a mut [u8],
        inputs: impl Iterator<Item = I>,
        outputs: impl Iterator<Item = &'a mut [u8]>,
        scalars: &[Scalar],
        go: impl FnOnce(&[Step], &Memory<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.counted();
        let mut bindings = std::mem::take(&mut self.bindings);
        let mut memory = Memory::new(&mut bindings);
        memory.begin(0, later);
        memory.write(arena);
        let mut shared: SmallVec<[(usize, usize); 8]> = SmallVec::new();
        for (i, input) in inputs.enumerate() {
            match input.into() {
                Bound::Bytes(bytes) => memory.read(bytes),
                Bound::Output(output) => {
                    shared.push((i, output));
                    memory.read(&[]);
                }
            }
        }
        outputs.for_each(|bytes| memory.write(bytes));
        let may = shared.iter().all(|pair| self.replacements.contains(pair));
        for (input, output) in shared {
            memory.share(1 + input, 1 + self.buffers.inputs.len() + output);
        }
        let result = match may && self.fits(&memory, scalars) {
            true => go(&self.steps, &memory),
            false => {
                Err(Failure { error: Error::state("what is bound to a plan has other sizes than planned"), tag: None })
            }
        };
        memory.finish(&mut bindings);
        self.bindings = bindings;
        result
    }

    fn fits(&self, memory: &Memory<'_>, scalars: &[Scalar]) -> bool {
        let b = &self.buffers;
        let sized = |i: usize, bytes: usize, write: bool| {
            memory.buffer(i).is_some_and(|(len, writable)| len >= bytes && (writable || !write))
        };
        scalars.len() == b.scalars
            && memory.buffers() == 1 + b.inputs.len() + b.outputs.len()
            && sized(0, b.arena, true)
            && b.inputs.iter().enumerate().all(|(i, &bytes)| sized(1 + i, bytes, false))
            && b.outputs.iter().enumerate().all(|(i, &bytes)| sized(1 + b.inputs.len() + i, bytes, true))
    }
}
