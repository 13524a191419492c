//! Sophia: steps by a light estimate of the curvature.

use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};
use super::settings::{memory, not_negative, positive, settings, within, zeros};

/// Sophia-H. Every k-th step estimates the diagonal of the Hessian by one product with it, of random signs s (Hutchinson 1990):
///
/// ```text
/// m ← β₁ m + (1 − β₁) g          h ← β₂ h + (1 − β₂) s ⊙ (∇²L s)      (h in every k-th step)
/// w ← w − rate · (clamp(m / max(γ h, ε), −1, 1) + decay · w)
/// ```
///
/// The product is the gradient of a gradient, recorded on the tape of the loss, which must have a key: `Tape::training(seed)`. Gradients that
/// were gathered by [`Optimizer::accumulate`] or clipped before have no part in h. Liu et al. 2023. β₁ = 0.965, β₂ = 0.99, γ = 0.01, ε = 1e-12,
/// k = 10, no decay unless set. There are two plans: of the steps with an estimate, and of those without. This is the algorithm of the paper;
/// Optax's `contrib.sophia` divides m by 1 − β₁ᵗ besides, and by the h of the step before.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{optim::sophia::Sophia, param::Param};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut weight = Param::new(Tensor::from([1f32, -2.0]));
/// let mut optimizer = Sophia::new(0.1).gamma(1.0);
/// for _ in 0..200 {
///     let tape = Tape::training(0);
///     let loss = weight.on(&tape).square().sum();
///     optimizer.step(&mut weight, loss.backward())?;
/// }
/// assert!(weight.value().to_f64_vec().iter().all(|w| w.abs() < 0.1));
/// # Ok(())
/// # }
/// ```
pub type Sophia = Optimizer<SophiaRule>;

impl Sophia {
    /// Sophia with this learning rate.
    pub fn new(learning_rate: f64) -> Sophia {
        Optimizer::of(SophiaRule::default(), learning_rate)
    }
}

settings! { SophiaRule {
    /// Sets β₁ and β₂, the memories of the mean and of the square, each in `0 ≤ β < 1`.
    betas(first: f64, second: f64) |rule| (rule.first, rule.second) = (first, second);

    /// Sets ε, the smallest curvature that is divided by; positive.
    epsilon(epsilon: f64) |rule| rule.epsilon = epsilon;

    /// Sets the fraction of a parameter that a step of learning rate 1 would take away, whatever its gradient is.
    weight_decay(decay: f64) |rule| rule.decay = decay;

    /// Sets γ, the share of the curvature in a step: the larger, the fewer elements are clamped.
    gamma(gamma: f64) |rule| rule.gamma = gamma;

    /// Estimates the curvature in every `interval`-th step, beginning with the first.
    interval(interval: u64) |rule| rule.interval = interval;
}}

/// The rule of [`Sophia`]. Its state is `mean` (m) and `curvature` (h).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SophiaRule {
    first: f64,
    second: f64,
    epsilon: f64,
    decay: f64,
    gamma: f64,
    interval: u64,
}

impl Default for SophiaRule {
    fn default() -> SophiaRule {
        SophiaRule { first: 0.965, second: 0.99, epsilon: 1e-12, decay: 0.0, gamma: 0.01, interval: 10 }
    }
}

/// Signs at random, of the shape and dtype of `like`.
fn signs(like: Var<'_>) -> Var<'_> {
    let coin = like.tape().uniform(like.shape(), DType::F32).lt(0.5);
    like.ones_like().select(coin, -like.ones_like())
}

impl Rule for SophiaRule {
    fn name(&self) -> &'static str {
        "sophia"
    }

    fn check(&self) -> Result<()> {
        memory("Sophia", "β₁", self.first)?;
        memory("Sophia", "β₂", self.second)?;
        not_negative("Sophia", "weight decay", self.decay)?;
        positive("Sophia", "ε", self.epsilon)?;
        positive("Sophia", "γ", self.gamma)?;
        within("Sophia", "the interval", self.interval as f64, self.interval > 0, "must be at least 1")
    }

    fn init(&self, _: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        zeros(parameter, &["mean", "curvature"])
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        if leaves.first().is_some_and(|leaf| leaf.phase() == 1) {
            let signs: Vec<Var<'_>> = leaves.iter().map(|leaf| signs(leaf.leaf())).collect();
            // Parameters of several dtypes share one sum, in the widest.
            let wide = leaves.iter().any(|leaf| leaf.update.dtype() == DType::F64);
            let dtype = if wide { DType::F64 } else { DType::F32 };
            let along = leaves
                .iter()
                .zip(&signs)
                .map(|(leaf, signs)| (leaf.gradient() * signs.cast(leaf.gradient().dtype())).sum().cast(dtype));
            let Some(along) = along.reduce(|a, b| a + b) else { return };
            let targets: Vec<Var<'_>> = leaves.iter().map(Leaf::leaf).collect();
            let products = along.tape().grad(along, targets);
            for ((leaf, signs), product) in leaves.iter_mut().zip(signs).zip(products) {
                let estimate = (signs * product).cast(leaf.update.dtype());
                let curvature = leaf.state("curvature") * self.second + estimate * (1.0 - self.second);
                leaf.set_state("curvature", curvature);
            }
        }
        for leaf in leaves {
            let mean = leaf.state("mean") * self.first + leaf.update * (1.0 - self.first);
            leaf.set_state("mean", mean);
            let curvature = (leaf.state("curvature") * self.gamma).maximum(self.epsilon);
            leaf.update = (mean / curvature).clamp(-1.0, 1.0);
            if self.decay != 0.0 {
                leaf.update = leaf.update + leaf.parameter * self.decay;
            }
        }
    }

    fn phase(&self, step: u64) -> u64 {
        u64::from(step.is_multiple_of(self.interval.max(1)))
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, decays, optimizer| Case { file: "sophia", name, decays, optimizer };
    vec![
        case("sophia", false, || Sophia::new(0.02).boxed()),
        case("sophia_options", true, || {
            Sophia::new(0.1).betas(0.8, 0.9).gamma(0.5).interval(3).weight_decay(0.1).boxed()
        }),
    ]
}
