//! Stochastic gradient descent, with momentum if wanted.

use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};

/// Gradient descent. With g the gradient of a parameter w:
///
/// ```text
/// g ← g + decay · w
/// v ← momentum · v + g
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

    /// Keeps this fraction of the velocity from step to step, in `0 ≤ momentum < 1`.
    #[must_use]
    pub fn momentum(self, momentum: f64) -> Sgd {
        self.configure(|rule| rule.momentum = momentum)
    }

    /// Looks ahead along the velocity. Needs a momentum.
    #[must_use]
    pub fn nesterov(self) -> Sgd {
        self.configure(|rule| rule.nesterov = true)
    }

    /// Adds `decay` × parameter to the gradient: the L2 penalty.
    #[must_use]
    pub fn weight_decay(self, decay: f64) -> Sgd {
        self.configure(|rule| rule.decay = decay)
    }
}

/// The rule of [`Sgd`]. Its state is `velocity` (v), with momentum only.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SgdRule {
    momentum: f64,
    nesterov: bool,
    decay: f64,
}

impl Rule for SgdRule {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn check(&self) -> Result<()> {
        if !(0.0..1.0).contains(&self.momentum) {
            return Err(Error::value(format!("momentum is {}, and must lie in 0 ≤ m < 1", self.momentum)).op("Sgd"));
        }
        if self.nesterov && self.momentum == 0.0 {
            let error = Error::value("Nesterov's step needs a momentum").op("Sgd");
            return Err(error.help("Sgd::new(rate).momentum(0.9).nesterov()"));
        }
        if !(0.0..f64::INFINITY).contains(&self.decay) {
            let message = format!("weight decay is {}, and must be finite and not negative", self.decay);
            return Err(Error::value(message).op("Sgd"));
        }
        Ok(())
    }

    fn init(&self, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        match self.momentum == 0.0 {
            true => Ok(Vec::new()),
            false => Ok(vec![("velocity", Tensor::zeros(parameter.shape(), parameter.dtype())?)]),
        }
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        for leaf in leaves {
            let g = if self.decay == 0.0 { leaf.update } else { leaf.update + leaf.parameter * self.decay };
            leaf.update = g;
            if self.momentum == 0.0 {
                continue;
            }
            let velocity = leaf.state("velocity") * self.momentum + g;
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
        case("sgd_nesterov", false, || Sgd::new(0.05).momentum(0.8).nesterov().boxed()),
    ]
}
