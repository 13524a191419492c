//! The tile machine against plain loops, over the ways in which rows, columns and tiles can meet.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use wengert_tensor::dtype::{DType, Scalar};
use wengert_tensor::kernels::level::Level;
use wengert_tensor::kernels::scalar::{ReduceFn, ScalarFn};
use wengert_tensor::kernels::threads::with_threads;
use wengert_tensor::program::loops::{Def, Dims, Load, LoopSpec, Rank, Store, Value};
use wengert_tensor::program::region::Region;
use wengert_tensor::program::{Buffers, Program, Step, compile_loop_at};

const F: DType = DType::F32;

fn value(def: Def) -> Value {
    Value { def, dtype: F }
}

fn load(buffer: u32, len: usize, dims: &[(usize, isize)], rank: Rank) -> Value {
    value(Def::Load(Load { region: Region::new(buffer, 0, len * 4), offset: 0, dims: Dims::from_slice(dims), rank }))
}

/// Runs a spec over f32 inputs. Stores go to outputs numbered behind the inputs.
fn run(spec: &LoopSpec, inputs: &[&[f32]], outputs: &[usize], level: Level) -> Vec<Vec<f32>> {
    let mut code = compile_loop_at(spec, level).unwrap();
    let workspace = code.workspace_bytes();
    code.set_workspace(Region::new(0, 0, workspace));
    let buffers = Buffers {
        arena: workspace,
        inputs: inputs.iter().map(|i| i.len() * 4).collect(),
        outputs: outputs.iter().map(|o| o * 4).collect(),
        scalars: 1,
    };
    let mut program = Program::new(vec![Step::Loop(Box::new(code))], buffers).unwrap();
    let mut arena = vec![0f64; workspace.div_ceil(8)];
    let mut out: Vec<Vec<f32>> = outputs.iter().map(|&n| vec![f32::NAN; n]).collect();
    program
        .run(
            &mut bytemuck::cast_slice_mut(&mut arena)[..workspace],
            inputs.iter().map(|i| bytemuck::cast_slice(i)),
            out.iter_mut().map(|o| bytemuck::cast_slice_mut(o)),
            &[Scalar::of(2.0f32)],
        )
        .unwrap();
    out
}

fn data(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            (state >> 8) as f32 / (1 << 24) as f32 * 4.0 - 2.0
        })
        .collect()
}

fn close(a: &[f32], b: &[f32], tolerance: f32, what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (i, (x, y)) in a.iter().zip(b).enumerate() {
        assert!((x - y).abs() <= tolerance * (1.0 + y.abs()), "{what}: element {i}: {x} and {y}");
    }
}

/// softmax(x + bias) over rows, with the sums of the rows and the column sums of the result.
fn softmax_spec(rows: usize, cols: usize) -> LoopSpec {
    let n = rows * cols;
    let at = |buffer, len: usize| Region::new(buffer, 0, len * 4);
    LoopSpec {
        n,
        cols: Some(cols),
        values: vec![
            load(1, n, &[(rows, cols as isize), (cols, 1)], Rank::Full),
            load(2, cols, &[(rows, 0), (cols, 1)], Rank::Full),
            value(Def::Map(ScalarFn::Add, [0, 1, 0])),
            value(Def::RowReduce(ReduceFn::Max, 2)),
            value(Def::Map(ScalarFn::Sub, [2, 3, 2])),
            value(Def::Map(ScalarFn::Exp, [4, 4, 4])),
            value(Def::RowReduce(ReduceFn::Sum, 5)),
            value(Def::Map(ScalarFn::Div, [5, 6, 5])),
            value(Def::ColReduce(ReduceFn::Sum, 7)),
            value(Def::Map(ScalarFn::Log, [6, 6, 6])),
        ],
        stores: vec![
            Store { value: 7, region: at(3, n), over: None },
            Store { value: 9, region: at(4, rows), over: None },
            Store { value: 8, region: at(5, cols), over: None },
        ],
    }
}

#[test]
fn softmax_of_rows_short_and_long() {
    for (rows, cols) in
        [(1, 2), (3, 7), (5, 10), (37, 33), (200, 64), (9, 511), (4, 513), (3, 1000), (2, 5000), (70, 1024)]
    {
        let (x, bias) = (data(rows * cols, 1), data(cols, 2));
        let (mut soft, mut logs, mut sums) = (Vec::new(), Vec::new(), vec![0f64; cols]);
        for r in 0..rows {
            let z: Vec<f64> = (0..cols).map(|c| f64::from(x[r * cols + c]) + f64::from(bias[c])).collect();
            let max = z.iter().copied().fold(f64::MIN, f64::max);
            let sum: f64 = z.iter().map(|v| (v - max).exp()).sum();
            logs.push(sum.ln() as f32);
            for (c, v) in z.iter().enumerate() {
                soft.push(((v - max).exp() / sum) as f32);
                sums[c] += (v - max).exp() / sum;
            }
        }
        let sums: Vec<f32> = sums.iter().map(|&s| s as f32).collect();
        let spec = softmax_spec(rows, cols);
        for level in [Level::Baseline, Level::Avx2, Level::Avx512] {
            let out = run(&spec, &[&x, &bias], &[rows * cols, rows, cols], level);
            let what = format!("{rows} × {cols} at {level:?}");
            close(&out[0], &soft, 2e-6, &what);
            close(&out[1], &logs, 2e-6, &what);
            close(&out[2], &sums, 1e-5, &what);
            for threads in [2, 3, 7] {
                let again = with_threads(threads, || run(&spec, &[&x, &bias], &[rows * cols, rows, cols], level));
                assert_eq!(again, out, "{what}: {threads} threads");
            }
        }
    }
}

#[test]
fn one_long_row_is_reduced_in_blocks_whatever_the_threads() {
    for n in [1, 31, 32, 33, 700, 16384, 16385, 100_000, 1_000_003] {
        let x = data(n, 3);
        let spec = LoopSpec {
            n,
            cols: Some(n),
            values: vec![
                load(1, n, &[(n, 1)], Rank::Full),
                value(Def::Slot(0)),
                value(Def::Map(ScalarFn::Mul, [0, 1, 0])),
                value(Def::RowReduce(ReduceFn::Sum, 2)),
                value(Def::RowReduce(ReduceFn::Max, 0)),
            ],
            stores: vec![
                Store { value: 3, region: Region::new(2, 0, 4), over: None },
                Store { value: 4, region: Region::new(3, 0, 4), over: None },
                Store { value: 2, region: Region::new(4, 0, n * 4), over: None },
            ],
        };
        let out = run(&spec, &[&x], &[1, 1, n], Level::Avx512);
        let sum: f64 = x.iter().map(|&v| 2.0 * f64::from(v)).sum();
        assert!((f64::from(out[0][0]) - sum).abs() < 1e-6 * n as f64 + 1e-5, "{n}: {} and {sum}", out[0][0]);
        assert_eq!(out[1][0], x.iter().copied().fold(f32::MIN, f32::max));
        assert!(out[2].iter().zip(&x).all(|(a, b)| *a == b * 2.0));
        for threads in [1, 2, 5] {
            assert_eq!(with_threads(threads, || run(&spec, &[&x], &[1, 1, n], Level::Avx512)), out);
        }
    }
}

#[test]
fn reductions_have_the_same_bits_where_operands_lie_and_behind_a_computation() {
    // Rows, then the axes of the columns.
    let shapes: [(usize, &[(usize, isize)]); 9] = [
        (5, &[(9000, 1)]),
        (200, &[(6000, 1)]),
        (256, &[(4097, 1)]),
        (300, &[(5000, 1)]),
        (3, &[(70, 1)]),
        (64, &[(64, 64 * 100), (100, 1)]),
        (130, &[(3, 90_000), (50, 33), (33, 1)]),
        (17, &[(300, 20), (20, 1)]),
        (40, &[(2500, 2), (2, 1)]),
    ];
    for (rows, columns) in shapes {
        let cols: usize = columns.iter().map(|axis| axis.0).product();
        for stride in [cols, columns[columns.len() - 1].0] {
            let dims: Vec<(usize, isize)> = [(rows, stride as isize)].iter().chain(columns).copied().collect();
            let len = 1 + dims.iter().map(|axis| (axis.0 - 1) * axis.1 as usize).sum::<usize>();
            let x = data(len, 9);
            for f in [ReduceFn::Sum, ReduceFn::Max] {
                for (by_column, n) in [(true, cols), (false, rows)] {
                    let reduce = |of| value(if by_column { Def::ColReduce(f, of) } else { Def::RowReduce(f, of) });
                    let alone = vec![load(1, len, &dims, Rank::Full), reduce(0)];
                    let behind = vec![
                        alone[0].clone(),
                        value(Def::Map(ScalarFn::Neg, [0, 0, 0])),
                        value(Def::Map(ScalarFn::Neg, [1, 1, 1])),
                        reduce(2),
                    ];
                    for level in [Level::Baseline, Level::Avx512] {
                        let found = [alone.clone(), behind.clone()].map(|values| {
                            let store =
                                Store { value: values.len() as u32 - 1, region: Region::new(2, 0, n * 4), over: None };
                            let spec = LoopSpec { n: rows * cols, cols: Some(cols), values, stores: vec![store] };
                            run(&spec, &[&x], &[n], level).remove(0)
                        });
                        let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                        assert!(
                            bits(&found[0]) == bits(&found[1]),
                            "{rows} of {dims:?}, {f:?}, {by_column}, {level:?}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn operands_broadcast_transpose_and_step() {
    let (r, c) = (45, 70);
    let (x, row, col) = (data(r * c, 5), data(r, 6), data(c, 7));
    // xᵀ read column by column, one element a row, one a column, and every other element backwards is left to the walk.
    let spec = LoopSpec {
        n: r * c,
        cols: None,
        values: vec![
            load(1, r * c, &[(r, 1), (c, r as isize)], Rank::Full),
            load(2, r, &[(r, 1), (c, 0)], Rank::Full),
            load(3, c, &[(r, 0), (c, 1)], Rank::Full),
            value(Def::Map(ScalarFn::Mul, [0, 1, 0])),
            value(Def::Map(ScalarFn::Add, [3, 2, 3])),
            value(Def::Iota { extent: c, inner: 1 }),
            value(Def::Map(ScalarFn::Add, [4, 5, 4])),
        ],
        stores: vec![Store { value: 6, region: Region::new(4, 0, r * c * 4), over: None }],
    };
    let out = run(&spec, &[&x, &row, &col], &[r * c], Level::Avx2);
    for i in 0..r {
        for j in 0..c {
            assert_eq!(out[0][i * c + j], x[j * r + i] * row[i] + col[j] + j as f32);
        }
    }
}

#[test]
fn every_axis_is_counted() {
    let shapes = [[3, 45, 70], [2, 3, 5], [1, 7, 2500], [5, 1, 9], [4, 6, 1], [1, 1, 40], [2, 1, 17000], [30, 40, 2]];
    for (shape, level) in shapes.into_iter().flat_map(|shape| Level::ALL.map(|level| (shape, level))) {
        if !level.is_available() {
            continue;
        }
        let [a, b, c] = shape;
        let n = a * b * c;
        let x = data(n, 5);
        let axes = [(a, b * c), (b, c), (c, 1)];
        let counts = axes.map(|(extent, inner)| value(Def::Iota { extent, inner }));
        // Each alone and with what is known for every point, in all sets of axes: they decide on the rows.
        for set in 1..8 {
            let mut values = vec![load(1, n, &[(n, 1)], Rank::Full)];
            let mut stores = Vec::new();
            let used: Vec<usize> = (0..3).filter(|axis| set >> axis & 1 == 1).collect();
            for &axis in &used {
                values.push(counts[axis].clone());
                let at = values.len() as u32 - 1;
                values.push(value(Def::Map(ScalarFn::Add, [0, at, 0])));
                for value in [at, at + 1] {
                    stores.push(Store { value, region: Region::new(2 + stores.len() as u32, 0, n * 4), over: None });
                }
            }
            let spec = LoopSpec { n, cols: None, values, stores };
            let out = run(&spec, &[&x], &vec![n; 2 * used.len()], level);
            for (&axis, found) in used.iter().zip(out.chunks(2)) {
                let (extent, inner) = axes[axis];
                for i in 0..n {
                    let count = (i / inner % extent) as f32;
                    assert_eq!([found[0][i], found[1][i]], [count, x[i] + count], "axis {axis} of {shape:?} at {i}");
                }
            }
        }
    }
}

#[test]
fn a_load_outside_its_buffer_is_refused() {
    let spec = LoopSpec {
        n: 10,
        cols: None,
        values: vec![load(1, 9, &[(10, 1)], Rank::Full), value(Def::Map(ScalarFn::Neg, [0, 0, 0]))],
        stores: vec![Store { value: 1, region: Region::new(2, 0, 40), over: None }],
    };
    let code = compile_loop_at(&spec, Level::Baseline).unwrap();
    let buffers = Buffers { arena: 0, inputs: vec![36], outputs: vec![40], scalars: 0 };
    assert!(Program::new(vec![Step::Loop(Box::new(code))], buffers).is_err());
}

#[test]
fn a_store_onto_an_operand_is_refused() {
    let spec = LoopSpec {
        n: 4,
        cols: None,
        values: vec![load(0, 4, &[(4, 1)], Rank::Full), value(Def::Map(ScalarFn::Neg, [0, 0, 0]))],
        stores: vec![Store { value: 1, region: Region::new(0, 8, 16), over: None }],
    };
    let code = compile_loop_at(&spec, Level::Baseline).unwrap();
    let buffers = Buffers { arena: 64, ..Buffers::default() };
    assert!(Program::new(vec![Step::Loop(Box::new(code))], buffers).is_err());
}

#[test]
fn indices_become_16_bit_floats_by_one_rounding() {
    // The last index is no f32: rounded to one, it would be a tie, which the second rounding takes down.
    let n = (1 << 24) + (1 << 16) + 2;
    let index = Value { def: Def::Iota { extent: n, inner: 1 }, dtype: DType::BF16 };
    let spec = LoopSpec {
        n,
        cols: None,
        values: vec![index, value(Def::Cast(0))],
        stores: vec![Store { value: 1, region: Region::new(1, 0, n * 4), over: None }],
    };
    let out = run(&spec, &[], &[n], Level::Baseline);
    assert_eq!((out[0][n - 2], out[0][n - 1]), (16_777_216.0, 16_908_288.0));
}

#[test]
fn a_value_of_another_dtype_than_its_operands_give_it_is_refused() {
    let double = |def| Value { def, dtype: DType::F64 };
    let one = || double(Def::Constant(Scalar::from(1f64)));
    let wrong: [(&str, Vec<Value>); 7] = [
        ("a map", vec![one(), value(Def::Map(ScalarFn::Neg, [0; 3]))]),
        ("operands", vec![one(), value(Def::Constant(Scalar::from(1f32))), double(Def::Map(ScalarFn::Add, [0, 1, 0]))]),
        ("a mask", vec![one(), double(Def::Map(ScalarFn::Lt, [0; 3]))]),
        ("a condition", vec![one(), double(Def::Map(ScalarFn::Select, [0; 3]))]),
        ("a copy", vec![one(), value(Def::Copy(0))]),
        ("a constant", vec![value(Def::Constant(Scalar::from(1f64)))]),
        ("numbers", vec![Value { def: Def::Uniform { key: 0, stream: 0 }, dtype: DType::I64 }]),
    ];
    for (what, values) in wrong {
        let region = Region::new(0, 0, values.last().unwrap().dtype.size());
        let stores = vec![Store { value: values.len() as u32 - 1, region, over: None }];
        let error = compile_loop_at(&LoopSpec { n: 1, cols: None, values, stores }, Level::Baseline).unwrap_err();
        assert!(error.message().starts_with("value ") && error.message().contains("cannot be"), "{what}: {error}");
    }
}
