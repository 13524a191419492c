//! Softmax and its kin, which subtract the maximum so that nothing overflows.

use crate::axes::inhabited;
use crate::compose::widened;
use crate::graph::Var;
use crate::meta::floats;
use crate::ops::normalized::Normalized;
use crate::sample::{Entry, Sample};
use wengert_tensor::shape::Axes;
use wengert_tensor::tensor::Tensor;

impl<'t> Var<'t> {
    /// Probabilities along an axis: eˣ / Σeˣ.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[0.0f32, 1000.0], [3.0, 3.0]]).apply(|x| x.softmax(-1))?;
    /// assert_eq!(y.to_vec::<f32>()?, [0.0, 1.0, 0.5, 0.5]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn softmax(self, axis: isize) -> Var<'t> {
        let _call = self.tape.call("softmax");
        let Some(axes) = self.class_axis("softmax", axis) else { return self.tape.poison() };
        let shape = self.shape();
        let y = widened(self, |x| {
            let e = x.below_max(&axes).exp();
            let y = e * e.sum_over(axes.clone()).recip().spread(&shape, &axes);
            x.tape.record(Normalized { axes: axes.clone() }, &[y, x])
        });
        self.named("softmax", y)
    }

    /// ln softmax along an axis, without the loss of precision that taking the two one after another brings.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([0.0f32, -1000.0]).apply(|x| x.log_softmax(-1))?;
    /// assert_eq!(y.to_vec::<f32>()?, [0.0, -1000.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn log_softmax(self, axis: isize) -> Var<'t> {
        let _call = self.tape.call("log_softmax");
        let Some(axes) = self.class_axis("log_softmax", axis) else { return self.tape.poison() };
        let shape = self.shape();
        let y = widened(self, |x| {
            let below = x.below_max(&axes);
            below - below.exp().sum_over(axes.clone()).log().spread(&shape, &axes)
        });
        self.named("log_softmax", y)
    }

    /// ln Σeˣ along an axis, which is not in the result: a smooth maximum. Of −∞ alone it is −∞, with the gradient 0.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1000.0f32, 1000.0]).apply(|x| x.logsumexp(-1))?;
    /// assert_eq!(y.item::<f32>()?, 1000.0 + 2f32.ln());
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn logsumexp(self, axis: isize) -> Var<'t> {
        let _call = self.tape.call("logsumexp");
        let Some(axes) = self.class_axis("logsumexp", axis) else { return self.tape.poison() };
        let shape = self.shape();
        let y = widened(self, |x| {
            let max = x.max_axes(axis).stop_gradient();
            // Where all are −∞, or one is ∞, the differences would be NaN.
            let max = max.select(max.is_finite(), max.filled(0.0));
            let sum = (x - max.spread(&shape, &axes)).exp().sum_over(axes);
            // The slope of the logarithm is infinite at 0; not choosing it there makes the gradient of −∞ zero.
            max + sum.log().select(sum.ne(sum.filled(0.0)), sum.filled(f64::NEG_INFINITY))
        });
        self.named("logsumexp", y)
    }

    /// The axis that is normalised; on a mistake the error is on the tape.
    #[track_caller]
    pub(crate) fn class_axis(self, op: &'static str, axis: isize) -> Option<Axes> {
        let axes = self.resolve(op, axis)?;
        let meta = self.meta();
        match floats(&meta).and_then(|()| inhabited(&meta, &axes)) {
            Ok(()) => Some(axes),
            Err(error) => {
                self.reject(op, error);
                None
            }
        }
    }

    /// x − max x. The result of what uses it does not depend on the maximum, so gradients need not pass there.
    #[track_caller]
    pub(crate) fn below_max(self, axes: &Axes) -> Var<'t> {
        let signed: Vec<isize> = axes.iter().map(|&axis| axis as isize).collect();
        self - self.max_axes(signed).stop_gradient().spread(&self.shape(), axes)
    }
}

pub(super) fn entries() -> Vec<Entry> {
    const NONE: f64 = f64::NEG_INFINITY;
    let x = || [Tensor::from([[1.0f64, -2.0, 0.5], [0.3, 0.1, -4.0]])];
    let masked = || [Tensor::from([[0.0f64, NONE, 0.0], [NONE; 3]])];
    vec![
        Entry::new(
            "softmax",
            "softmax.rs",
            vec![
                Sample::new("rows", x(), |_, x| x[0].softmax(-1)),
                Sample::new("columns", x(), |_, x| x[0].softmax(0)),
            ],
        ),
        Entry::new(
            "log_softmax",
            "softmax.rs",
            vec![
                Sample::new("rows", x(), |_, x| x[0].log_softmax(-1)),
                Sample::new("columns", x(), |_, x| x[0].log_softmax(0)),
            ],
        ),
        Entry::new(
            "logsumexp",
            "softmax.rs",
            vec![
                Sample::new("rows", x(), |_, x| x[0].logsumexp(-1)),
                Sample::new("columns", x(), |_, x| x[0].logsumexp(0)),
                Sample::new("a row of −∞", masked(), |_, x| x[0].logsumexp(-1))
                    .kinked()
                    .gives([2f64.ln(), NONE])
                    .slopes([0.5, 0., 0.5, 0., 0., 0.]),
            ],
        ),
    ]
}
