//! Floats by their parts: the exponent, powers of two.

/// The e with |a| = m · 2ᵉ and ½ ≤ m < 1, as C's `frexp`; 0 for 0, ±∞ and NaN.
pub(crate) fn exponent(a: f64) -> f64 {
    if a == 0.0 || !a.is_finite() {
        return 0.0;
    }
    f64::from(libm::ilogb(a) + 1)
}

/// a · 2ⁿ, rounded once; n is rounded toward zero, and NaN stays NaN.
pub(crate) fn ldexp(a: f64, n: f64) -> f64 {
    if n.is_nan() {
        return n;
    }
    libm::scalbn(a, n as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_make_the_number_again() {
        for a in [1.0, -0.75, 5e-324, 1e-310, f64::MAX, 3.0, 2f64.powi(-1022)] {
            let e = exponent(a);
            let m = ldexp(a, -e);
            assert!((0.5..1.0).contains(&m.abs()) && ldexp(m, e) == a, "{a}: {m} {e}");
        }
        assert_eq!(
            [exponent(0.0), exponent(f64::INFINITY), ldexp(1.0, 1e9), ldexp(1.0, -1e9)],
            [0.0, 0.0, f64::INFINITY, 0.0]
        );
        assert!(ldexp(1.0, f64::NAN).is_nan());
    }
}
