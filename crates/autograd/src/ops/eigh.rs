//! `eigh`: eigenvalues and eigenvectors of a symmetric matrix.
//!
//! S = (A + Aᵀ) / 2 = V diag(w) Vᵀ with w ascending and V orthogonal. Only the symmetric part of A counts.
//!
//! The result is packed: row i is `[vᵢ | wᵢ]`.
//!
//! * shape: `[…, n, n] → […, n, n + 1]`
//! * dtypes: f32 and f64
//! * convention: the component of largest magnitude of each vector is positive. Where eigenvalues are equal, any basis of their
//!   space may be given, and what depends on the basis has no derivative: the factor 1 / (wⱼ − wᵢ) of its rule is taken as 0 where
//!   the two are equal to the bit, and is as large as it is where they nearly are. What depends on the eigenvalues alone has its
//!   right derivative of first order there; a function of the matrix, V f(w) Vᵀ, has not: for these, see `matrix_exp`, `inv`
//! * derivative: ∂A = V (diag(∂w) + E ∘ Vᵀ ∂V) Vᵀ, its symmetric part, where Eᵢⱼ = 1 / (wⱼ − wᵢ), and 0 on the diagonal
//! * errors when it runs: A is not finite
//! * source: M. Giles, Collected matrix derivative results, 2008

use crate::batch::Batch;
use crate::class::Class;
use crate::cost::per_matrix;
use crate::graph::{Derivative, Op, OpRef, Var};
use crate::kernel::{matrix_ns, views};
use crate::matrices::{called, example, finite, resized, square};
use crate::meta::{Meta, operands};
use crate::reals::with_real;
use crate::sample::{Accuracy, Entry, Sample};
use wengert_numerics::factor::Real;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::threads::in_parts;
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// The packed eigenvectors and eigenvalues.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Eigh;

impl Op for Eigh {
    fn name(&self) -> &'static str {
        "eigh"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [a] = operands(inputs)?;
        let n = square(a)?;
        Ok(a.with_shape(resized(&a.shape, n, n + 1)?))
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Composite
    }

    fn pullback<'t>(&self, _i: usize, x: &[Var<'t>], y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        let n = x[0].dim(-1);
        let (rows, values) = (y.slice(-1, ..n), y.at(-1, n));
        let turned = rows.matmul(ct.slice(-1, ..n).t());
        let inner = turned.mul_masked(inverse_gaps(values)).add(ct.at(-1, n).diag_embed(0));
        let whole = rows.t().matmul(inner).matmul(rows);
        Some(whole.add(whole.t()).scaled(0.5))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(OpRef::Static(&Eigh))
    }
}

/// 1 / (wⱼ − wᵢ) in row i and column j, and 0 where the two are equal.
pub(crate) fn inverse_gaps(w: Var<'_>) -> Var<'_> {
    let gaps = w.unsqueeze(-2).sub(w.unsqueeze(-1));
    masked_recip(gaps)
}

/// 1 / x, and 0 where x is 0, with a derivative that is 0 there, too.
pub(crate) fn masked_recip(x: Var<'_>) -> Var<'_> {
    let none = x.eq(x.filled(0.0));
    x.filled(0.0).select(none, x.filled(1.0).select(none, x).recip())
}

impl Kernel for Eigh {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [a] = views(inputs)?;
        if out.shape().is_empty() {
            return Ok(());
        }
        let n = a.shape().last().copied().unwrap_or(0);
        with_real!(a.dtype(), T => {
            let src = a.as_slice::<T>()?;
            in_parts(out.as_mut_slice::<T>()?, n * (n + 1), matrix_ns(n, n), |first, part| {
                let matrices = src.chunks_exact(n * n).skip(first);
                let (mut values, mut vectors) = (vec![0.0; n], vec![0.0; n * n]);
                for (at, (matrix, packed)) in (first..).zip(matrices.zip(part.chunks_exact_mut(n * (n + 1)))) {
                    finite(matrix, at, a.shape())?;
                    if T::eigh(matrix, n, &mut values, &mut vectors).is_err() {
                        return Err(Error::value(format!("the eigenvalues of {} do not converge", called(at, a.shape()))));
                    }
                    let rows = vectors.chunks_exact(n).zip(&values);
                    for (to, (vector, value)) in packed.chunks_exact_mut(n + 1).zip(rows) {
                        to.iter_mut().zip(vector.iter().chain([value])).for_each(|(to, from)| *to = *from);
                    }
                }
                Ok(())
            })
        })
    }

    fn flops(&self, inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        // With vectors: Golub & Van Loan, Matrix Computations, §8.3.
        per_matrix(inputs.first(), |_, n| 9.0 * n.powi(3))
    }
}

impl<'t> Var<'t> {
    /// The eigenvalues w of this symmetric matrix, ascending, and unit vectors to them, the columns of V. The symmetric part is taken.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let (w, v) = tape.input(&Tensor::from([[2.0f64, 1.0], [1.0, 2.0]])).eigh();
    /// let [w, v] = tape.eval([w, v])?;
    /// let near = |a: Vec<f64>, b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-14);
    /// assert!(near(w.to_vec()?, &[1.0, 3.0]));
    /// assert!(near(v.to_vec::<f64>()?.iter().map(|x| x.abs()).collect(), &[0.5f64.sqrt(); 4]));
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn eigh(self) -> (Var<'t>, Var<'t>) {
        let _call = self.tape.call("eigh");
        let packed = self.then(OpRef::Static(&Eigh));
        if self.tape.failed.get() {
            return (packed, packed);
        }
        let n = self.dim(-1);
        (packed.at(-1, n), packed.slice(-1, ..n).t())
    }

    /// The eigenvalues of this symmetric matrix, ascending.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[2.0f64, 0.0], [0.0, -1.0]]).apply(|x| x.eigvalsh())?;
    /// assert!(y.to_vec::<f64>()?.iter().zip([-1.0, 2.0]).all(|(a, b)| (a - b).abs() < 1e-14));
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn eigvalsh(self) -> Var<'t> {
        let _call = self.tape.call("eigvalsh");
        self.named("eigvalsh", self.eigh().0)
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let known = || [Tensor::from([[2.0f64, 1.0], [1.0, 2.0]])];
    let batch = || [example(&[2, 3, 3], 0.3)];
    vec![
        Entry::new(
            "eigh",
            "eigh.rs",
            vec![
                Sample::new("eigenvalues", known(), |_, x| x[0].eigh().0.square())
                    .gives([1., 9.])
                    .slopes([4., 2., 2., 4.]),
                Sample::new("vectors", batch(), |_, x| x[0].eigh().1),
                Sample::new("the matrix again", known(), |_, x| {
                    let (w, v) = x[0].eigh();
                    v.mul(w.unsqueeze(-2)).matmul(v.t())
                })
                .gives([2., 1., 1., 2.])
                .slopes([1., 1., 1., 1.]),
                Sample::new("both", batch(), |_, x| {
                    let (w, v) = x[0].eigh();
                    v.mul(w.exp().unsqueeze(-2)).matmul(v)
                }),
                Sample::new("ties", [Tensor::from([[1.0f64, 0.0], [0.0, 1.0]])], |_, x| x[0].eigh().0.exp())
                    .kinked()
                    .gives([1f64.exp(), 1f64.exp()])
                    .slopes([1f64.exp(), 0., 0., 1f64.exp()]),
                Sample::new("size 1", [Tensor::from([[-3.0f64]])], |_, x| x[0].eigh().1).gives([1.]).slopes([0.]),
                Sample::new("nothing", batch(), |_, x| x[0].slice(1, ..0).slice(2, ..0).eigvalsh()).gives([]),
                Sample::new("f32", batch(), |_, x| x[0].cast(DType::F32).eigvalsh()).kinked(),
            ],
        )
        .accuracy(Accuracy::Stated("backward stable: V·Λ·Vᵀ is A to 4·n·ε of the norm of A")),
    ]
}
