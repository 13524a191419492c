//! Dense data for Wengert: element types, shapes, layouts, storage, kernels and random bits. This crate knows no graph.
//!
//! A [`Tensor`](tensor::Tensor) is a value: a [`Storage`](storage::Storage) that is shared and never changes, a
//! [`DType`](dtype::DType), and a [`Layout`](layout::Layout) that says which of the stored elements are read, in which
//! order. Views share the storage; a copy is made only where a layout cannot say it.
//!
//! Every fallible call answers with an [`Error`](error::Error); bad input never panics.
//!
//! ```
//! use wengert_tensor::tensor::Tensor;
//! # fn main() -> wengert_tensor::error::Result<()> {
//! let x = Tensor::from([[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]);
//! let y = x.t()?.slice(0, 1..3)?;
//! assert_eq!(y.to_vec::<f32>()?, [2.0, 5.0, 3.0, 6.0]);
//! println!("{y:.1}");
//! # Ok(())
//! # }
//! ```
#![deny(unsafe_code)]

pub mod dtype;
pub mod error;
pub mod layout;
pub mod random;
pub mod shape;
pub mod storage;
pub mod tensor;

/// SIMD loops, matrix products and threads: the only module that may hold `unsafe`.
pub mod kernels;
pub mod program;

pub mod convert;
mod display;
mod view;
