//! Words as numbers, and pairs of normal numbers, by additions, products, quotients and square roots alone: the same bits
//! on every machine, and loops over them vectorise.

const ULP: f64 = 1.0 / (1u64 << 53) as f64;
pub(super) const HALF_ULP: f64 = 0.5 * ULP;

#[inline(always)]
pub(super) fn unit_f64(bits: u64) -> f64 {
    // The upper 52 of the 53 bits as the fraction of a number in [1, 2), then the last one.
    let upper = f64::from_bits(bits >> 12 | 1.0f64.to_bits()) - 1.0;
    let last = f64::from_bits((bits >> 11 & 1) * ULP.to_bits());
    upper + last
}

/// A word as a number in `[0, 1)`, exactly.
#[inline(always)]
pub(super) fn half_unit(word: u32) -> f64 {
    f64::from_bits(u64::from(word) << 20 | 1.0f64.to_bits()) - 1.0
}

/// A word as a number in `(0, 1)`: half a unit is added, so that no logarithm is of 0.
#[inline(always)]
pub(super) fn open_unit(word: u32) -> f64 {
    half_unit(word) + 0.5 / (1u64 << 32) as f64
}

/// Box–Muller: `√(−2 ln u)·(cos 2πt, sin 2πt)` for `u` in (0, 1] and `t` in [0, 1).
#[inline(always)]
pub(super) fn normal_pair(u: f64, t: f64) -> [f64; 2] {
    let radius = (-2.0 * ln(u)).sqrt();
    let (sin, cos) = turn(t);
    [radius * cos, radius * sin]
}

/// The natural logarithm of a positive normal number, below 1 ulp (fdlibm's polynomial, without branches).
#[inline(always)]
fn ln(x: f64) -> f64 {
    const L: [f64; 7] = [
        0.6666666666666735,
        0.3999999999940942,
        0.2857142874366239,
        0.22222198432149784,
        0.1818357216161805,
        0.15313837699209373,
        0.14798198605116586,
    ];
    const LN2_HIGH: f64 = 0.6931471803691238;
    const LN2_LOW: f64 = 1.9082149292705877e-10;
    const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    // x = 2ᵏ·(1 + f) with 1 + f in [√½, √2). Shifting the fraction so that √½ sits at a power of two lets the carry find
    // k, still biased by 1023; in the low bits of 2⁵² it is a number without a conversion.
    let bits = x.to_bits().wrapping_add(1.0f64.to_bits() - SQRT_HALF);
    let k = f64::from_bits(bits >> 52 | 0x4330_0000_0000_0000) - (4503599627370496.0 + 1023.0);
    let f = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) + SQRT_HALF) - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let r = z * (L[0] + z * (L[1] + z * (L[2] + z * (L[3] + z * (L[4] + z * (L[5] + z * L[6]))))));
    let h = 0.5 * f * f;
    k * LN2_HIGH - ((h - (s * (h + r) + k * LN2_LOW)) - f)
}

/// Sine and cosine of a part of a full turn in [0, 1) (fdlibm's polynomials; a turn needs no reduction).
#[inline(always)]
fn turn(t: f64) -> (f64, f64) {
    const S: [f64; 6] = [
        -0.16666666666666632,
        0.00833333333332249,
        -0.0001984126982985795,
        2.7557313707070068e-06,
        -2.5050760253406863e-08,
        1.58969099521155e-10,
    ];
    const C: [f64; 6] = [
        0.0416666666666666,
        -0.001388888888887411,
        2.480158728947673e-05,
        -2.7557314351390663e-07,
        2.087572321298175e-09,
        -1.1359647557788195e-11,
    ];
    // The nearest quarter, and what is left of it in [−π/4, π/4]. Adding 1.5·2⁵² rounds, and leaves the quarter in the
    // low bits.
    const ROUND: f64 = 6755399441055744.0;
    let rounded = 4.0 * t + ROUND;
    let quarter = rounded.to_bits();
    let x = (4.0 * t - (rounded - ROUND)) * std::f64::consts::FRAC_PI_2;
    let z = x * x;
    let sin = x + x * z * (S[0] + z * (S[1] + z * (S[2] + z * (S[3] + z * (S[4] + z * S[5])))));
    let cos = 1.0 - 0.5 * z + z * z * (C[0] + z * (C[1] + z * (C[2] + z * (C[3] + z * (C[4] + z * C[5])))));
    // An odd quarter exchanges the two. Masks instead of branches.
    let odd = (quarter & 1).wrapping_neg();
    let swap = (sin.to_bits() ^ cos.to_bits()) & odd;
    let sin_sign = (quarter & 2) << 62;
    let cos_sign = (quarter.wrapping_add(1) & 2) << 62;
    (f64::from_bits(sin.to_bits() ^ swap ^ sin_sign), f64::from_bits(cos.to_bits() ^ swap ^ cos_sign))
}
