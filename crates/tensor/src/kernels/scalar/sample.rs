//! What the laws are tested on: values of every dtype with all their edges, and what a scalar program makes of them.

use crate::dtype::DType;
use crate::kernels::math::{bessel, gamma, parts, special};
use crate::kernels::scalar::ScalarFn;
use std::cmp::Ordering;
use std::sync::OnceLock;

/// An element in the widest type of its kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    Float(f64),
    Int(i64),
    Bool(bool),
}

impl Value {
    pub(super) fn is_nan(self) -> bool {
        matches!(self, Value::Float(x) if x.is_nan())
    }

    fn float(self) -> f64 {
        match self {
            Value::Float(x) => x,
            Value::Int(i) => i as f64,
            Value::Bool(b) => f64::from(u8::from(b)),
        }
    }

    fn int(self) -> i64 {
        match self {
            Value::Float(x) => x as i64,
            Value::Int(i) => i,
            Value::Bool(b) => i64::from(b),
        }
    }

    fn truth(self) -> bool {
        match self {
            Value::Float(x) => x != 0.0,
            Value::Int(i) => i != 0,
            Value::Bool(b) => b,
        }
    }
}

const EDGES: [f64; 40] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    1.5,
    2.5,
    -2.5,
    3.5,
    2.0,
    3.0,
    -3.0,
    0.1,
    1e-3,
    -1e-3,
    1e-20,
    1e-40,
    -1e-40,
    1e20,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    88.0,
    88.8,
    -87.0,
    -88.0,
    -100.0,
    104.0,
    3.4e38,
    -3.4e38,
    1.2e-38,
    710.0,
    8_388_607.5,
    16_777_217.0,
    2_147_483_648.0,
    -2_147_483_649.0,
    9.3e18,
    255.5,
    65_520.0,
];

/// `n` elements: all edges in an order of its own for each seed, then numbers of every size and sign.
pub(super) fn bytes(dtype: DType, n: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) ^ (state >> 43)
    };
    let element = |_| {
        let bits = random();
        let float = match bits % 4 {
            0 => EDGES[(bits >> 8) as usize % EDGES.len()],
            1 => (bits >> 8) as f64 / (1u64 << 44) as f64 - 1.0,
            2 => ((bits >> 8) as f64 / (1u64 << 44) as f64 - 1.0) * 20.0,
            _ => f64::from(f32::from_bits((bits >> 8) as u32)),
        };
        let int = match bits % 3 {
            0 => [0, 1, -1, 2, 7, -7, i64::MAX, i64::MIN, i64::from(i32::MIN), i64::from(i32::MAX)]
                [(bits >> 8) as usize % 10],
            1 => (bits >> 8) as i64 % 20 - 10,
            _ => (bits << 11) as i64,
        };
        encode(dtype, float, int)
    };
    (0..n).flat_map(element).collect()
}

/// `n` elements of moderate size, whose sums and products lose digits but do not overflow.
pub(crate) fn tame(dtype: DType, n: usize) -> Vec<u8> {
    (0..n as i64).flat_map(|i| encode(dtype, (i as f64 * 0.37).sin() + 1.1, i * 7 % 23 - 11)).collect()
}

fn encode(dtype: DType, float: f64, int: i64) -> Vec<u8> {
    match dtype {
        DType::F32 => (float as f32).to_ne_bytes().to_vec(),
        DType::F64 => float.to_ne_bytes().to_vec(),
        DType::BF16 => half::bf16::from_f32(float as f32).to_ne_bytes().to_vec(),
        DType::F16 => half::f16::from_f32(float as f32).to_ne_bytes().to_vec(),
        DType::I64 => int.to_ne_bytes().to_vec(),
        DType::I32 => (int as i32).to_ne_bytes().to_vec(),
        DType::U8 => vec![int as u8],
        DType::Bool => vec![(int & 1) as u8],
    }
}

/// Reads an element.
pub(super) fn value(dtype: DType, bytes: &[u8]) -> Value {
    match (dtype, bytes) {
        (DType::F32, &[a, b, c, d]) => Value::Float(f64::from(f32::from_ne_bytes([a, b, c, d]))),
        (DType::BF16, &[a, b]) => Value::Float(f64::from(half::bf16::from_ne_bytes([a, b]))),
        (DType::F16, &[a, b]) => Value::Float(f64::from(half::f16::from_ne_bytes([a, b]))),
        (DType::F64, _) => Value::Float(f64::from_ne_bytes(bytes.try_into().unwrap())),
        (DType::I64, _) => Value::Int(i64::from_ne_bytes(bytes.try_into().unwrap())),
        (DType::I32, &[a, b, c, d]) => Value::Int(i64::from(i32::from_ne_bytes([a, b, c, d]))),
        (DType::U8, &[a]) => Value::Int(i64::from(a)),
        (DType::Bool, &[a]) if a < 2 => Value::Bool(a == 1),
        _ => panic!("{bytes:?} is no {dtype:?}"),
    }
}

/// What a cast makes of a value.
pub(super) fn cast(x: Value, from: DType, to: DType) -> Value {
    match to {
        DType::F32 if !from.is_float() => Value::Float(f64::from(x.int() as f32)),
        DType::F32 => Value::Float(f64::from(x.float() as f32)),
        DType::F64 => Value::Float(x.float()),
        DType::BF16 | DType::F16 if from.is_float() => Value::Float(nearest(to, x.float())),
        DType::BF16 | DType::F16 => Value::Float(nearest_whole(to, x.int())),
        DType::I64 => Value::Int(x.int()),
        DType::I32 if from.is_float() => Value::Int(i64::from(x.float() as i32)),
        DType::I32 => Value::Int(i64::from(x.int() as i32)),
        DType::U8 if from.is_float() => Value::Int(i64::from(x.float() as u8)),
        DType::U8 => Value::Int(i64::from(x.int() as u8)),
        DType::Bool => Value::Bool(x.truth()),
    }
}

/// The finite values of a 16-bit float that are not negative, in order, and behind the largest what would follow it.
fn ladder(dtype: DType) -> &'static [f64] {
    static HALF: OnceLock<Vec<f64>> = OnceLock::new();
    static BRAIN: OnceLock<Vec<f64>> = OnceLock::new();
    match dtype {
        DType::F16 => HALF.get_or_init(|| {
            (0..0x7c00).map(|bits| f64::from(half::f16::from_bits(bits))).chain([2f64.powi(16)]).collect()
        }),
        _ => BRAIN.get_or_init(|| {
            (0..0x7f80).map(|bits| f64::from(half::bf16::from_bits(bits))).chain([2f64.powi(128)]).collect()
        }),
    }
}

/// The nearest value of a 16-bit float, ties to even, found by search: `exact(m)` compares what is rounded with m.
fn search(ladder: &[f64], exact: impl Fn(f64) -> Ordering) -> f64 {
    let below = ladder.partition_point(|&value| exact(value) != Ordering::Less) - 1;
    let Some(next) = ladder.get(below + 1) else { return f64::INFINITY };
    // A value has 11 bits at most, so the middle between two is exact.
    let up = match exact((ladder[below] + next) / 2.0) {
        Ordering::Less => false,
        Ordering::Equal => below % 2 == 1,
        Ordering::Greater => true,
    };
    match (up, below + 2 == ladder.len()) {
        (false, _) => ladder[below],
        (true, false) => *next,
        (true, true) => f64::INFINITY,
    }
}

/// `x` as a 16-bit float, rounded once.
pub(crate) fn nearest(dtype: DType, x: f64) -> f64 {
    match x.is_nan() {
        true => x,
        false => search(ladder(dtype), |value| x.abs().total_cmp(&value)).copysign(x),
    }
}

/// [`nearest`] of an integer.
pub(crate) fn nearest_whole(dtype: DType, x: i64) -> f64 {
    // Twice the integer, since below 256 the middle between two values may be a half.
    let size = 2 * i128::from(x.unsigned_abs());
    let exact = |value: f64| (size as f64).total_cmp(&(2.0 * value)).then(size.cmp(&((2.0 * value) as i128)));
    search(ladder(dtype), exact) * if x < 0 { -1.0 } else { 1.0 }
}

/// Every value of a 16-bit float, the middle to the next, and the closest numbers on both sides of these.
pub(crate) fn between(dtype: DType) -> Vec<f64> {
    let middles = ladder(dtype).windows(2).map(|pair| (pair[0] + pair[1]) / 2.0);
    let near = |x: f64| [x, x.next_up(), x.next_down(), x * (1.0 + 1e-9), x * (1.0 - 1e-9)];
    let sizes = ladder(dtype).iter().copied().chain(middles).chain([1e300, f64::INFINITY, 1e-300]).flat_map(near);
    sizes.flat_map(|x| [x, -x]).chain([f64::NAN]).collect()
}

/// [`between`] in integers.
pub(crate) fn whole_between(dtype: DType) -> Vec<i64> {
    let whole = between(dtype).into_iter().filter(|x| x.abs() >= 1.0).map(|x| x as i64);
    whole.flat_map(|x| [x.saturating_sub(1), x, x.saturating_add(1)]).chain([0]).collect()
}

/// Whether a kernel is a polynomial of ours, whose multiply-adds are fused on some levels.
pub(super) fn is_polynomial(f: ScalarFn, dtype: DType) -> bool {
    use ScalarFn::*;
    let both = [Exp, Log, Tanh, Sigmoid, Softplus, Erf];
    let single = [Exp2, Expm1, Log2, Log10, Log1p, Sin, Cos];
    both.contains(&f) || (dtype == DType::F32 && single.contains(&f))
}

/// The distance in units in the last place; 0 between equal values and between NaNs, also for signs of zero unequal: 1.
pub(super) fn ulps(dtype: DType, found: f64, wanted: f64) -> f64 {
    if found.is_nan() && wanted.is_nan() {
        return 0.0;
    }
    let (rounded, unit) = match dtype {
        DType::F32 => {
            let rounded = wanted as f32;
            let unit = f32::from_bits(rounded.abs().min(f32::MAX).to_bits() | 1)
                - f32::from_bits(rounded.abs().min(f32::MAX).to_bits() & !1);
            (f64::from(rounded), f64::from(unit))
        }
        _ => {
            let bits = wanted.abs().min(f64::MAX).to_bits();
            (wanted, f64::from_bits(bits | 1) - f64::from_bits(bits & !1))
        }
    };
    if found == rounded {
        return if found == 0.0 && found.is_sign_positive() != rounded.is_sign_positive() { 1.0 } else { 0.0 };
    }
    if found.is_infinite() != rounded.is_infinite() {
        // One step beyond the largest float is as good as it.
        return if found.abs().min(rounded.abs()) >= f64::from(f32::MAX) { 1.0 } else { f64::INFINITY };
    }
    (found - rounded).abs() / unit
}

/// What a scalar program computes.
pub(super) fn reference(f: ScalarFn, dtype: DType, [a, b, c]: [Value; 3]) -> Value {
    use ScalarFn::*;
    match f {
        Select => {
            if a.truth() {
                b
            } else {
                c
            }
        }
        Eq => Value::Bool(a == b),
        Ne => Value::Bool(a != b),
        Lt => Value::Bool(compare(a, b, |x, y| x < y, |x, y| x < y)),
        Le => Value::Bool(compare(a, b, |x, y| x <= y, |x, y| x <= y)),
        Gt => Value::Bool(compare(a, b, |x, y| x > y, |x, y| x > y)),
        Ge => Value::Bool(compare(a, b, |x, y| x >= y, |x, y| x >= y)),
        IsNan => Value::Bool(a.float().is_nan()),
        IsInf => Value::Bool(a.float().is_infinite()),
        IsFinite => Value::Bool(a.float().is_finite()),
        Not => Value::Bool(!a.truth()),
        _ if dtype == DType::Bool => Value::Bool(match f {
            And | Minimum => a.truth() && b.truth(),
            Or | Maximum => a.truth() || b.truth(),
            Xor => a.truth() != b.truth(),
            BitNot => !a.truth(),
            _ => panic!("{f:?} of bools"),
        }),
        _ if dtype.is_float() => Value::Float(float(f, dtype, a.float(), b.float())),
        _ => {
            let wide = int(f, i128::from(a.int()), i128::from(b.int()), dtype);
            Value::Int(match dtype {
                DType::I64 => wide as i64,
                DType::I32 => i64::from(wide as i32),
                _ => i64::from(wide as u8),
            })
        }
    }
}

fn compare(a: Value, b: Value, floats: fn(f64, f64) -> bool, ints: fn(i64, i64) -> bool) -> bool {
    match (a, b) {
        (Value::Float(x), Value::Float(y)) => floats(x, y),
        _ => ints(a.int(), b.int()),
    }
}

fn float(f: ScalarFn, dtype: DType, a: f64, b: f64) -> f64 {
    use ScalarFn::*;
    match f {
        Neg => -a,
        Abs => a.abs(),
        Sign => {
            if a == 0.0 {
                0.0
            } else if a.is_nan() {
                a
            } else {
                a.signum()
            }
        }
        Recip => 1.0 / a,
        Square => a * a,
        Sqrt => a.sqrt(),
        Rsqrt => 1.0 / a.sqrt(),
        Cbrt => a.cbrt(),
        Exp => a.exp(),
        Exp2 => a.exp2(),
        Expm1 => a.exp_m1(),
        Log => a.ln(),
        Log2 => a.log2(),
        Log10 => a.log10(),
        Log1p => a.ln_1p(),
        Sin => a.sin(),
        Cos => a.cos(),
        Tan => a.tan(),
        Asin => a.asin(),
        Acos => a.acos(),
        Atan => a.atan(),
        Sinh => a.sinh(),
        Cosh => a.cosh(),
        Tanh => a.tanh(),
        // The standard library's lose digits in places; these are the definitions in their stable forms.
        Asinh => (if a.abs() > 1e10 { a.abs().ln() + std::f64::consts::LN_2 } else { a.abs().asinh() }).copysign(a),
        Acosh => {
            if a > 1e10 {
                a.ln() + std::f64::consts::LN_2
            } else {
                a.acosh()
            }
        }
        Atanh => ((a.abs().ln_1p() - (-a.abs()).ln_1p()) / 2.0).copysign(a),
        Sigmoid => {
            if a < 0.0 {
                a.exp() / (1.0 + a.exp())
            } else {
                1.0 / (1.0 + (-a).exp())
            }
        }
        Softplus => {
            if a < 0.0 {
                a.exp().ln_1p()
            } else {
                a + (-a).exp().ln_1p()
            }
        }
        Erf => erf(a),
        // These are computed in f64 whatever the dtype is; their own tests say how well.
        Erfc => special::erfc(a),
        Erfinv => special::erfinv(a),
        Erfcinv => special::erfcinv(a),
        Lgamma => special::lgamma(a),
        Digamma => special::digamma(a),
        Polygamma => special::polygamma(a, b),
        Zeta => special::zeta(a, b),
        Igamma => gamma::igamma(a, b),
        Igammac => gamma::igammac(a, b),
        I0e => bessel::i0e(a),
        I1e => bessel::i1e(a),
        Exponent => parts::exponent(a),
        Ldexp => parts::ldexp(a, b),
        NextAfter if a.is_nan() || b.is_nan() => f64::NAN,
        NextAfter if a == b => b,
        // Numbers of one sign are in the order of their bits.
        NextAfter => {
            let further = a != 0.0 && (b > a) == (a > 0.0);
            let step = |bits: u64| if further { bits + 1 } else { bits.wrapping_sub(1) };
            match dtype {
                _ if a == 0.0 && dtype == DType::F32 => f64::from(f32::from_bits(1)).copysign(b),
                _ if a == 0.0 => f64::from_bits(1).copysign(b),
                DType::F32 => f64::from(f32::from_bits(step(u64::from((a as f32).to_bits())) as u32)),
                _ => f64::from_bits(step(a.to_bits())),
            }
        }
        Fmod => a % b,
        Floor => a.floor(),
        Ceil => a.ceil(),
        Round => a.round_ties_even(),
        Trunc => a.trunc(),
        Relu => {
            if a <= 0.0 {
                0.0
            } else {
                a
            }
        }
        Add => a + b,
        Sub => a - b,
        Mul => a * b,
        Div => a / b,
        MulMasked => {
            if a == 0.0 || b == 0.0 {
                0.0
            } else {
                a * b
            }
        }
        Rem => {
            let r = a % b;
            if r == 0.0 {
                r.copysign(b)
            } else if (r < 0.0) != (b < 0.0) {
                r + b
            } else {
                r
            }
        }
        Pow => a.powf(b),
        Maximum => {
            if a.is_nan() || b.is_nan() {
                f64::NAN
            } else if a > b {
                a
            } else {
                b
            }
        }
        Minimum => {
            if a.is_nan() || b.is_nan() {
                f64::NAN
            } else if a < b {
                a
            } else {
                b
            }
        }
        Atan2 => a.atan2(b),
        Hypot => a.hypot(b),
        CopySign => a.copysign(b),
        _ => panic!("{f:?} of floats"),
    }
}

fn divisor(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { divisor(b, a % b) }
}

/// The series of the error function, and the continued fraction of its complement where the series cancels.
pub(crate) fn erf(x: f64) -> f64 {
    let size = x.abs();
    if size.is_nan() || size > 6.0 {
        return if size.is_nan() { x } else { 1f64.copysign(x) };
    }
    if size < 2.5 {
        // All terms are positive in this one: 2/√π · exp(−x²) · Σ 2ⁿ x²ⁿ⁺¹ / (1 · 3 · … · (2n + 1)).
        let (mut term, mut sum, mut n) = (x, x, 1.0);
        while term.abs() > sum.abs() * 1e-18 {
            n += 2.0;
            term *= 2.0 * x * x / n;
            sum += term;
        }
        return sum * (-x * x).exp() * std::f64::consts::FRAC_2_SQRT_PI;
    }
    let fraction = (1..200).rev().fold(0.0, |f, k| f64::from(k) / 2.0 / (size + f));
    (1.0 - (-size * size).exp() / (size + fraction) / std::f64::consts::PI.sqrt()).copysign(x)
}

fn int(f: ScalarFn, a: i128, b: i128, dtype: DType) -> i128 {
    use ScalarFn::*;
    match f {
        Neg => -a,
        Abs => a.abs(),
        Sign => a.signum(),
        Square => a.wrapping_mul(a),
        Relu => a.max(0),
        Add => a + b,
        Sub => a - b,
        Mul | MulMasked => a.wrapping_mul(b),
        Div => {
            if b == 0 {
                0
            } else {
                a / b
            }
        }
        Rem => {
            if b == 0 {
                0
            } else {
                a.rem_euclid(b.abs()) + if b < 0 && a.rem_euclid(b.abs()) != 0 { b } else { 0 }
            }
        }
        Pow => {
            if b < 0 {
                return match a {
                    1 => 1,
                    -1 => {
                        if b % 2 == 0 {
                            1
                        } else {
                            -1
                        }
                    }
                    _ => 0,
                };
            }
            let bits = 8 * dtype.size() as u32;
            let (mut power, mut base, mut left) = (1i128, a, b);
            while left > 0 {
                if left & 1 == 1 {
                    power = power.wrapping_mul(base) & ((1 << bits) - 1);
                }
                base = base.wrapping_mul(base) & ((1 << bits) - 1);
                left >>= 1;
            }
            power
        }
        Maximum => a.max(b),
        Minimum => a.min(b),
        And => a & b,
        Or => a | b,
        BitNot => !a,
        Shl | Shr if !(0..8 * dtype.size() as i128).contains(&b) => match f {
            Shr if a < 0 && b > 0 => -1,
            _ => 0,
        },
        Shl => a << b,
        Shr => a >> b,
        ShrLogical | Popcount | Clz | Gcd => {
            let width = 8 * dtype.size() as u32;
            let bits = |x: i128| x & ((1 << width) - 1);
            match f {
                ShrLogical if (0..i128::from(width)).contains(&b) => bits(a) >> b,
                ShrLogical => 0,
                Popcount => i128::from(bits(a).count_ones()),
                Clz => i128::from(bits(a).leading_zeros() - (128 - width)),
                _ => divisor(a.abs(), b.abs()),
            }
        }
        Fmod if b == 0 => 0,
        Fmod => a % b,
        Xor => a ^ b,
        _ => panic!("{f:?} of integers"),
    }
}
