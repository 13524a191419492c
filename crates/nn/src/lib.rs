//! Models for Wengert, from graph ops alone: parameters, layers, losses, optimizers, data, metrics and training.
//!
//! A model is a tree of named parameters ([`module::Module`]); a layer is a module with a function of one variable
//! ([`layer::Layer`]); an optimizer is a chain of rules over gradients ([`optim::rule::Rule`]). Nothing here owns a kernel
//! or sees a number before a step is asked for.
//!
//! ```
//! use wengert_autograd::Tape;
//! use wengert_nn::{layer::Layer, loss::Loss, losses::mean_squared_error::MeanSquaredError};
//! use wengert_nn::{optim::adam::Adam, sequential::Sequential};
//! use wengert_tensor::{random::Seed, tensor::Tensor};
//! # fn main() -> wengert_tensor::error::Result<()> {
//! let x = Tensor::from([[-1.0f32], [-0.5], [0.0], [0.5], [1.0]]);
//! let y = Tensor::from([[1.0f32], [0.25], [0.0], [0.25], [1.0]]);
//! let mut model = Sequential::input([1]).dense(16).tanh().dense(1).build(Seed(1))?;
//! let mut adam = Adam::new(0.02);
//! let mut loss = f64::INFINITY;
//! for _ in 0..300 {
//!     let tape = Tape::training(0u64);
//!     let error = MeanSquaredError::new().loss(model.forward(tape.input(&x)), tape.input(&y));
//!     loss = adam.step(&mut model, error.backward())?;
//! }
//! assert!(loss < 1e-2);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

// The derive names this crate as its users do.
extern crate self as wengert;

#[cfg(feature = "plot")]
pub mod board;
pub mod constraints;
pub mod containers;
pub mod data;
pub mod explain;
#[cfg(any(feature = "files", feature = "plot"))]
pub mod files;
pub mod grad_of;
pub mod graph;
pub mod init;
pub mod layer;
pub mod layers;
pub mod loss;
pub mod losses;
pub mod metrics;
pub mod module;
pub mod operators;
pub mod optim;
pub mod param;
pub mod path;
#[cfg(feature = "plot")]
pub mod plot;
pub mod regularizers;
#[cfg(feature = "files")]
pub mod replay;
pub mod sequential;
pub mod summary;
pub mod train;

mod example;
mod grow;
mod names;
#[cfg(test)]
#[cfg(any(feature = "files", feature = "plot"))]
mod scratch;
// Checkpoints need all of it.
#[cfg_attr(not(feature = "files"), allow(dead_code))]
mod tensors;

/// What the derive's code names. No part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::module::{Module, Visit, VisitMut};
}
