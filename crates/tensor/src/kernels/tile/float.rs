//! The functions of floats.

use crate::kernels::math::{
    arc, area, bessel, double, erf, exp, gamma, log, parts, power, round, sigmoid, special, tanh, trig,
};
use crate::kernels::tile::Map;
use crate::kernels::tile::lane::Machine;
use std::marker::PhantomData;

/// ln a
pub(crate) struct Log<T>(PhantomData<T>);

formulas! {
    Sqrt { [f32, f64] |a| a.sqrt(); }
    Rsqrt { [f32, f64] |a| 1.0 / a.sqrt(); }
    Cbrt { by element [f32, f64] |a| a.cbrt(); }
    Exp {
        [f32] |a| exp::exp::<M>(a);
        [f64] |a| double::exp::<M>(a);
    }
    Exp2 {
        [f32] |a| exp::exp2::<M>(a);
        by element [f64] |a| a.exp2();
    }
    Expm1 {
        [f32] |a| exp::expm1::<M>(a);
        by element [f64] |a| a.exp_m1();
    }
    Log2 { by element [f64] |a| a.log2(); }
    Log10 { by element [f64] |a| a.log10(); }
    Log1p { by element [f64] |a| a.ln_1p(); }
    Sin { by element [f64] |a| a.sin(); }
    Cos { by element [f64] |a| a.cos(); }
    Tan { by element [f32, f64] |a| a.tan(); }
    Asin {
        [f32] |a| arc::asin::<M>(a);
        by element [f64] |a| a.asin();
    }
    Acos {
        [f32] |a| arc::acos::<M>(a);
        by element [f64] |a| a.acos();
    }
    Atan {
        [f32] |a| arc::atan::<M>(a);
        by element [f64] |a| a.atan();
    }
    Sinh {
        [f32] |a| arc::sinh::<M>(a);
        by element [f64] |a| a.sinh();
    }
    Cosh {
        [f32] |a| arc::cosh::<M>(a);
        by element [f64] |a| a.cosh();
    }
    Tanh { [f64] |a| double::tanh::<M>(a); }
    Asinh {
        by element [f32] |a| area::asinh(f64::from(a)) as f32;
        by element [f64] |a| area::asinh(a);
    }
    Acosh {
        by element [f32] |a| area::acosh(f64::from(a)) as f32;
        by element [f64] |a| area::acosh(a);
    }
    Atanh {
        by element [f32] |a| area::atanh(f64::from(a)) as f32;
        by element [f64] |a| area::atanh(a);
    }
    Sigmoid { [f64] |a| double::sigmoid::<M>(a); }
    Softplus { [f64] |a| double::softplus::<M>(a); }
    Erf { [f64] |a| double::erf::<M>(a); }
    Erfc { by element [f32] |a| special::erfc(f64::from(a)) as f32; by element [f64] |a| special::erfc(a); }
    Erfinv { by element [f32] |a| special::erfinv(f64::from(a)) as f32; by element [f64] |a| special::erfinv(a); }
    Erfcinv { by element [f32] |a| special::erfcinv(f64::from(a)) as f32; by element [f64] |a| special::erfcinv(a); }
    Lgamma { by element [f32] |a| special::lgamma(f64::from(a)) as f32; by element [f64] |a| special::lgamma(a); }
    Digamma { by element [f32] |a| special::digamma(f64::from(a)) as f32; by element [f64] |a| special::digamma(a); }
    Polygamma {
        by element [f32] |n, a| special::polygamma(f64::from(n), f64::from(a)) as f32;
        by element [f64] |n, a| special::polygamma(n, a);
    }
    Zeta {
        by element [f32] |s, a| special::zeta(f64::from(s), f64::from(a)) as f32;
        by element [f64] |s, a| special::zeta(s, a);
    }
    Igamma {
        by element [f32] |a, x| gamma::igamma(f64::from(a), f64::from(x)) as f32;
        by element [f64] |a, x| gamma::igamma(a, x);
    }
    Igammac {
        by element [f32] |a, x| gamma::igammac(f64::from(a), f64::from(x)) as f32;
        by element [f64] |a, x| gamma::igammac(a, x);
    }
    I0e { by element [f32] |a| bessel::i0e(f64::from(a)) as f32; by element [f64] |a| bessel::i0e(a); }
    I1e { by element [f32] |a| bessel::i1e(f64::from(a)) as f32; by element [f64] |a| bessel::i1e(a); }
    NextAfter {
        by element [f32, f64] |a, b| {
            if a < b {
                a.next_up()
            } else if a > b {
                a.next_down()
            } else if a == b {
                b
            } else {
                a + b
            }
        };
    }
    Exponent {
        by element [f32] |a| parts::exponent(f64::from(a)) as f32;
        by element [f64] |a| parts::exponent(a);
    }
    Ldexp {
        // A product in f64 rounds once.
        by element [f32] |a, n| parts::ldexp(f64::from(a), f64::from(n)) as f32;
        by element [f64] |a, n| parts::ldexp(a, n);
    }
    Floor {
        [f32] |a| round::floor_f32::<M>(a);
        [f64] |a| round::floor_f64::<M>(a);
    }
    Ceil {
        [f32] |a| round::ceil_f32::<M>(a);
        [f64] |a| round::ceil_f64::<M>(a);
    }
    /// To the nearest integer, ties to even.
    Round {
        [f32] |a| round::round_f32::<M>(a);
        [f64] |a| round::round_f64::<M>(a);
    }
    Trunc {
        [f32] |a| round::trunc_f32::<M>(a);
        [f64] |a| round::trunc_f64::<M>(a);
    }
    /// Integers: wraps; a negative exponent truncates 1 / aᵇ toward zero.
    Pow {
        [f32] |a, b| power::pow::<M>(a, b);
        by element [f64] |a, b| a.powf(b);
        by element [i64, i32] |a, b| {
            match (a, b) {
                (1, _) => 1,
                (-1, _) => if b % 2 == 0 { 1 } else { -1 },
                (_, ..0) => 0,
                _ => {
                    let (mut power, mut base, mut exponent) = (a.wrapping_pow(0), a, b);
                    while exponent > 0 {
                        if exponent & 1 == 1 {
                            power = power.wrapping_mul(base);
                        }
                        base = base.wrapping_mul(base);
                        exponent >>= 1;
                    }
                    power
                }
            }
        };
        by element [u8] |a, b| a.wrapping_pow(u32::from(b));
    }
    Atan2 {
        [f32] |a, b| arc::atan2::<M>(a, b);
        by element [f64] |a, b| a.atan2(b);
    }
    Hypot {
        [f32] |a, b| {
            // Squares of f32 neither overflow nor vanish in f64.
            let (x, y) = (f64::from(a), f64::from(b));
            let length = (x * x + y * y).sqrt() as f32;
            if a.is_infinite() || b.is_infinite() { f32::INFINITY } else { length }
        };
        by element [f64] |a, b| a.hypot(b);
    }
}

/// Functions that are fast for most floats, and have a way of their own for the odd ones.
macro_rules! mended {
    ($($name:ident $t:ident: $map:path, $is_odd:path, $mend:path;)*) => {$(
        impl Map for $name<$t> {
            type A = $t;
            type B = ();
            type C = ();
            type Out = $t;
            const MENDS: bool = true;

            #[inline(always)]
            fn map<M: Machine>(a: $t, _b: (), _c: ()) -> $t {
                $map(a)
            }

            #[inline(always)]
            fn is_odd(a: $t) -> bool {
                $is_odd(a)
            }

            #[inline(always)]
            fn mend<M: Machine>(a: $t) -> $t {
                $mend(a)
            }
        }
    )*};
}

mended! {
    Log f32: log::log::<M, false>, log::is_odd, log::log::<M, true>;
    Log f64: double::log::<M, false>, double::is_odd, double::log::<M, true>;
    Log2 f32: log::log2::<M, false>, log::is_odd, log::log2::<M, true>;
    Log10 f32: log::log10::<M, false>, log::is_odd, log::log10::<M, true>;
    Log1p f32: log::log1p::<M, false>, log::is_odd_sum, log::log1p::<M, true>;
    Sin f32: trig::sin::<M>, trig::is_large, f32::sin;
    Cos f32: trig::cos::<M>, trig::is_large, f32::cos;
}

/// Functions whose two halves run one after the other over a block.
macro_rules! in_halves {
    ($($name:ident: $first:path, $second:path;)*) => {$(
        impl Map for $name<f32> {
            type A = f32;
            type B = ();
            type C = ();
            type Out = f32;
            const HALVES: bool = true;

            #[inline(always)]
            fn map<M: Machine>(a: f32, _b: (), _c: ()) -> f32 {
                Self::second::<M>(a, Self::first::<M>(a))
            }

            #[inline(always)]
            fn first<M: Machine>(a: f32) -> f32 {
                $first(a)
            }

            #[inline(always)]
            fn second<M: Machine>(a: f32, first: f32) -> f32 {
                $second(a, first)
            }
        }
    )*};
}

in_halves! {
    Tanh: tanh::half::<M>, tanh::tanh::<M>;
    Sigmoid: sigmoid::power::<M>, sigmoid::sigmoid::<M>;
    Softplus: sigmoid::power::<M>, sigmoid::softplus::<M>;
    Erf: erf::complement::<M>, erf::erf::<M>;
}
