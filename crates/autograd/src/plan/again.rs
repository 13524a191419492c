//! What is computed again instead of being read from memory.
//!
//! A loop that reads a cheap value along with all that it is computed of may as well compute it: arithmetic on what is in registers is
//! faster than another stream from memory. If all readers do so the value is never stored, so a gradient keeps fewer values of the
//! forward pass alive. An element's bits are the same wherever it is computed.

use crate::hash::Table;
use crate::plan::group::{Grouping, NONE, is_cheap, is_short};
use crate::plan::lower::{Item, Operand, Work};
use smallvec::SmallVec;
use std::collections::BTreeSet;
use wengert_tensor::layout::Layout;

/// So many values are computed again in one loop.
const MOST: usize = 32;
/// So many of them are computed to have one.
const CHAIN: usize = 8;
/// A value of so many bytes leaves the cache before it is read again: to write and read it takes longer than a short function.
const FAR_BYTES: usize = 1 << 20;

/// How a loop reads a value from memory: through which layouts.
type Reads = Table<u32, SmallVec<[Layout; 1]>>;

/// Finds what each loop computes again.
pub(crate) fn again(items: &[Item], outputs: &[u32], grouping: &mut Grouping) {
    let mut reads: Vec<Reads> = Vec::with_capacity(grouping.groups.len());
    // How many steps read an item from memory. What is in memory anyway has one reader more.
    let mut readers = vec![0u32; items.len()];
    for &output in outputs {
        readers[output as usize] += 1;
    }
    for g in 0..grouping.groups.len() as u32 {
        let found = from_memory(items, grouping, g, &grouping.groups[g as usize].members);
        found.keys().for_each(|&id| readers[id as usize] += 1);
        reads.push(found);
    }
    for (item, readers) in items.iter().zip(&mut readers) {
        *readers += u32::from(matches!(item.work, Work::Tensor(_) | Work::MatMul(..) | Work::Kernel(_)));
    }
    for g in 0..grouping.groups.len() as u32 {
        let group = &grouping.groups[g as usize];
        if group.n == 0 || group.members.is_empty() {
            continue;
        }
        let n = group.n;
        let reads = &mut reads[g as usize];
        let mut candidates: Vec<u32> = reads.keys().copied().collect();
        let mut taken = 0;
        // Users come before their operands, which may then be candidates themselves.
        candidates.sort_unstable();
        while let Some(id) = candidates.pop() {
            let item = &items[id as usize];
            let possible = |id: u32| {
                let item = &items[id as usize];
                let short = is_cheap(item) || (is_short(item) && item.bytes() >= FAR_BYTES);
                short && item.len() == n && grouping.group[id as usize] != NONE
            };
            if !possible(id) || taken >= MOST || !reads.get(&id).is_some_and(|layouts| whole_of(items, id, layouts)) {
                continue;
            }
            // What it is computed of, back to what is in memory anyway or cannot be computed again.
            let mut computed: SmallVec<[u32; CHAIN]> = SmallVec::from_slice(&[id]);
            let needed = loop {
                let needed = from_memory(items, grouping, g, &computed);
                let absent = |id: &u32| readers[*id as usize] == 0 && possible(*id) && !computed.contains(id);
                match needed.iter().find(|(id, layouts)| absent(id) && whole_of(items, **id, layouts)) {
                    Some((&next, _)) if computed.len() < CHAIN => computed.push(next),
                    _ => break needed,
                }
            };
            let (inside, needed): (Reads, Reads) = needed.into_iter().partition(|(id, _)| computed.contains(id));
            if inside.iter().any(|(id, layouts)| !whole_of(items, *id, layouts))
                || needed.is_empty()
                || needed.keys().any(|of| grouping.floating[*of as usize])
            {
                continue;
            }
            // A short function takes about as long as a stream from memory.
            let computing = |id: &&u32| !is_cheap(&items[**id as usize]);
            let mut cost: usize = computed.iter().filter(computing).map(|&id| items[id as usize].bytes()).sum();
            for (&of, layouts) in &needed {
                let size = items[of as usize].dtype.size();
                let known = reads.get(&of);
                let new = layouts.iter().filter(|layout| known.is_none_or(|known| !known.contains(layout)));
                cost += new.map(|layout| distinct(layout) * size).sum::<usize>();
                cost += if readers[of as usize] == 0 { items[of as usize].bytes() } else { 0 };
            }
            let saved = if readers[id as usize] == 1 { 2 * item.bytes() } else { item.bytes() };
            if cost >= saved {
                continue;
            }
            grouping.again.extend(computed.iter().map(|&id| ((g, id), ())));
            taken += computed.len();
            reads.remove(&id);
            readers[id as usize] -= 1;
            for (of, layouts) in needed {
                let known = reads.entry(of).or_insert_with(|| {
                    readers[of as usize] += 1;
                    let at = candidates.partition_point(|candidate| *candidate < of);
                    if candidates.get(at) != Some(&of) {
                        candidates.insert(at, of);
                    }
                    SmallVec::new()
                });
                known.extend(layouts.into_iter().filter(|layout| !known.contains(layout)).collect::<Vec<_>>());
            }
        }
    }
}

/// What group `g` reads from memory to compute these items.
fn from_memory(items: &[Item], grouping: &Grouping, g: u32, ids: &[u32]) -> Reads {
    let mut found = Reads::default();
    let mut expanded: BTreeSet<u32> = BTreeSet::new();
    let mut open: Vec<&Operand> = ids.iter().flat_map(|&id| &items[id as usize].operands).collect();
    while let Some(operand) = open.pop() {
        let of = &items[operand.item as usize];
        if matches!(of.work, Work::Scalar(_) | Work::Fill(_)) || grouping.group[operand.item as usize] == g {
            continue;
        }
        if grouping.recomputes(g, operand.item) && operand.is_whole(items) {
            if expanded.insert(operand.item) {
                open.extend(&of.operands);
            }
            continue;
        }
        let layouts = found.entry(operand.item).or_default();
        if !layouts.contains(&operand.layout) {
            layouts.push(operand.layout.clone());
        }
    }
    found
}

/// Whether an item is read as it lies, and in no other way.
fn whole_of(items: &[Item], id: u32, layouts: &[Layout]) -> bool {
    layouts.iter().all(|layout| Operand { item: id, layout: layout.clone() }.is_whole(items))
}

/// Elements that a layout reads, each counted once.
fn distinct(layout: &Layout) -> usize {
    let axes = layout.shape().iter().zip(layout.strides());
    axes.filter(|(_, stride)| **stride != 0).map(|(extent, _)| extent).product()
}
