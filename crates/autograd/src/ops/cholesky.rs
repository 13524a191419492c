//! `cholesky`: the lower triangular root of a positive definite matrix.
//!
//! S = (A + Aᵀ) / 2 = L Lᵀ, where L is lower triangular with a positive diagonal. Only the symmetric part of A counts.
//!
//! * shape: `[…, n, n]`, unchanged
//! * dtypes: f32 and f64
//! * derivative: ∂A = ½ L⁻ᵀ (Φ + Φᵀ) L⁻¹, where Φ is the lower triangle of Lᵀ ct with half its diagonal
//! * errors when it runs: S is not positive definite, or not finite
//! * source: I. Murray, Differentiation of the Cholesky decomposition, 2016

use crate::batch::Batch;
use crate::class::Class;
use crate::cost::per_matrix;
use crate::graph::{Derivative, Op, OpRef, Var};
use crate::kernel::{matrix_ns, views};
use crate::matrices::{called, example, finite, square};
use crate::meta::{Meta, operands};
use crate::ops::triangular_solve::Triangle;
use crate::reals::with_real;
use crate::sample::{Accuracy, Entry, Sample};
use wengert_numerics::factor::Real;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::threads::in_parts;
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// The Cholesky factor.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Cholesky;

impl Op for Cholesky {
    fn name(&self) -> &'static str {
        "cholesky"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [a] = operands(inputs)?;
        square(a)?;
        Ok(a.clone())
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Composite
    }

    fn pullback<'t>(&self, _i: usize, _x: &[Var<'t>], l: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        let back = Triangle::lower().transposed();
        let product = l.t().matmul(ct.tril(0));
        let both = product.tril(0).add(product.tril(-1).t());
        let half = l.triangular_solve(both, back);
        Some(l.triangular_solve(half.t(), back).scaled(0.5))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(OpRef::Static(&Cholesky))
    }
}

impl Kernel for Cholesky {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [a] = views(inputs)?;
        if out.shape().is_empty() {
            return Ok(());
        }
        let n = a.shape().last().copied().unwrap_or(0);
        with_real!(a.dtype(), T => {
            let src = a.as_slice::<T>()?;
            in_parts(out.as_mut_slice::<T>()?, n * n, matrix_ns(n, n), |first, part| {
                let matrices = src.chunks_exact(n * n).skip(first);
                for (at, (matrix, factor)) in (first..).zip(matrices.zip(part.chunks_exact_mut(n * n))) {
                    finite(matrix, at, a.shape())?;
                    if let Err(minor) = T::cholesky(matrix, n, factor) {
                        let matrix = called(at, a.shape());
                        let why = format!("{matrix} is not positive definite: its leading minor of order {minor} is not");
                        return Err(Error::value(why).help("a small multiple of .eye(n) added to it may make it so"));
                    }
                }
                Ok(())
            })
        })
    }

    fn flops(&self, inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        per_matrix(inputs.first(), |_, n| n.powi(3) / 3.0)
    }
}

impl<'t> Var<'t> {
    /// The lower triangular L with L Lᵀ equal to this positive definite matrix, whose symmetric part is taken.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[4.0f64, 2.0], [2.0, 5.0]]).apply(|x| x.cholesky())?;
    /// assert_eq!(y.to_vec::<f64>()?, [2.0, 0.0, 1.0, 2.0]);
    /// let e = Tensor::from([[1.0f64, 2.0], [2.0, 1.0]]).apply(|x| x.cholesky()).unwrap_err();
    /// assert_eq!(e.message(), "the matrix is not positive definite: its leading minor of order 2 is not");
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn cholesky(self) -> Var<'t> {
        self.then(OpRef::Static(&Cholesky))
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let known = [Tensor::from([[4.0f64, 2.0], [2.0, 5.0]])];
    let batch = || [example(&[2, 3, 3], 0.3)];
    vec![
        Entry::new(
            "cholesky",
            "cholesky.rs",
            vec![
                Sample::new("known", known, |_, x| x[0].cholesky())
                    .gives([2., 0., 1., 2.])
                    .slopes([0.1875, 0.125, 0.125, 0.25]),
                Sample::new("its symmetric part", [Tensor::from([[4.0f64, 3.0], [1.0, 5.0]])], |_, x| x[0].cholesky())
                    .gives([2., 0., 1., 2.]),
                Sample::new("batch", batch(), |_, x| x[0].matmul(x[0].t()).cholesky()),
                Sample::new("size 1", [Tensor::from([[9.0f64]])], |_, x| x[0].cholesky()).gives([3.]),
                Sample::new("nothing", batch(), |_, x| x[0].slice(1, ..0).slice(2, ..0).cholesky()).gives([]),
                Sample::new("empty batch", batch(), |_, x| x[0].slice(0, ..0).cholesky()).gives([]),
                Sample::new("f32", batch(), |_, x| x[0].matmul(x[0].t()).cast(DType::F32).cholesky()).kinked(),
            ],
        )
        .accuracy(Accuracy::Stated("backward stable: L·Lᵀ is A to 4·n·ε of the norm of A")),
    ]
}
