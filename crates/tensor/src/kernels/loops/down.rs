//! Loops that go down their columns: nothing but columns is reduced, of few rows.

use crate::kernels::axes::place;
use crate::kernels::loops::code::{ColReduction, Source};
use crate::kernels::loops::geometry::{Access, unit_cols};
use crate::kernels::loops::run::{At, Worker};
use crate::program::loops::Dims;
use crate::program::region::Region;

/// Pieces of rows of at least so many elements are read where they lie.
const PIECE: usize = 32;
/// Rows that are read side by side: the processor fetches so many streams ahead.
const ABREAST: usize = 8;

/// An operand whose columns are reduced where it lies.
#[derive(Clone, Debug)]
pub(super) struct Straight {
    /// The first element.
    pub(super) region: Region,
    /// Elements from row to row.
    stride: usize,
    /// Axes of the columns before the last one, which has neighbours.
    outer: Dims,
    /// How many elements of a row lie together.
    piece: usize,
}

impl Straight {
    /// An operand of so many rows and columns, if pieces of its rows are long enough.
    pub(super) fn new(source: &Source, rows: usize, cols: usize) -> Option<Straight> {
        let region = source.region;
        match &source.access {
            Access::Flat => Some(Straight { region, stride: cols, outer: Dims::new(), piece: cols }),
            Access::Gather(dims) => {
                let (&(extent, stride), columns) = dims.split_first()?;
                let (&(piece, step), outer) = columns.split_last()?;
                let stride = usize::try_from(stride).ok()?;
                let fits = extent == rows && step == 1 && piece >= PIECE;
                fits.then(|| Straight { region, stride, outer: outer.iter().copied().collect(), piece })
            }
            _ => None,
        }
    }
}

impl Worker<'_> {
    /// Tiles that go down their columns.
    ///
    /// # Safety
    /// As for a run of the loop; the unit is one of its own.
    pub(super) unsafe fn columns(&mut self, unit: usize) {
        let code = self.code;
        let wide = unit_cols(code.rows, code.tile);
        let end = ((unit + 1) * wide).min(code.cols);
        let mut col = unit * wide;
        while col < end {
            let n = code.tile.min(end - col);
            for (straight, column) in code.straight.iter().zip(&code.col_reductions) {
                // SAFETY: the tile lies within the row.
                unsafe { self.fold_straight(straight, column, col, n) };
            }
            for phase in code.phases.iter().filter(|_| code.straight.is_empty()) {
                for row in 0..code.rows {
                    // SAFETY: the tile lies within the row.
                    unsafe { self.tile(phase, &At { n, rows: 1, row, col, unit, first: row == 0, by_row: false }) };
                }
            }
            for f in &code.finals {
                let Some(column) = f.column.and_then(|c| code.col_reductions.get(usize::from(c))) else { continue };
                // SAFETY: the scratch holds the tile of the column, and the region has an element for each.
                unsafe {
                    let sum = self.scratch.add(column.tile[0]);
                    if let Some(round) = f.round {
                        round(sum, sum, sum, sum, n);
                    }
                    let to = self.memory.ptr(&f.region).add(f.region.len / f.len * col);
                    match f.cast {
                        Some(cast) => cast(to, sum, sum, sum, n),
                        None => std::ptr::copy_nonoverlapping(sum, to, n * f.size),
                    }
                }
            }
            col += n;
        }
    }

    /// A row of a tile that goes down its columns: the rows of a unit in order, then the units in order.
    ///
    /// # Safety
    /// `src` has `at.n` elements.
    pub(super) unsafe fn fold_down(&self, src: *mut u8, column: &ColReduction, at: &At) {
        let (rows, unit_rows) = (self.code.rows, self.code.unit_rows);
        // SAFETY: the scratch has a tile for the sums of the column, and one for those of a unit.
        unsafe {
            let [sum, unit] = column.tile.map(|at| self.scratch.add(at));
            let add = |to: *mut u8, from: *mut u8, first: bool| match first {
                true => std::ptr::copy_nonoverlapping(from, to, at.n * column.size),
                false => (column.columns)(to, from, 1, at.n, at.n),
            };
            if unit_rows == 1 || rows <= unit_rows {
                return add(sum, src, at.row == 0);
            }
            add(unit, src, at.row.is_multiple_of(unit_rows));
            if (at.row + 1).is_multiple_of(unit_rows) || at.row + 1 == rows {
                add(sum, unit, at.row < unit_rows);
            }
        }
    }

    /// The columns `col..col + n` of an operand that is read where it lies, in the order of [`Worker::fold_down`].
    ///
    /// # Safety
    /// As there; the columns are those of a tile.
    unsafe fn fold_straight(&self, of: &Straight, column: &ColReduction, col: usize, n: usize) {
        let (rows, size) = (self.code.rows, column.size);
        let unit_rows = if self.code.unit_rows == 1 { rows } else { self.code.unit_rows };
        let mut done = 0;
        while done < n {
            let (piece, within) = ((col + done) / of.piece, (col + done) % of.piece);
            let count = (of.piece - within).min(n - done);
            // SAFETY: the rows of the piece lie within the operand, and the columns within the tiles of the scratch.
            unsafe {
                let src =
                    self.memory.ptr(&of.region).offset((place(&of.outer, piece) + within as isize) * size as isize);
                let [sum, unit] = column.tile.map(|at| self.scratch.add(at + done * size));
                for start in (0..rows).step_by(unit_rows) {
                    let to = if rows <= unit_rows { sum } else { unit };
                    let end = rows.min(start + unit_rows);
                    std::ptr::copy_nonoverlapping(src.add(start * of.stride * size), to, count * size);
                    for row in (start + 1..end).step_by(ABREAST) {
                        let from = src.add(row * of.stride * size);
                        (column.columns)(to, from, ABREAST.min(end - row), count, of.stride);
                    }
                    match start {
                        _ if rows <= unit_rows => {}
                        0 => std::ptr::copy_nonoverlapping(unit, sum, count * size),
                        _ => (column.columns)(sum, unit, 1, count, count),
                    }
                }
            }
            done += count;
        }
    }
}
