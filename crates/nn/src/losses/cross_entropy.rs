//! Cross-entropy of logits and classes.

use wengert_autograd::Var;

use super::case::Case;
use super::classes::{Classes, Reading, Target};
use super::operands::label_smoothing;
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "CrossEntropy";

/// −ln softmax(z)\[label\] of every example, for logits z. The model therefore ends *without* a softmax.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction z | `[batch, classes, d1, …]`, or `[classes]` | float |
/// | target: labels | `[batch, d1, …]`, or with an axis of size 1 at the end | integers from 0 to classes − 1 |
/// | target: probabilities p | as the prediction | the prediction's; then the loss is −Σ p ln softmax(z) |
/// | each | `[batch, d1, …]` | the prediction's |
///
/// With [`label_smoothing`](CrossEntropy::label_smoothing) ε a label counts (1 − ε), and all classes share ε evenly
/// (Szegedy et al. 2015). [`class_weights`](CrossEntropy::class_weights) and
/// [`ignore_index`](CrossEntropy::ignore_index) say which labels count how much; the mean of losses of labels is divided by
/// what they count. The same numbers as PyTorch's `CrossEntropyLoss`, of which no label is ignored unless it is said here;
/// Keras's `CategoricalCrossentropy` and `SparseCategoricalCrossentropy` are
/// [`from_probabilities`](CrossEntropy::from_probabilities) and [`class_axis(-1)`](CrossEntropy::class_axis).
///
/// When the loss is computed, a label outside the classes is an error, and so are probabilities that are negative or do not sum
/// to 1, by a percent or more; [`without_check`](CrossEntropy::without_check) takes them as they are.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::cross_entropy::CrossEntropy};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let logits = tape.input(&Tensor::from([[0f32, 0.0], [0.0, 0.0]]));
/// let labels = tape.input(&Tensor::from([0i64, 1]));
/// let loss = CrossEntropy::new().loss(logits, labels).item::<f32>()?;
/// assert!((loss - 2f32.ln()).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CrossEntropy {
    smoothing: f64,
    weights: Option<Vec<f64>>,
    reading: Reading,
    probabilities: bool,
    unchecked: bool,
    reduction: Reduction,
}

impl CrossEntropy {
    /// The loss.
    pub fn new() -> CrossEntropy {
        CrossEntropy::default()
    }

    /// Shares the fraction `0 ≤ smoothing ≤ 1` of every label among all classes.
    #[must_use]
    pub fn label_smoothing(self, smoothing: f64) -> CrossEntropy {
        CrossEntropy { smoothing, ..self }
    }

    /// A weight for each class, for data in which some are rare. The mean is divided by the sum of the weights of the labels.
    #[must_use]
    pub fn class_weights(self, weights: impl Into<Vec<f64>>) -> CrossEntropy {
        CrossEntropy { weights: Some(weights.into()), ..self }
    }

    /// Leaves out examples with this label, say of padding: their loss and gradient are 0, and the mean does not count them.
    /// The label need be none of the classes; PyTorch takes −100.
    #[must_use]
    pub fn ignore_index(self, label: i64) -> CrossEntropy {
        CrossEntropy { reading: Reading { ignored: Some(label), ..self.reading }, ..self }
    }

    /// The axis of the classes, where it is not the second one: −1 for the scores `[batch, time, classes]` of a language model.
    #[must_use]
    pub fn class_axis(self, axis: isize) -> CrossEntropy {
        CrossEntropy { reading: Reading { axis: Some(axis), ..self.reading }, ..self }
    }

    /// The prediction holds probabilities, as of a model that ends with a softmax. They are divided by their sum and taken as
    /// at least 10⁻⁷, as Keras does; logits are more exact.
    #[must_use]
    pub fn from_probabilities(self) -> CrossEntropy {
        CrossEntropy { probabilities: true, ..self }
    }

    /// Probabilities in the target may have any sum, and count as they are.
    #[must_use]
    pub fn without_check(self) -> CrossEntropy {
        CrossEntropy { unchecked: true, ..self }
    }

    #[track_caller]
    fn checked<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Option<Classes<'t>> {
        label_smoothing(prediction.tape(), NAME, self.smoothing);
        self.reading.of(NAME, prediction, target)
    }

    #[track_caller]
    fn weights<'t>(&self, classes: &Classes<'t>) -> Option<Var<'t>> {
        Some(classes.weights(NAME, self.weights.as_ref()?))
    }
}

reducible!(CrossEntropy);

impl Loss for CrossEntropy {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        let Some(classes) = self.checked(prediction, target) else { return prediction };
        let Classes { scores, axis, .. } = classes;
        let (weights, smoothing) = (self.weights(&classes), self.smoothing);
        // ln softmax(z) = below − normaliser
        let (below, normaliser) = match self.probabilities {
            true => (classes.log_normalised(), None),
            false => {
                let below = scores - scores.max_keep(axis).stop_gradient();
                (below, Some(below.exp().sum_axes(axis).log()))
            }
        };
        let weigh = |x: Var<'t>| weights.map_or(x, |weights| x * weights);
        let log = || weigh(normaliser.map_or(below, |normaliser| below - normaliser.unsqueeze(axis)));
        let each = match classes.target {
            Target::Labels { marks, .. } => {
                let nll = match (weights, normaliser) {
                    (None, Some(normaliser)) => normaliser - below.select(marks, 0.0).sum_axes(axis),
                    _ => -log().select(marks, 0.0).sum_axes(axis),
                };
                match smoothing {
                    0.0 => nll,
                    _ => nll * (1.0 - smoothing) - log().mean_axes(axis) * smoothing,
                }
            }
            Target::Probabilities(p) => {
                let p = match smoothing {
                    0.0 => p,
                    _ => p * (1.0 - smoothing) + smoothing / classes.classes as f64,
                };
                // A class that is impossible both ways loses nothing.
                -(p * log()).select(p.ne(0.0), 0.0).sum_axes(axis)
            }
        };
        let each = classes.target.kept(each);
        let each = if self.unchecked { each } else { classes.proper(each) };
        each.cast(prediction.dtype())
    }

    #[track_caller]
    fn counts<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Option<Var<'t>> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        let classes = self.checked(prediction, target)?;
        let weights = self.weights(&classes);
        classes.target.counts(classes.axis, weights, classes.scores.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: CrossEntropy| Case::new("cross_entropy", name, loss);
    let new = CrossEntropy::new;
    vec![
        case("labels", new()),
        case("smoothing", new().label_smoothing(0.1)),
        case("weights", new().class_weights([0.5, 2.0, 1.5])),
        case("weights_smoothing", new().class_weights([0.5, 2.0, 1.5]).label_smoothing(0.2)),
        case("ignore", new().ignore_index(-100)),
        case("ignore_weights_smoothing", new().ignore_index(1).class_weights([0.5, 2.0, 1.5]).label_smoothing(0.2)),
        case("probabilities", new()),
        case("probabilities_smoothing", new().label_smoothing(0.3)),
        case("any_sums", new().without_check()),
        case("probabilities_weights", new().class_weights([0.5, 2.0, 1.5]).label_smoothing(0.3)),
        case("spatial", new().class_weights([0.5, 2.0, 1.5])).batched(),
        case("spatial_probabilities", new()).batched(),
        case("sequence", new().class_axis(-1).ignore_index(0)),
        case("keras_sparse", new().from_probabilities()).positive(),
        case("keras_categorical", new().from_probabilities().label_smoothing(0.2)).positive(),
        case("sample_weights", new()),
        case("one_example", new()),
    ]
}
