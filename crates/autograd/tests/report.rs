//! What a report says is what runs: its text, its memory, its times.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use wengert_autograd::{Apart, Apply, Conv, PlanReport, StepKind, Tape, Var, plan_reports, plan_stats, without_fusion};
use wengert_tensor::dtype::DType;
use wengert_tensor::storage::{pool_clear, pool_stats};
use wengert_tensor::tensor::Tensor;

fn data(shape: &[usize], seed: u64) -> Tensor {
    Tape::with_key(seed).normal(shape, DType::F32).value().unwrap()
}

/// A model: the shapes of what it learns, and its loss.
type Model = (&'static str, &'static [&'static [usize]], for<'t> fn(&[Var<'t>]) -> Var<'t>);

const MODELS: [Model; 3] = [
    ("mlp", &[&[256, 784], &[784, 512], &[512, 256], &[256, 10]], |v| {
        v[0].matmul(v[1]).relu().matmul(v[2]).relu().matmul(v[3]).log_softmax(-1).square().mean()
    }),
    ("cnn", &[&[32, 1, 28, 28], &[32, 1, 3, 3], &[64, 32, 3, 3], &[9216, 10]], |v| {
        let x = v[0].conv(v[1], Conv::new()).relu().conv(v[2], Conv::new()).relu();
        x.max_pool(2).reshape([32, 9216]).matmul(v[3]).softmax(-1).square().mean()
    }),
    ("transformer", &[&[8, 64, 128], &[128, 384], &[128, 128], &[128, 512], &[512, 128]], |v| {
        (0..3).fold(v[0], |x, _| block(x, v)).square().mean()
    }),
];

fn norm(x: Var<'_>) -> Var<'_> {
    let centred = x - x.mean_keep(-1);
    centred * (centred.square().mean_keep(-1) + 1e-5).rsqrt()
}

/// Attention of four heads and two dense layers.
fn block<'t>(x: Var<'t>, v: &[Var<'t>]) -> Var<'t> {
    let qkv = norm(x).matmul(v[1]).reshape([8, 64, 3, 4, 32]).permute(&[2, 0, 3, 1, 4]);
    let [q, k, values] = [0, 1, 2].map(|i| qkv.slice(0, i..i + 1).squeeze(0));
    let heads = (q.matmul(k.t()) * 0.2).softmax(-1).matmul(values).transpose(1, 2).reshape([8, 64, 128]);
    let x = x + heads.matmul(v[2]);
    x + norm(x).matmul(v[3]).gelu().matmul(v[4])
}

/// Calls `f` with the tape of a model and its loss and gradients.
fn with<R>(model: &Model, f: impl FnOnce(&Tape, Vec<Var<'_>>) -> R) -> R {
    let (_, shapes, loss) = model;
    let tape = Tape::new();
    let inputs: Vec<Var<'_>> = shapes.iter().enumerate().map(|(i, s)| tape.input(&data(s, i as u64))).collect();
    let loss = loss(&inputs);
    let mut outputs = vec![loss];
    outputs.extend(tape.grad(loss, inputs));
    f(&tape, outputs)
}

#[test]
fn an_arena_is_little_larger_than_what_lives_in_it() {
    for model in &MODELS {
        let report = with(model, |tape, outputs| tape.report(outputs)).unwrap();
        let (arena, least) = (report.arena_bytes, report.least_arena_bytes);
        assert!(least > 0 && arena >= least, "{}: {report}", model.0);
        assert!(arena * 100 <= least * 115, "{}: {arena} bytes, at least {least}\n{report}", model.0);
        assert_eq!(report.steps.iter().map(|step| step.live_bytes).max(), Some(least));
        let held: usize = report.held.iter().map(|(_, bytes)| bytes).sum();
        assert!(held <= least && held * 10 >= least * 9, "{}: {held} of {least}", model.0);
    }
}

#[test]
fn a_run_takes_the_memory_that_was_predicted() {
    // The pool is one for the process, and tests share that; this one counts what it lends.
    if std::env::var("WENGERT_COUNT_POOL").is_err() {
        let this = std::env::current_exe().unwrap();
        let mut again = std::process::Command::new(this);
        let name = "a_run_takes_the_memory_that_was_predicted";
        let status = again.args(["--exact", name, "--test-threads", "1"]).env("WENGERT_COUNT_POOL", "1").status();
        return assert!(status.unwrap().success());
    }
    for model in &MODELS {
        with(model, |tape, outputs| {
            let predicted = tape.report(outputs.as_slice()).unwrap().peak_bytes;
            pool_clear();
            drop(tape.eval(outputs.as_slice()).unwrap());
            let results: usize = outputs.iter().map(|var| wengert_tensor::storage::lent_bytes(var.len() * 4)).sum();
            let taken = pool_stats().held_bytes + results;
            let off = (taken as f64 / predicted as f64 - 1.0).abs();
            assert!(off <= 0.05, "{}: {taken} bytes taken, {predicted} predicted", model.0);
        });
    }
}

fn small(tape: &Tape) -> PlanReport {
    let [x, w, b] = [data(&[8, 16], 1), data(&[16, 4], 2), data(&[4], 3)].map(|t| tape.input(&t));
    let y = {
        let _net = tape.scope("Net");
        let _head = tape.scope(("head", "Dense"));
        (x.matmul(w) + b).tanh()
    };
    let loss = y.square().mean();
    let [dw, db] = tape.grad(loss, [w, b]);
    tape.report([loss, dw, db]).unwrap()
}

#[test]
fn a_report_says_what_runs() {
    let report = small(&Tape::new());
    let kinds: Vec<StepKind> = report.steps.iter().map(|step| step.kind).collect();
    assert_eq!(kinds[0], StepKind::Product { batch: 1, m: 8, k: 16, n: 4 });
    assert_eq!(report.steps[0].traffic.flops, Some(2 * 8 * 16 * 4));
    assert_eq!((report.input_bytes, report.output_bytes), (4 * (8 * 16 + 16 * 4 + 4), 4 * (1 + 16 * 4 + 4)));
    let text: Vec<String> = report.to_string().lines().map(|line| line.trim_end().to_string()).collect();
    let expected = include_str!("report.txt");
    assert_eq!(text.join("\n").trim(), expected.trim(), "\n{report}");
}

#[test]
fn a_profile_measures_each_step_and_keeps_nothing() {
    let tape = Tape::new();
    let x = tape.input(&data(&[64, 64], 1));
    let y = x.matmul(x).exp().sum();
    let compiled = plan_stats().compiled;
    let report = tape.profile(y, 2).unwrap();
    assert!(report.steps.iter().all(|step| step.time.is_some_and(|time| time.as_nanos() > 0)));
    assert!(report.to_string().contains("µs"));
    assert_eq!(plan_stats().compiled, compiled);
    let value = y.item::<f32>().unwrap();
    assert!(value > 0.0);
    // What has a value needs no step.
    assert!(tape.report(y).unwrap().steps.is_empty());
}

#[test]
fn watched_plans_are_reported_each() {
    let ask = || data(&[3], 1).apply(|x| x.exp() + 1.0).unwrap();
    let (value, reports) = plan_reports(1, || {
        let (_, inner) = plan_reports(0, ask);
        assert_eq!(inner.len(), 2);
        ask()
    });
    assert_eq!(reports.len(), 2);
    assert!(reports[1].time().is_some());
    assert!(value.equals(&ask()));
}

#[test]
fn what_runs_apart_has_a_reason() {
    let reasons = |f: for<'t> fn(Var<'t>) -> Var<'t>| {
        let tape = Tape::new();
        let x = tape.input(&data(&[96, 64], 1)).exp();
        let report = tape.report(f(x)).unwrap();
        report.apart.into_iter().map(|(_, _, why)| why).collect::<Vec<_>>()
    };
    assert_eq!(reasons(|x| (x - x.sum_axes(-1).reshape([96, 1])).exp()), []);
    assert_eq!(reasons(|x| x.sum_axes(0).exp()), [Apart::Columns]);
    assert_eq!(reasons(|x| x.matmul(x.t())), [Apart::Product]);
    assert_eq!(reasons(|x| x.t().exp()), [Apart::Order]);
    assert_eq!(reasons(|x| x.sum()), [Apart::Extent]);
    assert_eq!(without_fusion(|| reasons(|x| x.log())), [Apart::Full]);
}

#[test]
fn what_a_gradient_needs_is_computed_again_rather_than_kept() {
    let tape = Tape::new();
    let [x, w] = [data(&[64, 256], 1), data(&[256, 256], 2)].map(|t| tape.input(&t));
    let y = x.matmul(w).gelu();
    let [dw] = tape.grad(y.matmul(w).square().sum(), [w]);
    let report = tape.report(dw).unwrap();
    // Of the twelve values of the function and its slope, the loop keeps the one that costs more than a few cycles, beside the result.
    let forward = report.steps.iter().find(|step| step.ops.contains(&"gelu")).unwrap();
    assert_eq!(forward.results.len(), 2, "{report}");
    let again = without_fusion(|| dw.value()).unwrap();
    let tape = Tape::new();
    let [x, w] = [data(&[64, 256], 1), data(&[256, 256], 2)].map(|t| tape.input(&t));
    let [dw] = tape.grad(x.matmul(w).gelu().matmul(w).square().sum(), [w]);
    assert!(again.equals(&dw.value().unwrap()));
}

#[test]
fn a_gradient_of_windows_goes_in_the_order_of_what_they_are_of() {
    let gradient = || {
        let tape = Tape::new();
        let x = tape.input(&data(&[4, 8, 12, 12], 1));
        let [dx] = tape.grad((x.exp().max_pool(2) * 2.0).square().sum(), [x]);
        let report = tape.report(dx).unwrap();
        (dx.value().unwrap(), report)
    };
    let (dx, report) = gradient();
    // The cotangent is spread over the windows while it is read: no copy puts it in order.
    assert!(report.steps.iter().all(|step| !step.ops.contains(&"reshape")), "{report}");
    assert!(without_fusion(gradient).0.equals(&dx));
}

#[test]
fn a_long_chain_is_planned_in_no_time() {
    let tape = Tape::new();
    let x = tape.input(&data(&[64, 64], 1));
    let y = (0..200).fold(x.exp(), |y, i| if i % 10 == 9 { y.exp() } else { y * y + y });
    let [dx] = tape.grad(y.sum(), [x]);
    let start = std::time::Instant::now();
    tape.report([y, dx]).unwrap();
    assert!(start.elapsed().as_secs() < 5);
}

#[test]
fn a_tape_that_failed_has_no_report() {
    let tape = Tape::new();
    let x = tape.input(&data(&[2, 3], 1));
    let y = x.matmul(x);
    assert_eq!(tape.report(y).unwrap_err().to_string(), y.value().unwrap_err().to_string());
    assert!(tape.report(Tape::new().input(&data(&[1], 1))).is_err());
}
