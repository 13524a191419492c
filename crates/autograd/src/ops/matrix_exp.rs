//! `matrix_exp`: the exponential of a square matrix.
//!
//! Y = Σₖ Aᵏ / k!, by scaling and squaring with a Padé approximant of order 13.
//!
//! * shape: `[…, n, n]`, unchanged
//! * dtypes: f32 and f64
//! * derivative: ∂A is the upper right block of the exponential of `[Aᵀ ct; 0 Aᵀ]`: the same op once more, of twice the size. It needs
//!   no eigenvalues, so it holds where they are equal
//! * errors when it runs: A is not finite
//! * source: N. Higham, The scaling and squaring method for the matrix exponential revisited, 2005; R. Mathias, A chain rule for
//!   matrix functions and applications, 1996

use crate::batch::Batch;
use crate::class::Class;
use crate::graph::{Derivative, Op, OpRef, Var};
use crate::kernel::{matrix_ns, views};
use crate::matrices::{example, finite, square};
use crate::meta::{Meta, operands};
use crate::reals::with_real;
use crate::sample::{Accuracy, Entry, Sample};
use wengert_numerics::factor::Real;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::kernels::threads::in_parts;
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::tensor::Tensor;

/// The exponential.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct MatrixExp;

impl Op for MatrixExp {
    fn name(&self) -> &'static str {
        "matrix_exp"
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

    fn pullback<'t>(&self, _i: usize, x: &[Var<'t>], _y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        let (a, tape, n) = (x[0].t(), ct.tape, x[0].dim(-1));
        let upper = tape.concat(&[a, ct], -1);
        let lower = tape.concat(&[a.filled(0.0), a], -1);
        let whole = tape.concat(&[upper, lower], -2).then(OpRef::Static(&MatrixExp));
        Some(whole.slice(-2, ..n).slice(-1, n..))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(OpRef::Static(&MatrixExp))
    }
}

impl Kernel for MatrixExp {
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
                for (at, (matrix, result)) in (first..).zip(matrices.zip(part.chunks_exact_mut(n * n))) {
                    finite(matrix, at, a.shape())?;
                    T::matrix_exp(matrix, n, result);
                }
                Ok(())
            })
        })
    }
}

impl<'t> Var<'t> {
    /// The exponential of a square matrix: Σₖ Aᵏ / k!.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[0.0f64, 1.0], [0.0, 0.0]]).apply(|x| x.matrix_exp())?;
    /// let expected = [1.0, 1.0, 0.0, 1.0];
    /// assert!(y.to_vec::<f64>()?.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-14));
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "expm")]
    #[track_caller]
    pub fn matrix_exp(self) -> Var<'t> {
        self.then(OpRef::Static(&MatrixExp))
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let turn = [Tensor::from([[0.0f64, -0.5], [0.5, 0.0]])];
    let (sin, cos) = (0.5f64.sin(), 0.5f64.cos());
    let batch = || [example(&[2, 3, 3], 0.3)];
    vec![
        Entry::new(
            "matrix_exp",
            "matrix_exp.rs",
            vec![
                Sample::new("a turn", turn, |_, x| x[0].matrix_exp()).gives([cos, -sin, sin, cos]),
                Sample::new("a diagonal", [Tensor::from([[1.0f64, 0.0], [0.0, -2.0]])], |_, x| x[0].matrix_exp())
                    .gives([1f64.exp(), 0., 0., (-2f64).exp()]),
                Sample::new("equal eigenvalues", [Tensor::from([[0.0f64, 0.0], [0.0, 0.0]])], |_, x| x[0].matrix_exp())
                    .gives([1., 0., 0., 1.])
                    .slopes([1.; 4]),
                Sample::new("batch", batch(), |_, x| x[0].scaled(0.3).matrix_exp()),
                Sample::new("scaled and squared", [example(&[2, 2], 0.3)], |_, x| x[0].scaled(-3.0).matrix_exp()),
                Sample::new("nothing", batch(), |_, x| x[0].slice(1, ..0).slice(2, ..0).matrix_exp()).gives([]),
                Sample::new("f32", batch(), |_, x| x[0].cast(DType::F32).scaled(0.3).matrix_exp()).kinked(),
            ],
        )
        .accuracy(Accuracy::Stated("exp A · exp(−A) is the unit matrix to 4·n·ε of their norms")),
    ]
}
