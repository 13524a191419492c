//! Adam: a step of the size of the learning rate, whatever the size of the gradient.

use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};
use super::settings::{memory, not_negative, settings, zeros};

/// Adam. With g the gradient of a parameter and t the number of its step:
///
/// ```text
/// m ← β₁ m + (1 − β₁) g          v ← β₂ v + (1 − β₂) g²
/// w ← w − rate · m̂ / (√v̂ + ε)    m̂ = m / (1 − β₁ᵗ)    v̂ = v / (1 − β₂ᵗ)
/// ```
///
/// Kingma & Ba 2014; the same numbers as PyTorch's. β₁ = 0.9, β₂ = 0.999, ε = 1e-8 unless set.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{optim::adam::Adam, param::Param};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut weight = Param::new(Tensor::from([3f32, -2.0]));
/// let mut adam = Adam::new(0.1);
/// for _ in 0..200 {
///     let tape = Tape::new();
///     let loss = weight.on(&tape).square().sum();
///     adam.step(&mut weight, loss.backward())?;
/// }
/// assert!(weight.value().to_vec::<f32>()?.iter().all(|w| w.abs() < 1e-2));
/// # Ok(())
/// # }
/// ```
pub type Adam = Optimizer<AdamRule>;

impl Adam {
    /// Adam with this learning rate.
    pub fn new(learning_rate: f64) -> Adam {
        Optimizer::of(AdamRule::default(), learning_rate)
    }
}

settings! { AdamRule {
    /// Sets β₁ and β₂, the memories of the mean and of the square, each in `0 ≤ β < 1`.
    betas(first: f64, second: f64) |rule| (rule.first, rule.second) = (first, second);

    /// Sets ε, which bounds the step where the gradient is close to zero.
    epsilon(epsilon: f64) |rule| rule.epsilon = epsilon;

    /// Adds `decay` × parameter to the gradient: the L2 penalty. See [`AdamW`](super::adamw::AdamW) for decay that is
    /// not rescaled.
    weight_decay(decay: f64) |rule| rule.decay = decay;

    /// Divides by the largest v̂ so far, so that the step never grows again: AMSGrad (Reddi et al. 2018). The state has one more piece,
    /// `largest`.
    amsgrad() |rule| rule.amsgrad = true;
}}

/// The rule of [`Adam`]. Its state is `mean` (m) and `variance` (v).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamRule {
    pub(crate) first: f64,
    pub(crate) second: f64,
    pub(crate) epsilon: f64,
    pub(crate) decay: f64,
    pub(crate) amsgrad: bool,
}

impl Default for AdamRule {
    fn default() -> AdamRule {
        AdamRule { first: 0.9, second: 0.999, epsilon: 1e-8, decay: 0.0, amsgrad: false }
    }
}

impl Rule for AdamRule {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        memory("Adam", "β₁", self.first)?;
        memory("Adam", "β₂", self.second)?;
        not_negative("Adam", "ε", self.epsilon)?;
        not_negative("Adam", "weight decay", self.decay)
    }

    fn init(&self, _: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        zeros(parameter, if self.amsgrad { &["mean", "variance", "largest"] } else { &["mean", "variance"] })
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        for leaf in leaves {
            let g = if self.decay == 0.0 { leaf.update } else { leaf.update + leaf.parameter * self.decay };
            let mean = leaf.state("mean") * self.first + g * (1.0 - self.first);
            let mut variance = leaf.state("variance") * self.second + g.square() * (1.0 - self.second);
            leaf.set_state("mean", mean);
            leaf.set_state("variance", variance);
            if self.amsgrad {
                variance = leaf.state("largest").maximum(variance);
                leaf.set_state("largest", variance);
            }
            // (m / c₁) / (√v / √c₂ + ε), with both corrections taken once on the host.
            let (first, second) = (self.first, self.second);
            let c1 = leaf.number(move |now| 1.0 / (1.0 - first.powf(now.count as f64)));
            let c2 = leaf.number(move |now| 1.0 / (1.0 - second.powf(now.count as f64)).sqrt());
            leaf.update = mean * c1 / (variance.sqrt() * c2 + self.epsilon);
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, decays, optimizer| Case { file: "adam", name, decays, optimizer };
    vec![
        case("adam", false, || Adam::new(0.1).boxed()),
        case("adam_betas_decay", true, || Adam::new(0.05).betas(0.8, 0.95).epsilon(1e-6).weight_decay(0.1).boxed()),
        case("adam_amsgrad", false, || Adam::new(0.1).amsgrad().boxed()),
    ]
}
