//! `qr`: the reduced factorization into orthonormal columns and an upper triangle.
//!
//! A = Q R, where Q has k = min(m, n) orthonormal columns and R is upper triangular. The diagonal of R is not negative, which makes
//! both unique where A has full rank.
//!
//! The result is packed: `[Qᵀ | R]`.
//!
//! * shape: `[…, m, n] → […, k, m + n]`
//! * dtypes: f32 and f64
//! * derivative: ∂A = (∂Q + Q C) R⁻ᵀ, where C is symmetric and has the lower triangle of R ∂Rᵀ − ∂Qᵀ Q. Where A = [X | Y] is wider
//!   than high and R = [T | W], this is ∂X, with ∂Q + Y ∂Wᵀ in the place of ∂Q, and ∂Y = Q ∂W
//! * errors when it runs: A is not finite; in the derivative, the first k columns of A are dependent
//! * source: S. Walter and L. Lehmann, Algorithmic differentiation of linear algebra functions, 2010

use crate::batch::Batch;
use crate::class::Class;
use crate::cost::per_matrix;
use crate::graph::{Derivative, Op, OpRef, Var};
use crate::kernel::{matrix_ns, views};
use crate::matrices::{example, finite, matrix, resized};
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
pub struct Qr;

impl Op for Qr {
    fn name(&self) -> &'static str {
        "qr"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [a] = operands(inputs)?;
        let (m, n) = matrix(a)?;
        Ok(a.with_shape(resized(&a.shape, m.min(n), m + n)?))
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Composite
    }

    fn pullback<'t>(&self, _i: usize, x: &[Var<'t>], y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        let (m, n) = (x[0].dim(-2), x[0].dim(-1));
        let k = m.min(n);
        let parts = |y: Var<'t>| (y.slice(-1, ..m).t(), y.slice(-1, m..m + k), y.slice(-1, m + k..));
        let ((q, r, _), (dq, dr, dw)) = (parts(y), parts(ct));
        let dq = match n > k {
            true => dq.add(x[0].slice(-1, k..).matmul(dw.t())),
            false => dq,
        };
        let inner = r.matmul(dr.triu(0).t()).sub(dq.t().matmul(q));
        let both = inner.tril(0).add(inner.tril(-1).t());
        let left = dq.add(q.matmul(both));
        let square = r.triangular_solve(left.t(), Triangle::upper()).t();
        Some(match n > k {
            true => ct.tape.concat(&[square, q.matmul(dw)], -1),
            false => square,
        })
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(OpRef::Static(&Qr))
    }
}

impl Kernel for Qr {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [a] = views(inputs)?;
        if out.shape().is_empty() {
            return Ok(());
        }
        let &[m, n] = a.shape().last_chunk().unwrap_or(&[0, 0]);
        let k = m.min(n);
        with_real!(a.dtype(), T => {
            let src = a.as_slice::<T>()?;
            in_parts(out.as_mut_slice::<T>()?, k * (m + n), matrix_ns(m, n), |first, part| {
                let matrices = src.chunks_exact(m * n).skip(first);
                let (mut q, mut r) = (vec![0.0; m * k], vec![0.0; k * n]);
                for (at, (matrix, packed)) in (first..).zip(matrices.zip(part.chunks_exact_mut(k * (m + n)))) {
                    finite(matrix, at, a.shape())?;
                    T::qr(matrix, (m, n), &mut q, &mut r);
                    for (i, (to, row)) in packed.chunks_exact_mut(m + n).zip(r.chunks_exact(n)).enumerate() {
                        let column = q.iter().skip(i).step_by(k);
                        to.iter_mut().zip(column.chain(row)).for_each(|(to, from)| *to = *from);
                    }
                }
                Ok(())
            })
        })
    }

    fn flops(&self, inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        // The triangle, and the columns of Q from the reflections.
        per_matrix(inputs.first(), |m, n| {
            let (k, long) = (m.min(n), m.max(n));
            2.0 * k * k * (long - k / 3.0) + 2.0 * k * k * (m - k / 3.0)
        })
    }
}

impl<'t> Var<'t> {
    /// Q and R with A = Q R, reduced: Q has min(m, n) orthonormal columns, and the diagonal of R is not negative.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let (q, r) = tape.input(&Tensor::from([[3.0f64, 1.0], [4.0, 3.0]])).qr();
    /// let [q, r] = tape.eval([q, r])?;
    /// let near = |a: Vec<f64>, b: [f64; 4]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-14);
    /// assert!(near(q.to_vec()?, [0.6, -0.8, 0.8, 0.6]) && near(r.to_vec()?, [5.0, 3.0, 0.0, 1.0]));
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn qr(self) -> (Var<'t>, Var<'t>) {
        let _call = self.tape.call("qr");
        let packed = self.then(OpRef::Static(&Qr));
        if self.tape.failed.get() {
            return (packed, packed);
        }
        let m = self.dim(-2);
        (packed.slice(-1, ..m).t(), packed.slice(-1, m..))
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let known = || [Tensor::from([[3.0f64, 1.0], [4.0, 3.0]])];
    let tall = || [example(&[2, 3, 2], 0.3)];
    let wide = || [example(&[2, 4], 0.3)];
    vec![
        Entry::new(
            "qr",
            "qr.rs",
            vec![
                Sample::new("known", known(), |_, x| x[0].then(Qr)).gives([0.6, 0.8, 5., 3., -0.8, 0.6, 0., 1.]),
                Sample::new("the matrix again", known(), |_, x| {
                    let (q, r) = x[0].qr();
                    q.matmul(r)
                })
                .gives([3., 1., 4., 3.])
                .slopes([1.; 4]),
                Sample::new("left, tall", tall(), |_, x| x[0].qr().0),
                Sample::new("right, tall", tall(), |_, x| x[0].qr().1.square()),
                Sample::new("left, wide", wide(), |_, x| x[0].qr().0),
                Sample::new("right, wide", wide(), |_, x| x[0].qr().1.square()),
                Sample::new("nothing", tall(), |_, x| x[0].slice(2, ..0).qr().0).gives([]),
                Sample::new("f32", tall(), |_, x| x[0].cast(DType::F32).qr().1).kinked(),
            ],
        )
        .accuracy(Accuracy::Stated("backward stable: Q·R is A to 4·n·ε of the norm of A")),
    ]
}
