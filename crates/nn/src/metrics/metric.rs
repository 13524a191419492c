//! What a metric is, and the meter that adds it up.

use super::named::Named;
use crate::explain::blame;
use std::panic::Location;
use wengert_autograd::{Tape, Var};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// A figure that is the same function of sums over all samples, however they were cut into batches.
///
/// What cannot be added, as a largest error or a variance, says how it is put together in [`merge`](Metric::merge).
///
/// ```
/// use wengert_autograd::Var;
/// use wengert_nn::metrics::metric::{Meter, Metric};
/// use wengert_tensor::tensor::Tensor;
///
/// /// The mean of prediction − target: does the model lean to one side?
/// struct Bias;
///
/// impl Metric for Bias {
///     fn name(&self) -> String {
///         "bias".into()
///     }
///     fn observe<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
///         (prediction - target).sum()
///     }
/// }
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut bias = Meter::new(Bias);
/// bias.update(&Tensor::from([2f32, 3.0]), &Tensor::from([1f32, 1.0]))?;
/// bias.update(&Tensor::from([4f32]), &Tensor::from([1f32]))?;
/// assert_eq!(bias.value(), 2.0);
/// # Ok(()) }
/// ```
pub trait Metric: Send + Sync {
    /// The column's name in the logs: `accuracy`.
    fn name(&self) -> String;

    /// The sums of one batch, recorded on the tape of the prediction: any shape, the same for every batch.
    fn observe<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t>;

    /// [`observe`](Metric::observe) for samples that count more or less: a weight for each, `[batch]` or of the shape of what is compared. A
    /// sample of weight 0 is left out, whatever its numbers are. The default is an error: there is no form with weights.
    ///
    /// The [count](Metric::count) knows nothing of weights, so such a metric keeps their sum itself.
    #[track_caller]
    fn observe_weighted<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Var<'t>) -> Var<'t> {
        let error = Error::state(format!("`{}` takes no weights", self.name()));
        let operands = [("prediction", prediction), ("target", target), ("weights", weights)];
        prediction.tape().reject("metric", &operands, error.help("`Metric::observe_weighted` says what they mean"))
    }

    /// How many things a batch with targets of this shape counts as. The default is the number of elements.
    fn count(&self, target: &Shape) -> usize {
        target.len()
    }

    /// Takes the sums of a batch, or of another meter, into those so far, which are as many. The default adds them.
    ///
    /// It must not matter in which order batches come, nor how they are grouped.
    fn merge(&self, total: &mut [f64], batch: &[f64]) {
        total.iter_mut().zip(batch).for_each(|(total, sum)| *total += sum);
    }

    /// The figure that follows from the added sums of [`observe`](Metric::observe) and the added counts. The default
    /// is the mean, the first sum ÷ count. NaN before the first batch.
    fn value(&self, sums: &[f64], count: usize) -> f64 {
        sums.first().map_or(f64::NAN, |sum| sum / count as f64)
    }

    /// Whether a larger figure is a better one. The default is no.
    fn higher_is_better(&self) -> bool {
        false
    }

    /// This metric under another name: where two of a kind are watched, or the name is too long for a column.
    ///
    /// ```
    /// use wengert_nn::metrics::{metric::Metric, recall::Recall};
    /// assert_eq!(Recall::new().class(2).named("recall_cat").name(), "recall_cat");
    /// ```
    fn named(self, name: impl Into<String>) -> Named<Self>
    where
        Self: Sized,
    {
        Named::new(self, name)
    }
}

/// A pointer to a metric is that metric.
macro_rules! pointer {
    ($pointer:ty) => {
        impl<M: Metric + ?Sized> Metric for $pointer {
            fn name(&self) -> String {
                (**self).name()
            }

            fn observe<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
                (**self).observe(prediction, target)
            }

            fn observe_weighted<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Var<'t>) -> Var<'t> {
                (**self).observe_weighted(prediction, target, weights)
            }

            fn count(&self, target: &Shape) -> usize {
                (**self).count(target)
            }

            fn merge(&self, total: &mut [f64], batch: &[f64]) {
                (**self).merge(total, batch)
            }

            fn value(&self, sums: &[f64], count: usize) -> f64 {
                (**self).value(sums, count)
            }

            fn higher_is_better(&self) -> bool {
                (**self).higher_is_better()
            }
        }
    };
}
pointer!(Box<M>);
pointer!(&M);

/// A metric with the sums of the batches so far, in f64.
///
/// ```
/// use wengert_nn::metrics::{accuracy::Accuracy, metric::Meter};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut accuracy = Meter::new(Accuracy::new());
/// accuracy.update(&Tensor::from([[0.9f32, 0.1], [0.2, 0.8]]), &Tensor::from([0i64, 0]))?;
/// assert_eq!(accuracy.value(), 0.5);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Meter<M> {
    metric: M,
    sums: Vec<f64>,
    count: usize,
}

impl<M: Metric> Meter<M> {
    /// A meter that has seen nothing.
    pub fn new(metric: M) -> Meter<M> {
        Meter { metric, sums: Vec::new(), count: 0 }
    }

    /// The metric.
    pub fn metric(&self) -> &M {
        &self.metric
    }

    /// Takes a batch in.
    ///
    /// # Errors
    /// Shapes or dtypes that the metric does not take; another number of classes than before. The meter is then as it was.
    #[track_caller]
    pub fn update(&mut self, prediction: &Tensor, target: &Tensor) -> Result<()> {
        let tape = Tape::new();
        let sums = self.metric.observe(tape.input(prediction), tape.input(target));
        self.take(sums, target.shape(), Location::caller())
    }

    /// Takes a batch in whose samples count as their weights say.
    ///
    /// ```
    /// use wengert_nn::metrics::{accuracy::Accuracy, metric::Meter};
    /// use wengert_tensor::tensor::Tensor;
    ///
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let mut accuracy = Meter::new(Accuracy::new());
    /// let scores = Tensor::from([[0.9f32, 0.1], [0.2, 0.8]]);
    /// accuracy.update_weighted(&scores, &Tensor::from([0i64, 0]), &Tensor::from([3f32, 1.0]))?;
    /// assert_eq!(accuracy.value(), 0.75);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of [`update`](Meter::update), and a metric that takes no weights.
    #[track_caller]
    pub fn update_weighted(&mut self, prediction: &Tensor, target: &Tensor, weights: &Tensor) -> Result<()> {
        let tape = Tape::new();
        let sums = self.metric.observe_weighted(tape.input(prediction), tape.input(target), tape.input(weights));
        self.take(sums, target.shape(), Location::caller())
    }

    fn take(&mut self, sums: Var<'_>, target: &Shape, here: &'static Location<'static>) -> Result<()> {
        let sums = sums.value().map_err(|error| blame(self.told(error), here))?;
        self.fits(sums.len()).map_err(|error| blame(error, here))?;
        self.add(&sums, target);
        Ok(())
    }

    /// The error with the name of the metric before that of the op that failed.
    fn told(&self, error: Error) -> Error {
        let name = self.metric.name();
        match error.op_name() {
            Some(op) if op != name && !op.starts_with(&format!("{name} ")) => {
                let text = format!("{name} (in {op})");
                error.renamed(text)
            }
            _ => error,
        }
    }

    /// That a batch has as many sums as those before.
    fn fits(&self, sums: usize) -> Result<()> {
        if self.sums.is_empty() || self.sums.len() == sums {
            return Ok(());
        }
        let message = format!("{sums} sums do not fit the {} of the batches before", self.sums.len());
        Err(Error::shape(message)
            .op(self.metric.name())
            .help("all batches have the same number of classes and outputs"))
    }

    /// Takes in what [`Metric::observe`] gave for a batch with targets of this shape. After sums that do not fit those before the figure is
    /// NaN.
    pub fn add(&mut self, sums: &Tensor, target: &Shape) {
        let sums = sums.to_f64_vec();
        self.absorb(&sums, self.metric.count(target));
    }

    /// Takes in all that another meter has seen, as if this one had seen it: meters of parts, on threads or machines, become one.
    ///
    /// ```
    /// use wengert_nn::losses::mean_squared_error::MeanSquaredError;
    /// use wengert_nn::metrics::metric::Meter;
    /// use wengert_tensor::tensor::Tensor;
    ///
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let (mut one, mut other) = (Meter::new(MeanSquaredError::new()), Meter::new(MeanSquaredError::new()));
    /// one.update(&Tensor::from([1f32]), &Tensor::from([0f32]))?;
    /// other.update(&Tensor::from([2f32, 3.0]), &Tensor::from([2f32, 1.0]))?;
    /// one.merge(&other)?;
    /// assert!((one.value() - 5.0 / 3.0).abs() < 1e-12);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// A meter that has seen another number of classes or outputs.
    #[track_caller]
    pub fn merge(&mut self, other: &Meter<M>) -> Result<()> {
        if other.count == 0 {
            return Ok(());
        }
        let here = Location::caller();
        self.fits(other.sums.len()).map_err(|error| error.at(here))?;
        self.absorb(&other.sums, other.count);
        Ok(())
    }

    fn absorb(&mut self, sums: &[f64], count: usize) {
        match self.sums.len() {
            0 => self.sums = sums.to_vec(),
            length if length == sums.len() => self.metric.merge(&mut self.sums, sums),
            _ => self.sums.fill(f64::NAN),
        }
        self.count += count;
    }

    /// The figure so far; NaN before the first batch.
    pub fn value(&self) -> f64 {
        if self.count == 0 { f64::NAN } else { self.metric.value(&self.sums, self.count) }
    }

    /// The sums so far.
    pub fn sums(&self) -> &[f64] {
        &self.sums
    }

    /// What was counted so far: the sum of [`Metric::count`] over the batches.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Goes on from [`sums`](Meter::sums) and [`count`](Meter::count) of another time.
    pub fn restore(&mut self, sums: Vec<f64>, count: usize) {
        (self.sums, self.count) = (sums, count);
    }

    /// Forgets all batches.
    pub fn reset(&mut self) {
        self.sums.clear();
        self.count = 0;
    }
}
