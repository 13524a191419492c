//! `pinv`: the inverse of Moore and Penrose.
//!
//! A⁺ = Σᵢ vᵢ uᵢᵀ / sᵢ over the singular values above `rtol` times the largest one; the others count as 0.
//!
//! * shape: `[…, m, n] → […, n, m]`
//! * dtypes: f32 and f64
//! * derivative: with P = A⁺: ∂A = −Pᵀ ct Pᵀ + (1 − AP) ctᵀ P Pᵀ + Pᵀ P ctᵀ (1 − PA), for the rank as it is. No matter whether
//!   singular values are equal
//! * errors when it runs: A is not finite
//! * source: G. Golub and V. Pereyra, The differentiation of pseudo-inverses, 1973

use crate::batch::Batch;
use crate::class::Class;
use crate::cost::per_matrix;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::{matrix_ns, views};
use crate::matrices::{called, example, finite, matrix, resized};
use crate::meta::{Meta, operands};
use crate::reals::with_real;
use crate::sample::{Accuracy, Entry, Sample};
use wengert_numerics::factor::Real;
use wengert_tensor::dtype::{DType, Scalar};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::threads::in_parts;
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// The pseudoinverse.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Pinv {
    /// Singular values up to this part of the largest one count as 0; an f64.
    pub rtol: Scalar,
}

impl Op for Pinv {
    fn name(&self) -> &'static str {
        "pinv"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [a] = operands(inputs)?;
        let (m, n) = matrix(a)?;
        let rtol = self.rtol.to_f64();
        match (0.0..1.0).contains(&rtol) {
            true => Ok(a.with_shape(resized(&a.shape, n, m)?)),
            false => Err(Error::value(format!("a relative tolerance of {rtol}")).help("it is at least 0 and below 1")),
        }
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

    fn pullback<'t>(&self, _i: usize, x: &[Var<'t>], p: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        let (a, pt, ct) = (x[0], p.t(), ct.t());
        let first = pt.matmul(ct.t()).matmul(pt);
        let left = ct.matmul(p).matmul(pt);
        let right = pt.matmul(p.matmul(ct));
        let left = left.sub(a.matmul(p.matmul(left)));
        let right = right.sub(right.matmul(p).matmul(a));
        Some(left.add(right).sub(first))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(Pinv { ..*self })
    }
}

impl Kernel for Pinv {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [a] = views(inputs)?;
        if out.shape().is_empty() {
            return Ok(());
        }
        let &[m, n] = a.shape().last_chunk().unwrap_or(&[0, 0]);
        let k = m.min(n);
        with_real!(a.dtype(), T => {
            let src = a.as_slice::<T>()?;
            in_parts(out.as_mut_slice::<T>()?, m * n, matrix_ns(m, n), |first, part| {
                let matrices = src.chunks_exact(m * n).skip(first);
                let (mut values, mut left, mut right) = (vec![0.0; k], vec![0.0; k * m], vec![0.0; k * n]);
                let mut columns = vec![0.0; n * k];
                for (at, (matrix, inverse)) in (first..).zip(matrices.zip(part.chunks_exact_mut(m * n))) {
                    finite(matrix, at, a.shape())?;
                    if T::svd(matrix, (m, n), &mut values, &mut left, &mut right).is_err() {
                        let why = format!("the singular values of {} do not converge", called(at, a.shape()));
                        return Err(Error::value(why));
                    }
                    let least = values.first().copied().unwrap_or(0.0) * self.rtol.to_f64() as T;
                    for (i, (row, &value)) in right.chunks_exact(n).zip(&values).enumerate() {
                        for (to, from) in columns.iter_mut().skip(i).step_by(k).zip(row) {
                            *to = if value > least { from / value } else { 0.0 };
                        }
                    }
                    T::product(&columns, &left, (n, k, m), inverse);
                }
                Ok(())
            })
        })
    }

    fn flops(&self, inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        // A decomposition and a product.
        per_matrix(inputs.first(), |m, n| {
            let (k, long) = (m.min(n), m.max(n));
            14.0 * long * k * k + 8.0 * k.powi(3) + 2.0 * m * n * k
        })
    }
}

impl<'t> Var<'t> {
    /// The pseudoinverse of Moore and Penrose. Singular values count as 0 up to max(m, n) times the precision of the dtype, relative to
    /// the largest.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[2.0f64, 0.0], [0.0, 0.0], [0.0, 4.0]]).apply(|x| x.pinv())?;
    /// let expected = [0.5, 0.0, 0.0, 0.0, 0.0, 0.25];
    /// assert!(y.to_vec::<f64>()?.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15));
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn pinv(self) -> Var<'t> {
        let _call = self.tape.call("pinv");
        let size = self.shape().iter().rev().take(2).copied().max().unwrap_or(1).max(1);
        let precision = match self.dtype() {
            DType::F64 => f64::EPSILON,
            _ => f64::from(f32::EPSILON),
        };
        self.pinv_with((size as f64 * precision).min(0.5))
    }

    /// As [`Var::pinv`], where singular values count as 0 up to `rtol` times the largest.
    #[track_caller]
    pub fn pinv_with(self, rtol: f64) -> Var<'t> {
        self.then(Pinv { rtol: Scalar::of(rtol) })
    }

    /// The x of least norm among those with the least |A x − b|. A vector b is one column; batch axes are broadcast. A may have any shape
    /// and rank; its singular values count as 0 as for [`Var::pinv`].
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// // The line through three points.
    /// let a = Tensor::from([[1.0f64, 0.0], [1.0, 1.0], [1.0, 2.0]]);
    /// let x = a.apply(|a| a.lstsq(&Tensor::from([1.0f64, 3.0, 5.0])))?.to_vec::<f64>()?;
    /// assert!((x[0] - 1.0).abs() < 1e-13 && (x[1] - 2.0).abs() < 1e-13);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "least_squares")]
    #[track_caller]
    pub fn lstsq(self, b: impl crate::operand::Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("lstsq");
        self.named("lstsq", self.pinv().matmul(b))
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let tall = || [example(&[2, 3, 2], 0.3)];
    let wide = || [example(&[2, 3], 0.3)];
    let low = || [Tensor::from([[1.0f64], [2.0], [-1.0]]), Tensor::from([[2.0f64, 0.5]])];
    vec![
        Entry::new(
            "pinv",
            "pinv.rs",
            vec![
                Sample::new("known", [Tensor::from([[3.0f64], [4.0]])], |_, x| x[0].pinv())
                    .gives([0.12, 0.16])
                    .slopes([-0.0272, -0.0496]),
                Sample::new("tall", tall(), |_, x| x[0].pinv()),
                Sample::new("wide", wide(), |_, x| x[0].pinv()),
                Sample::new("equal singular values", [Tensor::from([[0.0f64, 2.0], [-2.0, 0.0]])], |_, x| x[0].pinv())
                    .gives([0., -0.5, 0.5, 0.]),
                Sample::new("of rank 1", low(), |_, x| x[0].matmul(x[1]).pinv_with(1e-3)),
                Sample::new("zeros", [Tensor::from([[0.0f64; 2]; 2])], |_, x| x[0].pinv()).kinked().gives([0.; 4]),
                Sample::new("nothing", tall(), |_, x| x[0].slice(2, ..0).pinv()).gives([]),
                Sample::new("f32", tall(), |_, x| x[0].cast(DType::F32).pinv()).kinked(),
            ],
        )
        .accuracy(Accuracy::Stated("A⁺·A is the unit matrix to 4·n·ε of the norms of A and A⁺ (full column rank)")),
        Entry::new(
            "lstsq",
            "pinv.rs",
            vec![
                Sample::new(
                    "a line",
                    [Tensor::from([[1.0f64, 0.0], [1.0, 1.0], [1.0, 2.0]]), Tensor::from([1.0f64, 3.0, 5.0])],
                    |_, x| x[0].lstsq(x[1]),
                )
                .gives([1., 2.]),
                Sample::new("wide", [example(&[2, 3], 0.3), example(&[2, 2], 0.9)], |_, x| x[0].lstsq(x[1])),
            ],
        )
        .accuracy(Accuracy::Stated("Aᵀ·(A·X − B) is 0 to 4·n·ε of |A|·(|A|·|X| + |B|)")),
    ]
}
