//! Rprop: steps of their own size for every element, by the sign of the gradient alone.

use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};
use super::settings::{positive, settings, within, zeros};

/// Rprop, for gradients of the whole data:
///
/// ```text
/// where g keeps its sign:    δ ← min(η₊ δ, δmax)
/// where g changes its sign:  δ ← max(η₋ δ, δmin), and g ← 0
/// w ← w − δ · sign(g)
/// ```
///
/// The learning rate is the first δ; what becomes of it later (by a schedule, say) is not looked at. Riedmiller & Braun 1993; the same numbers
/// as PyTorch's. η₋ = 0.5, η₊ = 1.2, 1e-6 ≤ δ ≤ 50 unless set.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{optim::rprop::Rprop, param::Param};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut weight = Param::new(Tensor::from([1f32, -2.0]));
/// let mut optimizer = Rprop::new(0.1);
/// for _ in 0..200 {
///     let tape = Tape::training(0);
///     let loss = weight.on(&tape).square().sum();
///     optimizer.step(&mut weight, loss.backward())?;
/// }
/// assert!(weight.value().to_f64_vec().iter().all(|w| w.abs() < 0.1));
/// # Ok(())
/// # }
/// ```
pub type Rprop = Optimizer<RpropRule>;

impl Rprop {
    /// Rprop with this learning rate.
    pub fn new(learning_rate: f64) -> Rprop {
        Optimizer::of(RpropRule::default(), learning_rate)
    }
}

settings! { RpropRule {
    /// Sets η₋ and η₊, by which a step shrinks and grows, in `0 < η₋ < 1 < η₊`.
    factors(shrink: f64, grow: f64) |rule| (rule.shrink, rule.grow) = (shrink, grow);

    /// Sets the smallest and the largest step.
    sizes(least: f64, most: f64) |rule| (rule.least, rule.most) = (least, most);
}}

/// The rule of [`Rprop`]. Its state is `size` (δ) and `before` (the last g).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RpropRule {
    shrink: f64,
    grow: f64,
    least: f64,
    most: f64,
}

impl Default for RpropRule {
    fn default() -> RpropRule {
        RpropRule { shrink: 0.5, grow: 1.2, least: 1e-6, most: 50.0 }
    }
}

impl Rule for RpropRule {
    fn name(&self) -> &'static str {
        "rprop"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        within("Rprop", "η₋", self.shrink, self.shrink > 0.0 && self.shrink < 1.0, "must lie in 0 < η₋ < 1")?;
        within("Rprop", "η₊", self.grow, self.grow > 1.0 && self.grow.is_finite(), "must be finite and above 1")?;
        positive("Rprop", "the smallest step", self.least)?;
        let holds = self.most >= self.least && self.most.is_finite();
        within("Rprop", "the largest step", self.most, holds, "must be finite and at least the smallest")
    }

    fn init(&self, _: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        zeros(parameter, &["size", "before"])
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        for leaf in leaves {
            let g = leaf.update;
            let turn = (g.sign() * leaf.state("before").sign()).sign();
            let start = leaf.number(|now| if now.count == 1 { now.learning_rate } else { 0.0 });
            let size = leaf.state("size") + start;
            let grown = (size * self.grow).clamp(self.least, self.most);
            let shrunk = (size * self.shrink).clamp(self.least, self.most);
            let turned = turn.lt(0.0);
            let size = shrunk.select(turned, grown.select(turn.gt(0.0), size.clamp(self.least, self.most)));
            let g = g.zeros_like().select(turned, g);
            leaf.set_state("size", size);
            leaf.set_state("before", g);
            leaf.set_next(leaf.parameter - size * g.sign());
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, decays, optimizer| Case { file: "rprop", name, decays, optimizer };
    vec![
        case("rprop", false, || Rprop::new(0.1).boxed()),
        case("rprop_sizes", false, || Rprop::new(0.3).factors(0.3, 1.4).sizes(1e-3, 0.4).boxed()),
    ]
}
