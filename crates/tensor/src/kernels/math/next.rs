//! Floats by their parts: the next one, the exponent, powers of two.

/// The float next to `a` in the direction of `b`; `b` itself where they are equal.
pub(crate) fn after_f32(a: f32, b: f32) -> f32 {
    match a.partial_cmp(&b) {
        None => a + b,
        Some(std::cmp::Ordering::Less) => a.next_up(),
        Some(std::cmp::Ordering::Equal) => b,
        Some(std::cmp::Ordering::Greater) => a.next_down(),
    }
}

/// [`after_f32`] of f64.
pub(crate) fn after_f64(a: f64, b: f64) -> f64 {
    match a.partial_cmp(&b) {
        None => a + b,
        Some(std::cmp::Ordering::Less) => a.next_up(),
        Some(std::cmp::Ordering::Equal) => b,
        Some(std::cmp::Ordering::Greater) => a.next_down(),
    }
}

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

    #[test]
    fn next_numbers() {
        assert_eq!([after_f32(1.0, 2.0), after_f32(1.0, 0.0)], [1.0 + f32::EPSILON, 1.0 - f32::EPSILON / 2.0]);
        assert_eq!([after_f64(0.0, 1.0), after_f64(0.0, -1.0)], [5e-324, -5e-324]);
        assert!(after_f64(0.0, -0.0).is_sign_negative() && after_f32(f32::NAN, 1.0).is_nan());
    }
}
