//! The loops that touch data, and the only place with unsafe code.
//!
//! * `axes`: where the elements of an array lie
//! * `huge`: large pages for large buffers
//! * `level`: which instructions this machine has
//! * `scalar`: the table of scalar functions, and the tile kernel of each
//! * `math`: the polynomials behind `exp`, `log`, `tanh` …
//! * `matmul`: packed matrix products
//! * `loops`: the machine that runs a loop group tile by tile
//! * `threads`: who computes a unit of work
//! * `tile`: how a formula for one element becomes a kernel for a tile

#![allow(unsafe_code)]

pub(crate) mod axes;
pub mod huge;
pub(crate) mod launch;
pub mod level;
pub mod loops;
pub mod math;
pub mod matmul;
pub mod memory;
pub mod scalar;
pub mod threads;
pub mod tile;
