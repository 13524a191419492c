//! Modified Bessel functions of the first kind, scaled, in f64. Those of f32 round them once.

use std::f64::consts::PI;

/// Where the asymptotic series has all digits, and the power series still has few terms.
const FAR: f64 = 20.0;

/// e^(−|x|) I₀(x)
pub(crate) fn i0e(x: f64) -> f64 {
    scaled(0.0, x.abs())
}

/// e^(−|x|) I₁(x)
pub(crate) fn i1e(x: f64) -> f64 {
    let size = x.abs();
    let value = if size < FAR { scaled(1.0, size) * size / 2.0 } else { scaled(1.0, size) };
    value.copysign(x)
}

/// e⁻ˣ Iₙ(x) for n = 0, 1; without the factor x / 2 of n = 1 where x < [`FAR`].
fn scaled(n: f64, x: f64) -> f64 {
    let (mut term, mut sum, mut k) = (1.0, 1.0, 0.0);
    if x < FAR {
        // (x/2)ⁿ Σ (x²/4)ᵏ / (k! (k + n)!), all of one sign
        let quarter = x * x / 4.0;
        while term > 1e-17 * sum {
            k += 1.0;
            term *= quarter / (k * (k + n));
            sum += term;
        }
        return sum * (-x).exp();
    }
    if x == f64::INFINITY {
        return 0.0;
    }
    // 1/√(2πx) Σ (1 − 4n²)(9 − 4n²)…((2k−1)² − 4n²) / (k! (8x)ᵏ)
    while f64::abs(term) > 1e-17 {
        k += 1.0;
        term *= ((2.0 * k - 1.0).powi(2) - 4.0 * n * n) / (8.0 * x * k);
        sum += term;
    }
    sum / (2.0 * PI * x).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// x, and both functions by mpmath with 50 digits.
    #[test]
    fn values_are_those_of_mpmath() {
        let values = [
            [0.0, 1.0, 0.0],
            [1e-300, 1.0, 5e-301],
            [1e-08, 0.9999999900000001, 4.99999995e-09],
            [0.5, 0.6450352704491501, 0.1564208031848717],
            [-3.0, 0.2430003541618254, -0.19682671329730086],
            [12.0, 0.11642622121344044, 0.11146429929018098],
            [19.999, 0.08978258606096536, 0.08750832348017847],
            [20.0, 0.08978031188482602, 0.08750622218328867],
            [25.0, 0.0801967735474367, 0.07857611331929278],
            [-100.0, 0.03994437929909668, -0.03974415302513025],
            [100000.0, 0.0012615678379767768, 0.0012615615301218171],
            [1e+300, 3.9894228040143264e-151, 3.9894228040143264e-151],
        ];
        for [x, zero, one] in values {
            let near = |found: f64, wanted: f64| (found - wanted).abs() <= 8.0 * f64::EPSILON * wanted.abs();
            assert!(near(i0e(x), zero) && near(i1e(x), one), "{x}: {:e} {:e}", i0e(x), i1e(x));
        }
        assert!(i0e(f64::NAN).is_nan() && i1e(f64::NAN).is_nan());
        assert_eq!([i0e(f64::INFINITY), i1e(f64::NEG_INFINITY)], [0.0, 0.0]);
    }
}
