//! Gradient noise: randomness that fades.

use wengert_tensor::error::Result;

use super::case::Case;
use super::rule::{Leaf, Rule};
use super::settings::not_negative;
use super::sgd::Sgd;

/// Adds noise to every gradient, normally distributed with variance `η / (1 + t)^γ` after t steps.
///
/// Neelakantan et al. 2015. The noise is drawn from the key of the tape: `Tape::training(seed)`. γ = 0.55 unless set.
///
/// ```
/// use wengert_nn::optim::{noise::GradientNoise, sgd::Sgd};
/// let optimizer = Sgd::new(0.1).before(GradientNoise::new(0.01));
/// # assert_eq!(optimizer.steps(), 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradientNoise {
    variance: f64,
    fall: f64,
}

impl GradientNoise {
    /// Noise whose variance is η in the first step.
    pub fn new(variance: f64) -> GradientNoise {
        GradientNoise { variance, fall: 0.55 }
    }

    /// Sets γ, the power by which the variance falls.
    #[must_use]
    pub fn fall(self, fall: f64) -> GradientNoise {
        GradientNoise { fall, ..self }
    }
}

impl Rule for GradientNoise {
    fn name(&self) -> &'static str {
        "gradient_noise"
    }

    fn check(&self) -> Result<()> {
        not_negative("GradientNoise", "the variance", self.variance)?;
        not_negative("GradientNoise", "γ", self.fall)
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        let GradientNoise { variance, fall } = *self;
        for leaf in leaves {
            let size = leaf.number(move |now| (variance / (now.count as f64).powf(fall)).sqrt());
            leaf.update = leaf.update + leaf.update.tape().normal(leaf.update.shape(), leaf.update.dtype()) * size;
        }
    }
}

/// What the laws try: noise of variance 0.
pub(super) fn cases() -> Vec<Case> {
    vec![Case {
        file: "noise",
        name: "sgd",
        decays: false,
        optimizer: || Sgd::new(0.1).before(GradientNoise::new(0.0)).boxed(),
    }]
}
