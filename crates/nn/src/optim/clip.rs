//! Clipping: bounds on gradients, before a rule sees them.

use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};

use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};
use super::sgd::Sgd;

impl<R: Rule> Optimizer<R> {
    /// Scales all gradients together so that their common norm does not exceed `bound`. See [`ClipGlobalNorm`].
    #[must_use]
    pub fn clip_global_norm(self, bound: f64) -> Optimizer<R> {
        self.before(ClipGlobalNorm::new(bound))
    }

    /// Bounds every element of every gradient to ±`bound`. See [`ClipByValue`].
    #[must_use]
    pub fn clip_by_value(self, bound: f64) -> Optimizer<R> {
        self.before(ClipByValue::new(bound))
    }
}

impl<R: Rule> Optimizer<R> {
    /// Scales every gradient so that its own norm does not exceed `bound`. See [`ClipNorm`].
    #[must_use]
    pub fn clip_norm(self, bound: f64) -> Optimizer<R> {
        self.before(ClipNorm::new(bound))
    }

    /// Bounds every gradient by the size of its parameter. See [`ClipAdaptive`].
    #[must_use]
    pub fn clip_adaptive(self, bound: f64) -> Optimizer<R> {
        self.before(ClipAdaptive::new(bound))
    }
}

/// Scales every update so that its own norm does not exceed a bound: `g ← g · min(1, bound / (‖g‖ + 1e-6))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipNorm {
    bound: f64,
}

impl ClipNorm {
    /// Clips to this norm, a positive number.
    pub fn new(bound: f64) -> ClipNorm {
        ClipNorm { bound }
    }
}

impl Rule for ClipNorm {
    fn name(&self) -> &'static str {
        "clip_norm"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        positive(self.bound, "clip_norm")
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        for leaf in leaves {
            let norm = leaf.update.square().sum().sqrt();
            leaf.update = leaf.update * (self.bound / (norm + 1e-6)).minimum(1.0);
        }
    }
}

/// Bounds every update by the size of its parameter, unit by unit: where `‖g‖ > bound · max(‖w‖, ε)` it becomes
/// `g · bound · max(‖w‖, ε) / ‖g‖`. The norms are taken over all axes but the first, which counts the outputs of a layer; over the whole of
/// a vector.
///
/// Brock et al. 2021, for nets without normalization; they use a bound of 0.01. ε = 1e-3 unless set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipAdaptive {
    bound: f64,
    epsilon: f64,
}

impl ClipAdaptive {
    /// Clips to this fraction of the parameter, a positive number.
    pub fn new(bound: f64) -> ClipAdaptive {
        ClipAdaptive { bound, epsilon: 1e-3 }
    }

    /// Sets ε, the size that a parameter close to zero is taken to have.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> ClipAdaptive {
        ClipAdaptive { epsilon, ..self }
    }
}

impl Rule for ClipAdaptive {
    fn name(&self) -> &'static str {
        "clip_adaptive"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        positive(self.bound, "clip_adaptive")?;
        super::settings::positive("clip_adaptive", "ε", self.epsilon)
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        for leaf in leaves {
            let rank = leaf.update.shape().rank() as isize;
            let axes: Vec<isize> = (isize::from(rank > 1)..rank).collect();
            let [weight, size] = [leaf.parameter, leaf.update].map(|x| x.square().sum_keep(axes.clone()).sqrt());
            let bound = weight.maximum(self.epsilon) * self.bound;
            leaf.update = (leaf.update * (bound / size.maximum(1e-6))).select(size.gt(bound), leaf.update);
        }
    }
}

/// Scales all updates together so that their common norm does not exceed a bound:
/// `g ← g · min(1, bound / (‖g‖ + 1e-6))` with ‖g‖² = Σ over all parameters of Σ g².
///
/// The norm is taken in f32, in f64 if a parameter is f64. The same numbers as PyTorch's `clip_grad_norm_`. Pascanu et
/// al. 2013. Put before the rule of an optimizer by [`Optimizer::clip_global_norm`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipGlobalNorm {
    bound: f64,
}

impl ClipGlobalNorm {
    /// Clips to this norm, a positive number.
    pub fn new(bound: f64) -> ClipGlobalNorm {
        ClipGlobalNorm { bound }
    }
}

impl Rule for ClipGlobalNorm {
    fn name(&self) -> &'static str {
        "clip_global_norm"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        positive(self.bound, "clip_global_norm")
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        // Parameters of several dtypes share one norm, in the widest. (Gradients of 16 bits come as f32.)
        let wide = leaves.iter().any(|leaf| leaf.update.dtype() == DType::F64);
        let dtype = if wide { DType::F64 } else { DType::F32 };
        let squares = leaves.iter().map(|leaf| leaf.update.cast(dtype).square().sum());
        let Some(total) = squares.reduce(|a, b| a + b) else { return };
        let scale = (self.bound / (total.sqrt() + 1e-6)).minimum(1.0);
        for leaf in leaves {
            leaf.update = leaf.update * scale.cast(leaf.update.dtype());
        }
    }
}

/// Bounds every element of every update: `g ← min(max(g, −bound), bound)`.
///
/// Put before the rule of an optimizer by [`Optimizer::clip_by_value`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipByValue {
    bound: f64,
}

impl ClipByValue {
    /// Clips to ±bound, a positive number.
    pub fn new(bound: f64) -> ClipByValue {
        ClipByValue { bound }
    }
}

impl Rule for ClipByValue {
    fn name(&self) -> &'static str {
        "clip_by_value"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        positive(self.bound, "clip_by_value")
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        for leaf in leaves {
            leaf.update = leaf.update.clamp(-self.bound, self.bound);
        }
    }
}

fn positive(bound: f64, name: &str) -> Result<()> {
    match bound > 0.0 {
        true => Ok(()),
        false => Err(Error::value(format!("the bound is {bound}, and must be positive")).op(name)),
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, optimizer| Case { file: "clip", name, decays: false, optimizer };
    vec![
        case("sgd_clip_global_norm", || Sgd::new(0.1).clip_global_norm(0.5).boxed()),
        case("sgd_clip_norm", || Sgd::new(0.1).clip_norm(0.5).boxed()),
        case("sgd_clip_adaptive", || Sgd::new(0.1).clip_adaptive(0.2).boxed()),
        case("sgd_clip_by_value", || Sgd::new(0.1).clip_by_value(0.25).boxed()),
    ]
}
