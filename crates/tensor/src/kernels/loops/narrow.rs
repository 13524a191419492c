//! Comparisons of integers with counts of the loop, done in floats.
//!
//! A mask that says which column is a label, or lies before a length, or on which side of the diagonal, compares i64 with a count of columns
//! or rows. The count is small, so that a float holds it exactly, and its comparisons run in the lanes of what the mask is for.
//! What it is compared with may be any integer: beyond both ends of the count, all give one answer.

use crate::dtype::{DType, Scalar};
use crate::kernels::scalar::ScalarFn;
use crate::program::loops::{Def, LoopSpec, Rank, Value, ValueId};

/// Counts up to here are exact in f32.
const MOST: usize = 1 << 24;

/// The loop with such comparisons in floats, if it has one. What is not a count itself is compared so if it is known by row.
pub(super) fn narrow(spec: &LoopSpec, ranks: &[Rank]) -> Option<LoopSpec> {
    let counts = counts(spec, ranks);
    if !counts.contains(&true) {
        return None;
    }
    let wide = spec.values.iter().any(|value| value.dtype == DType::F64);
    let float = if wide { DType::F64 } else { DType::F32 };
    let mut narrow = Narrow { values: Vec::with_capacity(spec.values.len() + 8), float, known: Vec::new() };
    let mut places: Vec<ValueId> = Vec::with_capacity(spec.values.len());
    for (value, counted) in spec.values.iter().zip(&counts) {
        let moved = |o: &ValueId| places.get(*o as usize).copied().unwrap_or_default();
        let (mut def, mut dtype) = (value.def.clone(), value.dtype);
        match &mut def {
            Def::Iota { .. } if *counted => dtype = float,
            Def::Map(f, ops) => {
                let of = *ops;
                ops.iter_mut().for_each(|o| *o = moved(o));
                let extent = of[..2].iter().find_map(|&o| extent(spec, &counts, o));
                if let Some(extent) = extent.filter(|_| is_comparison(*f)) {
                    for (o, of) in ops.iter_mut().zip(of).take(2) {
                        if counts.get(of as usize) != Some(&true) {
                            *o = narrow.clamped(*o, extent);
                        }
                    }
                    ops[2] = ops[0];
                }
            }
            Def::Cast(o) | Def::Copy(o) | Def::RowReduce(_, o) | Def::ColReduce(_, o) => *o = moved(o),
            _ => {}
        }
        places.push(narrow.push(def, dtype));
    }
    let mut stores = spec.stores.clone();
    stores.iter_mut().for_each(|store| store.value = places.get(store.value as usize).copied().unwrap_or_default());
    Some(LoopSpec { values: narrow.values, stores, ..*spec })
}

fn is_comparison(f: ScalarFn) -> bool {
    use ScalarFn::{Eq, Ge, Gt, Le, Lt, Ne};
    matches!(f, Eq | Ne | Lt | Le | Gt | Ge)
}

/// The extent of a count.
fn extent(spec: &LoopSpec, counts: &[bool], v: ValueId) -> Option<usize> {
    match spec.values.get(v as usize)?.def {
        Def::Iota { extent, .. } if *counts.get(v as usize)? => Some(extent),
        _ => None,
    }
}

/// Which values are counts that nobody reads but such comparisons.
fn counts(spec: &LoopSpec, ranks: &[Rank]) -> Vec<bool> {
    let small = |value: &Value| match value.def {
        Def::Iota { extent, .. } => extent <= MOST && matches!(value.dtype, DType::I64 | DType::I32),
        _ => false,
    };
    let mut counts: Vec<bool> = spec.values.iter().map(small).collect();
    for store in &spec.stores {
        if let Some(count) = counts.get_mut(store.value as usize) {
            *count = false;
        }
    }
    // One that is none may be what another is compared with.
    let mut settled = !counts.contains(&true);
    while !settled {
        settled = true;
        for value in &spec.values {
            let ops: &[ValueId] = match &value.def {
                Def::Map(f, ops) => &ops[..f.arity()],
                Def::Cast(o) | Def::Copy(o) | Def::RowReduce(_, o) | Def::ColReduce(_, o) => std::slice::from_ref(o),
                _ => &[],
            };
            let compares = matches!(value.def, Def::Map(f, _) if is_comparison(f));
            let known =
                |o: ValueId| counts.get(o as usize) == Some(&true) || ranks.get(o as usize) != Some(&Rank::Full);
            if compares && ops.iter().all(|&o| known(o)) {
                continue;
            }
            for &o in ops {
                if let Some(count) = counts.get_mut(o as usize) {
                    settled &= !std::mem::take(count);
                }
            }
        }
    }
    counts
}

/// The values of the new loop.
struct Narrow {
    values: Vec<Value>,
    float: DType,
    /// Integers with the extents that they are compared with, as floats.
    known: Vec<(ValueId, usize, ValueId)>,
}

impl Narrow {
    fn push(&mut self, def: Def, dtype: DType) -> ValueId {
        self.values.push(Value { def, dtype });
        (self.values.len() - 1) as ValueId
    }

    /// An integer within −1 and the extent, as a float.
    fn clamped(&mut self, v: ValueId, extent: usize) -> ValueId {
        if let Some(known) = self.known.iter().find(|known| (known.0, known.1) == (v, extent)) {
            return known.2;
        }
        let dtype = self.values.get(v as usize).map_or(DType::I64, |value| value.dtype);
        let end = |x: i64| match dtype {
            DType::I32 => Scalar::of(x as i32),
            _ => Scalar::of(x),
        };
        let [low, high] = [-1, extent as i64].map(|x| self.push(Def::Constant(end(x)), dtype));
        let above = self.push(Def::Map(ScalarFn::Maximum, [v, low, v]), dtype);
        let within = self.push(Def::Map(ScalarFn::Minimum, [above, high, above]), dtype);
        let float = self.push(Def::Cast(within), self.float);
        self.known.push((v, extent, float));
        float
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::level::level;
    use crate::kernels::loops::Loop;
    use crate::program::loops::{Dims, Load, Store};
    use crate::program::region::Region;
    use crate::program::{Bound, Buffers, Program, Step};

    const COMPARISONS: [ScalarFn; 6] =
        [ScalarFn::Eq, ScalarFn::Ne, ScalarFn::Lt, ScalarFn::Le, ScalarFn::Gt, ScalarFn::Ge];

    /// A loop that compares the number of the column with one integer a row, and with that of the row.
    fn spec(f: ScalarFn, rows: usize, cols: usize, dtype: DType) -> LoopSpec {
        let region = Region::new(1, 0, rows * dtype.size());
        let dims = Dims::from_slice(&[(rows, 1), (cols, 0)]);
        let load = Def::Load(Load { region, offset: 0, dims, rank: Rank::Full });
        let value = |def, dtype| Value { def, dtype };
        let values = vec![
            value(load, dtype),
            value(Def::Iota { extent: cols, inner: 1 }, dtype),
            value(Def::Iota { extent: rows, inner: cols }, dtype),
            value(Def::Map(f, [0, 1, 0]), DType::Bool),
            value(Def::Map(f, [1, 2, 1]), DType::Bool),
            value(Def::Map(f, [2, 0, 2]), DType::Bool),
        ];
        let store = |i: u32| Store { value: 3 + i, region: Region::new(2 + i, 0, rows * cols), over: None };
        LoopSpec { n: rows * cols, cols: Some(cols), values, stores: (0..3).map(store).collect() }
    }

    fn compare(f: ScalarFn, a: i64, b: i64) -> u8 {
        u8::from(match f {
            ScalarFn::Eq => a == b,
            ScalarFn::Ne => a != b,
            ScalarFn::Lt => a < b,
            ScalarFn::Le => a <= b,
            ScalarFn::Gt => a > b,
            _ => a >= b,
        })
    }

    fn run(spec: &LoopSpec, input: &[u8]) -> Vec<Vec<u8>> {
        let code = Loop::compile(spec, level()).expect("a loop");
        let outputs = vec![spec.n; 3];
        let buffers = Buffers { arena: 0, inputs: vec![input.len()], outputs, scalars: 0 };
        let mut program = Program::new(vec![Step::Loop(Box::new(code))], buffers).expect("a program");
        let mut found = vec![vec![0xee; spec.n]; 3];
        // Often enough to get machine code on the way.
        for _ in 0..600 {
            let out = found.iter_mut().map(|bytes| &mut bytes[..]);
            program.run(&mut [], std::iter::once(Bound::Bytes(input)), out, &[]).expect("a run");
        }
        found
    }

    #[test]
    fn every_integer_is_compared_as_itself() {
        let ends = [i64::MIN, i64::MIN + 1, -(1 << 40), -2, -1, 0, 1, 3, 1 << 24, (1 << 24) + 1, 1 << 32, i64::MAX];
        for (rows, cols) in [(12, 4), (12, 10), (12, 100), (12, 2500), (12, 5000), (700, 3)] {
            for f in COMPARISONS {
                let near =
                    |row: usize| ends[row % ends.len()].saturating_add((row / ends.len() % 3) as i64 * cols as i64);
                for dtype in [DType::I64, DType::I32] {
                    let as_given = |x: i64| if dtype == DType::I32 { i64::from(x as i32) } else { x };
                    let given: Vec<i64> = (0..rows).map(|row| as_given(near(row))).collect();
                    let bytes: Vec<u8> = match dtype {
                        DType::I32 => given.iter().flat_map(|&x| (x as i32).to_ne_bytes()).collect(),
                        _ => given.iter().flat_map(|x| x.to_ne_bytes()).collect(),
                    };
                    let spec = spec(f, rows, cols, dtype);
                    let found = run(&spec, &bytes);
                    for i in 0..rows * cols {
                        let (row, col) = (i / cols, i % cols);
                        let [x, r, c] = [given[row], row as i64, col as i64];
                        let wanted = [compare(f, x, c), compare(f, c, r), compare(f, r, x)];
                        let found = [found[0][i], found[1][i], found[2][i]];
                        assert_eq!(
                            found, wanted,
                            "{f:?} of {dtype}, {x} in row {row}, column {col} of {rows} × {cols}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_count_that_is_read_in_another_way_stays_what_it_is() {
        let ranks = [Rank::Row, Rank::Full, Rank::Full, Rank::Full, Rank::Full, Rank::Full];
        let plain = spec(ScalarFn::Lt, 3, 10, DType::I64);
        let floats = |spec: &LoopSpec| spec.values.iter().filter(|value| value.dtype == DType::F32).count();
        // Two counts, and the integer of a row for either.
        assert_eq!(narrow(&plain, &ranks).map(|spec| floats(&spec)), Some(4));
        // Stored itself, the count of columns is compared as it is, and so is that of rows, which it is compared with.
        let mut stored = plain.clone();
        stored.stores.push(Store { value: 1, region: Region::new(5, 0, 240), over: None });
        assert_eq!(narrow(&stored, &ranks), None);
        // The integer is known by point: the counts are not compared in floats.
        assert_eq!(narrow(&plain, &[Rank::Full; 6]), None);
        // More than a float holds.
        let mut long = plain;
        long.values[1].def = Def::Iota { extent: MOST + 1, inner: 1 };
        assert_eq!(narrow(&long, &ranks), None);
    }
}
