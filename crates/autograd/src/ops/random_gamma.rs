//! `gamma`: random numbers of the gamma distribution, and how they move with its shape.
//!
//! p(z; α) = z^(α−1) e^(−z) / Γ(α). By the method of Marsaglia and Tsang (2000); element i is a function of (key, stream, i) and αᵢ alone.
//!
//! * operands: the key, a rank-0 i64; and the shapes α > 0, f32 or f64
//! * shape, dtype: those of α
//! * derivative: by implicit reparameterisation (Figurnov et al. 2018), dz/dα = −(∂P/∂α) / p with the distribution function P(z; α),
//!   whatever the method of drawing, to any order

use crate::batch::{Batch, Randomness};
use crate::class::Class;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::views;
use crate::meta::{Meta, operands};
use crate::ops::random::key;
use crate::reals::{each, reals};
use crate::sample::{Accuracy, Entry, Sample};
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

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Composite
    }

    fn pullback<'t>(&self, i: usize, x: &[Var<'t>], y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        let alpha = *x.get(i).filter(|_| i == 1)?;
        Some(ct.mul_masked(-alpha.gamma_slope(y, 1)))
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
        each([alpha], out, |i, [alpha]| {
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
    ]
}
