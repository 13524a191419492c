//! What the steps of a program do to memory, and how much they compute: for reports.

use crate::kernels::matmul::Side;
use crate::program::chain::Slices;
use crate::program::loops::{Def, Load};
use crate::program::region::{ARENA, Region};
use crate::program::{Program, Step};
use crate::shape::Shape;
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// Bytes and operations of one run of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes of the elements that are read, each counted once however often it is read.
    pub read: usize,
    /// Bytes that are written.
    pub written: usize,
    /// Floating-point operations: two per multiply-add of a product; in a loop, one for each function or reduction of each element,
    /// whatever the function costs. `None` for a call that does not say.
    pub flops: Option<u64>,
}

impl Step {
    /// Bytes and operations of one run.
    pub fn traffic(&self) -> Traffic {
        let written = self.writes().iter().map(|region| region.len).sum();
        match self {
            Step::Loop(code) => {
                let spec = code.spec();
                let per = |def: &Def| match def {
                    Def::Map(..) | Def::RowReduce(..) | Def::ColReduce(..) => spec.n as u64,
                    _ => 0,
                };
                let flops = spec.values.iter().map(|value| per(&value.def)).sum();
                let mut read: Vec<(Region, usize)> = Vec::new();
                for value in &spec.values {
                    let Def::Load(load) = &value.def else { continue };
                    let bytes = distinct(load) * value.dtype.size();
                    match read.iter_mut().find(|(region, _)| *region == load.region) {
                        Some((region, read)) => *read = region.len.min((*read).max(bytes)),
                        None => read.push((load.region, bytes)),
                    }
                }
                Traffic { read: read.iter().map(|(_, bytes)| bytes).sum(), written, flops: Some(flops) }
            }
            Step::MatMul { product, a, b, .. } => {
                let size = product.dtype.size();
                let distinct = |sides: &[Side; 2], lengths: [usize; 2], batch: fn(&Axis) -> isize| {
                    let sides = sides.iter().zip(lengths).map(|(side, length)| along(side, length));
                    let batch = product.batch.iter().filter(|axis| batch(axis) != 0).map(|axis| axis.0);
                    sides.chain(batch).product::<usize>() * size
                };
                let [m, n, k] = [product.m, product.n, product.k];
                let read = distinct(&product.a, [m, k], |axis| axis.1).min(a.0.len)
                    + distinct(&product.b, [k, n], |axis| axis.2).min(b.0.len);
                Traffic { read, written, flops: Some(product.flops()) }
            }
            Step::Call { kernel, inputs, output, .. } => {
                let shapes: SmallVec<[&Shape; 4]> = inputs.iter().map(|(.., shape)| shape).collect();
                let read = inputs.iter().map(|(region, ..)| region.len).sum();
                Traffic { read, written, flops: kernel.flops(&shapes, &output.2) }
            }
            Step::Chain(chain) => {
                // Parts of one operand that are the same are counted once.
                let distinct = |slices: &Slices, len: usize| {
                    let axes = slices.axes.iter().filter(|axis| axis.1 != 0).map(|axis| axis.0);
                    axes.product::<usize>().saturating_mul(len).min(slices.region.len)
                };
                let mut read: Vec<(Region, usize)> = Vec::new();
                for (slices, &len) in chain.inputs().iter().zip(&chain.buffers.inputs) {
                    let bytes = distinct(slices, len);
                    match read.iter_mut().find(|(region, _)| *region == slices.region) {
                        Some((_, read)) => *read = bytes.max(*read),
                        None => read.push((slices.region, bytes)),
                    }
                }
                let flops = chain.steps.iter().filter_map(|step| step.traffic().flops).sum::<u64>();
                let flops = Some(flops * chain.parts as u64);
                Traffic { read: read.iter().map(|(_, bytes)| bytes).sum(), written, flops }
            }
        }
    }

    /// The regions that the step reads.
    pub fn reads(&self) -> SmallVec<[Region; 8]> {
        match self {
            Step::Loop(code) => {
                let loads = code.spec().values.iter().filter_map(|value| match &value.def {
                    Def::Load(load) => Some(load.region),
                    _ => None,
                });
                loads.collect()
            }
            Step::MatMul { a, b, .. } => SmallVec::from_iter([a.0, b.0]),
            Step::Call { inputs, .. } => inputs.iter().map(|(region, ..)| *region).collect(),
            Step::Chain(chain) => chain.inputs().iter().map(|input| input.region).collect(),
        }
    }

    /// The regions that the step writes.
    pub fn writes(&self) -> SmallVec<[Region; 8]> {
        match self {
            Step::Loop(code) => code.spec().stores.iter().map(|store| store.region).collect(),
            Step::MatMul { c, .. } => SmallVec::from_iter([*c]),
            Step::Call { output, .. } => SmallVec::from_iter([output.0]),
            Step::Chain(chain) => chain.outputs().iter().map(|output| output.region).collect(),
        }
    }
}

/// An axis of a batch of products.
type Axis = (usize, isize, isize);

/// Elements along a side of a matrix, each counted once.
fn along(side: &Side, length: usize) -> usize {
    match side {
        Side::Stride(0) => 1,
        Side::Stride(_) => length,
        Side::Axes(axes) => axes.iter().filter(|axis| axis.1 != 0).map(|axis| axis.0).product(),
    }
}

/// Elements that a load reads, each counted once.
fn distinct(load: &Load) -> usize {
    load.dims.iter().filter(|axis| axis.1 != 0).map(|axis| axis.0).product()
}

impl Program {
    /// For each step, the bytes of the arena that hold something while it runs: what it reads or writes, what a later step reads, its
    /// workspace. No placement of the values can do with a smaller arena than the greatest of these.
    pub fn live_bytes(&self) -> Vec<usize> {
        let mut live = Runs::default();
        let mut bytes = vec![0; self.steps().len()];
        for (step, bytes) in self.steps().iter().zip(&mut bytes).rev() {
            let writes = step.writes();
            let of_arena = |regions: SmallVec<[Region; 8]>| regions.into_iter().filter(|region| region.buffer == ARENA);
            of_arena(writes.clone()).chain(of_arena(step.reads())).for_each(|region| live.add(region));
            let workspace = match step {
                Step::Loop(code) => code.workspace_bytes(),
                Step::Chain(chain) => chain.room.len,
                _ => 0,
            };
            *bytes = live.bytes + workspace;
            of_arena(writes).for_each(|region| live.remove(region));
        }
        bytes
    }
}

/// Disjoint runs of bytes, by where they begin.
#[derive(Default)]
struct Runs {
    ends: BTreeMap<usize, usize>,
    bytes: usize,
}

impl Runs {
    /// Takes out all bytes of a region; what is left of runs that reach over it stays.
    fn remove(&mut self, region: Region) {
        let (start, end) = (region.offset, region.offset + region.len);
        let touching: SmallVec<[(usize, usize); 4]> =
            self.ends.range(..end).rev().take_while(|run| *run.1 > start).map(|(&from, &to)| (from, to)).collect();
        for (from, to) in touching {
            self.ends.remove(&from);
            self.bytes -= to - from;
            for (from, to) in [(from, to.min(start)), (from.max(end), to)] {
                if from < to {
                    self.ends.insert(from, to);
                    self.bytes += to - from;
                }
            }
        }
    }

    fn add(&mut self, region: Region) {
        if region.len > 0 {
            self.remove(region);
            self.ends.insert(region.offset, region.offset + region.len);
            self.bytes += region.len;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_counted_once() {
        let at = |offset, len| Region::new(ARENA, offset, len);
        let mut runs = Runs::default();
        for (region, bytes) in [(at(0, 10), 10), (at(5, 10), 15), (at(20, 5), 20), (at(0, 25), 25), (at(30, 0), 25)] {
            runs.add(region);
            assert_eq!(runs.bytes, bytes);
        }
        for (region, bytes) in [(at(3, 4), 21), (at(0, 3), 18), (at(6, 2), 17), (at(0, 100), 0)] {
            runs.remove(region);
            assert_eq!(runs.bytes, bytes);
        }
    }
}
