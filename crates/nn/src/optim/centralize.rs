//! Gradient centralization: gradients without their mean.

use super::case::Case;
use super::rule::{Leaf, Rule};
use super::sgd::Sgd;

/// Takes from the gradient of every matrix or convolution the mean over its inputs: `g ← g − mean of g over all axes but the first`. Vectors
/// stay.
///
/// Yong et al. 2020. Put before the rule of an optimizer:
///
/// ```
/// use wengert_nn::optim::{centralize::Centralize, sgd::Sgd};
/// let optimizer = Sgd::new(0.1).momentum(0.9).before(Centralize);
/// # assert_eq!(optimizer.steps(), 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Centralize;

impl Rule for Centralize {
    fn name(&self) -> &'static str {
        "centralize"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        for leaf in leaves {
            let rank = leaf.update.shape().rank();
            if rank > 1 {
                leaf.update = leaf.update - leaf.update.mean_keep((1..rank as isize).collect::<Vec<_>>());
            }
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case {
        file: "centralize",
        name: "sgd_centralize",
        decays: false,
        optimizer: || Sgd::new(0.1).before(Centralize).boxed(),
    }]
}
