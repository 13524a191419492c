//! Straight-line native code for runs of arithmetic.
//!
//! A tile kernel is as fast as it can be and still reads its operands from the first-level cache and writes its result there. Where
//! several maps follow each other, that traffic is most of the time. Here such a run becomes one loop of machine code whose values
//! stay in registers: `select` finds the runs, `formulas` writes them as a `line` of operations, `allocate` and
//! `emit` give them registers and have the `assembler` encode them, `pages` hold the code of a program, and `run` calls it. Where a tile
//! holds several rows of a vector or more, what a row has one of is spread before each, by a loop over rows around the one over elements;
//! where a row ends with a part of a vector, the last vector takes some elements again.
//!
//! Exponentials, the logistic function and the hyperbolic tangent take part, one a line, if the registers hold two vectors side by side: the
//! processor would wait for one alone. Longer ones (error function, logarithms) gained nothing or lost with AVX2, which has 16 registers.
//!
//! The operations are those of the tile kernels, in their order, so every bit is the same; where there is no such code (another
//! processor, no AVX2, a system that gives no executable pages, a small loop), the tile kernels do the work.

mod allocate;
mod assembler;
mod emit;
mod formulas;
mod line;
mod pages;
mod run;
mod select;
#[cfg(test)]
mod tests;

use crate::kernels::level::Level;
use crate::kernels::loops::Loop;
use crate::kernels::loops::code::{Action, Phase, Place, SlotId};
use assembler::{Float, Width};
use line::{Line, Op, Rows};
use pages::Pages;
pub(super) use run::Run;
use select::{Selection, Slots, expose, visit};
use smallvec::SmallVec;
use std::sync::{Arc, OnceLock};

/// The native form of a loop, before it has pages.
#[derive(Clone, Debug)]
pub(super) struct Native {
    setup: Vec<Action>,
    prologue: Vec<Action>,
    phases: Vec<Phase>,
    /// Long streams that no line fetches ahead itself.
    reads: Vec<SlotId>,
    code: Vec<u8>,
    runs: Vec<Run>,
}

/// The code that a loop runs.
#[derive(Clone, Debug)]
pub(super) struct Linked {
    pages: Arc<Pages>,
    start: usize,
    runs: Vec<Run>,
}

impl Native {
    pub(super) fn phases(&self) -> &[Phase] {
        &self.phases
    }

    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The lists of its actions.
    pub(super) fn lists_mut(&mut self) -> impl Iterator<Item = &mut Vec<Action>> {
        let phases = self.phases.iter_mut().flat_map(|phase| [&mut phase.body, &mut phase.after]);
        [&mut self.setup, &mut self.prologue].into_iter().chain(phases)
    }
}

impl Linked {
    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Runs a line over `n` elements.
    ///
    /// # Safety
    /// The pointers of the line's slots are valid for `n` elements.
    pub(super) unsafe fn run(&self, line: u16, slots: &[Place], table: &mut [*mut u8], n: usize) {
        if let Some(run) = self.runs.get(line as usize) {
            // SAFETY: the pages were made of the code of these runs, for the level of this machine; the rest is promised by the caller.
            unsafe { run.run(&self.pages, self.start, slots, table, n) }
        }
    }
}

/// Loops of fewer points run through the tile kernels, unless they do so often.
///
/// The environment variable `WENGERT_NATIVE` makes it all loops (`off`) or none (`always`). It is read once.
pub(super) fn fewest(often: bool) -> usize {
    static CHOSEN: OnceLock<usize> = OnceLock::new();
    let fewest = *CHOSEN.get_or_init(|| match std::env::var("WENGERT_NATIVE").as_deref() {
        Ok("off") => usize::MAX,
        Ok("always") => 1,
        _ => 2048,
    });
    if often && fewest < usize::MAX { 1 } else { fewest }
}

impl Loop {
    /// With its native form, if there is one and it has so many points; registers hold elements of up to `width` bytes.
    pub(super) fn with_native(mut self, width: usize, fewest: usize) -> Self {
        let possible = cfg!(all(unix, target_arch = "x86_64", not(miri))) && self.level >= Level::Avx2;
        if !possible || self.rows * self.cols < fewest {
            return self;
        }
        if let Some((native, registers)) = self.native_form() {
            for _ in 0..registers {
                self.scratch = self.scratch.next_multiple_of(64);
                self.slots.push(Place::Register(self.scratch as u32));
                self.scratch += self.tile * width;
            }
            self.native = Some(native);
        }
        self
    }

    /// Whether its native form is a single line that keeps nothing in registers, so that its tiles may be of any length.
    pub(super) fn is_one_line(&self) -> bool {
        let one = |native: &Native| match native.phases.as_slice() {
            [phase] => matches!(phase.body.as_slice(), [Action::Native { .. }]) && phase.after.is_empty(),
            _ => false,
        };
        let kept = |run: &Run| run.slots().any(|s| matches!(self.slots.get(s as usize), Some(Place::Register(_))));
        self.native.as_ref().is_some_and(|native| one(native) && !native.runs.iter().any(kept))
    }

    fn native_form(&self) -> Option<(Native, usize)> {
        let lists = self.phases.iter().flat_map(|p| [&p.body, &p.after]).chain([&self.prologue]);
        let actions = lists.map(Vec::len).max().unwrap_or(0);
        SlotId::try_from(self.slots.len() + actions).ok()?;
        let mut exposed = Slots::default();
        for list in std::iter::once(&self.prologue).chain(self.phases.iter().flat_map(|p| [&p.body, &p.after])) {
            expose(&mut exposed, list);
        }
        // Several rows a tile: lines that read values of rows go along one after another, if a row is a vector or more.
        let several = self.cols <= self.tile / 2;
        let lanes = |width: Width| width.bytes() / Float::F32.size();
        let fits = |width: Width| !several || self.cols >= lanes(width);
        let width = match self.level >= Level::Avx512 && (fits(Width::Zmm) || !fits(Width::Ymm)) {
            true => Width::Zmm,
            false => Width::Ymm,
        };
        let by_row = fits(width);
        // Where rows end with a part of a vector, what is taken twice should be little.
        let lanes = lanes(width);
        let long = !several || !by_row || self.cols.is_multiple_of(lanes) || self.cols >= 8 * lanes;
        let (uniform, spread) = self.uniform(by_row);
        let (lines, registers) = (Vec::new(), 0);
        let mut selection =
            Selection { slots: &self.slots, width, uniform, spread, exposed, inner: false, long, lines, registers };
        let mut phases = self.phases.clone();
        for phase in &mut phases {
            phase.body = selection.list(&phase.body);
        }
        let mut reads = self.reads.clone();
        for line in &mut selection.lines {
            let loads = line.reads();
            line.ahead = reads.iter().copied().filter(|slot| loads.iter().any(|l| l.0 == *slot)).collect();
            reads.retain(|slot| !line.ahead.contains(slot));
        }
        for phase in &mut phases {
            phase.moves.clear();
            for action in &mut phase.body {
                visit(action, &mut selection.lines, &mut |slot| phase.moves.push(*slot));
            }
            phase.moves.sort_unstable();
            phase.moves.dedup();
            phase.moves.retain(|&slot| self.slots.get(slot as usize).is_some_and(Place::moves));
        }
        // Lines read one element of a row's value: it need not be filled into a tile for them.
        let mut filled = Slots::default();
        for action in phases.iter().flat_map(|p| p.body.iter().chain(&p.after)).chain(&self.prologue) {
            filled.extend(action.slots().1);
        }
        filled.extend(selection.lines.iter().flat_map(Line::reads).map(|read| read.0));
        for line in selection.lines.iter_mut().filter(|_| several) {
            let value = |op: &Op| match *op {
                Op::Uniform(slot) if selection.spread.contains(slot) => Some((slot, filled.contains(slot))),
                _ => None,
            };
            let values: SmallVec<[(SlotId, bool); 4]> = line.ops.iter().filter_map(value).collect();
            line.rows = (!values.is_empty()).then_some(Rows { cols: self.cols, values });
        }
        let mut prologue = self.prologue.clone();
        selection.inner = true;
        for list in phases.iter_mut().map(|p| &mut p.after).chain([&mut prologue]) {
            for action in list.iter_mut() {
                if let Action::Expand { dst, src, size, .. } = *action
                    && selection.spread.contains(dst)
                    && !filled.contains(dst)
                {
                    *action = Action::Copy { dst, src, size };
                }
            }
            *list = selection.list(list);
        }
        let Selection { mut lines, registers, .. } = selection;
        if lines.is_empty() {
            return None;
        }
        let (mut code, mut runs) = (Vec::new(), Vec::with_capacity(lines.len()));
        for line in &lines {
            let made = emit::assemble(line)?;
            runs.push(Run::new(line, &made, code.len(), &self.slots));
            code.extend(made.bytes);
        }
        let setup = self.bare_setup(&prologue, &phases, &mut lines);
        Some((Native { setup, prologue, phases, reads, code, runs }, registers))
    }

    /// The setup without what only tile kernels need: lines read one element of what is the same everywhere, so it is not filled into a
    /// tile for them, but put at once where they read it.
    fn bare_setup(&self, prologue: &[Action], phases: &[Phase], lines: &mut [Line]) -> Vec<Action> {
        let lists = || phases.iter().flat_map(|p| p.body.iter().chain(&p.after)).chain(prologue);
        let (mut filled, mut read) = (Slots::default(), Slots::default());
        filled.extend(lists().flat_map(|action| action.slots().1));
        filled.extend(lines.iter().flat_map(Line::reads).map(|read| read.0));
        read.extend(lists().flat_map(|action| action.slots().1));
        read.extend(lines.iter_mut().flat_map(|line| line.slots_mut().map(|slot| *slot).collect::<Vec<_>>()));
        let mut setup: Vec<Action> = Vec::with_capacity(self.setup.len());
        for (at, action) in self.setup.iter().enumerate() {
            let read_here = |slot: SlotId| {
                self.setup.iter().enumerate().any(|(other, action)| other != at && action.slots().1.contains(&slot))
            };
            match *action {
                Action::Splat { dst, src, .. } if !filled.contains(dst) && !read_here(dst) => {
                    let alone = !read.contains(src) && !read_here(src);
                    let from = setup.iter_mut().rfind(|from| alone && from.slots().0 == Some(src));
                    match from.and_then(|from| from.slots_mut().0) {
                        Some(to) => *to = dst,
                        None => setup.push(Action::Copy { dst, src, size: 8 }),
                    }
                }
                _ => setup.push(action.clone()),
            }
        }
        setup
    }

    /// The registers that hold one element for all of a tile, or, if `by_row`, of a row, and those of them that are filled for each row.
    fn uniform(&self, by_row: bool) -> (Slots, Slots) {
        let (mut uniform, mut spread) = (Slots::default(), Slots::default());
        let lists = self.phases.iter().map(|p| &p.after).chain([&self.prologue, &self.setup]);
        for action in lists.flatten() {
            match action {
                Action::Splat { dst, .. } => uniform.insert(*dst),
                Action::Expand { dst, .. } if by_row => {
                    uniform.insert(*dst);
                    spread.insert(*dst);
                }
                _ => {}
            }
        }
        (uniform, spread)
    }

    /// Gives the loops of a program pages for their code, one mapping for all. Those that get none keep their tile kernels.
    pub(crate) fn link<'a>(loops: impl Iterator<Item = &'a mut Loop>) {
        let mut loops: Vec<(&mut Loop, Native)> =
            loops.filter_map(|l| l.native.take().map(|native| (l, native))).collect();
        if loops.is_empty() {
            return;
        }
        let code: Vec<u8> = loops.iter().flat_map(|(_, native)| &native.code).copied().collect();
        let Some(pages) = Pages::new(&code).map(Arc::new) else { return };
        let mut start = 0;
        for (code, native) in &mut loops {
            let size = native.code.len();
            code.setup = std::mem::take(&mut native.setup);
            code.prologue = std::mem::take(&mut native.prologue);
            code.phases = std::mem::take(&mut native.phases);
            code.reads = std::mem::take(&mut native.reads);
            let runs = std::mem::take(&mut native.runs);
            code.linked = Some(Linked { pages: pages.clone(), start, runs });
            start += size;
        }
    }
}
