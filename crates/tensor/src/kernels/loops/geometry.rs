//! How a loop group walks its points: rows, columns, tiles and units of work. All of it follows from shapes alone.

use crate::program::loops::{BLOCK, Def, Dims, Load, LoopSpec, Rank};

/// Drops axes of one element and merges neighbours that one stride can walk.
pub(super) fn collapse(dims: &[(usize, isize)]) -> Dims {
    let mut out = Dims::new();
    for &(extent, stride) in dims {
        if extent == 1 {
            continue;
        }
        if let Some(last) = out.last_mut()
            && last.1 == stride * extent as isize
        {
            *last = (last.0 * extent, stride);
            continue;
        }
        out.push((extent, stride));
    }
    out
}

/// How a load meets the tile.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Access {
    /// One element for all points.
    Uniform,
    /// Element `i` for point `i`.
    Flat,
    /// Element `c` for column `c`.
    Col,
    /// One element a row, with this stride.
    Row(isize),
    /// Anything else: a strided walk.
    Gather(Dims),
}

pub(super) fn access(load: &Load, rows: usize, cols: usize) -> Access {
    let dims = collapse(&load.dims);
    if dims.iter().all(|d| d.1 == 0) {
        return Access::Uniform;
    }
    if load.rank == Rank::Row {
        return match dims.as_slice() {
            [(_, stride)] => Access::Row(*stride),
            _ => Access::Gather(dims),
        };
    }
    match dims.as_slice() {
        [(_, 1)] => Access::Flat,
        [(r, 0), (c, 1)] if (*r, *c) == (rows, cols) => Access::Col,
        [(r, s), (c, 0)] if (*r, *c) == (rows, cols) => Access::Row(*s),
        _ => Access::Gather(dims),
    }
}

/// Rows and columns of the group: given by its reductions, or else by the way most of its operands broadcast or count.
pub(super) fn extents(spec: &LoopSpec) -> (usize, usize) {
    if let Some(cols) = spec.cols {
        return (spec.n / cols.max(1), cols);
    }
    let mut candidates: Vec<(usize, usize)> = Vec::new();
    for value in &spec.values {
        let cols = match &value.def {
            Def::Load(load) if load.rank == Rank::Full => match collapse(&load.dims).as_slice() {
                [_, .., (last, _)] => *last,
                _ => continue,
            },
            Def::Iota { extent, inner: 1 } => *extent,
            Def::Iota { inner, .. } => *inner,
            _ => continue,
        };
        if !(2..=BLOCK).contains(&cols) || !spec.n.is_multiple_of(cols) {
            continue;
        }
        match candidates.iter_mut().find(|c| c.0 == cols) {
            Some(c) => c.1 += 1,
            None => candidates.push((cols, 1)),
        }
    }
    match candidates.iter().max_by_key(|c| c.1) {
        Some(&(cols, _)) => (spec.n / cols, cols),
        None => (1, spec.n),
    }
}

/// Rows in a unit of work: about 32 Ki points, and at most 64 units. Column reductions sum a unit's rows in order, then the
/// units in order, so this number is part of their definition.
pub(super) fn unit_rows(rows: usize, cols: usize) -> usize {
    (2 * BLOCK).div_ceil(cols.max(1)).max(rows.div_ceil(64)).clamp(1, rows.max(1))
}

/// Columns in a unit of work where tiles go down their columns: about as many points, in whole tiles. No sum depends on it.
pub(super) fn unit_cols(rows: usize, tile: usize) -> usize {
    (2 * BLOCK / rows.max(1)).next_multiple_of(tile).max(tile)
}
