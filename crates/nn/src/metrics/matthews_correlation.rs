//! The correlation of classes and predictions.

use super::case::Case;
use super::classes::{Reader, binary_setting, class_settings};
use super::confusion::{Counted, counts};
use super::metric::Metric;
use super::weigh::observes;
use wengert_autograd::Var;

/// `(c s − Σ tₖ pₖ) / √((s² − Σ pₖ²)(s² − Σ tₖ²))` with c right of s answers, of which class k occurs tₖ times and was predicted pₖ times.
///
/// The prediction is `[…, classes]`, the target `[…]` or `[…, 1]` in whole numbers, or one-hot `[…, classes]`;
/// for one score of yes or no see [`threshold`](MatthewsCorrelation::threshold). 0 where all answers, or all targets, are of one class.
/// Matthews 1975, Gorodkin 2004; scikit-learn's `matthews_corrcoef`.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, matthews_correlation::MatthewsCorrelation};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(MatthewsCorrelation::new());
/// let scores = Tensor::from([[2f32, 1.0], [0.0, 1.0], [3.0, 0.0], [1.0, 0.5]]);
/// meter.update(&scores, &Tensor::from([0i64, 1, 1, 0]))?;
/// assert!((meter.value() - 0.57735027).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct MatthewsCorrelation {
    reader: Reader,
}

impl MatthewsCorrelation {
    /// The metric.
    pub fn new() -> MatthewsCorrelation {
        MatthewsCorrelation::default()
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        counts(&self.reader.read("matthews_correlation", prediction, target, weights))
    }
}

class_settings!(MatthewsCorrelation);
binary_setting!(MatthewsCorrelation);

impl Metric for MatthewsCorrelation {
    fn name(&self) -> String {
        "matthews_correlation".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        let table = Counted::of(sums);
        let (right, all) = (table.right(), table.all());
        let sums = (0..table.classes).fold([0.0; 3], |[both, predicted, actual], class| {
            let (p, t) = (table.predicted(class), table.actual(class));
            [both + t * p, predicted + p * p, actual + t * t]
        });
        let [both, predicted, actual] = sums;
        let spread = (all * all - predicted) * (all * all - actual);
        if spread == 0.0 { 0.0 } else { (right * all - both) / spread.sqrt() }
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: MatthewsCorrelation| Case::new("matthews_correlation", name, data, metric);
    vec![
        case("matthews", "classes", MatthewsCorrelation::new()),
        case("matthews_binary", "scores", MatthewsCorrelation::new().threshold(0.0)),
        case("matthews_ignore", "ignored", MatthewsCorrelation::new().ignore_index(-100)),
    ]
}
