//! AdaBelief: Adam by how far a gradient is from what was expected.

use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};
use super::settings::{memory, not_negative, settings, zeros};

/// AdaBelief:
///
/// ```text
/// m ← β₁ m + (1 − β₁) g          s ← β₂ s + (1 − β₂) (g − m)² + ε
/// w ← w − rate · m̂ / (√ŝ + ε)
/// ```
///
/// Zhuang et al. 2020; the same numbers as Optax's. β₁ = 0.9, β₂ = 0.999, ε = 1e-16 unless set.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{optim::adabelief::AdaBelief, param::Param};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut weight = Param::new(Tensor::from([1f32, -2.0]));
/// let mut optimizer = AdaBelief::new(0.1);
/// for _ in 0..200 {
///     let tape = Tape::training(0);
///     let loss = weight.on(&tape).square().sum();
///     optimizer.step(&mut weight, loss.backward())?;
/// }
/// assert!(weight.value().to_f64_vec().iter().all(|w| w.abs() < 0.1));
/// # Ok(())
/// # }
/// ```
pub type AdaBelief = Optimizer<AdaBeliefRule>;

impl AdaBelief {
    /// AdaBelief with this learning rate.
    pub fn new(learning_rate: f64) -> AdaBelief {
        Optimizer::of(AdaBeliefRule::default(), learning_rate)
    }
}

settings! { AdaBeliefRule {
    /// Sets β₁ and β₂, the memories of the mean and of the square, each in `0 ≤ β < 1`.
    betas(first: f64, second: f64) |rule| (rule.first, rule.second) = (first, second);

    /// Sets ε, which bounds the step where the gradient is close to zero.
    epsilon(epsilon: f64) |rule| rule.epsilon = epsilon;

    /// Sets the fraction of a parameter that a step of learning rate 1 would take away, whatever its gradient is.
    weight_decay(decay: f64) |rule| rule.decay = decay;
}}

/// The rule of [`AdaBelief`]. Its state is `mean` (m) and `variance` (s).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdaBeliefRule {
    first: f64,
    second: f64,
    epsilon: f64,
    decay: f64,
}

impl Default for AdaBeliefRule {
    fn default() -> AdaBeliefRule {
        AdaBeliefRule { first: 0.9, second: 0.999, epsilon: 1e-16, decay: 0.0 }
    }
}

impl Rule for AdaBeliefRule {
    fn name(&self) -> &'static str {
        "adabelief"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        memory("AdaBelief", "β₁", self.first)?;
        memory("AdaBelief", "β₂", self.second)?;
        not_negative("AdaBelief", "ε", self.epsilon)?;
        not_negative("AdaBelief", "weight decay", self.decay)
    }

    fn init(&self, _: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        zeros(parameter, &["mean", "variance"])
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        let (first, second) = (self.first, self.second);
        for leaf in leaves {
            let g = leaf.update;
            let mean = leaf.state("mean") * first + g * (1.0 - first);
            let variance = leaf.state("variance") * second + (g - mean).square() * (1.0 - second) + self.epsilon;
            leaf.set_state("mean", mean);
            leaf.set_state("variance", variance);
            let c1 = leaf.number(move |now| 1.0 / (1.0 - first.powf(now.count as f64)));
            let c2 = leaf.number(move |now| 1.0 / (1.0 - second.powf(now.count as f64)).sqrt());
            leaf.update = mean * c1 / (variance.sqrt() * c2 + self.epsilon);
            if self.decay != 0.0 {
                leaf.update = leaf.update + leaf.parameter * self.decay;
            }
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, decays, optimizer| Case { file: "adabelief", name, decays, optimizer };
    vec![
        case("adabelief", false, || AdaBelief::new(0.1).boxed()),
        case("adabelief_betas_decay", true, || {
            AdaBelief::new(0.05).betas(0.8, 0.95).epsilon(1e-6).weight_decay(0.3).boxed()
        }),
    ]
}
