//! What a compiled loop is made of.

use crate::kernels::loops::geometry::Access;
use crate::kernels::tile::{RowsFn, TileFn};
use crate::program::loops::Dims;
use crate::program::region::Region;
use smallvec::SmallVec;

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

/// One thing done to a tile.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// A tile kernel.
    Call { f: TileFn, dst: SlotId, a: SlotId, b: SlotId, c: SlotId },
    /// `n` elements, as they are.
    Copy { dst: SlotId, src: SlotId, size: usize },
    /// As `Copy`, past the caches.
    Stream { dst: SlotId, src: SlotId, size: usize },
    /// A strided walk from memory.
    Gather { dst: SlotId, region: Region, dims: Dims, size: usize },
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
    /// The slots that it reads or writes.
    pub(super) fn slots(&self) -> SmallVec<[SlotId; 4]> {
        match self {
            Action::Call { dst, a, b, c, .. } => SmallVec::from([*dst, *a, *b, *c]),
            Action::Copy { dst, src, .. }
            | Action::Stream { dst, src, .. }
            | Action::Expand { dst, src, .. }
            | Action::Splat { dst, src, .. } => SmallVec::from_slice(&[*dst, *src]),
            Action::Gather { dst, .. }
            | Action::Repeat { dst, .. }
            | Action::Slot { dst, .. }
            | Action::Constant { dst, .. }
            | Action::Element { dst, .. }
            | Action::Iota { dst, .. }
            | Action::Random { dst, .. } => SmallVec::from_slice(&[*dst]),
            Action::Accumulate { src, .. } | Action::Fold { src, .. } => SmallVec::from_slice(&[*src]),
        }
    }
}

/// A reduction along rows.
#[derive(Clone, Debug)]
pub(super) struct RowReduction {
    pub(super) accumulate: TileFn,
    pub(super) finish: TileFn,
    pub(super) rows: RowsFn,
    pub(super) combine: TileFn,
    pub(super) fill: TileFn,
    pub(super) identity: [u8; 8],
    /// Offset of the lane accumulators in the scratch.
    pub(super) lanes: usize,
    pub(super) dst: SlotId,
    pub(super) size: usize,
}

/// A reduction along columns.
#[derive(Clone, Debug)]
pub(super) struct ColReduction {
    pub(super) combine: TileFn,
    /// Offset of the first unit's accumulator in the workspace.
    pub(super) partial: usize,
    /// The same of the block that is being summed, where units are longer than a block.
    pub(super) blocks: usize,
    pub(super) size: usize,
}

/// What is left when every unit is done: partial results to combine, in order, and to store.
#[derive(Clone, Debug)]
pub(super) struct Final {
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
