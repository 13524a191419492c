//! `gamma`: random numbers of the gamma distribution, and how they move with its shape.
//!
//! p(z; α) = z^(α−1) e^(−z) / Γ(α). By the method of Marsaglia and Tsang (2000); element i is a function of (key, stream, i) and αᵢ alone.
//!
//! * operands: the key, a rank-0 i64; and the shapes α > 0, f32 or f64
//! * shape, dtype: those of α
//! * derivative: by implicit reparameterisation (Figurnov et al. 2018), dz/dα = −(∂P/∂α) / p with the distribution function P(z; α),
//!   whatever the method of drawing. The slope itself is taken as constant: there is no second derivative.

use crate::batch::{Batch, Randomness};
use crate::class::Class;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::views;
use crate::meta::{Meta, operands};
use crate::reals::reals;
use crate::sample::{Accuracy, Entry, Sample};
use std::ops::{Add, Div, Mul};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::random::{Key, normal_f64, uniform_f64};
use wengert_tensor::tensor::Tensor;

/// Draws; the operands are the key and the shapes.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct RandomGamma {
    /// Which stream of the key.
    pub stream: u64,
    /// After so many elements the same numbers come again: those of one example.
    pub period: Option<usize>,
}

/// dz/dα; the operands are α, z and the digamma function of α.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct GammaSlope;

/// Runs `f` over the elements of a result, with those of one operand.
pub(super) fn each(
    x: TensorView<'_>,
    out: &mut TensorViewMut<'_>,
    f: impl Fn(usize, f64) -> Result<f64>,
) -> Result<()> {
    match x.dtype() {
        DType::F32 => {
            for (i, (&x, to)) in x.as_slice::<f32>()?.iter().zip(out.as_mut_slice::<f32>()?).enumerate() {
                *to = f(i, f64::from(x))? as f32;
            }
        }
        _ => {
            for (i, (&x, to)) in x.as_slice::<f64>()?.iter().zip(out.as_mut_slice::<f64>()?).enumerate() {
                *to = f(i, x)?;
            }
        }
    }
    Ok(())
}

/// The key of a random op, as its kernel reads it.
pub(super) fn key(view: TensorView<'_>, stream: u64) -> Result<Key> {
    let bits = view.as_slice::<i64>()?.first().copied().ok_or_else(|| Error::state("a random op without a key"))?;
    Ok(Key(bits as u64).fold(stream))
}

impl Op for RandomGamma {
    fn name(&self) -> &'static str {
        "gamma"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["key", "shape"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [_key, alpha] = operands(inputs)?;
        reals(alpha)?;
        Ok(alpha.clone())
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Composite
    }

    fn pullback<'t>(&self, i: usize, x: &[Var<'t>], y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        let alpha = *x.get(i).filter(|_| i == 1)?;
        Some(ct.mul_masked(ct.tape.record(GammaSlope, &[alpha, y, alpha.digamma()])))
    }

    fn key(&self) -> Option<usize> {
        Some(0)
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        let (key, alpha) = (x.operand(0)?.0, x.mapped(1)?);
        let period = match x.randomness() {
            Randomness::Different => self.period,
            Randomness::Same => Some(self.period.unwrap_or(alpha.len() / x.size().max(1))),
        };
        Some(x.tape().record(RandomGamma { stream: self.stream, period }, &[key, alpha]))
    }
}

impl Kernel for RandomGamma {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [bits, alpha] = views(inputs)?;
        let key = key(bits, self.stream)?;
        each(alpha, out, |i, alpha| {
            if alpha.is_nan() || alpha <= 0.0 || alpha.is_infinite() {
                return Err(Error::value(format!("a shape of {alpha} at element {i}")).help("it is a positive number"));
            }
            let i = self.period.map_or(i, |period| i % period.max(1));
            Ok(draw(key.fold(i as u64), alpha))
        })
    }
}

/// One number for one key.
fn draw(key: Key, alpha: f64) -> f64 {
    let (normals, uniforms) = key.split();
    // Below 1: a draw for α + 1, times u^(1/α).
    let (shape, factor) = match alpha < 1.0 {
        true => (alpha + 1.0, (1.0 - uniform_f64(uniforms, 0)).powf(1.0 / alpha)),
        false => (alpha, 1.0),
    };
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    for turn in 1u64.. {
        let x = normal_f64(normals, turn);
        let v = 1.0 + c * x;
        if v <= 0.0 {
            continue;
        }
        let v = v * v * v;
        let u = 1.0 - uniform_f64(uniforms, turn);
        if u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return (d * v * factor).max(f64::MIN_POSITIVE);
        }
    }
    d
}

impl Op for GammaSlope {
    fn name(&self) -> &'static str {
        "gamma_slope"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["shape", "draw", "digamma"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [alpha, z, digamma] = operands(inputs)?;
        reals(alpha)?;
        match alpha == z && z == digamma {
            true => Ok(alpha.clone()),
            false => Err(Error::shape(format!("{z} for the shapes {alpha}"))),
        }
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Flat("the slope of a draw is taken as constant")
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(GammaSlope)
    }
}

impl Kernel for GammaSlope {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [alpha, z, digamma] = views(inputs)?;
        let at = |view: TensorView<'_>, i: usize| -> Result<f64> {
            Ok(match view.dtype() {
                DType::F32 => view.as_slice::<f32>()?.get(i).copied().map_or(f64::NAN, f64::from),
                _ => view.as_slice::<f64>()?.get(i).copied().unwrap_or(f64::NAN),
            })
        };
        each(alpha, out, |i, alpha| Ok(slope(alpha, at(z, i)?, at(digamma, i)?)))
    }
}

/// A number and its derivative by α.
#[derive(Clone, Copy)]
struct Dual(f64, f64);

impl Add for Dual {
    type Output = Dual;
    fn add(self, b: Dual) -> Dual {
        Dual(self.0 + b.0, self.1 + b.1)
    }
}

impl Mul for Dual {
    type Output = Dual;
    fn mul(self, b: Dual) -> Dual {
        Dual(self.0 * b.0, self.0 * b.1 + self.1 * b.0)
    }
}

impl Div for Dual {
    type Output = Dual;
    fn div(self, b: Dual) -> Dual {
        let quotient = self.0 / b.0;
        Dual(quotient, (self.1 - quotient * b.1) / b.0)
    }
}

/// −(∂P/∂α) / p, by the series of P where z is small, and by the continued fraction of 1 − P where it is large.
fn slope(alpha: f64, z: f64, digamma: f64) -> f64 {
    const TURNS: usize = 100_000;
    if z < alpha + 1.0 {
        // P = p · z/α · Σ zⁿ / ((α+1)…(α+n))
        let (mut term, mut sum) = (Dual(1.0, 0.0), Dual(1.0, 0.0));
        for n in 1..TURNS {
            term = term * (Dual(z, 0.0) / Dual(alpha + n as f64, 1.0));
            sum = sum + term;
            if term.0 <= 1e-17 * sum.0 && term.1.abs() <= 1e-17 * sum.1.abs() {
                break;
            }
        }
        return -(z / alpha) * (sum.0 * (z.ln() - digamma - 1.0 / alpha) + sum.1);
    }
    // 1 − P = p · z · h, by the method of Lentz.
    let mut b = Dual(z + 1.0 - alpha, -1.0);
    let mut c = Dual(1e300, 0.0);
    let mut d = Dual(1.0, 0.0) / b;
    let mut h = d;
    for i in 1..TURNS {
        let i = i as f64;
        let a = Dual(-i * (i - alpha), i);
        b = b + Dual(2.0, 0.0);
        d = Dual(1.0, 0.0) / (a * d + b);
        c = b + a / c;
        let step = c * d;
        h = h * step;
        if (step.0 - 1.0).abs() <= 1e-16 && step.1.abs() <= 1e-16 * (h.1 / h.0).abs() {
            break;
        }
    }
    z * (h.0 * (z.ln() - digamma) + h.1)
}

pub(super) fn entries() -> Vec<Entry> {
    let alpha = || [Tensor::from([0.1f64, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0])];
    vec![
        Entry::new(
            "gamma",
            "random_gamma.rs",
            vec![
                // The slopes of these draws, as JAX gives them.
                Sample::new("f64", alpha(), |tape, x| tape.random_from(Key::new(1)).gamma(x[0])).kinked().slopes([
                    0.056229146365523605,
                    0.21902340405645027,
                    1.2551615054535066,
                    0.5671410302238722,
                    0.9672934078141735,
                    0.9901812709263182,
                    0.9406271021215716,
                ]),
                Sample::new("f32", [Tensor::from([[0.5f32, 2.0], [7.0, 1.0]])], |tape, x| {
                    tape.random_from(Key::new(1)).gamma(x[0])
                })
                .kinked(),
            ],
        )
        .accuracy(Accuracy::Stated("a draw: of the distribution, computed in f64")),
        Entry::new(
            "gamma_slope",
            "random_gamma.rs",
            vec![
                Sample::new("as JAX gives it", alpha(), |tape, x| {
                    let z = tape.input(&Tensor::from([0.02f64, 0.3, 2.0, 1.5, 12.0, 55.0, 310.0]));
                    tape.record(GammaSlope, &[x[0], z, x[0].digamma()]).stop_gradient()
                })
                .kinked()
                .gives([
                    0.7138139571438243,
                    1.0098019459488552,
                    1.6316914623496994,
                    0.8177936859539093,
                    1.112329443018088,
                    0.9597873477236143,
                    1.0170493918351133,
                ]),
            ],
        )
        .accuracy(Accuracy::Stated("1e-12 of the slope, computed in f64")),
    ]
}
