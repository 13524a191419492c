//! Changes to the samples of a batch: scaling, and augmentation at random.
//!
//! | transform | of | |
//! |---|---|---|
//! | [`Normalize`](scale::Normalize), [`StandardScaler`](scale::StandardScaler), [`MinMaxScaler`](scale::MinMaxScaler) | features, images | |
//! | [`ToFloat`](convert::ToFloat), [`OneHot`](convert::OneHot) | bytes, labels | |
//! | [`RandomFlip`](flip::RandomFlip) | images | random |
//! | [`RandomCrop`](crop::RandomCrop), [`CenterCrop`](crop::CenterCrop) | images | the first is random |
//! | [`RandomRotation`](rotate::RandomRotation) | images | random |
//! | [`ResizeImage`](resize::ResizeImage) | images | |
//! | [`ColorJitter`](color::ColorJitter) | images | random |
//! | [`GaussianNoise`](noise::GaussianNoise) | anything | random |
//! | [`RandomErasing`](erase::RandomErasing) | images | random |
//! | [`Mixup`](mix::Mixup), [`CutMix`](mix::CutMix) | batches with targets | random |
//!
//! An image is `[channels, height, width]`, as in PyTorch, and a batch of them `[samples, channels, height, width]`.

pub mod color;
pub mod compose;
pub mod convert;
pub mod crop;
pub mod erase;
pub mod flip;
pub mod mix;
pub mod noise;
pub mod resize;
pub mod rotate;
pub mod scale;

use std::fmt::Debug;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::{Key, uniform_f64};
use wengert_tensor::tensor::Tensor;

/// A function of a batch, which may be random by a key for every sample.
///
/// [`Dataset::transformed`](super::dataset::Dataset::transformed) applies one to the inputs of a data set.
///
/// ```
/// use wengert_nn::data::transform::Transform;
/// use wengert_tensor::error::Result;
/// use wengert_tensor::{random::Key, tensor::Tensor};
///
/// /// Turns time round.
/// #[derive(Debug)]
/// struct Reverse;
///
/// impl Transform for Reverse {
///     fn apply(&self, batch: &Tensor, _keys: &[Key]) -> Result<Tensor> {
///         batch.flip(1)
///     }
/// }
///
/// # fn main() -> Result<()> {
/// let y = Reverse.apply(&Tensor::from([[1.0f32, 2.0]]), &[])?;
/// assert_eq!(y.to_vec::<f32>()?, [2.0, 1.0]);
/// # Ok(()) }
/// ```
pub trait Transform: Debug + Send + Sync {
    /// The batch `[samples, …]` after the transform, with a key for each sample. What is not random reads no key.
    ///
    /// # Errors
    /// A batch of a shape or dtype that the transform does not take.
    fn apply(&self, batch: &Tensor, keys: &[Key]) -> Result<Tensor>;
}

impl<T: Transform + ?Sized> Transform for Box<T> {
    fn apply(&self, batch: &Tensor, keys: &[Key]) -> Result<Tensor> {
        (**self).apply(batch, keys)
    }
}

/// The sizes of a batch of images.
fn image(batch: &Tensor) -> Result<[usize; 4]> {
    <[usize; 4]>::try_from(batch.shape().dims())
        .map_err(|_| Error::shape(format!("takes [samples, channels, height, width], not {}", batch.shape())))
}

/// Every sample through `f`, which may give views.
fn each(batch: &Tensor, keys: &[Key], f: impl Fn(Tensor, Key) -> Result<Tensor>) -> Result<Tensor> {
    let samples = batch.shape().first().copied().unwrap_or(0);
    if samples != keys.len() {
        return Err(Error::data(format!("{} keys for {samples} samples", keys.len())));
    }
    if samples == 0 {
        return Ok(batch.clone());
    }
    let parts = keys.iter().enumerate().map(|(at, &key)| f(batch.select(0, at)?, key));
    Tensor::stack(&parts.collect::<Result<Vec<_>>>()?, 0)
}

/// Draw number `i` of a key, uniform in `[low, high)`.
fn between(key: Key, i: u64, low: f64, high: f64) -> f64 {
    low + (high - low) * uniform_f64(key, i)
}

/// Draw number `i` of a key, one of `0..n`.
fn below(key: Key, i: u64, n: usize) -> usize {
    ((uniform_f64(key, i) * n as f64) as usize).min(n.saturating_sub(1))
}

/// That a setting is a probability.
fn probability(op: &str, p: f64) -> Result<()> {
    match (0.0..=1.0).contains(&p) {
        true => Ok(()),
        false => Err(Error::value(format!("a probability of {p}")).op(op)),
    }
}

/// That a batch holds floats.
fn floats(op: &str, batch: &Tensor) -> Result<()> {
    match batch.dtype().is_float() {
        true => Ok(()),
        false => Err(Error::dtype(format!("takes floats, not {}", batch.dtype()))
            .op(op)
            .help("`ToFloat` makes floats in [0, 1] of bytes")),
    }
}

#[cfg(test)]
mod tests;
