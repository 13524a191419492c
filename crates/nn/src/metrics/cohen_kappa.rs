//! How much better than chance two raters agree.

use super::case::Case;
use super::classes::{Reader, binary_setting, class_settings};
use super::confusion::{Counted, counts};
use super::metric::Metric;
use super::weigh::observes;
use wengert_autograd::Var;

/// `1 − Σ w·observed / Σ w·expected`, where w is 0 for agreement, and expected is what independent raters would give. Cohen 1960.
///
/// The prediction is `[…, classes]`, the target `[…]` or `[…, 1]` in whole numbers, or one-hot `[…, classes]`;
/// for one score of yes or no see [`threshold`](CohenKappa::threshold). NaN where chance alone explains everything. scikit-learn's
/// `cohen_kappa_score`.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, cohen_kappa::CohenKappa};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(CohenKappa::new());
/// let scores = Tensor::from([[2f32, 1.0], [0.0, 1.0], [3.0, 0.0], [1.0, 0.5]]);
/// meter.update(&scores, &Tensor::from([0i64, 1, 1, 0]))?;
/// assert!((meter.value() - 0.5).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct CohenKappa {
    reader: Reader,
    power: i32,
}

impl CohenKappa {
    /// The metric.
    pub fn new() -> CohenKappa {
        CohenKappa::default()
    }

    /// A confusion of classes that are far apart weighs more: by their distance. For classes with an order.
    #[must_use]
    pub fn linear(self) -> CohenKappa {
        CohenKappa { power: 1, ..self }
    }

    /// As [`linear`](CohenKappa::linear), by the square of their distance.
    #[must_use]
    pub fn quadratic(self) -> CohenKappa {
        CohenKappa { power: 2, ..self }
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        counts(&self.reader.read("cohen_kappa", prediction, target, weights))
    }
}

class_settings!(CohenKappa);
binary_setting!(CohenKappa);

impl Metric for CohenKappa {
    fn name(&self) -> String {
        "cohen_kappa".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        let table = Counted::of(sums);
        let (all, classes) = (table.all(), 0..table.classes);
        let predictions: Vec<f64> = classes.clone().map(|class| table.predicted(class)).collect();
        let (mut observed, mut expected) = (0.0, 0.0);
        for actual in classes {
            let occurs = table.actual(actual);
            for (predicted, often) in predictions.iter().enumerate() {
                let distance = actual.abs_diff(predicted) as f64;
                let weight =
                    if self.power == 0 { f64::from(u8::from(distance > 0.0)) } else { distance.powi(self.power) };
                observed += weight * table.get(actual, predicted);
                expected += weight * occurs * often / all;
            }
        }
        1.0 - observed / expected
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: CohenKappa| Case::new("cohen_kappa", name, data, metric);
    vec![
        case("cohen_kappa", "classes", CohenKappa::new()),
        case("cohen_kappa_linear", "classes", CohenKappa::new().linear()),
        case("cohen_kappa_quadratic", "classes", CohenKappa::new().quadratic()),
        case("cohen_kappa_binary", "scores", CohenKappa::new().threshold(0.0)),
    ]
}
