//! `lu`: triangular factors of a square matrix, with its rows exchanged.
//!
//! P A = L U, where L has ones on its diagonal; each pivot is the largest that is left in its column.
//!
//! The result is packed: `[L and U | p | s]`. U stands on and above the diagonal and L below it; row i of P A is row pᵢ of A;
//! the product of s is the sign of the permutation. A singular matrix has factors, too: there is a 0 on the diagonal of U, and L is 0
//! below it where nothing is left in the column.
//!
//! * shape: `[…, n, n] → […, n, n + 2]`
//! * dtypes: f32 and f64
//! * derivative: ∂A = Pᵀ L⁻ᵀ (tril₋₁(Lᵀ ∂L) + triu(∂U Uᵀ)) U⁻ᵀ for the pivots as they are; p and s are constant
//! * errors when it runs: A is not finite; in the derivative, A is singular

use crate::batch::Batch;
use crate::class::Class;
use crate::cost::per_matrix;
use crate::graph::{Derivative, Op, OpRef, Var};
use crate::kernel::{matrix_ns, views};
use crate::matrices::{example, finite, resized, square};
use crate::meta::{Meta, operands};
use crate::ops::triangular_solve::Triangle;
use crate::reals::with_real;
use crate::sample::{Accuracy, Entry, Sample};
use wengert_numerics::factor::Real;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::kernels::threads::in_parts;
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// The packed factors.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Lu;

impl Op for Lu {
    fn name(&self) -> &'static str {
        "lu"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [a] = operands(inputs)?;
        let n = square(a)?;
        Ok(a.with_shape(resized(&a.shape, n, n + 2)?))
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Composite
    }

    fn pullback<'t>(&self, _i: usize, x: &[Var<'t>], y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        let Factors { both, order, .. } = Factors::of(y);
        let ct = ct.slice(-1, ..x[0].dim(-1));
        let (lower, upper) = (both.tril(-1).add(unit(x[0])), both.triu(0));
        let left = lower.t().matmul(ct.tril(-1)).tril(-1);
        let right = ct.triu(0).matmul(upper.t()).triu(0);
        let inner = both.triangular_solve(left.add(right), Triangle::lower().unit().transposed());
        let inner = both.triangular_solve(inner.t(), Triangle::upper()).t();
        Some(order.t().matmul(inner))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(OpRef::Static(&Lu))
    }
}

impl Kernel for Lu {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [a] = views(inputs)?;
        if out.shape().is_empty() {
            return Ok(());
        }
        let n = a.shape().last().copied().unwrap_or(0);
        with_real!(a.dtype(), T => {
            let src = a.as_slice::<T>()?;
            in_parts(out.as_mut_slice::<T>()?, n * (n + 2), matrix_ns(n, n), |first, part| {
                let matrices = src.chunks_exact(n * n).skip(first);
                let (mut factors, mut order) = (vec![0.0; n * n], vec![0; n]);
                for (at, (matrix, packed)) in (first..).zip(matrices.zip(part.chunks_exact_mut(n * (n + 2)))) {
                    finite(matrix, at, a.shape())?;
                    let odd = T::lu(matrix, n, &mut factors, &mut order);
                    let rows = packed.chunks_exact_mut(n + 2).zip(factors.chunks_exact(n));
                    for (i, ((to, from), row)) in rows.zip(&order).enumerate() {
                        let (head, tail) = to.split_at_mut(n);
                        head.copy_from_slice(from);
                        tail.copy_from_slice(&[*row as T, if i == 0 && odd { -1.0 } else { 1.0 }]);
                    }
                }
                Ok(())
            })
        })
    }

    fn flops(&self, inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        per_matrix(inputs.first(), |_, n| n.powi(3) * 2.0 / 3.0)
    }
}

/// The parts of packed factors.
pub(crate) struct Factors<'t> {
    /// L below the diagonal, U on and above.
    pub(crate) both: Var<'t>,
    /// The matrix P.
    pub(crate) order: Var<'t>,
    /// The sign of the permutation.
    pub(crate) sign: Var<'t>,
}

impl<'t> Factors<'t> {
    pub(crate) fn of(packed: Var<'t>) -> Factors<'t> {
        let n = packed.dim(-2);
        let both = packed.slice(-1, ..n);
        let columns = packed.tape.iota(both.shape(), -1, DType::I64);
        let rows = packed.slice(-1, n..n + 1).cast(DType::I64).broadcast_to(both.shape());
        let sign = packed.at(-1, n + 1).prod_axes(-1).stop_gradient();
        Factors { both, order: rows.eq(columns).cast(packed.dtype()), sign }
    }
}

/// Unit matrices of the shape of square ones.
pub(crate) fn unit(like: Var<'_>) -> Var<'_> {
    let [row, column] = [-2, -1].map(|axis| like.tape.iota(like.shape(), axis, DType::I64));
    row.eq(column).cast(like.dtype())
}

impl<'t> Var<'t> {
    /// The matrices P, L and U with A = P L U: a permutation, a lower triangle with ones on its diagonal, an upper triangle.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let a = tape.input(&Tensor::from([[1.0f64, 2.0], [4.0, 4.0]]));
    /// let (p, l, u) = a.lu();
    /// let [p, l, u] = tape.eval([p, l, u])?;
    /// assert_eq!(p.to_vec::<f64>()?, [0.0, 1.0, 1.0, 0.0]);
    /// assert_eq!(l.to_vec::<f64>()?, [1.0, 0.0, 0.25, 1.0]);
    /// assert_eq!(u.to_vec::<f64>()?, [4.0, 4.0, 0.0, 1.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn lu(self) -> (Var<'t>, Var<'t>, Var<'t>) {
        let _call = self.tape.call("lu");
        let packed = self.then(OpRef::Static(&Lu));
        if self.tape.failed.get() {
            return (packed, packed, packed);
        }
        let Factors { both, order, .. } = Factors::of(packed);
        (order.t(), both.tril(-1).add(unit(self)), both.triu(0))
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let known = || [Tensor::from([[1.0f64, 2.0], [4.0, 4.0]])];
    let rows = || [example(&[2, 3, 3], 0.3)];
    let hollow = || [Tensor::from([[0.0f64, 0.0, 1.0], [0.0, 0.0, 2.0], [1.0, 2.0, 3.0]])];
    let exchanged = || [example(&[3, 3], 0.3)];
    vec![
        Entry::new(
            "lu",
            "lu.rs",
            vec![
                Sample::new("known", known(), |_, x| x[0].then(Lu)).gives([4., 4., 1., -1., 0.25, 1., 0., 1.]),
                Sample::new("the matrix again", known(), |_, x| {
                    let (p, l, u) = x[0].lu();
                    p.matmul(l).matmul(u)
                })
                .gives([1., 2., 4., 4.])
                .slopes([1.; 4]),
                Sample::new("lower", rows(), |_, x| x[0].lu().1.square()),
                Sample::new("upper", rows(), |_, x| x[0].lu().2.square()),
                Sample::new("rows in another order", exchanged(), |_, x| {
                    let (_, l, u) = x[0].roll(1, 0).lu();
                    l.matmul(u.t())
                }),
                Sample::new("singular", [Tensor::from([[1.0f64, 2.0], [2.0, 4.0]])], |_, x| {
                    x[0].stop_gradient().lu().2
                })
                .kinked()
                .gives([2., 4., 0., 0.]),
                Sample::new("no pivot in a column", hollow(), |_, x| x[0].stop_gradient().then(Lu))
                    .kinked()
                    .gives([1., 2., 3., 2., -1., 0., 0., 2., 1., 1., 0., 0., 1., 0., 1.]),
                Sample::new(
                    "zeros in a batch",
                    [Tensor::from([[[0.0f64, 1.0], [0.0, 2.0]], [[0.0; 2]; 2]])],
                    |_, x| {
                        let (p, l, u) = x[0].stop_gradient().lu();
                        p.matmul(l).matmul(u)
                    },
                )
                .kinked()
                .gives([0., 1., 0., 2., 0., 0., 0., 0.]),
                Sample::new("nothing", rows(), |_, x| x[0].slice(1, ..0).slice(2, ..0).lu().1).gives([]),
                Sample::new("f32", rows(), |_, x| x[0].cast(DType::F32).lu().2).kinked(),
            ],
        )
        .accuracy(Accuracy::Stated("backward stable: P·L·U is A to 4·n·ε of the norm of A")),
    ]
}
