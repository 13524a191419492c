//! Ascent: a loss that is to be made large.

use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};
use super::sgd::Sgd;

impl<R: Rule> Optimizer<R> {
    /// Makes the loss large, not small: every gradient is turned round before the rules see it. Weight decay still makes weights small.
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_nn::{optim::sgd::Sgd, param::Param};
    /// use wengert_tensor::tensor::Tensor;
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let mut weight = Param::new(Tensor::from(1f32));
    /// let tape = Tape::new();
    /// let loss = weight.on(&tape).square();
    /// Sgd::new(0.25).maximize().step(&mut weight, loss.backward())?;
    /// assert_eq!(weight.value().item::<f32>()?, 1.5);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn maximize(self) -> Optimizer<R> {
        self.before(Maximize)
    }
}

/// Turns every update round: `g ← −g`. See [`Optimizer::maximize`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Maximize;

impl Rule for Maximize {
    fn name(&self) -> &'static str {
        "maximize"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        for leaf in leaves {
            leaf.update = -leaf.update;
        }
    }
}

/// What the laws try: twice round is descent.
pub(super) fn cases() -> Vec<Case> {
    vec![Case {
        file: "maximize",
        name: "sgd",
        decays: false,
        optimizer: || Sgd::new(0.1).maximize().maximize().boxed(),
    }]
}
