//! What a metric is, and the meter that adds it up.

use crate::explain::blame;
use std::panic::Location;
use wengert_autograd::{Tape, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// A figure that is the same function of sums over all samples, however they were cut into batches.
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

    /// How many things a batch with targets of this shape counts as. The default is the number of elements.
    fn count(&self, target: &Shape) -> usize {
        target.len()
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

            fn count(&self, target: &Shape) -> usize {
                (**self).count(target)
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
    /// Shapes or dtypes that the metric does not take; the meter is then as it was.
    #[track_caller]
    pub fn update(&mut self, prediction: &Tensor, target: &Tensor) -> Result<()> {
        let (tape, here) = (Tape::new(), Location::caller());
        let sums = self.metric.observe(tape.input(prediction), tape.input(target));
        let sums = sums.value().map_err(|error| blame(error, here))?;
        self.add(&sums, target.shape());
        Ok(())
    }

    /// Takes in what [`Metric::observe`] gave for a batch with targets of this shape.
    pub fn add(&mut self, sums: &Tensor, target: &Shape) {
        let sums = sums.to_f64_vec();
        self.sums.resize(sums.len().max(self.sums.len()), 0.0);
        self.sums.iter_mut().zip(&sums).for_each(|(total, sum)| *total += sum);
        self.count += self.metric.count(target);
    }

    /// The figure so far; NaN before the first batch.
    pub fn value(&self) -> f64 {
        if self.count == 0 { f64::NAN } else { self.metric.value(&self.sums, self.count) }
    }

    /// The sums so far.
    pub fn sums(&self) -> &[f64] {
        &self.sums
    }

    /// Forgets all batches.
    pub fn reset(&mut self) {
        self.sums.clear();
        self.count = 0;
    }
}

/// The right classes as i64, one for each row of scores, from all that
/// [`CrossEntropy`](crate::losses::cross_entropy::CrossEntropy) takes: labels `[…]` or `[…, 1]`, or probabilities
/// `[…, classes]`, of which the largest counts.
#[track_caller]
pub(super) fn labels<'t>(metric: &'static str, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
    let (scores, given) = (prediction.shape(), target.shape());
    let reject = |error: Error| {
        let operands = [("prediction", prediction), ("target", target)];
        prediction.tape().reject(metric, &operands, error.help("class labels are i64: 0, 1, 2, …"))
    };
    let Some((_, rows)) = scores.split_last() else {
        return reject(Error::shape("a prediction has an axis of classes, and this one is a scalar"));
    };
    if target.dtype().is_float() {
        return match scores == given {
            true => target.argmax(-1),
            false => reject(Error::dtype(format!("labels are whole numbers, not {}", target.dtype()))),
        };
    }
    if *given == *rows || given.split_last() == Some((&1, rows)) {
        return target.cast(DType::I64).reshape(rows);
    }
    reject(Error::shape(format!("a prediction {scores} has no labels {given}")))
}

/// How many are true, and how many there are: the sums of a metric that is a share.
#[track_caller]
pub(super) fn hits(right: Var<'_>) -> Var<'_> {
    let tape = right.tape();
    tape.stack(&[right.cast(DType::I64).sum(), tape.scalar(right.len() as f64, DType::I64)], 0)
}

/// The share that follows from added [`hits`].
pub(super) fn share(sums: &[f64]) -> f64 {
    match sums {
        [right, all, ..] => right / all,
        _ => f64::NAN,
    }
}
