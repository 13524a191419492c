//! Means, variances and norms.

use crate::axes::{IntoAxes, inhabited};
use crate::compose::widened;
use crate::graph::Var;
use crate::meta::floats;
use crate::sample::{Entry, Sample};
use wengert_tensor::error::Error;
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
        let _call = self.tape.call("mean");
        self.mean_over("mean", self.all_axes())
    }

    /// The mean over some axes.
    #[track_caller]
    pub fn mean_axes(self, axes: impl IntoAxes) -> Var<'t> {
        let _call = self.tape.call("mean");
        match self.resolve("mean", axes) {
            Some(axes) => self.mean_over("mean", axes),
            None => self.tape.poison(),
        }
    }

    /// As [`Var::mean_axes`], with the axes kept at size 1.
    #[track_caller]
    pub fn mean_keep(self, axes: impl IntoAxes) -> Var<'t> {
        let _call = self.tape.call("mean");
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
        let _call = self.tape.call("var");
        self.var_over(self.all_axes())
    }

    /// The variance over some axes.
    #[track_caller]
    pub fn var_axes(self, axes: impl IntoAxes) -> Var<'t> {
        let _call = self.tape.call("var");
        match self.resolve("var", axes) {
            Some(axes) => self.var_over(axes),
            None => self.tape.poison(),
        }
    }

    /// As [`Var::var_axes`], with the axes kept at size 1.
    #[track_caller]
    pub fn var_keep(self, axes: impl IntoAxes) -> Var<'t> {
        let _call = self.tape.call("var");
        match self.resolve("var", axes) {
            Some(axes) => self.var_over(axes.clone()).keeping(&self.shape(), &axes),
            None => self.tape.poison(),
        }
    }

    /// The variance over some axes, estimated from a sample: divided by n − `correction`, so 1 is that of PyTorch's default.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1.0f32, 2.0, 6.0]).apply(|x| x.var_corrected(0, 1.0))?;
    /// assert_eq!(y.item::<f32>()?, 7.0);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn var_corrected(self, axes: impl IntoAxes, correction: f64) -> Var<'t> {
        let _call = self.tape.call("var");
        match self.resolve("var", axes) {
            Some(axes) => self.spread_out("var", axes, correction),
            None => self.tape.poison(),
        }
    }

    /// The standard deviation of all elements: the root of [`Var::var`]. Its gradient where all are equal is taken as 0.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1.0f32, 5.0]).apply(|x| x.std())?;
    /// assert_eq!(y.item::<f32>()?, 2.0);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn std(self) -> Var<'t> {
        let _call = self.tape.call("std");
        self.std_over(self.all_axes(), 0.0)
    }

    /// The standard deviation over some axes.
    #[track_caller]
    pub fn std_axes(self, axes: impl IntoAxes) -> Var<'t> {
        let _call = self.tape.call("std");
        self.std_corrected(axes, 0.0)
    }

    /// As [`Var::std_axes`], with the axes kept at size 1.
    #[track_caller]
    pub fn std_keep(self, axes: impl IntoAxes) -> Var<'t> {
        let _call = self.tape.call("std");
        match self.resolve("std", axes) {
            Some(axes) => self.std_over(axes.clone(), 0.0).keeping(&self.shape(), &axes),
            None => self.tape.poison(),
        }
    }

    /// The root of [`Var::var_corrected`].
    #[track_caller]
    pub fn std_corrected(self, axes: impl IntoAxes, correction: f64) -> Var<'t> {
        let _call = self.tape.call("std");
        match self.resolve("std", axes) {
            Some(axes) => self.std_over(axes, correction),
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
        let _call = self.tape.call("norm");
        self.norm_over(self.all_axes())
    }

    /// The Euclidean norm over some axes. Its gradient at 0 is taken as 0.
    #[track_caller]
    pub fn norm_axes(self, axes: impl IntoAxes) -> Var<'t> {
        let _call = self.tape.call("norm");
        match self.resolve("norm", axes) {
            Some(axes) => self.norm_over(axes),
            None => self.tape.poison(),
        }
    }

    /// As [`Var::norm_axes`], with the axes kept at size 1.
    #[track_caller]
    pub fn norm_keep(self, axes: impl IntoAxes) -> Var<'t> {
        let _call = self.tape.call("norm");
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
    fn spread_out(self, op: &'static str, axes: Axes, correction: f64) -> Var<'t> {
        let meta = self.meta();
        if let Err(error) = floats(&meta).and_then(|()| inhabited(&meta, &axes)) {
            return self.reject(op, error);
        }
        let count: usize = axes.iter().filter_map(|&axis| meta.shape.get(axis)).product();
        let left = count as f64 - correction;
        if left.is_nan() || left <= 0.0 {
            let error =
                Error::value(format!("{count} elements with a correction of {correction} leave nothing to divide by"));
            return self.reject(op, error.help("the correction is below the number of elements"));
        }
        let variance = widened(self, |x| {
            let mean = x.mean_over(op, axes.clone()).spread(&meta.shape, &axes);
            let sum = (x - mean).square().sum_over(axes);
            sum / sum.filled(left)
        });
        self.named(op, variance)
    }

    #[track_caller]
    fn std_over(self, axes: Axes, correction: f64) -> Var<'t> {
        let deviation = widened(self, |x| {
            let variance = x.spread_out("std", axes, correction);
            // The slope of the root is infinite at 0; not choosing it there makes the gradient 0.
            let zero = variance.filled(0.0);
            variance.sqrt().select(variance.ne(zero), zero)
        });
        self.named("std", deviation)
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
            "std",
            "statistic.rs",
            vec![
                Sample::new("all", x(), |_, x| x[0].std()),
                Sample::new("corrected", x(), |_, x| {
                    x[0].std_corrected(-1, 1.0).square() - x[0].var_corrected(-1, 1.0)
                })
                .gives([0., 0.]),
                // As PyTorch has it.
                Sample::new("rows", x(), |_, x| x[0].std_corrected(-1, 1.0))
                    .gives([1.6072751268321592, 2.4269322199023193])
                    .slopes([
                        0.36293309315564887,
                        -0.5703234321017339,
                        0.20739033894608505,
                        0.30903211628637345,
                        0.267827834114857,
                        -0.5768599504012304,
                    ]),
                Sample::new("columns, kept", x(), |_, x| x[0].std_keep(0) * x[0]),
                Sample::new("equal elements", [Tensor::from([[0.5f64; 3], [0.0, 3.0, 0.0]])], |_, x| x[0].std_axes(1))
                    .kinked()
                    .gives([0., 2f64.sqrt()])
                    .slopes([0., 0., 0., -(2f64.sqrt()) / 6., 2f64.sqrt() / 3., -(2f64.sqrt()) / 6.]),
                Sample::new("of one", x(), |_, x| x[0].slice(1, ..1).std_axes(1))
                    .kinked()
                    .gives([0., 0.])
                    .slopes([0.; 6]),
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
