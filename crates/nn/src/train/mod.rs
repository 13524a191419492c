//! Training without writing the loop: [`Trainer`](trainer::Trainer) fits a model to data and keeps its
//! [`History`](history::History).

pub mod history;
pub mod logs;
pub mod spark;
pub mod trainer;
pub mod verbose;

mod run;
