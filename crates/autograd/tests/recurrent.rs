//! Loops over rows that do not depend on one another: their threads, and what waits until they are done.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use wengert_autograd::{Apply, Loop, StepKind, Tape, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::kernels::threads::with_threads;
use wengert_tensor::tensor::Tensor;

/// A recurrent layer: h ← tanh(x + h·Wᵀ + b), with its squares as results, and what it is asked for.
fn recurrent<'t>(tape: &'t Tape, x: &[Var<'t>], reverse: bool) -> Vec<Var<'t>> {
    let (series, start, w, b) = (x[0], x[1], x[2], x[3]);
    let by = if reverse { Loop::new().reverse() } else { Loop::new() };
    let (last, squares) = by.call(tape, start, series, |h, v| {
        let h = (v + h.matmul(w.t()) + b).tanh();
        (h, h.square())
    });
    let loss = last.sum() + (squares * 0.5).sin().sum();
    let mut wanted = vec![last, squares];
    wanted.extend(tape.grad(loss, x));
    let again = wanted.iter().skip(2).map(|g| g.square().sum()).reduce(|a, b| a + b);
    wanted.extend(again.map(|again| tape.grad(again, x[2])));
    wanted
}

fn recurrent_inputs(length: usize, rows: usize, units: usize, dtype: DType) -> Vec<Tensor> {
    let normal = |shape: &[usize], key: u64| Tensor::normal(shape, dtype, key).unwrap();
    vec![normal(&[length, rows, units], 1), normal(&[rows, units], 2), normal(&[units, units], 3), normal(&[units], 4)]
}

#[test]
fn the_gradient_of_a_matrix_is_one_product_behind_the_loop() {
    let (length, rows, units) = (7, 5, 3);
    let inputs = recurrent_inputs(length, rows, units, DType::F64);
    for reverse in [false, true] {
        let tape = Tape::new();
        let x: Vec<Var<'_>> = inputs.iter().map(|x| tape.input(x)).collect();
        let found = recurrent(&tape, &x, reverse);
        let report = tape.report(found[4]).unwrap();
        let wanted = StepKind::Product { batch: 1, m: units, k: length * rows, n: units };
        assert!(report.steps.iter().any(|step| step.kind == wanted), "{report}");
        // Step by step on the tape, without a loop.
        let mut h = x[1];
        let mut squares = vec![h; length];
        for i in 0..length {
            let i = if reverse { length - 1 - i } else { i };
            h = (x[0].at(0, i) + h.matmul(x[2].t()) + x[3]).tanh();
            squares[i] = h.square();
        }
        let loss = squares.iter().map(|s| (*s * 0.5).sin().sum()).fold(h.sum(), |a, b| a + b);
        let plain = tape.grad(loss, &x);
        let again = plain.iter().map(|g| g.square().sum()).reduce(|a, b| a + b).unwrap();
        let again = tape.grad(again, x[2]);
        for (slow, fast) in plain.iter().chain([&again]).zip(&found[2..]) {
            let (slow, fast) = (slow.value().unwrap().to_f64_vec(), fast.value().unwrap().to_f64_vec());
            for (slow, fast) in slow.iter().zip(&fast) {
                assert!((slow - fast).abs() < 1e-10 * (1.0 + slow.abs()), "{fast} for {slow}");
            }
        }
    }
}

#[test]
fn threads_share_the_rows_of_a_loop() {
    let bits = |values: Vec<Tensor>| -> Vec<Vec<f64>> { values.iter().map(Tensor::to_f64_vec).collect() };
    for (length, rows, units, dtype) in [(16, 48, 64, DType::F32), (9, 30, 96, DType::F64), (12, 7, 130, DType::F32)] {
        let inputs = recurrent_inputs(length, rows, units, dtype);
        for kind in 0..4 {
            let run = || {
                let tape = Tape::with_key(5);
                let x: Vec<Var<'_>> = inputs.iter().map(|x| tape.input(x)).collect();
                let wanted = match kind {
                    0 => recurrent(&tape, &x, false),
                    1 => recurrent(&tape, &x, true),
                    // Rows that depend on one another.
                    2 => {
                        let (last, all) = tape.scan(x[1], x[0], |h, v| {
                            let h = (v + (h - h.mean_keep(0)).matmul(x[2])).tanh();
                            (h, h)
                        });
                        vec![last, all, tape.grad((last * last).sum(), x[2])]
                    }
                    // Numbers that each row draws for itself.
                    _ => {
                        let (last, all) = tape.scan(x[1], x[0], |h, v| {
                            let drawn = tape.uniform(h.shape(), h.dtype());
                            let h = (v * drawn + h.matmul(x[2])).tanh();
                            (h, h)
                        });
                        vec![last, all, tape.grad((last * last).sum(), x[2])]
                    }
                };
                bits(tape.eval(&wanted).unwrap())
            };
            let alone = with_threads(1, run);
            for threads in [2, 3, 4] {
                assert!(with_threads(threads, run) == alone, "{length} × {rows} × {units}, {kind}, {threads} threads");
            }
        }
    }
}

/// A matrix that all turns read is copied once for the matrix unit, where there is one, in each run of the loop anew.
#[test]
fn turns_share_the_copy_of_a_matrix() -> wengert_tensor::error::Result<()> {
    let (length, rows, units) = (5, 64, 128);
    let mut inputs = recurrent_inputs(length, rows, units, DType::F32);
    for key in [3u64, 8, 9] {
        inputs[2] = Tensor::normal([units, units], DType::F32, key)?.apply(|w| w * 0.1)?;
        let values = |threads: usize| {
            with_threads(threads, || {
                let tape = Tape::new();
                let x: Vec<Var<'_>> = inputs.iter().map(|x| tape.input(x)).collect();
                fn turn<'t>(w: Var<'t>, h: Var<'t>, v: Var<'t>) -> Var<'t> {
                    (v + h.matmul(w.t())).tanh()
                }
                let w = x[2];
                let by_scan = tape.scan(x[1], x[0], |h, v| (turn(w, h, v), turn(w, h, v))).0;
                let first = x[0].at(0, 1);
                let counted = tape.while_loop(
                    (tape.scalar(0.0, DType::F32), x[1]),
                    |(i, _)| i.lt(length as f64),
                    |(i, h)| (i + 1.0, turn(w, h, first)),
                );
                let plain = (0..length).fold(x[1], |h, i| turn(w, h, x[0].at(0, i)));
                let repeated = (0..length).fold(x[1], |h, _| turn(w, h, first));
                tape.eval([plain, by_scan, repeated, counted.1])
            })
        };
        for threads in [1, 2] {
            let values = values(threads)?;
            assert!(values[0].equals(&values[1]), "scan, {key}, {threads} threads");
            assert!(values[2].equals(&values[3]), "while, {key}, {threads} threads");
        }
    }
    Ok(())
}
