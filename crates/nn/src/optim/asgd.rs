//! ASGD: gradient descent whose average over the steps is the answer.

use wengert_autograd::Var;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};
use super::settings::{not_negative, settings};

/// Averaged gradient descent:
///
/// ```text
/// η = rate / (1 + λ · rate · (t − 1))^α          w ← w − λ η w − η g
/// a ← a + (w − a) / max(1, t − 1 − t₀)           (a ← w in the first step)
/// ```
///
/// The average a is what [`Optimizer::evaluate`] puts in place of w. Polyak & Juditsky 1992; the same numbers as PyTorch's `ASGD`. λ = 1e-4,
/// α = 0.75, t₀ = 1e6 unless set: with so late a start the average is w itself. Under a schedule η takes the rate of its own
/// step; PyTorch's takes that of the step before.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{optim::asgd::Asgd, param::Param};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut weight = Param::new(Tensor::from([1f32, -2.0]));
/// let mut optimizer = Asgd::new(0.1);
/// for _ in 0..200 {
///     let tape = Tape::training(0);
///     let loss = weight.on(&tape).square().sum();
///     optimizer.step(&mut weight, loss.backward())?;
/// }
/// assert!(weight.value().to_f64_vec().iter().all(|w| w.abs() < 0.1));
/// # Ok(())
/// # }
/// ```
pub type Asgd = Optimizer<AsgdRule>;

impl Asgd {
    /// Asgd with this learning rate.
    pub fn new(learning_rate: f64) -> Asgd {
        Optimizer::of(AsgdRule::default(), learning_rate)
    }
}

settings! { AsgdRule {
    /// Sets λ, by which learning rate and weights decay.
    lambda(lambda: f64) |rule| rule.lambda = lambda;

    /// Sets α, the power by which the learning rate falls.
    alpha(alpha: f64) |rule| rule.alpha = alpha;

    /// Sets t₀, the number of steps before the average begins.
    start(start: u64) |rule| rule.start = start;

    /// Adds `decay` × parameter to the gradient: the L2 penalty.
    weight_decay(decay: f64) |rule| rule.decay = decay;
}}

/// The rule of [`Asgd`]. Its state is `average` (a).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AsgdRule {
    lambda: f64,
    alpha: f64,
    start: u64,
    decay: f64,
}

impl Default for AsgdRule {
    fn default() -> AsgdRule {
        AsgdRule { lambda: 1e-4, alpha: 0.75, start: 1_000_000, decay: 0.0 }
    }
}

impl Rule for AsgdRule {
    fn name(&self) -> &'static str {
        "asgd"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        not_negative("Asgd", "λ", self.lambda)?;
        not_negative("Asgd", "α", self.alpha)?;
        not_negative("Asgd", "weight decay", self.decay)
    }

    fn init(&self, _: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        Ok(vec![("average", parameter.clone())])
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        let (lambda, alpha, start) = (self.lambda, self.alpha, self.start);
        for leaf in leaves {
            let g = if self.decay == 0.0 { leaf.update } else { leaf.update + leaf.parameter * self.decay };
            let fall = leaf.number(move |now| (1.0 + lambda * now.learning_rate * (now.count - 1) as f64).powf(-alpha));
            leaf.update = (g + leaf.parameter * lambda) * fall;
            let share = leaf.number(move |now| match now.count {
                1 => 1.0,
                count => 1.0 / (count - 1).saturating_sub(start).max(1) as f64,
            });
            let (average, next) = (leaf.state("average"), leaf.next());
            leaf.set_state("average", average * (1.0 - share) + next * share);
        }
    }

    fn evaluation<'t>(&self, leaf: &Leaf<'t>) -> Option<Var<'t>> {
        Some(leaf.state("average"))
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, decays, optimizer| Case { file: "asgd", name, decays, optimizer };
    vec![
        case("asgd", true, || Asgd::new(0.1).boxed()),
        case("asgd_average", true, || Asgd::new(0.1).lambda(0.01).alpha(0.5).start(5).weight_decay(0.1).boxed()),
    ]
}
