//! Mixes the samples of a batch with each other.

use super::{below, floats, image};
use std::fmt::Debug;
use wengert_autograd::Apply;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::{Key, permutation, uniform_f64};
use wengert_tensor::tensor::Tensor;

/// A function of a batch of inputs and targets; [`Mixed`](crate::data::transformed::Mixed) applies one to a data set.
pub trait Mix: Debug + Send + Sync {
    /// The batch after the change.
    ///
    /// # Errors
    /// Inputs or targets that the change does not take.
    fn mix(&self, inputs: &Tensor, targets: &Tensor, key: Key) -> Result<(Tensor, Tensor)>;
}

/// `λ · a + (1 − λ) · b` of each sample and another of the batch, and of their targets, with one λ ~ Beta(α, α) a batch
/// (Zhang et al. 2017).
///
/// Class labels become probabilities `[samples, classes]` f32, which
/// [`CrossEntropy`](crate::losses::cross_entropy::CrossEntropy) takes.
///
/// ```
/// use wengert_nn::data::transform::mix::{Mix, Mixup};
/// use wengert_tensor::{random::Key, tensor::Tensor};
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let (x, y) = (Tensor::from([[0.0f32], [1.0]]), Tensor::from([0i64, 1]));
/// let (x, y) = Mixup::new(1.0).classes(2).mix(&x, &y, Key::new(3))?;
/// let (x, y) = (x.to_vec::<f32>()?, y.to_vec::<f32>()?);
/// assert_eq!([x[0], x[1]], [y[1], y[3]], "the share of class 1 is the share of its sample");
/// assert!((y[0] + y[1] - 1.0).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Mixup {
    alpha: f64,
    classes: Option<usize>,
}

impl Mixup {
    /// The larger α (0.2 is common), the more are mixed; 1 is uniform.
    pub fn new(alpha: f64) -> Mixup {
        Mixup { alpha, classes: None }
    }

    /// Targets are labels of so many classes.
    #[must_use]
    pub fn classes(mut self, classes: usize) -> Self {
        self.classes = Some(classes);
        self
    }
}

impl Mix for Mixup {
    fn mix(&self, inputs: &Tensor, targets: &Tensor, key: Key) -> Result<(Tensor, Tensor)> {
        let mixed = || {
            floats("Mixup", inputs)?;
            let targets = soft(targets, self.classes)?;
            let share = beta(self.alpha, key)?;
            let order = partners(inputs, &targets, key)?;
            Ok((blend(inputs, share, &order)?, blend(&targets, share, &order)?))
        };
        mixed().map_err(|error: Error| error.op("Mixup"))
    }
}

/// Puts a rectangle of another image of the batch into each, and mixes the targets by area, with one λ ~ Beta(α, α) and one
/// rectangle a batch (Yun et al. 2019). Targets are those of [`Mixup`].
///
/// ```
/// use wengert_nn::data::transform::mix::{CutMix, Mix};
/// use wengert_tensor::{dtype::DType, random::Key, tensor::Tensor};
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let images = Tensor::concat(&[Tensor::zeros([1, 1, 8, 8], DType::F32)?, Tensor::ones([1, 1, 8, 8], DType::F32)?], 0)?;
/// let (x, y) = CutMix::new(1.0).classes(2).mix(&images, &Tensor::from([0i64, 1]), Key::new(3))?;
/// let share = x.slice(0, 0..1)?.to_vec::<f32>()?.iter().sum::<f32>() / 64.0;
/// assert_eq!(y.to_vec::<f32>()?[1], share);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CutMix {
    alpha: f64,
    classes: Option<usize>,
}

impl CutMix {
    /// The area of the rectangle is uniform for α = 1.
    pub fn new(alpha: f64) -> CutMix {
        CutMix { alpha, classes: None }
    }

    /// Targets are labels of so many classes.
    #[must_use]
    pub fn classes(mut self, classes: usize) -> Self {
        self.classes = Some(classes);
        self
    }
}

impl Mix for CutMix {
    fn mix(&self, inputs: &Tensor, targets: &Tensor, key: Key) -> Result<(Tensor, Tensor)> {
        let mixed = || {
            let [_, _, height, width] = image(inputs)?;
            let targets = soft(targets, self.classes)?;
            let side = (1.0 - beta(self.alpha, key)?).sqrt();
            let order = partners(inputs, &targets, key)?;
            let draw = key.fold(PLACE);
            // The rectangle lies around a point anywhere, cut off at the edges.
            let span = |draw_at: u64, n: usize| {
                let (center, half) = (below(draw, draw_at, n), (n as f64 * side / 2.0) as usize);
                (center.saturating_sub(half), (center + half).min(n))
            };
            let ((top, bottom), (left, right)) = (span(0, height), span(1, width));
            let area = ((bottom - top) * (right - left)) as f64 / ((height * width) as f64).max(1.0);
            let inside = |i: usize| (top..bottom).contains(&(i / width)) && (left..right).contains(&(i % width));
            let mask = Tensor::from_fn([1, 1, height, width], inside)?;
            let other = inputs.gather_rows(&order)?;
            let inputs = inputs.apply(|x| x.tape().input(&other).select(&mask, x))?;
            Ok((inputs, blend(&targets, 1.0 - area, &order)?))
        };
        mixed().map_err(|error: Error| error.op("CutMix"))
    }
}

/// The streams of the key.
const SHARE: u64 = 0;
const ORDER: u64 = 1;
const PLACE: u64 = 2;

/// Targets that can be mixed.
fn soft(targets: &Tensor, classes: Option<usize>) -> Result<Tensor> {
    match (targets.dtype(), classes) {
        (DType::I64, Some(classes)) if classes > 0 => targets.apply(|labels| labels.one_hot(classes)),
        (dtype, _) if dtype.is_float() => Ok(targets.clone()),
        (dtype, _) => Err(Error::dtype(format!("targets of {dtype} cannot be mixed"))
            .help("`.classes(n)` makes probabilities of labels i64")),
    }
}

/// Which sample is mixed into which.
fn partners(inputs: &Tensor, targets: &Tensor, key: Key) -> Result<Vec<usize>> {
    match (inputs.shape().first(), targets.shape().first()) {
        (Some(samples), Some(labels)) if samples == labels => Ok(permutation(key.fold(ORDER), *samples)),
        _ => Err(Error::shape(format!("inputs {} and targets {} are no batch", inputs.shape(), targets.shape()))),
    }
}

fn blend(batch: &Tensor, share: f64, order: &[usize]) -> Result<Tensor> {
    let other = batch.gather_rows(order)?;
    batch.apply(|x| x * share + x.tape().input(&other) * (1.0 - share))
}

/// A draw of Beta(α, α) by Jöhnk's method: of two powers of uniform numbers whose sum is at most 1, the share of one.
fn beta(alpha: f64, key: Key) -> Result<f64> {
    if !(alpha.is_finite() && alpha > 0.0) {
        return Err(Error::value(format!("α is {alpha}")).help("a number above 0, such as 0.2"));
    }
    if alpha > 4.0 {
        // Jöhnk's method would reject nearly all; the median of 2k + 1 uniform numbers is Beta(k + 1, k + 1).
        let count = 2 * (alpha.min(1e4).round() as usize) - 1;
        let mut draws: Vec<f64> = (0..count as u64).map(|i| uniform_f64(key.fold(SHARE), i)).collect();
        draws.sort_unstable_by(f64::total_cmp);
        return Ok(draws.get(count / 2).copied().unwrap_or(0.5));
    }
    for trial in 0..10_000u64 {
        let [a, b] = [0, 1].map(|i| uniform_f64(key.fold(SHARE), 2 * trial + i).powf(1.0 / alpha));
        if a + b > 0.0 && a + b <= 1.0 {
            return Ok(a / (a + b));
        }
    }
    Ok(0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_the_moments_of_beta() {
        for alpha in [0.2, 1.0, 3.0, 8.0] {
            let draws: Vec<f64> = (0..4000).map(|i| beta(alpha, Key::new(i)).unwrap()).collect();
            let mean = draws.iter().sum::<f64>() / 4000.0;
            let variance = draws.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 4000.0;
            let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            assert!((mean - 0.5).abs() < 0.02, "{alpha}: {mean}");
            assert!((variance / expected - 1.0).abs() < 0.08, "{alpha}: {variance} {expected}");
        }
        assert!(beta(0.0, Key::new(1)).is_err() && beta(f64::NAN, Key::new(1)).is_err());
    }
}
