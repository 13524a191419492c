//! The mean of the accuracies of the classes.

use super::case::Case;
use super::classes::{Reader, binary_setting, class_settings};
use super::confusion::{Counted, counts};
use super::metric::Metric;
use super::weigh::observes;
use wengert_autograd::Var;

/// The mean over the classes that occur of the share of their samples that were found.
///
/// The prediction is `[…, classes]`, the target `[…]` or `[…, 1]` in whole numbers, or one-hot `[…, classes]`;
/// for one score of yes or no see [`threshold`](BalancedAccuracy::threshold). scikit-learn's `balanced_accuracy_score`. The accuracy of
/// one class is [`Recall`](super::recall::Recall) with `class(c)`, those of all are in
/// [`ConfusionTable::recall`](super::confusion::ConfusionTable::recall).
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, balanced_accuracy::BalancedAccuracy};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(BalancedAccuracy::new());
/// let scores = Tensor::from([[2f32, 1.0], [0.0, 1.0], [3.0, 0.0], [1.0, 0.5]]);
/// meter.update(&scores, &Tensor::from([0i64, 1, 1, 0]))?;
/// assert!((meter.value() - 0.75).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct BalancedAccuracy {
    reader: Reader,
    adjusted: bool,
}

impl BalancedAccuracy {
    /// The metric.
    pub fn new() -> BalancedAccuracy {
        BalancedAccuracy::default()
    }

    /// Chance is 0 and perfection 1.
    #[must_use]
    pub fn adjusted(self) -> BalancedAccuracy {
        BalancedAccuracy { adjusted: true, ..self }
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        counts(&self.reader.read("balanced_accuracy", prediction, target, weights))
    }
}

class_settings!(BalancedAccuracy);
binary_setting!(BalancedAccuracy);

impl Metric for BalancedAccuracy {
    fn name(&self) -> String {
        "balanced_accuracy".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        let table = Counted::of(sums);
        let found = |class| table.get(class, class) / table.actual(class);
        let found: Vec<f64> = (0..table.classes).filter(|&class| table.actual(class) > 0.0).map(found).collect();
        let mean = found.iter().sum::<f64>() / found.len() as f64;
        let chance = 1.0 / found.len() as f64;
        if self.adjusted { (mean - chance) / (1.0 - chance) } else { mean }
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: BalancedAccuracy| Case::new("balanced_accuracy", name, data, metric);
    vec![
        case("balanced_accuracy", "classes", BalancedAccuracy::new()),
        case("balanced_accuracy_adjusted", "classes", BalancedAccuracy::new().adjusted()),
        case("balanced_accuracy_binary", "scores", BalancedAccuracy::new().threshold(0.0)),
    ]
}
