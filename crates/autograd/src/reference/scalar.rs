//! Every scalar function, for one element, written as its definition says.

use std::f64::consts::PI;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::scalar::ScalarFn;

/// A function of floats; masks are 0 and 1.
pub(super) fn float(function: ScalarFn, dtype: DType, a: f64, b: f64) -> Result<f64> {
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
        ScalarFn::Erfcinv if !(0.0..0.5).contains(&a) => erfinv(1.0 - a),
        ScalarFn::Erfcinv if a == 0.0 => f64::INFINITY,
        ScalarFn::Erfcinv => {
            // ln erfc falls: by halving an interval.
            let above = |x: f64| match x < 1.0 {
                true => 1.0 - erf(x) > a,
                false => -x * x - (PI.sqrt() * tail(x)).ln() > a.ln(),
            };
            let middle = |(low, high): (f64, f64), _| {
                let middle = 0.5 * (low + high);
                if above(middle) { (middle, high) } else { (low, middle) }
            };
            (0..100).fold((0.0, 40.0), middle).0
        }
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
        ScalarFn::Zeta => zeta(a, b),
        ScalarFn::Igamma => incomplete_gamma(a, b).0,
        ScalarFn::Igammac => incomplete_gamma(a, b).1,
        ScalarFn::I0e => bessel(a, |_| 1.0),
        ScalarFn::I1e if a.is_infinite() => 0.0,
        ScalarFn::I1e => a * bessel(a, |angle| angle.sin().powi(2)),
        ScalarFn::Exponent if a == 0.0 || !a.is_finite() => 0.0,
        // Subnormal numbers are scaled up first.
        ScalarFn::Exponent => parts(a).1,
        ScalarFn::Ldexp if b.is_nan() => b,
        ScalarFn::Ldexp if a == 0.0 || !a.is_finite() => a,
        ScalarFn::Ldexp => {
            let (m, e) = parts(a);
            // Only the last product may round.
            let n = (e + b.trunc()).clamp(-3000.0, 3000.0) as i32;
            let first = n.clamp(-1000, 1000);
            m * 2f64.powi(first) * 2f64.powi(n - first)
        }
        ScalarFn::NextAfter => next(dtype, a, b),
        ScalarFn::Pow => a.powf(b),
        ScalarFn::Maximum | ScalarFn::Minimum if a.is_nan() || b.is_nan() => f64::NAN,
        ScalarFn::Maximum => a.max(b),
        ScalarFn::Minimum => a.min(b),
        ScalarFn::Atan2 => a.atan2(b),
        ScalarFn::Hypot => a.hypot(b),
        ScalarFn::CopySign => a.copysign(b),
        ScalarFn::MulMasked if a == 0.0 || b == 0.0 => 0.0,
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

/// A function of integers or of truth values; the result is wrapped by whoever stores it.
pub(super) fn integer(function: ScalarFn, dtype: DType, a: i64, b: i64) -> Result<i64> {
    let mask = dtype == DType::Bool;
    let width = 8 * dtype.size() as i64;
    // The bits as they are stored.
    let bits = |x: i64| (x as u64) & (u64::MAX >> (64 - width));
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
        ScalarFn::ShrLogical if (0..width).contains(&b) => (bits(a) >> b) as i64,
        ScalarFn::ShrLogical => 0,
        ScalarFn::Popcount => (0..width).filter(|i| bits(a) >> i & 1 == 1).count() as i64,
        ScalarFn::Clz => (0..width).rev().take_while(|i| bits(a) >> i & 1 == 0).count() as i64,
        ScalarFn::Gcd => {
            let (mut a, mut b) = (i128::from(a).abs(), i128::from(b).abs());
            while a != 0 && b != 0 {
                if a > b { a %= b } else { b %= a }
            }
            (a + b) as i64
        }
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

/// ζ(s, q) by a longer sum than the kernel's, and Euler and Maclaurin's tail.
fn zeta(s: f64, q: f64) -> f64 {
    if s == 1.0 || (s > 1.0 && q <= 0.0 && q.fract() == 0.0) {
        return if q == 0.0 && s % 2.0 == 1.0 { f64::INFINITY.copysign(q) } else { f64::INFINITY };
    }
    if s.is_nan() || q.is_nan() || s < 1.0 || (q < 0.0 && (s.fract() != 0.0 || q.is_infinite())) {
        return f64::NAN;
    }
    if q < 0.0 {
        // The terms below 0, whose signs are those of (−1)ˢ, count from the fraction of −q up.
        let fraction = q - q.floor();
        let below = zeta(s, 1.0 - fraction) - zeta(s, 1.0 - q);
        return zeta(s, fraction) + if s % 2.0 == 0.0 { below } else { -below };
    }
    if q == f64::INFINITY {
        return 0.0;
    }
    let terms = (40.0 + 2.0 * s - q).clamp(0.0, 2000.0) as i32;
    let sum: f64 = (0..terms).rev().map(|k| (q + f64::from(k)).powf(-s)).sum();
    let x = q + f64::from(terms);
    let tail = x.powf(1.0 - s) / (s - 1.0) + 0.5 * x.powf(-s) + s / 12.0 * x.powf(-s - 1.0)
        - s * (s + 1.0) * (s + 2.0) / 720.0 * x.powf(-s - 3.0)
        + s * (s + 1.0) * (s + 2.0) * (s + 3.0) * (s + 4.0) / 30240.0 * x.powf(-s - 5.0);
    sum + if tail.is_finite() { tail } else { 0.0 }
}

/// P(a, x) and Q(a, x): one of them by its integral in the variable v of t = x eᵛ, by the rule of Boole.
fn incomplete_gamma(a: f64, x: f64) -> (f64, f64) {
    match (a, x) {
        _ if a.is_nan() || x.is_nan() || a < 0.0 || x < 0.0 || a == x && (a == 0.0 || a.is_infinite()) => {
            return (f64::NAN, f64::NAN);
        }
        _ if a == 0.0 || x == f64::INFINITY => return (1.0, 0.0),
        _ if x == 0.0 || a == f64::INFINITY => return (0.0, 1.0),
        _ => {}
    }
    const N: i32 = 20_000;
    // ∫ e^(av + x (1 − eᵛ)) dv from 0 up, and down
    let side = |sign: f64| {
        let f = |v: f64| (a * sign * v - x * (sign * v).exp_m1()).exp();
        let mut end = 1e-6;
        while f(end) > 1e-20 {
            end *= 1.2;
        }
        let step = end / f64::from(N);
        let weight = |i: i32| match i % 4 {
            0 if i == 0 || i == N => 7.0,
            0 => 14.0,
            2 => 12.0,
            _ => 32.0,
        };
        (0..=N).map(|i| weight(i) * f(f64::from(i) * step)).sum::<f64>() * step * 2.0 / 45.0
    };
    let factor = (a * x.ln() - x - lgamma(a + 1.0)).exp();
    if a < 1.0 {
        let q = factor * a * side(1.0);
        return (if q < 0.5 { 1.0 - q } else { factor + incomplete_gamma(a + 1.0, x).0 }, q);
    }
    match x < a + 1.0 {
        true => {
            let p = factor * a * side(-1.0);
            (p, 1.0 - p)
        }
        false => {
            let q = factor * a * side(1.0);
            (1.0 - q, q)
        }
    }
}

/// 1/π ∫ e^(|x| (cos θ − 1)) f(θ) dθ over half a turn, where f is even: the rule of the trapezium has all digits of a period.
fn bessel(x: f64, f: fn(f64) -> f64) -> f64 {
    if x.is_infinite() {
        return 0.0;
    }
    const N: i32 = 1000;
    // Beyond, the integrand has died.
    let end = PI.min(14.0 / x.abs().sqrt());
    let at = |i: i32| {
        let angle = end * f64::from(i) / f64::from(N);
        (-2.0 * x.abs() * (angle / 2.0).sin().powi(2)).exp() * f(angle) * if i == 0 || i == N { 0.5 } else { 1.0 }
    };
    (0..=N).map(at).sum::<f64>() * end / f64::from(N) / PI
}

/// m and e with |m| in [½, 1) and a = m · 2ᵉ, for finite numbers but 0.
fn parts(a: f64) -> (f64, f64) {
    let (mut m, mut e) = (a, 0.0);
    while m.abs() >= 1.0 {
        (m, e) = (m / 2.0, e + 1.0);
    }
    while m.abs() < 0.5 {
        (m, e) = (m * 2.0, e - 1.0);
    }
    (m, e)
}

/// The neighbour of a on the side of b.
fn next(dtype: DType, a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        return f64::NAN;
    }
    if a == b {
        return b;
    }
    match dtype {
        DType::F32 if b > a => f64::from((a as f32).next_up()),
        DType::F32 => f64::from((a as f32).next_down()),
        _ if b > a => a.next_up(),
        _ => a.next_down(),
    }
}
