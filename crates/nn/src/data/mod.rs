//! From samples to batches.
//!
//! A [`Dataset`](dataset::Dataset) is anything that has a number of samples and can gather some of them into a batch:
//! a tensor (samples lie along axis 0), a pair of tensors `(x, y)`, or a type of your own that reads from disk.
//! [`DataLoader`](loader::DataLoader) walks it in batches, shuffled by a seed, and
//! [`read_csv`](csv::read_csv) reads one from a file of numbers.

#[cfg(feature = "files")]
pub mod csv;
pub mod dataset;
pub mod loader;
