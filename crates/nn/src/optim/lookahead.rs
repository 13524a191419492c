//! Lookahead: k steps forward, one step back.

use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};
use super::settings::within;
use super::sgd::Sgd;

impl<R: Rule> Optimizer<R> {
    /// Lets slow weights follow the fast ones in every `interval`-th step, and the fast ones start from them again. See [`Lookahead`].
    #[must_use]
    pub fn lookahead(self, interval: u64, share: f64) -> Optimizer<R> {
        self.after(Lookahead::new(interval, share))
    }
}

/// Slow weights s beside the fast ones w that an optimizer moves:
///
/// ```text
/// in every k-th step:  s ← s + α (w − s),  w ← s
/// ```
///
/// Zhang et al. 2019, with k = 5 and α = 0.5. It stands after all that change the update. Its state is `slow`, which
/// [`Optimizer::evaluate`] puts in place of the weights.
///
/// ```
/// use wengert_nn::optim::adam::Adam;
/// let optimizer = Adam::new(1e-3).lookahead(5, 0.5);
/// # assert_eq!(optimizer.steps(), 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lookahead {
    interval: u64,
    share: f64,
}

impl Lookahead {
    /// Slow weights that go the way of the fast ones by `share`, in `0 < share ≤ 1`, in every `interval`-th step.
    pub fn new(interval: u64, share: f64) -> Lookahead {
        Lookahead { interval, share }
    }
}

impl Rule for Lookahead {
    fn name(&self) -> &'static str {
        "lookahead"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        within("Lookahead", "the interval", self.interval as f64, self.interval > 0, "must be at least 1")?;
        let holds = self.share > 0.0 && self.share <= 1.0;
        within("Lookahead", "the share", self.share, holds, "must lie in 0 < share ≤ 1")
    }

    fn init(&self, _: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        Ok(vec![("slow", parameter.clone())])
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        let interval = self.interval.max(1);
        for leaf in leaves {
            let meets = leaf.number(move |now| f64::from(u8::from(now.count % interval == 0))).gt(0.5);
            let (slow, fast) = (leaf.state("slow"), leaf.next());
            let slow = (slow + (fast - slow) * self.share).select(meets, slow);
            leaf.set_state("slow", slow);
            leaf.set_next(slow.select(meets, fast));
        }
    }

    fn evaluation<'t>(&self, leaf: &Leaf<'t>) -> Option<wengert_autograd::Var<'t>> {
        Some(leaf.state("slow"))
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case {
        file: "lookahead",
        name: "sgd_lookahead",
        decays: false,
        optimizer: || Sgd::new(0.1).momentum(0.5).lookahead(3, 0.6).boxed(),
    }]
}
