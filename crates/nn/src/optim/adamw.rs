//! AdamW: Adam with weight decay that the gradient's size does not rescale.

use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

use super::adam::AdamRule;
use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};
use super::settings::settings;

/// AdamW: [`Adam`](super::adam::Adam) whose weight decay acts on the parameter itself,
/// `w ← w − rate · (m̂ / (√v̂ + ε) + decay · w)`.
///
/// Loshchilov & Hutter 2017. A decay of 0.01 unless set, as in PyTorch.
///
/// ```
/// use wengert_nn::optim::adamw::AdamW;
/// let optimizer = AdamW::new(3e-4).weight_decay(0.1).clip_global_norm(1.0);
/// assert_eq!(optimizer.learning_rate(), 3e-4);
/// ```
pub type AdamW = Optimizer<AdamWRule>;

impl AdamW {
    /// AdamW with this learning rate.
    pub fn new(learning_rate: f64) -> AdamW {
        Optimizer::of(AdamWRule::default(), learning_rate)
    }
}

settings! { AdamWRule {
    /// Sets β₁ and β₂, the memories of the mean and of the square, each in `0 ≤ β < 1`.
    betas(first: f64, second: f64) |rule| rule.adam = rule.adam.betas(first, second);

    /// Sets ε, which bounds the step where the gradient is close to zero.
    epsilon(epsilon: f64) |rule| rule.adam.epsilon = epsilon;

    /// Sets the fraction of a parameter that a step of learning rate 1 would take away.
    weight_decay(decay: f64) |rule| rule.decay = decay;

    /// Divides by the largest v̂ so far: see [`AdamRule::amsgrad`].
    amsgrad() |rule| rule.adam.amsgrad = true;
}}

/// The rule of [`AdamW`]. Its state is that of Adam.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWRule {
    adam: AdamRule,
    decay: f64,
}

impl Default for AdamWRule {
    fn default() -> AdamWRule {
        AdamWRule { adam: AdamRule::default(), decay: 0.01 }
    }
}

impl Rule for AdamWRule {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        AdamRule { decay: self.decay, ..self.adam }.check()
    }

    fn init(&self, name: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        self.adam.init(name, parameter)
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        self.adam.update(leaves);
        for leaf in leaves {
            leaf.update = leaf.update + leaf.parameter * self.decay;
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, optimizer| Case { file: "adamw", name, decays: true, optimizer };
    vec![
        case("adamw", || AdamW::new(0.1).boxed()),
        case("adamw_betas_decay", || AdamW::new(0.05).betas(0.8, 0.95).epsilon(1e-6).weight_decay(0.3).boxed()),
        case("adamw_amsgrad", || AdamW::new(0.1).amsgrad().boxed()),
    ]
}
