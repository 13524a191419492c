//! `svd`: the reduced decomposition by singular values.
//!
//! A = U diag(s) Vᵀ with s descending and not negative, and k = min(m, n) orthonormal columns in U and in V.
//!
//! The result is packed: row i is `[uᵢ | vᵢ | sᵢ]`.
//!
//! * shape: `[…, m, n] → […, k, m + n + 1]`
//! * dtypes: f32 and f64
//! * convention: the component of largest magnitude of each uᵢ is positive. Where singular values are equal, or 0, what depends on
//!   the choice of the vectors has no derivative; as for `eigh`, the factors of its rule are taken as 0 at exact ties
//! * derivative: with Fᵢⱼ = 1 / (sⱼ² − sᵢ²), 0 on the diagonal, and X₋ = X − Xᵀ:
//!   ∂A = U ((F ∘ (Uᵀ∂U)₋) S + S (F ∘ (Vᵀ∂V)₋) + diag(∂s)) Vᵀ + (1 − UUᵀ) ∂U S⁻¹ Vᵀ + U S⁻¹ ∂Vᵀ (1 − VVᵀ)
//! * errors when it runs: A is not finite
//! * source: M. Giles, Collected matrix derivative results, 2008

use crate::batch::Batch;
use crate::class::Class;
use crate::cost::per_matrix;
use crate::graph::{Derivative, Op, OpRef, Var};
use crate::kernel::{matrix_ns, views};
use crate::matrices::{called, example, finite, matrix, resized};
use crate::meta::{Meta, operands};
use crate::ops::eigh::masked_recip;
use crate::reals::with_real;
use crate::sample::{Accuracy, Entry, Sample};
use wengert_numerics::factor::Real;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::threads::in_parts;
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// The packed decomposition.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Svd;

impl Op for Svd {
    fn name(&self) -> &'static str {
        "svd"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [a] = operands(inputs)?;
        let (m, n) = matrix(a)?;
        Ok(a.with_shape(resized(&a.shape, m.min(n), m + n + 1)?))
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Composite
    }

    fn pullback<'t>(&self, _i: usize, x: &[Var<'t>], y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        let (m, n) = (x[0].dim(-2), x[0].dim(-1));
        let parts = |y: Var<'t>| (y.slice(-1, ..m), y.slice(-1, m..m + n), y.at(-1, m + n));
        let ((u, v, s), (du, dv, ds)) = (parts(y), parts(ct));
        let (row, column) = (s.unsqueeze(-2), s.unsqueeze(-1));
        let gaps = masked_recip(row.sub(column).mul(row.add(column)));
        let (turned_u, turned_v) = (u.matmul(du.t()), v.matmul(dv.t()));
        let skew = |x: Var<'t>| x.sub(x.t()).mul_masked(gaps);
        let inner = skew(turned_u).mul(row).add(skew(turned_v).mul(column)).add(ds.diag_embed(0));
        let whole = u.t().matmul(inner).matmul(v);
        // What the vectors turn out of the space that they span.
        let scale = masked_recip(column);
        let out = |vectors: Var<'t>, d: Var<'t>, turned: Var<'t>| d.sub(turned.t().matmul(vectors)).mul_masked(scale);
        Some(match m.cmp(&n) {
            std::cmp::Ordering::Greater => whole.add(out(u, du, turned_u).t().matmul(v)),
            std::cmp::Ordering::Less => whole.add(u.t().matmul(out(v, dv, turned_v))),
            std::cmp::Ordering::Equal => whole,
        })
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(OpRef::Static(&Svd))
    }
}

impl Kernel for Svd {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [a] = views(inputs)?;
        if out.shape().is_empty() {
            return Ok(());
        }
        let &[m, n] = a.shape().last_chunk().unwrap_or(&[0, 0]);
        let k = m.min(n);
        with_real!(a.dtype(), T => {
            let src = a.as_slice::<T>()?;
            in_parts(out.as_mut_slice::<T>()?, k * (m + n + 1), matrix_ns(m, n), |first, part| {
                let matrices = src.chunks_exact(m * n).skip(first);
                let (mut values, mut left, mut right) = (vec![0.0; k], vec![0.0; k * m], vec![0.0; k * n]);
                for (at, (matrix, packed)) in (first..).zip(matrices.zip(part.chunks_exact_mut(k * (m + n + 1)))) {
                    finite(matrix, at, a.shape())?;
                    if T::svd(matrix, (m, n), &mut values, &mut left, &mut right).is_err() {
                        let why = format!("the singular values of {} do not converge", called(at, a.shape()));
                        return Err(Error::value(why));
                    }
                    let rows = left.chunks_exact(m).zip(right.chunks_exact(n)).zip(&values);
                    for (to, ((u, v), value)) in packed.chunks_exact_mut(m + n + 1).zip(rows) {
                        to.iter_mut().zip(u.iter().chain(v).chain([value])).for_each(|(to, from)| *to = *from);
                    }
                }
                Ok(())
            })
        })
    }

    fn flops(&self, inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        // With the first columns of U and V: Golub & Van Loan, Matrix Computations, §8.6.
        per_matrix(inputs.first(), |m, n| 14.0 * m.max(n) * m.min(n).powi(2) + 8.0 * m.min(n).powi(3))
    }
}

impl<'t> Var<'t> {
    /// The reduced decomposition A = U diag(s) Vᵀ: U with min(m, n) columns, the singular values descending, and Vᵀ.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let (u, s, vt) = tape.input(&Tensor::from([[0.0f64, 2.0], [3.0, 0.0], [0.0, 0.0]])).svd();
    /// assert!(s.value()?.to_vec::<f64>()?.iter().zip([3.0, 2.0]).all(|(a, b)| (a - b).abs() < 1e-14));
    /// assert_eq!((u.shape().dims(), vt.shape().dims()), (&[3, 2][..], &[2, 2][..]));
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn svd(self) -> (Var<'t>, Var<'t>, Var<'t>) {
        let _call = self.tape.call("svd");
        let packed = self.then(OpRef::Static(&Svd));
        if self.tape.failed.get() {
            return (packed, packed, packed);
        }
        let (m, n) = (self.dim(-2), self.dim(-1));
        (packed.slice(-1, ..m).t(), packed.at(-1, m + n), packed.slice(-1, m..m + n))
    }

    /// The singular values of a matrix, descending.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[0.0f64, 2.0], [-3.0, 0.0]]).apply(|x| x.svdvals())?;
    /// assert!(y.to_vec::<f64>()?.iter().zip([3.0, 2.0]).all(|(a, b)| (a - b).abs() < 1e-14));
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn svdvals(self) -> Var<'t> {
        let _call = self.tape.call("svdvals");
        self.named("svdvals", self.svd().1)
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let known = || [Tensor::from([[3.0f64, 0.0], [4.0, 5.0]])];
    let unit = || [Tensor::from([[1.0f64, 0.0], [0.0, 1.0]])];
    let tall = || [example(&[2, 3, 2], 0.3)];
    let wide = || [example(&[2, 3], 0.3)];
    vec![
        Entry::new(
            "svd",
            "svd.rs",
            vec![
                Sample::new("singular values", known(), |_, x| x[0].svdvals().square())
                    .gives([45., 5.])
                    .slopes([6., 0., 8., 10.]),
                Sample::new("left, square", [example(&[3, 3], 0.3)], |_, x| x[0].svd().0),
                Sample::new("left, tall", tall(), |_, x| x[0].svd().0),
                Sample::new("right, tall", tall(), |_, x| x[0].svd().2),
                Sample::new("left, wide", wide(), |_, x| x[0].svd().0),
                Sample::new("right, wide", wide(), |_, x| x[0].svd().2),
                Sample::new("all", tall(), |_, x| {
                    let (u, s, vt) = x[0].svd();
                    u.mul(s.exp().unsqueeze(-2)).matmul(vt)
                }),
                Sample::new("ties", unit(), |_, x| x[0].svdvals().exp())
                    .kinked()
                    .gives([1f64.exp(), 1f64.exp()])
                    .slopes([1f64.exp(), 0., 0., 1f64.exp()]),
                Sample::new("nothing", tall(), |_, x| x[0].slice(2, ..0).svdvals()).gives([]),
                Sample::new("f32", tall(), |_, x| x[0].cast(DType::F32).svdvals()).kinked(),
            ],
        )
        .accuracy(Accuracy::Stated("backward stable: U·S·Vᵀ is A to 4·n·ε of the norm of A")),
    ]
}
