//! Attention never holds positions × positions of all heads: its products and loops run part by part, with the bits of the whole.

use wengert_autograd::compose::conv::Conv;
use wengert_autograd::compose::pool::Pool;
use wengert_autograd::{StepKind, Tape, Var, reference, without_fusion};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::kernels::threads::with_threads;
use wengert_tensor::random::Key;
use wengert_tensor::tensor::Tensor;

/// Queries, keys and values `[batch, heads, positions, features]`.
fn operands([batch, heads, queries, keys, features]: [usize; 5], dtype: DType) -> Result<Vec<Tensor>> {
    let operand =
        |(stream, n): (u64, usize)| Tensor::normal([batch, heads, n, features], dtype, Key::new(7).fold(stream));
    (0..).zip([queries, keys, keys]).map(operand).collect()
}

/// What is done with the scores.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Plain,
    Causal,
    Dropout,
    /// Two softmaxes, the second after a product among heads.
    Twice,
}

fn attention<'t>(x: &[Var<'t>], kind: Kind) -> Var<'t> {
    let (q, k, v) = (x[0], x[1], x[2]);
    let tape = q.tape();
    let scores = q.matmul(k.transpose(2, 3)) * (q.dim(3) as f64).powf(-0.5);
    let scores = match kind {
        Kind::Causal => {
            let place = |axis| tape.iota(scores.shape(), axis, DType::I64);
            scores.masked_fill(place(3).gt(place(2)), f64::NEG_INFINITY)
        }
        _ => scores,
    };
    let weights = scores.softmax(-1);
    let weights = match kind {
        Kind::Dropout => {
            let kept = tape.uniform(weights.shape(), weights.dtype()).gt(0.25);
            weights.mul_masked(kept.cast(weights.dtype()))
        }
        Kind::Twice => (weights.matmul(weights.transpose(2, 3)) * 3.0).softmax(-1),
        _ => weights,
    };
    match kind {
        Kind::Twice => weights.matmul(q).matmul(k.transpose(2, 3)).tanh().matmul(v),
        _ => weights.matmul(v),
    }
}

/// Attention and its gradients. The cotangent comes in another order, so that it has to be whole.
fn both(inputs: &[Tensor], kind: Kind) -> Result<Vec<Tensor>> {
    let tape = Tape::with_key(3);
    let x: Vec<Var<'_>> = inputs.iter().map(|x| tape.input(x)).collect();
    let y = attention(&x, kind);
    let z = y.transpose(1, 2).reshape([y.dim(0), y.dim(2), y.dim(1) * y.dim(3)]).tanh();
    let mut wanted = vec![y];
    wanted.extend(tape.grad((z * z).sum(), &x));
    tape.eval(&wanted)
}

#[test]
fn the_bits_are_those_of_the_whole() -> Result<()> {
    use Kind::{Causal, Dropout, Plain, Twice};
    for (shape, dtype, kind) in [
        ([2, 4, 128, 128, 16], DType::F32, Plain),
        ([3, 5, 96, 160, 32], DType::F32, Causal),
        ([2, 3, 97, 131, 24], DType::F32, Dropout),
        ([2, 2, 640, 640, 8], DType::F32, Dropout),
        ([1, 3, 2048, 1500, 16], DType::F32, Plain),
        ([2, 3, 100, 140, 24], DType::F64, Causal),
        ([2, 3, 256, 256, 24], DType::F64, Dropout),
        ([2, 3, 128, 256, 16], DType::BF16, Plain),
        ([2, 3, 256, 256, 16], DType::F32, Twice),
    ] {
        let inputs = operands(shape, dtype)?;
        let whole = without_fusion(|| both(&inputs, kind))?;
        for threads in [1, 2, 3] {
            let parts = with_threads(threads, || both(&inputs, kind))?;
            for (a, b) in whole.iter().zip(&parts) {
                assert!(a.to_f64_vec() == b.to_f64_vec(), "{shape:?} {dtype} {kind:?} on {threads} threads");
            }
        }
    }
    Ok(())
}

#[test]
fn odd_numbers_have_the_bits_of_the_whole() -> Result<()> {
    // Rows that the matrix unit leaves to the vectors, in some strips and not in others.
    let mut inputs = operands([1, 2, 1024, 1024, 32], DType::F32)?;
    for (which, input) in inputs.iter_mut().enumerate() {
        let mut values: Vec<f32> = input.to_vec()?;
        for (i, value) in values.iter_mut().enumerate() {
            *value = match (i / 32) % 300 {
                17 => *value * 1e-30,
                90 if which == 0 => *value * 1e25,
                91 => 0.0,
                _ => *value,
            };
        }
        *input = Tensor::new(values, input.shape())?;
    }
    let run = || -> Result<Vec<u32>> {
        let tape = Tape::new();
        let x: Vec<Var<'_>> = inputs.iter().map(|x| tape.input(x)).collect();
        let bits = attention(&x, Kind::Plain).value()?.to_vec::<f32>()?;
        Ok(bits.into_iter().map(f32::to_bits).collect())
    };
    let whole = without_fusion(run)?;
    for threads in [1, 2, 3] {
        assert!(with_threads(threads, run)? == whole, "{threads} threads");
    }
    Ok(())
}

#[test]
fn the_values_are_those_of_the_definition() -> Result<()> {
    let inputs = operands([2, 4, 192, 160, 8], DType::F64)?;
    let tape = Tape::new();
    let x: Vec<Var<'_>> = inputs.iter().map(|x| tape.input(x)).collect();
    let y = attention(&x, Kind::Causal);
    assert!(matches!(tape.report(y)?.steps[..], [.., ref last] if matches!(last.kind, StepKind::Chain { .. })));
    let (fast, slow) = (y.value()?, reference::evaluate(&[y])?);
    for (fast, slow) in fast.to_f64_vec().iter().zip(slow[0].to_f64_vec()) {
        assert!((fast - slow).abs() < 1e-12, "{fast} for {slow}");
    }
    Ok(())
}

#[test]
fn no_memory_holds_all_scores() -> Result<()> {
    with_threads(2, || {
        let inputs = operands([4, 4, 1024, 1024, 32], DType::F32)?;
        let (scores, operand) = (4 * 4 * 1024 * 1024 * 4, 4 * 4 * 1024 * 32 * 4);
        let tape = Tape::new();
        let x: Vec<Var<'_>> = inputs.iter().map(|x| tape.input(x)).collect();
        let y = attention(&x, Kind::Plain);
        let report = tape.report(y)?;
        assert!(report.arena_bytes < scores / 20, "{report}");
        assert!(matches!(report.steps[..], [ref step] if matches!(step.kind, StepKind::Chain { .. })), "{report}");
        assert!(report.steps[0].traffic.read == 3 * operand && report.steps[0].traffic.written == operand, "{report}");
        let z = y.transpose(1, 2).reshape([4, 1024, 128]).tanh();
        let mut wanted = vec![y];
        wanted.extend(tape.grad((z * z).sum(), &x));
        // The gradient computes them again, those of one head at a time.
        let report = tape.report(&wanted[..])?;
        let results = report.steps.iter().flat_map(|step| &step.results);
        let largest = results.map(|meta| meta.shape.len() * 4).max();
        assert!(report.arena_bytes < scores / 2 && largest == Some(operand), "{report}");
        Ok(())
    })
}

/// Two convolutions with a pool behind them, and all gradients.
fn convolutions<'t>(tape: &'t Tape, inputs: &[Tensor]) -> Vec<Var<'t>> {
    let x: Vec<Var<'t>> = inputs.iter().map(|x| tape.input(x)).collect();
    let hidden = (x[0].conv(x[1], Conv::new()) + x[2]).relu();
    let pooled = (hidden.conv(x[3], Conv::new().padding(1)) + x[4]).relu().max_pool(Pool::new([2, 2]));
    let mut wanted = vec![pooled];
    wanted.extend(tape.grad((pooled * pooled).sum(), &x));
    wanted
}

#[test]
fn images_go_through_their_layers_one_after_another() -> Result<()> {
    for (images, dtype) in [(6, DType::F32), (4, DType::F64)] {
        let normal = |shape: &[usize], key: u64| Tensor::normal(shape, dtype, key);
        let inputs = [
            normal(&[images, 32, 26, 26], 1)?,
            normal(&[32, 32, 3, 3], 2)?,
            normal(&[32, 1, 1], 3)?,
            normal(&[64, 32, 3, 3], 4)?,
            normal(&[64, 1, 1], 5)?,
        ];
        let run = || -> Result<Vec<Tensor>> {
            let tape = Tape::new();
            let wanted = convolutions(&tape, &inputs);
            tape.eval(&wanted)
        };
        let tape = Tape::new();
        let wanted = convolutions(&tape, &inputs);
        let report = tape.report(&wanted[..])?;
        let chained = |kind: StepKind| matches!(kind, StepKind::Chain { products: 2.., kernels: 1.., .. });
        assert!(report.steps.iter().any(|step| chained(step.kind)), "{report}");
        let whole = without_fusion(run)?;
        for threads in [1, 2, 3] {
            for (a, b) in whole.iter().zip(&with_threads(threads, run)?) {
                assert!(a.to_f64_vec() == b.to_f64_vec(), "{images} images of {dtype} on {threads} threads");
            }
        }
    }
    Ok(())
}
