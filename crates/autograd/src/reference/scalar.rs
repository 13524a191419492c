//! Every scalar function, for one element, written as its definition says.

use std::f64::consts::PI;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::scalar::ScalarFn;

/// A function of floats; masks are 0 and 1.
pub(super) fn float(function: ScalarFn, a: f64, b: f64) -> Result<f64> {
    let truth = |is: bool| f64::from(u8::from(is));
    Ok(match function {
        ScalarFn::Neg => -a,
        ScalarFn::Abs => a.abs(),
        ScalarFn::Sign if a.is_nan() || a == 0.0 => a,
        ScalarFn::Sign => a.signum(),
        ScalarFn::Recip => 1.0 / a,
        ScalarFn::Square => a * a,
        ScalarFn::Sqrt => a.sqrt(),
        ScalarFn::Rsqrt => 1.0 / a.sqrt(),
        ScalarFn::Cbrt => a.cbrt(),
        ScalarFn::Exp => a.exp(),
        ScalarFn::Exp2 => a.exp2(),
        ScalarFn::Expm1 => a.exp_m1(),
        ScalarFn::Log => a.ln(),
        ScalarFn::Log2 => a.log2(),
        ScalarFn::Log10 => a.log10(),
        ScalarFn::Log1p => a.ln_1p(),
        ScalarFn::Sin => a.sin(),
        ScalarFn::Cos => a.cos(),
        ScalarFn::Tan => a.tan(),
        ScalarFn::Asin => a.asin(),
        ScalarFn::Acos => a.acos(),
        ScalarFn::Atan => a.atan(),
        ScalarFn::Sinh => a.sinh(),
        ScalarFn::Cosh => a.cosh(),
        ScalarFn::Tanh => a.tanh(),
        ScalarFn::Asinh => a.asinh(),
        ScalarFn::Acosh => a.acosh(),
        ScalarFn::Atanh => 0.5 * (a.ln_1p() - (-a).ln_1p()),
        ScalarFn::Sigmoid if a < 0.0 => a.exp() / (1.0 + a.exp()),
        ScalarFn::Sigmoid => 1.0 / (1.0 + (-a).exp()),
        ScalarFn::Softplus => a.max(0.0) + (-a.abs()).exp().ln_1p() + if a.is_nan() { a } else { 0.0 },
        ScalarFn::Erf => erf(a),
        ScalarFn::Erfc if a < 1.0 => 1.0 - erf(a),
        ScalarFn::Erfc if a < 28.0 => gauss(a) / PI.sqrt() / tail(a),
        ScalarFn::Erfc if a.is_nan() => a,
        ScalarFn::Erfc => 0.0,
        ScalarFn::Erfinv => erfinv(a),
        ScalarFn::Lgamma => lgamma(a),
        ScalarFn::Digamma => polygamma(0, a),
        ScalarFn::Floor => a.floor(),
        ScalarFn::Ceil => a.ceil(),
        ScalarFn::Round => a.round_ties_even(),
        ScalarFn::Trunc => a.trunc(),
        ScalarFn::Relu if a > 0.0 || a.is_nan() => a,
        ScalarFn::Relu => 0.0,
        ScalarFn::IsNan => truth(a.is_nan()),
        ScalarFn::IsInf => truth(a.is_infinite()),
        ScalarFn::IsFinite => truth(a.is_finite()),
        ScalarFn::Add => a + b,
        ScalarFn::Sub => a - b,
        ScalarFn::Mul => a * b,
        ScalarFn::Div => a / b,
        ScalarFn::Rem => remainder(a, b),
        ScalarFn::Fmod => a % b,
        ScalarFn::Polygamma if (0.0..100.0).contains(&a) && a.fract() == 0.0 => polygamma(a as i32, b),
        ScalarFn::Polygamma => f64::NAN,
        ScalarFn::Pow => a.powf(b),
        ScalarFn::Maximum | ScalarFn::Minimum if a.is_nan() || b.is_nan() => f64::NAN,
        ScalarFn::Maximum => a.max(b),
        ScalarFn::Minimum => a.min(b),
        ScalarFn::Atan2 => a.atan2(b),
        ScalarFn::Hypot => a.hypot(b),
        ScalarFn::CopySign => a.copysign(b),
        ScalarFn::MulMasked if a == 0.0 => 0.0,
        ScalarFn::MulMasked => a * b,
        ScalarFn::Eq => truth(a == b),
        ScalarFn::Ne => truth(a != b),
        ScalarFn::Lt => truth(a < b),
        ScalarFn::Le => truth(a <= b),
        ScalarFn::Gt => truth(a > b),
        ScalarFn::Ge => truth(a >= b),
        other => return Err(Error::state(format!("`{}` of floats", other.name()))),
    })
}

/// A function of integers or, when `mask`, of truth values; the result is wrapped by whoever stores it.
pub(super) fn integer(function: ScalarFn, a: i64, b: i64, mask: bool) -> Result<i64> {
    Ok(match function {
        ScalarFn::Neg => a.wrapping_neg(),
        ScalarFn::Abs => a.wrapping_abs(),
        ScalarFn::Sign => a.signum(),
        ScalarFn::Square => a.wrapping_mul(a),
        ScalarFn::Relu => a.max(0),
        ScalarFn::Not if mask => i64::from(a == 0),
        ScalarFn::Add => a.wrapping_add(b),
        ScalarFn::Sub => a.wrapping_sub(b),
        ScalarFn::Mul | ScalarFn::MulMasked => a.wrapping_mul(b),
        ScalarFn::Div | ScalarFn::Rem if b == 0 => 0,
        ScalarFn::Div => a.wrapping_div(b),
        ScalarFn::Rem => match a.wrapping_rem(b) {
            r if r != 0 && (r < 0) != (b < 0) => r + b,
            r => r,
        },
        ScalarFn::Fmod if b == 0 => 0,
        ScalarFn::Fmod => a.wrapping_rem(b),
        ScalarFn::BitNot if mask => i64::from(a == 0),
        ScalarFn::BitNot => !a,
        ScalarFn::Shl if (0..64).contains(&b) => a << b,
        ScalarFn::Shr if (0..64).contains(&b) => a >> b,
        ScalarFn::Shr if b >= 64 => a >> 63,
        ScalarFn::Shl | ScalarFn::Shr => 0,
        ScalarFn::Pow if b >= 0 => a.wrapping_pow(u32::try_from(b).unwrap_or(u32::MAX - u32::from(b % 2 == 0))),
        ScalarFn::Pow => match a {
            1 => 1,
            -1 => {
                if b % 2 == 0 {
                    1
                } else {
                    -1
                }
            }
            _ => 0,
        },
        ScalarFn::Maximum => a.max(b),
        ScalarFn::Minimum => a.min(b),
        ScalarFn::Eq => i64::from(a == b),
        ScalarFn::Ne => i64::from(a != b),
        ScalarFn::Lt => i64::from(a < b),
        ScalarFn::Le => i64::from(a <= b),
        ScalarFn::Gt => i64::from(a > b),
        ScalarFn::Ge => i64::from(a >= b),
        ScalarFn::And => a & b,
        ScalarFn::Or => a | b,
        ScalarFn::Xor => a ^ b,
        other => return Err(Error::state(format!("`{}` of integers", other.name()))),
    })
}

/// The remainder with the sign of the divisor.
fn remainder(a: f64, b: f64) -> f64 {
    match a % b {
        r if r != 0.0 && (r < 0.0) != (b < 0.0) => r + b,
        r => r,
    }
}

/// 2/√π ∫₀ᵃ exp(−t²) dt, by its series where that is short, and by a continued fraction beyond.
fn erf(a: f64) -> f64 {
    let x = a.abs();
    let value = match x {
        _ if x.is_nan() => x,
        _ if x < 1.0 => {
            // All terms are positive: 2/√π · exp(−x²) · Σ 2ⁿ x²ⁿ⁺¹ / (1·3·5⋯(2n+1))
            let (mut term, mut sum, mut n) = (x, x, 0.0);
            while term > sum * 1e-17 {
                n += 1.0;
                term *= 2.0 * x * x / (2.0 * n + 1.0);
                sum += term;
            }
            2.0 / PI.sqrt() * gauss(x) * sum
        }
        _ if x < 6.0 => {
            // exp(−x²)/√π · 1/(x + ½/(x + 1/(x + 3/2/(x + …))))
            1.0 - gauss(x) / PI.sqrt() / tail(x)
        }
        _ => 1.0,
    };
    value.copysign(a)
}

/// exp(−x²), whose exponent keeps what its square loses by rounding.
fn gauss(x: f64) -> f64 {
    let square = x * x;
    (-square).exp() * (-x.mul_add(x, -square)).exp()
}

/// x + ½/(x + 1/(x + 3/2/(x + …))), for x ≥ 1.
fn tail(x: f64) -> f64 {
    (1..=400).rev().fold(x, |tail, n| x + f64::from(n) / 2.0 / tail)
}

/// By halving an interval.
fn erfinv(y: f64) -> f64 {
    if y.is_nan() || y.abs() >= 1.0 {
        return if y.abs() == 1.0 { y / 0.0 } else { f64::NAN };
    }
    // Beside 1, erf has no digits left: there it is 1 − y, which is exact, that erfc must reach.
    let below = |x: f64| match y.abs() > 0.9 {
        true => (if x < 1.0 { 1.0 - erf(x) } else { gauss(x) / PI.sqrt() / tail(x) }) > 1.0 - y.abs(),
        false => erf(x) < y.abs(),
    };
    let (mut low, mut high) = (0.0, 6.0);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if below(middle) { low = middle } else { high = middle }
    }
    low.copysign(y)
}

/// ln |Γ(x)| by Stirling's series far from 0, and Γ(x + 1) = x Γ(x).
fn lgamma(x: f64) -> f64 {
    if x.is_infinite() || (x <= 0.0 && x.fract() == 0.0) {
        return f64::INFINITY;
    }
    if x < 0.0 {
        // Γ(x) Γ(1 − x) = π / sin πx
        return (PI / (PI * (x - x.round())).sin().abs()).ln() - lgamma(1.0 - x);
    }
    let (mut x, mut product) = (x, 1.0f64);
    while x < 12.0 {
        product *= x;
        x += 1.0;
    }
    let series = 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3)) + 1.0 / (1260.0 * x.powi(5)) - 1.0 / (1680.0 * x.powi(7))
        + 1.0 / (1188.0 * x.powi(9))
        - 691.0 / (360360.0 * x.powi(11));
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * PI).ln() + series - product.abs().ln()
}

/// ψ and its derivatives by their asymptotic series far from 0, and ψₙ(x + 1) = ψₙ(x) + (−1)ⁿ n! / xⁿ⁺¹.
fn polygamma(n: i32, x: f64) -> f64 {
    if x == 0.0 {
        // The limit from the side of the sign.
        return if n % 2 == 1 { f64::INFINITY } else { f64::NEG_INFINITY.copysign(-x) };
    }
    if x < 0.0 && x.fract() == 0.0 {
        return f64::NAN;
    }
    if x == f64::INFINITY {
        return if n == 0 { x } else { 0.0 };
    }
    if n == 0 && x < 0.0 {
        // ψ(x) = ψ(1 − x) − π / tan πx
        return polygamma(0, 1.0 - x) - PI / (PI * (x - x.round())).tan();
    }
    if x < -1e6 {
        // The sum would have as many terms as x is large.
        return f64::NAN;
    }
    let factorial = |n: i32| (1..=n).map(f64::from).product::<f64>();
    let sign = if n % 2 == 0 { 1.0 } else { -1.0 };
    let (mut x, mut sum) = (x, 0.0);
    while x < 60.0 {
        sum -= sign * factorial(n) / x.powi(n + 1);
        x += 1.0;
    }
    let first = if n == 0 { x.ln() } else { -sign * factorial(n - 1) / x.powi(n) };
    let series: f64 = [(2, 1.0 / 6.0), (4, -1.0 / 30.0), (6, 1.0 / 42.0)]
        .iter()
        .map(|&(k, b)| b * factorial(k + n - 1) / factorial(k) / x.powi(k + n))
        .sum();
    sum + first - sign * factorial(n) / (2.0 * x.powi(n + 1)) - sign * series
}
