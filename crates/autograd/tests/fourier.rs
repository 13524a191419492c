//! Fourier transforms of all kinds of lengths against their definition, and what misuse is told.
#![cfg(feature = "fft")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::f64::consts::TAU;
use wengert_autograd::{FftNorm, Tape, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::random::{Key, normal_f64};
use wengert_tensor::tensor::Tensor;

fn noise(dims: &[usize], stream: u64) -> Tensor {
    Tensor::from_fn(dims, |i| normal_f64(Key::new(stream), i as u64)).unwrap()
}

fn off(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// The transform by its definition.
fn slow(x: &[f64], inverse: bool) -> Vec<f64> {
    let n = x.len() / 2;
    let sign = if inverse { 1.0 } else { -1.0 };
    let term = |k: usize, t: usize| {
        let (sin, cos) = (sign * TAU * (k * t % n) as f64 / n as f64).sin_cos();
        let (re, im) = (x[2 * t], x[2 * t + 1]);
        (re * cos - im * sin, re * sin + im * cos)
    };
    let sum = |k: usize| (0..n).map(|t| term(k, t)).fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
    (0..n).map(sum).flat_map(|(re, im)| [re, im]).collect()
}

/// Primes, powers, products, and primes whose predecessors have large factors.
const SIZES: [usize; 16] = [1, 2, 3, 4, 5, 7, 8, 12, 17, 30, 47, 64, 97, 100, 107, 167];

#[test]
fn transforms_are_what_they_are_defined_to_be() -> Result<()> {
    for n in SIZES {
        let x = noise(&[n, 2], n as u64);
        let real = noise(&[n], n as u64);
        let tape = Tape::new();
        let v = tape.input(&x);
        let bound = 1e-13 * n as f64;
        let forward = v.fft(0, FftNorm::Backward).value()?.to_f64_vec();
        assert!(off(&forward, &slow(&x.to_f64_vec(), false)) < bound, "fft of {n}");
        let inverse = v.ifft(0, FftNorm::Forward).value()?.to_f64_vec();
        assert!(off(&inverse, &slow(&x.to_f64_vec(), true)) < bound, "ifft of {n}");
        let v = tape.input(&real);
        let whole = v.to_complex().fft(0, FftNorm::Backward).value()?.to_f64_vec();
        let half = v.rfft(0, FftNorm::Backward);
        assert!(off(&half.value()?.to_f64_vec(), &whole[..2 * (n / 2 + 1)]) < bound, "rfft of {n}");
        for norm in [FftNorm::Backward, FftNorm::Ortho, FftNorm::Forward] {
            let back = v.rfft(0, norm).irfft(n, 0, norm).value()?.to_f64_vec();
            assert!(off(&back, &real.to_f64_vec()) < bound, "irfft of {n}");
        }
    }
    Ok(())
}

/// What the roll states: ε·log₂ 2n, of the norm of the input.
#[test]
fn errors_grow_as_the_logarithm_of_the_length() -> Result<()> {
    let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
    let apart = |a: &[f64], b: &[f64]| norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>());
    for n in SIZES.into_iter().chain([1000, 4096, 10_007]) {
        let tape = Tape::new();
        let x = tape.input(&noise(&[n, 2], 5).cast(DType::F32)?);
        let narrow = x.fft(0, FftNorm::Ortho).value()?.to_f64_vec();
        let wide = x.cast(DType::F64).fft(0, FftNorm::Ortho);
        let there = wide.value()?.to_f64_vec();
        let back = wide.ifft(0, FftNorm::Ortho).value()?.to_f64_vec();
        let x = x.value()?.to_f64_vec();
        let levels = (2.0 * n as f64).log2() * norm(&x);
        let units =
            [apart(&narrow, &there) / levels / f64::from(f32::EPSILON), apart(&back, &x) / levels / f64::EPSILON / 2.0];
        assert!(units.iter().all(|units| *units <= 1.0), "{n}: {units:?}");
    }
    Ok(())
}

#[test]
fn an_orthogonal_transform_keeps_lengths() -> Result<()> {
    let tape = Tape::new();
    let x = tape.input(&noise(&[6, 35, 2], 1));
    let [a, b] = tape.eval([x.square().sum(), x.fft2(FftNorm::Ortho).square().sum()])?;
    assert!((a.item::<f64>()? - b.item::<f64>()?).abs() < 1e-11);
    Ok(())
}

#[test]
fn a_lane_has_its_bits_whatever_is_beside_it() -> Result<()> {
    let tape = Tape::new();
    let x = tape.input(&noise(&[3, 31, 5, 2], 2));
    let functions: [for<'t> fn(Var<'t>, isize) -> Var<'t>; 2] =
        [|x, axis| x.fft(axis, FftNorm::Ortho), |x, axis| x.at(-1, 0).rfft(axis, FftNorm::Ortho)];
    for f in functions {
        let all = f(x, 1);
        let last = f(x.transpose(1, 2), 2).transpose(1, 2);
        let one = f(x.slice(0, 1..2).slice(2, 3..4), 1);
        assert!(all.value()?.equals(&last.value()?));
        assert!(all.slice(0, 1..2).slice(2, 3..4).value()?.equals(&one.value()?));
    }
    Ok(())
}

#[test]
fn convolution_by_transforms() -> Result<()> {
    for (n, m) in [(1usize, 1usize), (1, 5), (7, 3), (64, 64), (100, 37)] {
        let (x, k) = (noise(&[n], 1).to_f64_vec(), noise(&[m], 2).to_f64_vec());
        let mut expected = vec![0.0; n + m - 1];
        for (i, x) in x.iter().enumerate() {
            for (j, k) in k.iter().enumerate() {
                expected[i + j] += x * k;
            }
        }
        let tape = Tape::new();
        let y = tape.input(&noise(&[n], 1)).fft_conv(noise(&[m], 2), 0);
        assert!(off(&y.value()?.to_f64_vec(), &expected) < 1e-12);
    }
    Ok(())
}

#[test]
fn misuse_says_what_is_wrong() {
    let say = |f: &dyn for<'t> Fn(&'t Tape) -> Var<'t>| {
        let tape = Tape::new();
        f(&tape).value().unwrap_err().to_string()
    };
    let starts = |text: String, start: &str| assert!(text.starts_with(start), "{text}\n  instead of\n{start}");
    let x = noise(&[4, 3], 1);
    let parts = "the last axis of [4, 3] is not the two parts of a complex number";
    starts(say(&|t| t.input(&x).fft(0, FftNorm::Ortho)), &format!("fft: {parts}"));
    starts(say(&|t| t.input(&x).complex_abs()), &format!("complex_abs: {parts}"));
    starts(say(&|t| t.input(&x).complex_mul(t.input(&x))), &format!("complex_mul: {parts}"));
    starts(say(&|t| t.input(&x).slice(1, ..2).fft(1, FftNorm::Ortho)), "fft: axis 1 is out of range");
    starts(say(&|t| t.input(&x).rfft(2, FftNorm::Ortho)), "rfft: axis 2 is out of range");
    starts(say(&|t| t.input(&x).slice(1, ..0).rfft(1, FftNorm::Ortho)), "rfft: axis 1 of [4, 0] has no elements");
    let spectrum = "irfft: 9 real numbers have a spectrum of 5, not [4, 2]";
    starts(say(&|t| t.input(&x).slice(1, ..2).irfft(9, 0, FftNorm::Ortho)), spectrum);
    starts(say(&|t| t.input(&x).slice(1, ..2).irfft(0, 0, FftNorm::Ortho)), "irfft: 0 real numbers");
    starts(say(&|t| t.input(&x).cast(DType::F16).rfft(0, FftNorm::Ortho)), "rfft: computes in f32 and f64, not f16");
    starts(say(&|t| t.input(&x).fft_conv(noise(&[2, 2, 2], 1), 0)), "fft_conv: the kernel has as many axes");
    starts(say(&|t| t.input(&x).fft_conv(noise(&[0], 1), 0)), "fft_conv: 4 elements and 0 of the kernel");
    starts(say(&|t| t.input(&x).fft_conv(Tensor::from([1.0f32]), 0)), "fft_conv (in mul): f64 beside f32");
    starts(say(&|t| t.fftfreq(4, 1.0, DType::I64)), "fftfreq: computes in f32 and f64, not i64");
    starts(say(&|t| t.input(&x).rfftn([0, 0], FftNorm::Ortho)), "rfftn: axis 0");
}
