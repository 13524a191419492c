//! A loss: how far a prediction is from its target.

use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Error;
use wengert_tensor::shape::Shape;

/// How far a prediction is from its target: of each element or example, and all together as a number whose gradient trains
/// the model.
///
/// A loss says what is lost [each](Loss::each) time and how that is [reduced](Reduction). The built-in ones take the mean
/// unless told otherwise:
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::loss::{Loss, Reduction};
/// use wengert_nn::losses::mean_squared_error::MeanSquaredError;
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let (p, t) = (tape.input(&Tensor::from([1f32, 4.0])), tape.input(&Tensor::from([2f32, 2.0])));
/// let loss = MeanSquaredError::new();
/// assert_eq!(loss.loss(p, t).item::<f32>()?, 2.5);
/// assert_eq!(loss.reduction(Reduction::Sum).loss(p, t).item::<f32>()?, 5.0);
/// assert_eq!(loss.each(p, t).value()?.to_vec::<f32>()?, [1.0, 4.0]);
///
/// // With a weight for each example.
/// let weights = tape.input(&Tensor::from([1f32, 0.5]));
/// assert_eq!(loss.weighted(p, t, weights).item::<f32>()?, 1.5);
/// # Ok(())
/// # }
/// ```
///
/// Any function of two variables is a loss too; where it gives several numbers, their mean is taken:
///
/// ```
/// use wengert_autograd::{Tape, Var};
/// use wengert_nn::loss::Loss;
/// use wengert_tensor::tensor::Tensor;
///
/// fn pinball<'t>(prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
///     let e = target - prediction;
///     (e * 0.9).maximum(e * -0.1)
/// }
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let (p, t) = (tape.input(&Tensor::from([1f32, 4.0])), tape.input(&Tensor::from([2f32, 2.0])));
/// assert!((pinball.loss(p, t).item::<f32>()? - 0.55).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
pub trait Loss: Send + Sync {
    /// The loss of every element or example, before it is reduced. Its first axis counts the examples, unless the loss is one
    /// number for all of them.
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t>;

    /// How much every number of [`each`](Loss::each) counts in a mean, where that is not 1: by class weights, or 0 for a label
    /// that is ignored. It has the shape of `each`.
    fn counts<'t>(&self, _prediction: Var<'t>, _target: Var<'t>) -> Option<Var<'t>> {
        None
    }

    /// What [`loss`](Loss::loss) makes of each.
    fn reduces(&self) -> Reduction {
        Reduction::Mean
    }

    /// The reduced loss on the tape of both.
    #[track_caller]
    fn loss<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let each = self.each(prediction, target);
        self.reduces().reduce(each, self.counts(prediction, target), None)
    }

    /// The reduced loss with a weight for each example or element, by which its loss is multiplied before the reduction.
    ///
    /// The weights have the first axes of [`each`](Loss::each): `[batch]` weighs whole examples. What has the weight 0 is left
    /// out, whatever it is. The mean still divides by the number of elements, as Keras does:
    /// Σ w l / n; [`Reduction::WeightedMean`] divides by the sum of the weights.
    #[track_caller]
    fn weighted<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Var<'t>) -> Var<'t> {
        let each = self.each(prediction, target);
        self.reduces().reduce(each, self.counts(prediction, target), Some(weights))
    }
}

impl<F> Loss for F
where
    F: for<'t> Fn(Var<'t>, Var<'t>) -> Var<'t> + Send + Sync,
{
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        self(prediction, target)
    }
}

/// A box is its content.
impl Loss for Box<dyn Loss> {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        (**self).each(prediction, target)
    }

    #[track_caller]
    fn counts<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Option<Var<'t>> {
        (**self).counts(prediction, target)
    }

    fn reduces(&self) -> Reduction {
        (**self).reduces()
    }

    #[track_caller]
    fn loss<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        (**self).loss(prediction, target)
    }

    #[track_caller]
    fn weighted<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Var<'t>) -> Var<'t> {
        (**self).weighted(prediction, target, weights)
    }
}

/// What becomes of the losses of all elements or examples.
///
/// | for losses l, weights w (1 without any) and counts c (1, except for class weights and ignored labels) | |
/// |---|---|
/// | `Mean` | Σ w l / Σ c: PyTorch's `mean`, Keras's `sum_over_batch_size` |
/// | `WeightedMean` | Σ w l / Σ w c: Keras's `mean_with_sample_weight` |
/// | `BatchMean` | Σ w l / number of examples: PyTorch's `batchmean` |
/// | `Sum` | Σ w l |
/// | `None` | w l, as it is |
///
/// A mean in which nothing counts (every label is ignored, or every weight is 0) is 0 with the gradient 0, where PyTorch
/// has NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// The sum, divided by how many there are.
    #[default]
    Mean,
    /// The sum, divided by the sum of the weights.
    WeightedMean,
    /// The sum, divided by the size of the first axis.
    BatchMean,
    /// The sum.
    Sum,
    /// Each by itself.
    None,
}

impl Reduction {
    /// The losses of all elements or examples, reduced.
    #[track_caller]
    pub fn of(self, each: Var<'_>) -> Var<'_> {
        self.reduce(each, None, None)
    }

    /// The same with a weight for each: see [`Loss::weighted`].
    #[track_caller]
    pub fn weighted<'t>(self, each: Var<'t>, weights: Var<'t>) -> Var<'t> {
        self.reduce(each, None, Some(weights))
    }

    /// The same with [counts](Loss::counts) and weights.
    #[track_caller]
    pub fn reduce<'t>(self, each: Var<'t>, counts: Option<Var<'t>>, mut weights: Option<Var<'t>>) -> Var<'t> {
        let dtype = each.dtype();
        let each = wide(each);
        // No closure, which would stand in errors instead of the caller's line.
        if let Some(weights) = &mut weights {
            *weights = spread(each, wide(*weights));
        }
        let counts = counts.map(wide);
        let each = match weights {
            Some(weights) => (each * weights).select(weights.ne(0.0), 0.0),
            None => each,
        };
        let counts = match (self, counts, weights) {
            (Reduction::WeightedMean, Some(counts), Some(weights)) => Some(counts * weights),
            (Reduction::WeightedMean, None, Some(weights)) => Some(weights),
            (_, counts, _) => counts,
        };
        let reduced = match self {
            Reduction::None => each,
            Reduction::Sum => each.sum(),
            Reduction::BatchMean => each.sum() / each.shape().first().copied().unwrap_or(1).max(1) as f64,
            Reduction::Mean | Reduction::WeightedMean => match counts {
                Some(counts) => {
                    let total = counts.sum();
                    let some = total.ne(0.0);
                    (each.sum() / total.select(some, 1.0)).select(some, 0.0)
                }
                None => each.mean(),
            },
        };
        reduced.cast(dtype)
    }
}

/// Numbers of 16 bits in f32: the terms of a loss cancel, and its sums are long. What is computed from them is cast back once.
#[track_caller]
pub(crate) fn wide(x: Var<'_>) -> Var<'_> {
    match x.dtype() {
        DType::BF16 | DType::F16 => x.cast(DType::F32),
        _ => x,
    }
}

/// The weights in the shape and dtype of the losses that they weigh.
#[track_caller]
fn spread<'t>(each: Var<'t>, weights: Var<'t>) -> Var<'t> {
    let (losses, given) = (each.shape(), weights.shape());
    let error = if each.rank() == 0 && weights.rank() > 0 {
        Error::shape("the loss is one number for all examples, which cannot be weighed")
            .help("weights want a loss that gives a number for each example")
    } else if !leads(&given, &losses) {
        let examples = losses.first().copied().unwrap_or_default();
        Error::shape(format!("losses {losses} take no weights {given}"))
            .help(format!("weights are [{examples}], one for each example, or {losses}"))
    } else if weights.dtype().is_float() && weights.dtype() != each.dtype() {
        Error::dtype(format!("weights are {}, as the losses, not {}", each.dtype(), weights.dtype()))
            .help(format!("cast them: `weights.cast(DType::{:?})`", each.dtype()))
    } else {
        let weights = weights.cast(each.dtype());
        let dims = given.iter().copied().chain(std::iter::repeat(1)).take(losses.rank()).collect::<Vec<_>>();
        return weights.reshape(dims).broadcast_to(&losses);
    };
    each.tape().reject("weighted", &[("losses", each), ("weights", weights)], error)
}

/// Whether weights of a shape have the first axes of the losses, with axes of size 1 where they say nothing.
fn leads(weights: &Shape, losses: &Shape) -> bool {
    let mut axes = weights.iter().enumerate();
    weights.rank() >= losses.rank().min(1)
        && axes.all(|(i, &dim)| dim == losses.get(i).copied().unwrap_or(1) || (i > 0 && dim == 1))
}

/// `.reduction(…)` for a loss with a field of that name.
macro_rules! reducible {
    ($loss:ty $(, $parameter:ident)?) => {
        impl $(<$parameter>)? $loss {
            /// What becomes of the losses of all elements or examples; unless this is called, the mean.
            #[must_use]
            pub fn reduction(mut self, reduction: $crate::loss::Reduction) -> Self {
                self.reduction = reduction;
                self
            }
        }

        impl $(<$parameter>)? $crate::losses::case::Reduced for $loss {
            fn reduced(self, reduction: $crate::loss::Reduction) -> Self {
                self.reduction(reduction)
            }

            fn reduction_now(&self) -> $crate::loss::Reduction {
                self.reduction
            }
        }
    };
}
pub(crate) use reducible;

/// `loss` and `weighted` for a loss of three operands with `each` and a `reduction`.
macro_rules! of_three {
    ($loss:ty $(, $parameter:ident)?: $a:ident, $b:ident, $c:ident) => {
        impl $(<$parameter: for<'a> Fn(Var<'a>, Var<'a>) -> Var<'a>>)? $loss {
            /// The reduced loss on the tape of all.
            #[track_caller]
            pub fn loss<'t>(&self, $a: Var<'t>, $b: Var<'t>, $c: Var<'t>) -> Var<'t> {
                self.reduction.of(self.each($a, $b, $c))
            }

            /// The reduced loss with a weight for each example, as in [`Loss::weighted`](crate::loss::Loss::weighted).
            #[track_caller]
            pub fn weighted<'t>(&self, $a: Var<'t>, $b: Var<'t>, $c: Var<'t>, weights: Var<'t>) -> Var<'t> {
                self.reduction.weighted(self.each($a, $b, $c), weights)
            }
        }
    };
}
pub(crate) use of_three;
