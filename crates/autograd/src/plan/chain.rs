//! Steps that run part by part, so that what lies between them is never whole.
//!
//! Scores of attention are the reason: softmax(Q·Kᵀ)·V needs a matrix of positions × positions for each head, which is written and read
//! several times, and is larger than all else. But each step of it computes the part of a head (or some rows of it) from parts of a
//! head. Nothing here knows of attention: what counts is that a product with a batch has a value that only steps read which can be
//! cut the same way. The images of a batch go through convolutions, activations and pools like that, too.
//!
//! Where such a value is large and a later chain reads it (a gradient), that one computes it again: that takes about a tenth longer, and
//! the memory of one part.

use crate::hash::Table;
use crate::plan::arena::{Arena, Life};
use crate::plan::draft::{Draft, Draw, Made};
use crate::plan::part::{Cut, Cutter};
use smallvec::SmallVec;
use std::collections::BTreeSet;
use std::sync::OnceLock;
use wengert_tensor::kernels::threads::threads;
use wengert_tensor::program::region::Region;

/// A chain has at most so many steps.
const STEPS: usize = 16;
/// Steps that are further apart are not brought together, so that the search takes as long for each step, however many there are.
const REACH: usize = 96;
/// Chains that save less memory than this are not worth their parts.
const LEAST_BYTES: usize = 256 << 10;
/// What lies between the steps of a part should have about so many bytes: it stays in the L2 cache.
const PART_BYTES: usize = 256 << 10;
/// Values of so many bytes are computed again where a later chain reads them.
const FAR_BYTES: usize = 32 << 20;
/// Strips of large products have so many rows or a little more.
const ROWS: usize = 128;

/// What a chain must save, and how large a value is that is computed again. `WENGERT_CHAINS` is `off`, or `always` for tests of small values.
fn least() -> [usize; 2] {
    static LEAST: OnceLock<[usize; 2]> = OnceLock::new();
    *LEAST.get_or_init(|| match std::env::var("WENGERT_CHAINS").as_deref() {
        Ok("off") => [usize::MAX; 2],
        Ok("always") => [0; 2],
        _ => [LEAST_BYTES, FAR_BYTES],
    })
}

/// Finds the chains among steps in order. `kept` are the buffers whose values are wanted whole.
pub(crate) fn chained(mut list: Vec<Draft>, kept: impl Fn(u32) -> bool, fresh: &mut u32) -> Vec<Draft> {
    if least()[0] == usize::MAX || !list.iter().any(is_seed) {
        return list;
    }
    let mut uses = Uses::new(&list);
    let mut at = 0;
    while at < list.len() {
        if is_seed(&list[at]) {
            let finder = Finder { list: &list, uses: &uses, kept: &kept };
            if let Some(found) = finder.around(at) {
                list = anew(&list, &uses, &kept, &found, fresh).unwrap_or_else(|| put_together(list, &found));
                uses = Uses::new(&list);
                // Another step stands here now.
                continue;
            }
        }
        at += 1;
    }
    list
}

/// A batch of products.
fn is_seed(step: &Draft) -> bool {
    matches!(&step.work, Draw::Product { product, .. } if product.batch.iter().any(|axis| axis.0 > 1))
}

/// Who writes each buffer, and who reads it.
struct Uses {
    writer: Table<u32, usize>,
    readers: Table<u32, Vec<usize>>,
    bytes: Table<u32, usize>,
}

impl Uses {
    fn new(list: &[Draft]) -> Uses {
        let mut uses = Uses { writer: Table::default(), readers: Table::default(), bytes: Table::default() };
        for (at, step) in list.iter().enumerate() {
            for region in step.writes() {
                uses.writer.insert(region.buffer, at);
                uses.bytes.insert(region.buffer, region.len);
            }
            for region in step.reads() {
                let readers = uses.readers.entry(region.buffer).or_default();
                if readers.last() != Some(&at) {
                    readers.push(at);
                }
            }
        }
        uses
    }

    fn readers(&self, buffer: u32) -> &[usize] {
        self.readers.get(&buffer).map_or(&[], Vec::as_slice)
    }
}

/// Steps that run together, by their places in the list, and the values that nobody else reads.
struct Found {
    seed: usize,
    members: BTreeSet<usize>,
    inside: Vec<u32>,
    /// Steps between them that wait for the chain.
    behind: BTreeSet<usize>,
    cut: Cut,
}

struct Finder<'a, F> {
    list: &'a [Draft],
    uses: &'a Uses,
    kept: &'a F,
}

impl<F: Fn(u32) -> bool> Finder<'_, F> {
    /// The chain that begins with a product, if it is worth it.
    fn around(&self, seed: usize) -> Option<Found> {
        let Draw::Product { product, .. } = &self.list[seed].work else { return None };
        let count: usize = product.batch.iter().map(|axis| axis.0).product();
        if count < 2 {
            return None;
        }
        // Where all parts share a matrix, those that run in order share its copy.
        let found = self.grown(seed, [count, in_order(1, count)])?;
        let found = match found.cut.shares {
            true => found,
            false => match self.cut(&found.members, [count, 1]) {
                Some(cut) => Found { cut, ..found },
                None => self.grown(seed, [count, 1])?,
            },
        };
        let saved: usize = found.inside.iter().filter_map(|buffer| self.uses.bytes.get(buffer)).sum();
        if saved < least()[0] {
            return None;
        }
        if found.cut.shares {
            return Some(found);
        }
        // Several small products in a part, or some rows of a large one, if that saves as much.
        let cut = |parts: [usize; 2]| self.cut(&found.members, parts);
        let each = found.cut.room;
        if each < PART_BYTES {
            let most = (PART_BYTES / each.max(1)).clamp(1, count / 8 + 1);
            let several = (2..=most).rev().filter(|several| count.is_multiple_of(*several));
            let larger = several.filter_map(|several| cut([count / several, 1])).next();
            return Some(match larger {
                Some(cut) => Found { cut, ..found },
                None => found,
            });
        }
        let strips = (2..=product.m / ROWS).rev().filter(|strips| product.m.is_multiple_of(*strips));
        let smaller = strips.filter_map(|strips| cut([count * strips, in_order(count, strips)])).next();
        Some(match smaller {
            Some(cut) => Found { cut, ..found },
            None => found,
        })
    }

    /// All that runs in so many parts along with a product.
    fn grown(&self, seed: usize, parts: [usize; 2]) -> Option<Found> {
        let mut members = BTreeSet::from([seed]);
        let mut refused: BTreeSet<usize> = BTreeSet::new();
        while let Some(next) = self.next(&members, &refused, seed).filter(|_| members.len() < STEPS) {
            members.insert(next);
            if self.behind(&members).is_none() || self.cut(&members, parts).is_none() {
                members.remove(&next);
                refused.insert(next);
            } else {
                // What waited for a step between may follow it now.
                refused.clear();
            }
        }
        let inside = self.inside(&members);
        let (behind, cut) = (self.behind(&members)?, self.cut(&members, parts)?);
        (!inside.is_empty()).then_some(Found { seed, members, inside, behind, cut })
    }

    /// A step that reads what members write, or writes what they read.
    fn next(&self, members: &BTreeSet<usize>, refused: &BTreeSet<usize>, seed: usize) -> Option<usize> {
        let open = |at: &usize| {
            let possible = match &self.list[*at].work {
                Draw::Loop(_) => true,
                Draw::Product { .. } => is_seed(&self.list[*at]),
                Draw::Call { kernel, .. } => kernel.by_rows(),
                Draw::Chain(_) => false,
            };
            possible && !members.contains(at) && !refused.contains(at) && at.abs_diff(seed) < REACH
        };
        let reader = members.iter().find_map(|&at| {
            let writes = self.list[at].writes();
            writes.iter().find_map(|region| self.uses.readers(region.buffer).iter().copied().find(open))
        });
        reader.or_else(|| {
            members.iter().find_map(|&at| {
                let reads = self.list[at].reads();
                reads.iter().find_map(|region| self.uses.writer.get(&region.buffer).copied().filter(open))
            })
        })
    }

    /// The steps between the members that read, by way of others, what members write. None if a member does.
    fn behind(&self, members: &BTreeSet<usize>) -> Option<BTreeSet<usize>> {
        let (&first, &last) = (members.first()?, members.last()?);
        let mut wait: BTreeSet<u32> = BTreeSet::new();
        let mut written: BTreeSet<u32> = BTreeSet::new();
        let mut behind = BTreeSet::new();
        for at in first..=last {
            let step = &self.list[at];
            let reads = step.reads();
            let waits = reads.iter().any(|region| wait.contains(&region.buffer));
            if members.contains(&at) {
                if waits {
                    return None;
                }
                written.extend(step.writes().iter().map(|region| region.buffer));
            } else if waits || reads.iter().any(|region| written.contains(&region.buffer)) {
                wait.extend(step.writes().iter().map(|region| region.buffer));
                behind.insert(at);
            }
        }
        Some(behind)
    }

    /// What members write and only members read.
    fn inside(&self, members: &BTreeSet<usize>) -> Vec<u32> {
        let writes = members.iter().flat_map(|&at| self.list[at].writes());
        let alone = |buffer: &u32| {
            let readers = self.uses.readers(*buffer);
            !(self.kept)(*buffer) && !readers.is_empty() && readers.iter().all(|reader| members.contains(reader))
        };
        writes.map(|region| region.buffer).filter(alone).collect()
    }

    /// One part of the members, if all of them can be cut.
    fn cut(&self, members: &BTreeSet<usize>, parts: [usize; 2]) -> Option<Cut> {
        let inside = self.inside(members);
        let order: Vec<usize> = members.iter().copied().collect();
        let when = |at: usize| order.iter().position(|known| *known == at);
        let mut lives = Vec::with_capacity(inside.len());
        for buffer in &inside {
            let first = when(*self.uses.writer.get(buffer)?)?;
            let last = self.uses.readers(*buffer).last().and_then(|&last| when(last))?;
            lives.push(Life { bytes: self.uses.bytes.get(buffer)? / parts[0], first, last });
        }
        let mut by_first: Vec<usize> = (0..inside.len()).collect();
        by_first.sort_by_key(|&i| lives[i].first);
        let sorted: Vec<Life> = by_first.iter().map(|&i| lives[i]).collect();
        let (arena, offsets) = Arena::pack(&sorted);
        let places: Vec<(u32, usize)> = by_first.iter().zip(offsets).map(|(&i, offset)| (inside[i], offset)).collect();
        let mut cutter = Cutter::new(parts, &places);
        order.iter().try_for_each(|&at| cutter.cut(&self.list[at]))?;
        Some(cutter.finish(arena.size()))
    }
}

/// How many strips run in order, sharing copies, so that there is work for all threads.
fn in_order(count: usize, strips: usize) -> usize {
    let enough = |in_order: &usize| strips.is_multiple_of(*in_order) && count * strips / in_order >= 2 * threads();
    (1..=strips).rev().find(enough).unwrap_or(1)
}

/// The list with a chain in the place of its steps.
fn put_together(list: Vec<Draft>, found: &Found) -> Vec<Draft> {
    let (Some(&first), Some(&last)) = (found.members.first(), found.members.last()) else { return list };
    let mut made = Made::default();
    for step in found.members.iter().filter_map(|&at| list.get(at)) {
        made.groups.extend(step.made.groups.iter().copied());
        for (region, &item) in step.writes().iter().zip(&step.made.items) {
            if !found.inside.contains(&region.buffer) {
                made.items.push(item);
            }
        }
    }
    let chain = Draft { work: Draw::Chain(Box::new(found.cut.clone())), made };
    let (mut before, mut behind, mut after) = (Vec::with_capacity(list.len()), Vec::new(), Vec::new());
    for (at, step) in list.into_iter().enumerate() {
        match at {
            _ if found.members.contains(&at) => {}
            _ if at > last => after.push(step),
            _ if at > first && found.behind.contains(&at) => behind.push(step),
            _ => before.push(step),
        }
    }
    before.push(chain);
    before.extend(behind);
    before.extend(after);
    before
}

/// The list with a chain, and with one more that computes again what others read of it, if that then is never whole.
fn anew(
    list: &[Draft],
    uses: &Uses,
    kept: &impl Fn(u32) -> bool,
    found: &Found,
    fresh: &mut u32,
) -> Option<Vec<Draft>> {
    let far = |buffer: u32| uses.bytes.get(&buffer).is_some_and(|&bytes| bytes >= least()[1]) && !kept(buffer);
    let writes = found.members.iter().flat_map(|&at| list[at].writes());
    let large: SmallVec<[u32; 2]> = writes
        .map(|region| region.buffer)
        .filter(|buffer| {
            let outside = uses.readers(*buffer).iter().any(|reader| !found.members.contains(reader));
            far(*buffer) && outside
        })
        .collect();
    if large.is_empty() {
        return None;
    }
    let outside = |buffer: u32| uses.readers(buffer).iter().copied().filter(|reader| !found.members.contains(reader));
    let first = large.iter().flat_map(|&buffer| outside(buffer)).min()?;
    // The steps that lead to these values, from what is whole.
    let mut needed: BTreeSet<usize> = BTreeSet::new();
    let mut open: Vec<usize> = large.iter().filter_map(|buffer| uses.writer.get(buffer).copied()).collect();
    while let Some(at) = open.pop() {
        if found.members.contains(&at) && needed.insert(at) {
            let writers = list[at].reads().into_iter().filter_map(|region| uses.writer.get(&region.buffer).copied());
            open.extend(writers.filter(|writer| found.members.contains(writer)));
        }
    }
    let mut renamed: Table<u32, u32> = Table::default();
    let mut copies: Vec<Draft> = Vec::with_capacity(needed.len());
    for &at in &needed {
        let mut copy = list[at].clone();
        let wanted = |region: &Region| {
            large.contains(&region.buffer) || uses.readers(region.buffer).iter().any(|reader| needed.contains(reader))
        };
        if let Draw::Loop(spec) = &mut copy.work {
            let stays: Vec<bool> = spec.stores.iter().map(|store| wanted(&store.region)).collect();
            let mut stay = stays.iter();
            spec.stores.retain(|_| stay.next().copied().unwrap_or(false));
            let mut stay = stays.iter();
            copy.made.items.retain(|_| stay.next().copied().unwrap_or(false));
        }
        for region in copy.writes() {
            renamed.insert(region.buffer, *fresh);
            *fresh += 1;
        }
        copy.each_region(|region| {
            if let Some(&name) = renamed.get(&region.buffer) {
                region.buffer = name;
            }
        });
        copies.push(copy);
    }
    let mut longer: Vec<Draft> = Vec::with_capacity(list.len() + copies.len());
    let (count, seeds) = (copies.len(), copies.iter().position(is_seed)?);
    for (at, step) in list.iter().enumerate() {
        if at == first {
            longer.append(&mut copies);
        }
        let mut step = step.clone();
        if !found.members.contains(&at) {
            step.each_region(|region| {
                if let Some(&name) = renamed.get(&region.buffer).filter(|_| large.contains(&region.buffer)) {
                    region.buffer = name;
                }
            });
        }
        longer.push(step);
    }
    let uses = Uses::new(&longer);
    let finder = Finder { list: &longer, uses: &uses, kept };
    let moved = if found.seed >= first { found.seed + count } else { found.seed };
    let chain = finder.around(moved)?;
    if !large.iter().all(|buffer| chain.inside.contains(buffer)) {
        return None;
    }
    let seed = longer.get(first + seeds)?.writes().first()?.buffer;
    let shorter = put_together(longer, &chain);
    let uses = Uses::new(&shorter);
    let finder = Finder { list: &shorter, uses: &uses, kept };
    let other = finder.around(*uses.writer.get(&seed)?)?;
    let again = large.iter().all(|buffer| renamed.get(buffer).is_some_and(|name| other.inside.contains(name)));
    again.then(|| put_together(shorter, &other))
}
