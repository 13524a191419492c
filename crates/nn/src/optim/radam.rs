//! RAdam: Adam that waits until its variance can be trusted.

use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};
use super::settings::{memory, not_negative, settings, zeros};

/// RAdam, rectified Adam. While fewer than five steps' worth of gradients are in v it steps along the mean; then as Adam does, with a factor r
/// that rises to 1:
///
/// ```text
/// ρ∞ = 2 / (1 − β₂) − 1          ρ = ρ∞ − 2 t β₂ᵗ / (1 − β₂ᵗ)
/// r = √((ρ − 4)(ρ − 2) ρ∞ / ((ρ∞ − 4)(ρ∞ − 2) ρ))
/// w ← w − rate · m̂ r √(1 − β₂ᵗ) / (√v + ε)      if ρ > 5
/// w ← w − rate · m̂                              else
/// ```
///
/// Liu et al. 2019; the same numbers as PyTorch's. β₁ = 0.9, β₂ = 0.999, ε = 1e-8 unless set; no warm-up is needed.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{optim::radam::RAdam, param::Param};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut weight = Param::new(Tensor::from([1f32, -2.0]));
/// let mut optimizer = RAdam::new(0.1);
/// for _ in 0..200 {
///     let tape = Tape::training(0);
///     let loss = weight.on(&tape).square().sum();
///     optimizer.step(&mut weight, loss.backward())?;
/// }
/// assert!(weight.value().to_f64_vec().iter().all(|w| w.abs() < 0.1));
/// # Ok(())
/// # }
/// ```
pub type RAdam = Optimizer<RAdamRule>;

impl RAdam {
    /// RAdam with this learning rate.
    pub fn new(learning_rate: f64) -> RAdam {
        Optimizer::of(RAdamRule::default(), learning_rate)
    }
}

settings! { RAdamRule {
    /// Sets β₁ and β₂, the memories of the mean and of the square, each in `0 ≤ β < 1`.
    betas(first: f64, second: f64) |rule| (rule.first, rule.second) = (first, second);

    /// Sets ε, which bounds the step where the gradient is close to zero.
    epsilon(epsilon: f64) |rule| rule.epsilon = epsilon;

    /// Adds `decay` × parameter to the gradient: the L2 penalty.
    weight_decay(decay: f64) |rule| rule.decay = decay;

    /// Takes the weight decay from the parameter itself, as AdamW does.
    decoupled() |rule| rule.decoupled = true;
}}

/// The rule of [`RAdam`]. Its state is `mean` (m) and `variance` (v).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RAdamRule {
    first: f64,
    second: f64,
    epsilon: f64,
    decay: f64,
    decoupled: bool,
}

impl Default for RAdamRule {
    fn default() -> RAdamRule {
        RAdamRule { first: 0.9, second: 0.999, epsilon: 1e-8, decay: 0.0, decoupled: false }
    }
}

impl Rule for RAdamRule {
    fn name(&self) -> &'static str {
        "radam"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        memory("RAdam", "β₁", self.first)?;
        memory("RAdam", "β₂", self.second)?;
        not_negative("RAdam", "ε", self.epsilon)?;
        not_negative("RAdam", "weight decay", self.decay)
    }

    fn init(&self, _: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        zeros(parameter, &["mean", "variance"])
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        let (first, second) = (self.first, self.second);
        // r √(1 − β₂ᵗ), 0 where there is no rectification.
        let rectified = move |count: u64| {
            let (t, most) = (count as f64, 2.0 / (1.0 - second) - 1.0);
            let power = second.powf(t);
            let length = most - 2.0 * t * power / (1.0 - power);
            let ratio = (length - 4.0) * (length - 2.0) * most / ((most - 4.0) * (most - 2.0) * length);
            if length > 5.0 { (ratio * (1.0 - power)).sqrt() } else { 0.0 }
        };
        for leaf in leaves {
            let coupled = self.decay != 0.0 && !self.decoupled;
            let g = if coupled { leaf.update + leaf.parameter * self.decay } else { leaf.update };
            let mean = leaf.state("mean") * first + g * (1.0 - first);
            let variance = leaf.state("variance") * second + g.square() * (1.0 - second);
            leaf.set_state("mean", mean);
            leaf.set_state("variance", variance);
            let c1 = leaf.number(move |now| 1.0 / (1.0 - first.powf(now.count as f64)));
            let r = leaf.number(move |now| rectified(now.count));
            let plain = mean * c1;
            leaf.update = (plain * (r / (variance.sqrt() + self.epsilon))).select(r.gt(0.0), plain);
            if self.decay != 0.0 && self.decoupled {
                leaf.update = leaf.update + leaf.parameter * self.decay;
            }
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, decays, optimizer| Case { file: "radam", name, decays, optimizer };
    vec![
        case("radam", false, || RAdam::new(0.1).boxed()),
        case("radam_betas_decay", true, || RAdam::new(0.05).betas(0.8, 0.95).epsilon(1e-6).weight_decay(0.1).boxed()),
        case("radam_decoupled", true, || RAdam::new(0.1).weight_decay(0.2).decoupled().boxed()),
    ]
}
