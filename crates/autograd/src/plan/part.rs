//! A part of a loop or product: the same for some of its rows, or some products of its batch.
//!
//! What a part computes has the bits of the whole: elements of a loop do not depend on one another but along a row, a product sums
//! over k in an order that the extents of the whole decide.

use crate::plan::draft::{Draft, Draw};
use smallvec::SmallVec;
use wengert_tensor::dtype::DType;
use wengert_tensor::kernels::matmul::{MatMul, Side, Which};
use wengert_tensor::program::chain::{Slices, is_fixed};
use wengert_tensor::program::loops::{BLOCK, Def, LoopSpec, Rank};
use wengert_tensor::program::region::{ARENA, Region};
use wengert_tensor::shape::Shape;

/// An operand or the result of a kernel.
type Typed = (Region, DType, Shape);
/// Axes: extents and strides, outermost first.
type Axes = SmallVec<[(usize, isize); 4]>;

/// Steps cut into parts: what one part is, and where its operands lie.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    /// The steps of a part, over the room (buffer 0) and behind it inputs and outputs.
    pub(crate) steps: Vec<Draft>,
    /// What is read, with the bytes of a part.
    pub(crate) inputs: Vec<(Slices, usize)>,
    /// What is written, with the bytes of a part.
    pub(crate) outputs: Vec<(Slices, usize)>,
    pub(crate) parts: usize,
    /// So many parts run one after another, and share the copies that products make.
    pub(crate) in_order: usize,
    /// Whether there are such copies.
    pub(crate) shares: bool,
    /// Bytes of what lies between the steps of a part, and of these copies.
    pub(crate) room: usize,
}

/// A matrix that is the same for all parts meets at least so many rows or columns in each: its copies are little beside that.
const SHARED_BY: usize = 256;

/// While steps are cut, the buffers of a part are inputs from here on,
const INPUT: u32 = 1;
/// and outputs from here on.
const OUTPUT: u32 = 1 << 30;

/// Cuts steps that follow one another.
pub(crate) struct Cutter<'a> {
    parts: usize,
    in_order: usize,
    /// Bytes of copies.
    copies: usize,
    /// Whether a matrix may be the same for all parts.
    shares: bool,
    /// Values that no step outside reads, and their places in the room.
    inside: &'a [(u32, usize)],
    steps: Vec<Draft>,
    inputs: Vec<(Slices, usize)>,
    outputs: Vec<(Slices, usize)>,
}

impl<'a> Cutter<'a> {
    /// For so many parts, some of which run in order. Buffers in `inside` are written and read by these steps alone.
    pub(crate) fn new([parts, in_order]: [usize; 2], inside: &'a [(u32, usize)]) -> Cutter<'a> {
        Cutter {
            parts,
            in_order,
            copies: 0,
            shares: false,
            inside,
            steps: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// Products may share a matrix between parts, which each of them copies for itself.
    pub(crate) fn sharing(mut self) -> Cutter<'a> {
        self.shares = true;
        self
    }

    /// Cuts the next step, if it computes parts of its results from parts of what the steps before it wrote.
    pub(crate) fn cut(&mut self, step: &Draft) -> Option<()> {
        let work = match &step.work {
            Draw::Loop(spec) => Draw::Loop(self.cut_loop(spec)?),
            Draw::Product { product, a, b, c, .. } => self.cut_product(product, *a, *b, *c)?,
            Draw::Call { kernel, inputs, output, tag } if kernel.by_rows() => {
                let inputs = inputs.iter().map(|input| self.cut_rows(input, false)).collect::<Option<_>>()?;
                Draw::Call { kernel: kernel.clone(), inputs, output: self.cut_rows(output, true)?, tag: *tag }
            }
            Draw::Call { .. } | Draw::Chain(_) => return None,
        };
        self.steps.push(Draft { work, made: step.made.clone() });
        Some(())
    }

    /// All steps, with a room of so many bytes for what is inside.
    pub(crate) fn finish(mut self, inside: usize) -> Cut {
        let inside = inside.next_multiple_of(64);
        for step in &mut self.steps {
            if let Draw::Product { copy: Some((_, copy)), .. } = &mut step.work {
                copy.offset += inside;
            }
        }
        let inputs = self.inputs.len() as u32;
        for step in &mut self.steps {
            step.each_region(|region| {
                if region.buffer >= OUTPUT {
                    region.buffer = region.buffer - OUTPUT + INPUT + inputs;
                }
            });
        }
        let Cutter { steps, inputs, outputs, parts, in_order, copies, .. } = self;
        Cut { steps, inputs, outputs, parts, in_order, shares: copies > 0, room: inside + copies }
    }

    fn cut_loop(&mut self, spec: &LoopSpec) -> Option<LoopSpec> {
        let n = per(spec.n, self.parts)?;
        if spec.cols.is_some_and(|cols| cols > BLOCK || !n.is_multiple_of(cols.max(1))) {
            return None;
        }
        let mut part = LoopSpec { n, ..spec.clone() };
        for value in &mut part.values {
            let size = value.dtype.size();
            match &mut value.def {
                Def::ColReduce(..) => return None,
                Def::Load(load) => {
                    let (outer, inner) = match load.rank {
                        Rank::Uniform => (SmallVec::from_iter([(self.parts, 0)]), load.dims.iter().copied().collect()),
                        Rank::Row | Rank::Full => split(load.dims.iter().copied(), self.parts)?,
                    };
                    let bounds = bounds(&inner);
                    (load.region, load.offset) = self.read((load.region, load.offset), outer, bounds, size)?;
                    load.dims = inner.into_iter().collect();
                }
                _ => {}
            }
        }
        for store in &mut part.stores {
            store.region = self.write(store.region)?;
        }
        Some(part)
    }

    /// Some rows of an operand or of the result.
    fn cut_rows(&mut self, (region, dtype, shape): &Typed, written: bool) -> Option<Typed> {
        let rows = per(*shape.first()?, self.parts)?;
        let elements = per(shape.len(), self.parts)?;
        let part = shape.without(&[0]).insert(0, rows).ok()?;
        // A part of a value is none of its rows.
        if region.offset != 0 {
            return None;
        }
        if written {
            return Some((self.write(*region)?, *dtype, part));
        }
        let outer = SmallVec::from_iter([(self.parts, elements as isize)]);
        let (mut found, offset) = self.read((*region, 0), outer, (0, elements as i128 - 1), dtype.size())?;
        (found.offset, found.len) = (found.offset + offset * dtype.size(), elements * dtype.size());
        Some((found, *dtype, part))
    }

    fn cut_product(&mut self, whole: &MatMul, a: (Region, usize), b: (Region, usize), c: Region) -> Option<Draw> {
        if whole.k == 0 {
            return None;
        }
        let count: usize = whole.batch.iter().map(|axis| axis.0).product();
        let mut part = MatMul { unit: Some(whole.on_unit()), ..whole.clone() };
        let (mut outer_a, mut outer_b, batch) = match count.is_multiple_of(self.parts) {
            true => {
                let (outer_a, a) = split(whole.batch.iter().map(|axis| (axis.0, axis.1)), self.parts)?;
                let (outer_b, b) = split(whole.batch.iter().map(|axis| (axis.0, axis.2)), self.parts)?;
                (outer_a, outer_b, a.iter().zip(&b).map(|(a, b)| (a.0, a.1, b.1)).collect())
            }
            false => {
                let each = |stride: fn(&(usize, isize, isize)) -> isize| -> Axes {
                    whole.batch.iter().map(|axis| (axis.0, stride(axis))).collect()
                };
                (each(|axis| axis.1), each(|axis| axis.2), SmallVec::new())
            }
        };
        part.batch = batch;
        if !count.is_multiple_of(self.parts) {
            // Some rows of each product.
            let strips = per(self.parts, count)?;
            part.m = per(whole.m, strips)?;
            let stride = whole.a[0].stride()?;
            part.a[0] = Side::Stride(stride);
            outer_a.push((strips, stride.checked_mul(part.m as isize)?));
            outer_b.push((strips, 0));
        }
        // What all parts share is copied for each of them.
        let shared = |axes: &Axes| axes.iter().all(|axis| axis.0 == 1 || axis.1 == 0);
        let costs = |shared: bool, other: usize| shared && other < SHARED_BY;
        if !self.shares && (costs(shared(&outer_a), part.n) || costs(shared(&outer_b), part.m)) {
            return None;
        }
        let fixed = [(Which::A, &outer_a), (Which::B, &outer_b)]
            .map(|(of, axes)| (of, self.in_order > 1 && is_fixed(axes, self.in_order)));
        let size = whole.dtype.size();
        let of = |bounds: (isize, isize)| (bounds.0 as i128, bounds.1 as i128);
        let a = self.read(a, outer_a, of(part.a_bounds()), size)?;
        let b = self.read(b, outer_b, of(part.b_bounds()), size)?;
        let c = self.write(c)?;
        // What parts that run in order share is copied once for them.
        let copy = fixed.into_iter().find_map(|(of, fixed)| {
            let bytes = part.copy_bytes(of);
            (fixed && bytes > 0).then(|| {
                let copy = Region::new(ARENA, self.copies, bytes);
                self.copies += bytes.next_multiple_of(64);
                (of, copy)
            })
        });
        Some(Draw::Product { product: Box::new(part), a, b, c, copy })
    }

    /// Where a part reads: the elements from `low` to `high` around the one at `offset`, whose first one moves along `outer`.
    fn read(
        &mut self,
        (region, offset): (Region, usize),
        outer: Axes,
        (low, high): (i128, i128),
        size: usize,
    ) -> Option<(Region, usize)> {
        let (low, high) = (offset as i128 + low, offset as i128 + high);
        if let Some(part) = self.written(&region) {
            // Part for part of what was written.
            let elements = (part.len / size) as i128;
            let follow = outer.iter().rev().try_fold(elements, |next, &(extent, stride)| {
                (extent == 1 || stride as i128 == next).then_some(next * extent as i128)
            });
            return (follow.is_some() && low >= 0 && high < elements).then_some((part, offset));
        }
        let bytes = usize::try_from((high + 1 - low).checked_mul(size as i128)?).ok()?;
        let axes = outer.iter().map(|&(extent, stride)| (extent, stride * size as isize)).collect();
        let start = usize::try_from(low).ok()?.checked_mul(size)?;
        let slices = Slices { region, offset: start, axes };
        let input = (slices, bytes);
        let at = self.inputs.iter().position(|known| *known == input).unwrap_or_else(|| {
            self.inputs.push(input);
            self.inputs.len() - 1
        });
        Some((Region::new(INPUT + at as u32, 0, bytes), (offset as i128 - low) as usize))
    }

    /// Where a part writes.
    fn write(&mut self, region: Region) -> Option<Region> {
        let bytes = per(region.len, self.parts)?;
        if let Some(&(_, place)) = self.inside.iter().find(|(buffer, _)| *buffer == region.buffer) {
            return Some(Region::new(ARENA, place, bytes));
        }
        let axes = SmallVec::from_iter([(self.parts, bytes as isize)]);
        self.outputs.push((Slices { region, offset: 0, axes }, bytes));
        Some(Region::new(OUTPUT + self.outputs.len() as u32 - 1, 0, bytes))
    }

    /// The part of what a step before this one wrote.
    fn written(&self, region: &Region) -> Option<Region> {
        if let Some(&(_, place)) = self.inside.iter().find(|(buffer, _)| *buffer == region.buffer) {
            return Some(Region::new(ARENA, place, region.len / self.parts));
        }
        let at = self.outputs.iter().position(|(slices, _)| slices.region.buffer == region.buffer)?;
        Some(Region::new(OUTPUT + at as u32, 0, self.outputs[at].1))
    }
}

/// How many there are in each part, if they can be shared out evenly.
fn per(all: usize, parts: usize) -> Option<usize> {
    (parts > 0 && all > 0 && all.is_multiple_of(parts)).then(|| all / parts)
}

/// The axes that tell the parts, and those within a part. One axis may be both.
fn split(axes: impl Iterator<Item = (usize, isize)>, parts: usize) -> Option<(Axes, Axes)> {
    let (mut outer, mut inner) = (Axes::new(), Axes::new());
    let mut left = parts;
    for (extent, stride) in axes {
        if left == 1 {
            inner.push((extent, stride));
        } else if extent > 0 && left.is_multiple_of(extent) {
            outer.push((extent, stride));
            left /= extent;
        } else {
            let each = per(extent, left)?;
            outer.push((left, stride.checked_mul(each as isize)?));
            inner.push((each, stride));
            left = 1;
        }
    }
    (left == 1).then_some((outer, inner))
}

/// The lowest and the highest element that axes reach from the first.
fn bounds(axes: &Axes) -> (i128, i128) {
    axes.iter().fold((0, 0), |(low, high), &(extent, stride)| {
        let reach = (extent.max(1) - 1) as i128 * stride as i128;
        (low + reach.min(0), high + reach.max(0))
    })
}
