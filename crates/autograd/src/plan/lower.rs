//! From nodes to items: views become layouts of the operands that are read through them, and every reduction becomes one over the
//! columns of each row or over the rows of each column. What no layout can say is copied.

use crate::class::{Class, IndexFn, View};
use crate::graph::OpRef;
use crate::plan::graph::{Graph, Kind};
use crate::plan::through;
use smallvec::SmallVec;
use wengert_tensor::dtype::{DType, Scalar};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::scalar::{ReduceFn, ScalarFn};
use wengert_tensor::layout::Layout;
use wengert_tensor::shape::Shape;

/// Something to compute, or to bind.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// Bound at run time: tensor leaf `ordinal`.
    Tensor(u32),
    /// Bound at run time: scalar leaf `ordinal`.
    Scalar(u32),
    /// The same value everywhere.
    Fill(Scalar),
    Map(ScalarFn),
    Cast,
    Copy,
    /// Iota, uniform or normal; the key of a random function is its operand.
    Index(IndexFn),
    /// Each row of `cols` elements to one.
    Rows(ReduceFn, usize),
    /// All rows of `cols` elements to one row.
    Cols(ReduceFn, usize),
    /// How many axes of each operand, behind those of the batch, are its rows; the others are its columns. And whether the transpose of
    /// this product was asked for.
    MatMul([usize; 2], bool),
    Kernel(OpRef),
}

/// A value that is computed from scalars by more ops than this is a value like others.
const UNIFORM: u32 = 8;

/// Up to how many elements an axis in the middle is reduced as rows of columns.
const FEW: usize = 64;

/// An operand: elements of an item, read through a layout over the reader's points.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Operand {
    pub(crate) item: u32,
    pub(crate) layout: Layout,
}

impl Operand {
    /// Whether it is all elements of its item, as they lie.
    pub(crate) fn is_whole(&self, items: &[Item]) -> bool {
        is_plain(&self.layout) && items.get(self.item as usize).is_some_and(|of| of.len() == self.layout.shape().len())
    }
}

/// One item; its value is contiguous, except that a bound tensor has its own layout.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) work: Work,
    pub(crate) operands: SmallVec<[Operand; 3]>,
    pub(crate) shape: Shape,
    pub(crate) dtype: DType,
    pub(crate) origin: u128,
    /// Ops that compute it from scalars alone, if it is the same everywhere; 0 for what is not.
    pub(crate) uniform: u32,
}

impl Item {
    pub(crate) fn len(&self) -> usize {
        self.shape.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.len() * self.dtype.size()
    }

    /// Whether the loop machine computes it.
    pub(crate) fn is_loop(&self) -> bool {
        matches!(
            self.work,
            Work::Map(_) | Work::Cast | Work::Copy | Work::Index(_) | Work::Fill(_) | Work::Rows(..) | Work::Cols(..)
        )
    }
}

/// Items in order, and for each wanted node the item that holds exactly its elements.
#[derive(Debug, Default)]
pub(crate) struct Lowered {
    pub(crate) items: Vec<Item>,
    pub(crate) outputs: Vec<u32>,
}

struct Lowering {
    items: Vec<Item>,
    /// For each node: the item that holds it, and how it is read.
    views: Vec<Operand>,
    /// For each item, how many read it so far.
    readers: Vec<u32>,
}

/// Lowers a graph.
///
/// # Errors
/// When an op breaks its contract.
pub(crate) fn lower(graph: &Graph) -> Result<Lowered> {
    let mut readers = vec![0u32; graph.nodes.len()];
    for &id in graph.nodes.iter().flat_map(|node| &node.inputs).chain(&graph.outputs) {
        readers[id as usize] += 1;
    }
    let room = graph.nodes.len();
    let mut state = Lowering {
        items: Vec::with_capacity(room),
        views: Vec::with_capacity(room),
        readers: Vec::with_capacity(room),
    };
    // Which nodes hold what nobody else reads: they have one reader, and so has all that they are views of.
    let mut alone: Vec<bool> = Vec::with_capacity(graph.nodes.len());
    for (id, node) in graph.nodes.iter().enumerate() {
        let (shape, dtype) = (node.meta.shape.clone(), node.meta.dtype);
        let inputs: SmallVec<[Operand; 3]> = node.inputs.iter().map(|&i| state.views[i as usize].clone()).collect();
        let item =
            |work, operands| Item { work, operands, shape: shape.clone(), dtype, origin: node.origin, uniform: 0 };
        let first = || inputs.first().cloned().ok_or_else(|| Error::state("an op without its operand"));
        let view = match (&node.kind, node.class()) {
            (Kind::Tensor(ordinal, layout), _) => {
                let id = state.push(item(Work::Tensor(*ordinal), SmallVec::new()));
                Operand { item: id, layout: layout.clone() }
            }
            (Kind::Scalar(ordinal), _) => state.plain(item(Work::Scalar(*ordinal), SmallVec::new())),
            (Kind::Fill(value), _) => state.plain(item(Work::Fill(*value), SmallVec::new())),
            (_, Class::View(view)) => {
                let operand = first()?;
                let unshared = node.inputs.first().is_some_and(|&i| alone[i as usize]);
                match unshared.then(|| state.turned(&operand, view, &shape)).flatten() {
                    Some(turned) => turned,
                    None => state.view(operand, view, &shape, node.origin, unshared)?,
                }
            }
            (_, Class::Reduce { kind, axes }) => {
                let operand = first()?;
                let dtype_in = state.items[operand.item as usize].dtype;
                state.reduce(operand, dtype_in, kind, axes, &shape, node.origin)?
            }
            (_, Class::Map(f)) => state.plain(item(Work::Map(f), inputs.clone())),
            (_, Class::Cast(_)) => state.plain(item(Work::Cast, inputs.clone())),
            (_, Class::Index(IndexFn::Fill(value))) => state.plain(item(Work::Fill(value), SmallVec::new())),
            (_, Class::Index(f)) => state.plain(item(Work::Index(f), inputs.clone())),
            (_, Class::MatMul) if inputs.first().is_some_and(|a| a.layout.shape().last() == Some(&1)) => {
                // Sums of one product each are products of elements, which run in a loop with what is done to them.
                let operands = inputs.iter().map(|o| state.stretched(o, &shape)).collect::<Result<_>>()?;
                state.plain(item(Work::Map(ScalarFn::Mul), operands))
            }
            (_, Class::MatMul) => {
                let operands: SmallVec<[Operand; 3]> = inputs.iter().map(|o| state.in_memory(o, node.origin)).collect();
                state.product(item(Work::MatMul([1, 1], false), operands))?
            }
            (Kind::Op(op), Class::Kernel(_)) => {
                let operands = inputs.iter().map(|o| state.contiguous(o, node.origin)).collect::<Result<_>>()?;
                state.plain(item(Work::Kernel(op.clone()), operands))
            }
            _ => return Err(Error::state("a leaf that is not on its tape")),
        };
        let shared = |&i: &u32| state.views[i as usize].item == view.item && !alone[i as usize];
        alone.push(readers[id] == 1 && !node.inputs.iter().any(shared));
        state.views.push(view);
    }
    let mut outputs = Vec::with_capacity(graph.outputs.len());
    for &o in &graph.outputs {
        let view = state.views[o as usize].clone();
        let held = &state.items[view.item as usize];
        let computed = held.is_loop() || matches!(held.work, Work::MatMul(..) | Work::Kernel(_));
        let id = match view.is_whole(&state.items) && computed && !matches!(held.work, Work::Fill(_)) {
            true => view.item,
            false => state.copy(view, graph.nodes[o as usize].origin).item,
        };
        outputs.push(id);
    }
    Ok(Lowered { items: state.items, outputs }.without_the_unread())
}

/// Contiguous from the first element.
pub(crate) fn is_plain(layout: &Layout) -> bool {
    layout.offset() == 0 && layout.is_contiguous()
}

impl Lowering {
    fn push(&mut self, mut item: Item) -> u32 {
        item.uniform = match item.work {
            Work::Scalar(_) | Work::Fill(_) => 1,
            Work::Map(_) | Work::Cast => {
                let known = |o: &Operand| o.is_whole(&self.items) && self.items[o.item as usize].uniform > 0;
                let ops = 1 + item.operands.iter().map(|o| self.items[o.item as usize].uniform).sum::<u32>();
                if ops <= UNIFORM && item.operands.iter().all(known) { ops } else { 0 }
            }
            _ => 0,
        };
        for operand in &item.operands {
            if let Some(readers) = self.readers.get_mut(operand.item as usize) {
                *readers += 1;
            }
        }
        self.items.push(item);
        self.readers.push(0);
        self.items.len() as u32 - 1
    }

    /// An item whose value is read as it lies.
    fn plain(&mut self, item: Item) -> Operand {
        let layout = Layout::contiguous(item.shape.clone());
        Operand { item: self.push(item), layout }
    }

    fn copy(&mut self, operand: Operand, origin: u128) -> Operand {
        let shape = operand.layout.shape().clone();
        let dtype = self.items[operand.item as usize].dtype;
        self.plain(Item {
            work: Work::Copy,
            operands: std::iter::once(operand).collect(),
            shape,
            dtype,
            origin,
            uniform: 0,
        })
    }

    /// The operand itself when its elements lie one behind the other, a copy of it otherwise.
    fn contiguous(&mut self, operand: &Operand, origin: u128) -> Result<Operand> {
        let inline = matches!(self.items[operand.item as usize].work, Work::Scalar(_) | Work::Fill(_));
        match operand.layout.is_contiguous() && !inline {
            true => Ok(operand.clone()),
            false => Ok(self.copy(operand.clone(), origin)),
        }
    }

    /// The operand itself unless it has no memory.
    fn in_memory(&mut self, operand: &Operand, origin: u128) -> Operand {
        match self.items[operand.item as usize].work {
            Work::Scalar(_) | Work::Fill(_) => self.copy(operand.clone(), origin),
            _ => operand.clone(),
        }
    }

    /// (A·B)ᵀ = Bᵀ·Aᵀ, to the bit: a product that is only read transposed is computed transposed, so that its readers walk it
    /// in order.
    fn turned(&mut self, operand: &Operand, view: &dyn View, shape: &Shape) -> Option<Operand> {
        let item = self.items.get_mut(operand.item as usize)?;
        let plain = Layout::contiguous(item.shape.clone());
        if !matches!(item.work, Work::MatMul(..)) || operand.layout != plain {
            return None;
        }
        if view.view(&plain, shape)? != flipped(&plain, item.shape.rank().checked_sub(2)?, 1)? {
            return None;
        }
        turn(item)?;
        Some(Operand { item: operand.item, layout: Layout::contiguous(shape.clone()) })
    }

    /// A product that reads its operands where they lie, if it can.
    fn product(&mut self, mut item: Item) -> Result<Operand> {
        let batch = item.shape.rank().saturating_sub(2);
        let mut rows = [1, 1];
        let sizes: SmallVec<[usize; 2]> = item.operands.iter().map(|o| o.layout.shape().len()).collect();
        for ((operand, rows), other) in item.operands.iter_mut().zip(&mut rows).zip(sizes.into_iter().rev()) {
            if let Some((read, axes)) = through::read(&self.items, operand, batch, &item.shape, other) {
                (*operand, *rows) = (read, axes);
            }
        }
        item.work = Work::MatMul(rows, false);
        let across = item.operands.get(1).is_some_and(|b| through::lies_across(&b.layout, batch, rows[1]));
        if !across {
            return Ok(self.plain(item));
        }
        // Its columns are copied as the rows of the other operand, without turning them.
        turn(&mut item).ok_or_else(|| Error::state("a product takes two matrices"))?;
        let turned = self.plain(item);
        let layout = flipped(&turned.layout, batch, 1).ok_or_else(|| Error::state("a product has two axes"))?;
        Ok(Operand { item: turned.item, layout })
    }

    /// f(x) in another order is f of x in that order, to the bit: nothing is copied where f is only read so, and all of its operands are in
    /// memory anyway.
    fn reordered(&mut self, operand: &Operand) -> Option<Operand> {
        let item = self.items.get(operand.item as usize)?.clone();
        let shape = operand.layout.shape();
        let map = matches!(item.work, Work::Map(_) | Work::Cast) && item.uniform == 0;
        let stays = |o: &Operand| {
            let of = &self.items[o.item as usize];
            matches!(of.work, Work::Tensor(_) | Work::MatMul(..) | Work::Kernel(_))
                || of.uniform > 0
                || of.len() < item.len()
                || self.readers[o.item as usize] > 1
        };
        if !map || shape.len() != item.len() || !item.operands.iter().all(stays) {
            return None;
        }
        let read = |o: &Operand| match self.items[o.item as usize].uniform {
            0 => Some(Operand { item: o.item, layout: through::composed(&o.layout, &operand.layout)? }),
            _ => Some(self.spread(o.item, shape)),
        };
        let operands = item.operands.iter().map(read).collect::<Option<_>>()?;
        Some(self.plain(Item { operands, shape: shape.clone(), ..item }))
    }

    /// A cast to a wider dtype that is read in another order, as one of elements that are read in that order.
    fn cast_late(&mut self, operand: Operand) -> Operand {
        let item = &self.items[operand.item as usize];
        let (Work::Cast, [from]) = (&item.work, item.operands.as_slice()) else { return operand };
        let narrow = self.items[from.item as usize].dtype.size() < item.dtype.size();
        let layout = (narrow && item.uniform == 0).then(|| through::composed(&from.layout, &operand.layout)).flatten();
        let Some(layout) = layout else { return operand };
        let operands = std::iter::once(Operand { item: from.item, layout }).collect();
        let item = Item { operands, shape: operand.layout.shape().clone(), ..item.clone() };
        self.plain(item)
    }

    fn view(
        &mut self,
        operand: Operand,
        view: &dyn View,
        shape: &Shape,
        origin: u128,
        unshared: bool,
    ) -> Result<Operand> {
        // A value that is the same everywhere keeps being so.
        if self.items[operand.item as usize].uniform > 0 {
            return Ok(self.spread(operand.item, shape));
        }
        if let Some(layout) = view.view(&operand.layout, shape) {
            return Ok(Operand { item: operand.item, layout });
        }
        let copied = match unshared.then(|| self.reordered(&operand)).flatten() {
            Some(reordered) => reordered,
            None => self.copy(operand, origin),
        };
        match view.view(&copied.layout, shape) {
            Some(layout) => Ok(Operand { item: copied.item, layout }),
            None => Err(Error::state("a view that no layout can say")),
        }
    }

    /// The operand with its axes of one element repeated.
    fn stretched(&mut self, operand: &Operand, shape: &Shape) -> Result<Operand> {
        match self.items[operand.item as usize].uniform {
            0 => Ok(Operand { item: operand.item, layout: operand.layout.broadcast_to(shape)? }),
            _ => Ok(self.spread(operand.item, shape)),
        }
    }

    /// A value that is the same everywhere, in another shape. It stands for a few ops at most, so this goes a few levels deep.
    fn spread(&mut self, id: u32, shape: &Shape) -> Operand {
        let item = self.items[id as usize].clone();
        let operands = item.operands.iter().map(|o| self.spread(o.item, shape)).collect();
        self.plain(Item { operands, shape: shape.clone(), ..item })
    }

    /// A reduction as steps over rows or columns. How it is cut follows from the shape and the axes alone.
    fn reduce(
        &mut self,
        operand: Operand,
        dtype: DType,
        kind: ReduceFn,
        axes: &[usize],
        out: &Shape,
        origin: u128,
    ) -> Result<Operand> {
        let shape = operand.layout.shape().clone();
        if shape.is_empty() && !out.is_empty() {
            let value = match kind {
                ReduceFn::Sum => 0.0,
                ReduceFn::Prod => 1.0,
                // Of no masks, none is true and all are.
                ReduceFn::Max if dtype == DType::Bool => 0.0,
                ReduceFn::Max => f64::NEG_INFINITY,
                ReduceFn::Min => f64::INFINITY,
            };
            let value = Scalar::new(dtype, value);
            return Ok(self.plain(Item {
                work: Work::Fill(value),
                operands: SmallVec::new(),
                shape: out.clone(),
                dtype,
                origin,
                uniform: 0,
            }));
        }
        if matches!(dtype, DType::BF16 | DType::F16) && matches!(kind, ReduceFn::Sum | ReduceFn::Prod) {
            // Whatever steps it takes, there is one rounding: at the end.
            let cast = |operand: Operand, dtype| {
                let shape = operand.layout.shape().clone();
                let operands = std::iter::once(operand).collect();
                Item { work: Work::Cast, operands, shape, dtype, origin, uniform: 0 }
            };
            let wide = self.plain(cast(operand, DType::F32));
            let wide = self.reduce(wide, DType::F32, kind, axes, out, origin)?;
            return Ok(self.plain(cast(wide, dtype)));
        }
        // Axes of one element are nothing to reduce.
        let kept: SmallVec<[usize; 4]> = (0..shape.rank()).filter(|a| shape[*a] != 1 && !axes.contains(a)).collect();
        let gone: SmallVec<[usize; 4]> = axes.iter().copied().filter(|&a| shape[a] != 1).collect();
        let size = |axes: &[usize]| axes.iter().map(|&a| shape[a]).product::<usize>();
        let step = |state: &mut Self, operand: Operand, work: Work, dims: &[usize]| -> Result<Operand> {
            let shape = Shape::new(dims)?;
            Ok(state.plain(Item {
                work,
                operands: std::iter::once(operand).collect(),
                shape,
                dtype,
                origin,
                uniform: 0,
            }))
        };
        let reshaped = |o: Operand| -> Result<Operand> {
            let layout = o.layout.reshape(out).ok_or_else(|| Error::state("a reduction of another size"))?;
            Ok(Operand { item: o.item, layout })
        };
        if gone.is_empty() {
            let operand = self.contiguous(&operand, origin)?;
            return reshaped(operand);
        }
        if kept.is_empty() {
            let n = shape.len();
            let cols = whole_cols(&shape);
            let last = match cols == n {
                true => operand,
                false => step(self, operand, Work::Rows(kind, cols), &[n / cols])?,
            };
            let rest = last.layout.shape().len();
            let scalar = step(self, last, Work::Rows(kind, rest), &[])?;
            return reshaped(scalar);
        }
        let (first_kept, last_kept) = (kept[0], kept[kept.len() - 1]);
        if gone.iter().all(|&a| a > last_kept) {
            let dims: SmallVec<[usize; 4]> = kept.iter().map(|&a| shape[a]).collect();
            let rows = step(self, operand, Work::Rows(kind, size(&gone)), &dims)?;
            return reshaped(rows);
        }
        if gone.iter().all(|&a| a < first_kept) {
            let dims: SmallVec<[usize; 4]> = kept.iter().map(|&a| shape[a]).collect();
            let cols = step(self, operand, Work::Cols(kind, size(&kept)), &dims)?;
            return reshaped(cols);
        }
        let trailing: SmallVec<[usize; 4]> = gone.iter().copied().filter(|&a| a > last_kept).collect();
        if !trailing.is_empty() {
            let left: SmallVec<[usize; 4]> = (0..shape.rank()).filter(|a| !trailing.contains(a)).collect();
            let dims: SmallVec<[usize; 4]> = left.iter().map(|&a| shape[a]).collect();
            let part = step(self, operand, Work::Rows(kind, size(&trailing)), &dims)?;
            let rest: SmallVec<[usize; 4]> =
                left.iter().enumerate().filter(|(_, a)| gone.contains(a)).map(|(i, _)| i).collect();
            return self.reduce(part, dtype, kind, &rest, out, origin);
        }
        // Reduced axes between kept ones: few are read first, so that neighbours are reduced side by side; many are read last.
        let few = size(&gone) <= FEW;
        let mut order: SmallVec<[usize; 4]> = (0..shape.rank()).filter(|a| !gone.contains(a)).collect();
        let at = if few { 0 } else { order.len() };
        order.insert_many(at, gone.iter().copied());
        let layout = operand.layout.permute(&order)?;
        let dims: SmallVec<[usize; 4]> = kept.iter().map(|&a| shape[a]).collect();
        let work = if few { Work::Cols(kind, size(&kept)) } else { Work::Rows(kind, size(&gone)) };
        let read = self.cast_late(Operand { item: operand.item, layout });
        let rows = step(self, read, work, &dims)?;
        reshaped(rows)
    }
}

/// The axes behind those of the batch, of which so many are rows, with the columns in front of them.
fn flipped(layout: &Layout, batch: usize, rows: usize) -> Option<Layout> {
    let rank = layout.shape().rank();
    let order: SmallVec<[usize; 8]> = (0..batch).chain(batch + rows..rank).chain(batch..batch + rows).collect();
    layout.permute(&order).ok()
}

/// Makes a product its transpose.
fn turn(item: &mut Item) -> Option<()> {
    let (Work::MatMul([a_rows, b_rows], turned), [a, b]) = (&item.work, item.operands.as_slice()) else { return None };
    let batch = item.shape.rank().checked_sub(2)?;
    let flip = |o: &Operand, rows| Some(Operand { item: o.item, layout: flipped(&o.layout, batch, rows)? });
    let columns = |o: &Operand, rows: usize| o.layout.shape().rank().checked_sub(batch + rows);
    let operands = [flip(b, *b_rows)?, flip(a, *a_rows)?];
    item.work = Work::MatMul([columns(b, *b_rows)?, columns(a, *a_rows)?], !*turned);
    item.operands = operands.into_iter().collect();
    let (front, &[m, n]) = item.shape.split_last_chunk()?;
    item.shape = Shape::new(front.iter().copied().chain([n, m]).collect::<SmallVec<[usize; 4]>>()).ok()?;
    Some(())
}

impl Lowered {
    /// Copies that products read through, and whatever else nobody reads, are left out.
    fn without_the_unread(mut self) -> Lowered {
        let mut read = vec![false; self.items.len()];
        for &output in &self.outputs {
            read[output as usize] = true;
        }
        for (id, item) in self.items.iter().enumerate().rev() {
            if read[id] {
                item.operands.iter().for_each(|o| read[o.item as usize] = true);
            }
        }
        if read.iter().all(|read| *read) {
            return self;
        }
        let mut kept = 0;
        let place = |read: &bool| {
            let place = kept;
            kept += u32::from(*read);
            place
        };
        let places: Vec<u32> = read.iter().map(place).collect();
        let mut read = read.into_iter();
        self.items.retain(|_| read.next().unwrap_or(true));
        for item in &mut self.items {
            item.operands.iter_mut().for_each(|o| o.item = places[o.item as usize]);
        }
        self.outputs.iter_mut().for_each(|o| *o = places[*o as usize]);
        self
    }
}

/// The rows in which all elements of a shape are reduced: trailing axes of at least 64 elements together, or the whole of a small shape.
fn whole_cols(shape: &Shape) -> usize {
    let n = shape.len();
    if n <= 2048 {
        return n;
    }
    let mut cols = 1;
    for &extent in shape.iter().rev() {
        cols *= extent;
        if cols >= 64 {
            break;
        }
    }
    cols
}
