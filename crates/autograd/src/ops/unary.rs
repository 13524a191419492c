//! Functions of one number. A row is: formula and derivative in words, the method, sample points, the partial.

use crate::graph::Partial::{MinusOne, Times, Where};
use crate::table::Rule::{Flat, Partials};
use crate::table::{TRUTH, unary};
use std::f64::consts::{FRAC_2_SQRT_PI, LN_2, LOG2_E, LOG10_E};

/// Why rounding has no derivative: gradients of it are zero, as everywhere else where nothing depends.
const STEPS: &str = "it is constant between its steps";

unary! { "unary.rs"
    /// −x. Its derivative is −1.
    #[doc(alias = "negative")]
    neg = Neg at [1.5, -0.5, 0.0] gives -1.5, Partials(|_, _, _| MinusOne);

    /// |x|. Its derivative is the sign of x; at 0 it is taken as 0.
    #[doc(alias = "absolute")]
    abs = Abs at [-1.5, 0.5, 2.0] gives 1.5, Partials(|_, x, _| Times(x[0].sign()));

    /// −1, 0 or 1. It is constant between its jumps: gradients through it are zero.
    #[doc(alias = "sgn")]
    sign = Sign at [-1.5, 0.5, 2.0] gives -1.0, Flat("it is constant on both sides of 0");

    /// 1 / x. Its derivative is −y².
    #[doc(alias = "reciprocal")]
    recip = Recip at [2.0, -0.5, 0.3] gives 0.5, Partials(|_, _, y| Times(-(y * y)));

    /// x². Its derivative is 2x.
    square = Square at [3.0, -1.5, 0.0] gives 9.0, Partials(|_, x, _| Times(x[0].scaled(2.0)));

    /// √x. Its derivative is 1 / 2y; at 0 it is infinite, but a branch that was masked away sends back 0.
    sqrt = Sqrt at [4.0, 0.5, 1.7] gives 2.0, Partials(|_, _, y| Times(y.recip().scaled(0.5)));

    /// 1 / √x. Its derivative is −y³/2.
    rsqrt = Rsqrt at [4.0, 0.5, 1.7] gives 0.5, Partials(|_, _, y| Times((y * y * y).scaled(-0.5)));

    /// ∛x. Its derivative is 1 / 3y².
    cbrt = Cbrt at [8.0, -0.5, 1.7] gives 2.0, Partials(|_, _, y| Times((y * y).scaled(3.0).recip()));

    /// eˣ, its own derivative.
    exp = Exp at [0.0, -1.5, 1.2] gives 1.0, Partials(|_, _, y| Times(y));

    /// 2ˣ. Its derivative is y ln 2.
    exp2 = Exp2 at [3.0, -1.5, 0.2] gives 8.0, Partials(|_, _, y| Times(y.scaled(LN_2)));

    /// eˣ − 1, accurate near 0. Its derivative is y + 1.
    #[doc(alias = "exp_m1")]
    expm1 = Expm1 at [0.0, -1.5, 1.2] gives 0.0, Partials(|_, _, y| Times(y.shifted(1.0)));

    /// ln x. Its derivative is 1 / x; at 0 it is infinite, but a branch that was masked away sends back 0.
    #[doc(alias = "ln")]
    log = Log at [1.0, 0.3, 2.5] gives 0.0, Partials(|_, x, _| Times(x[0].recip()));

    /// log₂ x. Its derivative is 1 / (x ln 2).
    log2 = Log2 at [8.0, 0.3, 2.5] gives 3.0, Partials(|_, x, _| Times(x[0].recip().scaled(LOG2_E)));

    /// log₁₀ x. Its derivative is 1 / (x ln 10).
    log10 = Log10 at [100.0, 0.3, 2.5] gives 2.0, Partials(|_, x, _| Times(x[0].recip().scaled(LOG10_E)));

    /// ln (1 + x), accurate near 0. Its derivative is 1 / (1 + x).
    #[doc(alias = "ln_1p")]
    log1p = Log1p at [0.0, -0.4, 2.5] gives 0.0, Partials(|_, x, _| Times(x[0].shifted(1.0).recip()));

    /// sin x. Its derivative is cos x.
    sin = Sin at [0.0, -1.4, 2.5] gives 0.0, Partials(|_, x, _| Times(x[0].cos()));

    /// cos x. Its derivative is −sin x.
    cos = Cos at [0.0, -1.4, 2.5] gives 1.0, Partials(|_, x, _| Times(-x[0].sin()));

    /// tan x. Its derivative is 1 + y².
    tan = Tan at [0.0, -1.2, 0.5] gives 0.0, Partials(|_, _, y| Times((y * y).shifted(1.0)));

    /// arcsin x. Its derivative is 1 / √(1 − x²).
    #[doc(alias = "arcsin")]
    asin = Asin at [0.0, -0.7, 0.5] gives 0.0, Partials(|_, x, _| Times((x[0].filled(1.0) - x[0].square()).rsqrt()));

    /// arccos x. Its derivative is −1 / √(1 − x²).
    #[doc(alias = "arccos")]
    acos = Acos at [1.0e-9, -0.7, 0.5] gives 1.5707963257948966, Partials(|_, x, _| Times(-(x[0].filled(1.0) - x[0].square()).rsqrt()));

    /// arctan x. Its derivative is 1 / (1 + x²).
    #[doc(alias = "arctan")]
    atan = Atan at [0.0, -1.7, 0.5] gives 0.0, Partials(|_, x, _| Times(x[0].square().shifted(1.0).recip()));

    /// (eˣ − e⁻ˣ) / 2. Its derivative is cosh x.
    sinh = Sinh at [0.0, -1.7, 0.5] gives 0.0, Partials(|_, x, _| Times(x[0].cosh()));

    /// (eˣ + e⁻ˣ) / 2. Its derivative is sinh x.
    cosh = Cosh at [0.0, -1.7, 0.5] gives 1.0, Partials(|_, x, _| Times(x[0].sinh()));

    /// tanh x. Its derivative is 1 − y².
    tanh = Tanh at [0.0, -1.7, 0.5] gives 0.0, Partials(|_, _, y| Times(y.filled(1.0) - y * y));

    /// The inverse of sinh. Its derivative is 1 / √(x² + 1).
    #[doc(alias = "arcsinh")]
    asinh = Asinh at [0.0, -1.7, 0.5] gives 0.0, Partials(|_, x, _| Times(x[0].square().shifted(1.0).rsqrt()));

    /// The inverse of cosh. Its derivative is 1 / √(x² − 1).
    #[doc(alias = "arccosh")]
    acosh = Acosh at [2.0, 1.7, 3.5] gives 1.3169578969248166, Partials(|_, x, _| Times(x[0].square().shifted(-1.0).rsqrt()));

    /// The inverse of tanh. Its derivative is 1 / (1 − x²).
    #[doc(alias = "arctanh")]
    atanh = Atanh at [0.0, -0.7, 0.5] gives 0.0, Partials(|_, x, _| Times((x[0].filled(1.0) - x[0].square()).recip()));

    /// 1 / (1 + e⁻ˣ). Its derivative is y (1 − y).
    #[doc(alias("logistic", "expit"))]
    sigmoid = Sigmoid at [0.0, -1.7, 2.5] gives 0.5, Partials(|_, _, y| Times(y * (y.filled(1.0) - y)));

    /// ln (1 + eˣ), without overflow. Its derivative is the sigmoid.
    softplus = Softplus at [0.0, -1.7, 2.5] gives 0.6931471805599453, Partials(|_, x, _| Times(x[0].sigmoid()));

    /// 2/√π · ∫₀ˣ exp(−t²) dt. Its derivative is 2/√π · exp(−x²).
    erf = Erf at [0.5, -1.1, 0.0] gives 0.5204998778130465, Partials(|_, x, _| Times((-x[0].square()).exp().scaled(FRAC_2_SQRT_PI)));

    /// 1 − erf x, accurate where it is small. Its derivative is −2/√π · exp(−x²).
    erfc = Erfc at [0.5, -1.1, 3.0] gives 0.4795001221869535, Partials(|_, x, _| Times((-x[0].square()).exp().scaled(-FRAC_2_SQRT_PI)));

    /// The inverse of erf: ±∞ at ±1, NaN beyond. Its derivative is √π/2 · exp(y²).
    #[doc(alias = "erf_inv")]
    erfinv = Erfinv at [0.5, -0.9, 0.0] gives 0.4769362762044699, Partials(|_, _, y| Times(y.square().exp().scaled(1.0 / FRAC_2_SQRT_PI)));

    /// The inverse of erfc: ±∞ at 0 and 2, NaN beyond; accurate near 0, down to 1e−300. Its derivative is −√π/2 · exp(y²).
    erfcinv = Erfcinv at [0.5, 1.9, 0.1] gives 0.4769362762044699, Partials(|_, _, y| Times(y.square().exp().scaled(-1.0 / FRAC_2_SQRT_PI)));

    /// ln |Γ(x)|, the logarithm of the factorial of x − 1. Its derivative is the digamma function.
    #[doc(alias("gammaln", "ln_gamma"))]
    lgamma = Lgamma at [4.0, 0.3, 2.5] gives 1.791759469228055, Partials(|_, x, _| Times(x[0].digamma()));

    /// ψ(x), the derivative of ln Γ(x). Its derivatives are the polygamma functions.
    #[doc(alias = "psi")]
    digamma = Digamma at [1.0, 0.3, 2.5] gives -0.5772156649015329, Partials(|_, x, _| Times(x[0].polygamma(1)));

    /// e^(−|x|) I₀(x), the scaled modified Bessel function of order 0. Its derivative is that of order 1 less sign(x) y.
    #[doc(alias = "i0e")]
    bessel_i0e = I0e at [0.5, -1.3, 30.0] gives 0.6450352704491501, Partials(|_, x, y| Times(x[0].bessel_i1e() - x[0].sign() * y));

    /// e^(−|x|) I₁(x), the scaled modified Bessel function of order 1. Its derivative is that of order 0 less (sign(x) + 1/x) y, and ½ at 0.
    #[doc(alias = "i1e")]
    bessel_i1e = I1e at [0.5, -1.3, 30.0] gives 0.1564208031848717, Partials(|_, x, y| {
        // Around 0, y/x is its series: a subnormal y has few digits.
        let square = x[0].square();
        let series = square.scaled(1.0 / 9216.0).shifted(1.0 / 192.0) * square;
        let series = (series.shifted(0.125) * square).shifted(1.0).scaled(0.5) * (-x[0].abs()).exp();
        let ratio = series.select(square.lt(square.filled(1e-4)), y / x[0]);
        Times(x[0].bessel_i0e() - x[0].sign() * y - ratio)
    });

    /// The largest integer that is not above x. Gradients through it are zero.
    floor = Floor at [1.7, -0.5, 2.2] gives 1.0, Flat(STEPS);

    /// The smallest integer that is not below x. Gradients through it are zero.
    ceil = Ceil at [1.2, -0.5, 2.2] gives 2.0, Flat(STEPS);

    /// The n with x = m · 2ⁿ and ½ ≤ |m| < 1, as a float; 0 for 0, ±∞ and NaN. Gradients through it are zero.
    exponent = Exponent at [12.0, -0.3, 1.7] gives 4.0, Flat(STEPS);

    /// The nearest integer; ties go to the even one. Gradients through it are zero.
    #[doc(alias = "rint")]
    round = Round at [2.4, -0.6, 1.7] gives 2.0, Flat(STEPS);

    /// The integer part. Gradients through it are zero.
    #[doc(alias = "fix")]
    trunc = Trunc at [-1.7, 0.5, 2.2] gives -1.0, Flat(STEPS);

    /// max(x, 0). Its derivative is 1 where x > 0, else 0; at 0 it is taken as 0.
    relu = Relu at [1.5, -0.5, 0.3] gives 1.5, Partials(|_, x, _| Where(x[0].gt(x[0].filled(0.0))));

    /// Whether x is NaN.
    #[doc(alias = "isnan")]
    is_nan = IsNan at [1.5, -0.5, 0.0] gives 0.0, TRUTH;

    /// Whether x is +∞ or −∞.
    #[doc(alias = "isinf")]
    is_inf = IsInf at [1.5, -0.5, 0.0] gives 0.0, TRUTH;

    /// Whether x is neither infinite nor NaN.
    #[doc(alias = "isfinite")]
    is_finite = IsFinite at [1.5, -0.5, 0.0] gives 1.0, TRUTH;
}
