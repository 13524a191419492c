//! What runs along an axis and is made of other runs: extrema so far, and a running `logsumexp`.

use crate::compose::widened;
use crate::graph::Var;
use crate::meta::floats;
use crate::sample::{Entry, Sample};
use wengert_tensor::tensor::Tensor;

impl<'t> Var<'t> {
    /// The largest element so far, along an axis. The gradient goes to the first of equal ones; NaN stays.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1.0f32, 3.0, 2.0, 4.0]).apply(|x| x.cummax(0))?;
    /// assert_eq!(y.to_vec::<f32>()?, [1.0, 3.0, 3.0, 4.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn cummax(self, axis: isize) -> Var<'t> {
        let _call = self.tape.call("cummax");
        match self.shape().axis(axis) {
            Ok(_) => self.named("cummax", self.take_along(axis, self.argcummax(axis))),
            Err(error) => self.reject("cummax", error),
        }
    }

    /// The smallest element so far, along an axis. The gradient goes to the first of equal ones; NaN stays.
    #[track_caller]
    pub fn cummin(self, axis: isize) -> Var<'t> {
        let _call = self.tape.call("cummin");
        match self.shape().axis(axis) {
            Ok(_) => self.named("cummin", self.take_along(axis, self.argcummin(axis))),
            Err(error) => self.reject("cummin", error),
        }
    }

    /// ln (eˣ⁰ + … + eˣⁱ) along an axis, without overflow. Where all so far are −∞ it is −∞, with the gradient 0.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1000.0f64, 1000.0, -1000.0]).apply(|x| x.logcumsumexp(0))?;
    /// assert_eq!(y.to_vec::<f64>()?, [1000.0, 1000.0 + 2f64.ln(), 1000.0 + 2f64.ln()]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "cumlogsumexp")]
    #[track_caller]
    pub fn logcumsumexp(self, axis: isize) -> Var<'t> {
        let _call = self.tape.call("logcumsumexp");
        let meta = self.meta();
        let at = match floats(&meta).and_then(|()| meta.shape.axis(axis)) {
            Ok(at) => at,
            Err(error) => return self.reject("logcumsumexp", error),
        };
        if meta.shape.is_empty() {
            return self;
        }
        let y = widened(self, |x| {
            let max = x.cummax(axis).stop_gradient();
            // Before the first number, the maximum is −∞, and the differences would be NaN.
            let max = max.select(max.is_finite(), max.filled(0.0));
            // Sᵢ = Σ exp(xⱼ − maxᵢ): what was summed shrinks when the maximum grows, and never grows.
            let zero = max.filled(0.0);
            let shrink = (max.shifted_along(at, false, 0.0) - max).minimum(zero).exp().stop_gradient();
            let sum = (x - max).exp().linear_scan(shrink, axis);
            max + sum.log().select(sum.ne(zero), sum.filled(f64::NEG_INFINITY))
        });
        self.named("logcumsumexp", y)
    }
}

pub(super) fn entries() -> Vec<Entry> {
    const NONE: f64 = f64::NEG_INFINITY;
    let x = || [Tensor::from([[1.0f64, 3.0, 2.0, 4.0], [0.5, -1.0, 2.5, 2.0]])];
    let tie = || [Tensor::from([2.0f64, 3.0, 3.0, 1.0, 1.0])];
    let nan = || [Tensor::from([2.0f64, 1.0, f64::NAN, 5.0])];
    let steps = || [Tensor::from([NONE, NONE, -800.0, 900.0, -5.0, NONE, 900.5])];
    vec![
        Entry::new(
            "cummax",
            "cumulative.rs",
            vec![
                Sample::new("rows", x(), |_, x| x[0].cummax(-1).square())
                    .gives([1., 9., 9., 16., 0.25, 0.25, 6.25, 6.25])
                    .slopes([2., 12., 0., 8., 2., 0., 10., 0.]),
                Sample::new("columns", x(), |_, x| x[0].cummax(0)).gives([1., 3., 2., 4., 1., 3., 2.5, 4.]),
                Sample::new("tie", tie(), |_, x| x[0].cummax(0)).kinked().slopes([1., 4., 0., 0., 0.]),
                Sample::new("NaN", nan(), |_, x| x[0].cummax(0)).kinked().gives([2., 2., f64::NAN, f64::NAN]),
            ],
        ),
        Entry::new(
            "cummin",
            "cumulative.rs",
            vec![
                Sample::new("rows", x(), |_, x| x[0].cummin(-1)).gives([1., 1., 1., 1., 0.5, -1., -1., -1.]),
                Sample::new("tie", tie(), |_, x| x[0].cummin(0)).kinked().slopes([3., 0., 0., 2., 0.]),
                Sample::new("i64", [Tensor::from([3i64, 1, 2])], |_, x| x[0].cummin(0)).gives([3., 1., 1.]),
            ],
        ),
        Entry::new(
            "logcumsumexp",
            "cumulative.rs",
            vec![
                // As PyTorch has it.
                Sample::new("rows", x(), |_, x| x[0].logcumsumexp(-1))
                    .gives([
                        1.0,
                        3.1269280110429727,
                        3.4076059644443806,
                        4.440189698561196,
                        0.5,
                        0.7014132779827524,
                        2.6531782071222882,
                        3.072144588774332,
                    ])
                    .slopes([
                        1.241292098472583,
                        1.782920851842614,
                        0.3318727897968301,
                        0.643914259887972,
                        2.0100605948978667,
                        0.22537498229917935,
                        1.42229072937093,
                        0.3422736934320239,
                    ]),
                Sample::new("columns", x(), |_, x| x[0].logcumsumexp(0)),
                Sample::new("falling", x(), |_, x| x[0].flip(1).logcumsumexp(1).square()),
                Sample::new("steps of −∞ and far apart", steps(), |_, x| x[0].logcumsumexp(0)).kinked().gives([
                    NONE,
                    NONE,
                    -800.,
                    900.,
                    900.,
                    900.,
                    900.5 + (-0.5f64).exp().ln_1p(),
                ]),
                Sample::new("nothing", x(), |_, x| x[0].slice(1, ..0).logcumsumexp(1)).gives([]).slopes([0.0; 8]),
                Sample::new("bf16", x(), |_, x| x[0].cast(wengert_tensor::dtype::DType::BF16).logcumsumexp(1)).kinked(),
            ],
        ),
    ]
}
