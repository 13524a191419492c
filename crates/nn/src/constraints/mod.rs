//! Constraints: what weights must be after every step, a file each, and the roll that the tests loop over.
//!
//! A [`Constraint`](constraint::Constraint) maps a weight to the nearest one that is allowed, as graph.
//! [`Constrain`](constraint::Constrain) makes a rule of it, which runs after an optimizer's own:
//! `Adam::new(1e-3).after(Constrain::new("head.weight", MaxNorm::new(2.0)))`. A new constraint is its own file and two lines here.

use case::Case;

pub mod case;
pub mod constraint;
pub mod max_norm;
pub mod min_max_norm;
pub mod non_negative;
pub mod unit_norm;

mod norms;

/// The cases of every file of this directory that holds constraints.
pub fn roll() -> Vec<Case> {
    [max_norm::cases as fn() -> Vec<Case>, min_max_norm::cases, non_negative::cases, unit_norm::cases]
        .iter()
        .flat_map(|cases| cases())
        .collect()
}
