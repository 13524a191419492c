//! Kernels that threads share give the bits of one thread, and of a part of their operands alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cmp::Ordering;
use wengert_autograd::{Tape, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::kernels::threads::with_threads;
use wengert_tensor::tensor::Tensor;

/// Rows of [`values`]: enough that a kernel is shared.
const ROWS: usize = 700;
const COLS: usize = 131;

/// Normal numbers, with equal ones, both zeros, infinities and NaN among them.
fn values(dtype: DType) -> Tensor {
    let tape = Tape::with_key(7u64);
    let x = (tape.normal([ROWS, COLS], DType::F32) * 8.0).round() * 0.25;
    let odd = Tensor::from([f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0]);
    let at = Tensor::from([5i64, 1000, 50_000, 90_000]);
    let x = x.reshape([ROWS * COLS]).index_set(0, &at, &odd).reshape([ROWS, COLS]);
    if dtype.is_float() {
        x.cast(dtype).value().unwrap()
    } else {
        x.clamp(-9.0, 9.0).nan_to_num().cast(dtype).value().unwrap()
    }
}

type Function = for<'t> fn(Var<'t>) -> Var<'t>;

fn computed(f: impl for<'t> Fn(Var<'t>) -> Var<'t> + Send + Sync, x: &Tensor, threads: usize) -> Tensor {
    with_threads(threads, || {
        let tape = Tape::training(3);
        f(tape.input(x)).value().unwrap()
    })
}

/// Equal to the bit: NaN is NaN.
fn same(x: &Tensor, y: &Tensor) -> bool {
    let bits = |x: &Tensor| -> Vec<u64> {
        let x = if x.dtype() == DType::Bool { x.cast(DType::I64).unwrap() } else { x.clone() };
        match x.dtype().is_float() {
            true => x.cast(DType::F64).unwrap().to_vec::<f64>().unwrap().into_iter().map(f64::to_bits).collect(),
            false => x.cast(DType::I64).unwrap().to_vec::<i64>().unwrap().into_iter().map(|i| i as u64).collect(),
        }
    };
    x.shape() == y.shape() && bits(x) == bits(y)
}

/// `f` is applied to rows that do not know of each other.
fn check(name: &str, f: impl for<'t> Fn(Var<'t>) -> Var<'t> + Send + Sync, x: &Tensor) {
    let alone = computed(&f, x, 1);
    for threads in [2, 3] {
        assert!(same(&alone, &computed(&f, x, threads)), "{name} on {threads} threads");
    }
    let rows = x.shape().dims()[0];
    for range in [0..2, rows / 2..rows / 2 + 3, rows - 2..rows] {
        let of = |x: &Tensor| computed(|x| x.slice(0, range.clone()), x, 1);
        assert!(same(&of(&alone), &computed(&f, &of(x), 1)), "{name} of rows {range:?}");
    }
}

#[test]
fn rows_are_computed_alike_by_whichever_thread() {
    for dtype in [DType::F32, DType::F64, DType::BF16, DType::I64, DType::I32] {
        let x = values(dtype);
        check("argsort", |x| x.argsort(-1, false), &x);
        check("argsort, descending", |x| x.argsort(-1, true), &x);
        check("topk", |x| x.top_k(5, -1).1, &x);
        check("argmax", |x| x.argmax(-1), &x);
        check("cumsum", |x| x.cumsum(-1), &x);
        check("cumprod", |x| x.cumprod(1), &x);
        check("argcummax", |x| x.argcummax(1), &x);
        check("gather", |x| x.gather(1, Tensor::from([0i64, 130, 7, 7, 64])), &x);
        check("take_along", |x| x.take_along(1, x.argsort(1, true)), &x);
        check("pad", |x| x.pad(1, 3, 70, 1.0), &x);
        check("concat", |x| x.tape().concat(&[x, x.slice(1, ..9), x], 1), &x);
        check(
            "transposed rows",
            |x| x.unsqueeze(1).broadcast_to([x.shape().dims()[0], 8, COLS]).transpose(1, 2) + 1.0,
            &x,
        );
    }
    let x = values(DType::F64);
    check("searchsorted", |x| x.tape().linspace(-4.0, 4.0, 300, DType::F64).searchsorted(x), &x);
    check("betainc", |x| (x.tanh() + 2.0).betainc(1.5, x.sigmoid()), &x);
}

#[test]
fn columns_and_whole_arrays_too() {
    let x = values(DType::F32);
    let all: [(&str, Function); 6] = [
        ("argsort of columns", |x| x.reshape([7, 100, COLS]).argsort(1, false)),
        ("cumsum of columns", |x| x.reshape([7, 100, COLS]).cumsum(1)),
        ("gather of rows", |x| x.gather(0, x.tape().iota([4000], 0, DType::I64) % 700)),
        ("a transpose", |x| x.t() * 2.0),
        ("gamma", |x| x.tape().random().gamma(x.nan_to_num().tanh() + 2.0)),
        ("poisson", |x| x.tape().random().poisson(x.nan_to_num().sigmoid() * 30.0)),
    ];
    for (name, f) in all {
        let alone = computed(f, &x, 1);
        for threads in [2, 3] {
            assert!(same(&alone, &computed(f, &x, threads)), "{name} on {threads} threads");
        }
    }
}

#[test]
fn an_order_is_that_of_a_stable_sort() {
    for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16, DType::I64, DType::I32, DType::U8] {
        let x = values(if dtype == DType::U8 { DType::I32 } else { dtype });
        let x = if dtype == DType::U8 { computed(|x| (x + 9.0).cast(DType::U8), &x, 1) } else { x };
        let wide = x.cast(DType::F64).unwrap().to_vec::<f64>().unwrap();
        for descending in [false, true] {
            let found = computed(|x| x.argsort(1, descending), &x, 3).to_vec::<i64>().unwrap();
            for (row, found) in wide.chunks(COLS).zip(found.chunks(COLS)) {
                let mut wanted: Vec<i64> = (0..COLS as i64).collect();
                wanted.sort_by(|&a, &b| {
                    let [a, b] = [a, b].map(|i| row[i as usize]);
                    let order = a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()));
                    if descending { order.reverse() } else { order }
                });
                assert_eq!(found, wanted, "{dtype}, {descending}");
            }
        }
    }
    assert_eq!(0.0f64.partial_cmp(&-0.0), Some(Ordering::Equal));
}

#[test]
fn the_first_bad_index_is_told_whichever_thread_finds_one() {
    let x = values(DType::F32);
    for threads in [1, 2, 3] {
        let failed = with_threads(threads, || {
            let tape = Tape::new();
            let index = tape.iota([ROWS, COLS], 1, DType::I64)
                + (tape.iota([ROWS, COLS], 0, DType::I64).ge(300)).cast(DType::I64);
            tape.input(&x).take_along(1, index).value()
        });
        let told = failed.unwrap_err().to_string();
        assert!(told.contains("index 131 at [300, 130] is outside 0..131"), "{told}");
    }
}

#[cfg(feature = "linalg")]
#[test]
fn matrices_of_a_batch_are_computed_alike() {
    use wengert_autograd::Triangle;
    let tape = Tape::with_key(8u64);
    let a = tape.normal([90, 12, 12], DType::F64);
    let x = (a.matmul(a.transpose(1, 2)) + tape.eye(12, DType::F64)).value().unwrap();
    check("cholesky", |a| a.cholesky(), &x);
    check("svd", |a| a.svd().1, &x);
    check("eigh", |a| a.eigh().1, &x);
    check("lu", |a| a.lu().2, &x);
    check("qr", |a| a.qr().0, &x);
    check("solve", |a| a.solve(a.slice(2, ..3)), &x);
    check("triangular_solve", |a| a.triangular_solve(a.slice(2, ..5), Triangle::lower()), &x);
    check("pinv", |a| a.pinv(), &x);
    check("matrix_exp", |a| (a * 0.1).matrix_exp(), &x);
    check("gradient of det", |a| a.tape().grad(a.det().sum(), a), &x);
    for threads in [1, 3] {
        let failed = with_threads(threads, || {
            let tape = Tape::new();
            let late = tape.iota([90, 1, 1], 0, DType::I64).ge(40);
            let bad = tape.full([90, 12, 12], -1.0, DType::F64).select(late, tape.input(&x));
            bad.cholesky().value()
        });
        let told = failed.unwrap_err().to_string();
        assert!(told.contains("40"), "{told}");
    }
}
