//! Which actions of a list become lines.
//!
//! A run takes every action that it can: what stands between two maps and depends on neither is done before or after, reductions
//! above all. So that no action depends on another only because both use one register, registers that live within the body get a
//! new name for each value first; the names that memory still holds in the end become registers again.

use crate::kernels::loops::code::{Action, Place, SlotId};
use crate::kernels::loops::native::assembler::{Float, Width};
use crate::kernels::loops::native::line::{Kind, Line, Op, Value};
use crate::kernels::loops::native::{emit, formulas};
use smallvec::SmallVec;

/// A line of fewer actions is not worth it, unless it saves that a register is filled.
const FEWEST: usize = 2;
/// A line of more actions leaves nothing for the next.
const MOST: usize = 256;

/// A set of slots.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots(Vec<u64>);

impl Slots {
    pub(super) fn insert(&mut self, slot: SlotId) {
        let word = slot as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (slot % 64);
    }

    pub(super) fn contains(&self, slot: SlotId) -> bool {
        self.0.get(slot as usize / 64).is_some_and(|word| word >> (slot % 64) & 1 == 1)
    }

    fn any(&self, slots: &[SlotId]) -> bool {
        slots.iter().any(|&s| self.contains(s))
    }

    pub(super) fn extend(&mut self, slots: impl IntoIterator<Item = SlotId>) {
        slots.into_iter().for_each(|s| self.insert(s));
    }
}

/// What a selection knows of the loop.
pub(super) struct Selection<'a> {
    pub(super) slots: &'a [Place],
    /// Of the vectors that lines compute with.
    pub(super) width: Width,
    /// Registers with one element for all of a tile.
    pub(super) uniform: Slots,
    /// Those that are filled anew for each row.
    pub(super) spread: Slots,
    /// Slots that some list of actions reads before it writes them.
    pub(super) exposed: Slots,
    /// Whether lines keep to registers: those of a few elements, whose way to memory is longer than they are.
    pub(super) inner: bool,
    /// Whether lines take functions of many instructions. They want two vectors side by side: the processor would wait for one alone.
    pub(super) long: bool,
    pub(super) lines: Vec<Line>,
    /// Registers for values of lines, behind `slots`.
    pub(super) registers: usize,
}

fn is_long(action: &Action) -> bool {
    matches!(action, Action::Call { meaning, .. } if formulas::is_long(meaning))
}

/// The slots that a list of actions reads before it writes them.
pub(super) fn expose(exposed: &mut Slots, actions: &[Action]) {
    let mut written = Slots::default();
    for action in actions {
        let (dst, sources) = action.slots();
        exposed.extend(sources.into_iter().filter(|&s| !written.contains(s)));
        written.extend(dst);
    }
}

impl Selection<'_> {
    /// A list of actions, with lines in it.
    pub(super) fn list(&mut self, list: &[Action]) -> Vec<Action> {
        let (lines, long) = (self.lines.len(), self.long);
        let mut body = self.with_lines(list);
        if long && self.lines[lines..].iter().any(|line| line.is_long() && !emit::fits_twice(line)) {
            self.lines.truncate(lines);
            self.long = false;
            body = self.with_lines(list);
            self.long = long;
        }
        self.settle(&mut body);
        body
    }

    fn with_lines(&mut self, list: &[Action]) -> Vec<Action> {
        let mut body = self.renamed(list);
        for float in [Float::F32, Float::F64] {
            let mut done = Vec::with_capacity(body.len());
            while let Some(rest) = self.run(&mut done, &body, float) {
                body = rest;
            }
            done.append(&mut body);
            body = done;
        }
        body
    }

    /// The body with a name of its own for each value in a register that nobody outside reads.
    fn renamed(&self, body: &[Action]) -> Vec<Action> {
        let local = |s: SlotId| matches!(self.slots[s as usize], Place::Register(_)) && !self.exposed.contains(s);
        let mut names: Vec<SlotId> = (0..self.slots.len() as SlotId).collect();
        let mut fresh = self.slots.len();
        let rename = |action: &Action| {
            let mut action = action.clone();
            let (dst, sources) = action.slots_mut();
            sources.into_iter().for_each(|s| *s = names[*s as usize]);
            if let Some(dst) = dst.filter(|dst| local(**dst)) {
                names[*dst as usize] = fresh as SlotId;
                *dst = fresh as SlotId;
                fresh += 1;
            }
            action
        };
        body.iter().map(rename).collect()
    }

    /// Whether an action may stand in a line on this type.
    fn fits(&self, action: &Action, float: Float) -> bool {
        let (dst, sources) = action.slots();
        if self.inner && dst.iter().chain(&sources).any(|&s| !self.is_register(s)) {
            return false;
        }
        match action {
            Action::Call { meaning, .. } => formulas::lanes(meaning).is_some_and(|of| of.is_none_or(|of| of == float)),
            Action::Copy { size, .. } | Action::Stream { size, .. } => *size == float.size(),
            _ => false,
        }
    }

    /// Whether no memory holds a slot. The names that a list is given are registers.
    fn is_register(&self, slot: SlotId) -> bool {
        self.slots.get(slot as usize).is_none_or(|place| matches!(place, Place::Register(_)))
    }

    /// The slots that an action writes, and those that it reads.
    fn ends(&self, action: &Action) -> (SmallVec<[SlotId; 3]>, SmallVec<[SlotId; 3]>) {
        if let Action::Native { line } = action
            && let Some(line) = self.lines.get(*line as usize)
        {
            let names = |ends: SmallVec<[(SlotId, u8); 8]>| ends.into_iter().map(|end| end.0).collect();
            return (names(line.writes()), names(line.reads()));
        }
        let (dst, sources) = action.slots();
        (dst.into_iter().collect(), sources)
    }

    /// Takes the first run of a body: what comes before it, and itself, go to `done`; what is left is returned. `None` if there is
    /// none.
    fn run(&mut self, done: &mut Vec<Action>, body: &[Action], float: Float) -> Option<Vec<Action>> {
        let (mut reads, mut writes) = (Slots::default(), Slots::default());
        let (mut later_reads, mut later_writes) = (Slots::default(), Slots::default());
        let (mut before, mut taken, mut after): (Vec<&Action>, Vec<&Action>, Vec<&Action>) = Default::default();
        for action in body {
            let (dst, sources) = self.ends(action);
            let dst = dst.as_slice();
            let overtakes = later_writes.any(&sources) || later_writes.any(dst) || later_reads.any(dst);
            // A line reads memory when it likes: it must not write what it reads.
            let takes = self.fits(action, float) && taken.len() < MOST && !reads.any(dst) && !writes.any(dst);
            // Two long ones are too many values for the registers.
            let takes = takes && !(is_long(action) && (!self.long || taken.iter().any(|taken| is_long(taken))));
            if !overtakes && takes {
                reads.extend(sources.into_iter().filter(|&s| !writes.contains(s)).collect::<SmallVec<[SlotId; 3]>>());
                writes.extend(dst.iter().copied());
                taken.push(action);
            } else if !overtakes && !writes.any(&sources) && !writes.any(dst) && !reads.any(dst) {
                before.push(action);
            } else {
                later_reads.extend(sources);
                later_writes.extend(dst.iter().copied());
                after.push(action);
            }
        }
        if taken.is_empty() {
            return None;
        }
        let saves = |action: &&Action| self.spread.any(&action.slots().1);
        let worth = taken.len() >= FEWEST || taken.iter().any(saves);
        let live = |s: SlotId| !self.is_register(s) || self.exposed.contains(s) || later_reads.contains(s);
        let line = if worth { self.line(&taken, float, &live) } else { None };
        done.extend(before.into_iter().cloned());
        match (line, u16::try_from(self.lines.len())) {
            (Some(made), Ok(line)) => {
                self.lines.push(made);
                done.push(Action::Native { line });
            }
            _ => done.extend(taken.into_iter().cloned()),
        }
        Some(after.into_iter().cloned().collect())
    }

    /// The line of some actions, which stores what is live behind it.
    fn line(&self, actions: &[&Action], float: Float, live: &dyn Fn(SlotId) -> bool) -> Option<Line> {
        let mut line = Line::new(float, self.width);
        let mut values: Vec<(SlotId, Value)> = Vec::with_capacity(actions.len());
        for action in actions {
            let read = |line: &mut Line, slot: SlotId, kind: Kind| {
                let known = values.iter().find(|v| v.0 == slot).map(|v| v.1);
                known.unwrap_or_else(|| match kind {
                    Kind::Floats if self.uniform.contains(slot) => line.once(Op::Uniform(slot)),
                    _ => line.once(Op::Load(slot, kind, 0)),
                })
            };
            let (dst, value, flags) = match action {
                Action::Call { meaning, dst, a, b, c, .. } => {
                    let (kinds, arity) = formulas::operands(meaning);
                    let first = read(&mut line, *a, kinds[0]);
                    let second = if arity > 1 { read(&mut line, *b, kinds[1]) } else { first };
                    let third = if arity > 2 { read(&mut line, *c, kinds[2]) } else { first };
                    let value = formulas::write(&mut line, meaning, [first, second, third])?;
                    (*dst, value, formulas::gives_flags(meaning))
                }
                Action::Copy { dst, src, .. } | Action::Stream { dst, src, .. } => {
                    (*dst, read(&mut line, *src, Kind::Floats), false)
                }
                _ => return None,
            };
            values.push((dst, value));
            if live(dst) {
                line.push(match (flags, action) {
                    (true, _) => Op::StoreFlags(dst, value, 0),
                    (false, Action::Stream { .. }) => Op::Stream(dst, value, 0),
                    (false, _) => Op::Store(dst, value, 0),
                });
            }
        }
        Some(line)
    }

    /// Gives registers to the names that are left, the same to those that never meet.
    fn settle(&mut self, body: &mut [Action]) {
        let own = self.slots.len() as SlotId;
        let mut last: Vec<(SlotId, usize)> = Vec::new();
        for (at, action) in body.iter_mut().enumerate() {
            visit(action, &mut self.lines, &mut |slot| {
                match last.iter_mut().find(|l| l.0 == *slot) {
                    Some(l) => l.1 = at,
                    None if *slot >= own => last.push((*slot, at)),
                    None => {}
                };
            });
        }
        let (mut free, mut given): (Vec<SlotId>, Vec<(SlotId, SlotId, usize)>) = Default::default();
        let mut registers = own;
        for (at, action) in body.iter_mut().enumerate() {
            // What was read for the last time before this action.
            free.extend(given.iter().filter(|g| g.2 < at).map(|g| g.1));
            given.retain(|g| g.2 >= at);
            visit(action, &mut self.lines, &mut |slot| {
                if *slot < own {
                    return;
                }
                let known = given.iter().find(|g| g.0 == *slot).map(|g| g.1);
                *slot = known.unwrap_or_else(|| {
                    let new = free.pop().unwrap_or_else(|| {
                        registers += 1;
                        registers - 1
                    });
                    let until = last.iter().find(|l| l.0 == *slot).map_or(at, |l| l.1);
                    given.push((*slot, new, until));
                    new
                });
            });
        }
        self.registers = self.registers.max((registers - own) as usize);
    }
}

/// The slots of an action, and of its line if it has one.
pub(super) fn visit(action: &mut Action, lines: &mut [Line], f: &mut dyn FnMut(&mut SlotId)) {
    if let Action::Native { line } = action {
        if let Some(line) = lines.get_mut(*line as usize) {
            line.slots_mut().for_each(f);
        }
        return;
    }
    let (dst, sources) = action.slots_mut();
    sources.into_iter().for_each(&mut *f);
    dst.into_iter().for_each(f);
}
