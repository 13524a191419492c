//! The functions of statistics and number theory that no instruction set makes faster, in f64. Those of f32 round them once.

use std::f64::consts::{FRAC_2_SQRT_PI, PI};

/// 1 − erf x, without cancellation.
pub(crate) fn erfc(x: f64) -> f64 {
    libm::erfc(x)
}

/// ln |Γ(x)|; +∞ at 0 and the negative integers.
pub fn lgamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// The x with erf x = y: a rational start (Giles 2012) and three steps of Halley's rule, on erfc where y is near ±1.
pub(crate) fn erfinv(y: f64) -> f64 {
    let p = y.abs();
    if p.is_nan() || p > 1.0 {
        return f64::NAN;
    }
    if p == 1.0 {
        return f64::INFINITY.copysign(y);
    }
    quantile(p, 1.0 - p).copysign(y)
}

/// The x with erfc x = q: ∓∞ at 2 and 0.
pub(crate) fn erfcinv(q: f64) -> f64 {
    // 1 − q is exact from ½ on.
    if q.is_nan() || !(0.0..0.5).contains(&q) {
        return erfinv(1.0 - q);
    }
    if q == 0.0 { f64::INFINITY } else { quantile(1.0 - q, q) }
}

/// The x ≥ 0 with erf x = p and erfc x = `tail`.
fn quantile(p: f64, tail: f64) -> f64 {
    let w = -(tail * (1.0 + p)).ln();
    if w > 36.0 {
        // Newton's rule for ln erfc, from the first terms of its expansion.
        let mut x = (w - 0.5 * (PI * w).ln()).sqrt();
        for _ in 0..4 {
            // e^(x²) erfc x, by its continued fraction
            let scaled = 1.0 / PI.sqrt() / (1..60).rev().fold(x, |f, k| x + f64::from(k) / 2.0 / f);
            x += (scaled.ln() - x * x - tail.ln()) * scaled / FRAC_2_SQRT_PI;
        }
        return x;
    }
    let polynomial = |w: f64, c: [f64; 9]| c.iter().fold(0.0, |sum, c| sum * w + c);
    let start = match w < 5.0 {
        true => polynomial(
            w - 2.5,
            [
                2.81022636e-08,
                3.43273939e-07,
                -3.5233877e-06,
                -4.39150654e-06,
                0.00021858087,
                -0.00125372503,
                -0.00417768164,
                0.246640727,
                1.50140941,
            ],
        ),
        false => polynomial(
            w.sqrt() - 3.0,
            [
                -0.000200214257,
                0.000100950558,
                0.00134934322,
                -0.00367342844,
                0.00573950773,
                -0.0076224613,
                0.00943887047,
                1.00167406,
                2.83297682,
            ],
        ),
    };
    let mut x = start * p;
    for _ in 0..3 {
        let error = if p > 0.5 { tail - erfc(x) } else { libm::erf(x) - p };
        let step = error / (FRAC_2_SQRT_PI * (-x * x).exp());
        if step.is_finite() {
            x -= step / (1.0 + x * step);
        }
    }
    x
}

/// The logarithmic derivative of Γ: ∓∞ at ±0, NaN at the negative integers.
pub fn digamma(x: f64) -> f64 {
    if x == 0.0 {
        return f64::NEG_INFINITY.copysign(-x);
    }
    if x < 0.0 {
        // ψ(x) = ψ(1 − x) − π / tan πx; the period of the tangent is taken off, and the difference to the nearest integer is exact.
        let part = x - x.round();
        return if part == 0.0 { f64::NAN } else { digamma(1.0 - x) - PI / (PI * part).tan() };
    }
    let (mut x, mut sum) = (x, 0.0);
    while x < 10.0 {
        sum -= 1.0 / x;
        x += 1.0;
    }
    // ln x − 1/2x − Σ B₂ₖ / 2k x²ᵏ
    let square = 1.0 / (x * x);
    let series = (0..8).rev().fold(0.0, |tail, k| (BERNOULLI[k] / (2.0 * k as f64 + 2.0) + tail) * square);
    sum + x.ln() - 0.5 / x - series
}

/// B₂, B₄, …, B₁₆.
const BERNOULLI: [f64; 8] =
    [1.0 / 6.0, -1.0 / 30.0, 1.0 / 42.0, -1.0 / 30.0, 5.0 / 66.0, -691.0 / 2730.0, 7.0 / 6.0, -3617.0 / 510.0];

/// The n-th derivative of ψ, for n = 0, 1, 2, …; NaN for other n and at the negative integers.
pub fn polygamma(n: f64, x: f64) -> f64 {
    if n == 0.0 {
        return digamma(x);
    }
    if !(n > 0.0 && n.fract() == 0.0) || (x < 0.0 && x.fract() == 0.0) {
        return f64::NAN;
    }
    // ψₙ(x) = (−1)ⁿ⁺¹ n! ζ(n + 1, x)
    let factorial: f64 = (1..=n.min(171.0) as u32).map(f64::from).product();
    let value = factorial * zeta(n + 1.0, x);
    if n % 2.0 == 0.0 { -value } else { value }
}

/// ζ(s, x) = Σ (x + k)⁻ˢ for k = 0, 1, 2, …, by Euler and Maclaurin far from 0. +∞ at s = 1 and at x = 0, −1, −2, …; NaN for s < 1,
/// and for x < 0 where s is no whole number.
pub(crate) fn zeta(s: f64, x: f64) -> f64 {
    if s.is_nan() || x.is_nan() || s < 1.0 {
        return f64::NAN;
    }
    if s == 1.0 || (x <= 0.0 && x.fract() == 0.0) {
        return if x == 0.0 && s % 2.0 == 1.0 { f64::INFINITY.copysign(x) } else { f64::INFINITY };
    }
    if x < 0.0 {
        // The bases below 0 are those of two sums from above it, with the sign of (−1)ˢ.
        let above = x - x.floor();
        return match s.fract() == 0.0 && x.is_finite() {
            true => {
                zeta(s, above) + (zeta(s, 1.0 - above) - zeta(s, 1.0 - x)) * if s % 2.0 == 0.0 { 1.0 } else { -1.0 }
            }
            false => f64::NAN,
        };
    }
    let (mut x, mut sum) = (x, 0.0);
    // The larger s is, the later the series begins to converge, and the sooner the sum itself has ended.
    while x < 12.0 + s {
        let term = x.powf(-s);
        sum += term;
        x += 1.0;
        if x > 1.0 && term * x <= 1e-18 * sum {
            return sum;
        }
    }
    if x == f64::INFINITY {
        return 0.0;
    }
    let mut term = s * x.powf(-s - 1.0);
    let mut tail = x.powf(1.0 - s) / (s - 1.0) + 0.5 * x.powf(-s);
    let mut factorial = 2.0;
    for (k, bernoulli) in BERNOULLI.iter().enumerate() {
        tail += bernoulli / factorial * term;
        let j = 2.0 * k as f64;
        term *= (s + j + 1.0) * (s + j + 2.0) / (x * x);
        factorial *= (j + 3.0) * (j + 4.0);
    }
    sum + tail
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, wanted: f64, tolerance: f64) {
        assert!((found - wanted).abs() <= tolerance * wanted.abs().max(1e-3), "{found:e} is not {wanted:e}");
    }

    /// Values of mpmath: beside a pole the distance to it is all there is.
    #[test]
    fn digamma_beside_its_poles() {
        near(digamma(-3.011090005688266e-5), 33209.987616985588, 1e-15);
        near(digamma(-1.0 + 1e-9), -1000000027.8591479, 1e-15);
    }

    /// Values of SciPy 1.17.
    #[test]
    fn values_are_those_of_scipy() {
        let x = [1e-3, 0.3, 1.0, 2.5, 10.5, 200.0, -0.5, -3.7];
        let log = [
            6.907178885383853,
            1.0957979948180756,
            0.0,
            0.2846828704729192,
            13.940625219403763,
            857.9336698258575,
            1.2655121234846454,
            -1.3797399049658245,
        ];
        let psi = [
            -1000.5755719318103,
            -3.502524222200133,
            -0.5772156649015329,
            0.7031566406452432,
            2.3030010342976865,
            5.295815283219911,
            0.03648997397857651,
            -0.8450768588704185,
        ];
        for ((x, log), psi) in x.into_iter().zip(log).zip(psi) {
            near(lgamma(x), log, 1e-14);
            near(digamma(x), psi, 1e-13);
        }
        let orders = [
            [
                1000001.6425331959,
                12.245364546107734,
                1.6449340668482266,
                0.4903577561002349,
                0.09991695605912673,
                0.005012520833229169,
            ],
            [
                -2000000002.3976321,
                -75.27253658872601,
                -2.404113806319188,
                -0.23620405164172736,
                -0.009975144247715168,
                -2.51253124973959e-05,
            ],
            [
                6000000000006.467,
                743.1417646550497,
                6.493939402266829,
                0.2239058488172521,
                0.001990086237144355,
                2.5188124992187766e-07,
            ],
        ];
        for (n, wanted) in orders.into_iter().enumerate() {
            for (x, wanted) in x.into_iter().zip(wanted) {
                near(polygamma(n as f64 + 1.0, x) / wanted, 1.0, 1e-13);
            }
        }
        let y = [0.0, 1e-8, 0.1, -0.5, 0.75, 0.999, -0.9999999];
        let inverse = [
            0.0,
            8.86226925452758e-09,
            0.08885599049425769,
            -0.4769362762044699,
            0.8134198475976184,
            2.326753765513524,
            -3.766562581638471,
        ];
        y.into_iter().zip(inverse).for_each(|(y, wanted)| near(erfinv(y), wanted, 1e-15));
        let z = [-2.0, 0.0, 0.5, 3.0, 10.0, 26.0];
        let complement = [
            1.9953222650189528,
            1.0,
            0.4795001221869535,
            2.2090496998585445e-05,
            2.0884875837625446e-45,
            5.663192408856145e-296,
        ];
        z.into_iter().zip(complement).for_each(|(z, wanted)| near(erfc(z) / wanted, 1.0, 1e-15));
    }

    /// s, x and ζ(s, x) by mpmath with 50 digits.
    #[test]
    fn zeta_values_are_those_of_mpmath() {
        let values = [
            [1.0001, 1.0, 10000.577222947539],
            [1.5, 0.3, 8.237761671459724],
            [2.0, 1.0, 1.6449340668482264],
            [2.5, 100.0, 0.0006716874994531716],
            [10.0, 12.0, 3.071428360112166e-11],
            [50.0, 12.0, 1.1194415577850898e-54],
            [50.0, 60.0, 2.21840771085429e-89],
            [300.0, 0.9, 53363851653770.68],
            [3.0, -2.5, 0.0541020258208637],
            [4.0, -0.3, 127.7699817365281],
        ];
        for [s, x, wanted] in values {
            near(zeta(s, x) / wanted, 1.0, 1e-14);
        }
        assert_eq!([zeta(1.0, 2.0), zeta(3.0, -2.0), zeta(2.0, f64::INFINITY)], [f64::INFINITY, f64::INFINITY, 0.0]);
        assert!(zeta(0.5, 1.0).is_nan() && zeta(2.5, -0.5).is_nan() && zeta(f64::NAN, 1.0).is_nan());
    }

    #[test]
    fn edges() {
        for x in [-0.3, 0.0, 0.4, 2.0, 5.9, 6.5, 12.0, 26.0] {
            assert!((erfcinv(erfc(x)) - x).abs() <= 1e-14 * f64::max(x.abs(), 1.0), "{x}");
        }
        assert_eq!([erfcinv(0.0), erfcinv(2.0)], [f64::INFINITY, f64::NEG_INFINITY]);
        assert!(erfcinv(-0.1).is_nan() && erfcinv(2.1).is_nan());
        assert_eq!(erfinv(1.0), f64::INFINITY);
        assert_eq!(erfinv(-1.0), f64::NEG_INFINITY);
        assert!(erfinv(1.5).is_nan() && erfinv(f64::NAN).is_nan());
        assert_eq!(digamma(0.0), f64::NEG_INFINITY);
        assert!(digamma(-2.0).is_nan() && polygamma(1.0, -2.0).is_nan() && polygamma(0.5, 1.0).is_nan());
        assert_eq!(lgamma(-2.0), f64::INFINITY);
        assert_eq!(polygamma(1.0, f64::INFINITY), 0.0);
        assert_eq!(digamma(f64::INFINITY), f64::INFINITY);
        // ψ₁(x) = ψ₁(x + 1) + 1/x², below 0, too.
        near(polygamma(1.0, -0.5), polygamma(1.0, 0.5) + 4.0, 1e-13);
        near(polygamma(2.0, -0.5), polygamma(2.0, 0.5) + 16.0, 1e-13);
    }
}
