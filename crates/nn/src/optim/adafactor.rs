//! Adafactor: Adam's scaling in the memory of a row and a column.

use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};
use super::settings::{not_negative, positive, settings, within, zeros};

/// Adafactor. Of a matrix it keeps the mean squares of rows and columns, R and C, whose outer product stands for v; of a vector, v itself:
///
/// ```text
/// β = 1 − t^(−0.8)
/// R ← β R + (1 − β) mean of g² along a row          C ← β C + (1 − β) mean of g² along a column
/// v = R C / max(mean of R, ε₁)
/// u = g / √max(v, ε₁²)                              u ← u / max(1, rms(u) / d)
/// w ← w − min(rate, 1/√t) · max(ε₂, rms(w)) · u − rate · decay · w
/// ```
///
/// More axes than two are that many matrices, in the last two. Shazeer & Stern 2018; the same numbers as PyTorch's. ε₁ is the precision of the
/// dtype (1.2e-7 in f32), ε₂ = 1e-3, d = 1, no decay unless set; a usual learning rate is 1e-2.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{optim::adafactor::Adafactor, param::Param};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut weight = Param::new(Tensor::from([[1f32, -2.0], [3.0, 0.5]]));
/// let mut optimizer = Adafactor::new(0.1);
/// for _ in 0..200 {
///     let tape = Tape::training(0);
///     let loss = weight.on(&tape).square().sum();
///     optimizer.step(&mut weight, loss.backward())?;
/// }
/// assert!(weight.value().to_f64_vec().iter().all(|w| w.abs() < 0.1));
/// # Ok(())
/// # }
/// ```
pub type Adafactor = Optimizer<AdafactorRule>;

impl Adafactor {
    /// Adafactor with this learning rate.
    pub fn new(learning_rate: f64) -> Adafactor {
        Optimizer::of(AdafactorRule::default(), learning_rate)
    }
}

settings! { AdafactorRule {
    /// Sets ε₁, the smallest size of a gradient, and ε₂, the smallest size that a parameter is taken to have; both positive.
    epsilons(gradient: f64, parameter: f64) |rule| (rule.gradient, rule.parameter) = (Some(gradient), parameter);

    /// Sets d, the size beyond which an update is scaled down.
    threshold(threshold: f64) |rule| rule.threshold = threshold;

    /// Sets the power of t by which the memory grows: β = 1 − t^power, in `power ≤ 0`.
    memory_power(power: f64) |rule| rule.power = power;

    /// Sets the fraction of a parameter that a step of learning rate 1 would take away, whatever its gradient is.
    weight_decay(decay: f64) |rule| rule.decay = decay;
}}

/// The rule of [`Adafactor`]. Its state is `row` (R) and `column` (C) of a matrix, `variance` (v) of a vector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdafactorRule {
    gradient: Option<f64>,
    parameter: f64,
    threshold: f64,
    power: f64,
    decay: f64,
}

impl Default for AdafactorRule {
    fn default() -> AdafactorRule {
        AdafactorRule { gradient: None, parameter: 1e-3, threshold: 1.0, power: -0.8, decay: 0.0 }
    }
}

impl Rule for AdafactorRule {
    fn name(&self) -> &'static str {
        "adafactor"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        positive("Adafactor", "ε₁", self.gradient.unwrap_or(1.0))?;
        positive("Adafactor", "ε₂", self.parameter)?;
        positive("Adafactor", "the threshold", self.threshold)?;
        let holds = self.power <= 0.0 && self.power.is_finite();
        within("Adafactor", "the power", self.power, holds, "must be finite and not positive")?;
        not_negative("Adafactor", "weight decay", self.decay)
    }

    fn init(&self, _: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        let dims = parameter.shape().dims();
        let [outer @ .., rows, columns] = dims else { return zeros(parameter, &["variance"]) };
        let part =
            |rows: usize, columns: usize| Tensor::zeros([outer, &[rows, columns][..]].concat(), parameter.dtype());
        Ok(vec![("row", part(*rows, 1)?), ("column", part(1, *columns)?)])
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        let power = self.power;
        for leaf in leaves {
            let precision = if leaf.update.dtype() == DType::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) };
            let least = self.gradient.unwrap_or(precision);
            let (g, rank) = (leaf.update, leaf.update.shape().rank());
            let fresh = leaf.scalar(move |now| (now.count as f64).powf(power));
            let memory = 1.0 - fresh;
            let variance = if rank < 2 {
                let variance = leaf.state("variance") * memory + g.square() * fresh;
                leaf.set_state("variance", variance);
                variance
            } else {
                let mean = |axis: isize| g.square().mean_keep([axis]);
                let row = leaf.state("row") * memory + mean(-1) * fresh;
                let column = leaf.state("column") * memory + mean(-2) * fresh;
                leaf.set_state("row", row);
                leaf.set_state("column", column);
                row * column / row.mean_keep([-2]).maximum(least)
            };
            let scaled = g * variance.maximum((least * least).max(f64::from(f32::MIN_POSITIVE))).rsqrt();
            let scaled = scaled / (size(scaled) / self.threshold).maximum(1.0);
            let ratio = leaf.scalar(|now| match now.learning_rate {
                0.0 => 0.0,
                rate => rate.min(1.0 / (now.count as f64).sqrt()) / rate,
            });
            leaf.update = scaled * (size(leaf.parameter).maximum(self.parameter) * ratio);
            if self.decay != 0.0 {
                leaf.update = leaf.update + leaf.parameter * self.decay;
            }
        }
    }
}

/// The root of the mean square.
fn size(x: Var<'_>) -> Var<'_> {
    x.square().mean().sqrt()
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, decays, optimizer| Case { file: "adafactor", name, decays, optimizer };
    vec![
        case("adafactor", false, || Adafactor::new(0.3).boxed()),
        case("adafactor_decay", true, || {
            Adafactor::new(0.2).epsilons(1e-4, 1e-2).threshold(1.5).memory_power(-0.7).weight_decay(0.1).boxed()
        }),
    ]
}
