//! RMSprop: steps divided by the running size of the gradient.

use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};
use super::settings::{memory, not_negative, settings, zeros};

/// RMSprop:
///
/// ```text
/// s ← α s + (1 − α) g²           a ← α a + (1 − α) g      (a only if centred, else 0)
/// b ← momentum · b + g / (√(s − a²) + ε)
/// w ← w − rate · b
/// ```
///
/// Tieleman & Hinton 2012, centred: Graves 2013; the same numbers as PyTorch's `RMSprop`. α = 0.99, ε = 1e-8 unless set.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{optim::rmsprop::RmsProp, param::Param};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut weight = Param::new(Tensor::from([1f32, -2.0]));
/// let mut optimizer = RmsProp::new(0.02);
/// for _ in 0..200 {
///     let tape = Tape::training(0);
///     let loss = weight.on(&tape).square().sum();
///     optimizer.step(&mut weight, loss.backward())?;
/// }
/// assert!(weight.value().to_f64_vec().iter().all(|w| w.abs() < 0.1));
/// # Ok(())
/// # }
/// ```
pub type RmsProp = Optimizer<RmsPropRule>;

impl RmsProp {
    /// RmsProp with this learning rate.
    pub fn new(learning_rate: f64) -> RmsProp {
        Optimizer::of(RmsPropRule::default(), learning_rate)
    }
}

settings! { RmsPropRule {
    /// Sets α, the memory of the square, in `0 ≤ α < 1`.
    alpha(alpha: f64) |rule| rule.alpha = alpha;

    /// Sets ε, which bounds the step where the gradient is close to zero.
    epsilon(epsilon: f64) |rule| rule.epsilon = epsilon;

    /// Adds `decay` × parameter to the gradient: the L2 penalty.
    weight_decay(decay: f64) |rule| rule.decay = decay;

    /// Keeps this fraction of the step from step to step, in `0 ≤ momentum < 1`.
    momentum(momentum: f64) |rule| rule.momentum = momentum;

    /// Divides by the deviation from the running mean of the gradient, not from zero.
    centered() |rule| rule.centered = true;
}}

/// The rule of [`RmsProp`]. Its state is `square` (s), `mean` (a) if centred, and `velocity` (b) with momentum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsPropRule {
    alpha: f64,
    epsilon: f64,
    decay: f64,
    momentum: f64,
    centered: bool,
}

impl Default for RmsPropRule {
    fn default() -> RmsPropRule {
        RmsPropRule { alpha: 0.99, epsilon: 1e-8, decay: 0.0, momentum: 0.0, centered: false }
    }
}

impl Rule for RmsPropRule {
    fn name(&self) -> &'static str {
        "rmsprop"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        memory("RmsProp", "α", self.alpha)?;
        memory("RmsProp", "momentum", self.momentum)?;
        not_negative("RmsProp", "ε", self.epsilon)?;
        not_negative("RmsProp", "weight decay", self.decay)
    }

    fn init(&self, _: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        let mut names = vec!["square"];
        names.extend(self.centered.then_some("mean"));
        names.extend((self.momentum > 0.0).then_some("velocity"));
        zeros(parameter, &names)
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        for leaf in leaves {
            let g = if self.decay == 0.0 { leaf.update } else { leaf.update + leaf.parameter * self.decay };
            let square = leaf.state("square") * self.alpha + g.square() * (1.0 - self.alpha);
            leaf.set_state("square", square);
            let mut variance = square;
            if self.centered {
                let mean = leaf.state("mean") * self.alpha + g * (1.0 - self.alpha);
                leaf.set_state("mean", mean);
                // Rounding may carry the difference below zero.
                variance = (square - mean.square()).maximum(0.0);
            }
            leaf.update = g / (variance.sqrt() + self.epsilon);
            if self.momentum > 0.0 {
                leaf.update = leaf.state("velocity") * self.momentum + leaf.update;
                leaf.set_state("velocity", leaf.update);
            }
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, decays, optimizer| Case { file: "rmsprop", name, decays, optimizer };
    vec![
        case("rmsprop", false, || RmsProp::new(0.05).boxed()),
        case("rmsprop_momentum_decay", true, || {
            RmsProp::new(0.01).alpha(0.9).momentum(0.8).epsilon(1e-6).weight_decay(0.1).boxed()
        }),
        case("rmsprop_centered", false, || RmsProp::new(0.02).alpha(0.9).centered().epsilon(1e-3).boxed()),
    ]
}
