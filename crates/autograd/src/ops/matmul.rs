//! `matmul`: products of matrices, one for each index of the batch axes.
//!
//! y[b…, i, j] = Σₖ l[b…, i, k] · r[b…, k, j]
//!
//! * shape: `[b…, m, k] × [b…, k, n] → [b…, m, n]`
//! * dtypes: all numbers, both the same; bf16 and f16 are summed in f32 and rounded once; integers wrap
//! * zeros: a sum begins with +0, so that one of zeros is +0; with k = 1 it is the product itself, and −0 where its signs differ
//! * derivative: linear in each operand; ∂l = ct · rᵀ and ∂r = lᵀ · ct

use crate::batch::Batch;
use crate::class::Class;
use crate::graph::{Derivative, Op, OpRef, Var};
use crate::meta::{Meta, operands};
use crate::operand::{Like, Operand};
use crate::sample::{Accuracy, Entry, Sample};
use smallvec::SmallVec;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// The product of the last two axes.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct MatMul;

impl Op for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [l, r] = operands(inputs)?;
        if l.dtype != r.dtype {
            return Err(Error::dtype(format!("{} beside {}", l.dtype, r.dtype))
                .help("nothing is converted silently; convert one side first: .cast(DType::…)"));
        }
        if l.dtype == DType::Bool {
            return Err(Error::dtype("multiplies numbers, not bool").help("convert first: .cast(DType::I64)"));
        }
        let (Some((left, &[m, k])), Some((right, &[inner, n]))) =
            (l.shape.split_last_chunk(), r.shape.split_last_chunk())
        else {
            return Err(Error::shape("a product needs at least one axis on each side"));
        };
        if k != inner {
            return Err(Error::shape(format!("inner dimensions differ: {k} and {inner}")));
        }
        if left != right {
            return Err(Error::shape(format!("batch axes differ: {left:?} and {right:?}")));
        }
        let dims: SmallVec<[usize; 4]> = left.iter().copied().chain([m, n]).collect();
        Ok(l.with_shape(Shape::new(dims)?))
    }

    fn class(&self) -> Class<'_> {
        Class::MatMul
    }

    fn derivative(&self) -> Derivative {
        Derivative::Linear
    }

    fn transpose<'t>(&self, i: usize, x: &[Var<'t>], ct: Var<'t>) -> Option<Var<'t>> {
        let product = |a: Var<'t>, b: Var<'t>| ct.tape.record(OpRef::Static(&MatMul), &[a, b]);
        Some(match i {
            0 => product(ct, x[1].t()),
            _ => product(x[0].t(), ct),
        })
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        let (a, b) = (x.operand(0)?, x.operand(1)?);
        match (a, b) {
            // Examples that meet one matrix are rows of one product.
            ((a, true), (b, false)) if a.rank() == 3 && b.rank() == 2 => {
                let (m, n) = (a.dim(1), b.dim(1));
                let rows = a.reshape([x.size() * m, a.dim(2)]);
                Some(x.tape().record(OpRef::Static(&MatMul), &[rows, b]).reshape([x.size(), m, n]))
            }
            _ => x.same(OpRef::Static(&MatMul)),
        }
    }
}

impl<'t> Var<'t> {
    /// The product of matrices.
    ///
    /// As in NumPy: batch axes are broadcast; a vector on the left is a row and one on the right a column, and that axis is
    /// not in the result.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let w = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]);
    /// assert_eq!(w.apply(|w| w.matmul(w))?.to_vec::<f32>()?, [7.0, 10.0, 15.0, 22.0]);
    /// assert_eq!(w.apply(|w| w.matmul(&Tensor::from([1.0f32, 0.5])))?.to_vec::<f32>()?, [2.0, 5.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias("mm", "bmm"))]
    #[track_caller]
    pub fn matmul(self, other: impl Operand<'t>) -> Var<'t> {
        let other = other.into_var(self.tape, Like::of(self).single());
        let op = OpRef::Static(&MatMul);
        let (a, b) = (self.shape(), other.shape());
        // What cannot be is recorded as it stands, so that the error shows the user's own operands.
        let inner = (a.last(), if b.rank() == 1 { b.first() } else { b.iter().rev().nth(1) });
        let sound = inner.0.is_some() && inner.0 == inner.1 && self.dtype() == other.dtype() && self.tape.owns(other);
        if !sound {
            return match (a.last(), inner.1) {
                (Some(k), Some(inner)) if k != inner => self.reject_product(other, *k, *inner),
                _ => self.tape.record(op, &[self, other]),
            };
        }
        match (a.rank(), b.rank()) {
            (1, 1) => self.unsqueeze(0).matmul(other.unsqueeze(1)).reshape(()),
            (1, _) => self.unsqueeze(0).matmul(other).squeeze(-2),
            (_, 1) => self.matmul(other.unsqueeze(1)).squeeze(-1),
            (2, 2) => self.tape.record(op, &[self, other]),
            // One product of many rows, instead of many products that share a matrix.
            (_, 2) => {
                let rows: usize = a.iter().take(a.rank() - 1).product();
                let product = self.reshape([rows, a[a.rank() - 1]]).matmul(other);
                let dims: SmallVec<[usize; 4]> = a.iter().take(a.rank() - 1).copied().chain([b[1]]).collect();
                product.reshape(dims)
            }
            _ => match batch(&a, &b) {
                Ok((a, b)) => self.tape.record(op, &[self.broadcast_to(a), other.broadcast_to(b)]),
                Err(error) => self.tape.reject("matmul", &[("left", self), ("right", other)], error),
            },
        }
    }

    #[track_caller]
    fn reject_product(self, other: Var<'t>, k: usize, inner: usize) -> Var<'t> {
        let error = Error::shape(format!("inner dimensions differ: {k} and {inner}"));
        let shape = other.shape();
        let error = match shape.last() {
            Some(last) if *last == k && shape.rank() > 1 => {
                error.help("the right one fits when it is transposed: .t()")
            }
            _ => error,
        };
        self.tape.reject("matmul", &[("left", self), ("right", other)], error)
    }

    /// The sum of the products of two vectors.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1.0f32, 2.0]).apply(|x| x.dot(x))?;
    /// assert_eq!(y.item::<f32>()?, 5.0);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias("inner", "vdot"))]
    #[track_caller]
    pub fn dot(self, other: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("dot");
        let other = other.into_var(self.tape, Like::of(self));
        match (self.rank(), self.shape() == other.shape()) {
            (1, true) => (self * other).sum(),
            _ => {
                let error =
                    Error::shape("takes two vectors of one length").help("for matrices there is .matmul(other)");
                self.tape.reject("dot", &[("left", self), ("right", other)], error)
            }
        }
    }
}

/// Both shapes with their batch axes broadcast.
pub(crate) fn batch(a: &Shape, b: &Shape) -> Result<(Shape, Shape)> {
    let all = |shape: &Shape| Shape::new(shape.get(..shape.rank().saturating_sub(2)).unwrap_or_default());
    let batch = all(a)?.broadcast(&all(b)?)?;
    let whole = |shape: &Shape| {
        let matrix = shape.iter().skip(shape.rank().saturating_sub(2));
        Shape::new(batch.iter().chain(matrix).copied().collect::<SmallVec<[usize; 4]>>())
    };
    Ok((whole(a)?, whole(b)?))
}

pub(super) fn entries() -> Vec<Entry> {
    let matrix = |rows: usize, columns: usize| {
        Tensor::from_fn([rows, columns], move |i| (i as f64 * 1.7).sin()).unwrap_or_else(|_| Tensor::from(0.0f64))
    };
    let pair = || [matrix(2, 3), matrix(3, 4)];
    let ones = Tensor::from([[1.0f64, 2.0], [3.0, 4.0]]);
    vec![
        Entry::new(
            "matmul",
            "matmul.rs",
            vec![
                Sample::new("by heart", [ones.clone(), ones], |_, x| x[0].matmul(x[1])).gives([7., 10., 15., 22.]),
                Sample::new("plain", pair(), |_, x| x[0].matmul(x[1])),
                Sample::new("transposed", pair(), |_, x| x[1].t().matmul(x[0].t())),
                Sample::new("f32", pair(), |_, x| x[0].cast(DType::F32).matmul(x[1].cast(DType::F32))).kinked(),
                Sample::new("bf16", pair(), |_, x| x[0].cast(DType::BF16).matmul(x[1].cast(DType::BF16))).kinked(),
                Sample::new("rows of a batch", pair(), |_, x| x[0].reshape([2, 1, 3]).matmul(x[1])),
                Sample::new("batch", pair(), |_, x| {
                    x[0].reshape([2, 1, 1, 3]).broadcast_to([2, 2, 1, 3]).matmul(x[1].reshape([2, 3, 2]))
                }),
                Sample::new("i64", pair(), |_, x| {
                    x[0].scaled(9.0).cast(DType::I64).matmul(x[1].scaled(9.0).cast(DType::I64))
                }),
                Sample::new("vectors", [matrix(1, 3), matrix(3, 1)], |_, x| x[0].flatten().matmul(x[1].flatten())),
                Sample::new("vector and matrix", [matrix(1, 3), matrix(3, 2)], |_, x| x[0].flatten().matmul(x[1])),
                Sample::new("matrix and vector", [matrix(2, 3), matrix(3, 1)], |_, x| x[0].matmul(x[1].flatten())),
                Sample::new("empty sum", pair(), |_, x| x[0].slice(1, ..0).matmul(x[1].slice(0, ..0))).gives([0.0; 8]),
            ],
        )
        .accuracy(Accuracy::Sum),
    ]
}
