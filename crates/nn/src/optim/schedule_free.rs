//! Schedule-free AdamW: an average in place of a falling learning rate.

use wengert_autograd::Var;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};
use super::settings::{memory, not_negative, number, settings, within, zeros};

/// Schedule-free AdamW. The parameter is y, between the steps z and their average x; x is the answer, which [`Optimizer::evaluate`] puts in
/// place of y:
///
/// ```text
/// u = g / (√v̂ + ε) + decay · y          v ← β₂ v + (1 − β₂) g²
/// z ← z − rate · u                      x ← (1 − c) x + c z          c = rateₘ² / Σ rateₘ²
/// y ← (1 − β₁) z + β₁ x
/// ```
///
/// with rateₘ the largest rate so far. No schedule is needed but a warm-up: `ScheduleFree::new(2.5e-3).schedule(warmup(1000))`. Defazio et al.
/// 2024; the same numbers as Optax's `schedule_free_adamw`, which under a schedule weighs a step by the rate of the next
/// one, not by its own. β₁ = 0.9, β₂ = 0.999, ε = 1e-8, no decay unless set.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{optim::schedule_free::ScheduleFree, param::Param};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut weight = Param::new(Tensor::from([1f32, -2.0]));
/// let mut optimizer = ScheduleFree::new(0.1);
/// for _ in 0..200 {
///     let tape = Tape::training(0);
///     let loss = weight.on(&tape).square().sum();
///     optimizer.step(&mut weight, loss.backward())?;
/// }
/// assert!(weight.value().to_f64_vec().iter().all(|w| w.abs() < 0.1));
/// # Ok(())
/// # }
/// ```
pub type ScheduleFree = Optimizer<ScheduleFreeRule>;

impl ScheduleFree {
    /// ScheduleFree with this learning rate.
    pub fn new(learning_rate: f64) -> ScheduleFree {
        Optimizer::of(ScheduleFreeRule::default(), learning_rate)
    }
}

settings! { ScheduleFreeRule {
    /// Sets β₁, the share of the average in y, in `0 < β₁ < 1`, and β₂, the memory of the square, in `0 ≤ β₂ < 1`.
    betas(first: f64, second: f64) |rule| (rule.first, rule.second) = (first, second);

    /// Sets ε, which bounds the step where the gradient is close to zero.
    epsilon(epsilon: f64) |rule| rule.epsilon = epsilon;

    /// Sets the fraction of a parameter that a step of learning rate 1 would take away, whatever its gradient is.
    weight_decay(decay: f64) |rule| rule.decay = decay;

    /// Weighs a step in the average by this power of its rate.
    weight_power(power: f64) |rule| rule.power = power;
}}

/// The rule of [`ScheduleFree`]. Its state is `z`, `variance` (v), and the numbers `largest` (rateₘ) and `weights` (the sum).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScheduleFreeRule {
    first: f64,
    second: f64,
    epsilon: f64,
    decay: f64,
    power: f64,
}

impl Default for ScheduleFreeRule {
    fn default() -> ScheduleFreeRule {
        ScheduleFreeRule { first: 0.9, second: 0.999, epsilon: 1e-8, decay: 0.0, power: 2.0 }
    }
}

impl Rule for ScheduleFreeRule {
    fn name(&self) -> &'static str {
        "schedule_free"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        within("ScheduleFree", "β₁", self.first, self.first > 0.0 && self.first < 1.0, "must lie in 0 < β₁ < 1")?;
        memory("ScheduleFree", "β₂", self.second)?;
        not_negative("ScheduleFree", "ε", self.epsilon)?;
        not_negative("ScheduleFree", "weight decay", self.decay)?;
        not_negative("ScheduleFree", "the power", self.power)
    }

    fn init(&self, _: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        let mut state = zeros(parameter, &["variance"])?;
        state.extend([
            ("z", parameter.clone()),
            number(parameter, "largest", 0.0)?,
            number(parameter, "weights", 0.0)?,
        ]);
        Ok(state)
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        let second = self.second;
        for leaf in leaves {
            let (g, y, z) = (leaf.update, leaf.parameter, leaf.state("z"));
            let variance = leaf.state("variance") * second + g.square() * (1.0 - second);
            let c2 = leaf.number(move |now| 1.0 / (1.0 - second.powf(now.count as f64)).sqrt());
            let mut step = g / (variance.sqrt() * c2 + self.epsilon);
            if self.decay != 0.0 {
                step = step + y * self.decay;
            }
            let rate = leaf.scalar(|now| now.learning_rate);
            let largest = leaf.state("largest").maximum(rate);
            let weight = if self.power == 2.0 { largest.square() } else { largest.pow(self.power) };
            let weights = leaf.state("weights") + weight;
            // While every rate was 0 there is nothing to average.
            let share = (weight / weights).select(weights.gt(0.0), 0.0);
            for (name, next) in
                [("variance", variance), ("z", z - step * rate), ("largest", largest), ("weights", weights)]
            {
                leaf.set_state(name, next);
            }
            leaf.set_next(y + (z - y) * share + step * (rate * (self.first * (1.0 - share) - 1.0)));
        }
    }

    fn evaluation<'t>(&self, leaf: &Leaf<'t>) -> Option<Var<'t>> {
        Some(leaf.parameter + (leaf.state("z") - leaf.parameter) * (1.0 - 1.0 / self.first))
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, decays, optimizer| Case { file: "schedule_free", name, decays, optimizer };
    vec![
        case("schedule_free", false, || ScheduleFree::new(0.1).boxed()),
        case("schedule_free_betas_decay", true, || {
            ScheduleFree::new(0.2).betas(0.95, 0.9).epsilon(1e-6).weight_decay(0.1).boxed()
        }),
    ]
}
