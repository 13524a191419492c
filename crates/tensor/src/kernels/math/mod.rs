//! The mathematics of floats, branch-free so that a loop over it becomes vector code.
//!
//! Every function takes the [`Machine`](crate::kernels::tile::lane::Machine) that it is compiled for, and fuses the
//! multiply-adds of its polynomials where that machine does.

pub(crate) mod area;
pub(crate) mod double;
pub(crate) mod erf;
pub(crate) mod exp;
pub(crate) mod log;
pub(crate) mod poly;
pub(crate) mod round;
pub(crate) mod sigmoid;
pub(crate) mod tanh;
pub(crate) mod trig;

#[cfg(test)]
mod tests;
