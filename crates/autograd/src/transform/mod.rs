//! From functions to functions: forward mode, Jacobians, batches. Each takes a closure over values and records more of the same
//! tape, so they nest in any order.

mod forward;
mod jacobian;
mod vmap;

pub use forward::{Linearized, Pullback};
pub use vmap::{Randomness, Vmap};
