//! Random numbers have the distributions that they claim, and their slopes are those of the distributions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use wengert_autograd::{Draws, Randomness, Tape, Var, Vmap};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::random::Key;
use wengert_tensor::tensor::Tensor;

const COUNT: usize = 40_000;

/// Mean and variance of many draws, against what they should be: within five standard errors.
fn moments(name: &str, mean: f64, variance: f64, draw: impl for<'t> Fn(&Draws<'t>, &'t Tape) -> Var<'t>) {
    let tape = Tape::with_key(17);
    let x = draw(&tape.random(), &tape).value().unwrap().to_f64_vec();
    let n = x.len() as f64;
    let found = x.iter().sum::<f64>() / n;
    let spread = x.iter().map(|x| (x - found).powi(2)).sum::<f64>() / n;
    let error = 5.0 * (variance / n).sqrt();
    assert!((found - mean).abs() < error, "{name}: a mean of {found}, not {mean}");
    assert!((spread / variance - 1.0).abs() < 0.12, "{name}: a variance of {spread}, not {variance}");
}

fn filled(tape: &Tape, value: f64) -> Var<'_> {
    tape.full([COUNT], value, DType::F64)
}

#[test]
fn means_and_variances() {
    moments("uniform", 0.5, 1.0 / 12.0, |d, _| d.uniform([COUNT], DType::F32));
    moments("normal", 0.0, 1.0, |d, _| d.normal([COUNT], DType::F64));
    moments("exponential", 1.0, 1.0, |d, _| d.exponential([COUNT], DType::F64));
    moments("laplace", 0.0, 2.0, |d, _| d.laplace([COUNT], DType::F64));
    moments("gumbel", 0.577_215_664_9, 1.644_934, |d, _| d.gumbel([COUNT], DType::F64));
    moments("integers", 1.0, 4.0, |d, _| d.integers([COUNT], -2, 5).cast(DType::F64));
    moments("bernoulli", 0.3, 0.21, |d, tape| d.bernoulli(filled(tape, 0.3)).cast(DType::F64));
    // Within ±1: 1 − 2φ(1) / (2Φ(1) − 1).
    moments("truncated", 0.0, 0.291_125, |d, tape| d.truncated_normal(filled(tape, -1.0), filled(tape, 1.0)));
    // By quadrature: far out, on either side, and where the normal distribution itself has underflown.
    for (low, high, mean, variance) in [(10.0, 11.0, 10.098_068, 0.009_420_8), (40.0, 50.0, 40.024_968_8, 6.226_7e-4)] {
        moments("upper tail", mean, variance, |d, tape| d.truncated_normal(filled(tape, low), filled(tape, high)));
        moments("lower tail", -mean, variance, |d, tape| d.truncated_normal(filled(tape, -high), filled(tape, -low)));
    }
    for alpha in [0.2, 1.0, 3.5, 40.0] {
        moments("gamma", alpha, alpha, |d, tape| d.gamma(filled(tape, alpha)));
    }
    for rate in [0.4, 6.0, 15.0, 400.0] {
        moments("poisson", rate, rate, |d, tape| d.poisson(filled(tape, rate)).cast(DType::F64));
    }
    let (a, b) = (2.0, 5.0);
    let variance = a * b / ((a + b) * (a + b) * (a + b + 1.0));
    moments("beta", a / (a + b), variance, |d, tape| d.beta(filled(tape, a), filled(tape, b)));
}

#[test]
fn categories_come_as_often_as_their_probability() -> Result<()> {
    let tape = Tape::with_key(3);
    let logits = tape.input(&Tensor::from([0.1f64.ln(), 0.6f64.ln(), 0.3f64.ln()])).broadcast_to([COUNT, 3]);
    let found = tape.random().categorical(logits, -1).value()?.to_vec::<i64>()?;
    for (class, p) in [0.1, 0.6, 0.3].into_iter().enumerate() {
        let share = found.iter().filter(|&&c| c == class as i64).count() as f64 / COUNT as f64;
        assert!((share - p).abs() < 0.015, "{class}: {share}");
    }
    Ok(())
}

/// E z = α and E z² = α + α², so the slopes of the means are 1 and 1 + 2α.
#[test]
fn slopes_of_gamma_draws() -> Result<()> {
    for alpha in [0.3, 1.0, 4.0, 50.0] {
        let tape = Tape::with_key(5);
        let a = tape.input(&Tensor::from(alpha));
        let z = tape.random().gamma(a.broadcast_to([COUNT]));
        let [first, second] = [z.mean(), z.square().mean()].map(|mean| tape.grad(mean, a));
        let (first, second) = (first.item::<f64>()?, second.item::<f64>()?);
        assert!((first - 1.0).abs() < 0.05, "{alpha}: {first}");
        assert!((second / (1.0 + 2.0 * alpha) - 1.0).abs() < 0.1, "{alpha}: {second}");
    }
    Ok(())
}

#[test]
fn keys_say_what_is_drawn() -> Result<()> {
    let draw = |key: Key| {
        let tape = Tape::new();
        let draws = tape.random_from(key);
        let values = [draws.normal([3], DType::F64), draws.gamma(tape.full([3], 2.0, DType::F64))];
        tape.eval(values).map(|[a, b]| [a.to_f64_vec(), b.to_f64_vec()].concat())
    };
    let key = Key::new(9);
    assert_eq!(draw(key)?, draw(key)?);
    let (left, right) = key.split();
    let all = [key, left, right, key.fold(1), key.fold(2)].map(|key| draw(key).unwrap());
    for (i, a) in all.iter().enumerate() {
        assert!(all[..i].iter().all(|b| a.iter().zip(b).all(|(a, b)| a != b)));
    }
    // Examples draw for themselves, or all the same.
    for (randomness, same) in [(Randomness::Different, false), (Randomness::Same, true)] {
        let tape = Tape::with_key(1);
        let alpha = tape.input(&Tensor::from([[2.0f64, 2.0], [2.0, 2.0]]));
        let batch = Vmap::new().randomness(randomness);
        let z = batch.call(&tape, alpha, |alpha| tape.random().gamma(alpha)).value()?.to_vec::<f64>()?;
        assert_eq!(z[..2] == z[2..], same);
        assert!(z[0] != z[1]);
    }
    Ok(())
}

#[test]
fn misuse_says_what_is_wrong() {
    let say = |f: &dyn for<'t> Fn(&'t Tape) -> Var<'t>, tape: Tape| f(&tape).value().unwrap_err().to_string();
    let begins = |text: String, with: &str| assert!(text.starts_with(with), "{text}");
    begins(say(&|tape| tape.random().permutation(3), Tape::new()), "permutation: this tape has no random key");
    begins(
        say(&|tape| tape.random().gamma(tape.full([2], -1.0, DType::F64)), Tape::with_key(1)),
        "gamma: a shape of -1 at element 0",
    );
    begins(
        say(&|tape| tape.random().poisson(tape.full([2], f64::NAN, DType::F32)), Tape::with_key(1)),
        "poisson: a rate of NaN at element 0",
    );
    begins(
        say(&|tape| tape.random().bernoulli(tape.full([2], 1.0, DType::I64)), Tape::with_key(1)),
        "bernoulli: computes in f32 and f64, not i64",
    );
    begins(say(&|tape| tape.random().integers([2], 3, 3), Tape::with_key(1)), "integers: a range from 3 to below 3");
}
