//! Adam: a step of the size of the learning rate, whatever the size of the gradient.

use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};

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

    /// Sets β₁ and β₂, the memories of the mean and of the square, each in `0 ≤ β < 1`.
    #[must_use]
    pub fn betas(self, first: f64, second: f64) -> Adam {
        self.configure(|rule| (rule.first, rule.second) = (first, second))
    }

    /// Sets ε, which bounds the step where the gradient is close to zero.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Adam {
        self.configure(|rule| rule.epsilon = epsilon)
    }

    /// Adds `decay` × parameter to the gradient: the L2 penalty. See [`AdamW`](super::adamw::AdamW) for decay that is
    /// not rescaled.
    #[must_use]
    pub fn weight_decay(self, decay: f64) -> Adam {
        self.configure(|rule| rule.decay = decay)
    }
}

/// The rule of [`Adam`]. Its state is `mean` (m) and `variance` (v).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamRule {
    pub(crate) first: f64,
    pub(crate) second: f64,
    pub(crate) epsilon: f64,
    pub(crate) decay: f64,
}

impl Default for AdamRule {
    fn default() -> AdamRule {
        AdamRule { first: 0.9, second: 0.999, epsilon: 1e-8, decay: 0.0 }
    }
}

impl Rule for AdamRule {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn check(&self) -> Result<()> {
        for (name, beta) in [("β₁", self.first), ("β₂", self.second)] {
            if !(0.0..1.0).contains(&beta) {
                return Err(Error::value(format!("{name} is {beta}, and must lie in 0 ≤ β < 1")).op("Adam"));
            }
        }
        if ![self.epsilon, self.decay].iter().all(|setting| (0.0..f64::INFINITY).contains(setting)) {
            let message =
                format!("ε = {} and weight decay = {} must be finite and not negative", self.epsilon, self.decay);
            return Err(Error::value(message).op("Adam"));
        }
        Ok(())
    }

    fn init(&self, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        let zeros = Tensor::zeros(parameter.shape(), parameter.dtype())?;
        Ok(vec![("mean", zeros.clone()), ("variance", zeros)])
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        for leaf in leaves {
            let g = if self.decay == 0.0 { leaf.update } else { leaf.update + leaf.parameter * self.decay };
            let mean = leaf.state("mean") * self.first + g * (1.0 - self.first);
            let variance = leaf.state("variance") * self.second + g.square() * (1.0 - self.second);
            leaf.set_state("mean", mean);
            leaf.set_state("variance", variance);
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
    ]
}
