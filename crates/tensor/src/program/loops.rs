//! A loop group as data: what is loaded, computed, reduced and stored in one pass over `rows × cols` elements.
//!
//! A spec names no pointer and no instruction set. [`crate::kernels::loops`] compiles it for this machine.

use crate::dtype::{DType, Scalar};
use crate::kernels::scalar::{ReduceFn, ScalarFn};
use crate::program::region::Region;
use smallvec::SmallVec;

/// A value of a [`LoopSpec`], by its place in `values`.
pub type ValueId = u32;

/// `(extent, stride in elements)` of each axis, outermost first.
pub type Dims = SmallVec<[(usize, isize); 4]>;

/// How many elements a value has within a loop group: one, one a row, or one a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// The same value everywhere.
    Uniform,
    /// One value for each row.
    Row,
    /// One value for each of the `rows × cols` points.
    Full,
}

/// Elements read from memory; `dims` walk the points (or, for [`Rank::Row`], the rows) in row-major order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Load {
    /// Where the elements lie.
    pub region: Region,
    /// Element offset of index zero from the start of the region.
    pub offset: usize,
    /// Extents and strides.
    pub dims: Dims,
    /// Whether `dims` count points, rows, or nothing.
    pub rank: Rank,
}

/// How a value comes to be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Def {
    /// Read from memory.
    Load(Load),
    /// A scalar slot of the run.
    Slot(u32),
    /// A scalar that is part of the program.
    Constant(Scalar),
    /// A scalar function of one, two or three values; unused operands repeat the first.
    Map(ScalarFn, [ValueId; 3]),
    /// The value in another dtype.
    Cast(ValueId),
    /// The value itself, one element at every point.
    Copy(ValueId),
    /// `(flat index / inner) % extent`.
    Iota {
        /// Extent of the counted axis.
        extent: usize,
        /// Product of the extents behind it.
        inner: usize,
    },
    /// Uniform in `[0, 1)`: element `i` of stream `stream` under the key in a slot.
    Uniform {
        /// The slot that holds the key.
        key: u32,
        /// Which stream.
        stream: u64,
    },
    /// Standard normal: element `i` of stream `stream` under the key in a slot.
    Normal {
        /// The slot that holds the key.
        key: u32,
        /// Which stream.
        stream: u64,
    },
    /// One value a row: the reduction of the row.
    RowReduce(ReduceFn, ValueId),
    /// `cols` values, stored only: the reduction over all rows.
    ColReduce(ReduceFn, ValueId),
}

/// One value and its dtype.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Value {
    /// How it comes to be.
    pub def: Def,
    /// Its element type.
    pub dtype: DType,
}

/// A value written to memory, contiguous.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Store {
    /// The value.
    pub value: ValueId,
    /// Where it goes: exactly its elements.
    pub region: Region,
    /// What is loaded from this region is not needed behind this loop: the two may be one memory when the loop runs, if
    /// [`Loop::may_replace`](crate::kernels::loops::Loop::may_replace).
    pub over: Option<Region>,
}

/// One pass over `rows × cols` points.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LoopSpec {
    /// Points in all.
    pub n: usize,
    /// The extent of a row; `None` lets the machine choose (no reductions).
    pub cols: Option<usize>,
    /// The values, operands before users.
    pub values: Vec<Value>,
    /// What is written.
    pub stores: Vec<Store>,
}

impl LoopSpec {
    /// Calls `f` with every region.
    pub fn each_region(&mut self, mut f: impl FnMut(&mut Region)) {
        for value in &mut self.values {
            if let Def::Load(load) = &mut value.def {
                f(&mut load.region);
            }
        }
        for store in &mut self.stores {
            f(&mut store.region);
            store.over.iter_mut().for_each(&mut f);
        }
    }

    /// Calls `f` with every scalar slot.
    pub fn each_slot(&mut self, mut f: impl FnMut(&mut u32)) {
        for value in &mut self.values {
            if let Def::Slot(slot) | Def::Uniform { key: slot, .. } | Def::Normal { key: slot, .. } = &mut value.def {
                f(slot);
            }
        }
    }
}

/// Rows longer than this are reduced in blocks of it, and a reduction of one such row ends its group.
pub const BLOCK: usize = 16384;
