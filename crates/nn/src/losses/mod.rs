//! The losses, a file each, and the roll that the tests loop over.
//!
//! A new loss is its own file (formula, shapes, struct, `loss`, doctest, `cases`) and two lines here.

use case::Case;

pub mod alike;
pub mod binary_cross_entropy;
pub mod case;
pub mod cross_entropy;
pub mod mean_absolute_error;
pub mod mean_squared_error;

/// The cases of every file of this directory.
pub fn roll() -> Vec<Case> {
    [
        binary_cross_entropy::cases as fn() -> Vec<Case>,
        cross_entropy::cases,
        mean_absolute_error::cases,
        mean_squared_error::cases,
    ]
    .iter()
    .flat_map(|cases| cases())
    .collect()
}
