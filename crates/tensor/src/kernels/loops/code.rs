//! What a compiled loop is made of.

use crate::dtype::DType;
use crate::kernels::loops::gather::Walk;
use crate::kernels::loops::geometry::Access;
use crate::kernels::scalar::ScalarFn;
use crate::kernels::tile::{ColumnsFn, LanesFn, RowsFn, TileFn};
use crate::program::region::Region;
use smallvec::SmallVec;
use std::sync::Arc;

/// An entry of the pointer table.
pub(super) type SlotId = u16;

/// Where a slot points.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// A register of the worker.
    Register(u32),
    /// Memory that moves with the point.
    Flat(Region, usize),
    /// Memory that moves with the column.
    Col(Region, usize),
    /// Memory that moves with the row, by a stride in bytes.
    Row(Region, isize),
    /// A buffer of one row in the worker's scratch, that moves with the column.
    RowBuffer(usize, usize),
    /// One element a unit, in the workspace.
    Partial(usize, usize),
}

impl Place {
    /// Whether it moves with the tile.
    pub(super) fn moves(&self) -> bool {
        matches!(self, Place::Flat(..) | Place::Col(..) | Place::RowBuffer(..))
    }
}

/// What a kernel computes, for those who make code of their own of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Meaning {
    /// A function of elements of this dtype.
    Map(ScalarFn, DType),
    /// `second(first(a, b), c)`, or `second(c, first(a, b))` where the flag is set.
    Pair(ScalarFn, ScalarFn, bool, DType),
    /// A conversion.
    Cast(DType, DType),
    /// Something else.
    Opaque,
}

/// One thing done to a tile.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// A tile kernel.
    Call { f: TileFn, meaning: Meaning, dst: SlotId, a: SlotId, b: SlotId, c: SlotId },
    /// The code of a straight line of operations.
    Native { line: u16 },
    /// `n` elements, as they are.
    Copy { dst: SlotId, src: SlotId, size: usize },
    /// As `Copy`, past the caches.
    Stream { dst: SlotId, src: SlotId, size: usize },
    /// A strided walk from memory, through a panel of the thread where it has one.
    Gather { dst: SlotId, region: Region, walk: Arc<Walk>, panel: Option<u16> },
    /// One element a row, to every point of the row.
    Expand { dst: SlotId, src: SlotId, fill: TileFn, size: usize },
    /// One element, to every point.
    Splat { dst: SlotId, src: SlotId, fill: TileFn },
    /// The `cols` elements of a short row, repeated over the tile.
    Repeat { dst: SlotId, region: Region, size: usize },
    /// A scalar slot of the run.
    Slot { dst: SlotId, slot: u32 },
    /// Bytes of the program.
    Constant { dst: SlotId, bytes: [u8; 8] },
    /// An element of memory.
    Element { dst: SlotId, region: Region, size: usize },
    /// The numbers of the columns, for each row of a tile, or once for all of a long row.
    Count { dst: SlotId, dtype: crate::dtype::DType },
    /// `(flat / inner) % extent`.
    Iota { dst: SlotId, extent: usize, inner: usize, dtype: crate::dtype::DType },
    /// Random elements.
    Random { dst: SlotId, key: u32, stream: u64, normal: bool, wide: bool },
    /// The tile's part of a row reduction.
    Accumulate { src: SlotId, reduction: u16 },
    /// The tile's part of a column reduction: `dst` is the unit's accumulator.
    Fold { src: SlotId, column: u16 },
}

impl Action {
    /// The slot that it writes, and those that it reads.
    pub(super) fn slots(&self) -> (Option<SlotId>, SmallVec<[SlotId; 3]>) {
        let mut copy = self.clone();
        let (dst, sources) = copy.slots_mut();
        (dst.copied(), sources.into_iter().map(|s| *s).collect())
    }

    /// As `slots`, to rename them.
    pub(super) fn slots_mut(&mut self) -> (Option<&mut SlotId>, SmallVec<[&mut SlotId; 3]>) {
        match self {
            Action::Call { dst, a, b, c, .. } => (Some(dst), SmallVec::from_iter([a, b, c])),
            Action::Copy { dst, src, .. }
            | Action::Stream { dst, src, .. }
            | Action::Expand { dst, src, .. }
            | Action::Splat { dst, src, .. } => (Some(dst), SmallVec::from_iter([src])),
            Action::Gather { dst, .. }
            | Action::Repeat { dst, .. }
            | Action::Slot { dst, .. }
            | Action::Constant { dst, .. }
            | Action::Element { dst, .. }
            | Action::Count { dst, .. }
            | Action::Iota { dst, .. }
            | Action::Random { dst, .. } => (Some(dst), SmallVec::new()),
            Action::Accumulate { src, .. } | Action::Fold { src, .. } => (None, SmallVec::from_iter([src])),
            Action::Native { .. } => (None, SmallVec::new()),
        }
    }
}

/// A reduction along rows.
#[derive(Clone, Debug)]
pub(super) struct RowReduction {
    pub(super) accumulate: TileFn,
    pub(super) finish: TileFn,
    pub(super) rows: RowsFn,
    pub(super) whole: LanesFn,
    pub(super) combine: TileFn,
    pub(super) fill: TileFn,
    pub(super) identity: [u8; 8],
    /// Offset of the lane accumulators in the scratch.
    pub(super) lanes: usize,
    pub(super) dst: SlotId,
}

/// A reduction along columns.
#[derive(Clone, Debug)]
pub(super) struct ColReduction {
    pub(super) columns: ColumnsFn,
    /// Offset of the first unit's accumulator in the workspace.
    pub(super) partial: usize,
    /// The same of the block that is being summed, where units are longer than a block.
    pub(super) blocks: usize,
    /// Where a tile goes down its columns: offsets in the scratch of what they come to, and of what a unit's rows do.
    pub(super) tile: [usize; 2],
    pub(super) size: usize,
}

/// What is left when every unit is done: partial results to combine, in order, and to store.
#[derive(Clone, Debug)]
pub(super) struct Final {
    /// The column reduction whose result this is.
    pub(super) column: Option<u16>,
    pub(super) combine: TileFn,
    pub(super) partial: usize,
    pub(super) len: usize,
    pub(super) size: usize,
    pub(super) round: Option<TileFn>,
    pub(super) cast: Option<TileFn>,
    pub(super) region: Region,
}

/// One walk over the columns of a block of rows, then what follows from its reductions.
#[derive(Clone, Debug, Default)]
pub(super) struct Phase {
    pub(super) body: Vec<Action>,
    /// The slots of the body that move with the tile.
    pub(super) moves: Vec<SlotId>,
    pub(super) after: Vec<Action>,
}

/// The access of a load and its first element.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) access: Access,
    pub(super) region: Region,
}
