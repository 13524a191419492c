//! `cofactor`: the derivatives of the determinant, of every order.
//!
//! C(A) = ∂ det A / ∂A, which is det A · A⁻ᵀ where there is an inverse. Its elements are polynomials, and it exists for singular
//! matrices just as well. With directions H₁ … Hₖ beside A the result is the derivative of C in these: linear in each of them, and
//! the same in whatever order they stand.
//!
//! It is computed from A = U diag(s) Vᵀ without a division. With no direction it is det U · det V · U diag(Πⱼ≠ᵢ sⱼ) Vᵀ; with k of
//! them, a sum over all sets of k + 1 indices.
//!
//! * operands: A, and any number of directions
//! * shape: `[…, n, n]`, all the same, and so is the result
//! * dtypes: f32 and f64, all the same
//! * derivative: ct takes the place of the direction by which is differentiated; by A, it is one direction more
//! * errors when it runs: A is not finite

use crate::batch::Batch;
use crate::class::Class;
use crate::graph::{Derivative, Op, OpRef, Var};
use crate::kernel::matrix_ns;
use crate::matrices::{called, example, finite, square};
use crate::meta::Meta;
use crate::reals::with_real;
use crate::sample::{Accuracy, Entry, Sample};
use smallvec::SmallVec;
use wengert_numerics::cofactor::cofactor;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::threads::in_parts;
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::tensor::Tensor;

/// The cofactors, or their derivative in the directions of the operands after the first.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Cofactor;

impl Op for Cofactor {
    fn name(&self) -> &'static str {
        "cofactor"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["matrix", "direction"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let Some((a, directions)) = inputs.split_first() else {
            return Err(Error::state("takes a matrix"));
        };
        square(a)?;
        match directions.iter().find(|direction| *direction != a) {
            Some(direction) => Err(Error::shape(format!("a direction {direction} of a matrix {a}"))),
            None => Ok((*a).clone()),
        }
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Composite
    }

    fn pullback<'t>(&self, i: usize, x: &[Var<'t>], _y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        let mut operands: SmallVec<[Var<'t>; 4]> = x.into();
        match i {
            0 => operands.push(ct),
            _ => *operands.get_mut(i)? = ct,
        }
        Some(ct.tape.record(OpRef::Static(&Cofactor), &operands))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(OpRef::Static(&Cofactor))
    }
}

impl Kernel for Cofactor {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let Some((a, directions)) = inputs.split_first() else { return Ok(()) };
        if out.shape().is_empty() {
            return Ok(());
        }
        let n = a.shape().last().copied().unwrap_or(0);
        with_real!(a.dtype(), T => {
            let directions = directions.iter().map(|h| h.as_slice::<T>()).collect::<Result<Vec<_>>>()?;
            let src = a.as_slice::<T>()?;
            in_parts(out.as_mut_slice::<T>()?, n * n, matrix_ns(n, n), |first, part| {
                let matrices = src.chunks_exact(n * n).skip(first);
                for (at, (matrix, to)) in (first..).zip(matrices.zip(part.chunks_exact_mut(n * n))) {
                    finite(matrix, at, a.shape())?;
                    let here: Vec<&[T]> =
                        directions.iter().map(|h| h.get(at * n * n..(at + 1) * n * n).unwrap_or_default()).collect();
                    if cofactor(matrix, &here, n, to).is_err() {
                        let why = format!("the singular values of {} do not converge", called(at, a.shape()));
                        return Err(Error::value(why));
                    }
                }
                Ok(())
            })
        })
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let grid = || Tensor::from([[1.0f64, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]);
    let known = || [Tensor::from([[1.0f64, 2.0], [4.0, 4.0]])];
    let pair = || [example(&[3, 3], 0.3), example(&[3, 3], 1.1)];
    let four = || [example(&[2, 4, 4], 0.3), example(&[2, 4, 4], 1.1)];
    let third = || [example(&[4, 4], 0.3), example(&[4, 4], 1.1), example(&[4, 4], 2.3)];
    vec![
        Entry::new(
            "cofactor",
            "cofactor.rs",
            vec![
                Sample::new("known", known(), |_, x| x[0].then(Cofactor))
                    .gives([4., -4., -2., 1.])
                    .slopes([1., -1., -1., 1.]),
                Sample::new("singular", [grid()], |_, x| x[0].then(Cofactor).square())
                    .gives([9., 36., 9., 36., 144., 36., 9., 36., 9.])
                    .slopes([-414., -36., 342., -108., 0., 108., 198., 36., -126.]),
                Sample::new("zeros", [Tensor::from([[0.0f64; 3]; 3])], |_, x| x[0].then(Cofactor))
                    .gives([0.; 9])
                    .slopes([0.; 9]),
                Sample::new("a direction", pair(), |tape, x| tape.record(Cofactor, x)),
                Sample::new("a direction, singular", [grid(), example(&[3, 3], 1.1)], |tape, x| {
                    tape.record(Cofactor, x)
                }),
                Sample::new("batch", four(), |tape, x| tape.record(Cofactor, x).square()),
                Sample::new("two directions", third(), |tape, x| tape.record(Cofactor, x)),
                Sample::new("three directions", third(), |tape, x| {
                    tape.record(Cofactor, &[x[0], x[1], x[2], x[1].roll(1, 0)])
                }),
                Sample::new("more directions than rows", known(), |tape, x| tape.record(Cofactor, &[x[0], x[0], x[0]]))
                    .gives([0.; 4])
                    .slopes([0.; 4]),
                Sample::new("of one", [Tensor::from([[[3.0f64]], [[0.0]]])], |_, x| x[0].then(Cofactor))
                    .gives([1., 1.])
                    .slopes([0., 0.]),
                Sample::new("nothing", pair(), |_, x| x[0].slice(0, ..0).slice(1, ..0).then(Cofactor)).gives([]),
                Sample::new("f32", pair(), |_, x| x[0].cast(DType::F32).then(Cofactor)).kinked(),
            ],
        )
        .accuracy(Accuracy::Stated(
            "backward stable: C·Aᵀ is det A times the unit matrix to 4·n·ε of the norms of C and A",
        )),
    ]
}
