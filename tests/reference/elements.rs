//! Functions of numbers, element by element.

use wengert::autograd::ops::gamma_slope::GammaSlope;
use wengert::prelude::*;

pub(crate) fn apply<'t>(tape: &'t Tape, name: &str, x: &[Var<'t>]) -> Option<Var<'t>> {
    let a = *x.first()?;
    let b = x.get(1).copied().unwrap_or(a);
    Some(match name {
        "neg" => -a,
        "powi" => a.powi(3),
        "powi -2" => a.powi(-2),
        "clamp" => a.clamp(-0.5, 0.7),
        "clamp by values" => a.clamp(b, x[2]),
        "elu" => a.elu(1.0),
        "elu 0.7" => a.elu(0.7),
        "leaky_relu" => a.leaky_relu(0.01),
        "leaky_relu by a vector" => a.leaky_relu(b),
        "hardtanh" => a.hardtanh(-1.0, 1.0),
        "polygamma" => a.polygamma(2),
        "polygamma 1" => a.polygamma(1),
        "polygamma 5" => a.polygamma(5),
        "lgamma below 0" => a.lgamma(),
        "gamma_slope" => -tape.record(GammaSlope { order: 1 }, &[a, b]).stop_gradient(),
        "zeta" => tape.full([], 2.5, DType::F64).zeta(a),
        "igamma by x" => tape.full([], 1.7, DType::F64).igamma(a),
        "betainc" => tape.full([], 2.5, DType::F64).betainc(0.7, a),
        "sinc at 0" => a.sinc(),
        "heaviside" => a.stop_gradient().heaviside(0.3),
        "frexp" => a.frexp().0,
        // Its slope of 1 is a convention of this library.
        "nextafter" => a.stop_gradient().nextafter(b.stop_gradient()),
        "select" => x[1].select(a, x[2]),
        "masked_fill" => a.masked_fill(b, 2.5),
        "is_close" => a.is_close(b, 1e-5, 1e-8),
        "stop_gradient" => a * a.stop_gradient().sin(),
        "cast f32" => a.cast(DType::F32).cast(DType::F64),
        "cast bf16" => a.cast(DType::BF16).cast(DType::F64),
        "cast f16" => a.cast(DType::F16).cast(DType::F64),
        "cast i64" => a.cast(DType::I64),
        "cast i32" => a.cast(DType::I32),
        "cast bool" => a.cast(DType::Bool),
        "cast u8 of i64" => a.cast(DType::U8),
        "cast f64 of i64" | "cast f64 of bool" => a.cast(DType::F64),
        "custom_vjp straight through" => a.custom_vjp(|x| x.sign(), |x, _, ct| ct.select(x.abs().le(1.0), 0.0)),
        "custom_jvp softplus" => a.custom_jvp(|x| (x.exp() + 1.0).log(), |x, _, v| v * x.sigmoid()),
        "mse" => (a - b).square().mean(),
        "bce with logits" => (a.softplus() - a * b).mean(),
        "cosine" => a.dot(b) / (a.norm() * b.norm()),
        "layer norm" => {
            let centred = a - a.mean_keep(-1);
            centred / (centred.square().mean_keep(-1) + 1e-5).sqrt() * b + x[2]
        }
        _ => match name.split_once(' ') {
            None | Some((_, "broadcast" | "i64" | "odd")) => return by_name(name.split(' ').next()?, a, b),
            _ => return None,
        },
    })
}

fn by_name<'t>(name: &str, a: Var<'t>, b: Var<'t>) -> Option<Var<'t>> {
    macro_rules! by_name {
        ($($unary:ident)* ; $($binary:ident)*) => {
            match name {
                $(stringify!($unary) => a.$unary(),)*
                $(stringify!($binary) => a.$binary(b),)*
                _ => return None,
            }
        };
    }
    Some(by_name! {
        abs sign recip square sqrt rsqrt cbrt exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh
        atanh sigmoid erf erfc erfinv lgamma digamma floor ceil round trunc relu softplus softsign silu mish selu gelu gelu_exact
        relu6 log_sigmoid bessel_i0e bessel_i1e bessel_i0 bessel_i1 sinc deg2rad rad2deg nan_to_num logit signbit frac exponent
        population_count count_leading_zeros is_nan is_inf is_finite logical_not bitwise_not;
        add sub mul div pow maximum minimum atan2 hypot copysign rem fmod logaddexp mul_masked eq ne lt le gt ge and or xor
        shift_left shift_right shift_right_logical gcd lcm igamma igammac fmax fmin logaddexp2 xlogy xlog1py floor_divide ldexp
    })
}
