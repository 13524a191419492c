//! The incomplete gamma and beta functions, in f64. Those of f32 round them once.
//!
//! Series and continued fractions as in Abramowitz and Stegun (1964), 6.5 and 26.5; their common factor as in Loader (2000), "Fast and
//! accurate computation of binomial probabilities", which loses no digits where the parameters are large.

use super::special::zeta;
use std::f64::consts::PI;

/// Where the sum over a window of width √a takes too long, and two terms of Temme's expansion (1979) have all digits.
const LARGE: f64 = 1e6;

/// P(a, x) = ∫₀ˣ tᵃ⁻¹ e⁻ᵗ dt / Γ(a), and Q = 1 − P, each without cancellation. NaN for a negative operand.
fn pair(a: f64, x: f64) -> (f64, f64) {
    if a.is_nan() || x.is_nan() || a < 0.0 || x < 0.0 || (a == 0.0 && x == 0.0) || (a.is_infinite() && x.is_infinite())
    {
        return (f64::NAN, f64::NAN);
    }
    if a == 0.0 || x == f64::INFINITY {
        return (1.0, 0.0);
    }
    if x == 0.0 || a == f64::INFINITY {
        return (0.0, 1.0);
    }
    if a > LARGE {
        return normal(a, x);
    }
    if a < 1.0 && x < 1.5 {
        return small(a, x);
    }
    if x < a + 1.0 {
        // P = xᵃ e⁻ˣ / Γ(a + 1) · Σ xⁿ / ((a + 1) … (a + n))
        let (mut term, mut sum, mut n) = (1.0, 1.0, a);
        while term > sum * 1e-17 {
            n += 1.0;
            term *= x / n;
            sum += term;
        }
        let p = factor(a, x) * sum;
        return (p, 1.0 - p);
    }
    // Q = xᵃ e⁻ˣ / Γ(a) · 1 / (x + 1 − a − 1(1 − a) / (x + 3 − a − 2(2 − a) / (x + 5 − a − …)))
    let fraction = lentz(|i| if i == 0.0 { 1.0 } else { -i * (i - a) }, |i| x + 1.0 - a + 2.0 * i);
    let q = factor(a, x) * a * fraction;
    (1.0 - q, q)
}

/// P(a, x), the regularised lower incomplete gamma function.
pub(crate) fn igamma(a: f64, x: f64) -> f64 {
    pair(a, x).0
}

/// Q(a, x) = 1 − P(a, x).
pub(crate) fn igammac(a: f64, x: f64) -> f64 {
    pair(a, x).1
}

/// Both where neither is small, but Q may be near 0 because a is: 1 + u = xᵃ / Γ(a + 1) is near 1 there.
fn small(a: f64, x: f64) -> (f64, f64) {
    let exponent = a * x.ln() - log_gamma_above_one(a);
    // P = (1 + u) · (1 + a Σ (−x)ⁿ / ((a + n) n!))
    let (mut power, mut sum, mut n) = (1.0, 0.0, 0.0);
    loop {
        n += 1.0;
        power *= -x / n;
        let term = power / (a + n);
        sum += term;
        if term.abs() <= 1e-17 * f64::abs(sum) {
            break;
        }
    }
    let q = -exponent.exp_m1() - exponent.exp() * a * sum;
    let p = exponent.exp() * (1.0 + a * sum);
    if p < q { (p, 1.0 - p) } else { (1.0 - q, q) }
}

/// ln Γ(1 + a) for 0 < a < 1, without rounding 1 + a.
fn log_gamma_above_one(a: f64) -> f64 {
    if a > 0.25 {
        return libm::lgamma(1.0 + a);
    }
    const EULER: f64 = 0.577_215_664_901_532_9;
    // −γ a + Σ ζ(k) (−a)ᵏ / k
    let series = (2..=26).rev().fold(0.0, |sum, k| (zeta(f64::from(k), 1.0) / f64::from(k) - sum) * a);
    (series - EULER) * a
}

/// By the expansion of that by which P differs from a normal distribution.
fn normal(a: f64, x: f64) -> (f64, f64) {
    // η²/2 = λ − 1 − ln λ with the sign of λ − 1
    let step = (x - a) / a;
    let half = deviance(a, x) / a;
    let eta = (2.0 * half).sqrt().copysign(step);
    let first = match eta.abs() < 1e-3 {
        true => -1.0 / 3.0 + eta * (1.0 / 12.0 - eta * 2.0 / 135.0),
        false => 1.0 / step - 1.0 / eta,
    };
    // Where more than these terms of its series matter, e^(−aη²/2) is 0.
    let second = -1.0 / 540.0 + eta * (-1.0 / 288.0 + eta * 1.0 / 378.0);
    let rest = (-a * half).exp() / (2.0 * PI * a).sqrt() * (first + second / a);
    let scaled = eta * (a / 2.0).sqrt();
    (0.5 * libm::erfc(-scaled) - rest, 0.5 * libm::erfc(scaled) + rest)
}

/// xᵃ e⁻ˣ / Γ(a + 1)
fn factor(a: f64, x: f64) -> f64 {
    if a <= 20.0 {
        let half = (-0.5 * x).exp();
        return x.powf(a) * half / libm::tgamma(a + 1.0) * half;
    }
    (-stirling(a) - deviance(a, x)).exp() / (2.0 * PI * a).sqrt()
}

/// ln Γ(a + 1) less Stirling's formula (a + ½) ln a − a + ½ ln 2π.
fn stirling(a: f64) -> f64 {
    if a < 20.0 {
        return stirling(a + 1.0) + ((a + 0.5) * ((a + 1.0).ln() - a.ln()) - 1.0);
    }
    let square = 1.0 / (a * a);
    (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square * (1.0 / 1680.0 - square / 1188.0)))) / a
}

/// x ln (x / m) + m − x, without cancellation where x is near m.
fn deviance(x: f64, m: f64) -> f64 {
    let (step, total) = (x - m, x + m);
    if step.abs() > 0.1 * total {
        return if x == 0.0 { m } else { x * (x / m).ln() - step };
    }
    let v = step / total;
    let (mut sum, mut term, mut j) = (step * v, 2.0 * x * v, 1.0);
    loop {
        term *= v * v;
        j += 2.0;
        let next = sum + term / j;
        if next == sum {
            return sum;
        }
        sum = next;
    }
}

/// a(0) / (b(0) + a(1) / (b(1) + …)) by the method of Lentz (1976).
fn lentz(a: impl Fn(f64) -> f64, b: impl Fn(f64) -> f64) -> f64 {
    const TINY: f64 = 1e-300;
    let whole = |x: f64| if x == 0.0 { TINY } else { x };
    let (mut value, mut c, mut d, mut i) = (TINY, TINY, 0.0, 0.0);
    while i < 1e7 {
        let (numerator, part) = (a(i), b(i));
        d = 1.0 / whole(part + numerator * d);
        c = whole(part + numerator / c);
        value *= c * d;
        if (c * d - 1.0).abs() <= 1e-16 {
            break;
        }
        i += 1.0;
    }
    value
}

/// I(x; a, b) = ∫₀ˣ tᵃ⁻¹ (1 − t)ᵇ⁻¹ dt / B(a, b). NaN outside of a, b > 0 and 0 ≤ x ≤ 1.
pub fn betainc(a: f64, b: f64, x: f64) -> f64 {
    if !(a > 0.0 && b > 0.0 && (0.0..=1.0).contains(&x)) || a.is_infinite() || b.is_infinite() {
        return f64::NAN;
    }
    if x == 0.0 || x == 1.0 {
        return x;
    }
    match x > (a + 1.0) / (a + b + 2.0) {
        true => 1.0 - beta_tail(b, a, 1.0 - x, x),
        false => beta_tail(a, b, x, 1.0 - x),
    }
}

/// The fraction where it converges fast, in the form of Didonato and Morris (1992), whose parts do not cancel; y is 1 − x.
fn beta_tail(a: f64, b: f64, x: f64, y: f64) -> f64 {
    // The same either way, but for rounding.
    let lambda = if x < y { a - (a + b) * x } else { (a + b) * y - b };
    let numerator = |n: f64| match n == 0.0 {
        true => a,
        false => (a + n - 1.0) / (a + 2.0 * n - 1.0) * ((a + b + n - 1.0) / (a + 2.0 * n - 1.0)) * n * (b - n) * x * x,
    };
    let part = |n: f64| {
        n + n * (b - n) * x / (a + 2.0 * n - 1.0) + (a + n) / (a + 2.0 * n + 1.0) * (lambda + 1.0 + n * (1.0 + y))
    };
    beta_factor(a, b, x, y) * lentz(numerator, part)
}

/// xᵃ yᵇ / (a B(a, b)), where y = 1 − x.
fn beta_factor(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let n = a + b;
    if n <= 20.0 {
        return x.powf(a) * y.powf(b) * (libm::tgamma(n) / libm::tgamma(a + 1.0) / libm::tgamma(b));
    }
    let exponent = stirling(n) - stirling(a) - stirling(b) - deviance(a, n * x) - deviance(b, n * y);
    exponent.exp() * (b / a / (2.0 * PI * n)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(found: f64, wanted: f64) -> f64 {
        (found - wanted).abs() / (wanted.abs() * f64::EPSILON)
    }

    /// a, x, P and Q by mpmath with 60 digits.
    #[test]
    fn gamma_values_are_those_of_mpmath() {
        let values = [
            [1e-10, 1e-09, 0.999999997985395, 2.014605015283396e-09],
            [1e-10, 1.0, 0.9999999999780617, 2.1938393441796778e-11],
            [1e-10, 3.0, 0.9999999999986952, 1.3048381096671611e-12],
            [0.02, 1e-09, 0.6681471619228457, 0.33185283807715427],
            [0.02, 1.0, 0.9955229523910853, 0.004477047608914707],
            [0.02, 3.0, 0.9997290302962196, 0.0002709697037804028],
            [0.3, 1e-09, 0.0022232060865277742, 0.9977767939134722],
            [0.3, 1.0, 0.9156741562411088, 0.08432584375889124],
            [0.3, 3.0, 0.9935096273009015, 0.006490372699098434],
            [0.9, 1e-09, 8.259060656924124e-09, 0.9999999917409393],
            [0.9, 1.0, 0.6753924416740532, 0.3246075583259468],
            [0.9, 3.0, 0.9593279040036885, 0.04067209599631154],
            [1.0, 1e-09, 9.999999995e-10, 0.999999999],
            [1.0, 1.0, 0.6321205588285577, 0.36787944117144233],
            [1.0, 3.0, 0.950212931632136, 0.049787068367863944],
            [2.5, 2.5e-09, 9.403159709004582e-23, 1.0],
            [2.5, 2.5, 0.5841198130044921, 0.41588018699550794],
            [2.5, 7.5, 0.9896376620842136, 0.010362337915786437],
            [10.0, 1e-08, 2.7557318973464813e-87, 1.0],
            [10.0, 10.0, 0.5420702855281478, 0.4579297144718522],
            [10.0, 30.0, 0.9999928782491372, 7.121750862815577e-06],
            [19.9, 1.99e-08, 3.105454772592752e-172, 1.0],
            [19.9, 19.9, 0.5298174021980775, 0.47018259780192256],
            [19.9, 59.699999999999996, 0.9999999993032794, 6.967205459666337e-10],
            [20.1, 2.01e-08, 5.981783713280772e-174, 1.0],
            [20.1, 20.1, 0.5296686222425641, 0.47033137775743594],
            [20.1, 60.300000000000004, 0.9999999994208969, 5.791030486987489e-10],
            [60.0, 18.0, 5.3647274969646545e-15, 0.9999999999999947],
            [60.0, 60.0, 0.5171692726293873, 0.4828307273706128],
            [60.0, 180.0, 1.0, 8.257128653080333e-26],
            [1000.0, 300.0, 2.4149201482967856e-221, 1.0],
            [1000.0, 1000.0, 0.5042052441802155, 0.4957947558197845],
            [1000.0, 1200.0, 0.9999999987118394, 1.2881606086281433e-09],
            [123456.7, 111111.03, 4.3894280696322324e-290, 1.0],
            [123456.7, 123456.7, 0.5003784700334755, 0.49962152996652454],
            [123456.7, 123827.0701, 0.8540558777815523, 0.14594412221844766],
            [100000000.0, 99960000.00004, 3.160437765052209e-05, 0.9999683956223495],
            [100000000.0, 100000000.0, 0.5000132980760141, 0.49998670192398587],
            [100000000.0, 100080000.0, 0.9999999999999993, 6.327903413122214e-16],
            [1000000000000.0, 999996000000.004, 3.16705732261337e-05, 0.9999683294267738],
            [1000000000000.0, 1000000000000.0, 0.5000001329807602, 0.4999998670192399],
            [1000000000000.0, 1000008000000.0, 0.9999999999999993, 6.222021635306897e-16],
        ];
        for [a, x, p, q] in values {
            let off = [units(igamma(a, x), p), units(igammac(a, x), q)];
            // A tail is as exact as its logarithm.
            let most = 64.0 - p.min(q).ln();
            assert!(off.iter().all(|off| *off <= most), "{a}, {x}: {off:?} units");
        }
    }

    /// a, b, x and the value by mpmath with 50 digits.
    #[test]
    fn beta_values_are_those_of_mpmath() {
        let values = [
            [1e-09, 1e-09, 0.3, 0.49999999957635105],
            [0.5, 0.5, 0.1, 0.20483276469913345],
            [0.5, 3.0, 0.9, 0.9996750253207289],
            [2.0, 3.0, 0.4, 0.5248],
            [10.0, 0.1, 0.95, 0.05978326442091417],
            [10.0, 12.0, 0.5, 0.6681880950927734],
            [15.0, 15.0, 0.2, 0.00014180644939308095],
            [100.0, 200.0, 0.3, 0.10884306564490975],
            [10000.0, 30000.0, 0.252, 0.8222688335341892],
            [1000000.0, 1000000.0, 0.5004, 0.8710504906836167],
            [30000.0, 2.0, 0.9999, 0.19911840147945709],
            [2.0, 500000.0, 1e-06, 0.09020423788017046],
            [50.0, 60.0, 0.01, 1.9142806990145695e-69],
        ];
        for [a, b, x, wanted] in values {
            let off = units(betainc(a, b, x), wanted);
            assert!(off <= 64.0 - wanted.ln(), "{a}, {b}, {x}: {off} units");
        }
    }

    #[test]
    fn edges() {
        assert!(igamma(-1.0, 1.0).is_nan() && igamma(1.0, -1.0).is_nan() && igamma(0.0, 0.0).is_nan());
        assert_eq!([igamma(2.0, 0.0), igamma(2.0, f64::INFINITY), igamma(0.0, 1.0)], [0.0, 1.0, 1.0]);
        assert_eq!([igammac(2.0, 0.0), igammac(f64::INFINITY, 2.0)], [1.0, 1.0]);
        assert_eq!([betainc(2.0, 3.0, 0.0), betainc(2.0, 3.0, 1.0)], [0.0, 1.0]);
        assert!(betainc(0.0, 1.0, 0.5).is_nan() && betainc(1.0, 1.0, 1.5).is_nan());
    }
}
