//! Functions of two numbers. A row is: formula and derivatives in words, the method, sample points, the partials.

use crate::graph::Partial::{MinusOne, One, Times, Zero};
use crate::graph::{OpRef, Var};
use crate::operand::{Like, Operand};
use crate::sample::Sample;
use crate::table::Rule::Partials;
use crate::table::{Elementwise, Row, binary};
use wengert_tensor::error::Error;
use wengert_tensor::kernels::scalar::ScalarFn;
use wengert_tensor::tensor::Tensor;

binary! { "binary.rs" f64
    /// x + y.
    #[doc(alias = "plus")]
    add = Add at [(1.5, 2.0), (-0.5, 0.3)] gives 3.5, Partials(|_, _, _| One);

    /// x − y.
    #[doc(alias = "subtract")]
    sub = Sub at [(1.5, 2.0), (-0.5, 0.3)] gives -0.5, Partials(|i, _, _| if i == 0 { One } else { MinusOne });

    /// x · y. The derivative by each operand is the other one.
    #[doc(alias("multiply", "times"))]
    mul = Mul at [(1.5, 2.0), (-0.5, 0.3)] gives 3.0, Partials(|i, x, _| Times(x[1 - i]));

    /// x / y. The derivatives are 1 / y and −(x / y) / y. Integers truncate toward zero, and x / 0 is 0.
    #[doc(alias("divide", "true_divide"))]
    div = Div at [(3.0, 2.0), (-0.5, 0.3)] gives 1.5, Partials(|i, x, y| match i {
        0 => Times(x[1].recip()),
        _ => Times(-(y / x[1])),
    });

    /// The remainder x − y ⌊x / y⌋, with the sign of y. The derivatives are 1 and −⌊x / y⌋.
    #[doc(alias("remainder", "mod"))]
    rem = Rem at [(5.5, 2.0), (-0.5, 0.3), (2.0, -0.7)] gives 1.5, Partials(|i, x, _| match i {
        0 => One,
        _ => Times(-(x[0] / x[1]).floor()),
    });

    /// The remainder x − y trunc(x / y), with the sign of x. The derivatives are 1 and −trunc(x / y).
    fmod = Fmod at [(5.5, 2.0), (-0.5, 0.3), (2.0, -0.7)] gives 1.5, Partials(|i, x, _| match i {
        0 => One,
        _ => Times(-(x[0] / x[1]).trunc()),
    });

    /// xʸ. The derivatives are y xʸ⁻¹, taken as 0 where y is 0, and xʸ ln x, taken as 0 where x is 0 and y is not negative.
    #[doc(alias = "power")]
    pow = Pow at [(1.5, 2.0), (0.5, 0.3), (2.5, -1.5)] gives 2.25, Partials(|i, x, y| Times(power(i, x, y)));

    /// The larger of the two; NaN when either is. Its derivative belongs to the larger; a tie gives each a half.
    maximum = Maximum at [(1.5, 2.0), (-0.5, -1.3)] gives 2.0, Partials(|i, x, _| Times(share(x[i].gt(x[1 - i]), x)));

    /// The smaller of the two; NaN when either is. Its derivative belongs to the smaller; a tie gives each a half.
    minimum = Minimum at [(1.5, 2.0), (-0.5, -1.3)] gives 1.5, Partials(|i, x, _| Times(share(x[i].lt(x[1 - i]), x)));

    /// P(a, x) = ∫₀ˣ tᵃ⁻¹ e⁻ᵗ dt / Γ(a), the regularised lower incomplete gamma function, where `self` is a. The derivative by x is the
    /// density xᵃ⁻¹ e⁻ˣ / Γ(a), that by a is computed with the function itself, to any order. NaN for a negative operand.
    #[doc(alias = "gammainc")]
    igamma = Igamma at [(2.5, 1.5), (0.4, 0.3), (12.0, 14.0)] gives 0.3000141641213724, Partials(|i, x, _| Times(incomplete(i, x)));

    /// Q(a, x) = 1 − P(a, x), the regularised upper incomplete gamma function, accurate where it is small. The derivatives are those of
    /// [`Var::igamma`], negated.
    #[doc(alias = "gammaincc")]
    igammac = Igammac at [(2.5, 1.5), (0.4, 0.3), (12.0, 14.0)] gives 0.6999858358786276, Partials(|i, x, _| Times(-incomplete(i, x)));

    /// The float next to x in the direction of y; y itself where they are equal. For f32 and f64. The derivatives are 1 and 0.
    nextafter = NextAfter at [(1.0, 2.0), (-0.5, -1.3)] gives 1.0000000000000002, Partials(|i, _, _| if i == 0 { One } else { Zero });

    /// The angle of the point (y, x), where `self` is the height. With h = √(x² + y²) the derivatives are x / h² by y and −y / h² by x,
    /// as (x / h) / h, which neither overflows nor vanishes on the way.
    #[doc(alias = "arctan2")]
    atan2 = Atan2 at [(1.0, 1.0), (-0.5, -1.3), (0.4, -0.3)] gives 0.7853981633974483, Partials(|i, x, _| {
        let h = x[0].hypot(x[1]);
        let slope = x[1 - i] / h / h;
        Times(if i == 0 { slope } else { -slope })
    });

    /// √(x² + y²), without overflow. The derivatives are x / h and y / h, taken as 0 at the origin.
    hypot = Hypot at [(3.0, 4.0), (-0.5, -1.3)] gives 5.0, Partials(|i, x, y| {
        Times((x[i] / y).select(y.ne(y.filled(0.0)), y.filled(0.0)))
    });

    /// |x| with the sign of y. The derivative by x is the product of the signs, taken as 0 at x = 0; that by y is 0.
    copysign = CopySign at [(1.5, -2.0), (-0.5, 0.3), (-0.5, -0.3)] gives -1.5, Partials(|i, x, _| match i {
        0 => Times(x[0].sign() * x[0].filled(1.0).copysign(x[1])),
        _ => Zero,
    });

    /// x · y, but 0 where either is 0, whatever the other is. The product by which the engine multiplies cotangents: a masked branch never
    /// makes NaN out of a zero, and reverse and forward mode, which meet the factors from both ends, agree. Its derivatives are those of
    /// the plain product.
    mul_masked = MulMasked at [(1.5, 2.0), (-0.5, 0.3)] gives 3.0, Partials(|i, x, _| Times(x[1 - i]));
}

/// ψₙ(x): the operands are n and x. The order does not vary continuously, so no derivative is compared along it.
pub(super) const POLYGAMMA: Row = Row {
    function: ScalarFn::Polygamma,
    file: "binary.rs",
    rule: Partials(|i, x, _| match i {
        0 => Zero,
        _ => Times(x[0].shifted(1.0).with(OpRef::Static(&Elementwise(ScalarFn::Polygamma)), x[1])),
    }),
    samples: || {
        let x = || [Tensor::from([1.0f64, 0.3, 2.5])];
        let known = [1.6449340668482266, 12.245364546107734, 0.4903577561002349];
        vec![
            Sample::new("1", x(), |_, x| x[0].polygamma(1)).gives(known),
            Sample::new("3", x(), |_, x| x[0].polygamma(3)),
            Sample::new("f32", [Tensor::from([0.7f32])], |_, x| x[0].polygamma(2)),
        ]
    },
};

impl<'t> Var<'t> {
    /// ψₙ(x), the n-th derivative of the digamma function. Its derivative is ψₙ₊₁(x).
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1.0f64]).apply(|x| x.polygamma(1))?;
    /// assert!((y.item::<f64>()? - std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-12);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn polygamma(self, n: u32) -> Var<'t> {
        self.filled(f64::from(n)).with(OpRef::Static(&Elementwise(ScalarFn::Polygamma)), self)
    }
}

/// ζ(s, q). By s it has no derivative that is known in closed form.
pub(super) const ZETA: Row = Row {
    function: ScalarFn::Zeta,
    file: "binary.rs",
    rule: Partials(|i, x, _| match i {
        0 => {
            let error = Error::value("has no derivative by its exponent s").help("stop it: .stop_gradient()");
            Times(x[0].tape.reject("zeta", &[("s", x[0]), ("q", x[1])], error))
        }
        _ => Times(-x[0] * x[0].shifted(1.0).zeta(x[1])),
    }),
    samples: || {
        let x = || [Tensor::from([1.0f64, 0.3, 2.5])];
        let known = [1.6449340668482264, 12.245364546107732, 0.4903577561002349];
        vec![
            Sample::new("2", x(), |tape, x| tape.full([], 2.0, x[0].dtype()).zeta(x[0])).gives(known),
            Sample::new("1.5", x(), |tape, x| tape.full([], 1.5, x[0].dtype()).zeta(x[0])),
            Sample::new("f32", [Tensor::from([0.7f32])], |_, x| x[0].filled(3.0).zeta(x[0])),
        ]
    },
};

/// x · 2ⁿ. The exponent is whole, so no derivative is compared along it.
pub(super) const LDEXP: Row = Row {
    function: ScalarFn::Ldexp,
    file: "binary.rs",
    rule: Partials(|i, x, _| match i {
        0 => Times(x[0].filled(1.0).ldexp(x[1])),
        _ => Zero,
    }),
    samples: || {
        let x = || [Tensor::from([1.5f64, -0.3, 0.0])];
        vec![
            Sample::new("whole", x(), |_, x| x[0].ldexp(3)).gives([12.0, -2.4, 0.0]).slopes([8.0; 3]),
            Sample::new("of i32", x(), |tape, x| x[0].square().ldexp(tape.input(&Tensor::from([1i32, -1, -2000]))))
                .gives([4.5, 0.045, 0.0]),
            Sample::new("f32", [Tensor::from([0.7f32])], |_, x| x[0].ldexp(-2)),
        ]
    },
};

impl<'t> Var<'t> {
    /// ζ(s, q) = Σ (q + k)⁻ˢ for k = 0, 1, 2, …, where `self` is s: Hurwitz's zeta function, and Riemann's at q = 1.
    ///
    /// +∞ at s = 1 and at q = 0, −1, −2, …; NaN for s < 1, and for q < 0 where s is no whole number. The derivative by q is −s ζ(s + 1, q);
    /// by s there is none, and to ask for it is an error.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([2.0f64]).apply(|s| s.zeta(1.0))?;
    /// assert!((y.item::<f64>()? - std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-12);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn zeta(self, q: impl Operand<'t>) -> Var<'t> {
        self.with(OpRef::Static(&Elementwise(ScalarFn::Zeta)), q)
    }

    /// x · 2ⁿ, rounded once, for whole n (others are rounded toward zero); n may be an integer. The derivative by x is 2ⁿ, that by n is 0.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([0.75f32, -1.0]).apply(|x| x.ldexp(4))?;
    /// assert_eq!(y.to_vec::<f32>()?, [12.0, -16.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn ldexp(self, n: impl Operand<'t>) -> Var<'t> {
        let n = n.into_var(self.tape, Like::of(self));
        let n = if n.dtype().is_float() { n } else { n.cast(self.dtype()) };
        self.with(OpRef::Static(&Elementwise(ScalarFn::Ldexp)), n)
    }
}

/// The derivatives of P(a, x) by a and by x.
fn incomplete<'t>(i: usize, x: &[Var<'t>]) -> Var<'t> {
    let (a, x) = (x[0], x[1]);
    // 0 · ln 0 is 0 where a is 1.
    let density = (a.shifted(-1.0).mul_masked(x.log()) - x - a.lgamma()).exp();
    if i == 0 { density * a.gamma_slope(x, 1) } else { density }
}

fn power<'t>(i: usize, x: &[Var<'t>], y: Var<'t>) -> Var<'t> {
    let zero = y.filled(0.0);
    match i {
        0 => (x[1] * x[0].pow(x[1].shifted(-1.0))).select(x[1].ne(zero), zero),
        _ => zero.select(x[0].eq(zero).and(x[1].ge(zero)), y * x[0].log()),
    }
}

/// 1 where `wins`, a half where the two are equal, else 0.
fn share<'t>(wins: Var<'t>, x: &[Var<'t>]) -> Var<'t> {
    let (one, half, zero) = (x[0].filled(1.0), x[0].filled(0.5), x[0].filled(0.0));
    one.select(wins, half.select(x[0].eq(x[1]), zero))
}
