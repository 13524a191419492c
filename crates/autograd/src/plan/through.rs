//! Matrices that are read through the copy that a reshape asked for: where the elements of the copy come from, a product finds them by
//! itself.

use crate::plan::lower::{Item, Operand, Work};
use smallvec::SmallVec;
use wengert_tensor::dtype::DType;
use wengert_tensor::kernels::matmul::Side;
use wengert_tensor::layout::Layout;
use wengert_tensor::shape::Shape;

/// A product with fewer rows or columns reads each element of the other operand once or a few times, in order, and wants it in memory.
const FEW: usize = 4;
/// What is so many times smaller than the other operand is read again and again for parts of it: it is better copied once.
const SMALL: usize = 8;
/// A copy that is so many times as large as what it copies is not made for few rows or columns, either.
const GROWTH: usize = 2;
/// As many neighbours along k are worth being copied together.
const RUN: usize = 8;

/// Extent and stride, outermost first.
type Axes = SmallVec<[(usize, isize); 8]>;

/// The operand of a product without the copies between, if it is one of a copy; and how many axes are its rows. The product has the
/// shape `out`, and its other operand so many elements.
pub(crate) fn read(
    items: &[Item],
    operand: &Operand,
    batch: usize,
    out: &Shape,
    other: usize,
) -> Option<(Operand, usize)> {
    let dtype = items.get(operand.item as usize)?.dtype;
    let few = out.iter().skip(batch).any(|&n| n <= FEW);
    let small = operand.layout.shape().len().saturating_mul(SMALL) <= other;
    let float = matches!(dtype, DType::F32 | DType::F64);
    let mut found = None;
    let mut sides = Sides::new(&operand.layout, batch)?;
    let mut at = operand.clone();
    while let Some(from) = copied(items, &at) {
        let Some(next) = sides.through(at.layout.offset(), &from.layout) else { break };
        sides = next;
        at = from.clone();
        let even = |axes: &Axes| Side::new(axes.iter().copied()).stride().is_some();
        // A copy of windows has many more elements than what they are windows of.
        let of = items.get(at.item as usize).map_or(0, Item::len);
        let grows = operand.layout.shape().len() >= GROWTH.saturating_mul(of);
        let uneven = float && !small && (!few || grows);
        if uneven || (even(&sides.rows) && even(&sides.columns)) {
            found = Some((at.item, at.layout.offset(), sides.clone()));
        }
    }
    let (item, offset, sides) = found?;
    let (shape, strides): (SmallVec<[usize; 4]>, SmallVec<[isize; 4]>) = sides.axes().unzip();
    let layout = Layout::new(Shape::new(shape).ok()?, &strides, offset).ok()?;
    Some((Operand { item, layout }, sides.rows.len()))
}

/// Whether the columns of a right operand are no stride, and its rows are neighbours while its columns are not.
pub(crate) fn lies_across(layout: &Layout, batch: usize, rows: usize) -> bool {
    let axes = || layout.shape().iter().copied().zip(layout.strides().iter().copied()).skip(batch);
    let Side::Axes(columns) = Side::new(axes().skip(rows)) else { return false };
    let innermost = match Side::new(axes().take(rows)) {
        Side::Stride(stride) => Some((axes().take(rows).map(|axis| axis.0).product(), stride)),
        Side::Axes(axes) => axes.last().copied(),
    };
    innermost.is_some_and(|(run, along): (usize, isize)| along == 1 && run >= RUN)
        && columns.last().is_some_and(|&(run, across)| across != 1 || run < RUN)
}

/// The elements that `view` reads of a contiguous value, in its order, as elements of what `from` reads for that value.
pub(crate) fn composed(from: &Layout, view: &Layout) -> Option<Layout> {
    if view.offset() != 0 || view.shape().is_empty() {
        return None;
    }
    if from.offset() == 0 && from.is_contiguous() {
        return Some(view.clone());
    }
    let mut reach: SmallVec<[usize; 8]> = from.shape().iter().map(|_| 0).collect();
    let mut axes = Axes::new();
    for (&extent, &stride) in view.shape().iter().zip(view.strides()) {
        axes.extend(parts(extent, stride, from, &mut reach)?);
    }
    if reach.iter().zip(from.shape().iter()).any(|(reach, extent)| reach >= extent) {
        return None;
    }
    let (shape, strides): (SmallVec<[usize; 4]>, SmallVec<[isize; 4]>) = axes.into_iter().unzip();
    Layout::new(Shape::new(shape).ok()?, &strides, from.offset()).ok()
}

/// What a copy copies, if it has memory.
fn copied<'a>(items: &'a [Item], operand: &Operand) -> Option<&'a Operand> {
    let copy = items.get(operand.item as usize)?;
    let (Work::Copy, [from]) = (&copy.work, copy.operands.as_slice()) else { return None };
    let of = items.get(from.item as usize)?;
    (of.uniform == 0 && copy.len() > 0).then_some(from)
}

/// The axes of a batch of matrices.
#[derive(Clone)]
struct Sides {
    batch: Axes,
    rows: Axes,
    columns: Axes,
}

impl Sides {
    fn new(layout: &Layout, batch: usize) -> Option<Sides> {
        let mut axes = layout.shape().iter().copied().zip(layout.strides().iter().copied());
        let front = axes.by_ref().take(batch).collect();
        let (rows, columns) = (axes.next()?, axes.next()?);
        Some(Sides { batch: front, rows: [rows].into_iter().collect(), columns: [columns].into_iter().collect() })
    }

    fn axes(&self) -> impl Iterator<Item = (usize, isize)> {
        [&self.batch, &self.rows, &self.columns].into_iter().flatten().copied()
    }

    /// The same matrices, read from where the elements of a contiguous copy come from.
    fn through(&self, offset: usize, from: &Layout) -> Option<Sides> {
        if offset != 0 {
            return None;
        }
        // How far all axes together go along each axis of the copy: as far as it is long, else they would carry into the next.
        let mut reach: SmallVec<[usize; 8]> = from.shape().iter().map(|_| 0).collect();
        let mut split = |axes: &Axes| -> Option<Axes> {
            let mut all = Axes::new();
            for &(extent, stride) in axes {
                all.extend(parts(extent, stride, from, &mut reach)?);
            }
            Some(all)
        };
        let sides = Sides { batch: split(&self.batch)?, rows: split(&self.rows)?, columns: split(&self.columns)? };
        let whole = sides.batch.len() == self.batch.len();
        (whole && reach.iter().zip(from.shape().iter()).all(|(reach, extent)| reach < extent)).then_some(sides)
    }
}

/// An axis over a contiguous copy as axes of what was copied.
fn parts(mut extent: usize, stride: isize, from: &Layout, reach: &mut [usize]) -> Option<Axes> {
    if stride == 0 || extent == 1 {
        return Some([(extent, 0)].into_iter().collect());
    }
    let stride = usize::try_from(stride).ok()?;
    let mut parts = Axes::new();
    // Elements of the copy from one place to the next, of the axes from the last on.
    let (mut block, mut begun) = (1, false);
    for ((&size, &apart), reach) in from.shape().iter().zip(from.strides()).zip(reach).rev() {
        if !begun && stride >= block * size {
            block *= size;
            continue;
        }
        if !begun && !stride.is_multiple_of(block) {
            return None;
        }
        // Places along this axis from one element to the next: 1 but for the axis that the stride begins in.
        let by = if begun { 1 } else { stride / block };
        begun = true;
        if size == 1 {
            continue;
        }
        let jump = apart.checked_mul(isize::try_from(by).ok()?)?;
        let room = size.div_ceil(by);
        if extent <= room {
            *reach += (extent - 1) * by;
            parts.push((extent, jump));
            parts.reverse();
            return Some(parts);
        }
        if !size.is_multiple_of(by) || !extent.is_multiple_of(room) {
            return None;
        }
        *reach += (room - 1) * by;
        parts.push((room, jump));
        extent /= room;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::conv::Conv;
    use crate::graph::Tape;
    use crate::plan::{extract::extract, lower::lower, simplify::simplify};

    #[test]
    fn windows_of_images_are_no_memory() {
        let tape = Tape::with_key(1u64);
        let [x, w] = [&[4, 8, 12, 12][..], &[16, 8, 3, 3]].map(|dims| tape.normal(dims, DType::F32));
        for options in [Conv::new(), Conv::new().padding(1), Conv::new().padding(2).dilation(2)] {
            let y = x.conv(w, &options);
            let [dx, dw] = tape.grad(y.square().sum(), [x, w]);
            let graph = extract(&tape.graph.borrow(), &[y.id, dx.id, dw.id]).unwrap();
            let lowered = lower(&simplify(graph)).unwrap();
            let products = lowered.items.iter().filter(|item| matches!(item.work, Work::MatMul(..)));
            assert_eq!(products.count(), 3, "{options:?}");
            // The largest is the cotangent with what surrounds it; the windows of the input have nine times its elements.
            let largest = lowered.items.iter().map(Item::len).max();
            assert!(largest <= Some(4 * 16 * 16 * 16), "{options:?}: {largest:?}");
        }
    }

    #[test]
    fn a_composed_layout_reads_the_same_elements() {
        let of = |dims: &[usize], strides: &[isize], offset| {
            Layout::new(Shape::new(dims.to_vec()).unwrap(), strides, offset).unwrap()
        };
        let plain = |dims: &[usize]| Layout::contiguous(Shape::new(dims.to_vec()).unwrap());
        // Upsampled, turned, in the midst of something larger.
        let sources = [plain(&[3, 4, 5]), of(&[3, 4, 5], &[1, 0, 3], 7), of(&[6, 10], &[10, 1], 3), of(&[60], &[2], 0)];
        let views =
            [of(&[4, 3, 5], &[5, 20, 1], 0), of(&[5, 12], &[1, 5], 0), of(&[60], &[1], 0), of(&[2, 30], &[1, 2], 0)];
        let mut found = 0;
        for from in &sources {
            let elements: Vec<usize> = from.indices().collect();
            for view in &views {
                let Some(layout) = composed(from, view) else { continue };
                let wanted: Vec<usize> = view.indices().map(|i| elements[i]).collect();
                assert_eq!(layout.indices().collect::<Vec<_>>(), wanted, "{from:?} by {view:?}");
                found += 1;
            }
        }
        assert!(found >= 10, "{found}");
    }

    /// Whether reading through a copy finds the elements of the copy.
    fn agrees(from: &Layout, view: &Layout) -> bool {
        let Some(sides) = Sides::new(view, 0).and_then(|sides| sides.through(view.offset(), from)) else {
            return false;
        };
        let copied: Vec<usize> = from.indices().collect();
        let (shape, strides): (Vec<usize>, Vec<isize>) = sides.axes().unzip();
        let through = Layout::new(Shape::new(shape).unwrap(), &strides, from.offset()).unwrap();
        assert_eq!(through.len(), view.len());
        let wanted = view.indices().map(|i| copied[i]);
        assert!(through.indices().eq(wanted), "{from:?} seen as {view:?}");
        true
    }

    #[test]
    fn elements_are_found_through_every_copy_that_is_understood() {
        let from = Layout::contiguous(Shape::new([4, 3, 2, 6]).unwrap()).permute(&[2, 0, 3, 1]).unwrap();
        let copy = |dims: [usize; 2]| Layout::contiguous(Shape::new(dims).unwrap());
        for dims in [[2, 72], [8, 18], [48, 3], [144, 1], [1, 144], [24, 6], [16, 9]] {
            assert!(agrees(&from, &copy(dims)), "{dims:?}");
            assert!(agrees(&from, &copy(dims).permute(&[1, 0]).unwrap()), "{dims:?}");
        }
        // An axis of 3 that begins within one of 4.
        assert!(!agrees(&from, &copy([48, 3]).slice(0, 1, 48, 1).unwrap()));
        let (shape, mut understood) = (Shape::new([144]).unwrap(), 0);
        for rows in 1..20 {
            for columns in 1..20 {
                for strides in [[1, 1], [1, 2], [2, 1], [3, 18], [18, 1], [36, 3], [0, 6], [6, 0], [72, 18]] {
                    let far = (rows - 1) * strides[0] + (columns - 1) * strides[1];
                    if far < shape.len() {
                        let view = Layout::new(Shape::new([rows, columns]).unwrap(), &strides.map(|s| s as isize), 0);
                        understood += usize::from(agrees(&from, &view.unwrap()));
                    }
                }
            }
        }
        assert!(understood > 200, "{understood}");
    }
}
