//! Products of whole tensors: outer, Kronecker, and over any axes.

use crate::axes::IntoAxes;
use crate::graph::Var;
use crate::operand::{Like, Operand};
use crate::sample::{Entry, Sample};
use smallvec::SmallVec;
use std::ops::Range;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::{IntoShape, Shape};
use wengert_tensor::tensor::Tensor;

type Dims = SmallVec<[usize; 4]>;
type Order = SmallVec<[isize; 4]>;

/// Over which axes [`Var::tensordot`] sums: the last `n` of the left and the first `n` of the right, or a list for each.
pub trait IntoPairs {
    /// The axes of the left value, which has `left` of them, and those of the right, which has `right`.
    ///
    /// # Errors
    /// When there are not so many.
    fn into_pairs(self, left: usize, right: usize) -> Result<(Order, Order)>;
}

impl IntoPairs for usize {
    fn into_pairs(self, left: usize, right: usize) -> Result<(Order, Order)> {
        match left.checked_sub(self) {
            Some(first) if self <= right => {
                let axes = |axes: Range<usize>| axes.map(|axis| axis as isize).collect();
                Ok((axes(first..left), axes(0..self)))
            }
            _ => Err(Error::axis(format!("{self} axes of {left} and of {right}"))
                .help("it is at most the number of axes of either value")),
        }
    }
}

impl<A: IntoAxes, B: IntoAxes> IntoPairs for (A, B) {
    fn into_pairs(self, _left: usize, _right: usize) -> Result<(Order, Order)> {
        Ok((self.0.into_axes(), self.1.into_axes()))
    }
}

impl<'t> Var<'t> {
    /// Every element of a vector times every element of another.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1i64, 2]).apply(|x| x.outer(&Tensor::from([3i64, 4])))?;
    /// assert_eq!(y.to_vec::<i64>()?, [3, 4, 6, 8]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn outer(self, other: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("outer");
        let other = other.into_var(self.tape, Like::of(self).single());
        match (self.rank(), other.rank()) {
            (1, 1) => self.named("outer", self.unsqueeze(1).mul(other.unsqueeze(0))),
            _ => {
                let error = Error::shape("takes two vectors").help("for other shapes: .tensordot(other, 0)");
                self.tape.reject("outer", &[("left", self), ("right", other)], error)
            }
        }
    }

    /// The Kronecker product: this value with each element replaced by that element times `other`.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1i64, 10]).apply(|x| x.kron(&Tensor::from([1i64, 2, 3])))?;
    /// assert_eq!(y.to_vec::<i64>()?, [1, 2, 3, 10, 20, 30]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn kron(self, other: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("kron");
        let other = other.into_var(self.tape, Like::of(self).single());
        match woven(&self.shape(), &other.shape()) {
            Ok([left, right, whole]) => self.named("kron", self.reshape(left).mul(other.reshape(right)).reshape(whole)),
            Err(error) => self.tape.reject("kron", &[("left", self), ("right", other)], error),
        }
    }

    /// The sum of products over pairs of axes; the other axes of both stand in the result, those of this value first.
    ///
    /// `axes` is a number n for the last n of this value and the first n of `other`, or a list for each.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([[1i64, 2, 3], [4, 5, 6]]);
    /// assert_eq!(x.apply(|x| x.tensordot(x, 0))?.shape().dims(), [2, 3, 2, 3]);
    /// assert_eq!(x.apply(|x| x.tensordot(x, (1, 1)))?.to_vec::<i64>()?, [14, 32, 32, 77]);
    /// assert_eq!(x.apply(|x| x.tensordot(x, ([0, 1], [0, 1])))?.item::<i64>()?, 91);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn tensordot(self, other: impl Operand<'t>, axes: impl IntoPairs) -> Var<'t> {
        let _call = self.tape.call("tensordot");
        let other = other.into_var(self.tape, Like::of(self).single());
        let (left, right) = (self.shape(), other.shape());
        let pairs = axes.into_pairs(left.rank(), right.rank());
        let Contraction { orders, sizes, whole } = match pairs.and_then(|(l, r)| contraction(&left, &right, &l, &r)) {
            Ok(found) => found,
            Err(error) => return self.tape.reject("tensordot", &[("left", self), ("right", other)], error),
        };
        let [m, k, n] = sizes;
        let (a, b) = (self.permute(&orders.0).reshape([m, k]), other.permute(&orders.1).reshape([k, n]));
        // Without a sum it is an outer product.
        let y = if whole.rank() == left.rank() + right.rank() { a.mul(b) } else { a.matmul(b) };
        self.named("tensordot", y.reshape(whole))
    }
}

/// The shapes of a Kronecker product: both with ones between their axes, and the result.
fn woven(left: &Shape, right: &Shape) -> Result<[Shape; 3]> {
    let rank = left.rank().max(right.rank());
    let sized =
        |dims: &[usize]| -> Dims { std::iter::repeat_n(1, rank - dims.len()).chain(dims.iter().copied()).collect() };
    let (a, b) = (sized(left), sized(right));
    let first: Dims = a.iter().flat_map(|&dim| [dim, 1]).collect();
    let second: Dims = b.iter().flat_map(|&dim| [1, dim]).collect();
    let whole: Dims = a.iter().zip(&b).map(|(&a, &b)| a.saturating_mul(b)).collect();
    Ok([first.into_shape()?, second.into_shape()?, whole.into_shape()?])
}

/// How a product over axes becomes one of matrices.
struct Contraction {
    /// The axes of both, those that are summed last and first.
    orders: (Order, Order),
    /// The sizes m, k and n of the matrices.
    sizes: [usize; 3],
    whole: Shape,
}

fn contraction(left: &Shape, right: &Shape, of_left: &[isize], of_right: &[isize]) -> Result<Contraction> {
    if of_left.len() != of_right.len() {
        return Err(Error::axis(format!("{of_left:?} and {of_right:?} are no pairs of axes")));
    }
    // Sorting finds axes that are not there or named twice; their order is what pairs them.
    left.axes(of_left)?;
    right.axes(of_right)?;
    let summed = |shape: &Shape, axes: &[isize]| axes.iter().map(|&axis| shape.axis(axis)).collect::<Result<Dims>>();
    let (l, r) = (summed(left, of_left)?, summed(right, of_right)?);
    if let Some((a, b)) = l.iter().zip(&r).find(|&(&a, &b)| left.get(a) != right.get(b)) {
        return Err(Error::shape(format!("axis {a} of {left} and axis {b} of {right} differ")));
    }
    let kept = |shape: &Shape, axes: &Dims| -> Dims { (0..shape.rank()).filter(|axis| !axes.contains(axis)).collect() };
    let (first, last) = (kept(left, &l), kept(right, &r));
    let dims =
        |shape: &Shape, axes: &Dims| -> Dims { axes.iter().filter_map(|&axis| shape.get(axis)).copied().collect() };
    let (rows, columns) = (dims(left, &first), dims(right, &last));
    let order = |a: &Dims, b: &Dims| -> Order { a.iter().chain(b).map(|&axis| axis as isize).collect() };
    Ok(Contraction {
        orders: (order(&first, &l), order(&r, &last)),
        sizes: [rows.iter().product(), dims(left, &l).iter().product(), columns.iter().product()],
        whole: rows.into_iter().chain(columns).collect::<Dims>().into_shape()?,
    })
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || Tensor::from([[1.0f64, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let y = || Tensor::from([[0.5f64, -1.0], [2.0, 0.0], [1.0, 1.5]]);
    let entry = |op, samples| Entry::new(op, "product.rs", samples);
    vec![
        entry(
            "outer",
            vec![
                Sample::new("vectors", [x(), y()], |_, x| x[0].at(0, 1).outer(x[1].at(1, 0)))
                    .gives([2., 8., 4., 2.5, 10., 5., 3., 12., 6.]),
                Sample::new("with itself", [x()], |_, x| x[0].flatten().outer(x[0].flatten())),
                Sample::new("nothing", [x()], |_, x| x[0].flatten().slice(0, ..0).outer(x[0].flatten())).gives([]),
            ],
        ),
        entry(
            "kron",
            vec![
                Sample::new("matrices", [x(), y()], |_, x| x[0].slice(1, ..2).kron(x[1].slice(0, ..2)))
                    .gives([0.5, -1., 1., -2., 2., 0., 4., 0., 2., -4., 2.5, -5., 8., 0., 10., 0.]),
                Sample::new("matrix and vector", [x(), y()], |_, x| x[0].kron(x[1].at(0, 0)).square()),
                Sample::new("number", [x()], |_, x| x[0].kron(2.0)).slopes([2.; 6]),
            ],
        ),
        entry(
            "tensordot",
            vec![
                Sample::new("as a matrix product", [x(), y()], |_, x| x[0].tensordot(x[1], 1))
                    .gives([7.5, 3.5, 18., 5.]),
                Sample::new("two pairs, crossed", [x(), y()], |_, x| x[0].tensordot(x[1], ([0, -1], [1, 0])))
                    .gives([0.5 + 4. + 3. - 4. + 0. + 9.]),
                Sample::new("three axes", [x(), y()], |_, x| {
                    x[0].reshape([1, 3, 2]).tensordot(x[1].reshape([2, 3, 1]), ([1], [1])).square()
                }),
                Sample::new("outer", [x(), y()], |_, x| x[0].tensordot(x[1], 0).exp()),
                Sample::new("empty sum", [x(), y()], |_, x| x[0].slice(1, ..0).tensordot(x[1].slice(0, ..0), 1))
                    .gives([0.0; 4]),
            ],
        ),
    ]
}
