//! Whether a loop may write a result over one of its operands.

use crate::kernels::loops::Loop;
use crate::kernels::loops::code::{Action, Phase, Place, SlotId};
use crate::kernels::loops::native::Run;
use crate::program::region::Region;
use smallvec::SmallVec;

impl Loop {
    /// Whether the operand in `load` may lie in the very memory of the result in `store`.
    ///
    /// So it is where both are walked point by point in elements of one width, and no element of the operand is read behind the
    /// action that writes the result in its place.
    pub fn may_replace(&self, load: &Region, store: &Region) -> bool {
        let Some(pair) = self.pair(load, store) else { return false };
        let linked = self.linked.as_ref().map_or(&[][..], |linked| linked.runs());
        let native = self.native.as_ref().is_none_or(|native| pair.in_order(native.phases(), native.runs()));
        native && pair.in_order(&self.phases, linked)
    }

    /// The slots of an operand and of a result that are walked alike, if nothing else of the loop touches either.
    fn pair(&self, load: &Region, store: &Region) -> Option<Pair> {
        let mut pair = Pair::default();
        let mut width = None;
        for (slot, place) in self.slots.iter().enumerate() {
            let (Place::Flat(region, _) | Place::Col(region, _) | Place::Row(region, _)) = place else { continue };
            let (list, whole) = match (region.overlaps(load), region.overlaps(store)) {
                (false, false) => continue,
                (true, true) => return None,
                (true, false) => (&mut pair.reads, load),
                (false, true) => (&mut pair.writes, store),
            };
            // A slot that is read knows where its elements begin, and not how many there are.
            match place {
                Place::Flat(region, size) if region.offset == whole.offset => {
                    if *width.get_or_insert(*size) != *size {
                        return None;
                    }
                }
                _ => return None,
            }
            list.push(slot as SlotId);
        }
        let bodies = self.phases.iter().flat_map(|p| p.body.iter().chain(&p.after));
        for action in self.setup.iter().chain(&self.prologue).chain(bodies) {
            if let Action::Gather { region, .. } | Action::Repeat { region, .. } | Action::Element { region, .. } =
                action
                && (region.overlaps(load) || region.overlaps(store))
            {
                return None;
            }
        }
        let early = self.setup.iter().chain(&self.prologue);
        let by_row = early.chain(self.phases.iter().flat_map(|p| &p.after));
        // Lines by row read registers alone.
        let alone = by_row.flat_map(|a| a.slots().1).all(|slot| !pair.reads.contains(&slot));
        let finals = self.finals.iter().all(|f| !f.region.overlaps(store));
        (alone && finals && !pair.reads.is_empty() && !pair.writes.is_empty()).then_some(pair)
    }
}

/// The slots of an operand, and of the result that is to take its place.
#[derive(Default)]
struct Pair {
    reads: SmallVec<[SlotId; 2]>,
    writes: SmallVec<[SlotId; 2]>,
}

impl Pair {
    /// Whether the result is written once, and no action behind that reads the operand.
    fn in_order(&self, phases: &[Phase], runs: &[Run]) -> bool {
        let mut written = false;
        for action in phases.iter().flat_map(|phase| &phase.body) {
            let run = match action {
                Action::Native { line } => match runs.get(*line as usize) {
                    Some(run) => Some(run),
                    None => return false,
                },
                _ => None,
            };
            let (reads, writes) = match run {
                Some(run) => {
                    (run.reads().any(|s| self.reads.contains(&s)), run.writes().any(|s| self.writes.contains(&s)))
                }
                None => {
                    let (to, from) = action.slots();
                    (from.iter().any(|s| self.reads.contains(s)), to.is_some_and(|s| self.writes.contains(&s)))
                }
            };
            if written && (reads || writes) {
                return false;
            }
            if reads && writes {
                // Kernels of tiles may replace an operand; a line says for itself.
                let kept = match run {
                    Some(run) => self.reads.iter().all(|&r| self.writes.iter().all(|&w| run.reads_before(r, w))),
                    None => matches!(action, Action::Call { .. } | Action::Copy { .. }),
                };
                if !kept {
                    return false;
                }
            }
            written |= writes;
        }
        written
    }
}
