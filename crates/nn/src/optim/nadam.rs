//! Nadam: Adam with Nesterov's look ahead.

use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};
use super::settings::{memory, not_negative, number, settings, zeros};

/// Nadam, with a momentum that grows from step to step:
///
/// ```text
/// μₜ = β₁ (1 − 0.5 · 0.96^(ψ t))
/// m ← β₁ m + (1 − β₁) g          v ← β₂ v + (1 − β₂) g²
/// w ← w − rate · ((1 − μₜ) / (1 − Πμ) g + μₜ₊₁ / (1 − μₜ₊₁ Πμ) m) / (√v̂ + ε)      Πμ = μ₁ μ₂ … μₜ
/// ```
///
/// Dozat 2016; the same numbers as PyTorch's `NAdam`. β₁ = 0.9, β₂ = 0.999, ε = 1e-8, ψ = 4e-3 unless set; a usual learning rate is 2e-3.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{optim::nadam::Nadam, param::Param};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut weight = Param::new(Tensor::from([1f32, -2.0]));
/// let mut optimizer = Nadam::new(0.1);
/// for _ in 0..200 {
///     let tape = Tape::training(0);
///     let loss = weight.on(&tape).square().sum();
///     optimizer.step(&mut weight, loss.backward())?;
/// }
/// assert!(weight.value().to_f64_vec().iter().all(|w| w.abs() < 0.1));
/// # Ok(())
/// # }
/// ```
pub type Nadam = Optimizer<NadamRule>;

impl Nadam {
    /// Nadam with this learning rate.
    pub fn new(learning_rate: f64) -> Nadam {
        Optimizer::of(NadamRule::default(), learning_rate)
    }
}

settings! { NadamRule {
    /// Sets β₁ and β₂, the memories of the mean and of the square, each in `0 ≤ β < 1`.
    betas(first: f64, second: f64) |rule| (rule.first, rule.second) = (first, second);

    /// Sets ε, which bounds the step where the gradient is close to zero.
    epsilon(epsilon: f64) |rule| rule.epsilon = epsilon;

    /// Adds `decay` × parameter to the gradient: the L2 penalty.
    weight_decay(decay: f64) |rule| rule.decay = decay;

    /// Sets ψ, by which the momentum grows; 0 keeps it at half of β₁.
    momentum_decay(decay: f64) |rule| rule.momentum_decay = decay;

    /// Takes the weight decay from the parameter itself, as AdamW does.
    decoupled() |rule| rule.decoupled = true;
}}

/// The rule of [`Nadam`]. Its state is `mean` (m), `variance` (v) and the number `momenta` (Πμ).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NadamRule {
    first: f64,
    second: f64,
    epsilon: f64,
    decay: f64,
    momentum_decay: f64,
    decoupled: bool,
}

impl Default for NadamRule {
    fn default() -> NadamRule {
        NadamRule { first: 0.9, second: 0.999, epsilon: 1e-8, decay: 0.0, momentum_decay: 4e-3, decoupled: false }
    }
}

impl Rule for NadamRule {
    fn name(&self) -> &'static str {
        "nadam"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        memory("Nadam", "β₁", self.first)?;
        memory("Nadam", "β₂", self.second)?;
        not_negative("Nadam", "ε", self.epsilon)?;
        not_negative("Nadam", "weight decay", self.decay)?;
        not_negative("Nadam", "momentum decay", self.momentum_decay)
    }

    fn init(&self, _: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        let mut state = zeros(parameter, &["mean", "variance"])?;
        state.push(number(parameter, "momenta", 1.0)?);
        Ok(state)
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        let (first, second, decay) = (self.first, self.second, self.momentum_decay);
        let momentum = move |count: u64| first * (1.0 - 0.5 * 0.96f64.powf(count as f64 * decay));
        for leaf in leaves {
            let coupled = self.decay != 0.0 && !self.decoupled;
            let g = if coupled { leaf.update + leaf.parameter * self.decay } else { leaf.update };
            let mean = leaf.state("mean") * first + g * (1.0 - first);
            let variance = leaf.state("variance") * second + g.square() * (1.0 - second);
            let now = leaf.scalar(move |now| momentum(now.count));
            let next = leaf.scalar(move |now| momentum(now.count + 1));
            let momenta = leaf.state("momenta") * now;
            leaf.set_state("mean", mean);
            leaf.set_state("variance", variance);
            leaf.set_state("momenta", momenta);
            let c2 = leaf.number(move |now| 1.0 / (1.0 - second.powf(now.count as f64)).sqrt());
            let ahead = g * ((1.0 - now) / (1.0 - momenta)) + mean * (next / (1.0 - momenta * next));
            leaf.update = ahead / (variance.sqrt() * c2 + self.epsilon);
            if self.decay != 0.0 && self.decoupled {
                leaf.update = leaf.update + leaf.parameter * self.decay;
            }
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, decays, optimizer| Case { file: "nadam", name, decays, optimizer };
    vec![
        case("nadam", false, || Nadam::new(0.1).boxed()),
        case("nadam_betas_decay", true, || {
            Nadam::new(0.05).betas(0.8, 0.95).epsilon(1e-6).weight_decay(0.1).momentum_decay(0.01).boxed()
        }),
        case("nadam_decoupled", true, || Nadam::new(0.1).weight_decay(0.2).decoupled().boxed()),
    ]
}
