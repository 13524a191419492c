//! `gamma_slope`: how the gamma distribution moves with its shape, as seen from one of its numbers.
//!
//! y = (∂ⁿP/∂αⁿ) / p, where P(α, z) is the distribution function and p = z^(α−1) e^(−z) / Γ(α) its density. By the series of P where z is
//! small, and by the continued fraction of 1 − P where it is large, in polynomials of the shape's increment, cut off behind order n.
//!
//! * operands: the shapes α > 0 and the numbers z ≥ 0, f32 or f64
//! * shape, dtype: those of both
//! * derivative: ∂y/∂α is the next order less y (ln z − ψ(α)), and ∂y/∂z is (∂ⁿp/∂αⁿ) / p less y ((α − 1) / z − 1)

use crate::batch::Batch;
use crate::class::Class;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::views;
use crate::meta::{Meta, operands};
use crate::reals::{each, reals};
use crate::sample::{Accuracy, Entry, Sample};
use smallvec::{SmallVec, smallvec};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::math::special::{digamma, polygamma};
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::tensor::Tensor;

/// The op; its operands are α and z.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct GammaSlope {
    /// How often P is differentiated, from 1 on.
    pub order: u32,
}

impl<'t> Var<'t> {
    /// (∂ⁿP/∂αⁿ) / p of the gamma distributions with these shapes, at the numbers z.
    #[track_caller]
    pub(crate) fn gamma_slope(self, z: Var<'t>, order: u32) -> Var<'t> {
        let real = if self.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
        self.tape.record(GammaSlope { order }, &[self.cast(real), z.cast(real)]).cast(self.dtype())
    }
}

impl Op for GammaSlope {
    fn name(&self) -> &'static str {
        "gamma_slope"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["shape", "number"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [alpha, z] = operands(inputs)?;
        reals(alpha)?;
        match (alpha == z, self.order) {
            (_, 0) => Err(Error::value("the order 0").help("it is 1 or more")),
            (true, _) => Ok(alpha.clone()),
            (false, _) => Err(Error::shape(format!("{z} for the shapes {alpha}"))),
        }
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
        let (alpha, z) = (*x.first()?, *x.get(1)?);
        let logarithm = z.log() - alpha.digamma();
        let slope = match i {
            0 => alpha.gamma_slope(z, self.order + 1) - y * logarithm,
            _ => {
                // (∂ᵏp/∂αᵏ) / p from that of all lower orders: the complete Bell polynomials of the derivatives of ln p.
                let derivative = |n: u32| if n == 1 { logarithm } else { -alpha.polygamma(n - 1) };
                let mut ratios = vec![alpha.filled(1.0)];
                for k in 0..self.order {
                    let terms = (0..=k).zip(ratios.iter().rev());
                    let terms = terms.map(|(j, ratio)| (derivative(j + 1) * *ratio).scaled(binomial(k, j)));
                    ratios.push(terms.reduce(|sum, term| sum + term)?);
                }
                *ratios.last()? - y * (alpha.shifted(-1.0) / z).shifted(-1.0)
            }
        };
        Some(ct.mul_masked(slope))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(GammaSlope { order: self.order })
    }
}

/// k over j.
fn binomial(k: u32, j: u32) -> f64 {
    (0..j).fold(1.0, |product, i| product * f64::from(k - i) / f64::from(i + 1))
}

impl Kernel for GammaSlope {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        each(views::<2>(inputs)?, out, |_, [alpha, z]| Ok(slope(alpha, z, self.order as usize)))
    }
}

/// A polynomial of the increment of α, cut off.
#[derive(Clone)]
struct Jet(SmallVec<[f64; 4]>);

impl Jet {
    fn new(order: usize, value: f64, slope: f64) -> Jet {
        let mut terms: SmallVec<[f64; 4]> = smallvec![0.0; order + 1];
        terms.iter_mut().zip([value, slope]).for_each(|(term, value)| *term = value);
        Jet(terms)
    }

    fn at(&self, k: usize) -> f64 {
        self.0.get(k).copied().unwrap_or(0.0)
    }

    /// Each term from those before it.
    fn build(&self, term: impl Fn(usize, &Jet) -> f64) -> Jet {
        let mut result = Jet(SmallVec::new());
        for k in 0..self.0.len() {
            let next = term(k, &result);
            result.0.push(next);
        }
        result
    }

    fn plus(&self, b: &Jet) -> Jet {
        self.build(|k, _| self.at(k) + b.at(k))
    }

    fn times(&self, b: &Jet) -> Jet {
        self.build(|k, _| (0..=k).map(|j| self.at(j) * b.at(k - j)).sum())
    }

    fn over(&self, b: &Jet) -> Jet {
        self.build(|k, quotient| (self.at(k) - (0..k).map(|j| quotient.at(j) * b.at(k - j)).sum::<f64>()) / b.at(0))
    }

    /// The exponential of a polynomial without constant term.
    fn exp(&self) -> Jet {
        self.build(|k, power| match k {
            0 => 1.0,
            _ => (1..=k).map(|j| j as f64 * self.at(j) * power.at(k - j)).sum::<f64>() / k as f64,
        })
    }

    /// Whether adding this changes nothing of any term of `sum`.
    fn vanishes(&self, sum: &Jet) -> bool {
        self.0.iter().zip(&sum.0).all(|(term, sum)| term.abs() <= 1e-17 * sum.abs())
    }
}

/// (∂ⁿP/∂αⁿ) / p for n = `order`.
fn slope(alpha: f64, z: f64, order: usize) -> f64 {
    const TURNS: usize = 100_000;
    if z == 0.0 {
        return 0.0;
    }
    if !(alpha > 0.0 && alpha.is_finite() && z > 0.0 && z.is_finite()) {
        return f64::NAN;
    }
    let constant = |value: f64| Jet::new(order, value, 0.0);
    let variable = |value: f64, slope: f64| Jet::new(order, value, slope);
    let factorials = |k: usize| (1..=k).map(|i| i as f64).product::<f64>();
    // p(α + t) / p(α)
    let exponent = constant(0.0).build(|k, _| match k {
        0 => 0.0,
        1 => z.ln() - digamma(alpha),
        _ => -polygamma(k as f64 - 1.0, alpha) / factorials(k),
    });
    let density = exponent.exp();
    let nth = |jet: Jet| jet.at(order) * factorials(order);
    if z < alpha + 1.0 {
        // P = p · z/α · Σ zⁿ / ((α+1)…(α+n))
        let (mut term, mut sum) = (constant(1.0), constant(1.0));
        for n in 1..TURNS {
            term = term.times(&constant(z).over(&variable(alpha + n as f64, 1.0)));
            sum = sum.plus(&term);
            if term.vanishes(&sum) {
                break;
            }
        }
        return nth(density.times(&sum).times(&constant(z).over(&variable(alpha, 1.0))));
    }
    // 1 − P = p · z · h, by the method of Lentz.
    let mut b = variable(z + 1.0 - alpha, -1.0);
    let mut c = constant(1e300);
    let mut d = constant(1.0).over(&b);
    let mut h = d.clone();
    for i in 1..TURNS {
        let i = i as f64;
        let a = variable(-i * (i - alpha), i);
        b = b.plus(&constant(2.0));
        d = constant(1.0).over(&a.times(&d).plus(&b));
        c = b.plus(&a.over(&c));
        let step = c.times(&d);
        let next = h.times(&step);
        let change = h.build(|k, _| next.at(k) - h.at(k));
        h = next;
        if change.vanishes(&h) || change.0.iter().zip(&h.0).all(|(change, h)| change.abs() <= 2e-16 * h.abs()) {
            break;
        }
    }
    -nth(density.times(&h)) * z
}

pub(super) fn entries() -> Vec<Entry> {
    let alpha = || Tensor::from([0.1f64, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0]);
    let z = || Tensor::from([0.02f64, 0.3, 2.0, 1.5, 12.0, 55.0, 310.0]);
    vec![
        Entry::new(
            "gamma_slope",
            "gamma_slope.rs",
            vec![
                Sample::new("as JAX gives it", [alpha(), z()], |_, x| -x[0].gamma_slope(x[1], 1)).kinked().gives([
                    0.7138139571438243,
                    1.0098019459488552,
                    1.6316914623496994,
                    0.8177936859539093,
                    1.112329443018088,
                    0.9597873477236143,
                    1.0170493918351133,
                ]),
                Sample::new("smooth", [Tensor::from([0.7f64, 2.5, 4.0]), Tensor::from([0.5f64, 1.5, 7.0])], |_, x| {
                    x[0].gamma_slope(x[1], 1)
                }),
                Sample::new("twice", [Tensor::from([0.7f64, 2.5]), Tensor::from([2.1f64, 1.5])], |_, x| {
                    x[0].gamma_slope(x[1], 2)
                }),
            ],
        )
        .accuracy(Accuracy::Stated("1e-12 of the slope, computed in f64")),
    ]
}
