//! Functions of NumPy and of special mathematics that are written with others.

use crate::graph::Var;
use crate::operand::{Like, Operand};
use crate::sample::{Entry, Sample};
use std::f64::consts::{LN_2, LOG2_E, PI};
use wengert_tensor::dtype::DType;
use wengert_tensor::tensor::Tensor;

impl<'t> Var<'t> {
    /// sin(πx) / (πx), and 1 at 0. Smooth: around 0 it is its series.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([0.0f64, 0.5]).apply(|x| x.sinc())?.to_vec::<f64>()?;
    /// assert!(y[0] == 1.0 && (y[1] - std::f64::consts::FRAC_2_PI).abs() < 1e-15);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn sinc(self) -> Var<'t> {
        let _call = self.tape.call("sinc");
        let angle = self.scaled(PI);
        let square = angle.square();
        let series = [1.0 / 362_880.0, -1.0 / 5_040.0, 1.0 / 120.0, -1.0 / 6.0];
        let series = series.into_iter().fold(square.scaled(-1.0 / 39_916_800.0), |sum, c| sum.shifted(c) * square);
        let near = square.lt(square.filled(0.04));
        self.named("sinc", series.shifted(1.0).select(near, angle.sin() / angle))
    }

    /// Degrees as radians: πx / 180.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([180.0f64]).apply(|x| x.deg2rad())?;
    /// assert_eq!(y.item::<f64>()?, std::f64::consts::PI);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "radians")]
    #[track_caller]
    pub fn deg2rad(self) -> Var<'t> {
        let _call = self.tape.call("deg2rad");
        self.named("deg2rad", self.scaled(PI / 180.0))
    }

    /// Radians as degrees: 180x / π.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([std::f64::consts::PI]).apply(|x| x.rad2deg())?;
    /// assert_eq!(y.item::<f64>()?, 180.0);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "degrees")]
    #[track_caller]
    pub fn rad2deg(self) -> Var<'t> {
        let _call = self.tape.call("rad2deg");
        self.named("rad2deg", self.scaled(180.0 / PI))
    }

    /// 0 below 0, 1 above it, and `at_zero` at 0; NaN stays NaN. Only `at_zero` gets a gradient, where it was taken.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([-2.0f32, 0.0, 3.0]).apply(|x| x.heaviside(0.5))?;
    /// assert_eq!(y.to_vec::<f32>()?, [0.0, 0.5, 1.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn heaviside(self, at_zero: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("heaviside");
        let at_zero = at_zero.into_var(self.tape, Like::of(self));
        // The sign is −1, 0 or 1, and NaN where x is.
        let step = (self.sign() + self.filled(1.0)).mul(self.filled(0.5)).stop_gradient();
        self.named("heaviside", at_zero.select(self.eq(self.filled(0.0)), step))
    }

    /// The larger of two; where one is NaN, the other.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1.0f32, f32::NAN]).apply(|x| x.fmax(0.5))?;
    /// assert_eq!(y.to_vec::<f32>()?, [1.0, 0.5]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn fmax(self, other: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("fmax");
        let other = other.into_var(self.tape, Like::of(self));
        self.named("fmax", but_nan(self, other, self.maximum(other)))
    }

    /// The smaller of two; where one is NaN, the other.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1.0f32, f32::NAN]).apply(|x| x.fmin(0.5))?;
    /// assert_eq!(y.to_vec::<f32>()?, [0.5, 0.5]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn fmin(self, other: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("fmin");
        let other = other.into_var(self.tape, Like::of(self));
        self.named("fmin", but_nan(self, other, self.minimum(other)))
    }

    /// NaN replaced by 0, and infinities by the largest numbers of the dtype. What was replaced gets the gradient 0.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1.5f32, f32::NAN, f32::NEG_INFINITY]).apply(|x| x.nan_to_num())?;
    /// assert_eq!(y.to_vec::<f32>()?, [1.5, 0.0, f32::MIN]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn nan_to_num(self) -> Var<'t> {
        let _call = self.tape.call("nan_to_num");
        let largest = match self.dtype() {
            DType::F64 => f64::MAX,
            DType::F32 => f64::from(f32::MAX),
            DType::BF16 => 255.0 * 2f64.powi(120),
            _ => 65_504.0,
        };
        let bounded = self.filled(largest).copysign(self).select(self.is_inf(), self);
        self.named("nan_to_num", self.filled(0.0).select(self.is_nan(), bounded))
    }

    /// log₂ (2ˣ + 2ʸ), without overflow.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1000.0f64]).apply(|x| x.logaddexp2(1000.0))?;
    /// assert!((y.item::<f64>()? - 1001.0).abs() < 1e-9);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn logaddexp2(self, other: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("logaddexp2");
        let other = other.into_var(self.tape, Like::of(self));
        self.named("logaddexp2", self.scaled(LN_2).logaddexp(other.scaled(LN_2)).scaled(LOG2_E))
    }

    /// x ln y, and 0 where x is 0, whatever y.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([0.0f32, 2.0]).apply(|x| x.xlogy(&Tensor::from([0.0f32, 1.0])))?;
    /// assert_eq!(y.to_vec::<f32>()?, [0.0, 0.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn xlogy(self, y: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("xlogy");
        let y = y.into_var(self.tape, Like::of(self));
        self.named("xlogy", times(self, y.log()))
    }

    /// x ln (1 + y), and 0 where x is 0, whatever y.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([0.0f32, 2.0]).apply(|x| x.xlog1py(&Tensor::from([-1.0f32, 0.0])))?;
    /// assert_eq!(y.to_vec::<f32>()?, [0.0, 0.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn xlog1py(self, y: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("xlog1py");
        let y = y.into_var(self.tape, Like::of(self));
        self.named("xlog1py", times(self, y.log1p()))
    }

    /// ln (p / (1 − p)), the inverse of the sigmoid.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([0.5f64]).apply(|p| p.logit())?;
    /// assert_eq!(y.item::<f64>()?, 0.0);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn logit(self) -> Var<'t> {
        let _call = self.tape.call("logit");
        self.named("logit", self.log() - (-self).log1p())
    }

    /// ⌊x / y⌋, exact where the quotient itself would be rounded up to a whole number. Integers floor, too, and x / 0 is 0. Gradients
    /// through it are zero.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([-7i64, 7]).apply(|x| x.floor_divide(2))?;
    /// assert_eq!(y.to_vec::<i64>()?, [-4, 3]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn floor_divide(self, other: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("floor_divide");
        let other = other.into_var(self.tape, Like::of(self));
        let quotient = (self - self.rem(other)) / other;
        self.named("floor_divide", if quotient.dtype().is_float() { quotient.round() } else { quotient })
    }

    /// Whether the sign bit is set: for −0 and NaN with a sign, too.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([-0.0f32, 0.0]).apply(|x| x.signbit())?;
    /// assert_eq!(y.to_vec::<bool>()?, [true, false]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn signbit(self) -> Var<'t> {
        let _call = self.tape.call("signbit");
        let sign = if self.dtype().is_float() { self.filled(1.0).copysign(self) } else { self };
        self.named("signbit", sign.lt(sign.filled(0.0)))
    }

    /// The fraction, x − trunc x, with the sign of x. Its derivative is 1.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([2.25f32, -0.5]).apply(|x| x.frac())?;
    /// assert_eq!(y.to_vec::<f32>()?, [0.25, -0.5]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "modf")]
    #[track_caller]
    pub fn frac(self) -> Var<'t> {
        let _call = self.tape.call("frac");
        self.named("frac", self - self.trunc())
    }

    /// m and n with x = m · 2ⁿ and ½ ≤ |m| < 1, where n is i32. 0, ±∞ and NaN are their own m, with n = 0. The derivative of m is 2⁻ⁿ.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let (m, n) = tape.input(&Tensor::from([12.0f32, -0.25])).frexp();
    /// assert_eq!(m.value()?.to_vec::<f32>()?, [0.75, -0.5]);
    /// assert_eq!(n.value()?.to_vec::<i32>()?, [4, -1]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn frexp(self) -> (Var<'t>, Var<'t>) {
        let _call = self.tape.call("frexp");
        let n = self.exponent();
        (self.named("frexp", self.ldexp(-n)), n.cast(DType::I32))
    }

    /// The least common multiple, which is not negative; that of 0 and anything is 0.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([4i64, 0]).apply(|x| x.lcm(-6))?;
    /// assert_eq!(y.to_vec::<i64>()?, [12, 0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn lcm(self, other: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("lcm");
        let other = other.into_var(self.tape, Like::of(self));
        // x / 0 is 0.
        self.named("lcm", (self / self.gcd(other) * other).abs())
    }

    /// I₀(x), the modified Bessel function of the first kind of order 0. [`Var::bessel_i0e`] does not overflow.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1.0f64]).apply(|x| x.bessel_i0())?;
    /// assert!((y.item::<f64>()? - 1.2660658777520082).abs() < 1e-14);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn bessel_i0(self) -> Var<'t> {
        let _call = self.tape.call("bessel_i0");
        self.named("bessel_i0", self.bessel_i0e() * self.abs().exp())
    }

    /// I₁(x), the modified Bessel function of the first kind of order 1. [`Var::bessel_i1e`] does not overflow.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1.0f64]).apply(|x| x.bessel_i1())?;
    /// assert!((y.item::<f64>()? - 0.565159103992485).abs() < 1e-14);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn bessel_i1(self) -> Var<'t> {
        let _call = self.tape.call("bessel_i1");
        self.named("bessel_i1", self.bessel_i1e() * self.abs().exp())
    }
}

/// `both`, but where one of x and y is NaN, the other.
#[track_caller]
fn but_nan<'t>(x: Var<'t>, y: Var<'t>, both: Var<'t>) -> Var<'t> {
    x.select(y.is_nan(), y.select(x.is_nan(), both))
}

/// x · y, and 0 where x is 0, whatever y.
#[track_caller]
fn times<'t>(x: Var<'t>, y: Var<'t>) -> Var<'t> {
    x.mul_masked(y).select(y.ne(y.filled(0.0)), x.mul(y))
}

pub(super) fn entries() -> Vec<Entry> {
    const ENDS: [f64; 5] = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -0.0, 1.5];
    let x = || Tensor::from([0.3f64, -1.7, 2.5]);
    let y = || Tensor::from([1.2f64, 0.4, 3.5]);
    let whole = || Tensor::from([12i64, -7, 0]);
    let entry = |op, samples| Entry::new(op, "scalar.rs", samples);
    vec![
        entry(
            "sinc",
            vec![
                Sample::new("f64", [x()], |_, x| x[0].sinc()),
                Sample::new("around 0", [Tensor::from([0.0f64, 1e-3, 0.0634, 0.064, -0.05])], |_, x| x[0].sinc()),
                Sample::new("second derivative at 0", [Tensor::from([0.0f64])], |tape, x| {
                    tape.grad(x[0].sinc().sum(), x[0])
                })
                .slopes([-PI * PI / 3.0]),
            ],
        ),
        entry("deg2rad", vec![Sample::new("f64", [x()], |_, x| x[0].deg2rad().sin())]),
        entry("rad2deg", vec![Sample::new("f64", [x()], |_, x| x[0].rad2deg().square())]),
        entry(
            "heaviside",
            vec![
                Sample::new("f64", [Tensor::from(ENDS)], |_, x| x[0].heaviside(0.25))
                    .kinked()
                    .gives([1.0, 0.0, f64::NAN, 0.25, 1.0])
                    .slopes([0.0; 5]),
                Sample::new("at 0", [x()], |_, x| x[0].filled(0.0).heaviside(x[0]))
                    .gives([0.3, -1.7, 2.5])
                    .slopes([1.0; 3]),
            ],
        ),
        entry(
            "fmax",
            vec![
                Sample::new("f64", [x(), y()], |_, x| x[0].fmax(x[1]).square()),
                Sample::new("NaN", [Tensor::from(ENDS)], |_, x| x[0].fmax(0.5)).kinked().gives([
                    f64::INFINITY,
                    0.5,
                    0.5,
                    0.5,
                    1.5,
                ]),
            ],
        ),
        entry(
            "fmin",
            vec![
                Sample::new("f64", [x(), y()], |_, x| x[0].fmin(x[1]).square()),
                Sample::new("NaN", [Tensor::from(ENDS)], |_, x| x[0].filled(0.5).fmin(x[0])).kinked().gives([
                    0.5,
                    f64::NEG_INFINITY,
                    0.5,
                    0.0,
                    0.5,
                ]),
            ],
        ),
        entry(
            "nan_to_num",
            vec![
                Sample::new("f64", [Tensor::from(ENDS)], |_, x| x[0].nan_to_num())
                    .kinked()
                    .gives([f64::MAX, f64::MIN, 0.0, 0.0, 1.5])
                    .slopes([0.0, 0.0, 0.0, 1.0, 1.0]),
                Sample::new("bf16", [Tensor::from(ENDS)], |_, x| x[0].cast(DType::BF16).nan_to_num().is_finite())
                    .gives([1.0; 5]),
                Sample::new("f16", [Tensor::from(ENDS)], |_, x| x[0].cast(DType::F16).nan_to_num().is_finite())
                    .gives([1.0; 5]),
            ],
        ),
        entry("logaddexp2", vec![Sample::new("f64", [x(), y()], |_, x| x[0].logaddexp2(x[1]))]),
        entry(
            "xlogy",
            vec![
                Sample::new("f64", [x(), y()], |_, x| x[0].xlogy(x[1])),
                Sample::new("0 ln 0", [Tensor::from([0.0f64, 0.0])], |_, x| x[0].stop_gradient().xlogy(x[0]))
                    .gives([0.0, 0.0])
                    .kinked(),
            ],
        ),
        entry("xlog1py", vec![Sample::new("f64", [x(), y()], |_, x| x[0].xlog1py(x[1]))]),
        entry("logit", vec![Sample::new("f64", [Tensor::from([0.1f64, 0.5, 0.8])], |_, x| x[0].logit())]),
        entry(
            "floor_divide",
            vec![
                Sample::new("f64", [x(), y()], |_, x| x[0].floor_divide(x[1])).gives([0.0, -5.0, 0.0]),
                Sample::new("i64", [whole()], |_, x| x[0].floor_divide(-5)).gives([-3.0, 1.0, 0.0]),
            ],
        ),
        entry(
            "signbit",
            vec![
                Sample::new("f64", [Tensor::from([-0.0f64, 0.0, -3.0])], |_, x| x[0].signbit()).gives([1.0, 0.0, 1.0]),
            ],
        ),
        entry("frac", vec![Sample::new("f64", [x()], |_, x| x[0].frac().square())]),
        entry(
            "frexp",
            vec![
                Sample::new("mantissa", [x()], |_, x| x[0].frexp().0)
                    .gives([0.6, -0.85, 0.625])
                    .slopes([2.0, 0.5, 0.25]),
                Sample::new("exponent", [Tensor::from([0.3f64, 1024.0, 0.0])], |_, x| x[0].frexp().1)
                    .gives([-1.0, 11.0, 0.0]),
            ],
        ),
        entry("lcm", vec![Sample::new("i64", [whole()], |_, x| x[0].lcm(18)).gives([36.0, 126.0, 0.0])]),
        entry("bessel_i0", vec![Sample::new("f64", [x()], |_, x| x[0].bessel_i0())]),
        entry("bessel_i1", vec![Sample::new("f64", [x()], |_, x| x[0].bessel_i1())]),
    ]
}
