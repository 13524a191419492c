//! Norms other than the Euclidean one.

use crate::axes::{IntoAxes, inhabited};
use crate::compose::widened;
use crate::graph::Var;
use crate::meta::floats;
use crate::sample::{Entry, Sample};
use wengert_tensor::error::Error;
use wengert_tensor::shape::Axes;
use wengert_tensor::tensor::Tensor;

impl<'t> Var<'t> {
    /// The p-norm over some axes: (Σ|x|ᵖ)^(1/p). The largest |x| for p = ∞, the smallest for −∞, and the number of those
    /// that are not 0 for p = 0. Its gradient at 0 is taken as 0, also by an element that is 0.
    ///
    /// The powers are taken relative to the largest |x|, so that they do not overflow.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([3.0f32, -4.0, 0.0]);
    /// let norms = [1.0, 2.0, f64::INFINITY, 0.0].map(|p| x.apply(|x| x.norm_p(p, 0)).and_then(|y| y.item::<f32>()));
    /// assert_eq!(norms.map(|norm| norm.ok()), [Some(7.0), Some(5.0), Some(4.0), Some(2.0)]);
    /// ```
    #[doc(alias = "vector_norm")]
    #[track_caller]
    pub fn norm_p(self, p: f64, axes: impl IntoAxes) -> Var<'t> {
        let _call = self.tape.call("norm_p");
        const OP: &str = "norm_p";
        let Some(axes) = self.resolve(OP, axes) else { return self.tape.poison() };
        let meta = self.meta();
        if let Err(error) = floats(&meta) {
            return self.reject(OP, error);
        }
        if p.is_nan() || (p < 0.0 && p.is_finite()) {
            let error = Error::value(format!("a norm with p = {p}"));
            return self.reject(OP, error.help("p is at least 0, or f64::INFINITY, or f64::NEG_INFINITY"));
        }
        if p.is_infinite()
            && let Err(error) = inhabited(&meta, &axes)
        {
            return self.reject(OP, error);
        }
        let signed: Vec<isize> = axes.iter().map(|&axis| axis as isize).collect();
        let norm = widened(self, |x| match p {
            f64::INFINITY => x.abs().max_axes(signed),
            f64::NEG_INFINITY => x.abs().min_axes(signed),
            0.0 => x.ne(x.filled(0.0)).cast(x.dtype()).sum_over(axes),
            1.0 => x.abs().sum_over(axes),
            2.0 => x.norm_axes(signed),
            _ => x.powers(p, axes, &signed),
        });
        self.named(OP, norm)
    }

    #[track_caller]
    fn powers(self, p: f64, axes: Axes, signed: &[isize]) -> Var<'t> {
        let (size, shape) = (self.abs(), self.shape());
        if inhabited(&self.meta(), &axes).is_err() {
            return self.sum_over(axes);
        }
        let (zero, one) = (self.filled(0.0), self.filled(1.0));
        // The norm of x / s, times s, is that of x whatever s is: no gradient need pass through s.
        let scale = size.max_axes(signed).stop_gradient();
        let usable = scale.is_finite().and(scale.ne(scale.filled(0.0)));
        let scale = scale.select(usable, scale.filled(1.0));
        let parts = size / scale.spread(&shape, &axes);
        // A power of 0 may have an infinite slope; not choosing it there makes the gradient 0.
        let there = size.ne(zero);
        let sum = parts.select(there, one).pow(self.filled(p)).select(there, zero).sum_over(axes);
        let none = sum.eq(sum.filled(0.0));
        let root = sum.filled(1.0).select(none, sum).pow(sum.filled(1.0 / p));
        scale * sum.filled(0.0).select(none, root)
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[1.0f64, -2.0, 0.5], [0.3, 0.1, -4.0]])];
    let zeros = || [Tensor::from([[0.0f64, 0.0], [3.0, 0.0]])];
    let ends = [Tensor::from([f64::INFINITY, 1.0])];
    const MOST: f64 = f64::INFINITY;
    vec![Entry::new(
        "norm_p",
        "norm_p.rs",
        vec![
            Sample::new("1", x(), |_, x| x[0].norm_p(1.0, -1)).gives([3.5, 4.4]).slopes([1., -1., 1., 1., 1., -1.]),
            Sample::new("2", x(), |_, x| x[0].norm_p(2.0, [0, 1])),
            // As PyTorch has it.
            Sample::new("3", x(), |_, x| x[0].norm_p(3.0, -1)).gives([2.089669598190616, 4.000583248284559]).slopes([
                0.2290048874729442,
                -0.9160195498917768,
                0.05725122186823605,
                0.005623359972912014,
                0.0006248177747680017,
                -0.9997084396288025,
            ]),
            Sample::new("1.5, columns", x(), |_, x| x[0].norm_p(1.5, 0).square()),
            Sample::new("a half", x(), |_, x| x[0].norm_p(0.5, 1)),
            Sample::new("∞", x(), |_, x| x[0].norm_p(MOST, -1)).gives([2., 4.]).slopes([0., -1., 0., 0., 0., -1.]),
            Sample::new("−∞", x(), |_, x| x[0].norm_p(-MOST, -1)).gives([0.5, 0.1]).slopes([0., 0., 1., 0., 1., 0.]),
            Sample::new("0", zeros(), |_, x| x[0].norm_p(0.0, -1)).gives([0., 1.]).slopes([0.; 4]),
            Sample::new("1 at zeros", zeros(), |_, x| x[0].norm_p(1.0, -1))
                .kinked()
                .gives([0., 3.])
                .slopes([0., 0., 1., 0.]),
            Sample::new("1.5 at zeros", zeros(), |_, x| x[0].norm_p(1.5, -1)).kinked().slopes([0., 0., 1., 0.]),
            Sample::new("a half at zeros", zeros(), |_, x| x[0].norm_p(0.5, -1)).kinked().slopes([0., 0., 1., 0.]),
            Sample::new("∞ at zeros", zeros(), |_, x| x[0].norm_p(MOST, -1)).kinked().slopes([0., 0., 1., 0.]),
            Sample::new("large powers", [Tensor::from([1e200f64, 1e200])], |_, x| x[0].norm_p(4.0, 0))
                .kinked()
                .gives([1e200 * 2f64.powf(0.25)]),
            Sample::new("an infinite element", ends, |_, x| x[0].norm_p(3.0, 0)).kinked().gives([MOST]),
            Sample::new("of nothing", x(), |_, x| x[0].slice(1, ..0).norm_p(3.0, 1)).gives([0., 0.]).slopes([0.; 6]),
        ],
    )]
}
