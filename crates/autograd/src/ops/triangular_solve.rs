//! `triangular_solve`: systems of equations with a triangular matrix.
//!
//! x = T⁻¹ b, where T is a triangle of A or its transpose; what stands in the other triangle is not read.
//!
//! * shape: `[…, n, n]` and `[…, n, k]` with equal batch axes; the result has the second's
//! * dtypes: f32 and f64, both the same
//! * derivative: ∂b = T⁻ᵀ ct and ∂T = −∂b xᵀ, of which the triangle counts
//! * errors when it runs: a zero on the diagonal, or a triangle that is not finite

use crate::batch::Batch;
use crate::class::Class;
use crate::cost::per_element;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::{matrix_ns, views};
use crate::matrices::{called, example, finite, system};
use crate::meta::{Meta, operands};
use crate::operand::{Like, Operand};
use crate::reals::with_real;
use crate::sample::{Accuracy, Entry, Sample};
use wengert_numerics::factor::{self, Real};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::threads::in_parts;
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// Which triangle of a matrix is meant, and how it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Triangle {
    /// The upper one; else the lower one.
    pub upper: bool,
    /// Its transpose is the system.
    pub transposed: bool,
    /// Its diagonal is taken as ones, and not read.
    pub unit: bool,
}

impl Triangle {
    /// The lower triangle.
    pub const fn lower() -> Triangle {
        Triangle { upper: false, transposed: false, unit: false }
    }

    /// The upper triangle.
    pub const fn upper() -> Triangle {
        Triangle { upper: true, transposed: false, unit: false }
    }

    /// The transpose of this one.
    #[must_use]
    pub const fn transposed(self) -> Triangle {
        Triangle { transposed: !self.transposed, ..self }
    }

    /// With ones on the diagonal.
    #[must_use]
    pub const fn unit(self) -> Triangle {
        Triangle { unit: true, ..self }
    }
}

/// The system. Its operands are A and b.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct TriangularSolve {
    /// What is read of A.
    pub triangle: Triangle,
}

impl Op for TriangularSolve {
    fn name(&self) -> &'static str {
        "triangular_solve"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["matrix", "right side"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [a, b] = operands(inputs)?;
        system(a, b)?;
        Ok(b.clone())
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Composite
    }

    fn pullback<'t>(&self, i: usize, x: &[Var<'t>], y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        let triangle = self.triangle;
        let right = ct.tape.record(TriangularSolve { triangle: triangle.transposed() }, &[x[0], ct]);
        if i == 1 {
            return Some(right);
        }
        let whole = match triangle.transposed {
            false => right.matmul(y.t()),
            true => y.matmul(right.t()),
        };
        let off = isize::from(triangle.unit);
        Some(-if triangle.upper { whole.triu(off) } else { whole.tril(-off) })
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(TriangularSolve { ..*self })
    }
}

impl Kernel for TriangularSolve {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [a, b] = views(inputs)?;
        let (n, k) = (a.shape().last().copied().unwrap_or(0), b.shape().last().copied().unwrap_or(0));
        let Triangle { upper, transposed, unit } = self.triangle;
        with_real!(a.dtype(), T => {
            let dst = out.as_mut_slice::<T>()?;
            dst.copy_from_slice(b.as_slice::<T>()?);
            let src = a.as_slice::<T>()?;
            in_parts(dst, n * k, matrix_ns(n, k), |first, part| {
                let matrices = src.chunks_exact((n * n).max(1));
                for (at, (matrix, x)) in (first..).zip(matrices.skip(first).zip(part.chunks_exact_mut(n * k))) {
                    for (i, row) in matrix.chunks_exact(n.max(1)).enumerate() {
                        let (diagonal, skip) = (!unit && row.get(i) == Some(&0.0), usize::from(unit));
                        if diagonal {
                            let why = format!("{} is singular: element {i} of its diagonal is 0", called(at, a.shape()));
                            return Err(Error::value(why));
                        }
                        let read = if upper { row.get(i + skip..) } else { row.get(..(i + 1).saturating_sub(skip)) };
                        finite(read.unwrap_or_default(), at, a.shape())?;
                    }
                    T::triangular_solve(matrix, n, factor::Triangle { upper, transposed, unit }, x, k);
                }
                Ok(())
            })
        })
    }

    fn flops(&self, _inputs: &[&Shape], out: &Shape) -> Option<u64> {
        let n = out.iter().rev().nth(1).copied().unwrap_or(0) as u64;
        per_element(out, n)
    }
}

impl<'t> Var<'t> {
    /// The x with T x = b, where T is a triangle of this matrix. A vector b is one column. Batch axes are broadcast.
    ///
    /// ```
    /// # use wengert_autograd::{Apply, Triangle};
    /// # use wengert_tensor::tensor::Tensor;
    /// let a = Tensor::from([[2.0f64, 7.0], [1.0, 4.0]]);
    /// let solve = |triangle| a.apply(|a| a.triangular_solve(&Tensor::from([4.0f64, 8.0]), triangle))?.to_vec::<f64>();
    /// assert_eq!(solve(Triangle::lower())?, [2.0, 1.5]);
    /// assert_eq!(solve(Triangle::upper())?, [-5.0, 2.0]);
    /// assert_eq!(solve(Triangle::lower().transposed())?, [1.0, 2.0]);
    /// assert_eq!(solve(Triangle::lower().unit())?, [4.0, 4.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "solve_triangular")]
    #[track_caller]
    pub fn triangular_solve(self, b: impl Operand<'t>, triangle: Triangle) -> Var<'t> {
        let _call = self.tape.call("triangular_solve");
        let b = b.into_var(self.tape, Like::of(self).single());
        self.as_system(b, |a, b| a.tape.record(TriangularSolve { triangle }, &[a, b]))
    }

    /// Calls `solve` for a right side that is a matrix, and on operands with equal batch axes.
    #[track_caller]
    pub(crate) fn as_system(self, b: Var<'t>, solve: impl FnOnce(Var<'t>, Var<'t>) -> Var<'t>) -> Var<'t> {
        let shape = self.shape();
        if b.rank() == 1 && shape.rank() >= 2 && self.tape.owns(b) {
            let whole = self.as_system(b.unsqueeze(1), solve);
            return whole.squeeze(-1);
        }
        match self.tape.owns(b).then(|| crate::ops::matmul::batch(&shape, &b.shape())) {
            Some(Ok((left, right))) if shape.rank() >= 2 && b.rank() >= 2 => {
                solve(self.broadcast_to(left), b.broadcast_to(right))
            }
            // What cannot be is recorded as it stands, so that the error shows the user's own operands.
            _ => solve(self, b),
        }
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let pair = || [example(&[3, 3], 0.3), example(&[3, 2], 1.1)];
    let known = || [Tensor::from([[2.0f64, 7.0], [1.0, 4.0]]), Tensor::from([4.0f64, 8.0])];
    vec![
        Entry::new(
            "triangular_solve",
            "triangular_solve.rs",
            vec![
                Sample::new("known", known(), |_, x| x[0].triangular_solve(x[1], Triangle::lower()))
                    .gives([2., 1.5])
                    .slopes([-0.75, 0., -0.5, -0.375]),
                Sample::new("lower", pair(), |_, x| x[0].triangular_solve(x[1], Triangle::lower())),
                Sample::new("upper", pair(), |_, x| x[0].triangular_solve(x[1], Triangle::upper())),
                Sample::new("lower, transposed", pair(), |_, x| {
                    x[0].triangular_solve(x[1], Triangle::lower().transposed())
                }),
                Sample::new("upper, transposed", pair(), |_, x| {
                    x[0].triangular_solve(x[1], Triangle::upper().transposed())
                }),
                Sample::new("unit", pair(), |_, x| x[0].triangular_solve(x[1], Triangle::lower().unit())),
                Sample::new("unit upper, transposed", pair(), |_, x| {
                    x[0].triangular_solve(x[1], Triangle::upper().unit().transposed())
                }),
                Sample::new("batch", [example(&[2, 1, 2, 2], 0.3), example(&[3, 2, 1], 1.1)], |_, x| {
                    x[0].triangular_solve(x[1], Triangle::upper())
                }),
                Sample::new("nothing", pair(), |_, x| x[0].triangular_solve(x[1].slice(1, ..0), Triangle::lower()))
                    .gives([]),
                Sample::new("f32", pair(), |_, x| {
                    x[0].cast(DType::F32).triangular_solve(x[1].cast(DType::F32), Triangle::lower())
                })
                .kinked(),
            ],
        )
        .accuracy(Accuracy::Stated("backward stable: A·X is B to 4·n·ε of the norms of A and X")),
    ]
}
