//! Factorizations and Fourier transforms on slices, in f32 and f64.
//!
//! The work is done by `faer` and `rustfft`, whose code is generic and takes minutes to optimise. Here it is instantiated
//! for two element types, once: a change of an op does not compile it again. This crate knows no tensor and no graph, and
//! no type of those libraries leaves it. Everything runs on the calling thread, from aligned copies of its operands, so
//! that the bits of a result depend on the values alone.
#![forbid(unsafe_code)]

#[cfg(feature = "linalg")]
pub mod cofactor;
#[cfg(feature = "linalg")]
pub mod factor;
#[cfg(feature = "fft")]
pub mod fourier;
