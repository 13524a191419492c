//! Max unpooling: largest elements back at their places.

use wengert_autograd::{Pool, Var};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::{IntoShape, Shape};

use super::case::{Applied, Case};
use super::max_pool::MaxPool;
use crate::module::Module;

/// Images of zeros with every element at the place that its index names: undoes a [`MaxPool`] with the same options, whose
/// [`with_indices`](MaxPool::with_indices) gives the indices. Zeiler & Fergus 2014; PyTorch's `MaxUnpool1d`, `MaxUnpool2d` and `MaxUnpool3d`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | x | `[batch, channels, l…]` | any |
/// | indices | as x: places in the flat image of a channel | i64 |
/// | y | `[batch, channels, (l − 1) · stride − padding + span…]` | that of x |
///
/// A pool takes images of several sizes to one; [`MaxUnpool::forward_to`] says which it was. Of several elements for one place the last stays.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::layers::{max_pool::MaxPool, max_unpool::MaxUnpool};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let x = tape.input(&Tensor::from([[[1f32, 5.0, 3.0, 2.0]]]));
/// let (y, indices) = MaxPool::new(2).with_indices(x);
/// assert_eq!(indices.value()?.to_vec::<i64>()?, [1, 2]);
/// assert_eq!(MaxUnpool::new(2).forward(y, indices).value()?.to_vec::<f32>()?, [0.0, 5.0, 3.0, 0.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Module)]
pub struct MaxUnpool {
    #[module(skip)]
    options: Pool,
}

impl MaxUnpool {
    /// For the windows of a pool with these options.
    pub fn new(options: impl Into<Pool>) -> MaxUnpool {
        MaxUnpool { options: options.into() }
    }

    /// The images of the smallest size of which a pool gives x.
    #[track_caller]
    pub fn forward<'t>(&self, x: Var<'t>, indices: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        let shape = x.shape();
        let sizes = match shape.get(2..) {
            Some(counts) if !counts.is_empty() => self.options.covered(counts).and_then(|sizes| sizes.into_shape()),
            _ => Err(Error::shape(format!("takes [batch, channels, l…], not {shape}"))),
        };
        sizes
            .and_then(|sizes| placed(x, indices, &sizes))
            .unwrap_or_else(|error| x.tape().reject("MaxUnpool", &[("input", x), ("indices", indices)], error))
    }

    /// The images with spatial axes of these sizes.
    #[track_caller]
    pub fn forward_to<'t>(&self, x: Var<'t>, indices: Var<'t>, sizes: impl IntoShape) -> Var<'t> {
        let _scope = self.scope(x.tape());
        let rank = x.rank();
        let fits = |sizes: Shape| match sizes.rank() + 2 == rank {
            true => Ok(sizes),
            false => Err(Error::shape(format!("sizes {sizes} for an input of rank {rank}"))
                .help("there is one for each spatial axis: `[height, width]`")),
        };
        sizes
            .into_shape()
            .and_then(fits)
            .and_then(|sizes| placed(x, indices, &sizes))
            .unwrap_or_else(|error| x.tape().reject("MaxUnpool", &[("input", x), ("indices", indices)], error))
    }
}

#[track_caller]
fn placed<'t>(x: Var<'t>, indices: Var<'t>, sizes: &Shape) -> Result<Var<'t>> {
    let (shape, tape) = (x.shape(), x.tape());
    if indices.shape() != shape {
        return Err(Error::shape(format!("the indices are {}, and the input is {shape}", indices.shape())));
    }
    let (&[examples, channels, ..], elements) = (shape.dims(), sizes.len()) else {
        return Err(Error::shape(format!("takes [batch, channels, l…], not {shape}")));
    };
    let windows = shape.iter().skip(2).product();
    let flat = |x: Var<'t>| x.reshape([examples, channels, windows]);
    let at = flat(indices).check_index(elements, "index");
    let zeros = tape.full([examples, channels, elements], 0.0, x.dtype());
    let dims = [&[examples, channels], sizes.dims()].concat();
    Ok(zeros.scatter(2, at, flat(x)).reshape(dims))
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    fn there_and_back(name: &'static str, options: Pool, shapes: [&[usize]; 2]) -> Case {
        let both = (MaxPool::new(options.clone()), MaxUnpool::new(options));
        let layer = Applied::new(both, |(pool, unpool): &(MaxPool, MaxUnpool), x| {
            let (y, indices) = pool.with_indices(x);
            unpool.forward(y * 2.0, indices)
        });
        Case::new("max_unpool", name, layer, shapes, &[])
    }
    let to = Applied::new((MaxPool::new(2), MaxUnpool::new(2)), |(pool, unpool): &(MaxPool, MaxUnpool), x: Var<'_>| {
        let (y, indices) = pool.with_indices(x);
        unpool.forward_to(y, indices, [5, 4])
    });
    vec![
        there_and_back("image", 2.into(), [&[2, 3, 4, 6], &[2, 3, 4, 6]]),
        there_and_back("line", Pool::new(3).stride(3).padding(1), [&[2, 1, 4], &[2, 1, 4]]),
        there_and_back("volume", [1, 2, 2].into(), [&[1, 2, 2, 4, 2], &[1, 2, 2, 4, 2]]),
        Case::new("max_unpool", "sized", to, [&[2, 1, 5, 4], &[2, 1, 5, 4]], &[]),
    ]
}

#[cfg(test)]
mod tests {
    use wengert_autograd::Tape;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::tensor::Tensor;

    use super::*;

    #[test]
    fn what_has_no_place_is_refused() -> Result<()> {
        let refused = |dims: &[usize], index: Tensor, to: Option<[usize; 2]>| {
            let tape = Tape::new();
            let (x, indices) = (tape.full(dims, 1.0, DType::F32), tape.input(&index));
            let y = match to {
                Some(sizes) => MaxUnpool::new(2).forward_to(x, indices, sizes),
                None => MaxUnpool::new(2).forward(x, indices),
            };
            y.value().map_or_else(|error| error.to_string(), |_| String::new())
        };
        let has = |text: String, words: &str| assert!(text.contains(words), "{text}");
        has(refused(&[1, 1, 2], Tensor::from([[[0i64, 4]]]), None), "index 4 at [0, 0, 1] is outside 0..4");
        has(refused(&[1, 1, 2], Tensor::from([[[0i64, -1]]]), None), "index -1");
        has(
            refused(&[1, 1, 2], Tensor::from([[[0i64]]]), None),
            "the indices are [1, 1, 1], and the input is [1, 1, 2]",
        );
        has(refused(&[1, 1, 2], Tensor::from([[[0f32, 1.0]]]), None), "f32");
        has(refused(&[1, 2], Tensor::from([[0i64, 1]]), None), "takes [batch, channels, l…]");
        has(refused(&[1, 1, 2], Tensor::from([[[0i64, 1]]]), Some([4, 4])), "sizes [4, 4] for an input of rank 3");
        Ok(())
    }
}
