//! Training, at three levels that share their parts: [`Trainer::fit`](trainer::Trainer::fit) with callbacks; a
//! [step](trainer::Trainer::with_step) of one's own; and the loop of one's own, with a tape and an
//! [optimizer](crate::optim::optimizer::Optimizer).

pub mod callback;
pub mod callbacks;
pub mod columns;
pub mod flow;
pub mod history;
pub mod interrupt;
#[cfg(feature = "files")]
pub mod keep;
pub mod logs;
pub mod lr_finder;
pub mod mistakes;
pub mod monitor;
pub mod spark;
pub mod step;
pub mod trainer;
pub mod verbose;

#[cfg(feature = "files")]
mod checkpoint;
mod fit;
mod inspect;
mod progress;
mod run;
mod sample_weights;
mod weights;
