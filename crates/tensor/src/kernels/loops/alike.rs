//! Loops that differ in nothing but where their operands lie are compiled once: the blocks of a network have the same ones again and again.

use crate::error::Result;
use crate::kernels::level::{Level, level};
use crate::kernels::loops::Loop;
use crate::kernels::loops::code::{Action, Place};
use crate::program::loops::LoopSpec;
use crate::program::region::Region;
use smallvec::SmallVec;
use std::collections::HashMap;

/// Regions begin at multiples of this, as far as code depends on it.
const ALIGN: usize = 64;

/// Compiles loops for an instruction set, and those that are alike once.
#[derive(Debug)]
pub struct Compiler {
    level: Level,
    /// By points, columns, values and stores: loops over numbered operands, with what they were compiled from.
    known: HashMap<[usize; 4], Vec<(LoopSpec, Loop)>>,
}

impl Default for Compiler {
    /// For the instruction set that this process runs on.
    fn default() -> Compiler {
        Compiler::new(level())
    }
}

impl Compiler {
    /// A compiler that knows no loop yet.
    pub fn new(level: Level) -> Compiler {
        Compiler { level, known: HashMap::new() }
    }

    /// As [`Loop::compile`].
    ///
    /// # Errors
    /// As there.
    pub fn compile(&mut self, spec: &LoopSpec) -> Result<Loop> {
        let mut numbered = spec.clone();
        let mut regions: SmallVec<[Region; 16]> = SmallVec::new();
        numbered.each_region(|region| {
            let at = number(&mut regions, *region);
            *region = Region::new(at, region.offset % ALIGN, region.len);
        });
        let mut slots: SmallVec<[u32; 8]> = SmallVec::new();
        numbered.each_slot(|slot| *slot = number(&mut slots, *slot));
        let key = [spec.n, spec.cols.unwrap_or(0), spec.values.len(), spec.stores.len()];
        let alike = self.known.entry(key).or_default();
        let mut code = match alike.iter().find(|known| known.0 == numbered) {
            Some((_, code)) => code.clone(),
            None => {
                let code = Loop::compile(&numbered, self.level)?;
                alike.push((numbered, code.clone()));
                code
            }
        };
        code.each_region(|region| {
            if let Some(of) = regions.get(region.buffer as usize) {
                *region = Region::new(of.buffer, region.offset + of.offset / ALIGN * ALIGN, region.len);
            }
        });
        code.each_slot(|slot| *slot = slots.get(*slot as usize).copied().unwrap_or(*slot));
        Ok(code)
    }
}

/// The place of an entry, which is new or not.
fn number<A: smallvec::Array<Item: PartialEq>>(list: &mut SmallVec<A>, entry: A::Item) -> u32 {
    let at = list.iter().position(|known| *known == entry).unwrap_or(list.len());
    if at == list.len() {
        list.push(entry);
    }
    at as u32
}

impl Loop {
    /// Calls `f` with every region, but for the workspace.
    fn each_region(&mut self, mut f: impl FnMut(&mut Region)) {
        self.spec.each_region(&mut f);
        for place in &mut self.slots {
            if let Place::Flat(region, _) | Place::Col(region, _) | Place::Row(region, _) = place {
                f(region);
            }
        }
        for action in self.actions_mut() {
            if let Action::Gather { region, .. } | Action::Repeat { region, .. } | Action::Element { region, .. } =
                action
            {
                f(region);
            }
        }
        self.finals.iter_mut().for_each(|last| f(&mut last.region));
        self.straight.iter_mut().for_each(|straight| f(&mut straight.region));
    }

    /// Calls `f` with every scalar slot.
    fn each_slot(&mut self, mut f: impl FnMut(&mut u32)) {
        self.spec.each_slot(&mut f);
        for action in self.actions_mut() {
            if let Action::Slot { slot: key, .. } | Action::Random { key, .. } = action {
                f(key);
            }
        }
    }

    /// All actions, also those beside machine code that waits for its pages.
    fn actions_mut(&mut self) -> impl Iterator<Item = &mut Action> {
        let own = [&mut self.setup, &mut self.prologue];
        let phases = self.phases.iter_mut().flat_map(|phase| [&mut phase.body, &mut phase.after]);
        let native = self.native.iter_mut().flat_map(|native| native.lists_mut());
        own.into_iter().chain(phases).chain(native).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;
    use crate::kernels::scalar::{ReduceFn, ScalarFn};
    use crate::program::loops::{Def, Dims, Load, Rank, Store, Value, ValueId};

    const ROWS: usize = 70;

    fn value(def: Def) -> Value {
        Value { def, dtype: DType::F32 }
    }

    fn map(f: ScalarFn, a: ValueId, b: ValueId) -> Value {
        value(Def::Map(f, [a, b, a]))
    }

    /// Where the operands of a loop lie: buffers from the first of these numbers on, so many bytes behind their beginnings. The last is its
    /// first scalar.
    type Lie = (u32, usize, u32);

    /// `n` elements in the i-th buffer; those that are read begin 3 behind the first.
    fn region((buffer, offset, _): Lie, i: u32, n: usize) -> Region {
        Region::new(buffer + i, offset, (n + 3) * 4)
    }

    fn load(lie: Lie, i: u32, n: usize, dims: &[(usize, isize)], rank: Rank) -> Value {
        let load = Load { region: region(lie, i, n), offset: 3, dims: Dims::from_slice(dims), rank };
        value(Def::Load(load))
    }

    fn store(lie: Lie, value: ValueId, i: u32, n: usize) -> Store {
        Store { value, region: Region { len: n * 4, ..region(lie, i, n) }, over: None }
    }

    /// A loop with every way to read and to write.
    fn mixed(lie: Lie, cols: usize) -> LoopSpec {
        let (n, slot) = (ROWS * cols, lie.2);
        let values = vec![
            load(lie, 0, n, &[(n, 1)], Rank::Full),
            load(lie, 1, n, &[(ROWS, 1), (cols, ROWS as isize)], Rank::Full),
            load(lie, 2, ROWS, &[(ROWS, 1)], Rank::Row),
            load(lie, 3, cols, &[(ROWS, 0), (cols, 1)], Rank::Full),
            load(lie, 4, 1, &[], Rank::Uniform),
            value(Def::Slot(slot)),
            value(Def::Slot(slot + 1)),
            value(Def::Uniform { key: slot + 2, stream: 3 }),
            value(Def::Normal { key: slot, stream: 4 }),
            map(ScalarFn::Mul, 0, 1),
            map(ScalarFn::Add, 9, 2),
            map(ScalarFn::Mul, 10, 3),
            map(ScalarFn::Sub, 11, 4),
            map(ScalarFn::Mul, 12, 5),
            map(ScalarFn::Add, 13, 6),
            map(ScalarFn::Add, 14, 7),
            map(ScalarFn::Add, 15, 8),
            value(Def::RowReduce(ReduceFn::Sum, 16)),
            value(Def::ColReduce(ReduceFn::Sum, 16)),
        ];
        let mut stores = vec![store(lie, 16, 5, n), store(lie, 17, 6, ROWS), store(lie, 18, 7, cols)];
        stores[0].over = Some(region(lie, 0, n));
        LoopSpec { n, cols: Some(cols), values, stores }
    }

    /// Columns that are reduced where they lie.
    fn straight(lie: Lie) -> LoopSpec {
        let (cols, n) = (20_000, ROWS * 20_000);
        let values = vec![load(lie, 0, n, &[(n, 1)], Rank::Full), value(Def::ColReduce(ReduceFn::Max, 0))];
        LoopSpec { n, cols: Some(cols), values, stores: vec![store(lie, 1, 1, cols)] }
    }

    /// Labels that are compared with the numbers of the columns.
    fn labels(lie: Lie) -> LoopSpec {
        let n = ROWS * 10;
        let whole = |value: Value| Value { dtype: DType::I64, ..value };
        let label =
            Load { region: region(lie, 0, 2 * ROWS), offset: 1, dims: Dims::from_slice(&[(ROWS, 1)]), rank: Rank::Row };
        let values = vec![
            whole(value(Def::Load(label))),
            whole(value(Def::Iota { extent: 10, inner: 1 })),
            Value { dtype: DType::Bool, ..map(ScalarFn::Eq, 0, 1) },
            load(lie, 1, n, &[(n, 1)], Rank::Full),
            value(Def::Map(ScalarFn::Select, [2, 3, 3])),
        ];
        LoopSpec { n, cols: Some(10), values, stores: vec![store(lie, 4, 2, n)] }
    }

    #[test]
    fn what_is_known_is_what_would_be_compiled() {
        let lies = [(1, 0, 0), (3, 4096, 2), (1, 24, 5), (9, 64, 0), (2, 88, 7)];
        let of = |lie| [mixed(lie, 48), mixed(lie, 5000), straight(lie), labels(lie)];
        let mut compiler = Compiler::new(level());
        let mut check = |spec: &LoopSpec| {
            let (found, compiled) = (compiler.compile(spec), Loop::compile(spec, level()));
            assert_eq!(format!("{:?}", found.expect("a loop")), format!("{:?}", compiled.expect("a loop")));
            compiler.known.values().map(Vec::len).sum::<usize>()
        };
        for spec in lies.into_iter().flat_map(of) {
            // One of each for each alignment.
            assert!(check(&spec) <= 8);
        }
        // Two operands that are one are another loop than two.
        let mut same = mixed(lies[0], 48);
        let regions = (region(lies[0], 0, ROWS * 48), region(lies[0], 1, ROWS * 48));
        same.each_region(|region| *region = if *region == regions.1 { regions.0 } else { *region });
        assert_eq!(check(&same), 9);
    }
}
