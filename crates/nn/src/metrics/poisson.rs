//! The mean Poisson error of rates.

use super::case::Case;
use super::metric::Metric;
use super::weigh::{mean, observes, pair, ratio};
use wengert_autograd::Var;

/// `mean(prediction − target · ln(prediction + 10⁻⁷))` over all elements, for predictions that are rates.
///
/// Prediction and target have the same shape, but `[n]` fits `[n, 1]`.
/// Keras's `Poisson`. For predictions that are logarithms of rates see [`log_input`](Poisson::log_input).
///
/// ```
/// use wengert_nn::metrics::{metric::Meter, poisson::Poisson};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut meter = Meter::new(Poisson::new());
/// meter.update(&Tensor::from([1f32, 2.0]), &Tensor::from([0f32, 2.0]))?;
/// assert!((meter.value() - (1.5 - 2f64.ln())).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Poisson {
    log_input: bool,
}

impl Poisson {
    /// The metric.
    pub fn new() -> Poisson {
        Poisson::default()
    }

    /// The predictions are logarithms of rates: `mean(e^prediction − target · prediction)`, as PyTorch's `PoissonNLLLoss` has by default.
    #[must_use]
    pub fn log_input(self) -> Poisson {
        Poisson { log_input: true }
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let (prediction, target) = pair("poisson", prediction, target);
        let loss = if self.log_input {
            prediction.exp() - target * prediction
        } else {
            prediction - target * (prediction + 1e-7).log()
        };
        mean("poisson", loss, weights)
    }
}

impl Metric for Poisson {
    fn name(&self) -> String {
        "poisson".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        ratio(sums)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("poisson", "poisson", "positive", Poisson::new()),
        Case::new("poisson", "poisson_log", "numbers_counts", Poisson::new().log_input()),
    ]
}
