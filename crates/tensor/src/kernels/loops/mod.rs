//! The tile machine: a loop group compiled to kernels over tiles that stay in the first-level cache.
//!
//! A tile is a few hundred points: whole rows where rows are short, a part of one row where they are long. Each action is one
//! prebuilt SIMD loop over a tile, found through a table of pointers; operands are read where they lie, outputs are written where they
//! belong, and only what no memory holds sits in registers. Work is cut into units by shape alone, and every reduction has one tree
//! fixed by shape alone, so the bits depend neither on threads nor on what else the group computes.
//!
//! Where the processor allows, runs of arithmetic become machine code in which nothing but results leaves the registers (`native`).

pub mod alike;
mod code;
mod compile;
mod down;
mod gather;
mod geometry;
mod narrow;
mod native;
mod replace;
mod run;
mod turn;

use crate::kernels::level::Level;
use crate::program::loops::LoopSpec;
use crate::program::region::Region;
use code::{Action, ColReduction, Final, Phase, Place, RowReduction, SlotId};
use down::Straight;
use native::{Linked, Native};

/// A compiled loop group.
#[derive(Clone, Debug)]
pub struct Loop {
    spec: LoopSpec,
    rows: usize,
    cols: usize,
    tile: usize,
    /// One long row: the units are blocks of it.
    block_mode: bool,
    /// Few rows: a tile goes down all of them, with its sums in the scratch, before the next one does. The units are blocks of columns.
    down: bool,
    /// Then, where nothing is computed: for each column reduction, where its operand lies.
    straight: Vec<Straight>,
    units: usize,
    unit_rows: usize,
    slots: Vec<Place>,
    setup: Vec<Action>,
    prologue: Vec<Action>,
    phases: Vec<Phase>,
    row_reductions: Vec<RowReduction>,
    col_reductions: Vec<ColReduction>,
    finals: Vec<Final>,
    row_moves: Vec<SlotId>,
    streams: bool,
    /// Long streams that are read from memory: the slots to fetch ahead.
    reads: Vec<SlotId>,
    workspace_bytes: usize,
    workspace: Region,
    scratch: usize,
    /// Panels that its walks read through.
    panels: u16,
    actions: usize,
    /// A guess of the time on one thread.
    cost_ns: usize,
    level: Level,
    /// Machine code that waits for its pages.
    native: Option<Native>,
    /// Machine code that the phases call.
    linked: Option<Linked>,
}

impl Loop {
    /// Bytes of workspace that a run needs, beside its operands.
    pub fn workspace_bytes(&self) -> usize {
        self.workspace_bytes
    }

    /// Places the workspace.
    pub fn set_workspace(&mut self, region: Region) {
        self.workspace = region;
    }

    /// The workspace.
    pub fn workspace(&self) -> Region {
        self.workspace
    }

    /// What it was compiled from.
    pub fn spec(&self) -> &LoopSpec {
        &self.spec
    }

    /// Rows and columns.
    pub fn extents(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    /// Walks over the columns of each block of rows.
    pub fn phases(&self) -> usize {
        self.phases.len()
    }

    /// Keeps the loop from running machine code of its own: the tile kernels do all of it.
    #[cfg(test)]
    pub(crate) fn interpret(&mut self) {
        self.native = None;
    }

    /// A rough estimate of the time of a run on one thread.
    pub fn cost_ns(&self) -> usize {
        self.cost_ns
    }

    /// Actions a tile goes through.
    pub fn actions(&self) -> usize {
        self.actions
    }
}
