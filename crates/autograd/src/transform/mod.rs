//! From functions to functions: forward mode, Jacobians, batches. Each takes a closure over values and records more of the same
//! tape, so they nest in any order.

mod checkpoint;
mod control;
mod forward;
mod implicit;
mod jacobian;
mod rewrite;
mod vmap;

pub use checkpoint::{Candidate, Checkpoint, Saved};
pub use control::Loop;
pub(crate) use forward::fresh;
pub use forward::{Linearized, Pullback};
pub use implicit::FixedPoint;
pub use vmap::Vmap;
