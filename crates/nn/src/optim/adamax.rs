//! Adamax: Adam by the largest gradient instead of the mean square.

use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};
use super::settings::{memory, not_negative, positive, settings, zeros};

/// Adamax, Adam in the infinity norm:
///
/// ```text
/// m ← β₁ m + (1 − β₁) g          u ← max(β₂ u, |g| + ε)
/// w ← w − rate / (1 − β₁ᵗ) · m / u
/// ```
///
/// Kingma & Ba 2014; the same numbers as PyTorch's. β₁ = 0.9, β₂ = 0.999, ε = 1e-8 unless set; a usual learning rate is 2e-3.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{optim::adamax::Adamax, param::Param};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut weight = Param::new(Tensor::from([1f32, -2.0]));
/// let mut optimizer = Adamax::new(0.1);
/// for _ in 0..200 {
///     let tape = Tape::training(0);
///     let loss = weight.on(&tape).square().sum();
///     optimizer.step(&mut weight, loss.backward())?;
/// }
/// assert!(weight.value().to_f64_vec().iter().all(|w| w.abs() < 0.1));
/// # Ok(())
/// # }
/// ```
pub type Adamax = Optimizer<AdamaxRule>;

impl Adamax {
    /// Adamax with this learning rate.
    pub fn new(learning_rate: f64) -> Adamax {
        Optimizer::of(AdamaxRule::default(), learning_rate)
    }
}

settings! { AdamaxRule {
    /// Sets β₁ and β₂, the memories of the mean and of the square, each in `0 ≤ β < 1`.
    betas(first: f64, second: f64) |rule| (rule.first, rule.second) = (first, second);

    /// Sets ε, which is added to the size of every gradient; positive, so that a gradient of zero can be divided by.
    epsilon(epsilon: f64) |rule| rule.epsilon = epsilon;

    /// Adds `decay` × parameter to the gradient: the L2 penalty.
    weight_decay(decay: f64) |rule| rule.decay = decay;
}}

/// The rule of [`Adamax`]. Its state is `mean` (m) and `largest` (u).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamaxRule {
    first: f64,
    second: f64,
    epsilon: f64,
    decay: f64,
}

impl Default for AdamaxRule {
    fn default() -> AdamaxRule {
        AdamaxRule { first: 0.9, second: 0.999, epsilon: 1e-8, decay: 0.0 }
    }
}

impl Rule for AdamaxRule {
    fn name(&self) -> &'static str {
        "adamax"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        memory("Adamax", "β₁", self.first)?;
        memory("Adamax", "β₂", self.second)?;
        positive("Adamax", "ε", self.epsilon)?;
        not_negative("Adamax", "weight decay", self.decay)
    }

    fn init(&self, _: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        zeros(parameter, &["mean", "largest"])
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        for leaf in leaves {
            let g = if self.decay == 0.0 { leaf.update } else { leaf.update + leaf.parameter * self.decay };
            let mean = leaf.state("mean") * self.first + g * (1.0 - self.first);
            let largest = (leaf.state("largest") * self.second).maximum(g.abs() + self.epsilon);
            leaf.set_state("mean", mean);
            leaf.set_state("largest", largest);
            let first = self.first;
            let c1 = leaf.number(move |now| 1.0 / (1.0 - first.powf(now.count as f64)));
            leaf.update = mean * c1 / largest;
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, decays, optimizer| Case { file: "adamax", name, decays, optimizer };
    vec![
        case("adamax", false, || Adamax::new(0.1).boxed()),
        case("adamax_betas_decay", true, || Adamax::new(0.05).betas(0.8, 0.95).epsilon(1e-6).weight_decay(0.1).boxed()),
    ]
}
