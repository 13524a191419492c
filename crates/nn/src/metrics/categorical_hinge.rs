//! The mean hinge error of classes.

use super::case::Case;
use super::classes::{Reader, class_settings};
use super::metric::Metric;
use super::weigh::{mean, observes, ratio};
use wengert_autograd::Var;
use wengert_tensor::dtype::DType;

/// `mean(max(largest score of a wrong class − score of the right class + 1, 0))`; a wrong class counts with at least 0.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction | `[…, classes]` | float |
/// | target: labels | `[…]` or `[…, 1]` | integers |
/// | target: one-hot or probabilities | `[…, classes]` | any |
///
/// Keras's `CategoricalHinge`, which has the 0 because it takes the largest of (1 − target) · prediction.
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, categorical_hinge::CategoricalHinge};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(CategoricalHinge::new());
/// meter.update(&Tensor::from([[2f32, 0.5, 0.0]]), &Tensor::from([1i64]))?;
/// assert!((meter.value() - 2.5).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct CategoricalHinge {
    reader: Reader,
}

impl CategoricalHinge {
    /// The metric.
    pub fn new() -> CategoricalHinge {
        CategoricalHinge::default()
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let classes = self.reader.read("categorical_hinge", prediction, target, weights);
        let places = prediction.tape().iota([classes.count], 0, DType::I64);
        let own = classes.actual.unsqueeze(-1).eq(places);
        let right = classes.scores.select(own, 0.0).sum_axes(-1);
        let wrong = classes.scores.select(own.logical_not(), 0.0).max_axes(-1);
        mean("categorical_hinge", (wrong - right + 1.0).relu(), Some(classes.weights))
    }
}

class_settings!(CategoricalHinge);

impl Metric for CategoricalHinge {
    fn name(&self) -> String {
        "categorical_hinge".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        ratio(sums)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("categorical_hinge", "categorical_hinge", "classes", CategoricalHinge::new()),
        Case::new("categorical_hinge", "categorical_hinge_one_hot", "one_hot", CategoricalHinge::new()),
    ]
}
