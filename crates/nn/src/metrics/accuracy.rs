//! The share of samples whose highest score is the right class.

use super::case::Case;
use super::classes::{Reader, class_settings};
use super::metric::Metric;
use super::weigh::{mean, observes, ratio};
use wengert_autograd::Var;

/// `mean(argmax(prediction, -1) == target)`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction | `[…, classes]`, logits or probabilities | float |
/// | target: labels | `[…]` or `[…, 1]` | integers |
/// | target: one-hot or probabilities, of which the largest is right | `[…, classes]` | any |
///
/// Of two equal ones the first counts as the largest. Keras's `SparseCategoricalAccuracy` and `CategoricalAccuracy`. A label outside the
/// classes is an error when the figure is computed.
///
/// ```
/// use wengert_nn::metrics::{accuracy::Accuracy, metric::Meter};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut accuracy = Meter::new(Accuracy::new());
/// accuracy.update(&Tensor::from([[2f32, -1.0], [0.0, 3.0], [1.0, 0.0]]), &Tensor::from([0i64, 1, 1]))?;
/// assert!((accuracy.value() - 2.0 / 3.0).abs() < 1e-12);
/// # Ok(()) }
/// ```
#[doc(alias("SparseCategoricalAccuracy", "CategoricalAccuracy"))]
#[derive(Clone, Copy, Debug, Default)]
pub struct Accuracy {
    reader: Reader,
}

impl Accuracy {
    /// The share of right classes.
    pub fn new() -> Accuracy {
        Accuracy::default()
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let classes = self.reader.read("accuracy", prediction, target, weights);
        mean("accuracy", classes.chosen().eq(classes.actual), Some(classes.weights))
    }
}

class_settings!(Accuracy);

impl Metric for Accuracy {
    fn name(&self) -> String {
        "accuracy".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        ratio(sums)
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: Accuracy| Case::new("accuracy", name, data, metric);
    vec![
        case("accuracy", "classes", Accuracy::new()),
        case("accuracy_one_hot", "one_hot", Accuracy::new()),
        case("accuracy_axis", "pixels", Accuracy::new().axis(1)),
        case("accuracy_ignore", "ignored", Accuracy::new().ignore_index(-100)),
    ]
}
