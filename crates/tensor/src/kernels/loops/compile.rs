//! From a [`LoopSpec`] to actions over a pointer table.
//!
//! Each value gets a *form* for each rank in which it is used: one element (uniform), one a row, one a point (tile). A tile form is a
//! register, a place in memory that moves with the point, or, where a row is longer than a tile and a later phase needs the
//! value again, a buffer of one row.

use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::kernels::level::Level;
use crate::kernels::loops::Loop;
use crate::kernels::loops::code::{Action, ColReduction, Final, Meaning, Phase, Place, RowReduction, SlotId, Source};
use crate::kernels::loops::down::Straight;
use crate::kernels::loops::gather::Walk;
use crate::kernels::loops::geometry::{Access, access, collapse, extents, unit_cols, unit_rows};
use crate::kernels::loops::narrow::narrow;
use crate::kernels::loops::native::fewest;
use crate::kernels::loops::run::FOLD_ROWS;
use crate::kernels::scalar::{
    LANES, ReduceFn, ScalarFn, identity, tile, tile_accumulate, tile_cast, tile_columns, tile_fill, tile_finish,
    tile_lanes, tile_narrow, tile_round, tile_rows,
};
use crate::kernels::tile::TileFn;
use crate::kernels::tile::pair::tile_pair;
use crate::program::loops::{BLOCK, Def, LoopSpec, Rank, Store, Value, ValueId};
use crate::program::region::Region;
use std::sync::Arc;

/// Outputs of at least this many bytes are written past the caches, unless the group reads them again.
const STREAM_BYTES: usize = 8 << 20;
/// Streams of at least this many bytes are fetched ahead, tile by tile.
const FAR_BYTES: usize = 4 << 20;
/// Rows of at most this many elements are one tile where several walks go over them.
const WHOLE_ROW: usize = 2048;
/// The columns of longer rows are counted again in each: their numbers would fill the cache.
const LONGEST_COUNT: usize = 4096;
/// Tiles of a long loop that keeps nothing in registers.
const LONG_TILE: usize = 2048;
/// Tiles of loops that walk once, over what no register holds, without code of their own.
const STRAIGHT_TILE: usize = 4096;
/// So many elements go through an action in a nanosecond,
const ELEMENTS_A_NS: usize = 12;
/// and so many bytes of long operands come or go.
const BYTES_A_NS: usize = 20;
/// The longest tiles,
const TILE: usize = 1024;
/// and the bytes of registers that should stay in cache for them.
const REGISTER_BYTES: usize = 32 << 10;

/// The dtype that a value has in a register: half floats are computed in f32.
fn register(dtype: DType) -> DType {
    match dtype {
        DType::BF16 | DType::F16 => DType::F32,
        other => other,
    }
}

fn is_half(dtype: DType) -> bool {
    matches!(dtype, DType::BF16 | DType::F16)
}

/// The binary kernel that combines two partial results.
fn combiner(f: ReduceFn, dtype: DType) -> ScalarFn {
    match (f, dtype) {
        (ReduceFn::Sum, _) => ScalarFn::Add,
        (ReduceFn::Prod, _) => ScalarFn::Mul,
        (ReduceFn::Max, DType::Bool) => ScalarFn::Or,
        (ReduceFn::Min, DType::Bool) => ScalarFn::And,
        (ReduceFn::Max, _) => ScalarFn::Maximum,
        (ReduceFn::Min, _) => ScalarFn::Minimum,
    }
}

impl Loop {
    /// Compiles a group for an instruction set.
    ///
    /// # Errors
    /// When a function does not exist for a dtype, a value has not the dtype that its operands give it, or is used before it is defined.
    pub fn compile(spec: &LoopSpec, level: Level) -> Result<Loop> {
        Loop::compile_for(spec, level, fewest(false))
    }

    /// Compiles it again for many runs: with machine code, though it has few points. Tells whether it has some now.
    pub(crate) fn make_often(&mut self) -> bool {
        if self.linked.is_some() || self.native.is_some() {
            return false;
        }
        let Ok(mut code) = Loop::compile_for(&self.spec, self.level, fewest(true)) else { return false };
        code.set_workspace(self.workspace);
        // What was said of its results must stay true.
        let replaces = |of: &Loop, store: &Store| store.over.is_some_and(|load| of.may_replace(&load, &store.region));
        let keeps = self.spec.stores.iter().all(|store| !replaces(self, store) || replaces(&code, store));
        let made = keeps && code.workspace_bytes == self.workspace_bytes && code.native.is_some();
        if made {
            *self = code;
        }
        made
    }

    /// As [`Loop::compile`], with machine code for so many points or more.
    fn compile_for(spec: &LoopSpec, level: Level, fewest: usize) -> Result<Loop> {
        let narrow = match spec.values.iter().any(|value| matches!(value.def, Def::Iota { .. })) {
            true => narrow(spec, &Builder::new(spec, level, LANES, 8)?.ranks()),
            false => None,
        };
        let spec = narrow.as_ref().unwrap_or(spec);
        let width = spec.values.iter().map(|v| register(v.dtype).size()).max().unwrap_or(4).max(4);
        let far = spec.n * width >= FAR_BYTES;
        // Tiles are whole lanes, so that each tile of a long row is folded into them from the first on, and not longer than the work.
        let most = spec.n.next_multiple_of(LANES).clamp(LANES, TILE);
        let build = |tile| Ok(Builder::new(spec, level, tile, width)?.build()?.with_native(width, fewest));
        let built: Loop = build(most)?;
        if far && spec.cols.is_none() && built.is_one_line() {
            return build(LONG_TILE);
        }
        let registers = built.registers_along();
        let bare = registers == 0 && built.phases.len() == 1 && built.native.is_none();
        if bare || !built.straight.is_empty() {
            // Nothing waits in the cache between two actions, and memory flows by itself.
            let tile = spec.n.next_multiple_of(LANES).clamp(LANES, STRAIGHT_TILE);
            if tile == most {
                return Ok(built);
            }
            let long = build(tile)?;
            if long.registers_along() == 0 || !long.straight.is_empty() {
                return Ok(long);
            }
        }
        let mut tile = most;
        while tile > 128 && registers * tile * width > REGISTER_BYTES {
            tile = (tile / 2).next_multiple_of(LANES);
        }
        // A row that is walked again and again stays in cache as a whole anyway: then it may as well be one tile.
        if let Some(cols) = spec.cols.filter(|cols| (tile..=WHOLE_ROW).contains(cols) && built.phases.len() > 1) {
            tile = cols.next_multiple_of(LANES);
        }
        if tile == most { Ok(built) } else { build(tile) }
    }

    /// How many registers its tiles are written to and read from, beside those that machine code keeps in the processor.
    fn registers_along(&self) -> usize {
        let phases = self.native.as_ref().map_or(self.phases.as_slice(), |native| native.phases());
        let runs = self.native.as_ref().map_or(&[][..], |native| native.runs());
        let mut slots: Vec<SlotId> = Vec::new();
        for action in phases.iter().flat_map(|phase| &phase.body) {
            let (dst, sources) = action.slots();
            slots.extend(sources.into_iter().chain(dst));
            if let Action::Native { line } = action
                && let Some(run) = runs.get(*line as usize)
            {
                slots.extend(run.reads().chain(run.writes()));
            }
        }
        slots.sort_unstable();
        slots.dedup();
        slots.retain(|&slot| matches!(self.slots.get(slot as usize), Some(Place::Register(_))));
        slots.len()
    }
}

/// What is known of a value before any action is emitted.
#[derive(Clone, Debug)]
struct Info {
    rank: Rank,
    /// Phase in whose body a full value is computed, or after whose body a row value is; −1 is before all.
    phase: i32,
    /// Last phase in whose body the tile form is read.
    last: i32,
    source: Option<Source>,
    full: Option<SlotId>,
    row: Option<SlotId>,
    uniform: Option<SlotId>,
}

struct Builder<'a> {
    spec: &'a LoopSpec,
    level: Level,
    rows: usize,
    cols: usize,
    tile: usize,
    width: usize,
    block_mode: bool,
    infos: Vec<Info>,
    slots: Vec<Place>,
    free: Vec<SlotId>,
    registers: u32,
    /// Panels that walks read through.
    panels: u16,
    lanes: usize,
    setup: Vec<Action>,
    prologue: Vec<Action>,
    phases: Vec<Phase>,
    row_reductions: Vec<RowReduction>,
    col_reductions: Vec<ColReduction>,
    finals: Vec<Final>,
    workspace: usize,
    units: usize,
    unit_rows: usize,
    /// Whether a value is computed in the same pass as its only reader.
    absorbed: Vec<bool>,
    /// For each value, the operand that it computes in the same pass.
    absorbs: Vec<Option<ValueId>>,
    /// Places of reads of each tile value in its phase's body, to free its register.
    uses: Vec<usize>,
    /// What each column reduction reduces.
    folded: Vec<ValueId>,
}

impl<'a> Builder<'a> {
    fn new(spec: &'a LoopSpec, level: Level, tile: usize, width: usize) -> Result<Self> {
        let (rows, cols) = extents(spec);
        if rows * cols != spec.n || spec.n == 0 {
            return Err(Error::state(format!("a loop of {} points cannot have rows of {cols}", spec.n)));
        }
        if tile == 0 || !tile.is_multiple_of(LANES) {
            return Err(Error::state(format!("tiles of {tile} elements are no whole lanes")));
        }
        let block_mode = rows == 1 && cols > BLOCK;
        let (units, unit_rows) = match block_mode {
            true => (cols.div_ceil(BLOCK), 1),
            false => {
                let per = unit_rows(rows, cols);
                (rows.div_ceil(per), per)
            }
        };
        let mut builder = Self {
            spec,
            level,
            rows,
            cols,
            tile,
            width,
            block_mode,
            infos: Vec::with_capacity(spec.values.len()),
            slots: Vec::new(),
            free: Vec::new(),
            registers: 0,
            panels: 0,
            lanes: 0,
            setup: Vec::new(),
            prologue: Vec::new(),
            phases: Vec::new(),
            row_reductions: Vec::new(),
            col_reductions: Vec::new(),
            finals: Vec::new(),
            workspace: 0,
            units,
            unit_rows,
            absorbed: vec![false; spec.values.len()],
            absorbs: vec![None; spec.values.len()],
            uses: vec![0; spec.values.len()],
            folded: Vec::new(),
        };
        builder.analyse()?;
        builder.check_stores()?;
        builder.pair();
        Ok(builder)
    }

    fn ranks(&self) -> Vec<Rank> {
        self.infos.iter().map(|info| info.rank).collect()
    }

    /// Finds operations that can run in one pass with their only reader.
    fn pair(&mut self) {
        for id in 0..self.spec.values.len() {
            let Def::Map(second, ops) = self.spec.values[id].def else { continue };
            if second.arity() != 2 || self.infos[id].rank != Rank::Full {
                continue;
            }
            for (right, &o) in ops[..2].iter().enumerate() {
                let (inner, of) = (&self.infos[o as usize], &self.spec.values[o as usize]);
                let Def::Map(first, _) = of.def else { continue };
                let alone = inner.rank == Rank::Full
                    && self.uses[o as usize] == 1
                    && inner.phase == self.infos[id].phase
                    && inner.last == inner.phase
                    && self.absorbs[o as usize].is_none()
                    && self.stores_of(o as usize).next().is_none();
                if alone && tile_pair(first, second, right == 1, of.dtype, self.level).is_some() {
                    self.absorbed[o as usize] = true;
                    self.absorbs[id] = Some(o);
                    break;
                }
            }
        }
    }

    /// An operation and the one whose result it reads, in one pass.
    fn emit_pair(&mut self, id: usize, inner: ValueId) -> Result<()> {
        let (Def::Map(second, outer), Def::Map(first, [a, b, _])) =
            (&self.spec.values[id].def, &self.spec.values[inner as usize].def)
        else {
            return Err(Error::state("a pair of what is not two operations"));
        };
        let (second, first, a, b) = (*second, *first, *a, *b);
        let (other, right) = if outer[0] == inner { (outer[1], false) } else { (outer[0], true) };
        let f = tile_pair(first, second, right, self.dtype(inner), self.level)
            .ok_or_else(|| Error::state("a pair without its kernel"))?;
        let phase = self.infos[id].phase;
        let [x, y, z] = [self.operand(a, Rank::Full)?, self.operand(b, Rank::Full)?, self.operand(other, Rank::Full)?];
        let dst = self.destination(id, Rank::Full)?;
        self.release(&[a, b, other]);
        let meaning = Meaning::Pair(first, second, right, self.dtype(inner));
        self.push(Rank::Full, phase, Action::Call { f, meaning, dst, a: x, b: y, c: z });
        self.store_full(id, dst, Rank::Full, phase)
    }

    /// Each store has exactly the bytes that the loop writes there.
    fn check_stores(&self) -> Result<()> {
        let n = self.spec.n;
        for store in &self.spec.stores {
            let id = store.value as usize;
            let (Some(value), Some(info)) = (self.spec.values.get(id), self.infos.get(id)) else {
                return Err(Error::state("a store of no value"));
            };
            let count = store.region.len / value.dtype.size();
            let fits = match (&value.def, info.rank) {
                (Def::ColReduce(..), _) => count == self.cols,
                (Def::RowReduce(..), _) if self.block_mode => count == 1,
                (_, Rank::Row) => count == self.rows || count == n,
                // A single element has one writer only in a loop of one point.
                (_, Rank::Full | Rank::Uniform) => count == n,
            };
            if !fits || !store.region.len.is_multiple_of(value.dtype.size()) {
                return Err(Error::state(format!(
                    "a store of {count} elements in a loop of {} × {}",
                    self.rows, self.cols
                )));
            }
        }
        if self.block_mode && self.infos.iter().any(|i| i.phase > 0) {
            return Err(Error::state("a loop over one long row that reads its own reduction"));
        }
        Ok(())
    }

    /// Whether a value has the dtype that its operands give it: registers are as wide as that says.
    fn has_its_dtype(&self, value: &Value) -> bool {
        match &value.def {
            Def::Load(_) | Def::Slot(_) | Def::Iota { .. } | Def::Cast(_) => true,
            Def::Constant(scalar) => scalar.dtype() == value.dtype,
            Def::Uniform { .. } | Def::Normal { .. } => value.dtype.is_float(),
            Def::Copy(o) | Def::RowReduce(_, o) | Def::ColReduce(_, o) => self.dtype(*o) == value.dtype,
            Def::Map(f, ops) => {
                let (conditions, data) = ops[..f.arity()].split_at(usize::from(*f == ScalarFn::Select));
                conditions.iter().all(|&o| self.dtype(o) == DType::Bool)
                    && data.iter().all(|&o| self.dtype(o) == self.dtype(data[0]))
                    && f.output(self.dtype(data[0])) == value.dtype
            }
        }
    }

    /// Ranks, phases and last uses.
    fn analyse(&mut self) -> Result<()> {
        for (id, value) in self.spec.values.iter().enumerate() {
            let mut source = None;
            let mut phase = -1;
            let ops = operands(&value.def);
            if ops.iter().any(|&o| o as usize >= id) {
                return Err(Error::state("a loop value is used before it is defined"));
            }
            if !self.has_its_dtype(value) {
                return Err(Error::dtype(format!("value {id} of a loop cannot be {}", value.dtype)));
            }
            let rank = match &value.def {
                Def::Load(load) => {
                    let size = value.dtype.size();
                    let start = load.region.offset + load.offset * size;
                    let region = Region::new(load.region.buffer, start, size);
                    let access = access(load, self.rows, self.cols);
                    let rank = match (&access, load.rank) {
                        (Access::Uniform, _) => Rank::Uniform,
                        (Access::Row(_), _) | (_, Rank::Row) => Rank::Row,
                        _ => Rank::Full,
                    };
                    source = Some(Source { access, region });
                    rank
                }
                Def::Slot(_) | Def::Constant(_) => Rank::Uniform,
                Def::Map(..) | Def::Cast(_) => {
                    ops.iter().map(|&o| self.infos[o as usize].rank).max().unwrap_or(Rank::Uniform)
                }
                // The same number along a whole row.
                Def::Iota { inner, .. } if self.rows > 1 && self.cols > 1 && inner.is_multiple_of(self.cols) => {
                    Rank::Row
                }
                Def::Copy(_) | Def::Iota { .. } | Def::Uniform { .. } | Def::Normal { .. } => Rank::Full,
                Def::RowReduce(..) | Def::ColReduce(..) => Rank::Row,
            };
            let reduces = matches!(value.def, Def::RowReduce(..) | Def::ColReduce(..));
            if rank == Rank::Full || reduces {
                phase = 0;
            }
            for &o in &ops {
                let of = &self.infos[o as usize];
                let ready = match of.rank {
                    Rank::Full => of.phase,
                    Rank::Row if rank == Rank::Full || reduces => of.phase + 1,
                    Rank::Row => of.phase,
                    Rank::Uniform => -1,
                };
                phase = phase.max(ready);
            }
            self.infos.push(Info { rank, phase, last: phase, source, full: None, row: None, uniform: None });
        }
        // A full value of plain operands that is first needed in a later phase is computed there.
        let count = self.spec.values.len();
        let mut first_use = vec![i32::MAX; count];
        for store in &self.spec.stores {
            if let Some(first) = first_use.get_mut(store.value as usize) {
                *first = 0;
            }
        }
        for id in (0..count).rev() {
            let def = &self.spec.values[id].def;
            let ops = operands(def);
            let plain = ops.iter().all(|&o| match self.infos[o as usize].rank {
                Rank::Full => matches!(self.spec.values[o as usize].def, Def::Load(_)),
                _ => true,
            });
            if self.infos[id].rank == Rank::Full && plain && first_use[id] != i32::MAX {
                self.infos[id].phase = self.infos[id].phase.max(first_use[id]);
            }
            for &o in &ops {
                if self.infos[o as usize].rank == Rank::Full {
                    first_use[o as usize] = first_use[o as usize].min(self.infos[id].phase);
                }
            }
        }
        for id in 0..count {
            let phase = self.infos[id].phase;
            for o in operands(&self.spec.values[id].def) {
                if self.infos[o as usize].rank == Rank::Full || self.infos[id].rank == Rank::Full {
                    let last = &mut self.infos[o as usize].last;
                    *last = (*last).max(phase);
                    self.uses[o as usize] += 1;
                }
            }
        }
        let phases = self.infos.iter().map(|i| i.phase + 1).max().unwrap_or(0).max(1);
        self.phases = vec![Phase::default(); phases as usize];
        Ok(())
    }

    fn slot(&mut self, place: Place) -> Result<SlotId> {
        let id = SlotId::try_from(self.slots.len()).map_err(|_| Error::state("a loop group with too many values"))?;
        self.slots.push(place);
        Ok(id)
    }

    fn walk(&self, dims: &[(usize, isize)], size: usize) -> Arc<Walk> {
        Arc::new(Walk::new(dims, size, self.level))
    }

    /// A register that is never shared.
    fn own_register(&mut self) -> Result<SlotId> {
        let place = Place::Register(self.registers);
        self.registers += 1;
        self.slot(place)
    }

    fn temporary(&mut self) -> Result<SlotId> {
        match self.free.pop() {
            Some(slot) => Ok(slot),
            None => self.own_register(),
        }
    }

    fn dtype(&self, v: ValueId) -> DType {
        self.spec.values[v as usize].dtype
    }

    fn size(&self, v: ValueId) -> usize {
        register(self.dtype(v)).size()
    }

    fn kernel(&self, f: ScalarFn, dtype: DType) -> Result<TileFn> {
        tile(f, register(dtype), self.level)
            .ok_or_else(|| Error::dtype(format!("`{}` is not defined for {dtype}", f.name())))
    }

    fn cast(&self, from: DType, to: DType) -> TileFn {
        tile_cast(from, to, self.level)
    }

    fn body(&mut self, phase: i32) -> &mut Vec<Action> {
        let last = self.phases.len() - 1;
        &mut self.phases[(phase.max(0) as usize).min(last)].body
    }

    /// Where row values of this phase are computed.
    fn rowwise(&mut self, phase: i32) -> &mut Vec<Action> {
        match phase {
            ..0 => &mut self.prologue,
            p => {
                let last = self.phases.len() - 1;
                &mut self.phases[(p as usize).min(last)].after
            }
        }
    }

    fn build(mut self) -> Result<Loop> {
        let order = self.emission_order();
        for id in order {
            self.emit(id)?;
        }
        for store in &self.spec.stores {
            self.store_plain(store)?;
        }
        let register_bytes = self.tile * self.width;
        let mut scratch = self.registers as usize * register_bytes;
        for place in &mut self.slots {
            if let Place::Register(index) = place {
                *index *= register_bytes as u32;
            }
        }
        let lanes_at = scratch;
        scratch += self.lanes * LANES * 8;
        for r in &mut self.row_reductions {
            r.lanes = lanes_at + r.lanes * LANES * 8;
        }
        for place in &mut self.slots {
            if let Place::RowBuffer(offset, size) = place {
                let bytes = (self.cols * *size).next_multiple_of(64);
                *offset = scratch;
                scratch += bytes;
            }
        }
        for phase in &mut self.phases {
            let both = phase.body.iter().map(Action::slots);
            let mut slots: Vec<SlotId> = both.flat_map(|(dst, sources)| sources.into_iter().chain(dst)).collect();
            slots.sort_unstable();
            slots.dedup();
            slots.retain(|&slot| self.slots.get(slot as usize).is_some_and(Place::moves));
            phase.moves = slots;
        }
        let rows = |&slot: &SlotId| matches!(self.slots.get(slot as usize), Some(Place::Row(..)));
        let row_moves = (0..self.slots.len() as SlotId).filter(rows).collect();
        let actions = self.phases.iter().map(|p| p.body.len()).sum::<usize>().max(1);
        let down = self.goes_down();
        if down {
            for at in self.col_reductions.iter_mut().flat_map(|column| &mut column.tile) {
                *at = scratch;
                scratch += register_bytes;
            }
            (self.workspace, self.units) = (0, self.cols.div_ceil(unit_cols(self.rows, self.tile)));
        }
        let straight = if down { self.straight() } else { Vec::new() };
        let read = |(info, value): (&Info, &crate::program::loops::Value)| match (&value.def, info.rank) {
            (Def::Load(_), Rank::Full) => self.spec.n * value.dtype.size(),
            _ => 0,
        };
        let read: usize = self.infos.iter().zip(&self.spec.values).map(read).sum();
        let written: usize = self.spec.stores.iter().map(|store| store.region.len).sum();
        let reads = self.reads();
        let streams = self.phases.iter().flat_map(|p| &p.body).any(|a| matches!(a, Action::Stream { .. }));
        Ok(Loop {
            spec: self.spec.clone(),
            rows: self.rows,
            cols: self.cols,
            tile: self.tile,
            block_mode: self.block_mode,
            down,
            straight,
            units: self.units,
            unit_rows: self.unit_rows,
            slots: self.slots,
            setup: self.setup,
            prologue: self.prologue,
            phases: self.phases,
            row_reductions: self.row_reductions,
            col_reductions: self.col_reductions,
            finals: self.finals,
            row_moves,
            streams,
            reads,
            workspace_bytes: self.workspace,
            workspace: Region::new(0, 0, 0),
            scratch,
            panels: self.panels,
            actions,
            cost_ns: self.spec.n * actions / ELEMENTS_A_NS + (read + written) / BYTES_A_NS,
            level: self.level,
            native: None,
            linked: None,
        })
    }

    /// Whether tiles may go down their columns: nothing but columns is reduced, and no unit is summed in blocks.
    fn goes_down(&self) -> bool {
        let by_row = self.slots.iter().any(|place| matches!(place, Place::Row(..))) || !self.prologue.is_empty();
        let after = self.phases.iter().any(|phase| !phase.after.is_empty());
        let rows = (2..=FOLD_ROWS).contains(&self.rows) && self.cols > self.tile && !self.block_mode;
        let columns = !self.col_reductions.is_empty() && self.row_reductions.is_empty();
        rows && columns && self.phases.len() == 1 && !by_row && !after
    }

    /// Where nothing but operands in memory is reduced, and each has pieces of rows that lie together: how to read them there.
    fn straight(&self) -> Vec<Straight> {
        let reductions = |value: &Value| matches!(value.def, Def::Load(_) | Def::ColReduce(..));
        let stores = |store: &Store| {
            matches!(self.spec.values.get(store.value as usize), Some(Value { def: Def::ColReduce(..), .. }))
        };
        if !self.spec.values.iter().all(reductions) || !self.spec.stores.iter().all(stores) {
            return Vec::new();
        }
        let of = |&id: &ValueId| {
            let source = self.infos.get(id as usize)?.source.as_ref()?;
            let dtype = self.dtype(id);
            (!is_half(dtype)).then(|| Straight::new(source, self.rows, self.cols)).flatten()
        };
        self.folded.iter().map(of).collect::<Option<_>>().unwrap_or_default()
    }

    /// Values by phase: rows before all, then body after body, so that temporary registers live in one body.
    fn emission_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.spec.values.len()).collect();
        // Row values of phase p come after the body of phase p; their tile forms belong to later bodies.
        let key = |&id: &usize| {
            let info = &self.infos[id];
            let in_body =
                info.rank == Rank::Full || matches!(self.spec.values[id].def, Def::RowReduce(..) | Def::ColReduce(..));
            match info.rank {
                Rank::Uniform => (-2, 0),
                _ if in_body => (info.phase, 0),
                _ => (info.phase, 1),
            }
        };
        order.sort_by_key(key);
        order
    }

    fn emit(&mut self, id: usize) -> Result<()> {
        let v = id as ValueId;
        let dtype = self.dtype(v);
        let size = dtype.size();
        let phase = self.infos[id].phase;
        let rank = self.infos[id].rank;
        if self.absorbed[id] {
            return Ok(());
        }
        if let Some(inner) = self.absorbs[id] {
            return self.emit_pair(id, inner);
        }
        match self.spec.values[id].def.clone() {
            Def::Load(load) => {
                let Some(source) = self.infos[id].source.clone() else { return Ok(()) };
                self.emit_load(id, dtype, &source, collapse(&load.dims))
            }
            Def::Slot(slot) => {
                let dst = self.own_register()?;
                self.infos[id].uniform = Some(dst);
                self.setup.push(Action::Slot { dst, slot });
                self.round(dtype, dst, Rank::Uniform, phase)
            }
            Def::Constant(scalar) => {
                let dst = self.own_register()?;
                self.infos[id].uniform = Some(dst);
                let bytes = if is_half(dtype) {
                    let mut b = [0; 8];
                    b[..4].copy_from_slice(&(scalar.to_f64() as f32).to_ne_bytes());
                    b
                } else {
                    scalar.to_bytes()
                };
                self.setup.push(Action::Constant { dst, bytes });
                Ok(())
            }
            Def::Map(f, ops) => {
                // The dtype of the data operands decides the kernel; a selection's first operand is its condition.
                let data = if f == ScalarFn::Select { ops[1] } else { ops[0] };
                let kernel = self.kernel(f, self.dtype(data))?;
                let [a, b, c] = [self.operand(ops[0], rank)?, self.operand(ops[1], rank)?, self.operand(ops[2], rank)?];
                // A result that replaced an operand would have to pass through a buffer: operands are let go after it has its place.
                let dst = self.destination(id, rank)?;
                self.release(&ops[..f.arity()]);
                let meaning = Meaning::Map(f, self.dtype(data));
                self.push(rank, phase, Action::Call { f: kernel, meaning, dst, a, b, c });
                self.round_read(id, dst, rank, phase)?;
                self.store_full(id, dst, rank, phase)
            }
            Def::Cast(o) if rank == Rank::Full && self.is_only_stored(id) && register(self.dtype(o)) == DType::F32 => {
                // The store rounds: there is nothing else to do.
                let src = self.operand(o, rank)?;
                self.release(&[o]);
                let f = self.cast(DType::F32, dtype);
                for store in self.stores_of(id) {
                    let dst = self.slot(Place::Flat(store.region, size))?;
                    self.push(rank, phase, Action::Call { f, meaning: Meaning::Opaque, dst, a: src, b: src, c: src });
                }
                Ok(())
            }
            Def::Cast(o) => {
                let (from, to) = (register(self.dtype(o)), register(dtype));
                let a = self.operand(o, rank)?;
                let action = |f, dst| Action::Call { f, meaning: Meaning::Cast(from, to), dst, a, b: a, c: a };
                let dst = self.destination(id, rank)?;
                self.release(&[o]);
                match from == to {
                    true => self.push(rank, phase, Action::Copy { dst, src: a, size: to.size() }),
                    false => {
                        let f = if is_half(dtype) { tile_narrow(from, self.level) } else { self.cast(from, to) };
                        self.push(rank, phase, action(f, dst));
                    }
                }
                self.round_read(id, dst, rank, phase)?;
                self.store_full(id, dst, rank, phase)
            }
            Def::Copy(o) => {
                let src = self.operand(o, Rank::Full)?;
                let dst = self.destination(id, rank)?;
                self.release(&[o]);
                self.push(rank, phase, Action::Copy { dst, src, size: register(dtype).size() });
                self.store_full(id, dst, rank, phase)
            }
            Def::Iota { .. } if self.counts_columns(id) => {
                let dst = match self.cols > self.tile {
                    true => self.slot(Place::RowBuffer(0, size))?,
                    false => self.own_register()?,
                };
                self.infos[id].full = Some(dst);
                self.setup.push(Action::Count { dst, dtype });
                Ok(())
            }
            Def::Iota { extent, inner } => {
                let dst = self.destination(id, rank)?;
                let inner = if rank == Rank::Row { inner / self.cols } else { inner };
                self.push(rank, phase, Action::Iota { dst, extent, inner, dtype });
                self.round_read(id, dst, rank, phase)?;
                self.store_full(id, dst, rank, phase)
            }
            Def::Uniform { key, stream } => self.emit_random(id, key, stream, false),
            Def::Normal { key, stream } => self.emit_random(id, key, stream, true),
            Def::RowReduce(f, o) => self.emit_row_reduce(id, f, o),
            Def::ColReduce(f, o) => self.emit_col_reduce(id, f, o, size),
        }
    }

    /// Whether a value is the number of the column, so that it is known before the first row.
    fn counts_columns(&self, id: usize) -> bool {
        let value = &self.spec.values[id];
        let short = self.cols <= LONGEST_COUNT && !is_half(value.dtype);
        short && value.def == (Def::Iota { extent: self.cols, inner: 1 }) && self.stores_of(id).next().is_none()
    }

    fn emit_random(&mut self, id: usize, key: u32, stream: u64, normal: bool) -> Result<()> {
        let dtype = self.spec.values[id].dtype;
        let (rank, phase) = (Rank::Full, self.infos[id].phase);
        let dst = self.destination(id, rank)?;
        self.push(rank, phase, Action::Random { dst, key, stream, normal, wide: dtype == DType::F64 });
        self.round_read(id, dst, rank, phase)?;
        self.store_full(id, dst, rank, phase)
    }

    fn emit_load(&mut self, id: usize, dtype: DType, source: &Source, dims: crate::program::loops::Dims) -> Result<()> {
        let size = dtype.size();
        let half = is_half(dtype);
        let region = source.region;
        match &source.access {
            Access::Uniform => {
                let dst = self.own_register()?;
                self.infos[id].uniform = Some(dst);
                if half {
                    let raw = self.own_register()?;
                    let f = self.cast(dtype, DType::F32);
                    self.setup.push(Action::Element { dst: raw, region, size });
                    self.setup.push(Action::Call { f, meaning: Meaning::Opaque, dst, a: raw, b: raw, c: raw });
                } else {
                    self.setup.push(Action::Element { dst, region, size });
                }
            }
            Access::Flat if !half => self.infos[id].full = Some(self.slot(Place::Flat(region, size))?),
            Access::Col if !half && self.cols > self.tile => {
                self.infos[id].full = Some(self.slot(Place::Col(region, size))?);
            }
            Access::Col if !half => {
                let dst = self.own_register()?;
                self.infos[id].full = Some(dst);
                self.setup.push(Action::Repeat { dst, region, size });
            }
            Access::Row(stride) => {
                let contiguous = *stride == 1;
                let src = match contiguous {
                    true => self.slot(Place::Row(region, size as isize))?,
                    false => {
                        let dst = self.own_register()?;
                        let walk = self.walk(&[(self.rows, *stride)], size);
                        self.prologue.push(Action::Gather { dst, region, walk, panel: None });
                        dst
                    }
                };
                self.finish_row_load(id, dtype, src)?;
            }
            Access::Gather(dims) if self.infos[id].rank == Rank::Row => {
                let dst = self.own_register()?;
                let walk = self.walk(dims, size);
                self.prologue.push(Action::Gather { dst, region, walk, panel: None });
                self.finish_row_load(id, dtype, dst)?;
            }
            // What is left is read anew in each phase that needs it, through a register of its own.
            _ => {
                let dst = self.own_register()?;
                self.infos[id].full = Some(dst);
                let (first, last) = (self.infos[id].phase, self.infos[id].last);
                // Where the tile holds whole rows, its registers live through all phases.
                let last = if self.cols <= self.tile { first } else { last.max(first) };
                let raw = if half { self.own_register()? } else { dst };
                let walk = (source.access != Access::Flat).then(|| self.walk(&dims, size));
                let panel = walk.as_ref().is_some_and(|walk| walk.turns()).then_some(self.panels);
                self.panels += u16::from(panel.is_some());
                for phase in first..=last {
                    let src = match source.access {
                        Access::Flat => self.slot(Place::Flat(region, size))?,
                        _ => raw,
                    };
                    if half {
                        let f = self.cast(dtype, DType::F32);
                        self.body(phase)
                            .insert(0, Action::Call { f, meaning: Meaning::Opaque, dst, a: src, b: src, c: src });
                    }
                    if let Some(walk) = walk.clone() {
                        self.body(phase).insert(0, Action::Gather { dst: raw, region, walk, panel });
                    }
                }
            }
        }
        Ok(())
    }

    fn finish_row_load(&mut self, id: usize, dtype: DType, src: SlotId) -> Result<()> {
        let mut row = src;
        if is_half(dtype) {
            row = self.own_register()?;
            let f = self.cast(dtype, DType::F32);
            self.prologue.push(Action::Call { f, meaning: Meaning::Opaque, dst: row, a: src, b: src, c: src });
        }
        self.infos[id].row = Some(row);
        Ok(())
    }

    fn emit_row_reduce(&mut self, id: usize, f: ReduceFn, o: ValueId) -> Result<()> {
        let dtype = self.dtype(o);
        let in_register = register(dtype);
        let size = in_register.size();
        let src = self.operand(o, Rank::Full)?;
        let phase = self.infos[id].phase;
        let missing = || Error::dtype(format!("`{f:?}` is not defined for {dtype}"));
        let combine = self.kernel(combiner(f, in_register), in_register)?;
        let dst = match self.block_mode {
            false => self.own_register()?,
            true => {
                let partial = self.reserve(self.units * size);
                self.finals_for(id as ValueId, None, combine, partial, 1, size)?;
                self.slot(Place::Partial(partial, size))?
            }
        };
        let lanes = self.lanes;
        self.lanes += 1;
        let reduction = self.row_reductions.len() as u16;
        self.row_reductions.push(RowReduction {
            accumulate: tile_accumulate(f, in_register, self.level).ok_or_else(missing)?,
            finish: tile_finish(f, in_register, self.level).ok_or_else(missing)?,
            rows: tile_rows(f, in_register, self.level).ok_or_else(missing)?,
            whole: tile_lanes(f, in_register, self.level).ok_or_else(missing)?,
            combine,
            fill: tile_fill(size),
            identity: identity(f, in_register),
            lanes,
            dst,
        });
        self.body(phase).push(Action::Accumulate { src, reduction });
        self.release(&[o]);
        if !self.block_mode {
            self.infos[id].row = Some(dst);
            self.round(dtype, dst, Rank::Row, phase)?;
        }
        Ok(())
    }

    fn emit_col_reduce(&mut self, id: usize, f: ReduceFn, o: ValueId, _size: usize) -> Result<()> {
        let in_register = register(self.dtype(o));
        let size = in_register.size();
        let src = self.operand(o, Rank::Full)?;
        let phase = self.infos[id].phase;
        let combine = self.kernel(combiner(f, in_register), in_register)?;
        let partial = self.reserve(self.units * self.cols * size);
        let blocks = match self.unit_rows > FOLD_ROWS {
            true => self.reserve(self.units * self.cols * size),
            false => partial,
        };
        let column = self.col_reductions.len() as u16;
        self.finals_for(id as ValueId, Some(column), combine, partial, self.cols, size)?;
        let columns = tile_columns(f, in_register, self.level)
            .ok_or_else(|| Error::dtype(format!("`{f:?}` is not defined for {in_register}")))?;
        self.folded.push(o);
        self.col_reductions.push(ColReduction { columns, partial, blocks, tile: [0; 2], size });
        self.body(phase).push(Action::Fold { src, column });
        self.release(&[o]);
        Ok(())
    }

    fn reserve(&mut self, bytes: usize) -> usize {
        let at = self.workspace;
        self.workspace += bytes.next_multiple_of(64);
        at
    }

    fn finals_for(
        &mut self,
        v: ValueId,
        column: Option<u16>,
        combine: TileFn,
        partial: usize,
        len: usize,
        size: usize,
    ) -> Result<()> {
        let dtype = self.dtype(v);
        let half = is_half(dtype);
        let regions: Vec<Region> = self.spec.stores.iter().filter(|s| s.value == v).map(|s| s.region).collect();
        for region in regions {
            let round = if half { tile_round(dtype, self.level) } else { None };
            let cast = if half { Some(self.cast(DType::F32, dtype)) } else { None };
            self.finals.push(Final { column, combine, partial, len, size, round, cast, region });
        }
        Ok(())
    }

    fn push(&mut self, rank: Rank, phase: i32, action: Action) {
        match rank {
            Rank::Uniform => self.setup.push(action),
            Rank::Row => self.rowwise(phase).push(action),
            Rank::Full => self.body(phase).push(action),
        }
    }

    /// Half floats are rounded after each op, in place.
    fn round(&mut self, dtype: DType, dst: SlotId, rank: Rank, phase: i32) -> Result<()> {
        if is_half(dtype) {
            let f = tile_round(dtype, self.level).ok_or_else(|| Error::dtype("no rounding for this dtype"))?;
            self.push(rank, phase, Action::Call { f, meaning: Meaning::Opaque, dst, a: dst, b: dst, c: dst });
        }
        Ok(())
    }

    /// As [`Builder::round`], for a value that somebody reads: a store rounds by itself.
    fn round_read(&mut self, id: usize, dst: SlotId, rank: Rank, phase: i32) -> Result<()> {
        match rank == Rank::Full && self.is_only_stored(id) {
            true => Ok(()),
            false => self.round(self.dtype(id as ValueId), dst, rank, phase),
        }
    }

    /// Whether nothing is done with half floats but to store them.
    fn is_only_stored(&self, id: usize) -> bool {
        is_half(self.spec.values[id].dtype) && self.uses[id] == 0
    }

    /// The slot that holds `v` in the form that a user of this rank reads.
    fn operand(&mut self, v: ValueId, rank: Rank) -> Result<SlotId> {
        let id = v as usize;
        let size = self.size(v);
        let info = &self.infos[id];
        let lost = || Error::state("a loop value has no such form");
        match (rank, info.rank) {
            (Rank::Uniform, _) => info.uniform.ok_or_else(lost),
            (Rank::Row, Rank::Row) => info.row.ok_or_else(lost),
            (Rank::Full, Rank::Full) => info.full.ok_or_else(lost),
            // A splat register serves tiles and rows alike.
            (_, Rank::Uniform) => {
                if let Some(slot) = info.full {
                    return Ok(slot);
                }
                let src = info.uniform.ok_or_else(lost)?;
                let dst = self.own_register()?;
                let fill = tile_fill(size);
                self.setup.push(Action::Splat { dst, src, fill });
                self.infos[id].full = Some(dst);
                Ok(dst)
            }
            (Rank::Full, Rank::Row) => {
                if let Some(slot) = info.full {
                    return Ok(slot);
                }
                let (src, phase) = (info.row.ok_or_else(lost)?, info.phase);
                let dst = self.own_register()?;
                let fill = tile_fill(size);
                self.rowwise(phase).push(Action::Expand { dst, src, fill, size });
                self.infos[id].full = Some(dst);
                Ok(dst)
            }
            (Rank::Row, Rank::Full) => Err(lost()),
        }
    }

    /// Frees the registers of tile values that were read for the last time.
    fn release(&mut self, ops: &[ValueId]) {
        for &o in ops {
            self.uses[o as usize] = self.uses[o as usize].saturating_sub(1);
        }
        for (i, &o) in ops.iter().enumerate() {
            let id = o as usize;
            let info = &self.infos[id];
            let computed = !matches!(self.spec.values[id].def, Def::Load(_)) && !self.counts_columns(id);
            if ops[..i].contains(&o) || info.rank != Rank::Full || self.uses[id] != 0 || !computed {
                continue;
            }
            let Some(slot) = info.full else { continue };
            let is_register = matches!(self.slots[slot as usize], Place::Register(_));
            if is_register && !self.free.contains(&slot) {
                self.free.push(slot);
            }
        }
    }

    /// The slot that a computed value is written to.
    fn destination(&mut self, id: usize, rank: Rank) -> Result<SlotId> {
        let dtype = self.spec.values[id].dtype;
        match rank {
            Rank::Uniform => {
                let dst = self.own_register()?;
                self.infos[id].uniform = Some(dst);
                Ok(dst)
            }
            Rank::Row => {
                let dst = self.own_register()?;
                self.infos[id].row = Some(dst);
                Ok(dst)
            }
            Rank::Full => {
                let direct = self.stores_of(id).next();
                let (first, last) = (self.infos[id].phase, self.infos[id].last);
                let dst = match direct {
                    Some(store) if !is_half(dtype) && !self.streams(id, store) => {
                        self.slot(Place::Flat(store.region, dtype.size()))?
                    }
                    _ if last > first && self.cols > self.tile => {
                        self.slot(Place::RowBuffer(0, register(dtype).size()))?
                    }
                    _ if last > first => self.own_register()?,
                    _ => self.temporary()?,
                };
                self.infos[id].full = Some(dst);
                Ok(dst)
            }
        }
    }

    /// The streams that come from memory and are walked once: worth to be fetched ahead.
    fn reads(&self) -> Vec<SlotId> {
        let far = self.phases.len() == 1 && self.spec.n * 4 >= FAR_BYTES && self.tile < STRAIGHT_TILE;
        let values = self.infos.iter().zip(&self.spec.values).filter(|(_, value)| far && value.dtype.size() == 4);
        let flat = values.filter(|(info, _)| info.source.as_ref().is_some_and(|s| s.access == Access::Flat));
        flat.filter_map(|(info, _)| info.full).collect()
    }

    fn stores_of(&self, id: usize) -> impl Iterator<Item = &'a Store> + use<'a> {
        self.spec.stores.iter().filter(move |s| s.value as usize == id)
    }

    fn streams(&self, id: usize, store: &Store) -> bool {
        let region = store.region;
        // Lines that were just read are in cache: to write past it would only drive them out.
        store.over.is_none()
            && region.len >= STREAM_BYTES
            && region.offset.is_multiple_of(64)
            && self.infos[id].last <= self.infos[id].phase
    }

    /// Writes a computed tile to memory, where its slot is not memory already.
    fn store_full(&mut self, id: usize, dst: SlotId, rank: Rank, phase: i32) -> Result<()> {
        if rank != Rank::Full {
            return Ok(());
        }
        let dtype = self.spec.values[id].dtype;
        let size = dtype.size();
        let direct = matches!(self.slots[dst as usize], Place::Flat(..));
        for store in self.stores_of(id).skip(usize::from(direct)) {
            let to = self.slot(Place::Flat(store.region, size))?;
            let action = if is_half(dtype) {
                let f = self.cast(DType::F32, dtype);
                Action::Call { f, meaning: Meaning::Opaque, dst: to, a: dst, b: dst, c: dst }
            } else if self.streams(id, store) {
                Action::Stream { dst: to, src: dst, size }
            } else {
                Action::Copy { dst: to, src: dst, size }
            };
            self.body(phase).push(action);
        }
        if self.uses[id] == 0 && matches!(self.slots[dst as usize], Place::Register(_)) && self.infos[id].last <= phase
        {
            self.free.push(dst);
        }
        Ok(())
    }

    /// Stores of values that no tile action computed: loads, rows and uniform values.
    fn store_plain(&mut self, store: &Store) -> Result<()> {
        let id = store.value as usize;
        let Some(info) = self.infos.get(id) else { return Err(Error::state("a store of no value")) };
        let dtype = self.spec.values[id].dtype;
        let size = dtype.size();
        let count = store.region.len / size;
        let def = &self.spec.values[id].def;
        if matches!(def, Def::ColReduce(..)) || (self.block_mode && matches!(def, Def::RowReduce(..))) {
            return Ok(());
        }
        let (rank, phase) = (info.rank, info.phase);
        let wanted = match rank {
            Rank::Full if matches!(def, Def::Load(_)) => Rank::Full,
            Rank::Full => return Ok(()),
            Rank::Row if count == self.rows => Rank::Row,
            Rank::Row => Rank::Full,
            Rank::Uniform => Rank::Full,
        };
        let last = self.phases.len() as i32 - 1;
        let src = self.operand(store.value, wanted)?;
        let (place, list): (Place, i32) = match wanted {
            Rank::Full => (Place::Flat(store.region, size), if rank == Rank::Row { last } else { phase.max(0) }),
            _ => (Place::Row(store.region, size as isize), phase),
        };
        if wanted == Rank::Full && rank == Rank::Row && phase >= last {
            // The rows are known only after the last body: one more walk writes them.
            self.phases.push(Phase::default());
        }
        let list = if wanted == Rank::Full && rank == Rank::Row { self.phases.len() as i32 - 1 } else { list };
        let dst = self.slot(place)?;
        let action = match is_half(dtype) {
            true => {
                let f = self.cast(DType::F32, dtype);
                Action::Call { f, meaning: Meaning::Opaque, dst, a: src, b: src, c: src }
            }
            false => Action::Copy { dst, src, size },
        };
        match wanted {
            Rank::Full => self.body(list).push(action),
            _ => self.rowwise(list).push(action),
        }
        Ok(())
    }
}

fn operands(def: &Def) -> smallvec::SmallVec<[ValueId; 3]> {
    match def {
        Def::Map(f, ops) => ops.iter().copied().take(f.arity()).collect(),
        Def::Cast(o) | Def::Copy(o) | Def::RowReduce(_, o) | Def::ColReduce(_, o) => std::iter::once(*o).collect(),
        _ => smallvec::SmallVec::new(),
    }
}
