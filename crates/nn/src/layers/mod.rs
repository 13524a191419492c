//! The layers, a file each, and the roll that the tests loop over.
//!
//! A new layer is its own file (formula, shapes, struct, `forward`, doctest, `cases`) and two lines here.

use case::Case;

pub mod activation;
pub mod case;
pub mod dense;
pub mod dropout;
pub mod flatten;
pub mod lambda;
pub mod standardize;

/// The cases of every file of this directory.
pub fn roll() -> Vec<Case> {
    [
        activation::cases as fn() -> Vec<Case>,
        dense::cases,
        dropout::cases,
        flatten::cases,
        lambda::cases,
        standardize::cases,
    ]
    .iter()
    .flat_map(|cases| cases())
    .collect()
}
