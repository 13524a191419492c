//! The results of every op are as close to those of an independent evaluation in f64 as the op says, in every dtype that it takes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod roll;

use roll::record;
use wengert_autograd::sample::{Accuracy, Sample};
use wengert_autograd::{Tape, ops, reference};
use wengert_tensor::dtype::DType;
use wengert_tensor::kernels::scalar::ScalarFn;
use wengert_tensor::random::{Key, normal_f64, uniform_f64};
use wengert_tensor::tensor::Tensor;

/// Bits of the significand, and the exponent of the least normal number.
fn format(dtype: DType) -> (i32, i32) {
    match dtype {
        DType::F64 => (52, -1022),
        DType::F32 => (23, -126),
        DType::BF16 => (7, -126),
        _ => (10, -14),
    }
}

/// The unit in the last place of a number.
fn ulp(dtype: DType, x: f64) -> f64 {
    let (bits, least) = format(dtype);
    let exponent = if x == 0.0 { least } else { (x.abs().log2().floor() as i32).max(least) };
    2f64.powi(exponent - bits)
}

/// The distance from one rounding to the next, at 1, of what the dtype is computed in.
fn epsilon(dtype: DType) -> f64 {
    2f64.powi(-if dtype == DType::F64 { 52 } else { 23 })
}

/// How far each element of the result may be off.
fn bounds(accuracy: Accuracy, sample: &Sample, inputs: &[Tensor], result: &Tensor) -> Option<Vec<f64>> {
    let (dtype, values) = (result.dtype(), result.to_f64_vec());
    let half = matches!(dtype, DType::BF16 | DType::F16);
    let n = inputs.iter().map(Tensor::len).max().unwrap_or(1) as f64;
    // What is computed in f32 is rounded once more.
    let rounded = |x: f64| if half { ulp(dtype, x) } else { 0.0 };
    Some(match accuracy {
        Accuracy::Nearest => vec![0.0; values.len()],
        Accuracy::Function(f) => {
            use ScalarFn::{Digamma, Erf, Erfc, Erfcinv, Erfinv, I0e, I1e, Igamma, Igammac, Lgamma, Polygamma};
            let near_zero = matches!(f, Lgamma | Digamma | Polygamma | Erfinv | Erfcinv);
            let others = matches!(f, Erf | Erfc | I0e | I1e | Igamma | Igammac);
            let size = |x: f64| if near_zero { x.abs().max(1.0) } else { x };
            // The reference is a function of f64 itself, and rounds; its series of these lose more.
            let series = if near_zero || others { 4e-15 } else { 0.0 };
            let ulps = f.ulps(dtype);
            let bound = |&x: &f64| if ulps == 0.0 { 0.0 } else { (ulps + 1.0) * ulp(dtype, size(x)) + series };
            values.iter().map(bound).collect()
        }
        Accuracy::Product => values.iter().map(|&x| n * epsilon(dtype) * x.abs() + rounded(x)).collect(),
        Accuracy::Sum => {
            // The same of the sizes of all operands: the sum of the sizes of all terms.
            let size = |input: &Tensor| match input.dtype().is_float() {
                true => {
                    let sizes: Vec<f64> = input.to_f64_vec().into_iter().map(f64::abs).collect();
                    Tensor::new(sizes, input.shape()).unwrap().cast(input.dtype()).unwrap()
                }
                false => input.clone(),
            };
            let tape = Tape::with_key(1);
            let sizes: Vec<Tensor> = inputs.iter().map(size).collect();
            let terms = reference::evaluate(&[record(&tape, sample, &sizes).1]).ok()?.remove(0).to_f64_vec();
            terms.iter().zip(&values).map(|(t, x)| n * epsilon(dtype) * t + rounded(*x)).collect()
        }
        Accuracy::Body | Accuracy::Stated(_) => return None,
    })
}

fn check(accuracy: Accuracy, sample: &Sample, inputs: &[Tensor]) -> Result<bool, String> {
    let tape = Tape::with_key(1);
    let (_, y) = record(&tape, sample, inputs);
    if tape.check().is_err() {
        return Ok(false);
    }
    let oracle = reference::evaluate(&[y]).map_err(|error| error.to_string())?.remove(0);
    let planned = y.value().map_err(|error| error.to_string())?;
    let Some(bounds) = bounds(accuracy, sample, inputs, &oracle) else { return Ok(false) };
    for (i, ((a, b), bound)) in planned.to_f64_vec().into_iter().zip(oracle.to_f64_vec()).zip(bounds).enumerate() {
        if !(a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= bound) {
            let ulps = (a - b).abs() / ulp(oracle.dtype(), b);
            let at: Vec<Option<f64>> = inputs.iter().map(|input| input.to_f64_vec().get(i).copied()).collect();
            return Err(format!(
                "element {i} is {a:e}, not {b:e}: {ulps} ulp off, {bound:e} allowed; operands there {at:?}"
            ));
        }
    }
    Ok(true)
}

#[test]
fn results_are_as_close_as_the_op_says() {
    let mut broken = Vec::new();
    let told = |accuracy| matches!(accuracy, Accuracy::Body | Accuracy::Stated(_));
    for entry in ops::roll().into_iter().filter(|entry| !told(entry.accuracy)) {
        let mut checked = 0;
        for sample in &entry.samples {
            for dtype in [DType::F64, DType::F32, DType::BF16, DType::F16] {
                let cast =
                    |input: &Tensor| if input.dtype().is_float() { input.cast(dtype).unwrap() } else { input.clone() };
                let inputs: Vec<Tensor> = sample.inputs.iter().map(cast).collect();
                match check(entry.accuracy, sample, &inputs) {
                    Ok(done) => checked += usize::from(done),
                    Err(why) => broken.push(format!("{} ({}) in {dtype}: {why}", entry.op, sample.name)),
                }
            }
        }
        if checked == 0 {
            broken.push(format!("{}: nothing was checked", entry.op));
        }
    }
    assert!(broken.is_empty(), "{} results are off:\n{}", broken.len(), broken.join("\n"));
}

/// Numbers of every size and sign, and those at which formulas change.
fn numbers(n: usize, stream: u64) -> Vec<f64> {
    const EDGES: [f64; 24] = [
        0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, 3.0, 10.0, 12.0, -2.5, 1e-3, -1e-3, 1e-20, 1e20, 88.7, -87.3, 0.25, 0.75,
        1.5, 100.0, 1e-8, 4.0, -0.999,
    ];
    let key = Key(stream);
    let number = |i: usize| match i % 4 {
        0 => EDGES[i / 4 % EDGES.len()],
        1 => uniform_f64(key, i as u64),
        2 => normal_f64(key, i as u64) * 20.0,
        _ => normal_f64(key, i as u64) * 10f64.powf(normal_f64(key, (n + i) as u64) * 3.0),
    };
    (0..n).map(number).collect()
}

#[test]
fn functions_are_as_close_as_they_say_everywhere() {
    const N: usize = 4000;
    let mut broken = Vec::new();
    for entry in ops::roll() {
        let Accuracy::Function(function) = entry.accuracy else { continue };
        let Some(sample) = entry.samples.iter().find(|s| s.inputs.iter().all(|x| x.dtype() == DType::F64)) else {
            continue;
        };
        for dtype in [DType::F64, DType::F32, DType::BF16, DType::F16] {
            // The reference integrates these, and cannot where a is large; mpmath's values of large ones stand in the kernel's tests.
            let moderate = matches!(function, ScalarFn::Igamma | ScalarFn::Igammac);
            let within = |x: f64| if moderate { x % 100.0 } else { x };
            let input = |i: usize| {
                let numbers: Vec<f64> = numbers(N, i as u64).into_iter().map(within).collect();
                Tensor::new(numbers, [N]).unwrap().cast(dtype).unwrap()
            };
            let inputs: Vec<Tensor> = (0..sample.inputs.len()).map(input).collect();
            if inputs.len() == function.arity()
                && let Err(why) = check(entry.accuracy, sample, &inputs)
            {
                broken.push(format!("{} in {dtype}: {why}", entry.op));
            }
        }
    }
    assert!(broken.is_empty(), "{} functions are off:\n{}", broken.len(), broken.join("\n"));
}
