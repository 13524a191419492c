//! Stochastic gradient descent, with momentum if wanted.

use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};
use super::settings::{memory, not_negative, settings, within, zeros};

/// Gradient descent. With g the gradient of a parameter w:
///
/// ```text
/// g ← g + decay · w
/// v ← momentum · v + (1 − dampening) · g   v ← g in the first step
/// w ← w − rate · g                        without momentum
/// w ← w − rate · v                        with momentum (Polyak 1964)
/// w ← w − rate · (g + momentum · v)       with Nesterov's (Sutskever et al. 2013)
/// ```
///
/// The same numbers as PyTorch's `SGD`.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{optim::sgd::Sgd, param::Param};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut weight = Param::new(Tensor::from(3f32));
/// let mut sgd = Sgd::new(0.25);
/// let tape = Tape::new();
/// let loss = weight.on(&tape).square();                      // the gradient is 6
/// assert_eq!(sgd.step(&mut weight, loss.backward())?, 9.0);
/// assert_eq!(weight.value().item::<f32>()?, 1.5);
/// # Ok(())
/// # }
/// ```
pub type Sgd = Optimizer<SgdRule>;

impl Sgd {
    /// Gradient descent with this learning rate.
    pub fn new(learning_rate: f64) -> Sgd {
        Optimizer::of(SgdRule::default(), learning_rate)
    }
}

settings! { SgdRule {
    /// Keeps this fraction of the velocity from step to step, in `0 ≤ momentum < 1`.
    momentum(momentum: f64) |rule| rule.momentum = momentum;

    /// Takes only 1 − `dampening` of each gradient but the first into the velocity, in `0 ≤ dampening ≤ 1`. Needs a momentum.
    dampening(dampening: f64) |rule| rule.dampening = dampening;

    /// Looks ahead along the velocity. Needs a momentum, and no dampening.
    nesterov() |rule| rule.nesterov = true;

    /// Adds `decay` × parameter to the gradient: the L2 penalty.
    weight_decay(decay: f64) |rule| rule.decay = decay;
}}

/// The rule of [`Sgd`]. Its state is `velocity` (v), with momentum only.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SgdRule {
    momentum: f64,
    dampening: f64,
    nesterov: bool,
    decay: f64,
}

impl Rule for SgdRule {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        memory("Sgd", "momentum", self.momentum)?;
        within(
            "Sgd",
            "dampening",
            self.dampening,
            (0.0..=1.0).contains(&self.dampening),
            "must lie in 0 ≤ dampening ≤ 1",
        )?;
        if (self.nesterov || self.dampening > 0.0) && self.momentum == 0.0 {
            let what = if self.nesterov { "Nesterov's step needs a momentum" } else { "dampening needs a momentum" };
            return Err(Error::value(what).op("Sgd").help("Sgd::new(rate).momentum(0.9).nesterov()"));
        }
        if self.nesterov && self.dampening > 0.0 {
            return Err(Error::value("Nesterov's step takes no dampening").op("Sgd").help("leave one of them out"));
        }
        not_negative("Sgd", "weight decay", self.decay)
    }

    fn init(&self, _: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        zeros(parameter, if self.momentum == 0.0 { &[] } else { &["velocity"] })
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        for leaf in leaves {
            let g = if self.decay == 0.0 { leaf.update } else { leaf.update + leaf.parameter * self.decay };
            leaf.update = g;
            if self.momentum == 0.0 {
                continue;
            }
            let dampening = self.dampening;
            let part = if dampening == 0.0 {
                g
            } else {
                g * leaf.number(move |now| if now.count == 1 { 1.0 } else { 1.0 - dampening })
            };
            let velocity = leaf.state("velocity") * self.momentum + part;
            leaf.set_state("velocity", velocity);
            leaf.update = if self.nesterov { g + velocity * self.momentum } else { velocity };
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, decays, optimizer| Case { file: "sgd", name, decays, optimizer };
    vec![
        case("sgd", false, || Sgd::new(0.1).boxed()),
        case("sgd_momentum_decay", true, || Sgd::new(0.05).momentum(0.9).weight_decay(0.1).boxed()),
        case("sgd_dampening", false, || Sgd::new(0.05).momentum(0.9).dampening(0.5).boxed()),
        case("sgd_nesterov", false, || Sgd::new(0.05).momentum(0.8).nesterov().boxed()),
    ]
}
