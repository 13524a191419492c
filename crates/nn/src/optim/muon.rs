//! Muon: momentum made orthogonal, for the matrices of a network.

use wengert_autograd::Var;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

use super::adamw::AdamWRule;
use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};
use super::select::rank_below;
use super::settings::{memory, not_negative, positive, settings, within, zeros};
use super::sgd::SgdRule;

/// Muon, for weights of rank 2. The momentum is brought close to the nearest orthogonal matrix by five steps of a Newton–Schulz iteration, so
/// that every direction of a weight moves equally far:
///
/// ```text
/// m ← μ m + (1 − μ) g                      u = g + μ (m − g) with Nesterov's, else m
/// X = u / ‖u‖                              five times: A = X Xᵀ,  X ← 3.4445 X − (4.775 A − 2.0315 A²) X
/// w ← w − rate · (√max(1, rows / columns) · X + decay · w)
/// ```
///
/// Jordan et al. 2024; the same numbers as PyTorch's `torch.optim.Muon`, but that the iteration runs in f32, not in bf16. μ = 0.95 with
/// Nesterov's, decay = 0.1 unless set. Whatever is no matrix of a hidden layer (biases, scales, embeddings, the head) wants another rule; a
/// vector without one is an error:
///
/// ```
/// use wengert_nn::optim::{adamw::AdamWRule, muon::Muon};
/// use wengert_tensor::shape::Shape;
/// let hidden = |name: &str, shape: &Shape| shape.rank() == 2 && !name.starts_with("head");
/// let others = move |name: &str, shape: &Shape| !hidden(name, shape);
/// let optimizer = Muon::new(0.02).rule_of(others, AdamWRule::default()).learning_rate_of(others, 3e-4);
/// assert_eq!(optimizer.learning_rate(), 0.02);
/// ```
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{optim::muon::Muon, param::Param};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut weight = Param::new(Tensor::from([[1f32, -2.0], [3.0, 0.5]]));
/// let mut optimizer = Muon::new(0.02);
/// for _ in 0..200 {
///     let tape = Tape::training(0);
///     let loss = weight.on(&tape).square().sum();
///     optimizer.step(&mut weight, loss.backward())?;
/// }
/// assert!(weight.value().to_f64_vec().iter().all(|w| w.abs() < 0.1));
/// # Ok(())
/// # }
/// ```
pub type Muon = Optimizer<MuonRule>;

impl Muon {
    /// Muon with this learning rate.
    pub fn new(learning_rate: f64) -> Muon {
        Optimizer::of(MuonRule::default(), learning_rate)
    }
}

settings! { MuonRule {
    /// Sets μ, the memory of the momentum, in `0 ≤ μ < 1`.
    momentum(momentum: f64) |rule| rule.momentum = momentum;

    /// Steps along the momentum itself.
    without_nesterov() |rule| rule.nesterov = false;

    /// Sets the fraction of a parameter that a step of learning rate 1 would take away, whatever its gradient is.
    weight_decay(decay: f64) |rule| rule.decay = decay;

    /// Sets the number of steps of the iteration, from 1 to 99.
    iterations(iterations: usize) |rule| rule.iterations = iterations;

    /// Sets the coefficients a, b, c of the iteration X ← a X + (b A + c A²) X.
    coefficients(a: f64, b: f64, c: f64) |rule| rule.coefficients = [a, b, c];

    /// Sets ε, the smallest norm of a momentum; positive.
    epsilon(epsilon: f64) |rule| rule.epsilon = epsilon;

    /// Scales steps by 0.2 √max(rows, columns), to the size of AdamW's, so that one learning rate serves both. Liu et al. 2025.
    match_adamw() |rule| rule.matched = true;
}}

/// The rule of [`Muon`]. Its state is `velocity` (m).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MuonRule {
    momentum: f64,
    nesterov: bool,
    decay: f64,
    iterations: usize,
    coefficients: [f64; 3],
    epsilon: f64,
    matched: bool,
}

impl Default for MuonRule {
    fn default() -> MuonRule {
        MuonRule {
            momentum: 0.95,
            nesterov: true,
            decay: 0.1,
            iterations: 5,
            coefficients: [3.4445, -4.775, 2.0315],
            epsilon: 1e-7,
            matched: false,
        }
    }
}

impl MuonRule {
    /// A matrix close to the orthogonal one that is nearest to `x`.
    fn orthogonal<'t>(&self, x: Var<'t>, tall: bool) -> Var<'t> {
        let [a, b, c] = self.coefficients;
        // The products are taken on the smaller side.
        let mut x = if tall { x.t() } else { x };
        x = x / x.square().sum().sqrt().maximum(self.epsilon);
        for _ in 0..self.iterations {
            let gram = x.matmul(x.t());
            x = x * a + (gram * b + gram.matmul(gram) * c).matmul(x);
        }
        if tall { x.t() } else { x }
    }
}

impl Rule for MuonRule {
    fn name(&self) -> &'static str {
        "muon"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        memory("Muon", "momentum", self.momentum)?;
        not_negative("Muon", "weight decay", self.decay)?;
        positive("Muon", "ε", self.epsilon)?;
        let count = self.iterations as f64;
        within("Muon", "the number of iterations", count, (1.0..100.0).contains(&count), "must lie in 1..100")?;
        let [a, b, c] = self.coefficients;
        let holds = [a, b, c].iter().all(|number| number.is_finite());
        within("Muon", "a coefficient", if holds { 0.0 } else { f64::NAN }, holds, "must be finite")
    }

    fn init(&self, name: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        if parameter.shape().rank() != 2 {
            let error =
                Error::shape(format!("`{name}` has the shape {}, and Muon moves matrices only", parameter.shape()));
            let help = "give the others a rule of their own: \
                        `.rule_of(|_: &str, shape: &Shape| shape.rank() != 2, AdamWRule::default())`";
            return Err(error.op("Muon").help(help));
        }
        zeros(parameter, &["velocity"])
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        for leaf in leaves {
            let g = leaf.update;
            let velocity = leaf.state("velocity") * self.momentum + g * (1.0 - self.momentum);
            leaf.set_state("velocity", velocity);
            let along = if self.nesterov { g + (velocity - g) * self.momentum } else { velocity };
            let (rows, columns) = match leaf.parameter.shape().dims() {
                [rows, columns] => (*rows as f64, *columns as f64),
                _ => (1.0, 1.0),
            };
            let scale = match self.matched {
                true => 0.2 * rows.max(columns).sqrt(),
                false => (rows / columns).max(1.0).sqrt(),
            };
            leaf.update = self.orthogonal(along, rows > columns) * scale;
            if self.decay != 0.0 {
                leaf.update = leaf.update + leaf.parameter * self.decay;
            }
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, decays, optimizer| Case { file: "muon", name, decays, optimizer };
    vec![
        case("muon", true, || Muon::new(0.02).weight_decay(0.0).rule_of(rank_below(2), SgdRule::default()).boxed()),
        case("muon_options", true, || {
            Muon::new(0.1)
                .momentum(0.8)
                .without_nesterov()
                .iterations(3)
                .match_adamw()
                .rule_of(rank_below(2), AdamWRule::default())
                .boxed()
        }),
    ]
}
