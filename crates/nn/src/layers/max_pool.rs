//! Max pooling: the largest element of every window.

use wengert_autograd::{Pool, PoolAxis, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

use super::case::{Applied, Case};
use crate::layer::Layer;
use crate::module::Module;

/// The largest element of every window of images `[batch, channels, n…]`, of any number of spatial axes: PyTorch's `MaxPool1d`,
/// `MaxPool2d` and `MaxPool3d`. An axis of n becomes one of ⌊(n + 2 · padding − dilation · (size − 1) − 1) / stride⌋ + 1. See
/// [`Var::max_pool`].
///
/// ```
/// use wengert_nn::{layer::Layer, layers::max_pool::MaxPool};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let images = Tensor::zeros([1, 2, 4, 4], DType::F32)?;
/// assert_eq!(MaxPool::new(2).predict(&images)?.shape().dims(), [1, 2, 2, 2]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Module)]
pub struct MaxPool {
    #[module(skip)]
    options: Pool,
}

impl MaxPool {
    /// Windows of this size, side by side, or as the options say.
    pub fn new(options: impl Into<Pool>) -> MaxPool {
        MaxPool { options: options.into() }
    }

    /// The largest elements, and where each was: its place in the flat image of its channel, as i64, for a
    /// [`MaxUnpool`](super::max_unpool::MaxUnpool). PyTorch's `return_indices`. Where several are equal the first is taken, and has all of the
    /// gradient.
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_nn::layers::max_pool::MaxPool;
    /// use wengert_tensor::tensor::Tensor;
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let tape = Tape::new();
    /// let image = tape.input(&Tensor::from([[[[1f32, 2.0], [4.0, 3.0]]]]));
    /// let (y, indices) = MaxPool::new(2).with_indices(image);
    /// assert_eq!((y.item::<f32>()?, indices.item::<i64>()?), (4.0, 2));
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn with_indices<'t>(&self, x: Var<'t>) -> (Var<'t>, Var<'t>) {
        let _scope = self.scope(x.tape());
        match self.options.windows(&x.shape()).and_then(|axes| winners(x, &axes)) {
            Ok(found) => found,
            Err(error) => {
                let none = x.tape().reject("MaxPool", &[("input", x)], error);
                (none, none)
            }
        }
    }
}

/// The first of the largest elements of every window, and its place in the flat image.
#[track_caller]
fn winners<'t>(x: Var<'t>, axes: &[PoolAxis]) -> Result<(Var<'t>, Var<'t>)> {
    let (shape, tape) = (x.shape(), x.tape());
    let &[examples, channels, ..] = shape.dims() else { return Ok((x, x)) };
    if axes.iter().any(|of| of.n == 0) {
        return Err(Error::shape(format!("an image {shape} has no places")));
    }
    // Every axis becomes that of the places of its windows; the elements of the windows are axes behind all of them.
    let mut windows = x;
    for (axis, of) in (2..).zip(axes) {
        let covered = (of.count - 1) * of.step + (of.size - 1) * of.dilation + 1;
        let after = covered.saturating_sub(of.before + of.n);
        windows = windows.pad(axis, of.before, after, x.dtype().least()).windows(axis, of.size, of.step, of.dilation);
    }
    let counts: Vec<usize> = axes.iter().map(|of| of.count).collect();
    let elements = axes.iter().map(|of| of.size).product();
    let out = [&[examples, channels], &counts[..]].concat();
    let which = windows.reshape([&out[..], &[elements]].concat()).argmax(-1);

    let (mut flat, mut inner) = (tape.full((), 0.0, DType::I64), elements);
    for (i, of) in axes.iter().enumerate() {
        inner /= of.size;
        let within = Tensor::from_fn([elements], |w| (w / inner % of.size * of.dilation) as i64)?;
        let start = Tensor::from_fn([of.count], |l| (l * of.step) as i64 - of.before as i64)?;
        let start = (i + 1..axes.len()).fold(tape.input(&start), |start, _| start.unsqueeze(-1));
        let place = tape.input(&within).gather(0, which) + start;
        // A window without anything larger than its padding has its place at the edge.
        flat = flat * of.n as f64 + place.maximum(0).minimum((of.n - 1) as f64);
    }
    let [image, all] = [x, flat].map(|x| x.reshape([examples, channels, x.shape().iter().skip(2).product()]));
    Ok((image.take_along(2, all).reshape(out), flat))
}

impl Layer for MaxPool {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        x.max_pool(&self.options)
    }
}

/// The values and the indices, so that a wrong one of either is seen.
fn indexed(name: &'static str, options: Pool, shapes: [&[usize]; 2]) -> Case {
    let layer = Applied::new(MaxPool::new(options), |pool: &MaxPool, x| {
        let (y, indices) = pool.with_indices(x);
        y * (indices + 1.0).cast(y.dtype())
    });
    Case::new("max_pool", name, layer, shapes, &[])
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let wide = Pool::new(3).stride(2).padding(1);
    vec![
        Case::new("max_pool", "two", MaxPool::new(2), [&[2, 3, 4, 6], &[2, 3, 2, 3]], &[]),
        Case::new("max_pool", "padded", MaxPool::new(wide), [&[2, 1, 5], &[2, 1, 3]], &[]),
        indexed("indexed", Pool::new(3).stride(2).padding(1), [&[2, 2, 5, 4], &[2, 2, 3, 2]]),
        indexed("dilated", Pool::new(2).stride(1).dilation(2), [&[2, 1, 5], &[2, 1, 3]]),
        indexed("ceil", Pool::new(2).ceil_mode(true), [&[1, 2, 3, 5], &[1, 2, 2, 3]]),
        Case::new("max_pool", "volume", MaxPool::new([1, 2, 2]), [&[1, 1, 2, 4, 3], &[1, 1, 2, 2, 1]], &[]),
    ]
}
