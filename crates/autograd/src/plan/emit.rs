//! From groups to a program: the order of the steps, the place of every value, and the kernels.

use crate::class::{Class, IndexFn};
use crate::graph::OpRef;
use crate::hash::Table;
use crate::plan::arena::{Arena, Life};
use crate::plan::chain::chained;
use crate::plan::donate::Donated;
use crate::plan::draft::{Draft, Draw, Made, UNPLACED};
use crate::plan::group::{Group, Grouping};
use crate::plan::lower::{Item, Lowered, Operand, Work};
use crate::plan::part::{Cut, Cutter};
use smallvec::SmallVec;
use std::sync::Arc;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::loops::alike::Compiler;
use wengert_tensor::kernels::matmul::{MatMul, Side};
use wengert_tensor::kernels::threads::threads;
use wengert_tensor::layout::Layout;
use wengert_tensor::program::chain::Chain;
use wengert_tensor::program::loops::{Def, Load, LoopSpec, Rank, Store, Value, ValueId};
use wengert_tensor::program::region::{ARENA, Region};
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::program::{Buffers, Program, Step};

/// A program, and what must be bound to it.
#[derive(Debug)]
pub(crate) struct Emitted {
    pub(crate) program: Program,
    /// Tensor leaves, in the order of the program's inputs.
    pub(crate) tensors: Vec<u32>,
    /// Scalar leaves, in the order of the program's slots.
    pub(crate) scalars: Vec<u32>,
    /// For each wanted node, which of the program's outputs has its elements.
    pub(crate) outputs: Vec<usize>,
    /// For each call, the hash of the node it computes.
    pub(crate) origins: Vec<u128>,
    /// What each step makes: for reports.
    pub(crate) made: Vec<Made>,
    /// The hash of the node with the largest value between the inputs and the outputs: it is to blame where there is no room.
    pub(crate) largest: u128,
}

/// An op's own kernel.
#[derive(Debug)]
struct OpKernel(OpRef);

impl Kernel for OpKernel {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        match self.0.class() {
            Class::Kernel(kernel) => kernel.run(inputs, out),
            _ => Err(Error::state("an op that changed its class")),
        }
    }

    fn by_rows(&self) -> bool {
        matches!(self.0.class(), Class::Kernel(kernel) if kernel.by_rows())
    }
}

struct Emitter<'a> {
    items: &'a [Item],
    grouping: &'a Grouping,
    regions: Vec<Option<Region>>,
    slots: Table<u32, u32>,
    scalars: Vec<u32>,
}

/// Steps without places, and what they are bound to.
struct Drafted<'a> {
    emitter: Emitter<'a>,
    drafts: Vec<Draft>,
    tensors: Vec<u32>,
    inputs: Vec<usize>,
    outputs: Vec<usize>,
    output_bytes: Vec<usize>,
    origins: Vec<u128>,
}

/// The steps of grouped items, in order.
fn draft<'a>(lowered: &'a Lowered, grouping: &'a Grouping) -> Result<Drafted<'a>> {
    let items = &lowered.items;
    let mut order: Vec<u32> =
        (0..grouping.groups.len() as u32).filter(|&g| !grouping.groups[g as usize].members.is_empty()).collect();
    order.sort_by_key(|&g| {
        let group = &grouping.groups[g as usize];
        (group.level, group.members.iter().min().copied())
    });

    let mut emitter =
        Emitter { items, grouping, regions: vec![None; items.len()], slots: Table::default(), scalars: Vec::new() };
    let (tensors, inputs) = emitter.bind_tensors()?;
    let (outputs, output_bytes) = emitter.bind_outputs(&lowered.outputs, inputs.len());
    let read = emitter.read_from_memory(&order);
    for &g in &order {
        for &id in &grouping.groups[g as usize].members {
            let bytes = items[id as usize].bytes();
            if emitter.regions[id as usize].is_none() && bytes > 0 && read[id as usize] {
                emitter.regions[id as usize] = Some(Region::new(UNPLACED + id, 0, bytes));
            }
        }
    }
    let mut drafts = Vec::with_capacity(order.len());
    let mut origins = Vec::new();
    for &g in &order {
        let group = &grouping.groups[g as usize];
        if group.n == 0 {
            if let Some(work) = emitter.single(group, &mut origins)? {
                let items = group.members.iter().copied().collect();
                drafts.push(Draft { work, made: Made { groups: SmallVec::from_iter([g]), items } });
            }
            continue;
        }
        let spec = emitter.spec(g, group)?;
        if !spec.stores.is_empty() {
            let made = Made { groups: SmallVec::from_iter([g]), items: emitter.stored(group) };
            drafts.push(Draft { work: Draw::Loop(spec), made });
        }
    }
    Ok(Drafted { emitter, drafts, tensors, inputs, outputs, output_bytes, origins })
}

/// Builds the program of grouped items. Results may be written over the leaves in `donated`; `fuse`: steps may run part by part.
///
/// # Errors
/// When an op breaks its contract; never by the values of leaves.
pub(crate) fn emit(lowered: &Lowered, grouping: &Grouping, donated: &[u32], fuse: bool) -> Result<Emitted> {
    let items = &lowered.items;
    let Drafted { emitter, mut drafts, tensors, inputs, outputs, output_bytes, origins } = draft(lowered, grouping)?;
    let donated = Donated::new(donated, &tensors, &inputs);
    if fuse {
        drafts = chained(drafts, |buffer| buffer < UNPLACED, &mut (UNPLACED + items.len() as u32));
    }

    let (lives, unplaced) = lives(&drafts);
    let (mut arena, offsets) = Arena::pack(&lives);
    let places: Table<u32, usize> = unplaced.iter().copied().zip(offsets).collect();
    let place = |region: &mut Region| {
        if let Some(offset) = places.get(&region.buffer) {
            *region = Region::new(ARENA, offset + region.offset, region.len);
        }
    };
    // Of equal ones the first.
    let largest = unplaced.iter().zip(&lives).filter(|(buffer, _)| ((**buffer - UNPLACED) as usize) < items.len());
    let largest = largest.max_by_key(|(buffer, life)| (life.bytes, std::cmp::Reverse(**buffer)));
    let largest = largest.map_or(0, |(&buffer, _)| items[(buffer - UNPLACED) as usize].origin);

    let mut compiler = Compiler::default();
    let mut steps = Vec::with_capacity(drafts.len());
    let mut made = Vec::with_capacity(drafts.len());
    for (at, mut draft) in drafts.into_iter().enumerate() {
        draft.each_region(place);
        steps.push(match draft.work {
            Draw::Loop(mut spec) => {
                let mut code = donated.compile(&mut spec, &mut compiler)?;
                if code.workspace_bytes() > 0 {
                    let offset = arena.workspace(code.workspace_bytes(), at);
                    code.set_workspace(Region::new(ARENA, offset, code.workspace_bytes()));
                }
                Step::Loop(Box::new(code))
            }
            Draw::Product { product, a, b, c, copy } => Step::MatMul { product, a, b, c, copy },
            Draw::Call { kernel, inputs, output, tag } => Step::Call { kernel, inputs, output, tag },
            Draw::Chain(cut) => {
                let pitch = Chain::pitch_of(cut.room);
                let bytes = pitch * threads().min(cut.parts / cut.in_order);
                let room = Region::new(ARENA, arena.workspace(bytes, at), bytes);
                Step::Chain(Box::new(chain(*cut, room, emitter.scalars.len(), &mut compiler)?))
            }
        });
        made.push(draft.made);
    }
    let buffers = Buffers { arena: arena.size(), inputs, outputs: output_bytes, scalars: emitter.scalars.len() };
    let program = Program::new(steps, buffers)?;
    Ok(Emitted { program, tensors, scalars: emitter.scalars, outputs, origins, made, largest })
}

/// When each value that has no place yet is written and read for the last time, and which buffer it is, by the first.
fn lives(drafts: &[Draft]) -> (Vec<Life>, Vec<u32>) {
    let mut lives: Vec<Life> = Vec::new();
    let mut unplaced: Vec<u32> = Vec::new();
    let mut known: Table<u32, usize> = Table::default();
    for (at, draft) in drafts.iter().enumerate() {
        for region in draft.reads() {
            if let Some(life) = known.get(&region.buffer).and_then(|&i| lives.get_mut(i)) {
                life.last = at;
            }
        }
        for region in draft.writes().iter().filter(|region| region.buffer >= UNPLACED) {
            known.insert(region.buffer, lives.len());
            lives.push(Life { bytes: region.len, first: at, last: at });
            unplaced.push(region.buffer);
        }
    }
    (lives, unplaced)
}

/// The steps of a part, compiled.
fn compiled(drafts: Vec<Draft>, compiler: &mut Compiler) -> Result<Vec<Step>> {
    let mut steps = Vec::with_capacity(drafts.len());
    for step in drafts {
        steps.push(match step.work {
            Draw::Loop(spec) => Step::Loop(Box::new(compiler.compile(&spec)?)),
            Draw::Product { product, a, b, c, copy } => Step::MatMul { product, a, b, c, copy },
            Draw::Call { kernel, inputs, output, tag } => Step::Call { kernel, inputs, output, tag },
            Draw::Chain(_) => return Err(Error::state("a chain of chains")),
        });
    }
    Ok(steps)
}

/// A program that computes one of so many equal parts of every result, from parts of some inputs.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) emitted: Emitted,
    /// For each tensor leaf, whether it reads the same part of it, or all.
    pub(crate) by_part: Vec<bool>,
}

/// Builds the program of one of so many parts, if the same steps compute them, each from whole inputs or the same part of them. `bytes`
/// are those of each leaf, by its ordinal.
///
/// # Errors
/// As [`emit`].
pub(crate) fn emit_share(
    lowered: &Lowered,
    grouping: &Grouping,
    parts: usize,
    bytes: &[usize],
) -> Result<Option<Share>> {
    let Drafted { emitter, drafts, tensors, inputs, outputs, output_bytes, origins } = draft(lowered, grouping)?;
    // What counts elements would have to know which part it is.
    let counts = drafts.iter().any(|draft| match &draft.work {
        Draw::Loop(spec) => {
            let counts =
                |value: &Value| matches!(value.def, Def::Iota { .. } | Def::Uniform { .. } | Def::Normal { .. });
            spec.values.iter().any(counts)
        }
        _ => false,
    });
    let (mut lives, unplaced) = lives(&drafts);
    lives.iter_mut().for_each(|life| life.bytes /= parts.max(1));
    let (arena, offsets) = Arena::pack(&lives);
    let inside: Vec<(u32, usize)> = unplaced.into_iter().zip(offsets).collect();
    let mut cutter = Cutter::new([parts, 1], &inside).sharing();
    if counts || drafts.is_empty() || drafts.iter().any(|draft| cutter.cut(draft).is_none()) {
        return Ok(None);
    }
    let mut cut = cutter.finish(arena.size());
    let mut by_part: Vec<Option<bool>> = vec![None; tensors.len()];
    let mut lengths = vec![0; inputs.len()];
    for (slices, len) in &cut.inputs {
        let at = slices.region.buffer as usize - 1;
        let leaf = tensors.get(at).and_then(|&leaf| bytes.get(leaf as usize).copied());
        let (Some(whole), Some(known), Some(length)) = (leaf, by_part.get_mut(at), lengths.get_mut(at)) else {
            return Ok(None);
        };
        let apart = whole / parts;
        let follow = slices.axes.iter().rev().try_fold(apart as isize, |next, &(extent, stride)| {
            (extent == 1 || stride == next).then_some(next * extent as isize)
        });
        let same = slices.axes.iter().all(|axis| axis.0 == 1 || axis.1 == 0);
        let end = slices.offset + len;
        let here = !same && follow.is_some() && whole.is_multiple_of(parts) && end <= apart;
        if (!same && !here) || known.is_some_and(|known| known != here) {
            return Ok(None);
        }
        (*known, *length) = (Some(here), end.max(*length));
    }
    let (ins, outs) = (cut.inputs, cut.outputs);
    for step in &mut cut.steps {
        step.each_region(|region| {
            let Some(at) = (region.buffer as usize).checked_sub(1) else { return };
            if let Some((slices, _)) = ins.get(at) {
                (region.buffer, region.offset) = (slices.region.buffer, region.offset + slices.offset);
            } else if let Some((slices, _)) = outs.get(at - ins.len()) {
                region.buffer = slices.region.buffer;
            }
        });
    }
    let output_bytes = output_bytes.iter().map(|bytes| bytes / parts).collect();
    let buffers = Buffers { arena: cut.room, inputs: lengths, outputs: output_bytes, scalars: emitter.scalars.len() };
    let program = Program::new(compiled(cut.steps, &mut Compiler::default())?, buffers)?;
    let scalars = emitter.scalars;
    let emitted = Emitted { program, tensors, scalars, outputs, origins, made: Vec::new(), largest: 0 };
    Ok(Some(Share { emitted, by_part: by_part.into_iter().map(|here| here == Some(true)).collect() }))
}

/// A chain, compiled.
fn chain(cut: Cut, room: Region, scalars: usize, compiler: &mut Compiler) -> Result<Chain> {
    let steps = compiled(cut.steps, compiler)?;
    let (inputs, in_bytes): (Vec<_>, _) = cut.inputs.into_iter().unzip();
    let (outputs, out_bytes): (Vec<_>, _) = cut.outputs.into_iter().unzip();
    let buffers = Buffers { arena: cut.room, inputs: in_bytes, outputs: out_bytes, scalars };
    let operands = inputs.into_iter().chain(outputs).collect();
    Ok(Chain { steps, buffers, operands, parts: cut.parts, in_order: cut.in_order, room })
}

impl Emitter<'_> {
    /// One input for each tensor leaf.
    fn bind_tensors(&mut self) -> Result<(Vec<u32>, Vec<usize>)> {
        let mut tensors = Vec::new();
        let mut bytes = Vec::new();
        // The layout of a leaf stands with its readers; all of them agree on the elements that exist.
        let mut extents: Table<u32, usize> = Table::default();
        for item in self.items {
            for o in &item.operands {
                if let Work::Tensor(_) = self.items[o.item as usize].work {
                    let need = o.layout.bounds().map_or(0, |(_, high)| high + 1);
                    let extent = extents.entry(o.item).or_default();
                    *extent = (*extent).max(need);
                }
            }
        }
        for (id, item) in self.items.iter().enumerate() {
            if let Work::Tensor(ordinal) = item.work {
                let len = extents.get(&(id as u32)).copied().unwrap_or(0) * item.dtype.size();
                tensors.push(ordinal);
                bytes.push(len);
                self.regions[id] = Some(Region::new(tensors.len() as u32, 0, len));
            }
        }
        Ok((tensors, bytes))
    }

    /// One output for each item that is wanted; wanted twice, it is there once.
    fn bind_outputs(&mut self, wanted: &[u32], inputs: usize) -> (Vec<usize>, Vec<usize>) {
        let mut bytes = Vec::new();
        let mut known: Table<u32, usize> = Table::default();
        let mut outputs = Vec::with_capacity(wanted.len());
        for &o in wanted {
            let index = *known.entry(o).or_insert_with(|| {
                let len = self.items[o as usize].bytes();
                bytes.push(len);
                self.regions[o as usize] = Some(Region::new((inputs + bytes.len()) as u32, 0, len));
                bytes.len() - 1
            });
            outputs.push(index);
        }
        (outputs, bytes)
    }

    /// For each item, whether a step reads it from memory, or writes it in any case.
    fn read_from_memory(&self, order: &[u32]) -> Vec<bool> {
        let mut read = vec![false; self.items.len()];
        let mut expanded = vec![usize::MAX; self.items.len()];
        let mut stack: Vec<&Operand> = Vec::new();
        for (at, &g) in order.iter().enumerate() {
            for &m in &self.grouping.groups[g as usize].members {
                // A product or kernel writes its result even when nobody reads it.
                read[m as usize] |= self.grouping.groups[g as usize].n == 0;
                stack.extend(&self.items[m as usize].operands);
            }
            while let Some(o) = stack.pop() {
                let id = o.item as usize;
                if self.grouping.group[id] == g {
                    continue;
                }
                // What is not read as it lies comes from memory.
                if self.grouping.recomputes(g, o.item) && o.is_whole(self.items) {
                    if std::mem::replace(&mut expanded[id], at) != at {
                        stack.extend(&self.items[id].operands);
                    }
                } else {
                    read[id] = true;
                }
            }
        }
        read
    }

    fn region(&self, id: u32) -> Result<Region> {
        self.regions[id as usize].ok_or_else(|| Error::state("a value that is read and was never placed"))
    }

    fn slot(&mut self, ordinal: u32) -> u32 {
        let scalars = &mut self.scalars;
        *self.slots.entry(ordinal).or_insert_with(|| {
            scalars.push(ordinal);
            scalars.len() as u32 - 1
        })
    }

    fn single(&mut self, group: &Group, origins: &mut Vec<u128>) -> Result<Option<Draw>> {
        let Some(&id) = group.members.first() else { return Ok(None) };
        let item = &self.items[id as usize];
        if item.is_loop() {
            return Ok(None);
        }
        match &item.work {
            Work::MatMul(rows, turned) if item.len() > 0 => self.product(id, item, rows, *turned).map(Some),
            Work::Kernel(op) => {
                let mut inputs = Vec::with_capacity(item.operands.len());
                for o in &item.operands {
                    let dtype = self.items[o.item as usize].dtype;
                    let len = o.layout.shape().len() * dtype.size();
                    let region = match len {
                        0 => Region::new(ARENA, 0, 0),
                        _ => {
                            let at = self.region(o.item)?;
                            Region::new(at.buffer, at.offset + o.layout.offset() * dtype.size(), len)
                        }
                    };
                    inputs.push((region, dtype, o.layout.shape().clone()));
                }
                let out = match item.bytes() {
                    0 => self.regions[id as usize].unwrap_or(Region::new(ARENA, 0, 0)),
                    _ => self.region(id)?,
                };
                origins.push(item.origin);
                let tag = origins.len() as u32 - 1;
                let kernel = Arc::new(OpKernel(op.clone()));
                Ok(Some(Draw::Call { kernel, inputs, output: (out, item.dtype, item.shape.clone()), tag }))
            }
            _ => Ok(None),
        }
    }

    fn product(&self, id: u32, item: &Item, rows: &[usize; 2], turned: bool) -> Result<Draw> {
        let ([a, b], Some((batch, &[m, n]))) = (item.operands.as_slice(), item.shape.split_last_chunk()) else {
            return Err(Error::state("a product takes two matrices"));
        };
        let [a_sides, b_sides] = [sides(&a.layout, batch.len(), rows[0]), sides(&b.layout, batch.len(), rows[1])];
        let k = a.layout.shape().iter().skip(batch.len() + rows[0]).product();
        let strides = a.layout.strides().iter().zip(b.layout.strides());
        let batch = batch.iter().zip(strides).map(|(&n, (&a, &b))| (n, a, b)).filter(|axis| axis.0 != 1).collect();
        let product = MatMul { dtype: item.dtype, m, n, k, a: a_sides, b: b_sides, batch, turned, unit: None };
        let operand = |o: &Operand| -> Result<(Region, usize)> {
            match o.layout.shape().len() {
                0 => Ok((Region::new(ARENA, 0, 0), 0)),
                _ => Ok((self.region(o.item)?, o.layout.offset())),
            }
        };
        let (a, b) = (operand(a)?, operand(b)?);
        Ok(Draw::Product { product: Box::new(product), a, b, c: self.region(id)?, copy: None })
    }

    /// The members of a loop that are stored, in the order of its stores.
    fn stored(&self, group: &Group) -> SmallVec<[u32; 2]> {
        let mut stored: Vec<u32> = group.members.clone();
        stored.retain(|&m| self.regions[m as usize].is_some());
        stored.sort_unstable();
        stored.into()
    }

    fn spec(&mut self, g: u32, group: &Group) -> Result<LoopSpec> {
        let mut members = group.members.clone();
        members.sort_unstable();
        let mut build = Build {
            emitter: self,
            g,
            spec: LoopSpec { n: group.n, cols: group.cols, ..LoopSpec::default() },
            known: Table::default(),
        };
        for &m in &members {
            let rank = build.emitter.grouping.rank[m as usize];
            let value = build.item(m, rank)?;
            if let Some(region) = build.emitter.regions[m as usize] {
                build.spec.stores.push(Store { value, region, over: None });
            }
        }
        Ok(build.spec)
    }
}

/// The rows and the columns of a matrix, which are axes behind those of the batch.
fn sides(layout: &Layout, batch: usize, rows: usize) -> [Side; 2] {
    let axes = || layout.shape().iter().copied().zip(layout.strides().iter().copied()).skip(batch);
    [Side::new(axes().take(rows)), Side::new(axes().skip(rows))]
}

/// What a value of a loop is known by.
#[derive(PartialEq, Eq, Hash)]
enum Name {
    Item(u32, Rank),
    Read(u32, Layout, Rank),
    Slot(u32, DType),
    Fill(wengert_tensor::dtype::Scalar),
}

struct Build<'a, 'b> {
    emitter: &'a mut Emitter<'b>,
    g: u32,
    spec: LoopSpec,
    known: Table<Name, ValueId>,
}

impl Build<'_, '_> {
    fn push(&mut self, name: Name, def: Def, dtype: DType) -> ValueId {
        let id = self.spec.values.len() as ValueId;
        self.spec.values.push(Value { def, dtype });
        self.known.insert(name, id);
        id
    }

    /// An item that this loop computes.
    fn item(&mut self, id: u32, rank: Rank) -> Result<ValueId> {
        if let Some(&known) = self.known.get(&Name::Item(id, rank)) {
            return Ok(known);
        }
        let items = self.emitter.items;
        let item = &items[id as usize];
        let inner = match item.work {
            Work::Rows(..) | Work::Cols(..) => Rank::Full,
            _ => rank,
        };
        let random_key = |build: &mut Self| match item.operands.first().map(|o| &items[o.item as usize].work) {
            Some(Work::Scalar(ordinal)) => Ok(build.emitter.slot(*ordinal)),
            _ => Err(Error::state("a random op whose key is not the tape's")),
        };
        let def = match &item.work {
            Work::Index(IndexFn::Iota { axis }) => {
                let extent = item.shape.get(*axis).copied().unwrap_or(1);
                Def::Iota { extent, inner: item.shape.iter().skip(axis + 1).product() }
            }
            Work::Index(IndexFn::Uniform { stream }) => Def::Uniform { key: random_key(self)?, stream: *stream },
            Work::Index(IndexFn::Normal { stream }) => Def::Normal { key: random_key(self)?, stream: *stream },
            work => {
                let mut ops = [0; 3];
                for (i, o) in item.operands.iter().enumerate().take(3) {
                    ops[i] = self.operand(o, inner)?;
                }
                for i in item.operands.len()..3 {
                    ops[i] = ops[0];
                }
                match work {
                    Work::Map(f) => Def::Map(*f, ops),
                    Work::Cast => Def::Cast(ops[0]),
                    Work::Copy => Def::Copy(ops[0]),
                    Work::Rows(f, _) => Def::RowReduce(*f, ops[0]),
                    Work::Cols(f, _) => Def::ColReduce(*f, ops[0]),
                    _ => return Err(Error::state("an item that no loop computes")),
                }
            }
        };
        Ok(self.push(Name::Item(id, rank), def, item.dtype))
    }

    /// A value that an item of this loop reads.
    fn operand(&mut self, o: &Operand, rank: Rank) -> Result<ValueId> {
        let items = self.emitter.items;
        let item = &items[o.item as usize];
        let grouping = self.emitter.grouping;
        match &item.work {
            Work::Scalar(ordinal) => {
                let slot = self.emitter.slot(*ordinal);
                let name = Name::Slot(slot, item.dtype);
                Ok(match self.known.get(&name) {
                    Some(&known) => known,
                    None => self.push(name, Def::Slot(slot), item.dtype),
                })
            }
            Work::Fill(value) => {
                let name = Name::Fill(*value);
                Ok(match self.known.get(&name) {
                    Some(&known) => known,
                    None => self.push(name, Def::Constant(*value), item.dtype),
                })
            }
            _ if grouping.group[o.item as usize] == self.g && !matches!(item.work, Work::Tensor(_)) => {
                self.item(o.item, grouping.rank[o.item as usize])
            }
            _ if grouping.recomputes(self.g, o.item) && o.is_whole(items) => self.item(o.item, rank),
            _ => {
                let name = Name::Read(o.item, o.layout.clone(), rank);
                if let Some(&known) = self.known.get(&name) {
                    return Ok(known);
                }
                let region = self.emitter.region(o.item)?;
                let dims = o.layout.shape().iter().copied().zip(o.layout.strides().iter().copied()).collect();
                let load = Load { region, offset: o.layout.offset(), dims, rank };
                Ok(self.push(name, Def::Load(load), item.dtype))
            }
        }
    }
}
