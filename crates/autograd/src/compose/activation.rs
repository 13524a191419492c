//! Functions of one value that are written with others: activations, bounds, integer powers.

use crate::graph::Var;
use crate::operand::{Like, Operand};
use crate::sample::{Entry, Sample};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI};
use wengert_tensor::tensor::Tensor;

impl<'t> Var<'t> {
    /// The Gaussian error linear unit in its tanh form: x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1.0f64]).apply(|x| x.gelu())?;
    /// assert!((y.item::<f64>()? - 0.8411919906082768).abs() < 1e-12);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn gelu(self) -> Var<'t> {
        let _call = self.tape.call("gelu");
        // (1 + tanh u) / 2 is the sigmoid of 2u: one function, and fewer roundings.
        let slope = 2.0 * FRAC_2_PI.sqrt();
        let inner = self.square().scaled(0.044715 * slope).shifted(slope) * self;
        self.named("gelu", self * inner.sigmoid())
    }

    /// The Gaussian error linear unit itself: x (1 + erf(x / √2)) / 2.
    #[track_caller]
    pub fn gelu_exact(self) -> Var<'t> {
        let _call = self.tape.call("gelu_exact");
        let inside = self.scaled(FRAC_1_SQRT_2).erf().shifted(1.0);
        self.named("gelu_exact", (self * inside).scaled(0.5))
    }

    /// x · sigmoid(x), also called swish.
    #[doc(alias = "swish")]
    #[track_caller]
    pub fn silu(self) -> Var<'t> {
        let _call = self.tape.call("silu");
        self.named("silu", self * self.sigmoid())
    }

    /// x where x > 0, else `slope` · x. Its derivative at 0 is `slope`.
    #[track_caller]
    pub fn leaky_relu(self, slope: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("leaky_relu");
        self.named("leaky_relu", self.select(self.gt(self.filled(0.0)), self.mul(slope)))
    }

    /// x where x > 0, else `alpha` · (eˣ − 1). Its derivative at 0 is `alpha`.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([2.0f32, -1000.0]).apply(|x| x.elu(0.5))?;
    /// assert_eq!(y.to_vec::<f32>()?, [2.0, -0.5]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn elu(self, alpha: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("elu");
        self.named("elu", self.select(self.gt(self.filled(0.0)), self.expm1().mul(alpha)))
    }

    /// [`Var::elu`] scaled so that mean 0 and variance 1 are kept from layer to layer.
    #[track_caller]
    pub fn selu(self) -> Var<'t> {
        let _call = self.tape.call("selu");
        let negative = self.expm1().scaled(1.6732632423543772);
        let y = self.select(self.gt(self.filled(0.0)), negative).scaled(1.0507009873554805);
        self.named("selu", y)
    }

    /// x · tanh(softplus(x)).
    #[track_caller]
    pub fn mish(self) -> Var<'t> {
        let _call = self.tape.call("mish");
        self.named("mish", self * self.softplus().tanh())
    }

    /// x / (1 + |x|).
    #[track_caller]
    pub fn softsign(self) -> Var<'t> {
        let _call = self.tape.call("softsign");
        self.named("softsign", self / self.abs().shifted(1.0))
    }

    /// ln sigmoid(x), without overflow.
    #[doc(alias = "logsigmoid")]
    #[track_caller]
    pub fn log_sigmoid(self) -> Var<'t> {
        let _call = self.tape.call("log_sigmoid");
        self.named("log_sigmoid", -(-self).softplus())
    }

    /// x, held between `low` and `high`. Its derivative is 1 between them and 0 outside; at the bounds it is taken as 0.
    #[track_caller]
    pub fn hardtanh(self, low: impl Operand<'t>, high: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("hardtanh");
        let (low, high) = self.bounds(low, high);
        let inside = self.gt(low).and(self.lt(high));
        self.named("hardtanh", self.select(inside, self.clamp(low, high).stop_gradient()))
    }

    /// x, held between 0 and 6.
    #[track_caller]
    pub fn relu6(self) -> Var<'t> {
        let _call = self.tape.call("relu6");
        self.named("relu6", self.hardtanh(self.filled(0.0), self.filled(6.0)))
    }

    /// x, held between `low` and `high`. Its derivative is 1 between them, also at the bounds, and 0 outside. NaN where x or a bound
    /// is NaN; `high` where `low` is above it.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([-2.0f32, 0.5, 2.0]).apply(|x| x.clamp(-1.0, 1.0))?;
    /// assert_eq!(y.to_vec::<f32>()?, [-1.0, 0.5, 1.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "clip")]
    #[track_caller]
    pub fn clamp(self, low: impl Operand<'t>, high: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("clamp");
        let (low, high) = self.bounds(low, high);
        // A number is neither above nor below NaN: asked for itself, NaN says no.
        let above = low.select(self.lt(low).or(low.ne(low)), self);
        self.named("clamp", high.select(above.gt(high).or(high.ne(high)), above))
    }

    #[track_caller]
    fn bounds(self, low: impl Operand<'t>, high: impl Operand<'t>) -> (Var<'t>, Var<'t>) {
        (low.into_var(self.tape, Like::of(self)), high.into_var(self.tape, Like::of(self)))
    }

    /// xⁿ for an integer n, by multiplications alone, of x or of 1 / x: exact in its signs, with derivatives of every order at 0.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// assert_eq!(Tensor::from([-2.0f32]).apply(|x| x.powi(5))?.item::<f32>()?, -32.0);
    /// assert_eq!(Tensor::from([-2.0f32]).apply(|x| x.powi(-2))?.item::<f32>()?, 0.25);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "integer_pow")]
    #[track_caller]
    pub fn powi(self, n: i32) -> Var<'t> {
        let _call = self.tape.call("powi");
        let mut rest = n.unsigned_abs();
        // Not the reciprocal of the power: at 0 its derivative is a product of 0 and ∞.
        let mut square = if n < 0 { self.recip() } else { self };
        let mut power: Option<Var<'t>> = None;
        while rest > 0 {
            if rest & 1 == 1 {
                power = Some(power.map_or(square, |power| power * square));
            }
            rest >>= 1;
            if rest > 0 {
                square = square * square;
            }
        }
        let power = power.unwrap_or_else(|| self.ones_like());
        if n == 1 { power } else { self.named("powi", power) }
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([1.0f64, -0.5, 0.3, -3.0, 7.0])];
    let f32s = || [Tensor::from([1.0f32, -0.5, 0.0, f32::INFINITY, f32::NAN])];
    let both = |op, run| {
        let cases = vec![Sample::new("f64", x(), run), Sample::new("f32 and its ends", f32s(), run).kinked()];
        Entry::new(op, "activation.rs", cases)
    };
    vec![
        both("gelu", |_, x| x[0].gelu()),
        both("gelu_exact", |_, x| x[0].gelu_exact()),
        both("silu", |_, x| x[0].silu()),
        both("leaky_relu", |_, x| x[0].leaky_relu(0.1)),
        both("elu", |_, x| x[0].elu(0.5)),
        both("selu", |_, x| x[0].selu()),
        both("mish", |_, x| x[0].mish()),
        both("softsign", |_, x| x[0].softsign()),
        both("log_sigmoid", |_, x| x[0].log_sigmoid()),
        both("hardtanh", |_, x| x[0].hardtanh(-1.1, 1.1)),
        both("relu6", |_, x| x[0].relu6()),
        Entry::new(
            "powi",
            "activation.rs",
            vec![
                Sample::new("f64", x(), |_, x| x[0].powi(-3)),
                Sample::new("f32 and its ends", f32s(), |_, x| x[0].powi(-3)).kinked(),
                Sample::new("at 0", [Tensor::from([0.0f64, -0.0])], |_, x| x[0].powi(-2))
                    .kinked()
                    .gives([f64::INFINITY; 2])
                    .slopes([f64::NEG_INFINITY, f64::INFINITY]),
                Sample::new("odd, at 0", [Tensor::from([0.0f64, -0.0])], |_, x| x[0].powi(-3))
                    .kinked()
                    .gives([f64::INFINITY, f64::NEG_INFINITY])
                    .slopes([f64::NEG_INFINITY; 2]),
                Sample::new("positive, at 0", [Tensor::from([0.0f64, 2.0])], |_, x| x[0].powi(3))
                    .gives([0., 8.])
                    .slopes([0., 12.]),
            ],
        ),
        Entry::new(
            "clamp",
            "activation.rs",
            vec![
                Sample::new("f64", x(), |_, x| x[0].clamp(-1.0, 2.0)).gives([1., -0.5, 0.3, -1., 2.]),
                Sample::new("at the bounds", x(), |_, x| x[0].clamp(-0.5, 1.0)).kinked().slopes([1., 1., 1., 0., 0.]),
                Sample::new("NaN", [x()[0].clone(), Tensor::from([f64::NAN])], |_, x| x[0].clamp(x[1], 2.0))
                    .kinked()
                    .gives([f64::NAN; 5])
                    .slopes([0.; 5]),
                Sample::new("NaN above", [x()[0].clone(), Tensor::from([f64::NAN])], |_, x| x[0].clamp(-1.0, x[1]))
                    .kinked()
                    .gives([f64::NAN; 5])
                    .slopes([0.; 5]),
                Sample::new("NaN between", f32s(), |_, x| x[0].clamp(-1.0, 0.5)).kinked().gives([
                    0.5,
                    -0.5,
                    0.,
                    0.5,
                    f64::NAN,
                ]),
                Sample::new("i64", [Tensor::from([1i64, 5, 9])], |_, x| x[0].clamp(2, 6)).gives([2., 5., 6.]),
            ],
        ),
    ]
}
