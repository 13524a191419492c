//! Loops with native code against the same loops without.

use crate::dtype::{DType, Scalar};
use crate::kernels::level::{Level, level};
use crate::kernels::loops::Loop;
use crate::kernels::scalar::{ReduceFn, ScalarFn};
use crate::program::loops::{BLOCK, Def, Dims, Load, LoopSpec, Rank, Store, Value};
use crate::program::region::Region;
use crate::program::{Bound, Buffers, Program, Step};
use crate::storage::Storage;
use proptest::prelude::*;

/// The results of a loop over these inputs, as bytes; `native` tells whether it may run code of its own. Results that may replace an
/// operand do.
fn run(spec: &LoopSpec, inputs: &[Vec<u8>], native: bool) -> Vec<Vec<u8>> {
    let mut code = Loop::compile(spec, level()).expect("a loop");
    if !native {
        code.interpret();
    }
    let workspace = code.workspace_bytes();
    code.set_workspace(Region::new(0, 0, workspace));
    let outputs: Vec<usize> = spec.stores.iter().map(|s| s.region.len).collect();
    let buffers = Buffers {
        arena: workspace,
        inputs: inputs.iter().map(Vec::len).collect(),
        outputs: outputs.clone(),
        scalars: 1,
    };
    let mut program = Program::new(vec![Step::Loop(Box::new(code))], buffers).expect("a program");
    let mut arena = vec![0u64; workspace.div_ceil(8)];
    let lend = |bytes: &usize| Storage::take(*bytes).expect("memory");
    let (mut read, mut written): (Vec<Storage>, Vec<Storage>) =
        (inputs.iter().map(|i| lend(&i.len())).collect(), outputs.iter().map(lend).collect());
    for (storage, input) in read.iter_mut().zip(inputs) {
        storage.get_mut().expect("an owner").bytes_mut().copy_from_slice(input);
    }
    let replacements = program.replacements().to_vec();
    for &(input, output) in &replacements {
        written[output].get_mut().expect("an owner").bytes_mut().copy_from_slice(&inputs[input]);
    }
    program
        .run(
            &mut bytemuck::cast_slice_mut(&mut arena)[..workspace],
            read.iter().enumerate().map(|(i, storage)| match replacements.iter().find(|r| r.0 == i) {
                Some(&(_, output)) => Bound::Output(output),
                None => Bound::Bytes(storage.bytes()),
            }),
            written.iter_mut().map(|s| s.get_mut().expect("an owner").bytes_mut()),
            &[Scalar::of(1.5f32)],
        )
        .expect("a run");
    written.iter().map(|s| s.bytes().to_vec()).collect()
}

/// The loop with each result over the first operand whose place it may take.
fn replacing(spec: &LoopSpec) -> LoopSpec {
    let mut spec = spec.clone();
    let code = Loop::compile(&spec, level()).expect("a loop");
    let mut free: Vec<Region> = spec
        .values
        .iter()
        .filter_map(|v| match &v.def {
            Def::Load(load) => Some(load.region),
            _ => None,
        })
        .collect();
    for store in &mut spec.stores {
        let fits = |load: &Region| load.len == store.region.len && code.may_replace(load, &store.region);
        if let Some(at) = free.iter().position(fits) {
            store.over = Some(free.remove(at));
        }
    }
    spec
}

/// Bytes with one bit pattern for NaN.
fn canonical(bytes: &[u8], dtype: DType) -> Vec<u64> {
    match dtype {
        DType::F32 => bytes
            .chunks(4)
            .map(|b| f32::from_ne_bytes([b[0], b[1], b[2], b[3]]))
            .map(|x| if x.is_nan() { 1 << 40 } else { u64::from(x.to_bits()) })
            .collect(),
        DType::F64 => bytes
            .chunks(8)
            .map(|b| f64::from_ne_bytes(b.try_into().expect("8 bytes")))
            .map(|x| if x.is_nan() { 1 << 63 | 1 } else { x.to_bits() })
            .collect(),
        _ => bytes.iter().map(|&b| u64::from(b)).collect(),
    }
}

/// Numbers of all kinds: the special ones, and ordinary ones.
fn number(i: u64) -> f64 {
    const SPECIAL: [f64; 14] = [
        0.0,
        -0.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        1e-40,
        -1e-44,
        1e-310,
        1.0,
        -1.0,
        0.5,
        3e38,
        88.5,
        -104.2,
    ];
    let mixed = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (i >> 7).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    match mixed >> 60 {
        0 | 1 => SPECIAL[(mixed >> 8) as usize % SPECIAL.len()],
        2 => ((mixed >> 16) % 16) as f64 - 8.0,
        _ => ((mixed >> 20) as f64 / (1u64 << 44) as f64 - 0.5) * [1.0, 8.0, 200.0][mixed as usize % 3],
    }
}

fn elements(dtype: DType, n: usize, seed: u64) -> Vec<u8> {
    let at = |i: usize| number(seed * 1_000_003 + i as u64);
    match dtype {
        DType::F32 => (0..n).flat_map(|i| (at(i) as f32).to_ne_bytes()).collect(),
        DType::F64 => (0..n).flat_map(|i| at(i).to_ne_bytes()).collect(),
        DType::I32 => (0..n).flat_map(|i| (at(i) as i32).to_ne_bytes()).collect(),
        _ => (0..n).map(|i| u8::from(at(i) > 0.0)).collect(),
    }
}

/// A step of a random loop: which function, and which of the values so far it reads.
type Choice = (usize, u16, u16, u16, bool);

const FUNCTIONS: [ScalarFn; 51] = {
    use ScalarFn::*;
    [
        Neg, Abs, Sign, Recip, Square, Sqrt, Rsqrt, Floor, Ceil, Round, Trunc, Relu, IsNan, IsInf, IsFinite, Not, Add,
        Sub, Mul, Div, Maximum, Minimum, CopySign, MulMasked, Eq, Ne, Lt, Le, Gt, Ge, And, Or, Xor, Select, Add, Sub,
        Mul, Div, Exp, Tanh, Sigmoid, Erf, Log, Exp2, Expm1, Log2, Log10, Softplus, Sin, Log1p, Add,
    ]
};

/// A loop of `rows` and `cols` over a tile, a row, a column, flags, integers and a scalar, and what the choices make of them.
fn spec(float: DType, rows: usize, cols: usize, choices: &[Choice]) -> (LoopSpec, Vec<Vec<u8>>) {
    let n = rows * cols;
    let (full, row, col) = ([(rows, cols as isize), (cols, 1)], [(rows, 1), (cols, 0)], [(rows, 0), (cols, 1)]);
    let sources = [
        (float, n, &full),
        (float, n, &full),
        (float, rows, &row),
        (float, cols, &col),
        (DType::Bool, n, &full),
        (DType::I32, n, &full),
        (DType::Bool, cols, &col),
    ];
    let mut inputs = Vec::new();
    let mut values = Vec::new();
    for (i, (dtype, len, dims)) in sources.into_iter().enumerate() {
        inputs.push(elements(dtype, len, i as u64 + 1));
        let region = Region::new(i as u32 + 1, 0, len * dtype.size());
        values.push(Value {
            def: Def::Load(Load { region, offset: 0, dims: Dims::from_slice(dims), rank: Rank::Full }),
            dtype,
        });
    }
    let constant = if float == DType::F32 { Scalar::of(0.3f32) } else { Scalar::of(0.3f64) };
    values.push(Value { def: Def::Constant(constant), dtype: float });
    let mut stores = vec![];
    let mut written = inputs.len() as u32;
    let mut store = |value: usize, bytes: usize| {
        written += 1;
        stores.push(Store { value: value as u32, region: Region::new(written, 0, bytes), over: None });
    };
    for &(f, a, b, c, kept) in choices {
        let pick = |wanted: DType, by: u16| {
            let fitting: Vec<usize> = (0..values.len())
                .filter(|&i| {
                    let of_row = matches!(values[i].def, Def::RowReduce(..));
                    let of_col = matches!(values[i].def, Def::ColReduce(..));
                    // One long row is reduced when all is done.
                    values[i].dtype == wanted && !of_col && !(of_row && rows == 1 && cols > BLOCK)
                })
                .collect();
            // Recent ones more often.
            let from = fitting.len().saturating_sub(1 + by as usize % 9);
            fitting[from] as u32
        };
        let value = match f {
            0 => Value { def: Def::Cast(pick(DType::Bool, a)), dtype: float },
            1 => Value { def: Def::Cast(pick(DType::I32, a)), dtype: float },
            2 => Value { def: Def::Cast(pick(float, a)), dtype: DType::Bool },
            3 => Value { def: Def::RowReduce(ReduceFn::Sum, pick(float, a)), dtype: float },
            4 => Value { def: Def::ColReduce(ReduceFn::Max, pick(float, a)), dtype: float },
            _ => {
                let f = FUNCTIONS[f % FUNCTIONS.len()];
                let of = if f.supports(float) { float } else { DType::Bool };
                let ops = match f {
                    // The sign of a NaN depends on which operand an instruction takes first, in the tile kernels as here.
                    ScalarFn::CopySign => [pick(of, a), u32::from(b % 2), 0],
                    ScalarFn::Select => [pick(DType::Bool, a), pick(of, b), pick(of, c)],
                    _ => [pick(of, a), pick(of, b), pick(of, b)],
                };
                let ops = match f.arity() {
                    1 => [ops[0]; 3],
                    2 => [ops[0], ops[1], ops[0]],
                    _ => ops,
                };
                Value { def: Def::Map(f, ops), dtype: f.output(of) }
            }
        };
        let (id, size) = (values.len(), value.dtype.size());
        let reduction = match value.def {
            Def::RowReduce(..) => Some(rows),
            Def::ColReduce(..) => Some(cols),
            _ => None,
        };
        values.push(value);
        if let Some(count) = reduction {
            store(id, count * size);
        } else if kept {
            store(id, n * size);
        }
    }
    let last = values.len() - 1;
    if !matches!(values[last].def, Def::RowReduce(..) | Def::ColReduce(..)) {
        let bytes = n * values[last].dtype.size();
        store(last, bytes);
    }
    (LoopSpec { n, cols: Some(cols), values, stores }, inputs)
}

fn same(float: DType, rows: usize, cols: usize, choices: &[Choice]) {
    let (spec, inputs) = spec(float, rows, cols, choices);
    let without = run(&spec, &inputs, false);
    let replacing = replacing(&spec);
    for (what, other) in [
        ("native", run(&spec, &inputs, true)),
        ("in place", run(&replacing, &inputs, false)),
        ("native, in place", run(&replacing, &inputs, true)),
    ] {
        for (store, (with, without)) in replacing.stores.iter().zip(other.iter().zip(&without)) {
            let dtype = spec.values[store.value as usize].dtype;
            let (with, without) = (canonical(with, dtype), canonical(without, dtype));
            if let Some(i) = (0..with.len()).find(|&i| with[i] != without[i]) {
                let values = &spec.values;
                panic!("{what}: {store:?} element {i}: {:x} and {:x}\n{values:#?}", with[i], without[i]);
            }
        }
    }
}

/// Every function alone and between others, at all kinds of numbers.
#[test]
fn functions_have_the_bits_of_their_tile_kernels() {
    let index = |f: ScalarFn| (5..).find(|i| FUNCTIONS[i % FUNCTIONS.len()] == f).expect("a function");
    let add = index(ScalarFn::Add);
    for f in FUNCTIONS.into_iter().filter(|f| f.supports(DType::F32) && f.arity() == 1) {
        for (rows, cols) in [(1, 40_000), (90, 100), (250, 10)] {
            // Of an operand; of a sum with the value of a row, and the sum of both.
            let of =
                [(index(f), 6, 0, 0, true), (add, 7, 3, 0, false), (index(f), 0, 0, 0, true), (add, 0, 2, 0, true)];
            same(DType::F32, rows, cols, &of);
        }
    }
}

fn sizes() -> impl Strategy<Value = (usize, usize)> {
    prop_oneof![
        Just((1, 2048)),
        Just((1, 5003)),
        Just((1, 20_001)),
        Just((300, 7)),
        Just((64, 33)),
        Just((300, 8)),
        Just((200, 10)),
        Just((60, 65)),
        Just((150, 16)),
        Just((70, 48)),
        Just((37, 64)),
        Just((21, 128)),
        Just((50, 100)),
        Just((5, 700)),
        Just((3, 1000)),
        Just((40, 513)),
        Just((2, 3001)),
        Just((9, 512)),
        Just((4, 2050)),
        (1usize..60, 40usize..600)
    ]
}

fn choices(most: usize) -> impl Strategy<Value = Vec<Choice>> {
    proptest::collection::vec(
        (0usize..51, any::<u16>(), any::<u16>(), any::<u16>(), proptest::bool::weighted(0.15)),
        2..most,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn native_code_gives_the_bits_of_the_tile_kernels((rows, cols) in sizes(), choices in choices(14)) {
        same(DType::F32, rows, cols, &choices);
    }

    #[test]
    fn in_f64_too((rows, cols) in sizes(), choices in choices(14)) {
        same(DType::F64, rows, cols, &choices);
    }

    /// More values than registers, and more slots than pointers have registers.
    #[test]
    fn and_where_registers_run_out((rows, cols) in sizes(), choices in choices(90)) {
        same(DType::F32, rows, cols, &choices);
    }
}

/// Outputs that pass the caches: aligned, with a tail, and in rows that do not begin at lines of the cache.
#[test]
fn streams_have_the_bits_too() {
    let [add, mul, sqrt, select] = [34, 36, 10, 33];
    let choices = [
        (mul, 0, 1, 0, true),
        (add, 0, 3, 0, true),
        (sqrt, 1, 0, 0, false),
        (select, 1, 1, 2, true),
        (mul, 1, 1, 0, true),
    ];
    for (rows, cols) in [(1, 2_200_003), (2100, 1000), (4000, 600)] {
        same(DType::F32, rows, cols, &choices);
    }
    same(DType::F64, 1, 1_100_001, &choices);
}

/// x·y, and x·y + x: the product may take the place of y, the sum that of either.
#[test]
fn an_operand_that_is_still_needed_is_not_replaced() {
    let n = 5000;
    let [x, y, product, sum] = [1, 2, 3, 4].map(|buffer| Region::new(buffer, 0, 4 * n));
    let value = |def| Value { def, dtype: DType::F32 };
    let load =
        |region| value(Def::Load(Load { region, offset: 0, dims: Dims::from_slice(&[(n, 1)]), rank: Rank::Full }));
    let (mul, add) = (Def::Map(ScalarFn::Mul, [0, 1, 0]), Def::Map(ScalarFn::Add, [2, 0, 2]));
    let store = |value, region| Store { value, region, over: None };
    let spec = LoopSpec {
        n,
        cols: None,
        values: vec![load(x), load(y), value(mul), value(add)],
        stores: vec![store(2, product), store(3, sum)],
    };
    for native in [true, false] {
        let mut code = Loop::compile(&spec, level()).expect("a loop");
        if !native {
            code.interpret();
        }
        let may = |load: &Region| [product, sum].map(|store| code.may_replace(load, &store));
        assert_eq!([may(&x), may(&y)], [[false, true], [true, true]]);
        // A part of an operand is not the operand.
        assert!(!code.may_replace(&Region::new(2, 4, 4 * n - 4), &product));
    }
}

#[test]
fn a_program_runs_native_code_where_the_machine_has_it() {
    let (spec, _) = spec(DType::F32, 1, 4096, &[(16, 0, 1, 0, true), (18, 0, 1, 0, true)]);
    let mut code = Loop::compile(&spec, level()).expect("a loop");
    Loop::link(std::iter::once(&mut code));
    let expected = cfg!(all(unix, target_arch = "x86_64", not(miri))) && level() > Level::Baseline;
    assert_eq!(code.linked.is_some(), expected && super::fewest(false) <= 4096);
    let mut code = Loop::compile(&spec, Level::Baseline).expect("a loop");
    Loop::link(std::iter::once(&mut code));
    assert!(code.linked.is_none());
}

#[test]
fn what_runs_often_gets_machine_code_and_keeps_its_bits() {
    let choices =
        [(16, 0, 1, 0, true), (18, 0, 1, 0, true), (3, 0, 0, 0, false), (42, 0, 2, 0, true), (19, 1, 2, 0, true)];
    for (rows, cols) in [(1, 90), (6, 16), (5, 7), (30, 60)] {
        let (spec, inputs) = spec(DType::F32, rows, cols, &choices);
        let expected = run(&spec, &inputs, false);
        let mut code = Loop::compile(&spec, level()).expect("a loop");
        let workspace = code.workspace_bytes();
        code.set_workspace(Region::new(0, 0, workspace));
        let outputs: Vec<usize> = spec.stores.iter().map(|s| s.region.len).collect();
        let buffers = Buffers { arena: workspace, inputs: inputs.iter().map(Vec::len).collect(), outputs, scalars: 1 };
        let mut arena = vec![0u64; workspace.div_ceil(8)];
        let mut program = Program::new(vec![Step::Loop(Box::new(code))], buffers).expect("a program");
        let has_code = |program: &Program| match program.steps() {
            [Step::Loop(code)] => code.linked.is_some(),
            _ => false,
        };
        for i in 0..600 {
            let mut found: Vec<Vec<u8>> = expected.iter().map(|bytes| vec![0xee; bytes.len()]).collect();
            program
                .run(
                    &mut bytemuck::cast_slice_mut(&mut arena)[..workspace],
                    inputs.iter().map(|bytes| Bound::Bytes(bytes)),
                    found.iter_mut().map(|bytes| &mut bytes[..]),
                    &[Scalar::of(1.5f32)],
                )
                .expect("a run");
            assert_eq!(found, expected, "{rows} × {cols}, run {i}");
        }
        let possible = cfg!(all(unix, target_arch = "x86_64", not(miri))) && level() > Level::Baseline;
        assert_eq!(has_code(&program), possible && super::fewest(true) == 1);
    }
}
