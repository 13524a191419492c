//! Lars: momentum whose step is a fraction of each layer's size.

use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::lamb::trust;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};
use super::settings::{memory, not_negative, positive, settings, zeros};

/// Lars, for large batches of images:
///
/// ```text
/// u = g + decay · w
/// v ← momentum · v + rate · c ‖w‖ / (‖u‖ + ε) · u          (a ratio of 1 where one of the norms is 0)
/// w ← w − v                                                 w ← w − (momentum · v + the last term) with Nesterov's
/// ```
///
/// You et al. 2017; the same numbers as Optax's. momentum = 0.9, c = 1e-3, ε = 0, no decay unless set. Leave biases and norms out:
/// `Lars::new(rate).rule_of(rank_below(2), SgdRule::default().momentum(0.9))`.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{optim::lars::Lars, param::Param};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut weight = Param::new(Tensor::from([1f32, -2.0]));
/// let mut optimizer = Lars::new(0.02).coefficient(1.0);
/// for _ in 0..200 {
///     let tape = Tape::training(0);
///     let loss = weight.on(&tape).square().sum();
///     optimizer.step(&mut weight, loss.backward())?;
/// }
/// assert!(weight.value().to_f64_vec().iter().all(|w| w.abs() < 0.1));
/// # Ok(())
/// # }
/// ```
pub type Lars = Optimizer<LarsRule>;

impl Lars {
    /// Lars with this learning rate.
    pub fn new(learning_rate: f64) -> Lars {
        Optimizer::of(LarsRule::default(), learning_rate)
    }
}

settings! { LarsRule {
    /// Keeps this fraction of the velocity from step to step, in `0 ≤ momentum < 1`.
    momentum(momentum: f64) |rule| rule.momentum = momentum;

    /// Looks ahead along the velocity.
    nesterov() |rule| rule.nesterov = true;

    /// Sets c, the fraction of a layer's size that a step of learning rate 1 has.
    coefficient(coefficient: f64) |rule| rule.coefficient = coefficient;

    /// Sets ε, which is added to the norm of the gradient.
    epsilon(epsilon: f64) |rule| rule.epsilon = epsilon;

    /// Adds `decay` × parameter to the gradient: the L2 penalty.
    weight_decay(decay: f64) |rule| rule.decay = decay;
}}

/// The rule of [`Lars`]. Its state is `velocity` (v).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LarsRule {
    momentum: f64,
    nesterov: bool,
    coefficient: f64,
    epsilon: f64,
    decay: f64,
}

impl Default for LarsRule {
    fn default() -> LarsRule {
        LarsRule { momentum: 0.9, nesterov: false, coefficient: 1e-3, epsilon: 0.0, decay: 0.0 }
    }
}

impl Rule for LarsRule {
    fn name(&self) -> &'static str {
        "lars"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        memory("Lars", "momentum", self.momentum)?;
        positive("Lars", "the coefficient", self.coefficient)?;
        not_negative("Lars", "ε", self.epsilon)?;
        not_negative("Lars", "weight decay", self.decay)
    }

    fn init(&self, _: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        zeros(parameter, &["velocity"])
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        for leaf in leaves {
            let g = if self.decay == 0.0 { leaf.update } else { leaf.update + leaf.parameter * self.decay };
            let rate = leaf.number(|now| now.learning_rate);
            let step = g * trust(leaf.parameter, g, self.coefficient, self.epsilon) * rate;
            let velocity = leaf.state("velocity") * self.momentum + step;
            leaf.set_state("velocity", velocity);
            leaf.set_next(leaf.parameter - if self.nesterov { velocity * self.momentum + step } else { velocity });
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, decays, optimizer| Case { file: "lars", name, decays, optimizer };
    vec![
        case("lars", false, || Lars::new(0.1).coefficient(0.3).momentum(0.5).boxed()),
        case("lars_nesterov_decay", true, || {
            Lars::new(0.1).coefficient(0.1).momentum(0.8).nesterov().epsilon(1e-3).weight_decay(0.1).boxed()
        }),
    ]
}
