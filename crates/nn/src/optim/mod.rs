//! Optimizers: pure rules over graph ops, in the shape of Optax, behind one face.
//!
//! A [`Rule`](rule::Rule) says what state a parameter needs and how its gradient becomes an update. An
//! [`Optimizer`](optimizer::Optimizer) holds a chain of rules, the learning rates and the state, and commits a step.
//! A new optimizer is its own file and two lines here.
//!
//! | to | there is |
//! |---|---|
//! | chain rules | [`before`](optimizer::Optimizer::before) and [`after`](optimizer::Optimizer::after) the rule of an optimizer |
//! | give a layer its own rule or learning rate | [`rule_of`](optimizer::Optimizer::rule_of), [`learning_rate_of`](optimizer::Optimizer::learning_rate_of), [`freeze`](optimizer::Optimizer::freeze); a [`Select`](select::Select) chooses |
//! | spare parameters | [`only`](rule::Rule::only) of any rule |
//! | bound gradients | [`clip`] by value, norm, common norm or the size of the parameter |
//! | decay weights | [`decay::WeightDecay`], before or after |
//! | add gradients up | [`accumulate`](optimizer::Optimizer::accumulate) |
//! | average weights | [`average`], [`lookahead`]; [`evaluate`](optimizer::Optimizer::evaluate) uses the averages |
//! | survive NaN and 16 bits | [`skip_non_finite`](optimizer::Optimizer::skip_non_finite), [`scale::LossScale`] |
//! | take gradients elsewhere | [`sam::Sam`] |
//! | minimize a loss of all the data | [`lbfgs::Lbfgs`] |

use case::Case;

pub mod adabelief;
pub mod adadelta;
pub mod adafactor;
pub mod adagrad;
pub mod adam;
pub mod adamax;
pub mod adamw;
pub mod asgd;
pub mod average;
pub mod case;
pub mod centralize;
pub mod clip;
pub mod compiled;
pub mod decay;
pub mod ftrl;
pub mod lamb;
pub mod lars;
pub mod lbfgs;
pub mod lion;
pub mod lookahead;
pub mod maximize;
pub mod muon;
pub mod nadam;
pub mod noise;
pub mod optimizer;
pub mod radam;
pub mod rmsprop;
pub mod rprop;
pub mod rule;
pub mod sam;
pub mod scale;
pub mod schedule;
pub mod schedule_free;
pub mod select;
pub mod sgd;
pub mod sophia;

mod group;
mod memo;
mod settings;
mod state;

/// The cases of every file of this directory that holds rules.
pub fn roll() -> Vec<Case> {
    let all = [
        adabelief::cases as fn() -> Vec<Case>,
        adadelta::cases,
        adafactor::cases,
        adagrad::cases,
        adam::cases,
        adamax::cases,
        adamw::cases,
        asgd::cases,
        average::cases,
        centralize::cases,
        clip::cases,
        decay::cases,
        ftrl::cases,
        lamb::cases,
        lars::cases,
        lion::cases,
        lookahead::cases,
        maximize::cases,
        muon::cases,
        nadam::cases,
        noise::cases,
        radam::cases,
        rmsprop::cases,
        rprop::cases,
        schedule_free::cases,
        sgd::cases,
        sophia::cases,
    ];
    all.iter().flat_map(|cases| cases()).collect()
}
