//! What goes with masks: filling them, and numbers that are close.

use crate::graph::Var;
use crate::operand::{Like, Operand};
use crate::sample::{Entry, Sample};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Error;
use wengert_tensor::tensor::Tensor;

impl<'t> Var<'t> {
    /// This value with `value` where the mask is true. What was covered gets the gradient 0, whatever it was.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1.0f32, f32::NAN, 3.0]).apply(|x| x.masked_fill(x.is_nan(), 0.0))?;
    /// assert_eq!(y.to_vec::<f32>()?, [1.0, 0.0, 3.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn masked_fill(self, mask: impl Operand<'t>, value: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("masked_fill");
        let value = value.into_var(self.tape, Like::of(self));
        self.named("masked_fill", value.select(mask, self))
    }

    /// Whether |x − y| ≤ `absolute` + `relative` · |y|. Equal infinities are close; NaN is close to nothing.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1.0f32, 1.1, f32::NAN]).apply(|x| x.is_close(1.000001, 1e-5, 1e-8))?;
    /// assert_eq!(y.to_vec::<bool>()?, [true, false, false]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "isclose")]
    #[track_caller]
    pub fn is_close(self, other: impl Operand<'t>, relative: f64, absolute: f64) -> Var<'t> {
        let _call = self.tape.call("is_close");
        if let Some(odd) = [relative, absolute].into_iter().find(|tolerance| tolerance.is_nan() || *tolerance < 0.0) {
            let error = Error::value(format!("a tolerance of {odd}"));
            return self.reject("is_close", error.help("a tolerance is a small number, at least 0"));
        }
        let other = other.into_var(self.tape, Like::of(self));
        let equal = self.eq(other);
        // Whole numbers are compared as floats: the tolerances are none of theirs.
        let [x, y] = [self, other].map(|x| if x.dtype().is_float() { x } else { x.cast(DType::F64) });
        let off = x.sub(y).abs();
        let near = off.le(y.abs().mul(relative).add(absolute)).and(off.is_finite());
        let y = equal.or(near);
        self.named("is_close", y)
    }

    /// ln (eˣ + eʸ), without overflow.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1000.0f32]).apply(|x| x.logaddexp(1000.0))?;
    /// assert_eq!(y.item::<f32>()?, 1000.0 + 2f32.ln());
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn logaddexp(self, other: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("logaddexp");
        let other = other.into_var(self.tape, Like::of(self));
        // NaN is neither above nor below, and comes out of the sum either way.
        let above = self.ge(other);
        let (high, low) = (self.select(above, other), other.select(above, self));
        // Of two equal infinities the difference is NaN. Their mean is what they are, and each has a half of its slope.
        let infinite = high.eq(low).and(high.is_inf());
        let y = self.add(other).mul(0.5).select(infinite, high.add(low.sub(high).softplus()));
        self.named("logaddexp", y)
    }
}

pub(super) fn entries() -> Vec<Entry> {
    const ENDS: [f64; 4] = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1.0];
    let x = || Tensor::from([1.0f64, -2.0, 0.5, 3.0]);
    let y = || Tensor::from([1.5f64, -2.5, 0.5, -30.0]);
    let mask = || Tensor::from([true, false, false, true]);
    let entry = |op, samples| Entry::new(op, "mask.rs", samples);
    vec![
        entry(
            "masked_fill",
            vec![
                Sample::new("number", [x(), mask()], |_, x| x[0].masked_fill(x[1], -1.0).square())
                    .gives([1., 4., 0.25, 1.])
                    .slopes([0., -4., 1., 0.]),
                Sample::new("value", [x(), mask(), y()], |_, x| x[0].masked_fill(x[1], x[2]).exp()),
                Sample::new("over NaN", [Tensor::from(ENDS)], |_, x| {
                    x[0].masked_fill(x[0].is_finite().logical_not(), 2.0).log()
                })
                .kinked()
                .slopes([0., 0., 0., 1.]),
                Sample::new("i64", [Tensor::from([1i64, 2])], |_, x| x[0].masked_fill(x[0].gt(1), 9)).gives([1., 9.]),
            ],
        ),
        entry(
            "is_close",
            vec![
                Sample::new("near", [x(), y()], |_, x| x[0].is_close(x[1], 0.2, 0.1)).gives([0., 1., 1., 0.]),
                Sample::new("ends of the numbers", [Tensor::from(ENDS)], |_, x| x[0].is_close(x[0], 0.0, 0.0))
                    .gives([1., 1., 0., 1.]),
                Sample::new("far infinities", [Tensor::from(ENDS)], |_, x| x[0].is_close(-x[0], 1.0, 0.0))
                    .gives([0., 0., 0., 0.]),
                Sample::new("i64", [Tensor::from([1i64, 2])], |_, x| x[0].is_close(2, 0.1, 0.5)).gives([0., 1.]),
            ],
        ),
        entry(
            "logaddexp",
            vec![
                // As PyTorch has it.
                Sample::new("f64", [x(), y()], |_, x| x[0].logaddexp(x[1]))
                    .gives([1.9740769841801067, -1.5259230158198933, 1.1931471805599454, 3.0000000000000044])
                    .slopes([0.3775406687981454, 0.6224593312018546, 0.5, 0.9999999999999953]),
                Sample::new("equal", [x()], |_, x| x[0].logaddexp(x[0].stop_gradient())).kinked().slopes([0.5; 4]),
                Sample::new("ends of the numbers", [Tensor::from(ENDS)], |_, x| x[0].logaddexp(x[0])).kinked().gives([
                    f64::INFINITY,
                    f64::NEG_INFINITY,
                    f64::NAN,
                    1.0 + 2f64.ln(),
                ]),
                Sample::new("with −∞", [x()], |_, x| x[0].logaddexp(f64::NEG_INFINITY))
                    .gives([1., -2., 0.5, 3.])
                    .slopes([1.0; 4]),
                Sample::new("f32", [x()], |_, x| x[0].cast(DType::F32).logaddexp(1.0)).kinked(),
            ],
        ),
    ]
}
