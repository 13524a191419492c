//! Adadelta: steps in the units of the parameter, without a learning rate.

use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};
use super::settings::{memory, not_negative, positive, settings, zeros};

/// Adadelta:
///
/// ```text
/// s ← ρ s + (1 − ρ) g²
/// d = √(a + ε) / √(s + ε) · g
/// a ← ρ a + (1 − ρ) d²
/// w ← w − rate · d
/// ```
///
/// Zeiler 2012; the same numbers as PyTorch's. ρ = 0.9, ε = 1e-6 unless set; the usual learning rate is 1.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{optim::adadelta::Adadelta, param::Param};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut weight = Param::new(Tensor::from([0.5f32, -0.25]));
/// let mut optimizer = Adadelta::new(1.0).epsilon(1e-3);
/// for _ in 0..200 {
///     let tape = Tape::training(0);
///     let loss = weight.on(&tape).square().sum();
///     optimizer.step(&mut weight, loss.backward())?;
/// }
/// assert!(weight.value().to_f64_vec().iter().all(|w| w.abs() < 0.1));
/// # Ok(())
/// # }
/// ```
pub type Adadelta = Optimizer<AdadeltaRule>;

impl Adadelta {
    /// Adadelta with this learning rate.
    pub fn new(learning_rate: f64) -> Adadelta {
        Optimizer::of(AdadeltaRule::default(), learning_rate)
    }
}

settings! { AdadeltaRule {
    /// Sets ρ, the memory of both squares, in `0 ≤ ρ < 1`.
    rho(rho: f64) |rule| rule.rho = rho;

    /// Sets ε, from which the first steps get their size; positive.
    epsilon(epsilon: f64) |rule| rule.epsilon = epsilon;

    /// Adds `decay` × parameter to the gradient: the L2 penalty.
    weight_decay(decay: f64) |rule| rule.decay = decay;
}}

/// The rule of [`Adadelta`]. Its state is `square` (s) and `step` (a).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdadeltaRule {
    rho: f64,
    epsilon: f64,
    decay: f64,
}

impl Default for AdadeltaRule {
    fn default() -> AdadeltaRule {
        AdadeltaRule { rho: 0.9, epsilon: 1e-6, decay: 0.0 }
    }
}

impl Rule for AdadeltaRule {
    fn name(&self) -> &'static str {
        "adadelta"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        memory("Adadelta", "ρ", self.rho)?;
        positive("Adadelta", "ε", self.epsilon)?;
        not_negative("Adadelta", "weight decay", self.decay)
    }

    fn init(&self, _: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        zeros(parameter, &["square", "step"])
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        for leaf in leaves {
            let g = if self.decay == 0.0 { leaf.update } else { leaf.update + leaf.parameter * self.decay };
            let (square, step) = (leaf.state("square"), leaf.state("step"));
            let square = square * self.rho + g.square() * (1.0 - self.rho);
            let delta = (step + self.epsilon).sqrt() / (square + self.epsilon).sqrt() * g;
            leaf.set_state("square", square);
            leaf.set_state("step", step * self.rho + delta.square() * (1.0 - self.rho));
            leaf.update = delta;
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, decays, optimizer| Case { file: "adadelta", name, decays, optimizer };
    vec![
        case("adadelta", false, || Adadelta::new(20.0).boxed()),
        case("adadelta_rho_decay", true, || Adadelta::new(1.0).rho(0.8).epsilon(1e-3).weight_decay(0.1).boxed()),
    ]
}
