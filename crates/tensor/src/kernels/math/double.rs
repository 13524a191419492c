//! The same functions in f64, where programs use them most. The formulas are those of f32, with more coefficients.

use crate::kernels::math::poly::{fma, polynomial};
use crate::kernels::tile::lane::Machine;
use std::f64::consts::LOG2_E;

/// ln 2 in two parts. The first has 32 bits: its product with n is exact.
const LN_2: [f64; 2] = [0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10];

/// The spacing of f64 is 1 here: what is added to it is rounded to an integer, which ends the bits of the sum.
pub(crate) const SHIFT: f64 = 6_755_399_441_055_744.0;

/// (eʳ − 1 − r) / r² on |r| ≤ ln 2 / 2.
const EXP: [f64; 10] = [
    0.500_000_000_000_001_1,
    0.166_666_666_666_664_38,
    0.041_666_666_666_526_7,
    0.008_333_333_333_479_062,
    0.001_388_888_894_446_634_2,
    0.000_198_412_695_386_582_87,
    2.480_149_227_536_833_2e-5,
    2.755_755_838_010_006e-6,
    2.763_053_302_431_817_5e-7,
    2.500_880_807_857_115_4e-8,
];

/// (ln(1 + f) / s − 2) / z for s = f / (2 + f), z = s² and 1 + f in [√½, √2].
const LOG: [f64; 7] = [
    0.666_666_666_666_673_5,
    0.399_999_999_994_102,
    0.285_714_287_433_645_5,
    0.222_221_984_721_740_37,
    0.181_835_696_961_590_5,
    0.153_139_088_423_144_47,
    0.147_974_184_041_348_66,
];

/// The same for f in [0, 1].
const LOG1P: [f64; 11] = [
    0.666_666_666_666_666_7,
    0.399_999_999_999_953_95,
    0.285_714_285_723_310_4,
    0.222_222_221_372_364_3,
    0.181_818_227_445_230_2,
    0.153_844_632_094_027_93,
    0.133_366_258_598_580_62,
    0.117_178_098_655_764_76,
    0.109_605_662_051_999_69,
    0.070_382_380_355_971_91,
    0.163_977_180_317_747_72,
];

/// erf(x) / x − 1 in x², for x below [`NEAR_ERF`].
const ERF: [f64; 12] = [
    0.128_379_167_095_512_6,
    -0.376_126_389_031_840_76,
    0.112_837_916_709_692_32,
    -0.026_866_170_647_543_92,
    0.005_223_977_646_506_867_4,
    -0.000_854_832_808_222_084_9,
    0.000_120_553_652_822_043_15,
    -1.492_624_903_764_748_6e-5,
    1.646_832_492_872_686_4e-6,
    -1.638_809_224_105_108_3e-7,
    1.459_337_628_937_014_8e-8,
    -9.631_701_489_417_466e-10,
];

/// (−ln erfc(x) − x) / x in x − 2, for x from [`NEAR_ERF`] to 6.
const FALL: [f64; 19] = [
    1.682_470_632_308_318_7,
    0.867_845_086_843_047_5,
    0.027_952_877_490_367_99,
    -0.005_743_879_676_707_006,
    0.001_086_561_665_607_237,
    -0.000_177_081_139_945_205_9,
    2.088_590_009_054_648_7e-5,
    -8.973_574_110_842_745e-8,
    -9.312_212_735_659_288e-7,
    3.637_977_062_914_683_3e-7,
    -9.530_869_936_494_081e-8,
    1.874_164_788_448_191_5e-8,
    -2.383_659_571_949_300_3e-9,
    -6.593_199_701_004_188e-11,
    1.623_699_587_476_617_7e-10,
    -6.440_100_714_750_816e-11,
    1.680_910_137_910_144e-11,
    -2.780_044_640_351_079_7e-12,
    2.125_075_285_706_848e-13,
];

const NEAR_ERF: f64 = 0.92;

/// The bits of √½: the least mantissa.
const LEAST: u64 = 0x3fe6_a09e_667f_3bcd;

/// 2⁵²: a float with an integer below that in its low bits is their sum.
const UNIT: f64 = 4_503_599_627_370_496.0;

/// eˣ
#[inline(always)]
pub(crate) fn exp<M: Machine>(x: f64) -> f64 {
    let x = if x > 710.0 { 710.0 } else { x };
    let x = if x < -746.0 { -746.0 } else { x };
    let (r, n) = reduced::<M>(x, 2046.0);
    // In two factors: the low bits are n plus the biases of both.
    let half = n >> 1;
    (1.0 + remainder::<M>(r)) * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// eˣ for |x| ≤ 700, where 2ⁿ is a float.
#[inline(always)]
fn exp_normal<M: Machine>(x: f64) -> f64 {
    let (r, n) = reduced::<M>(x, 1023.0);
    (1.0 + remainder::<M>(r)) * power_of_two(n)
}

/// x − n · ln 2, and n in bits that are larger by `bias`.
#[inline(always)]
fn reduced<M: Machine>(x: f64, bias: f64) -> (f64, u64) {
    let shifted = fma::<M, f64>(x, LOG2_E, SHIFT + bias);
    let turns = shifted - (SHIFT + bias);
    (fma::<M, f64>(turns, -LN_2[1], fma::<M, f64>(turns, -LN_2[0], x)), shifted.to_bits())
}

/// eʳ − 1
#[inline(always)]
fn remainder<M: Machine>(r: f64) -> f64 {
    fma::<M, f64>(r * r, polynomial::<M, f64, 10>(r, EXP), r)
}

/// 2ⁿ for the exponents of normal numbers, from bits that end in n + 1023.
#[inline(always)]
pub(crate) fn power_of_two(biased: u64) -> f64 {
    f64::from_bits(biased << 52)
}

/// The mantissa in [√½, √2] and the exponent of a positive normal number.
#[inline(always)]
pub(crate) fn split(x: f64) -> (f64, f64) {
    // The exponent plus its bias, so that the shift need not keep a sign.
    let above = x.to_bits().wrapping_sub(LEAST).wrapping_add(1023 << 52);
    let m = f64::from_bits((above & 0x000f_ffff_ffff_ffff).wrapping_add(LEAST));
    (m, f64::from_bits((above >> 52) | UNIT.to_bits()) - (UNIT + 1023.0))
}

/// ln x of a normal x; for the others, `ODD` makes it complete.
#[inline(always)]
pub(crate) fn log<M: Machine, const ODD: bool>(x: f64) -> f64 {
    let subnormal = ODD && x < f64::MIN_POSITIVE;
    let scaled = if subnormal { x * UNIT } else { x };
    let (m, k) = split(scaled);
    let k = if subnormal { k - 52.0 } else { k };
    let f = m - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let bent = s * fma::<M, f64>(-z, polynomial::<M, f64, 7>(z, LOG), f);
    let y = fma::<M, f64>(k, LN_2[0], f - fma::<M, f64>(k, -LN_2[1], bent));
    if !ODD {
        return y;
    }
    let y = if x == 0.0 { f64::NEG_INFINITY } else { y };
    let y = if x == f64::INFINITY { x } else { y };
    if x >= 0.0 { y } else { f64::NAN }
}

/// Whether `x` is not a positive normal number.
#[inline(always)]
pub(crate) fn is_odd(x: f64) -> bool {
    !(f64::MIN_POSITIVE..f64::INFINITY).contains(&x)
}

/// tanh x = a − a² / (1 + h), with h = (e²ˣ − 1) / 2 and a = min(h, 1): see the same in f32.
#[inline(always)]
pub(crate) fn tanh<M: Machine>(x: f64) -> f64 {
    let size = x.abs();
    let size = if size > 20.0 { 20.0 } else { size };
    let (r, biased) = reduced::<M>(size + size, 1022.0);
    let scale = power_of_two(biased);
    let half = fma::<M, f64>(scale, remainder::<M>(r), scale - 0.5);
    let a = if half > 1.0 { 1.0 } else { half };
    fma::<M, f64>(-a, a / (1.0 + half), a).copysign(x)
}

/// 1 / (1 + e⁻ˣ) = 1 − p / (1 + p), or p − p² / (1 + p) for negative x, with p = e⁻|ˣ|.
#[inline(always)]
pub(crate) fn sigmoid<M: Machine>(x: f64) -> f64 {
    let power = exp::<M>(-x.abs());
    let a = if x.is_sign_negative() { power } else { 1.0 };
    fma::<M, f64>(-a, power / (1.0 + power), a)
}

/// ln(1 + eˣ)
#[inline(always)]
pub(crate) fn softplus<M: Machine>(x: f64) -> f64 {
    let power = exp::<M>(-x.abs());
    let s = power / (2.0 + power);
    let z = s * s;
    let bent = fma::<M, f64>(-z, polynomial::<M, f64, 11>(z, LOG1P), power);
    (if x < 0.0 { 0.0 } else { x }) + fma::<M, f64>(-s, bent, power)
}

/// 2/√π · ∫₀ˣ exp(−t²) dt: an odd polynomial near 0, and 1 − exp(−q(x)) farther out.
#[inline(always)]
pub(crate) fn erf<M: Machine>(x: f64) -> f64 {
    let size = x.abs();
    let near = fma::<M, f64>(size, polynomial::<M, f64, 12>(x * x, ERF), size);
    let bounded = if size > 6.0 { 6.0 } else { size };
    let fall = fma::<M, f64>(bounded, polynomial::<M, f64, 19>(bounded - 2.0, FALL), bounded);
    let far = 1.0 - exp_normal::<M>(-fall);
    (if size < NEAR_ERF { near } else { far }).copysign(x)
}
