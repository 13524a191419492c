//! Lion: steps of one size, by the sign of a momentum.

use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};
use super::settings::{memory, not_negative, settings, zeros};

/// Lion:
///
/// ```text
/// u = sign(β₁ m + (1 − β₁) g)          m ← β₂ m + (1 − β₂) g
/// w ← w − rate · (u + decay · w)
/// ```
///
/// Chen et al. 2023; the same numbers as Optax's. β₁ = 0.9, β₂ = 0.99, no decay unless set (Optax's
/// `lion` decays by 0.001). Learning rates are 3 to 10 times smaller than
/// Adam's, decays that many times larger.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{optim::lion::Lion, param::Param};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut weight = Param::new(Tensor::from([0.5f32, -1.0]));
/// let mut optimizer = Lion::new(0.01);
/// for _ in 0..200 {
///     let tape = Tape::training(0);
///     let loss = weight.on(&tape).square().sum();
///     optimizer.step(&mut weight, loss.backward())?;
/// }
/// assert!(weight.value().to_f64_vec().iter().all(|w| w.abs() < 0.1));
/// # Ok(())
/// # }
/// ```
pub type Lion = Optimizer<LionRule>;

impl Lion {
    /// Lion with this learning rate.
    pub fn new(learning_rate: f64) -> Lion {
        Optimizer::of(LionRule::default(), learning_rate)
    }
}

settings! { LionRule {
    /// Sets β₁, the share of the momentum in a step, and β₂, its memory, each in `0 ≤ β < 1`.
    betas(first: f64, second: f64) |rule| (rule.first, rule.second) = (first, second);

    /// Sets the fraction of a parameter that a step of learning rate 1 would take away, whatever its gradient is.
    weight_decay(decay: f64) |rule| rule.decay = decay;
}}

/// The rule of [`Lion`]. Its state is `mean` (m).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LionRule {
    first: f64,
    second: f64,
    decay: f64,
}

impl Default for LionRule {
    fn default() -> LionRule {
        LionRule { first: 0.9, second: 0.99, decay: 0.0 }
    }
}

impl Rule for LionRule {
    fn name(&self) -> &'static str {
        "lion"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        memory("Lion", "β₁", self.first)?;
        memory("Lion", "β₂", self.second)?;
        not_negative("Lion", "weight decay", self.decay)
    }

    fn init(&self, _: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        zeros(parameter, &["mean"])
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        for leaf in leaves {
            let (g, mean) = (leaf.update, leaf.state("mean"));
            leaf.set_state("mean", mean * self.second + g * (1.0 - self.second));
            leaf.update = (mean * self.first + g * (1.0 - self.first)).sign();
            if self.decay != 0.0 {
                leaf.update = leaf.update + leaf.parameter * self.decay;
            }
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, decays, optimizer| Case { file: "lion", name, decays, optimizer };
    vec![
        case("lion", false, || Lion::new(0.04).boxed()),
        case("lion_betas_decay", true, || Lion::new(0.05).betas(0.8, 0.95).weight_decay(0.3).boxed()),
    ]
}
