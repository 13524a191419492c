//! Regularizers: prices of weights that are added to a loss, a file each, and the roll that the tests loop over.
//!
//! In a loop of one's own, `let loss = loss + L2::new(1e-4).over("head", &model, tape)`, or a [`Penalty`](penalty::Penalty) of several. In a
//! model for [`Trainer`](crate::train::trainer::Trainer), [`Regularized`](crate::layers::regularized::Regularized) adds the price wherever
//! the layer is used: `Regularized::new(Dense::new(8, 2)).weights("weight", L2::new(1e-4))`. A new regularizer is its own file and two lines
//! here.

use case::Case;

pub mod case;
pub mod l1;
pub mod l1_l2;
pub mod l2;
pub mod orthogonal;
pub mod penalty;
pub mod regularizer;

/// The cases of every file of this directory that holds regularizers.
pub fn roll() -> Vec<Case> {
    [l1::cases as fn() -> Vec<Case>, l1_l2::cases, l2::cases, orthogonal::cases]
        .iter()
        .flat_map(|cases| cases())
        .collect()
}
