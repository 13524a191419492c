//! FTRL: follow the regularized leader, for sparse linear models.

use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};
use super::settings::{not_negative, positive, settings, within};

/// FTRL-Proximal. With p = −½, s the sum of squares and z the linear term:
///
/// ```text
/// s' = s + g²          z ← z + g + 2 · shrinkage · w − (s'^(−p) − s^(−p)) / rate · w
/// w ← (clamp(z, −l1, l1) − z) / (s'^(−p) / rate + 2 (l2 + β / (2 rate)))          s ← s'
/// ```
///
/// An l1 above 0 makes weights exactly 0. The weights follow from the gradients alone: where they start has no part in it, and the first step
/// forgets it. McMahan et al. 2013; the same numbers as Keras's. s starts from 0.1; l1 = l2 = shrinkage = β = 0, p = −0.5 unless set.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{optim::ftrl::Ftrl, param::Param};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut weight = Param::new(Tensor::from([1f32, -2.0]));
/// let mut optimizer = Ftrl::new(0.5);
/// for _ in 0..200 {
///     let tape = Tape::training(0);
///     let loss = weight.on(&tape).square().sum();
///     optimizer.step(&mut weight, loss.backward())?;
/// }
/// assert!(weight.value().to_f64_vec().iter().all(|w| w.abs() < 0.1));
/// # Ok(())
/// # }
/// ```
pub type Ftrl = Optimizer<FtrlRule>;

impl Ftrl {
    /// Ftrl with this learning rate.
    pub fn new(learning_rate: f64) -> Ftrl {
        Optimizer::of(FtrlRule::default(), learning_rate)
    }
}

settings! { FtrlRule {
    /// Sets the strength of the L1 penalty.
    l1(l1: f64) |rule| rule.l1 = l1;

    /// Sets the strength of the L2 penalty.
    l2(l2: f64) |rule| rule.l2 = l2;

    /// Sets an L2 penalty of the gradient's kind, which keeps weights small and no less sparse.
    l2_shrinkage(shrinkage: f64) |rule| rule.shrinkage = shrinkage;

    /// Sets β, which makes the first steps smaller.
    beta(beta: f64) |rule| rule.beta = beta;

    /// Sets p, the power by which the learning rate falls, in `p ≤ 0`; 0 lets it stay.
    power(power: f64) |rule| rule.power = power;

    /// Starts the sum of squares from this value; positive.
    initial(initial: f64) |rule| rule.initial = initial;
}}

/// The rule of [`Ftrl`]. Its state is `square` (s) and `linear` (z).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FtrlRule {
    l1: f64,
    l2: f64,
    shrinkage: f64,
    beta: f64,
    power: f64,
    initial: f64,
}

impl Default for FtrlRule {
    fn default() -> FtrlRule {
        FtrlRule { l1: 0.0, l2: 0.0, shrinkage: 0.0, beta: 0.0, power: -0.5, initial: 0.1 }
    }
}

impl Rule for FtrlRule {
    fn name(&self) -> &'static str {
        "ftrl"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        for (name, value) in [("l1", self.l1), ("l2", self.l2), ("l2 shrinkage", self.shrinkage), ("β", self.beta)] {
            not_negative("Ftrl", name, value)?;
        }
        let holds = self.power <= 0.0 && self.power.is_finite();
        within("Ftrl", "the power", self.power, holds, "must be finite and not positive")?;
        positive("Ftrl", "the initial sum", self.initial)
    }

    fn init(&self, _: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        let square = Tensor::full(parameter.shape(), self.initial)?.cast(parameter.dtype())?;
        Ok(vec![("square", square), ("linear", Tensor::zeros(parameter.shape(), parameter.dtype())?)])
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        for leaf in leaves {
            let (g, w) = (leaf.update, leaf.parameter);
            let square = leaf.state("square");
            let next = square + g.square();
            let [root, next_root] =
                [square, next].map(|s| if self.power == -0.5 { s.sqrt() } else { s.pow(-self.power) });
            let shrunk = if self.shrinkage == 0.0 { g } else { g + w * (2.0 * self.shrinkage) };
            // A learning rate of 0 moves nothing.
            let inverse = leaf.number(|now| if now.learning_rate > 0.0 { 1.0 / now.learning_rate } else { 0.0 });
            let linear = leaf.state("linear") + shrunk - (next_root - root) * inverse * w;
            let quadratic = next_root * inverse + inverse * self.beta + 2.0 * self.l2;
            leaf.set_state("square", next);
            leaf.set_state("linear", linear);
            leaf.set_next(((linear.clamp(-self.l1, self.l1) - linear) / quadratic).select(inverse.gt(0.0), w));
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, decays, optimizer| Case { file: "ftrl", name, decays, optimizer };
    vec![
        case("ftrl", true, || Ftrl::new(0.5).boxed()),
        case("ftrl_regularized", true, || {
            Ftrl::new(0.3).l1(0.01).l2(0.1).l2_shrinkage(0.05).beta(0.2).initial(0.5).power(-0.6).boxed()
        }),
    ]
}
