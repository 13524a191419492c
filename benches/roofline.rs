//! How near is each family of kernels to what the machine can do? The peak is measured in the same run: the FLOP/s of a product of 1024 × 1024
//! matrices and the bytes/s of a loop over 128 MB. A step needs at least the time of its operations, or of its bytes, whichever is longer; its
//! share is that time over the one it took. Sums, sorts and random bits have no unit of their own, so what they compute beside their bytes
//! shows as a smaller share.
//!
//! `cargo bench -p wengert-benches --bench roofline`, or with `WENGERT_THREADS=1`: the table in `benches/README.md`.

use wengert::autograd::{Peak, PlanReport};
use wengert::prelude::*;

const RUNS: usize = 15;

/// What to run, on a tape of its own, and the values that are to be there already.
type Family = (&'static str, &'static str, fn(&Tape, &[Tensor]) -> Result<PlanReport>, &'static [&'static [usize]]);

fn measured<'t>(tape: &'t Tape, x: impl wengert::autograd::Vars<'t>) -> Result<PlanReport> {
    tape.profile(x, RUNS)
}

/// 65,536 numbers of rows among 4096.
fn rows() -> Result<Tensor> {
    Tensor::new((0..1i64 << 16).map(|i| i * 7919 % 4096).collect::<Vec<_>>(), [1 << 16])
}

/// A gradient with respect to the first input; the forward pass is there already, as far as it is not part of the gradient's own plan.
fn gradient<'t>(tape: &'t Tape, y: Var<'t>, x: Var<'t>) -> Result<PlanReport> {
    let [dx] = tape.grad(y, [x]);
    tape.profile(dx, RUNS)
}

const FAMILIES: &[Family] = &[
    (
        "product A·B",
        "512³",
        |tape, x| measured(tape, tape.input(&x[0]).matmul(tape.input(&x[1]))),
        &[&[512, 512], &[512, 512]],
    ),
    (
        "product A·Bᵀ",
        "128 × 784 × 512",
        |tape, x| measured(tape, tape.input(&x[0]).matmul(tape.input(&x[1]).t())),
        &[&[128, 784], &[512, 784]],
    ),
    (
        "product Aᵀ·B",
        "784 × 128 × 512",
        |tape, x| measured(tape, tape.input(&x[0]).t().matmul(tape.input(&x[1]))),
        &[&[128, 784], &[128, 512]],
    ),
    (
        "matrix × vector",
        "4096 × 4096",
        |tape, x| measured(tape, tape.input(&x[0]).matmul(tape.input(&x[1]))),
        &[&[4096, 4096], &[4096, 1]],
    ),
    (
        "batch of products",
        "256 of 64 × 32 × 64",
        |tape, x| measured(tape, tape.input(&x[0]).matmul(tape.input(&x[1]))),
        &[&[256, 64, 32], &[256, 32, 64]],
    ),
    (
        "convolution",
        "32 → 64 channels, 3 × 3, 16 of 26 × 26",
        |tape, x| measured(tape, tape.input(&x[0]).conv(tape.input(&x[1]), Conv::new())),
        &[&[16, 32, 26, 26], &[64, 32, 3, 3]],
    ),
    (
        "its gradient by the image",
        "the same",
        |tape, x| {
            let image = tape.input(&x[0]);
            gradient(tape, (image.conv(tape.input(&x[1]), Conv::new()) * tape.input(&x[2])).sum(), image)
        },
        &[&[16, 32, 26, 26], &[64, 32, 3, 3], &[16, 64, 24, 24]],
    ),
    (
        "its gradient by the kernels",
        "the same",
        |tape, x| {
            let kernels = tape.input(&x[1]);
            gradient(tape, (tape.input(&x[0]).conv(kernels, Conv::new()) * tape.input(&x[2])).sum(), kernels)
        },
        &[&[16, 32, 26, 26], &[64, 32, 3, 3], &[16, 64, 24, 24]],
    ),
    (
        "max pooling",
        "2 × 2, 64 × 64 of 24 × 24",
        |tape, x| measured(tape, tape.input(&x[0]).max_pool([2, 2])),
        &[&[64, 64, 24, 24]],
    ),
    (
        "x·a + b",
        "16 Mi",
        |tape, x| measured(tape, tape.input(&x[0]) * tape.input(&x[1]) + 0.5),
        &[&[1 << 24], &[1 << 24]],
    ),
    ("gelu", "16 Mi", |tape, x| measured(tape, tape.input(&x[0]).gelu()), &[&[1 << 24]]),
    ("sum of all", "16 Mi", |tape, x| measured(tape, tape.input(&x[0]).sum()), &[&[1 << 24]]),
    ("sums of rows", "4096 × 4096", |tape, x| measured(tape, tape.input(&x[0]).sum_axes(-1)), &[&[4096, 4096]]),
    ("sums of columns", "4096 × 4096", |tape, x| measured(tape, tape.input(&x[0]).sum_axes(0)), &[&[4096, 4096]]),
    ("softmax of rows", "4096 × 1024", |tape, x| measured(tape, tape.input(&x[0]).softmax(-1)), &[&[4096, 1024]]),
    (
        "layer norm of rows",
        "4096 × 1024",
        |tape, x| {
            let x = tape.input(&x[0]);
            let centred = x - x.mean_axes(-1).unsqueeze(-1);
            measured(tape, centred * (centred.square().mean_axes(-1).unsqueeze(-1) + 1e-5).rsqrt())
        },
        &[&[4096, 1024]],
    ),
    ("transpose", "4096 × 4096", |tape, x| measured(tape, tape.input(&x[0]).t() + 1.0), &[&[4096, 4096]]),
    (
        "rows by index",
        "65,536 of 4096 × 128",
        |tape, x| {
            let rows = tape.input(&rows()?);
            measured(tape, tape.input(&x[0]).gather(0, rows))
        },
        &[&[4096, 128]],
    ),
    (
        "rows added by index",
        "the same",
        |tape, x| {
            let rows = tape.input(&rows()?);
            let table = tape.input(&x[0]);
            gradient(tape, (table.gather(0, rows) * tape.input(&x[1])).sum(), table)
        },
        &[&[4096, 128], &[65_536, 128]],
    ),
    ("running sums", "4096 × 1024", |tape, x| measured(tape, tape.input(&x[0]).cumsum(-1)), &[&[4096, 1024]]),
    ("sorting rows", "4096 × 256", |tape, x| measured(tape, tape.input(&x[0]).sort(-1)), &[&[4096, 256]]),
    ("normal numbers", "4 Mi", |tape, _| measured(tape, tape.normal([1 << 22], DType::F32)), &[]),
];

fn main() -> Result<()> {
    let peak = Peak::measured()?;
    println!("peak: {peak}, {} threads\n", wengert::tensor::kernels::threads::threads());
    println!("| kernels | size | µs | GFLOP/s | GB/s | of the roofline |\n|---|---|---:|---:|---:|---:|");
    for (name, size, run, shapes) in FAMILIES {
        let inputs = shapes
            .iter()
            .enumerate()
            .map(|(i, shape)| Tape::with_key(i as u64).normal(shape.to_vec(), DType::F32).value());
        let report = run(&Tape::training(1), &inputs.collect::<Result<Vec<_>>>()?)?;
        let (mut least, mut seconds, mut flops, mut bytes) = (0.0, 0.0, 0.0, 0.0);
        for step in &report.steps {
            let (f, b) = (step.traffic.flops.unwrap_or(0) as f64, (step.traffic.read + step.traffic.written) as f64);
            least += (f / peak.flops_per_second).max(b / peak.bytes_per_second);
            seconds += step.time.unwrap_or_default().as_secs_f64();
            (flops, bytes) = (flops + f, bytes + b);
        }
        let rate = |amount: f64| amount / seconds * 1e-9;
        let share = 100.0 * least / seconds;
        println!("| {name} | {size} | {:.0} | {:.1} | {:.1} | {share:.0} % |", seconds * 1e6, rate(flops), rate(bytes));
    }
    Ok(())
}
