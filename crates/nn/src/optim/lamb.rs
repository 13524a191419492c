//! Lamb: Adam whose step is a fraction of each layer's size.

use wengert_autograd::Var;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

use super::adam::AdamRule;
use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};
use super::settings::{memory, not_negative, settings};

/// Lamb, for large batches:
///
/// ```text
/// u = m̂ / (√v̂ + ε) + decay · w          (m̂, v̂ as in Adam)
/// w ← w − rate · ‖w‖ / ‖u‖ · u          (a ratio of 1 where one of the norms is 0)
/// ```
///
/// You et al. 2019; the same numbers as Optax's. β₁ = 0.9, β₂ = 0.999, ε = 1e-6, no decay unless set.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{optim::lamb::Lamb, param::Param};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut weight = Param::new(Tensor::from([1f32, -2.0]));
/// let mut optimizer = Lamb::new(0.05);
/// for _ in 0..200 {
///     let tape = Tape::training(0);
///     let loss = weight.on(&tape).square().sum();
///     optimizer.step(&mut weight, loss.backward())?;
/// }
/// assert!(weight.value().to_f64_vec().iter().all(|w| w.abs() < 0.1));
/// # Ok(())
/// # }
/// ```
pub type Lamb = Optimizer<LambRule>;

impl Lamb {
    /// Lamb with this learning rate.
    pub fn new(learning_rate: f64) -> Lamb {
        Optimizer::of(LambRule::default(), learning_rate)
    }
}

settings! { LambRule {
    /// Sets β₁ and β₂, the memories of the mean and of the square, each in `0 ≤ β < 1`.
    betas(first: f64, second: f64) |rule| (rule.first, rule.second) = (first, second);

    /// Sets ε, which bounds the step where the gradient is close to zero.
    epsilon(epsilon: f64) |rule| rule.epsilon = epsilon;

    /// Sets the fraction of a parameter that a step of learning rate 1 would take away, whatever its gradient is.
    weight_decay(decay: f64) |rule| rule.decay = decay;
}}

/// The rule of [`Lamb`]. Its state is `mean` (m) and `variance` (v).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LambRule {
    first: f64,
    second: f64,
    epsilon: f64,
    decay: f64,
}

impl Default for LambRule {
    fn default() -> LambRule {
        LambRule { first: 0.9, second: 0.999, epsilon: 1e-6, decay: 0.0 }
    }
}

impl LambRule {
    fn adam(&self) -> AdamRule {
        AdamRule::default().betas(self.first, self.second).epsilon(self.epsilon)
    }
}

/// `coefficient · ‖w‖ / (‖u‖ + ε)`, 1 where one of the norms is 0.
pub(super) fn trust<'t>(parameter: Var<'t>, update: Var<'t>, coefficient: f64, epsilon: f64) -> Var<'t> {
    let [w, u] = [parameter, update].map(|x| x.square().sum().sqrt());
    let known = w.gt(0.0).and(u.gt(0.0));
    (w * coefficient / (u + epsilon)).select(known, 1.0)
}

impl Rule for LambRule {
    fn name(&self) -> &'static str {
        "lamb"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        memory("Lamb", "β₁", self.first)?;
        memory("Lamb", "β₂", self.second)?;
        not_negative("Lamb", "ε", self.epsilon)?;
        not_negative("Lamb", "weight decay", self.decay)
    }

    fn init(&self, _: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        self.adam().init("", parameter)
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        self.adam().update(leaves);
        for leaf in leaves {
            if self.decay != 0.0 {
                leaf.update = leaf.update + leaf.parameter * self.decay;
            }
            leaf.update = leaf.update * trust(leaf.parameter, leaf.update, 1.0, 0.0);
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, decays, optimizer| Case { file: "lamb", name, decays, optimizer };
    vec![
        case("lamb", false, || Lamb::new(0.1).boxed()),
        case("lamb_betas_decay", true, || Lamb::new(0.05).betas(0.8, 0.95).weight_decay(0.3).boxed()),
    ]
}
