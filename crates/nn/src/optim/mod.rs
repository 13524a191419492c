//! Optimizers: pure rules over graph ops, in the shape of Optax, behind one face.
//!
//! A [`Rule`](rule::Rule) says what state a parameter needs and how its gradient becomes an update. An
//! [`Optimizer`](optimizer::Optimizer) holds a chain of rules, the learning rates and the state, and commits a step.
//! A new optimizer is its own file and two lines here.

use case::Case;

pub mod adam;
pub mod adamw;
pub mod case;
pub mod clip;
pub mod compiled;
pub mod optimizer;
pub mod rule;
pub mod schedule;
pub mod sgd;

mod group;
mod state;

/// The cases of every file of this directory that holds rules.
pub fn roll() -> Vec<Case> {
    [adam::cases as fn() -> Vec<Case>, adamw::cases, clip::cases, sgd::cases].iter().flat_map(|cases| cases()).collect()
}
