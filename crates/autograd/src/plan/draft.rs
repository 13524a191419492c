//! Steps before values have their places in memory.

use crate::plan::part::Cut;
use smallvec::SmallVec;
use std::sync::Arc;
use wengert_tensor::dtype::DType;
use wengert_tensor::kernels::matmul::{MatMul, Which};
use wengert_tensor::program::loops::{Def, LoopSpec};
use wengert_tensor::program::region::Region;
use wengert_tensor::program::view::Kernel;
use wengert_tensor::shape::Shape;

/// A value between inputs and outputs is a buffer of its own until it has its place: this and its number.
pub(crate) const UNPLACED: u32 = 1 << 31;

/// What a step makes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Made {
    /// The groups that it is.
    pub(crate) groups: SmallVec<[u32; 1]>,
    /// The items that it writes, in the order in which it does.
    pub(crate) items: SmallVec<[u32; 2]>,
}

/// A step, and what it makes.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) work: Draw,
    pub(crate) made: Made,
}

/// What a step does.
#[derive(Clone, Debug)]
pub(crate) enum Draw {
    Loop(LoopSpec),
    Product {
        product: Box<MatMul>,
        a: (Region, usize),
        b: (Region, usize),
        c: Region,
        /// Room for a copy of an operand that parts share.
        copy: Option<(Which, Region)>,
    },
    Call {
        kernel: Arc<dyn Kernel>,
        inputs: Vec<(Region, DType, Shape)>,
        output: (Region, DType, Shape),
        tag: u32,
    },
    Chain(Box<Cut>),
}

impl Draft {
    /// What it reads.
    pub(crate) fn reads(&self) -> SmallVec<[Region; 8]> {
        match &self.work {
            Draw::Loop(spec) => {
                let loads = spec.values.iter().filter_map(|value| match &value.def {
                    Def::Load(load) => Some(load.region),
                    _ => None,
                });
                loads.collect()
            }
            Draw::Product { a, b, .. } => SmallVec::from_iter([a.0, b.0]),
            Draw::Call { inputs, .. } => inputs.iter().map(|(region, ..)| *region).collect(),
            Draw::Chain(cut) => cut.inputs.iter().map(|(slices, _)| slices.region).collect(),
        }
    }

    /// What it writes.
    pub(crate) fn writes(&self) -> SmallVec<[Region; 8]> {
        match &self.work {
            Draw::Loop(spec) => spec.stores.iter().map(|store| store.region).collect(),
            Draw::Product { c, .. } => SmallVec::from_iter([*c]),
            Draw::Call { output, .. } => SmallVec::from_iter([output.0]),
            Draw::Chain(cut) => cut.outputs.iter().map(|(slices, _)| slices.region).collect(),
        }
    }

    /// Calls `f` with every region.
    pub(crate) fn each_region(&mut self, mut f: impl FnMut(&mut Region)) {
        match &mut self.work {
            Draw::Loop(spec) => spec.each_region(f),
            Draw::Product { a, b, c, .. } => [&mut a.0, &mut b.0, c].into_iter().for_each(f),
            Draw::Call { inputs, output, .. } => {
                inputs.iter_mut().for_each(|(region, ..)| f(region));
                f(&mut output.0);
            }
            Draw::Chain(cut) => {
                let operands = cut.inputs.iter_mut().chain(&mut cut.outputs);
                operands.for_each(|(slices, _)| f(&mut slices.region));
            }
        }
    }
}
