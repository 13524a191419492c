//! Means, variances and norms.

use crate::axes::{IntoAxes, inhabited};
use crate::compose::widened;
use crate::graph::Var;
use crate::meta::floats;
use crate::sample::{Entry, Sample};
use wengert_tensor::shape::Axes;
use wengert_tensor::tensor::Tensor;

impl<'t> Var<'t> {
    /// The mean of all elements: Σx / n.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1.0f32, 2.0, 6.0]).apply(|x| x.mean())?;
    /// assert_eq!(y.item::<f32>()?, 3.0);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn mean(self) -> Var<'t> {
        self.mean_over("mean", self.all_axes())
    }

    /// The mean over some axes.
    #[track_caller]
    pub fn mean_axes(self, axes: impl IntoAxes) -> Var<'t> {
        match self.resolve("mean", axes) {
            Some(axes) => self.mean_over("mean", axes),
            None => self.tape.poison(),
        }
    }

    /// As [`Var::mean_axes`], with the axes kept at size 1.
    #[track_caller]
    pub fn mean_keep(self, axes: impl IntoAxes) -> Var<'t> {
        match self.resolve("mean", axes) {
            Some(axes) => self.mean_over("mean", axes.clone()).keeping(&self.shape(), &axes),
            None => self.tape.poison(),
        }
    }

    /// The variance of all elements: the mean of the squared distances from the mean.
    ///
    /// It is that of the elements themselves (divided by n, as in NumPy and JAX), not an estimate from a sample.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1.0f32, 2.0, 3.0, 6.0]).apply(|x| x.var())?;
    /// assert_eq!(y.item::<f32>()?, 3.5);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn var(self) -> Var<'t> {
        self.var_over(self.all_axes())
    }

    /// The variance over some axes.
    #[track_caller]
    pub fn var_axes(self, axes: impl IntoAxes) -> Var<'t> {
        match self.resolve("var", axes) {
            Some(axes) => self.var_over(axes),
            None => self.tape.poison(),
        }
    }

    /// As [`Var::var_axes`], with the axes kept at size 1.
    #[track_caller]
    pub fn var_keep(self, axes: impl IntoAxes) -> Var<'t> {
        match self.resolve("var", axes) {
            Some(axes) => self.var_over(axes.clone()).keeping(&self.shape(), &axes),
            None => self.tape.poison(),
        }
    }

    /// The Euclidean norm of all elements: √Σx². Its gradient at 0 is taken as 0.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([3.0f32, 4.0]).apply(|x| x.norm())?;
    /// assert_eq!(y.item::<f32>()?, 5.0);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn norm(self) -> Var<'t> {
        self.norm_over(self.all_axes())
    }

    /// The Euclidean norm over some axes. Its gradient at 0 is taken as 0.
    #[track_caller]
    pub fn norm_axes(self, axes: impl IntoAxes) -> Var<'t> {
        match self.resolve("norm", axes) {
            Some(axes) => self.norm_over(axes),
            None => self.tape.poison(),
        }
    }

    /// As [`Var::norm_axes`], with the axes kept at size 1.
    #[track_caller]
    pub fn norm_keep(self, axes: impl IntoAxes) -> Var<'t> {
        match self.resolve("norm", axes) {
            Some(axes) => self.norm_over(axes.clone()).keeping(&self.shape(), &axes),
            None => self.tape.poison(),
        }
    }

    /// Over axes that are known to be right, in the name of `op`.
    #[track_caller]
    pub(crate) fn mean_over(self, op: &'static str, axes: Axes) -> Var<'t> {
        let meta = self.meta();
        if let Err(error) = floats(&meta).and_then(|()| inhabited(&meta, &axes)) {
            return self.reject(op, error);
        }
        let count: usize = axes.iter().filter_map(|&axis| meta.shape.get(axis)).product();
        let mean = widened(self, |x| {
            let sum = x.sum_over(axes);
            sum / sum.filled(count as f64)
        });
        self.named(op, mean)
    }

    #[track_caller]
    fn var_over(self, axes: Axes) -> Var<'t> {
        let shape = self.shape();
        let variance = widened(self, |x| {
            let mean = x.mean_over("var", axes.clone()).spread(&shape, &axes);
            (x - mean).square().mean_over("var", axes)
        });
        self.named("var", variance)
    }

    #[track_caller]
    fn norm_over(self, axes: Axes) -> Var<'t> {
        let norm = widened(self, |x| {
            let squares = x.square().sum_over(axes);
            // The slope of the root is infinite at 0; not choosing it there makes the gradient 0.
            let zero = squares.filled(0.0);
            squares.sqrt().select(squares.ne(zero), zero)
        });
        self.named("norm", norm)
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[1.0f64, -2.0, 0.5], [0.3, 0.1, -4.0]])];
    let zeros = || [Tensor::from([[0.0f64, 0.0], [3.0, 4.0]])];
    vec![
        Entry::new(
            "mean",
            "statistic.rs",
            vec![
                Sample::new("all", x(), |_, x| x[0].mean().square()),
                Sample::new("rows", x(), |_, x| x[0].mean_axes(-1)).slopes([1.0 / 3.0; 6]),
                Sample::new("columns, kept", x(), |_, x| x[0].mean_keep(0) * x[0]),
            ],
        ),
        Entry::new(
            "var",
            "statistic.rs",
            vec![
                Sample::new("all", x(), |_, x| x[0].var()),
                Sample::new("rows", x(), |_, x| x[0].var_axes(-1)),
                Sample::new("columns, kept", x(), |_, x| x[0].var_keep(0) * x[0]),
            ],
        ),
        Entry::new(
            "norm",
            "statistic.rs",
            vec![
                Sample::new("all", x(), |_, x| x[0].norm()),
                Sample::new("rows", x(), |_, x| x[0].norm_axes(-1)),
                Sample::new("columns, kept", x(), |_, x| x[0].norm_keep(0) * x[0]),
                Sample::new("a row of zeros", zeros(), |_, x| x[0].norm_axes(1))
                    .kinked()
                    .gives([0., 5.])
                    .slopes([0., 0., 0.6, 0.8]),
            ],
        ),
    ]
}
