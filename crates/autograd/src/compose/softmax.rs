//! Softmax and its kin, which subtract the maximum so that nothing overflows.

use crate::axes::inhabited;
use crate::compose::widened;
use crate::graph::Var;
use crate::meta::floats;
use wengert_tensor::shape::Axes;

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
        let Some(axes) = self.class_axis("softmax", axis) else { return self.tape.poison() };
        let shape = self.shape();
        let y = widened(self, |x| {
            let e = x.below_max(&axes).exp();
            e * e.sum_over(axes.clone()).recip().spread(&shape, &axes)
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
        let Some(axes) = self.class_axis("log_softmax", axis) else { return self.tape.poison() };
        let shape = self.shape();
        let y = widened(self, |x| {
            let below = x.below_max(&axes);
            below - below.exp().sum_over(axes.clone()).log().spread(&shape, &axes)
        });
        self.named("log_softmax", y)
    }

    /// ln Σeˣ along an axis, which is not in the result: a smooth maximum.
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
        let Some(axes) = self.class_axis("logsumexp", axis) else { return self.tape.poison() };
        let shape = self.shape();
        let y = widened(self, |x| {
            let max = x.max_axes(axis).stop_gradient();
            // Where all are −∞, or one is ∞, the differences would be NaN.
            let max = max.select(max.is_finite(), max.filled(0.0));
            max + (x - max.spread(&shape, &axes)).exp().sum_over(axes).log()
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
