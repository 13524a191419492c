//! How far the polynomials are from the functions: a dense sample of all f32, against f64.

use crate::dtype::DType;
use crate::kernels::level::Level;
use crate::kernels::scalar::{ScalarFn, sample, tile};

/// A function, the same in f64, and by how many units in the last place ours may differ: where the machine fuses
/// multiply-adds, and where it does not. Tried on every 97th of all floats; the tests repeat it on every 997th.
type Row = (ScalarFn, fn(f64) -> f64, [f64; 2]);

const ROWS: &[Row] = &[
    (ScalarFn::Exp, f64::exp, [1.1, 1.1]),
    (ScalarFn::Exp2, f64::exp2, [1.1, 1.4]),
    (ScalarFn::Expm1, f64::exp_m1, [1.6, 1.8]),
    (ScalarFn::Log, f64::ln, [1.0, 1.0]),
    (ScalarFn::Log2, f64::log2, [1.2, 2.0]),
    (ScalarFn::Log10, f64::log10, [1.1, 1.9]),
    (ScalarFn::Log1p, f64::ln_1p, [1.6, 1.6]),
    (ScalarFn::Sin, f64::sin, [1.6, 1.6]),
    (ScalarFn::Cos, f64::cos, [1.6, 1.6]),
    (ScalarFn::Tanh, f64::tanh, [1.9, 2.0]),
    (ScalarFn::Sigmoid, |x| if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }, [1.7, 1.9]),
    (ScalarFn::Softplus, |x| if x < 0.0 { x.exp().ln_1p() } else { x + (-x).exp().ln_1p() }, [1.8, 2.1]),
    (ScalarFn::Erf, sample::erf, [1.1, 1.1]),
    (ScalarFn::Asin, f64::asin, [0.6, 0.6]),
    (ScalarFn::Acos, f64::acos, [0.6, 0.6]),
    (ScalarFn::Atan, f64::atan, [0.6, 0.6]),
    (ScalarFn::Sinh, f64::sinh, [0.6, 0.6]),
    (ScalarFn::Cosh, f64::cosh, [0.6, 0.6]),
];

/// Every 997th bit pattern, the edges, and the floats next to them.
fn floats() -> Vec<f32> {
    let edges = [
        0.0,
        f32::MIN_POSITIVE,
        1e-45,
        1.0,
        0.5,
        0.6,
        0.92,
        2.0,
        4.0,
        9.1,
        std::f32::consts::FRAC_1_SQRT_2,
        std::f32::consts::SQRT_2,
        std::f32::consts::PI,
        87.336_55,
        88.722_84,
        103.972_08,
        127.5,
        128.0,
        149.0,
        150.0,
        131_072.0,
        1.8e19,
        f32::MAX,
        f32::INFINITY,
    ];
    let near = |x: f32| (-3..=3).map(move |d| f32::from_bits(x.to_bits().wrapping_add_signed(d)));
    let both = |x: f32| [x, -x];
    edges.into_iter().flat_map(near).flat_map(both).chain((0..=u32::MAX).step_by(997).map(f32::from_bits)).collect()
}

/// The distance from the exact value in units of the last place of f32, `None` where the kind of number differs.
fn distance(found: f32, exact: f64) -> Option<f64> {
    let rounded = exact as f32;
    if found.is_nan() || exact.is_nan() {
        return (found.is_nan() && exact.is_nan()).then_some(0.0);
    }
    if found == rounded {
        // A zero keeps its sign.
        let same = found != 0.0 || exact != 0.0 || found.is_sign_positive() == exact.is_sign_positive();
        return same.then(|| if found.is_finite() { (f64::from(found) - exact).abs() / unit(found) } else { 0.0 });
    }
    let finite = |x: f32| if x.is_infinite() { 2f64.powi(128).copysign(f64::from(x)) } else { f64::from(x) };
    let exact = if rounded.is_infinite() { finite(rounded) } else { exact };
    Some((finite(found) - exact).abs() / unit(rounded))
}

fn unit(x: f32) -> f64 {
    let exponent = (x.abs().min(f32::MAX).to_bits() >> 23).max(1);
    2f64.powi(exponent as i32 - 150)
}

#[test]
fn polynomials_are_within_their_bounds() {
    let xs = floats();
    let mut ys = vec![0f32; xs.len()];
    for &(f, exact, bounds) in ROWS {
        for level in Level::ALL.into_iter().filter(|l| l.is_available()) {
            let kernel = tile(f, DType::F32, level).unwrap();
            let none = std::ptr::null();
            // SAFETY: both hold as many floats as there are, and the level is available.
            unsafe { kernel(ys.as_mut_ptr().cast(), xs.as_ptr().cast(), none, none, xs.len()) };
            let fused = level > Level::Baseline || cfg!(target_arch = "aarch64");
            let bound = bounds[usize::from(!fused)];
            for (&x, &y) in xs.iter().zip(&ys) {
                let exact = exact(f64::from(x));
                let found = distance(y, exact);
                assert!(
                    found.is_some_and(|d| d <= bound),
                    "{f:?} {level:?} of {x:e}: {y:e}, not {exact:e} ({found:?})"
                );
            }
        }
    }
}

/// A function of two numbers, likewise.
type Pair = (ScalarFn, fn(f64, f64) -> f64);

/// On pairs of a sparser sample.
const PAIRS: &[Pair] = &[(ScalarFn::Pow, f64::powf), (ScalarFn::Atan2, f64::atan2)];

#[test]
fn functions_of_pairs_are_within_their_bound() {
    // Numbers of all sizes, and small ones, whose powers are numbers; whole ones and their neighbours among them.
    let small = (-40..=40).flat_map(|i| [i as f32, i as f32 * 0.3, (i as f32).next_up(), 1.0 + i as f32 * 1e-4]);
    let edges = [0.0, 1.0, 3.0, 1e-45, 16_777_215.0, 16_777_217.0, 33_554_434.0, f32::MAX, f32::INFINITY, f32::NAN];
    let edges = edges.into_iter().flat_map(|x: f32| [x, -x]);
    let xs: Vec<f32> = floats().into_iter().step_by(9973).chain(small).chain(edges).collect();
    let pairs: Vec<(f32, f32)> = xs.iter().flat_map(|&a| xs.iter().map(move |&b| (a, b))).collect();
    let (a, b): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
    let mut ys = vec![0f32; pairs.len()];
    for &(f, exact) in PAIRS {
        for level in Level::ALL.into_iter().filter(|l| l.is_available()) {
            let kernel = tile(f, DType::F32, level).unwrap();
            let none = std::ptr::null();
            // SAFETY: all hold as many floats as there are pairs, and the level is available.
            unsafe { kernel(ys.as_mut_ptr().cast(), a.as_ptr().cast(), b.as_ptr().cast(), none, pairs.len()) };
            for (&(a, b), &y) in pairs.iter().zip(&ys) {
                let exact = exact(f64::from(a), f64::from(b));
                let found = distance(y, exact);
                assert!(found.is_some_and(|d| d <= 0.6), "{f:?} {level:?} of {a:e}, {b:e}: {y:e}, not {exact:e}");
            }
        }
    }
}

/// ns per element on a tile that stays in the first cache:
/// `cargo test --release -p wengert-tensor speed_of -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn speed_of_every_tile_function() {
    const N: usize = 512;
    let level = crate::kernels::level::level();
    for &f in ScalarFn::ALL {
        for dtype in DType::ALL {
            let Some(kernel) = tile(f, dtype, level) else { continue };
            let source = sample::tame(if f == ScalarFn::Select { DType::Bool } else { dtype }, N);
            let (a, b) = (source.as_ptr(), sample::tame(dtype, N));
            let mut out = vec![0u8; N * 8];
            let mut best = f64::INFINITY;
            for _ in 0..2000 {
                let start = std::time::Instant::now();
                for _ in 0..8 {
                    // SAFETY: the operands and the result have N elements each, and the level is in use.
                    unsafe { kernel(out.as_mut_ptr(), a, b.as_ptr(), b.as_ptr(), N) };
                }
                best = best.min(start.elapsed().as_nanos() as f64 / (8 * N) as f64);
            }
            println!("{:12} {dtype:?}  {best:.3} ns", f.name());
        }
    }
}
