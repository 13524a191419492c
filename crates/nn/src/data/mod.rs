//! From samples to batches.
//!
//! A [`Dataset`](dataset::Dataset) is anything that has a number of samples and can gather some of them into a batch:
//! a tensor (samples lie along axis 0), a pair of tensors `(x, y)`, a list of ragged samples, or a type of your own that
//! reads from disk. [`DataLoader`](loader::DataLoader) walks it in batches, in the order of a [`sampler`], made in advance
//! by threads if that is wanted, and goes on at any batch. What has no number of samples is a
//! [`Stream`](stream::Stream).
//!
//! | to | there is |
//! |---|---|
//! | choose, join, change samples | [`subset`], [`mod@concat`], [`mapped`], [`cached`], [`transformed`] |
//! | split a data set | [`Dataset::split`](dataset::Dataset::split), [`folds`] |
//! | normalise and augment | [`transform`] |
//! | make a batch of ragged sequences | [`collate`] |

#[cfg(feature = "files")]
pub(crate) mod bytes;
#[cfg(feature = "files")]
pub mod cifar;
#[cfg(feature = "files")]
pub mod csv;
#[cfg(feature = "files")]
pub mod folder;
#[cfg(feature = "files")]
pub mod idx;
#[cfg(feature = "files")]
pub mod image;
#[cfg(feature = "files")]
pub mod npy;

pub mod cached;
pub mod collate;
pub mod concat;
pub mod dataset;
pub mod folds;
pub mod loader;
pub mod mapped;
pub mod prefetch;
pub mod rows;
pub mod sampler;
pub mod stream;
pub mod subset;
pub mod text;
pub mod transform;
pub mod transformed;
