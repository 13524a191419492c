//! Weight decay as a rule of its own.

use wengert_tensor::error::Result;

use super::case::Case;
use super::rule::{Leaf, Rule};
use super::select::rank_at_least;
use super::settings::not_negative;
use super::sgd::Sgd;

/// Adds a fraction of the parameter to its update: `u ← u + decay · w`.
///
/// Before the rule of an optimizer it is the L2 penalty, part of the gradient; after it, decay that no rule rescales (decoupled, Loshchilov &
/// Hutter 2017). With [`Rule::only`] it spares some parameters:
///
/// ```
/// use wengert_nn::optim::{adam::Adam, decay::WeightDecay, rule::Rule, select::{not, rank_at_least}};
/// let coupled = Adam::new(1e-3).before(WeightDecay::new(0.1));
/// let without_biases = Adam::new(1e-3).after(WeightDecay::new(0.1).only(rank_at_least(2)));
/// let without_the_head = Adam::new(1e-3).after(WeightDecay::new(0.1).only(not("head")));
/// # assert!([coupled, without_biases, without_the_head].iter().all(|optimizer| optimizer.steps() == 0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightDecay {
    decay: f64,
}

impl WeightDecay {
    /// Decay by this fraction at a learning rate of 1.
    pub fn new(decay: f64) -> WeightDecay {
        WeightDecay { decay }
    }
}

impl Rule for WeightDecay {
    fn name(&self) -> &'static str {
        "weight_decay"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        not_negative("WeightDecay", "weight decay", self.decay)
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        for leaf in leaves {
            leaf.update = leaf.update + leaf.parameter * self.decay;
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, optimizer| Case { file: "decay", name, decays: true, optimizer };
    vec![
        case("decay_before", || Sgd::new(0.05).momentum(0.9).before(WeightDecay::new(0.1)).boxed()),
        case("decay_after", || Sgd::new(0.05).momentum(0.9).after(WeightDecay::new(0.1)).boxed()),
        case("decay_without_biases", || {
            Sgd::new(0.05).momentum(0.9).after(WeightDecay::new(0.1).only(rank_at_least(1))).boxed()
        }),
    ]
}
