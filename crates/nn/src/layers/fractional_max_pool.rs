//! Fractional max pooling: windows at random places, for images that shrink by less than a half.

use wengert_autograd::{PerAxis, Tape, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

use super::case::{Applied, Case};
use crate::layer::Layer;
use crate::module::Module;

/// The largest element of windows whose places are drawn anew for every image and channel: between them lie steps of two sizes in random
/// order. Graham 2014, "Fractional max-pooling"; PyTorch's `FractionalMaxPool2d` and `FractionalMaxPool3d`.
///
/// Along an axis of n elements with l windows of k elements, window i starts at ⌊(i + u) α⌋ − ⌊u α⌋ with α = (n − k) / (l − 1) and u uniform
/// in 0 ≤ u < 1, and the last one ends with the axis.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, channels, n…]` |
/// | y | `[batch, channels, l…]`, with l + k − 1 ≤ n |
///
/// u is drawn in training; otherwise it is ½, so that a model predicts the same each time. (PyTorch draws always.)
///
/// ```
/// use wengert_nn::{layer::Layer, layers::fractional_max_pool::FractionalMaxPool};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let images = Tensor::zeros([2, 3, 20, 10], DType::F32)?;
/// assert_eq!(FractionalMaxPool::by(2, 0.7).predict(&images)?.shape().dims(), [2, 3, 14, 7]);
/// assert_eq!(FractionalMaxPool::to(3, [8, 8]).predict(&images)?.shape().dims(), [2, 3, 8, 8]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Module)]
pub struct FractionalMaxPool {
    #[module(skip)]
    size: PerAxis,
    #[module(skip)]
    goal: Goal,
}

#[derive(Clone, Debug, PartialEq)]
enum Goal {
    To(PerAxis),
    By(f64),
}

/// The windows along one axis.
struct Along {
    n: usize,
    size: usize,
    count: usize,
}

impl FractionalMaxPool {
    /// Windows of this size, as many as are given here.
    pub fn to(size: impl Into<PerAxis>, count: impl Into<PerAxis>) -> FractionalMaxPool {
        FractionalMaxPool { size: size.into(), goal: Goal::To(count.into()) }
    }

    /// Windows of this size, so many times as many as there are elements, rounded down: 0 < ratio < 1.
    pub fn by(size: impl Into<PerAxis>, ratio: f64) -> FractionalMaxPool {
        FractionalMaxPool { size: size.into(), goal: Goal::By(ratio) }
    }

    /// As `forward`, for given u, `[batch, channels, axes]` of f64 in 0 ≤ u < 1, one for each spatial axis in their order.
    /// (PyTorch's `_random_samples` of images begin with the last axis.)
    #[track_caller]
    pub fn forward_with<'t>(&self, x: Var<'t>, samples: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        let pooled = self.along(x).and_then(|all| {
            let wanted = [x.dim(0), x.dim(1), all.len()];
            match samples.shape().dims() == wanted && samples.dtype() == DType::F64 {
                true => pool(x, samples, &all),
                false => Err(Error::shape(format!("takes samples {wanted:?} f64, not {}", samples.meta()))),
            }
        });
        pooled
            .unwrap_or_else(|error| x.tape().reject("FractionalMaxPool", &[("input", x), ("samples", samples)], error))
    }

    fn along(&self, x: Var<'_>) -> Result<Vec<Along>> {
        let shape = x.shape();
        let Some(sizes) = shape.get(2..).filter(|sizes| !sizes.is_empty()) else {
            return Err(Error::shape(format!("takes [batch, channels, n…], not {shape}")));
        };
        let windows = self.size.of("the size", sizes.len())?;
        let counts = match &self.goal {
            Goal::To(count) => count.of("the number of windows", sizes.len())?,
            Goal::By(ratio) if *ratio > 0.0 && *ratio < 1.0 => {
                sizes.iter().map(|n| (*n as f64 * ratio) as usize).collect()
            }
            Goal::By(ratio) => {
                return Err(Error::value(format!("a ratio of {ratio}")).help("it is above 0 and below 1"));
            }
        };
        let axes = sizes.iter().zip(windows).zip(counts);
        axes.map(|((&n, size), count)| match size > 0 && count > 0 && size.saturating_add(count - 1) <= n {
            true => Ok(Along { n, size, count }),
            false => Err(Error::shape(format!("{count} windows of {size} along an axis of {n}"))
                .help("both are at least 1, and windows that are one step apart fit into the axis")),
        })
        .collect()
    }
}

/// The largest elements of the windows that the samples choose.
#[track_caller]
fn pool<'t>(x: Var<'t>, samples: Var<'t>, all: &[Along]) -> Result<Var<'t>> {
    let (shape, tape) = (x.shape(), x.tape());
    let &[examples, channels, ..] = shape.dims() else { return Ok(x) };
    let (mut picked, mut apart) = (x, vec![examples, channels]);
    for (i, of) in all.iter().enumerate() {
        let axis = 2 + i;
        let index = elements(tape, samples.slice(2, i..i + 1), of)?;
        // The elements of all windows in place of the axis, in every row along it.
        let mut dims = picked.shape().to_vec();
        let mut lined = vec![1; dims.len()];
        let covered = of.count * of.size;
        for (at, size) in [(0, examples), (1, channels), (axis, covered)] {
            if let Some(place) = lined.get_mut(at) {
                *place = size;
            }
        }
        if let Some(size) = dims.get_mut(axis) {
            *size = covered;
        }
        picked = picked.take_along(axis as isize, index.reshape(lined).broadcast_to(dims));
        apart.extend([of.count, of.size]);
    }
    let within: Vec<isize> = (0..all.len()).map(|i| 3 + 2 * i as isize).collect();
    Ok(picked.reshape(apart).max_axes(within))
}

/// The places of the elements of all windows along an axis, `[batch, channels, count · size]`.
#[track_caller]
fn elements<'t>(tape: &'t Tape, u: Var<'t>, of: &Along) -> Result<Var<'t>> {
    let last = of.n - of.size;
    let steps = last as f64 / (of.count.max(2) - 1) as f64;
    let numbers = tape.input(&Tensor::from_fn([of.count], |i| i as f64)?);
    let is_last = tape.input(&Tensor::from_fn([of.count], |i| i + 1 == of.count)?);
    let starts = ((numbers + u) * steps).floor() - (u * steps).floor();
    let starts = starts.cast(DType::I64).minimum(last as f64);
    let starts = tape.full(starts.shape(), last as f64, DType::I64).select(is_last, starts);
    let within = tape.input(&Tensor::from_fn([of.size], |k| k as i64)?);
    Ok((starts.unsqueeze(-1) + within).flatten_from(2))
}

impl Layer for FractionalMaxPool {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        let pooled = self.along(x).and_then(|all| {
            let dims = [x.dim(0), x.dim(1), all.len()];
            let samples = match tape.is_training() {
                true => tape.random().uniform(dims, DType::F64),
                false => tape.full(dims, 0.5, DType::F64),
            };
            pool(x, samples, &all)
        });
        pooled.unwrap_or_else(|error| tape.reject("FractionalMaxPool", &[("input", x)], error))
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    fn given(name: &'static str, layer: FractionalMaxPool, shapes: [&[usize]; 2]) -> Case {
        let layer = Applied::new(layer, |pool: &FractionalMaxPool, x: Var<'_>| {
            let dims = [x.dim(0), x.dim(1), x.rank() - 2];
            let samples = x.tape().iota([dims.iter().product::<usize>()], 0, DType::F64) * 7.0 % 10.0 / 10.0 + 0.05;
            pool.forward_with(x, samples.reshape(dims))
        });
        Case::new("fractional_max_pool", name, layer, shapes, &[])
    }
    let drawn = FractionalMaxPool::by(2, 0.6);
    vec![
        given("image", FractionalMaxPool::to([2, 3], [4, 3]), [&[1, 2, 7, 6], &[1, 2, 4, 3]]),
        given("ratio", FractionalMaxPool::by(2, 0.6), [&[1, 2, 6, 5], &[1, 2, 3, 3]]),
        given("volume", FractionalMaxPool::to(2, [1, 2, 3]), [&[1, 2, 3, 5, 5], &[1, 2, 1, 2, 3]]),
        Case::new("fractional_max_pool", "drawn", drawn, [&[2, 1, 6], &[2, 1, 3]], &[]).alone("its draws are its own"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_windows_are_refused() -> Result<()> {
        let x = Tensor::zeros([1, 1, 4], DType::F32)?;
        let text =
            |layer: FractionalMaxPool| layer.predict(&x).map_or_else(|error| error.to_string(), |_| String::new());
        let has = |text: String, words: &str| assert!(text.contains(words), "{text}");
        has(text(FractionalMaxPool::to(5, 1)), "1 windows of 5 along an axis of 4");
        has(text(FractionalMaxPool::to(2, 4)), "4 windows of 2 along an axis of 4");
        has(text(FractionalMaxPool::to(0, 2)), "at least 1");
        has(text(FractionalMaxPool::to(2, 0)), "at least 1");
        has(text(FractionalMaxPool::to(usize::MAX, 2)), "windows of");
        has(text(FractionalMaxPool::to([2, 2], 2)), "the size");
        for ratio in [0.0, 1.0, -0.5, f64::NAN] {
            has(text(FractionalMaxPool::by(2, ratio)), "above 0 and below 1");
        }
        has(text(FractionalMaxPool::by(2, 0.1)), "0 windows");
        let tape = Tape::new();
        let x = tape.input(&x);
        let y = FractionalMaxPool::to(2, 2).forward_with(x, tape.full([1, 1], 0.5, DType::F64));
        has(y.value().map_or_else(|error| error.to_string(), |_| String::new()), "takes samples [1, 1, 1] f64");
        Ok(())
    }

    #[test]
    fn the_key_of_the_tape_chooses_the_windows() -> Result<()> {
        let x = Tensor::from_fn([1, 20, 40], |i| i as f32)?;
        let drawn = |key: u64| {
            let tape = Tape::training(key);
            FractionalMaxPool::by(2, 0.7).forward(tape.input(&x)).value()
        };
        assert!(drawn(1)?.equals(&drawn(1)?));
        assert!(!drawn(1)?.equals(&drawn(2)?));
        Ok(())
    }
}
