//! Programs: a list of kernels over one memory map, checked once and run many times.
//!
//! A program is data. Building one checks every operand against its buffer, so running it needs no further check than the sizes of what
//! is bound, and no unsafe code outside the kernels.

pub mod chain;
pub mod loops;
pub mod region;
mod replace;
mod run;
pub mod traffic;
pub mod view;

use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::kernels::level::{Level, level};
use crate::kernels::loops::Loop;
use crate::kernels::matmul::{MatMul, Which};
use crate::kernels::memory::Bindings;
use crate::program::chain::Chain;
use crate::program::loops::{Def, LoopSpec, Rank};
use crate::program::region::{ARENA, Region};
use crate::program::replace::replacements;
use crate::program::view::Kernel;
use crate::shape::Shape;
use std::sync::Arc;

/// One kernel with its operands.
#[derive(Clone, Debug)]
pub enum Step {
    /// A loop group.
    Loop(Box<Loop>),
    /// A matrix product; each operand with the offset of its element `[0, 0, 0]` in elements.
    MatMul {
        /// Extents and strides.
        product: Box<MatMul>,
        /// First operand.
        a: (Region, usize),
        /// Second operand.
        b: (Region, usize),
        /// Result, contiguous.
        c: Region,
        /// In a chain: room for a copy of an operand, which all parts that run in order share.
        copy: Option<(Which, Region)>,
    },
    /// An opaque kernel on contiguous operands.
    Call {
        /// The kernel.
        kernel: Arc<dyn Kernel>,
        /// Its operands.
        inputs: Vec<(Region, DType, Shape)>,
        /// Its result.
        output: (Region, DType, Shape),
        /// What the caller wants to be told when it fails.
        tag: u32,
    },
    /// Steps that run for one part of their values after another.
    Chain(Box<Chain>),
}

impl Step {
    /// A rough estimate of the time of a run on one thread.
    pub fn cost_ns(&self) -> u64 {
        match self {
            Step::Loop(code) => code.cost_ns() as u64,
            Step::MatMul { product, .. } => product.cost_ns(),
            Step::Call { output, .. } => output.0.len as u64 / 4,
            Step::Chain(chain) => chain.cost_ns(),
        }
    }
}

/// The loops of some steps, those of chains too.
fn loops(steps: &mut [Step]) -> impl Iterator<Item = &mut Loop> {
    let inner = |step| match step {
        &mut Step::Chain(ref mut chain) => chain.steps.as_mut_slice(),
        step => std::slice::from_mut(step),
    };
    steps.iter_mut().flat_map(inner).filter_map(|step| match step {
        Step::Loop(code) => Some(&mut **code),
        _ => None,
    })
}

/// The sizes of what a program runs over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Buffers {
    /// Bytes of intermediate values.
    pub arena: usize,
    /// Bytes of each input.
    pub inputs: Vec<usize>,
    /// Bytes of each output.
    pub outputs: Vec<usize>,
    /// Scalar slots.
    pub scalars: usize,
}

/// A checked list of steps.
#[derive(Debug)]
pub struct Program {
    buffers: Buffers,
    steps: Vec<Step>,
    replacements: Vec<(usize, usize)>,
    bindings: Bindings,
    runs: u32,
}

/// After so many runs small loops become machine code, too: it takes longer to write than to do without, for a few runs.
const OFTEN: u32 = 256;

/// What is bound to an input.
#[derive(Clone, Copy, Debug)]
pub enum Bound<'a> {
    /// Its bytes.
    Bytes(&'a [u8]),
    /// The memory of this output, which holds the bytes of the input until the program writes the output: one of
    /// [`Program::replacements`].
    Output(usize),
}

impl<'a> From<&'a [u8]> for Bound<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Bound::Bytes(bytes)
    }
}

/// A failed [`Step::Call`]: what it said, and its tag.
#[derive(Debug)]
pub struct Failure {
    /// The kernel's error.
    pub error: Error,
    /// The tag of the step, if it was a call.
    pub tag: Option<u32>,
}

/// Compiles a loop for the instruction set that this process runs on.
///
/// # Errors
/// See [`Loop::compile`].
pub fn compile_loop(spec: &LoopSpec) -> Result<Loop> {
    Loop::compile(spec, level())
}

/// As [`compile_loop`], for a given instruction set at most as high as the machine's.
///
/// # Errors
/// See [`Loop::compile`].
pub fn compile_loop_at(spec: &LoopSpec, at: Level) -> Result<Loop> {
    Loop::compile(spec, at.min(level()))
}

impl Program {
    /// Checks every operand of every step.
    ///
    /// # Errors
    /// When an operand leaves its buffer, an output is not writable, or an output overlaps another operand of its step.
    pub fn new(mut steps: Vec<Step>, buffers: Buffers) -> Result<Self> {
        for step in &mut steps {
            // Each of their loops runs once for every part.
            if let Step::Chain(chain) = step {
                loops(&mut chain.steps).for_each(|code| {
                    code.make_often();
                });
            }
        }
        let check = Check { buffers: &buffers };
        for step in &steps {
            check.step(step)?;
        }
        Loop::link(loops(&mut steps));
        let replacements = replacements(&steps, &buffers);
        Ok(Self { buffers, steps, replacements, bindings: Bindings::default(), runs: 0 })
    }

    /// The same for runs that follow one another over one arena, with the same bytes in the inputs that are `fixed`: products keep the copies
    /// that they make of matrices there. See [`Program::run_on`].
    ///
    /// # Errors
    /// None, but that the arena grows, and what is checked of any program.
    pub fn keeping_copies(mut self, fixed: impl Fn(usize) -> bool) -> Result<Self> {
        let mut arena = self.buffers.arena;
        for step in &mut self.steps {
            let Step::MatMul { product, a, b, copy: copy @ None, .. } = step else { continue };
            let stays = |region: &Region| {
                let input = (region.buffer as usize).checked_sub(1);
                input.is_some_and(|input| input < self.buffers.inputs.len() && fixed(input))
            };
            let room = |of: Which| {
                let bytes = product.copy_bytes(of);
                (bytes > 0).then(|| (of, Region::new(ARENA, arena.next_multiple_of(64), bytes)))
            };
            *copy = stays(&b.0).then(|| room(Which::B)).flatten();
            *copy = copy.or_else(|| stays(&a.0).then(|| room(Which::A)).flatten());
            if let Some((_, region)) = copy {
                arena = region.offset + region.len;
            }
        }
        self.buffers.arena = arena;
        let check = Check { buffers: &self.buffers };
        self.steps.iter().try_for_each(|step| check.step(step))?;
        Ok(self)
    }

    /// Counts a run. What runs often is worth more work; no bit changes by it.
    fn counted(&mut self) {
        self.runs = self.runs.saturating_add(1);
        if self.runs != OFTEN {
            return;
        }
        Loop::link(loops(&mut self.steps).filter_map(|code| code.make_often().then_some(code)));
    }

    /// Pairs of an input and an output that may be one memory: the program reads the one for the last time before it writes the other,
    /// element by element, and cannot fail once it has begun to write.
    pub fn replacements(&self) -> &[(usize, usize)] {
        &self.replacements
    }

    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether a step is long enough to be shared between threads.
    pub fn is_shared(&self) -> bool {
        self.steps.iter().any(|step| match step {
            Step::Loop(code) => code.is_shared(),
            Step::MatMul { product, .. } => product.is_shared(),
            Step::Call { .. } => false,
            Step::Chain(chain) => chain.is_shared(),
        })
    }

    /// A rough estimate of the time of a run on one thread, to decide about threads.
    pub fn cost_ns(&self) -> u64 {
        self.steps.iter().map(Step::cost_ns).sum()
    }

    /// The sizes of what it runs over.
    pub fn buffers(&self) -> &Buffers {
        &self.buffers
    }
}

struct Check<'a> {
    buffers: &'a Buffers,
}

impl Check<'_> {
    fn step(&self, step: &Step) -> Result<()> {
        match step {
            Step::Loop(code) => self.looped(code),
            Step::MatMul { product, a, b, c, copy } => self.product(product, a, b, c, copy),
            Step::Call { inputs, output, .. } => {
                for (region, dtype, shape) in inputs {
                    self.exact(region, *dtype, shape)?;
                    self.apart(&output.0, region)?;
                }
                self.exact(&output.0, output.1, &output.2)?;
                self.writable(&output.0)
            }
            Step::Chain(chain) => self.chain(chain),
        }
    }

    fn chain(&self, chain: &Chain) -> Result<()> {
        if !chain.is_sound() {
            return Err(Error::state(format!("no chain: {chain:?}")));
        }
        let part = Check { buffers: &chain.buffers };
        chain.steps.iter().try_for_each(|step| part.step(step))?;
        if chain.buffers.scalars > self.buffers.scalars {
            return Err(Error::state("a scalar slot that does not exist"));
        }
        let outputs = chain.outputs().iter().map(|output| &output.region);
        for (i, write) in outputs.clone().chain([&chain.room]).enumerate() {
            self.writable(write)?;
            let reads = chain.inputs().iter().map(|input| &input.region);
            for other in reads.chain(outputs.clone().take(i)) {
                self.inside(other)?;
                self.apart(write, other)?;
            }
        }
        Ok(())
    }

    fn size(&self, buffer: u32) -> Option<usize> {
        let inputs = self.buffers.inputs.len();
        match buffer as usize {
            0 => Some(self.buffers.arena),
            i if i <= inputs => self.buffers.inputs.get(i - 1).copied(),
            i => self.buffers.outputs.get(i - 1 - inputs).copied(),
        }
    }

    fn inside(&self, region: &Region) -> Result<()> {
        let end = region.offset.checked_add(region.len);
        match (self.size(region.buffer), end) {
            (Some(size), Some(end)) if end <= size => Ok(()),
            _ => Err(Error::state(format!("an operand outside its buffer: {region:?}"))),
        }
    }

    fn writable(&self, region: &Region) -> Result<()> {
        self.inside(region)?;
        match region.buffer == ARENA || region.buffer as usize > self.buffers.inputs.len() {
            true => Ok(()),
            false => Err(Error::state("a step writes to an input")),
        }
    }

    fn apart(&self, a: &Region, b: &Region) -> Result<()> {
        match a.overlaps(b) {
            false => Ok(()),
            true => Err(Error::state(format!("operands overlap: {a:?} and {b:?}"))),
        }
    }

    fn exact(&self, region: &Region, dtype: DType, shape: &Shape) -> Result<()> {
        self.inside(region)?;
        match region.len == shape.len() * dtype.size() {
            true => Ok(()),
            false => Err(Error::state(format!("{} bytes for {shape} {dtype}", region.len))),
        }
    }

    fn looped(&self, code: &Loop) -> Result<()> {
        let (spec, (rows, _)) = (code.spec(), code.extents());
        let mut writes: Vec<Region> = Vec::with_capacity(spec.stores.len() + 1);
        if code.workspace_bytes() > 0 {
            if code.workspace().len < code.workspace_bytes() {
                return Err(Error::state("a loop without its workspace"));
            }
            writes.push(code.workspace());
        }
        // That each store has exactly the bytes it writes was checked when the loop was compiled.
        for store in &spec.stores {
            writes.push(store.region);
        }
        for (i, write) in writes.iter().enumerate() {
            self.writable(write)?;
            for other in &writes[..i] {
                self.apart(write, other)?;
            }
        }
        for value in &spec.values {
            match &value.def {
                Def::Load(load) => {
                    self.inside(&load.region)?;
                    let points: usize = load.dims.iter().map(|d| d.0).product();
                    let wanted = match load.rank {
                        Rank::Full => spec.n,
                        Rank::Row => rows,
                        Rank::Uniform => 1,
                    };
                    let (low, high) = bounds(load.offset, &load.dims);
                    let size = value.dtype.size() as i128;
                    if points != wanted || low < 0 || (high + 1) * size > load.region.len as i128 {
                        return Err(Error::state(format!("a load outside its region: {load:?}")));
                    }
                    for write in &writes {
                        self.apart(write, &load.region)?;
                    }
                }
                Def::Slot(slot) | Def::Uniform { key: slot, .. } | Def::Normal { key: slot, .. }
                    if *slot as usize >= self.buffers.scalars =>
                {
                    return Err(Error::state("a scalar slot that does not exist"));
                }
                Def::Iota { extent, inner } if *extent == 0 || *inner == 0 => {
                    return Err(Error::state("a count over an empty axis"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn product(
        &self,
        p: &MatMul,
        a: &(Region, usize),
        b: &(Region, usize),
        c: &Region,
        copy: &Option<(Which, Region)>,
    ) -> Result<()> {
        if !p.is_sound() {
            return Err(Error::state(format!("no product: {p:?}")));
        }
        let size = p.dtype.size() as i128;
        for ((region, offset), (low, high)) in [(a, p.a_bounds()), (b, p.b_bounds())] {
            self.inside(region)?;
            let (low, high) = (*offset as i128 + low as i128, *offset as i128 + high as i128);
            if low < 0 || (high + 1) * size > region.len as i128 {
                return Err(Error::state("a product reads outside its operand"));
            }
            self.apart(c, region)?;
        }
        if let Some((of, copy)) = copy {
            self.writable(copy)?;
            [&a.0, &b.0, c].into_iter().try_for_each(|other| self.apart(copy, other))?;
            if copy.len < p.copy_bytes(*of) || !copy.offset.is_multiple_of(64) {
                return Err(Error::state("a product without room for its copy"));
            }
        }
        let batch: usize = p.batch.iter().map(|d| d.0).product();
        if c.len as i128 != (batch * p.m * p.n) as i128 * size {
            return Err(Error::state("a product does not fill its result"));
        }
        self.writable(c)
    }
}

/// Lowest and highest element that a walk touches.
fn bounds(offset: usize, dims: &[(usize, isize)]) -> (i128, i128) {
    let mut low = offset as i128;
    let mut high = low;
    for &(extent, stride) in dims {
        let reach = (extent.max(1) - 1) as i128 * stride as i128;
        low += reach.min(0);
        high += reach.max(0);
    }
    (low, high)
}
