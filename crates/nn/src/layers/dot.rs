//! Dot products of two inputs, example by example.

use wengert_autograd::{Tape, Var};
use wengert_tensor::error::{Error, Result};

use super::case::{Applied, Case};
use super::merge::{Merge, Takes, labelled, sliced};
use super::norm::wide;
use crate::module::Module;

/// The sum of products of two inputs along one axis of each, for every example: `[n, 8]` and `[n, 8]` become `[n, 1]`; `[n, 5, 8]` and
/// `[n, 6, 8]` along their last axes `[n, 5, 6]`.
///
/// The result has the other axes of the first input, then those of the second. The function is that of Keras's `Dot`.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::layers::{dot::Dot, merge::Merge};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let (a, b) = (tape.input(&Tensor::from([[3f32, 4.0]])), tape.input(&Tensor::from([[6f32, 8.0]])));
/// assert_eq!(Dot::new(1).merge(&tape, &[a, b]).value()?.to_vec::<f32>()?, [50.0]);
/// let cosine = Dot::new(1).normalize(true).merge(&tape, &[a, b]);
/// assert_eq!(cosine.item::<f32>()?, 1.0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct Dot {
    #[module(skip)]
    axes: (isize, isize),
    normalize: bool,
}

/// What a squared length is at least, as in Keras.
const LEAST: f64 = 1e-12;

impl Dot {
    /// Along this axis of both inputs; a negative one counts from the end.
    pub fn new(axis: isize) -> Dot {
        Dot::of(axis, axis)
    }

    /// Along one axis of the first input and one of the second.
    pub fn of(first: isize, second: isize) -> Dot {
        Dot { axes: (first, second), normalize: false }
    }

    /// Whether the vectors have length 1 first, so that the products are cosines.
    #[must_use]
    pub fn normalize(self, normalize: bool) -> Dot {
        Dot { normalize, ..self }
    }

    #[track_caller]
    fn products<'t>(&self, xs: &[Var<'t>]) -> Result<Var<'t>> {
        Takes::Two.check(xs.len())?;
        let &[a, b] = xs else { return Err(Error::shape("takes two inputs")) };
        let (left, right) = (a.shape(), b.shape());
        let (i, j) = (left.axis(self.axes.0)?, right.axis(self.axes.1)?);
        if i == 0 || j == 0 {
            return Err(
                Error::axis("axis 0 counts the examples").help("products are taken along axis 1 or a later one")
            );
        }
        let (Some(&examples), Some(&n)) = (left.first(), left.get(i)) else { return Err(Error::shape("no axis")) };
        if right.first() != Some(&examples) {
            return Err(Error::shape(format!("inputs of {left} and {right} have other numbers of examples")));
        }
        if right.get(j) != Some(&n) {
            let error =
                Error::shape(format!("axis {} of {left} and axis {} of {right} differ", self.axes.0, self.axes.1));
            return Err(error.help("the products are those of vectors of one size"));
        }
        let others = |dims: &[usize], axis: usize| -> Vec<usize> {
            dims.iter().enumerate().skip(1).filter(|(at, _)| *at != axis).map(|(_, size)| *size).collect()
        };
        let (rows, columns) = (others(&left, i), others(&right, j));
        let unit = |x: Var<'t>, axis: usize| match self.normalize {
            true => {
                let w = x.cast(wide(x.dtype()));
                (w / w.square().sum_keep(axis as isize).maximum(LEAST).sqrt()).cast(x.dtype())
            }
            false => x,
        };
        // As matrices [rows, n] and [columns, n] of every example.
        let matrix = |x: Var<'t>, axis: usize, rest: &[usize]| {
            let order: Vec<isize> =
                (0..x.rank()).filter(|at| *at != axis).chain([axis]).map(|axis| axis as isize).collect();
            unit(x, axis).permute(&order).reshape([examples, rest.iter().product(), n])
        };
        let y = matrix(a, i, &rows).matmul(matrix(b, j, &columns).t());
        let mut dims = [&[examples], &rows[..], &columns[..]].concat();
        if dims.len() == 1 {
            dims.push(1);
        }
        Ok(y.reshape(dims))
    }
}

impl Merge for Dot {
    #[track_caller]
    fn merge<'t>(&self, tape: &'t Tape, xs: &[Var<'t>]) -> Var<'t> {
        let _scope = self.scope(tape);
        self.products(xs).unwrap_or_else(|error| tape.reject("Dot", &labelled(xs), error))
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let across = Applied::new(Dot::of(2, 1), |dot: &Dot, x: Var<'_>| dot.merge(x.tape(), &[x, x.slice(1, ..2)]));
    vec![
        sliced("dot", "vectors", Dot::new(1), [&[4, 2, 3], &[4, 1]]),
        sliced("dot", "cosine", Dot::new(-1).normalize(true), [&[4, 2, 3], &[4, 1]]),
        sliced("dot", "matrices", Dot::new(2), [&[2, 2, 3, 4], &[2, 3, 3]]),
        Case::new("dot", "across", across, [&[2, 3, 2], &[2, 3, 2]], &[]),
    ]
}

#[cfg(test)]
mod tests {
    use wengert_tensor::dtype::DType;

    use super::*;

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |dot: Dot, shapes: &[&[usize]]| {
            let tape = Tape::new();
            let xs: Vec<Var<'_>> = shapes.iter().map(|dims| tape.full(*dims, 1.0, DType::F32)).collect();
            dot.merge(&tape, &xs);
            tape.check().map_or_else(|error| error.to_string(), |()| String::new())
        };
        let has = |text: String, words: &str| assert!(text.contains(words), "{text}");
        has(refused(Dot::new(1), &[&[2, 3]]), "takes two inputs, not 1");
        has(refused(Dot::new(0), &[&[2, 3], &[2, 3]]), "counts the examples");
        has(refused(Dot::new(1), &[&[2, 3], &[2, 4]]), "axis 1 of [2, 3] and axis 1 of [2, 4] differ");
        has(refused(Dot::new(1), &[&[2, 3], &[4, 3]]), "numbers of examples");
        has(refused(Dot::of(1, 3), &[&[2, 3], &[2, 3]]), "axis 3");
        assert_eq!(refused(Dot::of(1, 2), &[&[2, 3], &[2, 5, 3]]), "");
    }

    #[test]
    fn a_vector_of_zeros_has_a_cosine_and_a_gradient() -> Result<()> {
        let tape = Tape::new();
        let (a, b) = (tape.full([1, 2], 0.0, DType::F32), tape.full([1, 2], 1.0, DType::F32));
        let y = Dot::new(1).normalize(true).merge(&tape, &[a, b]);
        assert_eq!(y.item::<f32>()?, 0.0);
        let [da] = tape.grad(y.sum(), [a]);
        assert!(!da.value()?.has_nan());
        Ok(())
    }
}
