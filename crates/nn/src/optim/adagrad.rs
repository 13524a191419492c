//! Adagrad: steps divided by the size of all gradients so far.

use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};
use super::settings::{not_negative, settings};

/// Adagrad, for rare features:
///
/// ```text
/// s ← s + g²
/// w ← w − rate / (1 + (t − 1) · rate decay) · g / (√s + ε)
/// ```
///
/// Duchi et al. 2011; the same numbers as PyTorch's. s starts from 0, ε = 1e-10 unless set (Keras and Optax start from 0.1).
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{optim::adagrad::Adagrad, param::Param};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut weight = Param::new(Tensor::from([1f32, -2.0]));
/// let mut optimizer = Adagrad::new(0.5);
/// for _ in 0..200 {
///     let tape = Tape::training(0);
///     let loss = weight.on(&tape).square().sum();
///     optimizer.step(&mut weight, loss.backward())?;
/// }
/// assert!(weight.value().to_f64_vec().iter().all(|w| w.abs() < 0.1));
/// # Ok(())
/// # }
/// ```
pub type Adagrad = Optimizer<AdagradRule>;

impl Adagrad {
    /// Adagrad with this learning rate.
    pub fn new(learning_rate: f64) -> Adagrad {
        Optimizer::of(AdagradRule::default(), learning_rate)
    }
}

settings! { AdagradRule {
    /// Sets ε, which bounds the step where no gradient was yet.
    epsilon(epsilon: f64) |rule| rule.epsilon = epsilon;

    /// Adds `decay` × parameter to the gradient: the L2 penalty.
    weight_decay(decay: f64) |rule| rule.decay = decay;

    /// Lets the learning rate shrink: 1 / (1 + (t − 1) · decay).
    rate_decay(decay: f64) |rule| rule.rate_decay = decay;

    /// Starts the sum of squares from this value.
    initial(initial: f64) |rule| rule.initial = initial;
}}

/// The rule of [`Adagrad`]. Its state is `square` (s).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdagradRule {
    epsilon: f64,
    decay: f64,
    rate_decay: f64,
    initial: f64,
}

impl Default for AdagradRule {
    fn default() -> AdagradRule {
        AdagradRule { epsilon: 1e-10, decay: 0.0, rate_decay: 0.0, initial: 0.0 }
    }
}

impl Rule for AdagradRule {
    fn name(&self) -> &'static str {
        "adagrad"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        not_negative("Adagrad", "ε", self.epsilon)?;
        not_negative("Adagrad", "weight decay", self.decay)?;
        not_negative("Adagrad", "rate decay", self.rate_decay)?;
        not_negative("Adagrad", "the initial sum", self.initial)
    }

    fn init(&self, _: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        Ok(vec![("square", Tensor::full(parameter.shape(), self.initial)?.cast(parameter.dtype())?)])
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        for leaf in leaves {
            let g = if self.decay == 0.0 { leaf.update } else { leaf.update + leaf.parameter * self.decay };
            let square = leaf.state("square") + g.square();
            leaf.set_state("square", square);
            let decay = self.rate_decay;
            let scale = leaf.number(move |now| 1.0 / (1.0 + (now.count - 1) as f64 * decay));
            leaf.update = g * scale / (square.sqrt() + self.epsilon);
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, decays, optimizer| Case { file: "adagrad", name, decays, optimizer };
    vec![
        case("adagrad", false, || Adagrad::new(0.5).boxed()),
        case("adagrad_decay", true, || {
            Adagrad::new(0.3).rate_decay(0.01).initial(0.1).epsilon(1e-6).weight_decay(0.1).boxed()
        }),
    ]
}
